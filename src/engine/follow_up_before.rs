//! What is done to the ticket before the customer answers: it is moved or closed, to see that the answer finds it.

use super::journey::{Journey, Walk};
use super::land::in_words;
use super::ports::{Acted, Desk};
use crate::model::{ActKind, ActState, Outcome, Stage};
use jiff::Timestamp;

impl Journey<'_> {
    /// Moves, then closes the ticket, each once and as the probe says. Some: not done yet, or the stage is decided.
    pub(super) async fn before_follow_up(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let follow_up = &self.run.probe.follow_up;
        let wanted = [(ActKind::MoveFirst, follow_up.after_move.is_some()), (ActKind::CloseFirst, follow_up.after_close)];
        for (kind, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            if self.act(kind, "").is_none()
                && let Some(next) = self.change_first(desk, kind).await?
            {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    async fn change_first(&mut self, desk: &dyn Desk, kind: ActKind) -> Walk<Option<Timestamp>> {
        let Some(reference) = self.run.ticket.clone() else { return Ok(None) };
        let queue = self.run.probe.follow_up.after_move.clone().unwrap_or_default();
        let (check, expected) = match kind {
            ActKind::MoveFirst => ("moved first", format!("the ticket can be moved to {queue}")),
            _ => ("closed first", "the ticket can be closed".to_owned()),
        };
        let ticket = match self.guarded_ticket(desk, &reference).await {
            Ok(ticket) => ticket,
            Err(unread) => {
                self.poll_again("follow_up", Stage::FollowUp, false, None);
                if self.now() >= self.deadline(Stage::FollowUp) {
                    self.check(Stage::FollowUp, check, Outcome::Unknown, expected, unread.why.clone());
                    self.unknown(Stage::FollowUp, unread.kept_back());
                }
                return Ok(Some(self.poll_next("follow_up")));
            }
        };
        self.begin_act(kind, "").await?;
        let answer = match kind {
            ActKind::MoveFirst => desk.move_to(&ticket, &queue).await,
            _ => desk.close(&ticket).await,
        };
        let Err(acted) = answer else {
            self.finish_act(kind, "", ActState::Done).await?;
            return Ok(None);
        };
        let state = if matches!(acted, Acted::Uncertain(_)) { ActState::Uncertain } else { ActState::Failed(acted.to_string()) };
        self.finish_act(kind, "", state).await?;
        self.check(Stage::FollowUp, check, Outcome::Unknown, expected, in_words(acted.trouble()));
        self.unknown(Stage::FollowUp, acted.trouble().fault);
        Ok(Some(self.now()))
    }
}
