//! What is known of a probe: its labels, and what its series stood on last.

use super::faults::Named;
use crate::model::{Probe, ReplyMode, Schedule, Stage, Verdict};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What has happened since the last scheduled pass.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Row {
    pub(super) last_pass: Option<Timestamp>,
    pub(super) failures: u32,
    pub(super) failing_since: Option<Timestamp>,
    pub(super) unknown_since: Option<Timestamp>,
}

/// What the labels and gauges of a probe stand on.
#[derive(Clone, PartialEq)]
pub(super) struct Known {
    pub(super) labels: [String; 4],
    pub(super) info: [String; 3],
    pub(super) stages: BTreeSet<Stage>,
    pub(super) limits: BTreeMap<Stage, f64>,
    /// Which clocks can ever tick: landing, acknowledgement, a person's answer.
    pub(super) clocks: [bool; 3],
    /// The row of verdicts, and what it was before the last pass, should that turn into a failure later.
    pub(super) row: Row,
    pub(super) before: Row,
    /// What `replypath_probe_fault` shows.
    pub(super) named: Vec<Named>,
    /// The last scheduled run and its verdict, to notice a pass that turned into a failure later.
    pub(super) last: Option<(String, Verdict)>,
    pub(super) leftovers: usize,
    /// What the last finished run showed about privacy, with its id: a late message must not count it again.
    pub(super) security: BTreeSet<(String, String)>,
}

impl Known {
    pub(super) fn of(probe: &Probe) -> Known {
        let desk = probe.desk.clone().unwrap_or_default();
        Known {
            labels: [probe.name.clone(), desk, probe.channel_name().to_owned(), probe.gateway.clone()],
            info: [probe.expect.queue.clone().unwrap_or_default(), probe.owner.clone(), schedule_text(probe.schedule.as_ref())],
            stages: probe.stages.clone(),
            limits: probe.stages.iter().map(|s| (*s, probe.limit(*s).as_secs_f64())).collect(),
            clocks: [
                probe.takes(Stage::Land),
                probe.takes(Stage::Acknowledge),
                probe.takes(Stage::Return) && probe.reply.mode == ReplyMode::Await,
            ],
            row: Row::default(),
            before: Row::default(),
            named: Vec::new(),
            last: None,
            leftovers: 0,
            security: BTreeSet::new(),
        }
    }

    /// Takes over what the series stood on when the probe was configured anew.
    pub(super) fn keep(&mut self, old: &Known) {
        (self.row, self.before, self.named) = (old.row, old.before, old.named.clone());
        (self.last, self.leftovers, self.security) = (old.last.clone(), old.leftovers, old.security.clone());
    }

    pub(super) fn with(&self, more: &[&str]) -> Vec<String> {
        self.labels.iter().cloned().chain(more.iter().map(|s| (*s).to_owned())).collect()
    }

    pub(super) fn gateway(&self, stage: Option<Stage>) -> Vec<String> {
        self.labels[1..].iter().cloned().chain(stage.map(|s| s.as_str().to_owned())).collect()
    }

    /// Same labels and same static values: nothing of the old series has to go.
    pub(super) fn same(&self, other: &Known) -> bool {
        self.labels == other.labels && self.info == other.info && self.stages == other.stages
    }
}

/// A schedule as one word of a label: `every 15m`, `cron 0 9 * * MON-FRI Europe/Berlin`, `on demand`.
pub fn schedule_text(schedule: Option<&Schedule>) -> String {
    match schedule {
        Some(Schedule::Every { interval, .. }) => format!("every {}", crate::report::look::interval(*interval)),
        Some(Schedule::Cron { pattern, zone }) => format!("cron {pattern} {zone}"),
        None => "on demand".to_owned(),
    }
}
