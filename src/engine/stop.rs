//! What a form or a chat that stopped short of its goal means for the run.

use super::journey::Journey;
use super::ways::{Customer, Seen, Stop};
use crate::model::{Looked, Observation, Outcome, ResultClass, Source, Stage};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// What cannot be reached at all, and what it is called once our own network is known to work.
const UNREACHABLE: [(&str, &str); 2] = [("form-page-unreachable", "form-does-not-load"), ("chat-unreachable", "chat-widget-down")];

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

    /// A place that does not answer is a fault of theirs only while our own network works: the mailbox is asked. An act
    /// whose answer was lost stays what it is: nobody knows.
    pub(super) async fn weigh(&mut self, mut stop: Stop) -> Stop {
        let first = stop.faults.first().copied().unwrap_or_default();
        let theirs = UNREACHABLE.iter().find(|(ours, _)| *ours == first).filter(|_| stop.no_effect);
        let Some((_, theirs)) = theirs else { return stop };
        let account = self.run.probe.account.clone();
        match self.parts.mailboxes.check_now(&account).await {
            Ok(()) => {
                stop.outcome = Outcome::Fail;
                stop.faults = vec![theirs];
                stop.found.push_str("; our own network works: the mailbox answers");
            }
            Err(trouble) => {
                self.trouble(Stage::Send, Source::Mailbox, "INBOX", "whether our own network works", &trouble);
                stop.found = format!("{}; the mailbox could not be reached either: {}", stop.found, trouble.message);
            }
        }
        stop
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
