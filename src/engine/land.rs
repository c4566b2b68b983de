//! Landing: a ticket that carries our token exists in a view that agents use.

use super::journey::{Journey, Walk};
use super::ports::{FoundTicket, Needle, Trouble};
use crate::model::{ActKind, ActState, Looked, Observation, Outcome, ResultClass, Run, Source, Stage, TicketRef, Token, View};
use jiff::Timestamp;
use std::sync::Arc;

impl Journey<'_> {
    /// The desk of the run's probe.
    pub(super) fn desk(&self) -> Option<Arc<dyn super::ports::Desk>> {
        self.parts.desk(self.run.probe.desk.as_ref()?)
    }

    pub(super) fn needle(&self, token: &Token) -> Needle {
        // Desk and monitor need not agree on the time to the minute.
        needle(&self.run, token, self.run.started - jiff::SignedDuration::from_mins(10))
    }

    /// Asks the desk for the ticket. Gives the time of the next look while the stage is open.
    pub(super) async fn land(&mut self) -> Walk<Option<Timestamp>> {
        if !self.is_open(Stage::Land) {
            return Ok(None);
        }
        let Some(desk) = self.desk() else {
            self.unknown(Stage::Land, "desk-gone");
            self.check(Stage::Land, "desk", Outcome::Unknown, "the desk is configured", "it is in the configuration no longer");
            return Ok(None);
        };
        let deadline = self.deadline(Stage::Land);
        if !self.poll_due("land") {
            return Ok(Some(self.poll_next("land")));
        }
        let Some(token) = self.token(Stage::Send) else { return Ok(None) };
        let looked_at = self.now();
        let needle = self.needle(&token);
        let answer = desk.find(&needle, View::Normal).await;
        match answer {
            Ok(found) if !found.is_empty() => {
                self.landed(&found);
                return Ok(None);
            }
            Ok(_) => {
                self.looked(Stage::Land, View::Normal, &token, Looked::Empty);
                self.poll_again("land", Stage::Land, true, None);
                let last_look = looked_at >= deadline;
                // The bad places are asked less often: only once the good one has been empty for a while.
                let count = self.poll_count("land");
                if last_look || (count >= 4 && count.is_multiple_of(3)) {
                    if let Some(decided) = self.look_in_bad_views(&*desk, &needle).await {
                        return decided;
                    }
                    if last_look {
                        return self.lost_before_landing().await;
                    }
                }
            }
            Err(trouble) => {
                self.trouble(Stage::Land, Source::Desk, "view normal", token.as_str(), &trouble);
                self.poll_again("land", Stage::Land, false, trouble.retry_after);
                let twice = self.poll_count("land") >= 2;
                let hopeless =
                    twice && matches!(trouble.class, ResultClass::Unauthorised | ResultClass::Denied | ResultClass::BrokenContract);
                if hopeless || self.now() >= self.grace(Stage::Land) {
                    self.check(Stage::Land, "ticket", Outcome::Unknown, "the desk can be asked", trouble.message.clone());
                    self.unknown(Stage::Land, trouble.fault);
                    return Ok(None);
                }
            }
        }
        Ok(Some(self.poll_next("land")))
    }

    fn looked(&mut self, stage: Stage, view: View, token: &Token, result: Looked) {
        let class = if result == Looked::Empty { ResultClass::Empty } else { ResultClass::Ok };
        self.observe(
            Observation::new(self.now(), Some(stage), Source::Desk, format!("view {}", view.as_str()), token.as_str(), result).class(class),
        );
    }

    fn landed(&mut self, found: &[FoundTicket]) {
        let now = self.now();
        let token = self.token(Stage::Send).map(|t| t.0).unwrap_or_default();
        self.remember_tickets(found);
        self.run.ticket = found.last().map(|f| f.reference.clone());
        let numbers: Vec<&str> = found.iter().map(|f| f.reference.number.as_str()).collect();
        self.observe(
            Observation::new(now, Some(Stage::Land), Source::Desk, "view normal", token, Looked::Found)
                .class(ResultClass::Ok)
                .fact("tickets", numbers.join(", "))
                .fact("strategy", found.first().map(|f| f.strategy.clone()).unwrap_or_default()),
        );
        if let Some((missed, found)) = found.first().and_then(|f| Some((f.missed_by.clone()?, f.strategy.clone()))) {
            self.note(format!("the desk's `{missed}` did not know the ticket, its `{found}` did (mon-index-lag)"));
        }
        if let Some(page) = found.first().map(|f| f.page).filter(|page| *page > 1) {
            self.note(format!("the ticket stood on page {page} of the desk's list, and was found there (mon-first-page-only)"));
        }
        self.check(Stage::Land, "ticket", Outcome::Pass, "one ticket", format!("ticket {}", numbers.join(" and ")));
        self.close(Stage::Land, Outcome::Pass);
        self.count_tickets(found.len());
        self.found_sent();
        self.open(Stage::Queue);
        self.open(Stage::Format);
        if self.run.probe.reply.after == crate::model::AfterStage::Land {
            self.open(Stage::Reply);
        }
    }

    /// More than one ticket for one request is a fault of landing, whenever it is seen.
    pub(super) fn count_tickets(&mut self, count: usize) {
        if count > 1 && !self.run.probe.policy.duplicates_allowed {
            let numbers: Vec<String> = self.run.tickets.iter().map(|t| t.number.clone()).collect();
            self.check(
                Stage::Land,
                "one ticket",
                Outcome::Fail,
                "one ticket for one request",
                format!("tickets {}", numbers.join(" and ")),
            );
            self.fail(Stage::Land, &["double-fetch-duplicates"]);
        }
    }

    /// Adds tickets to those that carry a token of this run.
    pub(super) fn remember_tickets(&mut self, found: &[FoundTicket]) {
        for ticket in found {
            self.remember_ticket(&ticket.reference);
        }
    }

    /// Adds one ticket.
    pub(super) fn remember_ticket(&mut self, ticket: &TicketRef) {
        if !self.run.tickets.contains(ticket) {
            self.run.tickets.push(ticket.clone());
        }
    }

    async fn look_in_bad_views(&mut self, desk: &dyn super::ports::Desk, needle: &Needle) -> Option<Walk<Option<Timestamp>>> {
        for view in desk.views().to_vec().into_iter().filter(|v| *v != View::Normal) {
            match desk.find(needle, view).await {
                Ok(found) if found.is_empty() => self.looked(Stage::Land, view, &needle.token, Looked::Empty),
                Ok(found) => {
                    self.landed_wrong(view, &found);
                    return Some(Ok(Some(self.now())));
                }
                Err(trouble) => {
                    self.trouble(Stage::Land, Source::Desk, &format!("view {}", view.as_str()), needle.token.as_str(), &trouble)
                }
            }
        }
        None
    }

    fn landed_wrong(&mut self, view: View, found: &[FoundTicket]) {
        let now = self.now();
        self.remember_tickets(found);
        self.run.ticket = found.first().map(|f| f.reference.clone());
        let cause = found.iter().find_map(|f| f.hold_cause.clone());
        let number = found.first().map(|f| f.reference.number.clone()).unwrap_or_default();
        self.observe(
            Observation::new(
                now,
                Some(Stage::Land),
                Source::Desk,
                format!("view {}", view.as_str()),
                self.token(Stage::Send).map(|t| t.0).unwrap_or_default(),
                Looked::Found,
            )
            .class(ResultClass::Ok)
            .fact("tickets", number.clone())
            .fact("hold_cause", cause.clone().unwrap_or_default()),
        );
        let words = cause.as_ref().map_or_else(String::new, |c| format!(": {c}"));
        self.check(
            Stage::Land,
            "ticket",
            Outcome::Fail,
            "a ticket in a view that agents use",
            format!("ticket {number} lies in {}{words}", view.as_str()),
        );
        self.found_sent();
        self.close(Stage::Accept, Outcome::Pass);
        let hint = hold_fault(view, cause.as_deref().unwrap_or(""));
        if hint.starts_with("mon-") {
            self.unknown(Stage::Land, hint);
        } else {
            self.fail(Stage::Land, &[hint]);
        }
    }

    /// Nothing in any view after the deadline: look for a bounce and for our mail anywhere in the mailbox, then decide.
    async fn lost_before_landing(&mut self) -> Walk<Option<Timestamp>> {
        match self.last_look_at_mailbox(Stage::Land).await? {
            LastLook::Again(at) => return Ok(Some(at)),
            LastLook::Trouble(trouble) => {
                // The desk was asked properly and has nothing; a bounce could not be looked for, so the cause stays open.
                self.note(format!("the mailbox could not be searched for a bounce: {}", trouble.message));
            }
            LastLook::Done => {}
        }
        self.judge_mails();
        if !self.is_open(Stage::Land) || self.outcome(Stage::Accept) == Some(Outcome::Fail) {
            return Ok(Some(self.now()));
        }
        if self.send_is_uncertain() {
            self.unknown(Stage::Send, "act-uncertain");
            self.not_reached(Stage::Land);
            return Ok(Some(self.now()));
        }
        let limit = self.run.probe.limit(Stage::Land);
        self.check(
            Stage::Land,
            "ticket",
            Outcome::Fail,
            format!("a ticket within {limit:?}"),
            format!("none; {} looks, every one answered with nothing", self.poll_count("land")),
        );
        let acknowledged = self.run.mails.iter().any(|m| m.role == crate::model::MailRole::Acknowledgement);
        let causes = if acknowledged { self.causes_though_acknowledged() } else { self.causes_of_silence() };
        self.fail(Stage::Land, &causes);
        Ok(Some(self.now()))
    }

    /// Puts the probe's mark on the ticket, once `format` is decided, if the probe asks for it.
    pub(super) async fn mark(&mut self) -> Walk<Option<Timestamp>> {
        let Some(tag) = self.run.probe.mark.clone() else { return Ok(None) };
        let decided = !self.takes(Stage::Format) || self.outcome(Stage::Format).is_some();
        if self.outcome(Stage::Land) != Some(Outcome::Pass) || !decided || self.act(ActKind::Mark, "").is_some() {
            return Ok(None);
        }
        let Some(desk) = self.desk() else { return Ok(None) };
        let Some(reference) = self.run.ticket.clone() else { return Ok(None) };
        match self.guarded_ticket(&*desk, &reference).await {
            Ok(ticket) => {
                self.begin_act(ActKind::Mark, "").await?;
                let state = match desk.mark(&ticket, &tag).await {
                    Ok(()) => ActState::Done,
                    Err(acted) => {
                        self.note(format!("the ticket could not be marked as a probe: {acted}"));
                        ActState::Failed(acted.to_string())
                    }
                };
                self.finish_act(ActKind::Mark, "", state).await?;
            }
            Err(unread) => self.note(format!("the ticket was not marked as a probe: {}", unread.why)),
        }
        Ok(None)
    }
}

