//! What a form or a chat that stopped short of its goal means for the run.

use super::journey::{Journey, Walk};
use super::ways::{Customer, Seen, Stop};
use crate::diagnosis::catalogue;
use crate::model::{Blame, Looked, Observation, Outcome, ResultClass, Source, Stage};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

impl Journey<'_> {
    /// Who writes.
    pub(super) fn customer(&self) -> Customer {
        Customer { address: self.run.address.clone(), name: super::journey::name_of(&self.run).to_owned() }
    }

    /// Where the way in of this run is looked at, in evidence.
    pub(super) fn source(&self) -> Source {
        match self.run.probe.channel {
            crate::model::Channel::Chat(_) => Source::Chat,
            _ => Source::Page,
        }
    }

    /// Records what was seen on the way.
    pub(super) fn saw(&mut self, stage: Stage, place: &str, result: Looked, class: ResultClass, seen: &Seen) {
        let looked_for = self.token(Stage::Send).map(|t| t.0).unwrap_or_default();
        let mut observation = Observation::new(self.now(), Some(stage), self.source(), place, looked_for, result).class(class);
        observation.facts.extend(seen.facts.clone());
        if let Some(print) = &seen.print {
            observation = observation.fact("print", serde_json::to_value(print).unwrap_or_default());
        }
        if let Some(raw) = &seen.raw {
            observation = observation.raw(raw.clone());
        }
        self.observe(observation);
    }

    /// Records how a look or an act stopped.
    pub(super) fn saw_stop(&mut self, stage: Stage, place: &str, stop: &Stop) {
        let result = if stop.outcome == Outcome::Fail { Looked::Found } else { Looked::CouldNotLook };
        let mut seen = stop.seen.clone();
        seen.facts.insert("stopped".to_owned(), stop.found.clone().into());
        seen.facts.insert("fault".to_owned(), stop.faults.first().copied().unwrap_or_default().into());
        self.saw(stage, place, result, stop.class, &seen);
    }

    /// The time at which what stopped without an effect is tried again; none when that cannot help any more.
    pub(super) fn try_again(&mut self, name: &str, stage: Stage, stop: &Stop) -> Option<Timestamp> {
        if !stop.passing || !stop.no_effect || self.now() >= self.deadline(stage) {
            return None;
        }
        self.poll_again(name, stage, false, Some(stop.retry_after.unwrap_or(Duration::from_secs(1))));
        let next = self.poll_next(name);
        (next <= self.grace(stage)).then_some(next)
    }

    /// A place that does not answer is a fault of theirs only while our own network works: the mailbox is asked.
    pub(super) async fn weigh(&mut self, mut stop: Stop) -> Walk<Stop> {
        let theirs = |f: &&'static str| catalogue::fault(f).is_some_and(|f| matches!(f.blame, Blame::Desk | Blame::Channel));
        if stop.class != ResultClass::Unavailable || !stop.faults.first().is_some_and(|f| theirs(&f)) {
            return Ok(stop);
        }
        let account = self.run.probe.account.clone();
        match self.parts.mailboxes.check_now(&account).await {
            Ok(()) => stop.outcome = Outcome::Fail,
            Err(trouble) => {
                self.trouble(Stage::Send, Source::Mailbox, "INBOX", "whether our own network works", &trouble);
                stop.outcome = Outcome::Unknown;
                stop.found = format!("{}; our own mailbox could not be reached either: {}", stop.found, trouble.message);
                stop.faults = vec![trouble.fault];
            }
        }
        Ok(stop)
    }

    /// Decides a stage by what stopped it.
    pub(super) fn stopped(&mut self, stage: Stage, check: &str, expected: &str, stop: &Stop) {
        let found = match &stop.advice {
            Some(advice) => format!("{}; {advice}", stop.found),
            None => stop.found.clone(),
        };
        self.check(stage, check, stop.outcome, expected, found);
        if stop.outcome == Outcome::Fail {
            self.fail(stage, &stop.faults);
        } else if self.outcome(stage).is_none() {
            self.hint(stage, &stop.faults);
            self.close(stage, Outcome::Unknown);
        }
    }
}

/// A value with every text in it filled in.
pub(super) fn filled<T: Serialize + DeserializeOwned>(value: T, fill: &dyn Fn(&str) -> String) -> T {
    fn walk(value: &mut Value, fill: &dyn Fn(&str) -> String) {
        match value {
            Value::String(text) if text.contains("${") => *text = fill(text),
            Value::Array(items) => items.iter_mut().for_each(|v| walk(v, fill)),
            Value::Object(members) => members.values_mut().for_each(|v| walk(v, fill)),
            _ => {}
        }
    }
    let filled = serde_json::to_value(&value).ok().and_then(|mut json| {
        walk(&mut json, fill);
        serde_json::from_value(json).ok()
    });
    filled.unwrap_or(value)
}
