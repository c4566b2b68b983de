//! The words of pages for a run and its stages.

pub use crate::model::Brief;
use crate::model::{Outcome, Run, Stage, Verdict};
use jiff::Timestamp;

/// One stage of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Which.
    pub stage: Stage,
    /// How it ended; none while it waits.
    pub outcome: Option<Outcome>,
    /// Seconds from its opening to its decision.
    pub seconds: Option<f64>,
}

impl Brief {
    /// Its end in words: `ok`, `FAIL at land`, `unknown at send`, `under way`.
    pub fn words(&self) -> String {
        let at = self.stage.map(|s| format!(" at {s}")).unwrap_or_default();
        format!("{}{at}", verdict_word(self.verdict))
    }
}

/// The word of a verdict on pages.
pub fn verdict_word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "ok",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Unknown) => "unknown",
        None => "under way",
    }
}

/// The word of an outcome in a cell.
pub fn outcome_word(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Pass) => "ok",
        Some(Outcome::Fail) => "FAIL",
        Some(Outcome::Unknown) => "unknown",
        Some(Outcome::Skipped) => "left out",
        Some(Outcome::NotReached) => "not reached",
        None => "waiting",
    }
}

/// The ten stages of a run.
pub fn cells(run: &Run) -> Vec<Cell> {
    let cell = |stage: Stage| {
        let record = run.stages.get(&stage);
        let took = record.and_then(|r| r.opened.zip(r.closed));
        let waits = record.is_some_and(|r| r.opened.is_some() && r.outcome.is_none()) && run.finished.is_none();
        let absent = if run.probe.takes(stage) { Outcome::NotReached } else { Outcome::Skipped };
        let outcome = record.and_then(|r| r.outcome).or_else(|| (!waits).then_some(absent));
        Cell { stage, outcome, seconds: took.map(|(from, to)| seconds(from, to)) }
    };
    Stage::ALL.into_iter().map(cell).collect()
}

/// Seconds between two moments; never less than 0.
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    ((to.as_microsecond() - from.as_microsecond()) as f64 / 1e6).max(0.0)
}
