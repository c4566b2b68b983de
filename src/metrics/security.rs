//! Private content in the wrong hands: said as soon as a run shows it, not only with its verdict.

use super::known::Known;
use super::series::flag;
use super::{Metrics, State};
use crate::diagnosis::catalogue;
use crate::model::{Outcome, Run, Trigger, Verdict};
use std::collections::BTreeSet;

/// The closed list of `fault` in `replypath_probe_security_fault` and `replypath_security_faults_total`.
pub(super) fn faults() -> impl Iterator<Item = &'static str> {
    catalogue::all().iter().filter(|fault| fault.security).map(|fault| fault.id.as_str())
}

/// What the failed stages of a run point to first, as far as it is about privacy.
fn shown(run: &Run) -> BTreeSet<&'static str> {
    let failed = run.stages.values().filter(|r| r.outcome == Some(Outcome::Fail));
    let first: BTreeSet<&str> = failed.filter_map(|r| r.hints.first()).map(String::as_str).collect();
    faults().filter(|fault| first.contains(fault)).collect()
}

impl Metrics {
    /// Counts what a run shows for the first time, and raises its gauge at once.
    pub(super) fn security_of(&self, state: &mut State, run: &Run) {
        let Some(known) = state.probes.get(&run.probe.name) else { return };
        let verdict = run.diagnosis.as_ref().map(|d| d.verdict);
        for fault in shown(run) {
            let before_verdict = state.exposed.insert((run.id.0.clone(), fault.to_owned()));
            let late = run.finished.is_some() && known.security.contains(&(run.id.0.clone(), fault.to_owned()));
            if before_verdict && !late {
                self.security_faults.add(&[&known.labels[0], fault], 1.0);
            }
        }
        if run.trigger == Trigger::Scheduled {
            self.show_security(known, run, matches!(verdict, Some(Verdict::Pass | Verdict::Fail)));
        }
        let seen: BTreeSet<(String, String)> = shown(run).into_iter().map(|f| (run.id.0.clone(), f.to_owned())).collect();
        if let Some(known) = state.probes.get_mut(&run.probe.name).filter(|_| run.finished.is_some()) {
            known.security = seen;
        }
    }

    /// Raises the gauges of what the run shows; a run that has its verdict lowers the others too.
    pub(super) fn show_security(&self, known: &Known, run: &Run, lower: bool) {
        let shown = shown(run);
        for fault in faults() {
            if lower || shown.contains(fault) {
                self.security.set(&[&known.labels[0], fault], flag(shown.contains(fault)));
            }
        }
    }
}
