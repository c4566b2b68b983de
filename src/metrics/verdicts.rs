//! How a verdict moves the series of its probe.

use super::known::{Known, Row};
use super::series::{between, flag, seconds};
use super::{Metrics, NO_STAGE};
use crate::engine::ports::ProbeStanding;
use crate::model::{Clocks, Outcome, Run, Stage, Trigger, Verdict};
use jiff::Timestamp;

impl Row {
    fn fail(&mut self, begun: Timestamp) {
        self.failures += 1;
        self.failing_since = self.failing_since.or(Some(begun));
        self.unknown_since = None;
    }
}

impl Metrics {
    /// Sets the verdict gauges to what the store remembers.
    pub fn restore(&self, standings: &[ProbeStanding]) {
        let mut state = self.state();
        for standing in standings {
            let Some(known) = state.probes.get_mut(&standing.probe) else { continue };
            if let Some(run) = &standing.last_judged {
                self.show_judged(known, run);
                self.show_security(known, run, true);
            }
            known.row = Row {
                last_pass: standing.last_pass,
                failures: standing.failures_in_a_row,
                failing_since: standing.failing_since,
                unknown_since: standing.unknown_since,
            };
            known.before = Row { last_pass: standing.last_pass, ..Row::default() };
            if let Some((run, verdict)) = standing.last.as_ref().and_then(|r| r.diagnosis.as_ref().map(|d| (r, d.verdict))) {
                self.last_run.set(&known.labels, seconds(run.finished));
                self.unknown.set(&known.labels, flag(verdict == Verdict::Unknown));
                known.last = Some((run.id.0.clone(), verdict));
                known.leftovers = run.leftovers.len();
            }
            let judged = standing.last_judged.as_ref();
            self.show_faults(known, judged, standing.last.as_ref());
            self.show_row(known);
        }
        self.show_leftovers(&state);
    }

    /// Takes in a verdict.
    pub(super) fn finished(&self, known: &mut Known, run: &Run) {
        let Some(diagnosis) = run.diagnosis.as_ref().filter(|_| run.trigger != Trigger::Control) else { return };
        let stage = diagnosis.stage.filter(|s| known.stages.contains(s)).map_or(NO_STAGE, Stage::as_str);
        let trigger = run.trigger.as_str();
        self.runs.add(&known.with(&[trigger]), 1.0);
        match diagnosis.verdict {
            Verdict::Pass => {}
            Verdict::Fail => self.failures.add(&known.with(&[trigger, stage]), 1.0),
            Verdict::Unknown => self.unknowns.add(&known.with(&[trigger, stage]), 1.0),
        }
        let (before, left) = (std::mem::replace(&mut known.leftovers, run.leftovers.len()), run.leftovers.len());
        if !known.labels[1].is_empty() {
            self.leftovers.add(&known.labels[1..2], left as f64 - before as f64);
        }
        if run.trigger != Trigger::Scheduled {
            return;
        }
        known.last = Some((run.id.0.clone(), diagnosis.verdict));
        self.last_run.set(&known.labels, seconds(run.finished));
        self.unknown.set(&known.labels, flag(diagnosis.verdict == Verdict::Unknown));
        match diagnosis.verdict {
            Verdict::Unknown => known.row.unknown_since = known.row.unknown_since.or(run.finished),
            Verdict::Fail => known.row.fail(run.started),
            Verdict::Pass => {
                known.before = known.row;
                known.row = Row { last_pass: run.finished, ..Row::default() };
            }
        }
        self.show_row(known);
        self.count_times(known, run, diagnosis.verdict == Verdict::Pass);
        if diagnosis.verdict == Verdict::Unknown {
            self.show_faults(known, None, Some(run));
        } else {
            self.show_faults(known, Some(run), None);
            self.show_judged(known, run);
        }
    }

    /// Times of the stages of a pass, and the customer's clocks as far as they ticked.
    fn count_times(&self, known: &Known, run: &Run, passed: bool) {
        let timed = run.stages.iter().filter(|_| passed).filter_map(|(s, r)| Some((*s, between(r.opened?, r.closed?))));
        for (stage, took) in timed {
            if let Ok(histogram) = self.stage_seconds.get_metric_with_label_values(&known.gateway(Some(stage))) {
                histogram.observe(took);
            }
        }
        let clocks = Clocks::of(run);
        let times = [clocks.landed, clocks.acknowledged, clocks.answered];
        for ((clock, counted), took) in self.clocks().into_iter().zip(known.clocks).zip(times) {
            // Asking for a series makes it.
            if let Some(took) = took.filter(|_| counted)
                && let Ok(histogram) = clock.get_metric_with_label_values(&known.gateway(None))
            {
                histogram.observe(took);
            }
        }
    }

    fn show_row(&self, known: &Known) {
        self.consecutive.set(&known.labels, f64::from(known.row.failures));
        self.last_success.set(&known.labels, seconds(known.row.last_pass));
        self.failing_since.set(&known.labels, seconds(known.row.failing_since));
        self.unknown_since.set(&known.labels, seconds(known.row.unknown_since));
    }

    /// A pass that a late finding turned into a failure.
    pub(super) fn turned(&self, known: &mut Known, run: &Run) {
        let Some(d) = run.diagnosis.as_ref().filter(|d| d.verdict == Verdict::Fail) else { return };
        if known.last.as_ref().is_none_or(|(id, verdict)| *id != run.id.0 || *verdict != Verdict::Pass) {
            return;
        }
        known.last = Some((run.id.0.clone(), Verdict::Fail));
        let stage = d.stage.filter(|s| known.stages.contains(s)).map_or(NO_STAGE, Stage::as_str);
        self.failures.add(&known.with(&[run.trigger.as_str(), stage]), 1.0);
        known.row = known.before;
        known.row.fail(run.started);
        self.show_row(known);
        self.show_faults(known, Some(run), None);
        self.show_judged(known, run);
    }

    fn show_judged(&self, known: &Known, run: &Run) {
        let Some(diagnosis) = &run.diagnosis else { return };
        self.success.set(&known.labels, flag(diagnosis.verdict == Verdict::Pass));
        self.duration.set(&known.labels, between(run.started, run.finished.unwrap_or(run.started)));
        for stage in Stage::ALL {
            let labels = known.with(&[stage.as_str()]);
            let record = run.stages.get(&stage).cloned().unwrap_or_default();
            match record.outcome {
                Some(Outcome::Pass) => self.stage_success.set(&labels, 1.0),
                Some(Outcome::Fail) => self.stage_success.set(&labels, 0.0),
                _ => self.stage_success.remove(&labels),
            }
            match record.opened.zip(record.closed) {
                Some((from, to)) => self.stage_last.set(&labels, between(from, to)),
                None => self.stage_last.remove(&labels),
            }
        }
    }
}
