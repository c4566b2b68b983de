//! Which fault a probe shows: for the words of an alert, which fetch it by a query. It is a label of no other series: an alert
//! whose labels change is resolved and sent again.

use super::Metrics;
use super::known::Known;
use crate::diagnosis::catalogue;
use crate::model::{Blame, Run, Stage, Verdict};

/// The `fault` of a run whose evidence singles none out, and the `blame` of one that names no side.
const UNCLEAR: &str = "unclear";

/// What a run without a pass names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// It could not tell; otherwise it failed.
    unknown: bool,
    stage: &'static str,
    fault: &'static str,
    blame: &'static str,
}

impl Named {
    /// None for a pass and for a run without a verdict.
    fn of(run: &Run) -> Option<Named> {
        let diagnosis = run.diagnosis.as_ref().filter(|d| d.verdict != Verdict::Pass)?;
        Some(Named {
            unknown: diagnosis.verdict == Verdict::Unknown,
            stage: diagnosis.stage.map_or(super::NO_STAGE, Stage::as_str),
            // Only what the catalogue has can become a label.
            fault: diagnosis.fault.as_deref().and_then(catalogue::fault).map_or(UNCLEAR, |f| f.id.as_str()),
            blame: diagnosis.blame.map_or(UNCLEAR, Blame::as_str),
        })
    }

    /// The labels of its series.
    pub(super) fn labels<'a>(&self, probe: &'a str) -> [&'a str; 4] {
        [probe, self.stage, self.fault, self.blame]
    }
}

impl Metrics {
    /// Shows what the last run names that could tell, and the last one if it could not. None: as it was before, except that
    /// a run that could tell ends what one before it could not.
    pub(super) fn show_faults(&self, known: &mut Known, judged: Option<&Run>, last: Option<&Run>) {
        let failed = match judged {
            Some(run) => Named::of(run),
            None => known.named.iter().find(|n| !n.unknown).copied(),
        };
        let blind = last.and_then(Named::of).filter(|n| n.unknown);
        let named: Vec<Named> = failed.into_iter().chain(blind).collect();
        for old in &known.named {
            self.fault.remove(&old.labels(&known.labels[0]));
        }
        for new in &named {
            self.fault.set(&new.labels(&known.labels[0]), 1.0);
        }
        known.named = named;
    }
}
