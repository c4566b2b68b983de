//! What a probe's row says in one word, and which rows come first.

use super::board::Seat;
use super::brief::verdict_word;
use crate::model::Verdict;
use crate::report::look;
use jiff::Timestamp;

/// How a probe stands, the worst first. Absence of a fresh result is never "ok".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The last judging run failed.
    Failing,
    /// The last run could not tell.
    Unknown,
    /// A result is overdue: what was seen last is no longer known to hold.
    Overdue,
    /// No run has ended yet.
    Never,
    /// Paused or in maintenance.
    Resting,
    /// The last run passed.
    Ok,
}

impl State {
    /// Every state, the worst first.
    pub const ALL: [State; 6] = [State::Failing, State::Unknown, State::Overdue, State::Never, State::Resting, State::Ok];

    /// How the probe stands at that moment.
    pub fn of(seat: &Seat, now: Timestamp) -> State {
        let verdict = seat.last.as_ref().and_then(|l| l.run.verdict);
        let overdue = seat.due.expected.is_some_and(|at| at < now);
        match verdict {
            _ if seat.due.resting => State::Resting,
            Some(Verdict::Fail) => State::Failing,
            Some(Verdict::Unknown) => State::Unknown,
            _ if overdue => State::Overdue,
            Some(Verdict::Pass) => State::Ok,
            None => State::Never,
        }
    }

    /// The word in grids, badges and the API.
    pub fn word(self) -> &'static str {
        match self {
            State::Failing => "broken",
            State::Unknown => "unknown",
            State::Overdue => "overdue",
            State::Never => "never ran",
            State::Resting => "paused",
            State::Ok => "ok",
        }
    }

    /// The word as the API and style sheets spell it.
    pub fn id(self) -> &'static str {
        match self {
            State::Never => "never",
            other => other.word(),
        }
    }

    /// The sign beside the word: a state must be told without colours too.
    pub fn sign(self) -> &'static str {
        match self {
            State::Failing => "✕",
            State::Unknown => "?",
            State::Overdue => "!",
            State::Never => "○",
            State::Resting => "Ⅱ",
            State::Ok => "✓",
        }
    }
}

/// What stands beside the word: at which stage, since when, and what was known before.
pub fn detail(seat: &Seat, state: State, now: Timestamp) -> String {
    let last = seat.last.as_ref().map(|l| &l.run);
    let stage = last.and_then(|r| r.stage).map(|s| format!("at {s}")).unwrap_or_default();
    match state {
        State::Failing => {
            let times = match seat.failures {
                0 | 1 => "once".to_owned(),
                n => format!("{n} runs in a row"),
            };
            join(&[&stage, &times])
        }
        State::Unknown => {
            let since = seat.unknown_since.map(|at| format!("for {}", ago(at, now))).unwrap_or_default();
            let before = seat.last_judged.as_ref().map(|b| format!("before that {}", verdict_word(b.verdict)));
            join(&[&stage, &since, before.as_deref().unwrap_or("never judged")])
        }
        State::Overdue => {
            let since = seat.due.expected.map(|at| format!("due {} ago", ago(at, now))).unwrap_or_default();
            let before = last.map(|r| format!("before that {}", verdict_word(r.verdict)));
            join(&[&since, before.as_deref().unwrap_or("never ran")])
        }
        State::Never => match seat.due.next {
            Some(at) if at > now => format!("first run in {}", ago(now, at)),
            Some(_) => "first run is due".to_owned(),
            None => "on demand".to_owned(),
        },
        State::Resting => last.map_or_else(|| "never ran".to_owned(), |r| format!("before that {}", r.words())),
        State::Ok => last.map(|r| format!("{} ago", ago(r.at(), now))).unwrap_or_default(),
    }
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(", ")
}

/// The time from one moment to a later one: `12s`, `3m05`, `2h10m`.
pub fn ago(from: Timestamp, to: Timestamp) -> String {
    let seconds = super::brief::seconds(from, to).max(1.0).round();
    if seconds < 60.0 { format!("{seconds:.0}s") } else { look::duration(seconds) }
}
