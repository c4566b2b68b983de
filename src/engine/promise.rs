//! Time as people keep it: limits in business hours, and the promise that an acknowledgement makes.

use super::journey::Journey;
use crate::check::{self, Promise, hours};
use crate::clock::after;
use crate::model::{Looked, MailRole, Observation, Outcome, PROMISE_CHECK, ReceivedMail, ReplyMode, SeenMail, Stage};
use jiff::Timestamp;

/// The fact of an acknowledgement's observation that holds its promise.
const PROMISE: &str = "promise";

/// The observation of a mail with the promise that it makes, where it acknowledges.
pub(super) fn with_promise(seen: Observation, role: MailRole, mail: &ReceivedMail) -> Observation {
    let promise = (role == MailRole::Acknowledgement).then(|| check::promise(&mail.new_text)).flatten();
    match promise {
        Some(promise) => seen.fact(PROMISE, serde_json::to_value(promise).unwrap_or_default()),
        None => seen,
    }
}

impl Journey<'_> {
    /// When the limit of a stage that begins now ends. A person's answer is counted in business hours.
    pub(super) fn limit_ends(&self, stage: Stage, now: Timestamp) -> Timestamp {
        let limit = self.run.probe.limit(stage);
        let persons = self.run.probe.reply.mode == ReplyMode::Await && matches!(stage, Stage::Reply | Stage::Return);
        let calendar = self.run.probe.calendar.as_ref().filter(|_| persons);
        calendar.and_then(|calendar| hours::deadline(calendar, now, limit)).unwrap_or_else(|| after(now, limit))
    }

    /// Holds a person's answer against the promise of the acknowledgement.
    pub(super) fn check_promise(&mut self, answer: &SeenMail, hints: &mut Vec<&str>) {
        if self.run.probe.reply.mode != ReplyMode::Await {
            return;
        }
        let Some((promised, promise)) = self.promised() else { return };
        let expected = format!("“{}”, said at {promised:.0}", promise.quote);
        let Some(due) = promise.due(promised, self.run.probe.calendar.as_ref()) else {
            self.note(format!("{expected}: business time, which needs a `calendar` of the probe to be counted"));
            return;
        };
        // The mailbox's own time of arrival; a poll may see the mail later.
        let came = answer.mail.received.map_or(answer.seen, |received| received.min(answer.seen));
        let kept = came <= due;
        let outcome = if kept { Outcome::Pass } else { Outcome::Fail };
        self.check(Stage::Return, PROMISE_CHECK, outcome, format!("{expected}: until {due:.0}"), format!("answered at {came:.0}"));
        if !kept {
            hints.push("promise-broken");
        }
    }

    /// The promise of the first acknowledgement that makes one, and when it came.
    fn promised(&self) -> Option<(Timestamp, Promise)> {
        let seen = self.run.observations.iter().filter(|o| o.result == Looked::Found);
        seen.filter_map(|o| Some((o.at, serde_json::from_value(o.facts.get(PROMISE)?.clone()).ok()?))).next()
    }
}
