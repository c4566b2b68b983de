//! An incident in words: what is broken, where, since when, whose side.

use super::{End, Incident};
use crate::diagnosis::catalogue;
use crate::model::{Blame, Verdict};
use jiff::{Timestamp, tz::TimeZone};

impl Incident {
    /// One sentence, as of `now`: `billing by mail: the answer landed in the customer's spam folder, at return, since 14:02 UTC (12 min), last good 13:57`.
    /// Times are UTC; those of another day than `now` have their date.
    pub fn sentence(&self, now: Timestamp) -> String {
        let stage = self.stage.map_or(String::new(), |stage| format!(", at {stage}"));
        format!("{}: {}{stage}, {}", self.whom(), self.what(), self.when(now))
    }

    /// Whom it hits: `billing by mail`, `all 4 probes behind rt-email`, `3 of 7 probes behind rt-email`.
    pub fn whom(&self) -> String {
        let names: std::collections::BTreeSet<&str> = self.probes.iter().map(|p| p.probe.as_str()).collect();
        let way = if self.channel == "email" { "mail" } else { self.channel.as_str() };
        let hit = names.len();
        match names.first() {
            Some(probe) if hit == 1 => format!("{probe} by {way}"),
            _ if hit == self.behind => format!("all {hit} probes behind {}", self.gateway),
            // Closed incidents may have hit probes that are gone.
            _ if hit > self.behind => format!("{hit} probes behind {}", self.gateway),
            _ => format!("{hit} of {} probes behind {}", self.behind, self.gateway),
        }
    }

    /// What is wrong, beginning with a small letter, without a full stop.
    pub fn what(&self) -> String {
        let title = |id: &str| catalogue::fault(id).map_or(id.to_owned(), |f| small(&f.title));
        let fault = match (&self.fault, &self.candidates[..]) {
            (Some(fault), _) => title(fault),
            (None, [one]) => format!("probably {}", title(one)),
            (None, [one, two]) => format!("{}, or {}", title(one), title(two)),
            (None, [first, others @ ..]) => format!("{}, or one of {} other faults", title(first), others.len()),
            (None, []) => "no known fault explains it".to_owned(),
        };
        match self.verdict {
            Verdict::Unknown => format!("nobody can tell whether it works ({fault})"),
            _ => fault,
        }
    }

    /// Since when, or from when to when, and when it was last seen to work.
    pub fn when(&self, now: Timestamp) -> String {
        let good = self.last_good.map_or("never seen to work before".to_owned(), |at| format!("last good {}", clock(at, now)));
        match self.until {
            None => format!("since {} UTC ({}), {good}", clock(self.since, now), span(self.since, now)),
            Some(until) => {
                let ended = match self.end {
                    Some(End::Moved) => ", then broken at another stage",
                    Some(End::Told) => ", then seen to be broken",
                    Some(End::Removed) => ", then no longer watched",
                    Some(End::Passed) | None => "",
                };
                format!("from {} to {} UTC ({}){ended}, {good}", clock(self.since, now), clock(until, now), span(self.since, until))
            }
        }
    }

    /// Whose side, for the one who is called: is it the desk, the way there, the customer's provider, or the monitor?
    pub fn whose(&self) -> &'static str {
        match self.blame {
            Some(Blame::Desk) => "the desk or its settings",
            Some(Blame::Channel) => "the way between customer and desk",
            Some(Blame::Provider) => "the customer's mail provider",
            Some(Blame::Monitor) => "the monitor, not the desk",
            None => "not known",
        }
    }
}

/// A title inside a sentence: `The form …` begins small, `DKIM …` does not.
fn small(title: &str) -> String {
    let mut letters = title.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(title.chars().skip(1)).collect(),
        _ => title.to_owned(),
    }
}

/// A time of the day of `now`, with the date where it is another day.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
    let form = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.strftime(form).to_string()
}

/// How long, in the two greatest units: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second().saturating_sub(from.as_second()).max(0);
    let both = |large: i64, a: &str, small: i64, b: &str| match small {
        0 => format!("{large} {a}"),
        _ => format!("{large} {a} {small} {b}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => both(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => both(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}
