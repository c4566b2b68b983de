//! The user asked to stop: what is on its way is caught, nothing new begins, then the run cleans up.

use super::journey::{Journey, Walk};
use super::ports::FoundTicket;
use crate::clock::after;
use crate::model::{ActKind, ActState, CleanUp, Phase, Stage, View};
use jiff::Timestamp;
use std::time::Duration;

/// How long a stopped run waits for what it sent: long enough for a healthy desk, short enough for whoever waits.
const IN_FLIGHT: Duration = Duration::from_secs(15);

impl Journey<'_> {
    /// Awaits tickets and mail that are on their way, then ends what is open and goes on to clean-up. A ticket that
    /// opens, or a mail that comes, after clean-up would be left behind.
    pub(super) async fn wind_up(&mut self) -> Walk<Option<Timestamp>> {
        let mut next = Vec::new();
        self.judge_mails();
        if self.in_flight(Stage::Land) {
            next.extend(self.land().await?);
        }
        for stage in [Stage::Acknowledge, Stage::Return] {
            if self.in_flight(stage) {
                next.extend(self.await_mail(stage).await?);
            }
        }
        if self.in_flight(Stage::FollowUp) && self.act(ActKind::FollowUp, "").is_some_and(|s| !matches!(s, ActState::Failed(_))) {
            next.extend(self.follow_up().await?);
        }
        let awaited = [Stage::Land, Stage::Acknowledge, Stage::Return, Stage::FollowUp];
        let until = awaited.into_iter().filter(|s| self.in_flight(*s)).filter_map(|s| self.flight_ends(s)).min();
        if let (Some(at), Some(until)) = (next.into_iter().min(), until) {
            self.watch_mailbox(true);
            return Ok(Some(at.min(until)));
        }
        self.find_ticket_at_last().await;
        self.judge_accept();
        self.stop_short()
    }

    fn in_flight(&self, stage: Stage) -> bool {
        self.is_open(stage) && self.is_sent() && self.flight_ends(stage).is_some_and(|end| self.now() < end)
    }

    fn flight_ends(&self, stage: Stage) -> Option<Timestamp> {
        Some(after(self.run.stages.get(&stage)?.opened?, IN_FLIGHT))
    }

    /// True when the first message may be on its way, as far as anybody knows.
    fn is_sent(&self) -> bool {
        self.act(ActKind::Send, "").is_some_and(|state| !matches!(state, ActState::Failed(_)))
    }

    /// One more look at the desk for a run whose ticket nobody has seen; without one, sweep is told of it.
    async fn find_ticket_at_last(&mut self) {
        if !self.is_sent()
            || !self.run.tickets.is_empty()
            || self.run.probe.clean_up == CleanUp::Keep
            || self.outcome(Stage::Land).is_some()
        {
            return;
        }
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return };
        let found: Vec<FoundTicket> = desk.find(&self.needle(&token), View::Normal).await.unwrap_or_default();
        self.remember_tickets(&found);
        self.run.ticket = found.last().map(|f| f.reference.clone());
        if found.is_empty() {
            self.left_over(
                "a ticket",
                "the message was sent and no ticket was seen before the run was stopped; `replypath sweep` looks again",
            );
        }
    }

    /// What is open ends as unknown, what has not begun as not reached, and clean-up begins.
    fn stop_short(&mut self) -> Walk<Option<Timestamp>> {
        for stage in Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp) {
            if self.is_open(stage) {
                self.unknown(stage, "interrupted");
            } else {
                self.not_reached(stage);
            }
        }
        self.run.phase = Phase::CleaningUp;
        Ok(Some(self.now()))
    }
}
