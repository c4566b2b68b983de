//! A run in few words: what a strip of history, a list and a grid need of it, without its evidence.

use super::{Blame, Diagnosis, Judged, Run, RunId, Stage, Trigger, Verdict};
use jiff::Timestamp;
use std::sync::Arc;

/// A run without its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// Its id.
    pub id: RunId,
    /// Why it was started.
    pub trigger: Trigger,
    /// Begin.
    pub started: Timestamp,
    /// End; none while it is under way.
    pub finished: Option<Timestamp>,
    /// The answer; none while it is under way.
    pub verdict: Option<Verdict>,
    /// The earliest stage that failed or could not be judged.
    pub stage: Option<Stage>,
    /// The fault that the evidence singles out, else the first candidate.
    pub fault: Option<String>,
    /// Whose side.
    pub blame: Option<Blame>,
    /// Private content was exposed.
    pub security: bool,
    /// What incidents are made of; none for a run that no schedule started.
    pub judged: Option<Arc<Judged>>,
}

impl Brief {
    /// The run in few words.
    pub fn of(run: &Run) -> Brief {
        let judged = Judged::of(run).map(Arc::new);
        Brief { judged, ..Brief::told(run.id.clone(), run.trigger, run.started, run.finished, run.diagnosis.as_ref()) }
    }

    /// A run with these times and this diagnosis, if it has one; incidents are not made of it.
    pub fn told(id: RunId, trigger: Trigger, started: Timestamp, finished: Option<Timestamp>, d: Option<&Diagnosis>) -> Brief {
        Brief {
            id,
            trigger,
            started,
            finished,
            verdict: d.map(|d| d.verdict),
            stage: d.and_then(|d| d.stage),
            fault: d.and_then(|d| d.fault.clone().or_else(|| d.candidates.first().cloned())),
            blame: d.and_then(|d| d.blame),
            security: d.is_some_and(|d| d.security),
            judged: None,
        }
    }

    /// The scheduled run of which that stays.
    pub fn of_judged(judged: Judged) -> Brief {
        Brief {
            id: judged.run.clone(),
            trigger: Trigger::Scheduled,
            started: judged.started,
            finished: Some(judged.finished),
            verdict: Some(judged.verdict),
            stage: judged.stage,
            fault: judged.likeliest().map(str::to_owned),
            blame: judged.blame,
            security: judged.security,
            judged: Some(Arc::new(judged)),
        }
    }

    /// When it ended, or began while it is under way.
    pub fn at(&self) -> Timestamp {
        self.finished.unwrap_or(self.started)
    }
}
