//! What the overview says first: one sentence, and the incidents behind it. The same for the page, `/status.txt`, badges and
//! the API.

use super::board::{Seat, Seats};
use super::state::{State, ago};
use crate::incident::{self, Incident};
use crate::model::Verdict;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The news of one moment.
#[derive(Debug, Clone)]
pub struct News {
    /// The sentence, without a full stop.
    pub sentence: String,
    /// `ok`, `broken` or `unknown`: the colour and the icon.
    pub tone: &'static str,
    /// How many probes are in each state that occurs.
    pub counts: BTreeMap<State, usize>,
    /// All probes.
    pub total: usize,
    /// What lasts, the worst first.
    pub incidents: Vec<Incident>,
}

impl News {
    /// The news of these probes and of what lasts among them. `stuck`: for so long the scheduler has not looked for due probes, longer than it may.
    pub fn of(seats: &Seats, incidents: Vec<Incident>, stuck: Option<Duration>, now: Timestamp) -> News {
        let mut counts: BTreeMap<State, usize> = BTreeMap::new();
        for seat in seats.values() {
            *counts.entry(State::of(seat, now)).or_default() += 1;
        }
        let mut news = News { sentence: String::new(), tone: "unknown", counts, total: seats.len(), incidents };
        (news.sentence, news.tone) = news.say(seats, stuck, now);
        news
    }

    fn count(&self, state: State) -> usize {
        self.counts.get(&state).copied().unwrap_or(0)
    }

    fn say(&self, seats: &Seats, stuck: Option<Duration>, now: Timestamp) -> (String, &'static str) {
        if self.total == 0 {
            return ("No probe is configured".to_owned(), "unknown");
        }
        if let Some(age) = stuck {
            let minutes = age.as_secs() / 60;
            return (format!("The scheduler has not looked for due probes for {minutes} min: what stands here is old"), "unknown");
        }
        let paths = |n: usize, is: &str, are: &str| {
            let noun = if self.total == 1 { "reply path" } else { "reply paths" };
            format!("{n} of {} {noun} {}", self.total, if n == 1 { is } else { are })
        };
        if self.count(State::Failing) > 0 {
            let head = paths(self.count(State::Failing), "is broken", "are broken");
            return (format!("{head}{}", self.worst(Verdict::Fail, seats, now)), "broken");
        }
        if self.count(State::Unknown) > 0 {
            let head = paths(self.count(State::Unknown), "could not be judged", "could not be judged");
            return (format!("{head}{}", self.worst(Verdict::Unknown, seats, now)), "unknown");
        }
        if self.count(State::Overdue) > 0 {
            let head = paths(self.count(State::Overdue), "is overdue", "are overdue");
            return (format!("{head}: no result came when it was due, so nobody knows whether it works"), "unknown");
        }
        let (ok, never, resting) = (self.count(State::Ok), self.count(State::Never), self.count(State::Resting));
        let rest = match resting {
            0 => String::new(),
            n => format!("; {n} paused"),
        };
        match (ok, never) {
            (0, 0) => (format!("All {} reply paths are paused", self.total), "unknown"),
            (0, _) => (format!("No reply path has been tried yet{rest}"), "unknown"),
            (_, 0) => {
                let head = if resting == 0 && self.total > 1 {
                    format!("All {} reply paths work", self.total)
                } else {
                    paths(ok, "works", "work")
                };
                (format!("{head}{rest}{}", newest(seats, now)), "ok")
            }
            _ => (format!("{}, {never} not tried yet{rest}", paths(ok, "works", "work")), "unknown"),
        }
    }

    /// The worst incident of that kind in a sentence, and how many there are beside it.
    fn worst(&self, verdict: Verdict, seats: &Seats, now: Timestamp) -> String {
        let mut of_kind = self.incidents.iter().filter(|i| i.verdict == verdict);
        let Some(worst) = of_kind.next() else { return first_of(seats, verdict) };
        let more = match of_kind.count() {
            0 => String::new(),
            1 => "; and one more incident".to_owned(),
            n => format!("; and {n} more incidents"),
        };
        format!(": {}{more}", worst.sentence(now))
    }
}

/// A probe whose last run ended so, while the history that tells of incidents is still being read.
fn first_of(seats: &Seats, verdict: Verdict) -> String {
    let mut last = seats.values().filter(|s| !s.due.resting).filter_map(|s| Some((&s.probe.name, &s.last.as_ref()?.run)));
    let found = last.find(|(_, run)| run.verdict == Some(verdict));
    let told = |(name, run): (&String, &super::brief::Brief)| match run.stage {
        Some(stage) => format!(": {name} at {stage}"),
        None => format!(": {name}"),
    };
    found.map(told).unwrap_or_default()
}

/// The incidents that last. A probe that rests is told by its own row.
pub fn lasting(seats: &Seats) -> Vec<Incident> {
    let judged = seats.values().flat_map(|seat| seat.judged());
    let mut incidents = incident::incidents(seats.values().map(|s| &*s.probe), judged);
    incidents.retain(|i| i.is_open() && i.probes.iter().any(|p| p.until.is_none() && awake(seats, &p.probe)));
    incidents
}

fn awake(seats: &Seats, probe: &str) -> bool {
    seats.get(probe).is_some_and(|seat: &std::sync::Arc<Seat>| !seat.due.resting)
}

fn newest(seats: &Seats, now: Timestamp) -> String {
    let ends = seats.values().filter_map(|s| s.last.as_ref().and_then(|l| l.run.finished));
    ends.max().map(|at| format!("; the last run ended {} ago", ago(at, now))).unwrap_or_default()
}
