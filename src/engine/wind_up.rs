//! The user asked to stop: what is on its way is caught, nothing new begins, then the run cleans up.

use super::journey::{Journey, Walk};
use crate::clock::after;
use crate::model::{ActKind, ActState, BounceAction, CleanUp, Outcome, Phase, SeenMail, Stage, View};
use jiff::Timestamp;
use std::time::Duration;

/// How long a stopped run waits for what it sent: long enough for a healthy desk, short enough for whoever waits.
const IN_FLIGHT: Duration = Duration::from_secs(15);

/// The name of the looks for a ticket that nobody waited for.
const CATCH: &str = "catch";

impl Journey<'_> {
    /// Awaits tickets and mail that are on their way, then ends what is open and goes on to clean-up. A ticket that
    /// opens, or a mail that comes, after clean-up would be left behind.
    pub(super) async fn wind_up(&mut self) -> Walk<Option<Timestamp>> {
        let mut next = Vec::new();
        next.extend(self.follow_chat().await?);
        self.judge_mails();
        self.judge_lines(None).await;
        if self.in_flight(Stage::Land) {
            next.extend(self.land().await?);
        }
        for stage in [Stage::Acknowledge, Stage::Return] {
            if self.in_flight(stage) {
                next.extend(self.await_word(stage).await?);
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
    pub(super) fn is_sent(&self) -> bool {
        self.act(ActKind::Send, "").is_some_and(|state| !matches!(state, ActState::Failed(_)))
    }

    /// Looks for the ticket of a run that sent its message and never judged whether it landed (stopped, `until`, desk out
    /// of reach), so that clean-up can close it. Gives the time of the next look; what is not found is told to sweep.
    pub(super) async fn catch_ticket(&mut self) -> Walk<Option<Timestamp>> {
        let judged = matches!(self.outcome(Stage::Land), Some(Outcome::Pass | Outcome::Fail));
        let given_up = |m: &SeenMail| m.mail.bounce.as_ref().is_some_and(|b| b.action == BounceAction::Failed);
        let bounced = self.run.mails.iter().any(given_up);
        if judged || bounced || !self.is_sent() || !self.run.tickets.is_empty() || self.run.probe.clean_up == CleanUp::Keep {
            return Ok(None);
        }
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return Ok(None) };
        if !self.poll_due(CATCH) {
            return Ok(Some(self.poll_next(CATCH)));
        }
        let sent = self.run.acts.iter().find(|a| a.kind == ActKind::Send).and_then(|a| a.result).unwrap_or(self.run.started);
        let last_look = self.now() >= after(sent, IN_FLIGHT);
        let why = match desk.find(&self.needle(&token), View::Normal).await {
            Ok(found) if !found.is_empty() => {
                self.remember_tickets(&found);
                self.run.ticket = found.last().map(|f| f.reference.clone());
                return Ok(None);
            }
            Ok(_) => "the message was sent and no ticket was seen so far".to_owned(),
            Err(trouble) => format!("the message was sent and the desk could not be asked for its ticket: {}", trouble.message),
        };
        if last_look {
            self.left_over("a ticket", &format!("{why}; `replypath sweep` looks again"));
            return Ok(None);
        }
        self.poll_after(CATCH, true, Duration::from_millis(500));
        Ok(Some(self.poll_next(CATCH)))
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
