//! The report of a period for those who lead support: how often the reply paths worked, how long customers waited by queue
//! and business hours, which promises were kept, and what was broken.
//!
//! It is made from what stays of scheduled runs; runs by hand would show the hours in which somebody was looking.

mod csv;
mod markdown;

pub use csv::{Table, csv};
pub use markdown::markdown;

use crate::incident::Incident;
use crate::model::{Judged, Stage, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// When a request was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hours {
    /// While the desk was open.
    Open,
    /// While it was closed.
    Closed,
    /// The probe has no calendar.
    Any,
}

impl Hours {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Hours::Open => "business",
            Hours::Closed => "closed",
            Hours::Any => "any",
        }
    }
}

/// What a time is the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// From the request to the answer of a person.
    HumanAnswer,
    /// The same in business hours only.
    HumanAnswerOpen,
    /// From the request to the answer that the run itself gave through the desk: the way there and back.
    RoundTrip,
    /// A stage that passed.
    Stage(Stage),
}

impl Span {
    /// The words in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Span::HumanAnswer => "first answer by a person",
            Span::HumanAnswerOpen => "first answer by a person, business hours only",
            Span::RoundTrip => "there and back",
            Span::Stage(stage) => stage.as_str(),
        }
    }
}

/// Where requests went: channel and queue.
pub type Place = (String, String);

/// Times of one kind, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many of a hundred came (nearest rank): the 50th is the median. None: there are no times.
    pub fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }
}

/// How often the runs of something ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Could not tell.
    pub unknown: u64,
}

impl Verdicts {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Pass => self.passed += 1,
            Verdict::Fail => self.failed += 1,
            Verdict::Unknown => self.unknown += 1,
        }
    }

    /// All of them.
    pub fn runs(self) -> u64 {
        self.passed + self.failed + self.unknown
    }

    /// How many of a hundred that could tell passed. None: none could.
    pub fn passed_of_hundred(self) -> Option<f64> {
        let told = self.passed + self.failed;
        (told > 0).then(|| self.passed as f64 * 100.0 / told as f64)
    }
}

/// Promises of acknowledgements that could be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promises {
    /// Kept.
    pub kept: u64,
    /// Broken.
    pub broken: u64,
}

/// What is known of one run beside its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// When the request was written.
    pub hours: Hours,
    /// Seconds of business hours until the answer came; none without a calendar or an answer.
    pub answered_open: Option<f64>,
}

/// A period, as far as it was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// When the first run in it ended: where nobody looked before, nothing is known. None: no run.
    pub first: Option<Timestamp>,
    /// When the last run in it ended.
    pub last: Option<Timestamp>,
    /// Verdicts by probe.
    pub probes: BTreeMap<String, Verdicts>,
    /// Times by place, kind and hours; sorted once [`Period::close`] was called.
    pub times: BTreeMap<(Place, Span, Hours), Times>,
    /// Promises by place.
    pub promises: BTreeMap<Place, Promises>,
    /// Seconds within the period in which a probe was broken, by its incidents.
    pub broken_seconds: BTreeMap<String, i64>,
    /// What was broken, and when nobody could tell.
    pub incidents: Vec<Incident>,
}

impl Period {
    /// A period of which nothing was counted yet.
    pub fn new(from: Timestamp, until: Timestamp) -> Period {
        Period {
            from,
            until,
            first: None,
            last: None,
            probes: BTreeMap::new(),
            times: BTreeMap::new(),
            promises: BTreeMap::new(),
            broken_seconds: BTreeMap::new(),
            incidents: Vec::new(),
        }
    }

    /// Counts a run.
    pub fn count(&mut self, run: &Judged, asked: Asked) {
        self.first = Some(self.first.map_or(run.finished, |first| first.min(run.finished)));
        self.last = Some(self.last.map_or(run.finished, |last| last.max(run.finished)));
        self.probes.entry(run.probe.clone()).or_default().count(run.verdict);
        let place: Place = (run.channel.clone(), run.queue.clone());
        if let Some(kept) = run.promise {
            let promises = self.promises.entry(place.clone()).or_default();
            if kept {
                promises.kept += 1;
            } else {
                promises.broken += 1;
            }
        }
        let answer = if run.human { Span::HumanAnswer } else { Span::RoundTrip };
        let whole = [(answer, run.clocks.answered), (Span::HumanAnswerOpen, asked.answered_open.filter(|_| run.human))];
        let stages = run.took.iter().map(|(stage, took)| (Span::Stage(*stage), Some(*took)));
        for (span, took) in whole.into_iter().chain(stages).filter_map(|(span, took)| Some((span, took?))) {
            self.times.entry((place.clone(), span, asked.hours)).or_default().0.push(took);
        }
    }

    /// Takes in the incidents, and sorts the times so that percentiles can be read.
    pub fn close(&mut self, incidents: Vec<Incident>) {
        for times in self.times.values_mut() {
            times.0.sort_by(f64::total_cmp);
        }
        for affected in incidents.iter().filter(|i| i.verdict == Verdict::Fail).flat_map(|i| &i.probes) {
            let end = affected.until.unwrap_or(self.until).min(self.until);
            let seconds = (end.as_second() - affected.since.max(self.from).as_second()).max(0);
            *self.broken_seconds.entry(affected.probe.clone()).or_default() += seconds;
        }
        self.incidents = incidents;
    }

    /// The verdicts of all probes together.
    pub fn verdicts(&self) -> Verdicts {
        self.probes.values().fold(Verdicts::default(), |sum, v| Verdicts {
            passed: sum.passed + v.passed,
            failed: sum.failed + v.failed,
            unknown: sum.unknown + v.unknown,
        })
    }
}

#[cfg(test)]
mod tests;
