//! One advance of one run: look at what is due, act, decide, store, give back.

use super::Parts;
use super::journey::{Journey, Walk};
use super::ports::{Claimed, RunEvent, StoreError};
use crate::clock::after;
use crate::model::{ActKind, ActState, Outcome, Phase, Stage};
use jiff::Timestamp;

/// Moves a claimed run on as far as it goes now, and stores it.
pub(super) async fn advance(parts: &Parts, claimed: Claimed) {
    let id = claimed.run.id.clone();
    let mut journey = Journey::new(parts, claimed);
    match journey.walk().await {
        Ok(()) => {}
        Err(StoreError::Conflict(_)) => tracing::debug!(run = %id, "the run was moved on elsewhere"),
        Err(error) => tracing::error!(run = %id, %error, "the run could not be stored; it goes on from its last stored step"),
    }
}

impl Journey<'_> {
    async fn walk(&mut self) -> Walk<()> {
        self.judge_canaries();
        let due = loop {
            let phase = self.run.phase;
            let due = match phase {
                Phase::Active => self.travel().await?,
                Phase::Inquiring => self.inquire().await?,
                Phase::Settling => self.settle().await?,
                Phase::CleaningUp => self.clean_up().await?,
                Phase::Finished => self.after_verdict().await?,
            };
            // A phase that may begin at once needs no commit of its own: what must not be lost is stored by its acts.
            let at_once = self.run.phase != phase && !self.finished_now && due.is_some_and(|d| d <= self.now());
            if !at_once {
                break due;
            }
        };
        if self.finished_now {
            self.remove_canary_mails().await;
        }
        self.commit(due, false, false).await?;
        if self.finished_now {
            self.parts.tell(RunEvent::Finished(Box::new(self.run.clone())));
            self.wake_parent().await?;
        }
        Ok(())
    }

    /// One round over the stages that are open. Gives the time of the next round.
    async fn travel(&mut self) -> Walk<Option<Timestamp>> {
        if self.run.interrupted {
            return self.wind_up().await;
        }
        let mut next = Vec::new();
        next.extend(self.send().await?);
        next.extend(self.follow_chat().await?);
        self.judge_mails();
        self.judge_lines(None).await;
        next.extend(self.land().await?);
        next.extend(self.judge_ticket().await?);
        next.extend(self.mark().await?);
        next.extend(self.canaries().await?);
        next.extend(self.reply().await?);
        next.extend(self.look_back().await?);
        next.extend(self.await_word(Stage::Acknowledge).await?);
        next.extend(self.await_word(Stage::Return).await?);
        next.extend(self.follow_up().await?);
        self.stranger_looks().await;
        self.judge_accept();
        self.end_unreachable();
        next.extend(self.is_open(Stage::Accept).then(|| self.deadline(Stage::Accept)).filter(|d| *d > self.now()));
        if next.is_empty() && !Stage::ALL.into_iter().any(|s| self.is_open(s)) {
            // Nothing is awaited, so nothing that has not begun can begin any more.
            let rest: Vec<Stage> = Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp).collect();
            self.not_reached_all(&rest);
        }
        if self.all_decided() {
            self.run.phase = Phase::Inquiring;
            self.watch_mailbox(false);
            return Ok(Some(self.now()));
        }
        next.extend(self.watch_mailbox(true));
        Ok(Some(next.into_iter().min().unwrap_or_else(|| after(self.now(), std::time::Duration::from_secs(30)))))
    }

    /// Asks what separates the look-alikes of what failed, then waits for duplicates.
    async fn inquire(&mut self) -> Walk<Option<Timestamp>> {
        if let Some(next) = self.inquiry().await?.filter(|_| !self.run.interrupted) {
            return Ok(Some(next));
        }
        self.run.phase = Phase::Settling;
        let passed = self.run.stages.values().any(|r| r.outcome == Some(Outcome::Pass));
        let quiet = if passed { self.run.probe.settle } else { std::time::Duration::ZERO };
        self.run.settle_until = Some(after(self.now(), quiet));
        self.watch_mailbox(false);
        Ok(self.run.settle_until)
    }

    /// Accept is seen through what follows it: a ticket or any mail of the desk. With no sign either way it stays
    /// unknown once landing is decided, so that a loss stands at `land`.
    pub(super) fn judge_accept(&mut self) {
        if !self.is_open(Stage::Accept) {
            return;
        }
        if let Some((check, expected)) = self.unseen_acceptance() {
            self.check(Stage::Accept, check, Outcome::Unknown, expected, "nobody saw it: the answer to the act is not known");
            self.unknown(Stage::Accept, "act-uncertain");
            return;
        }
        let landed = self.outcome(Stage::Land) == Some(Outcome::Pass) || !self.run.tickets.is_empty();
        let answered = self.run.mails.iter().any(|m| m.role.is_from_desk()) || self.outcome(Stage::Return) == Some(Outcome::Pass);
        let deferred = self.deferral().filter(|_| self.now() >= self.deadline(Stage::Accept));
        if let Some(words) = deferred.filter(|_| landed || answered || self.others_decided()) {
            let expected = format!("taken over within {:?}", self.run.probe.limit(Stage::Accept));
            self.check(Stage::Accept, "taken over", Outcome::Fail, expected, format!("put off: {words}"));
            self.fail(Stage::Accept, &["mx-greylists"]);
        } else if landed || answered {
            self.close(Stage::Accept, Outcome::Pass);
        } else if self.others_decided() || (!self.takes(Stage::Land) && self.now() >= self.deadline(Stage::Accept)) {
            self.check(Stage::Accept, "taken over", Outcome::Unknown, "a ticket, an acknowledgement or a bounce", "no sign either way");
            self.close(Stage::Accept, Outcome::Unknown);
        }
    }

    fn others_decided(&self) -> bool {
        let waits = [Stage::Land, Stage::Acknowledge, Stage::Return];
        self.outcome(Stage::Send).is_some() && waits.into_iter().all(|s| !self.takes(s) || self.outcome(s).is_some())
    }

    /// A first message of which nobody knows whether it left, and whose effect can no longer be looked for.
    fn end_doubt(&mut self) {
        let waits = [Stage::Accept, Stage::Land, Stage::Acknowledge, Stage::Return];
        let over = |s: &Stage| !self.takes(*s) || self.outcome(*s).is_some() || !self.is_open(*s);
        if self.send_is_uncertain() && self.outcome(Stage::Send).is_none() && waits.iter().all(over) {
            let found = "nobody knows whether it left; it was not sent again";
            self.check(Stage::Send, "handed in", Outcome::Unknown, "the first message is taken", found);
            self.unknown(Stage::Send, "act-uncertain");
        }
    }

    /// Ends stages whose condition can no longer come true.
    fn end_unreachable(&mut self) {
        self.end_doubt();
        let sent = self.outcome(Stage::Send);
        if sent == Some(Outcome::Fail) || sent == Some(Outcome::Unknown) && !self.send_is_uncertain() {
            self.not_reached_all(&[Stage::Accept, Stage::Land, Stage::Acknowledge]);
        }
        let never_left = matches!(self.act(ActKind::Send, ""), Some(ActState::Failed(_))) && self.outcome(Stage::Send).is_some();
        if self.outcome(Stage::Accept) == Some(Outcome::Fail) || never_left {
            self.not_reached_all(&[Stage::Land, Stage::Acknowledge]);
        }
        let landed = match self.outcome(Stage::Land) {
            Some(outcome) => outcome == Outcome::Pass || self.landed_with_duplicates(),
            None => self.takes(Stage::Land) || self.run.probe.desk.is_none(),
        };
        if !landed {
            self.not_reached_all(&[Stage::Queue, Stage::Format, Stage::Reply]);
        }
        if self.takes(Stage::Reply) && matches!(self.outcome(Stage::Reply), Some(Outcome::Fail | Outcome::Unknown | Outcome::NotReached)) {
            // An internal note is never sent, an answer that was not written cannot come; one on its way may.
            if !self.answer_may_come() {
                self.not_reached_all(&[Stage::Return]);
            }
        }
        if !self.follow_up_possible() {
            self.not_reached_all(&[Stage::FollowUp]);
        }
    }

    fn not_reached_all(&mut self, stages: &[Stage]) {
        for stage in stages {
            self.not_reached(*stage);
        }
    }

    fn all_decided(&self) -> bool {
        Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp && self.takes(*s)).all(|s| self.outcome(s).is_some())
    }
}