/// What to look for at the desk.
pub(super) fn needle(run: &Run, token: &Token, since: Timestamp) -> Needle {
    Needle {
        token: token.clone(),
        subject: run.messages.first().map(|m| m.subject.clone()).unwrap_or_default(),
        address: run.address.clone(),
        since,
        conversation: run.chat.as_ref().and_then(|c| c.conversation.clone()),
        number: run.form.as_ref().and_then(|f| f.number.clone()),
    }
}

/// What the last look into the mailbox gave.
pub(super) enum LastLook {
    /// Come back then: what it found is on its way, or it is tried again.
    Again(Timestamp),
    /// Everything was looked at and taken in.
    Done,
    /// It could not be looked at, to the end.
    Trouble(Trouble),
}

/// What a place outside the agents' views and the desk's words on it say.
fn hold_fault(view: View, cause: &str) -> &'static str {
    let cause = cause.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| cause.contains(w));
    if says(&["loop", "too many", "rate", "limit", "flood"]) {
        "mon-desk-blocks-probe"
    } else if says(&["automat", "auto-", "bulk", "system-generated"]) {
        "mon-probe-looks-automated"
    } else if says(&["authentic", "dmarc", "spf", "dkim"]) {
        "dmarc-fail-suspended"
    } else if view == View::Deleted {
        "fetched-not-ticketed"
    } else {
        "desk-spam-view"
    }
}

/// A trouble in the words of a check.
pub(super) fn in_words(trouble: &Trouble) -> String {
    format!("{} ({})", trouble.message, trouble.class.as_str())
}
