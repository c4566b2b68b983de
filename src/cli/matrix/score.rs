//! Holds what the runs said against what was expected. Pure: runs in, a sheet out.

use super::expected::{Harmless, Row};
use crate::model::{Diagnosis, Run, Stage, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Line {
    /// The fault.
    pub fault: String,
    /// The judged probe.
    pub probe: String,
    /// What was said.
    pub verdict: Option<Verdict>,
    /// Where.
    pub stage: Option<Stage>,
    /// Why, ranked.
    pub candidates: Vec<String>,
    /// The right verdict, or prevented.
    pub detected: bool,
    /// The right stage.
    pub stage_right: bool,
    /// An accepted cause is in the list.
    pub cause_listed: bool,
    /// The first accepted cause stands first.
    pub cause_first: bool,
    /// From the begin of the run to the verdict, in units of the limit of the stage that it names.
    pub limits_taken: Option<f64>,
    /// Seconds from the begin of the run to the verdict.
    pub seconds: Option<f64>,
    /// What is not as expected, in words.
    pub wrong: Vec<String>,
}

/// A miss, by name, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The fault or variation.
    pub fault: String,
    /// Why.
    pub why: String,
}

/// The whole measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sheet {
    /// Rows of the catalogue.
    pub rows: usize,
    /// With the right verdict, or prevented.
    pub detected: usize,
    /// With the right stage.
    pub stage_right: usize,
    /// With an accepted cause in the list.
    pub cause_listed: usize,
    /// With it in the first place.
    pub cause_first: usize,
    /// How long the lists are, on average.
    pub mean_candidates: f64,
    /// Variations that must not alarm.
    pub harmless: usize,
    /// Alarms over them and over healthy runs.
    pub false_alarms: usize,
    /// Healthy runs.
    pub healthy_runs: usize,
    /// Every row and variation that is not as expected.
    pub misses: Vec<Miss>,
    /// Row by row.
    pub table: Vec<Line>,
    /// What was named instead of the expected cause: `[expected, named, times]`.
    pub confusion: Vec<(String, String, usize)>,
}

/// What must be reached at least.
pub struct Thresholds {
    /// Rows detected or prevented.
    pub detected: usize,
    /// Rows with the right stage.
    pub stage_right: usize,
    /// Rows with an accepted cause in the list.
    pub cause_listed: usize,
    /// Rows with it in the first place.
    pub cause_first: usize,
    /// The longest mean list.
    pub mean_candidates: f64,
}

/// Judges the run of a row. `run` is an error when the case could not be played.
pub fn row(row: &Row, run: &Result<Run, String>, with_intake: bool) -> Line {
    let mut line = Line { fault: row.fault.clone(), probe: row.probe.clone(), ..Line::default() };
    let (run, said) = match run.as_ref().map(|r| (r, r.diagnosis.as_ref())) {
        Ok((run, Some(said))) => (run, said),
        Ok((_, None)) => return Line { wrong: vec!["the run has no verdict".to_owned()], ..line },
        Err(why) => return Line { wrong: vec![why.clone()], ..line },
    };
    line.verdict = Some(said.verdict);
    line.stage = said.stage;
    line.candidates.clone_from(&said.candidates);
    line.detected = said.verdict == row.verdict;
    if !line.detected {
        line.wrong.push(format!("verdict {}, not {}: {}", said.verdict.as_str(), row.verdict.as_str(), said.summary));
    }
    took(&mut line, run, said);
    if row.prevented {
        let named = said.notes.iter().any(|n| n.contains(&row.fault));
        if !named {
            line.wrong.push("no note names the row".to_owned());
        }
        let right = line.detected && named;
        (line.detected, line.stage_right, line.cause_listed, line.cause_first) = (right, right, right, right);
        return line;
    }
    line.stage_right = said.stage == row.stage;
    let listed = |c: &String| row.causes.contains(c);
    let group = (!with_intake && !row.without_intake.is_empty()).then_some(&row.without_intake);
    match group {
        Some(group) => {
            let (mut have, mut want) = (said.candidates.clone(), group.clone());
            have.sort();
            want.sort();
            line.cause_listed = have == want;
            line.cause_first = line.cause_listed;
        }
        None => {
            line.cause_listed = said.candidates.iter().any(listed);
            line.cause_first = said.candidates.first().zip(row.causes.first()).is_some_and(|(have, want)| have == want);
        }
    }
    if !line.stage_right {
        line.wrong.push(format!("stage {:?}, not {:?}", said.stage.map(Stage::as_str), row.stage.map(Stage::as_str)));
    }
    if !line.cause_listed || !line.cause_first {
        line.wrong.push(format!("causes {:?}, not {:?}", said.candidates, group.unwrap_or(&row.causes)));
    }
    if said.blame != row.blame {
        line.wrong.push(format!("blame {:?}, not {:?}", said.blame, row.blame));
    }
    if row.security && !said.security {
        line.wrong.push("not told as a security fault".to_owned());
    }
    line
}

