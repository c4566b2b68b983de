//! Two faults at once: which pairs are drawn, and what must be said of them.

use super::expected::Row;
use super::scene::{Case, Played};
use super::score::{self, Line};
use crate::model::{Stage, Verdict};
use crate::sandbox::Rng;
use serde::Deserialize;

/// The file, part of the program.
const TEXT: &str = include_str!("../../../tests/matrix/pairs.toml");

/// What is not drawn.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// Faults that are in no pair.
    #[serde(default)]
    pub alone: Vec<Alone>,
    /// Faults that are not drawn together.
    #[serde(default)]
    pub apart: Vec<Apart>,
}

/// A fault that is in no pair.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alone {
    /// Which.
    pub fault: String,
    /// The reason.
    pub why: String,
}

/// Faults of which one keeps the other from happening.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apart {
    /// The one that does not happen.
    pub fault: String,
    /// Those beside which it does not.
    pub with: Vec<String>,
    /// The reason.
    pub why: String,
}

/// Reads the file.
///
/// # Errors
/// When it is not as it should be; the text says where.
pub fn read() -> Result<Excluded, String> {
    toml::from_str(TEXT).map_err(|e| format!("tests/matrix/pairs.toml: {e}"))
}

impl Excluded {
    /// The row can be one of a pair: its fault breaks a stage of a run, from its begin.
    pub fn fits(&self, row: &Row) -> bool {
        let breaks = row.verdict == Verdict::Fail && row.stage.is_some() && row.proved_by.is_empty() && !row.good_before;
        breaks && self.alone.iter().all(|a| a.fault != row.fault)
    }

    /// The two can happen in one run.
    pub fn compatible(&self, a: &Row, b: &Row) -> bool {
        let kept = |x: &Row, y: &Row| self.apart.iter().any(|p| p.fault == x.fault && p.with.contains(&y.fault));
        a.fault != b.fault && a.probe == b.probe && self.fits(a) && self.fits(b) && !kept(a, b) && !kept(b, a)
    }

    /// Every compatible pair of the rows.
    pub fn all<'r>(&self, rows: &'r [Row]) -> Vec<(&'r Row, &'r Row)> {
        let later = |(place, a): (usize, &'r Row)| rows[place + 1..].iter().map(move |b| (a, b));
        rows.iter().enumerate().flat_map(later).filter(|(a, b)| self.compatible(a, b)).collect()
    }
}

impl Excluded {
    /// What is excluded, with the reasons.
    pub fn told(&self) -> Vec<(String, String)> {
        let alone = self.alone.iter().map(|a| (a.fault.clone(), a.why.clone()));
        alone.chain(self.apart.iter().map(|p| (format!("{} with {}", p.fault, p.with.join(", ")), p.why.clone()))).collect()
    }

    /// Draws `count` different pairs, or all there are.
    pub fn draw(&self, rows: &[Row], count: usize, rng: &mut Rng) -> Vec<(Row, Row, Case)> {
        let mut left = self.all(rows);
        let mut drawn = Vec::new();
        while drawn.len() < count && !left.is_empty() {
            let place = usize::try_from(rng.below(left.len() as u64)).unwrap_or(0);
            let (a, b) = left.swap_remove(place);
            let case = Case { tidy: true, ..Case::of(&[&a.fault, &b.fault], super::together(a), rng.below(1_000_000)) };
            drawn.push((a.clone(), b.clone(), case));
        }
        drawn
    }
}

/// What a pair is called.
pub fn name(a: &Row, b: &Row) -> String {
    format!("{} + {}", a.fault, b.fault)
}

/// Of two faults the stage of the earlier one is named. Causes are told, not judged: both together may look like a third.
pub fn judge(a: &Row, b: &Row, played: &Result<Played, String>) -> Line {
    let place = |row: &Row| row.stage.and_then(|s| Stage::ALL.into_iter().position(|o| o == s));
    let earlier = if place(a) <= place(b) { a } else { b };
    let causes = a.causes.iter().chain(&b.causes).cloned().collect();
    let line = score::row(&Row { fault: name(a, b), causes, ..earlier.clone() }, played, true);
    let wrong = if line.detected && line.stage_right {
        Vec::new()
    } else if line.verdict.is_none() {
        line.wrong
    } else {
        vec!["not the stage of the earlier fault".to_owned()]
    };
    Line { wrong, ..line }
}