fn took(line: &mut Line, run: &Run, said: &Diagnosis) {
    let Some(finished) = run.finished else { return };
    let seconds = (finished.as_microsecond() - run.started.as_microsecond()) as f64 / 1e6;
    line.seconds = Some(round(seconds));
    line.limits_taken = said.stage.map(|stage| round(seconds / run.probe.limit(stage).as_secs_f64().max(0.001)));
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A row that a test proves: the test's file must be there.
pub fn proved(row: &Row, missing: &[String]) -> Line {
    let there = missing.is_empty();
    Line {
        fault: row.fault.clone(),
        probe: row.proved_by.join(" and "),
        detected: there,
        stage_right: there,
        cause_listed: there,
        cause_first: there,
        wrong: missing.iter().map(|m| format!("no test in {m}")).collect(),
        ..Line::default()
    }
}

/// Why the run of a variation alarms; none: it does not.
pub fn alarm(harmless: &Harmless, run: &Result<Run, String>) -> Option<Miss> {
    let why = match run.as_ref().map(|r| r.diagnosis.as_ref()) {
        Ok(Some(said)) if harmless.verdict.contains(&said.verdict) => return None,
        Ok(Some(said)) => format!("verdict {}: {} {:?}", said.verdict.as_str(), said.summary, said.candidates),
        Ok(None) => "the run has no verdict".to_owned(),
        Err(why) => why.clone(),
    };
    Some(Miss { fault: harmless.fault.clone(), why })
}

/// Puts the lines together.
pub fn sheet(table: Vec<Line>, harmless: usize, alarms: Vec<Miss>, healthy_runs: usize) -> Sheet {
    let count = |is: fn(&Line) -> bool| table.iter().filter(|l| is(l)).count();
    let lists: Vec<usize> = table.iter().map(|l| l.candidates.len()).filter(|n| *n > 0).collect();
    let mut confusion: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in table.iter().filter(|l| !l.cause_first && l.verdict.is_some()) {
        let named = line.candidates.first().cloned().unwrap_or_else(|| "none".to_owned());
        *confusion.entry((line.fault.clone(), named)).or_default() += 1;
    }
    let misses = table.iter().filter(|l| !l.wrong.is_empty()).map(|l| Miss { fault: l.fault.clone(), why: l.wrong.join("; ") });
    Sheet {
        rows: table.len(),
        detected: count(|l| l.detected),
        stage_right: count(|l| l.stage_right),
        cause_listed: count(|l| l.cause_listed),
        cause_first: count(|l| l.cause_first),
        mean_candidates: round(lists.iter().sum::<usize>() as f64 / lists.len().max(1) as f64),
        harmless,
        false_alarms: alarms.len(),
        healthy_runs,
        misses: misses.chain(alarms).collect(),
        confusion: confusion.into_iter().map(|((expected, named), times)| (expected, named, times)).collect(),
        table,
    }
}

impl Sheet {
    /// What lies below the thresholds, in words.
    pub fn below(&self, least: &Thresholds) -> Vec<String> {
        let mut below = Vec::new();
        let figures = [
            ("detected", self.detected, least.detected),
            ("stage_right", self.stage_right, least.stage_right),
            ("cause_listed", self.cause_listed, least.cause_listed),
            ("cause_first", self.cause_first, least.cause_first),
        ];
        below.extend(
            figures.iter().filter(|(_, have, want)| have < want).map(|(name, have, want)| format!("{name} {have}, at least {want}")),
        );
        if self.mean_candidates > least.mean_candidates {
            below.push(format!("mean_candidates {}, at most {}", self.mean_candidates, least.mean_candidates));
        }
        if self.false_alarms > 0 {
            below.push(format!("false_alarms {}, none allowed", self.false_alarms));
        }
        below
    }
}
