//! What is asked from outside once a run's own stages are decided: it separates the look-alikes of what failed.

use super::journey::{Journey, Walk};
use super::ports::Desk;
use crate::clock::after;
use crate::model::{Looked, Observation, Outcome, ResultClass, Source, Stage, Token, View};
use jiff::Timestamp;
use std::time::Duration;

/// The looks for a ticket that comes after its limit.
const LATE: &str = "late";
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

impl Journey<'_> {
    /// Looks into the intake mailbox, for a late ticket, asks the controls, and looks at exchangers. Gives the time of the next look; none when
    /// nothing more can be learnt.
    pub(super) async fn inquiry(&mut self) -> Walk<Option<Timestamp>> {
        self.look_into_intake().await;
        let late = self.look_for_late_ticket().await?;
        let controls = self.controls().await?;
        let next = controls.into_iter().chain(late).min();
        if next.is_none() {
            // Last: no control can tell anything about certificates, and what began together has had the same time.
            self.look_at_exchangers().await;
            if self.run.stages.values().any(|r| r.outcome == Some(Outcome::Fail)) {
                self.look_at_neighbours().await?;
            }
        }
        Ok(next)
    }

    /// Nothing landed by mail, and nobody knows where it is.
    fn is_lost(&self) -> bool {
        self.outcome(Stage::Land) == Some(Outcome::Fail) && self.run.tickets.is_empty()
    }

    async fn look_into_intake(&mut self) {
        let Some(intake) = self.run.probe.intake.clone().filter(|_| self.is_lost() && self.run.context.intake.is_none()) else { return };
        let Some(token) = self.token(Stage::Send) else { return };
        let message_id = self.run.messages.first().and_then(|m| m.message_id.clone());
        let since = self.run.started - jiff::SignedDuration::from_mins(10);
        let sight = self.parts.intakes.look(&intake, message_id.as_deref(), &token, since, self.now()).await;
        let (looked, class) = match (&sight.place, &sight.trouble) {
            (Some(crate::model::IntakePlace::Nowhere), _) => (Looked::Empty, ResultClass::Empty),
            (Some(_), _) => (Looked::Found, ResultClass::Ok),
            (None, _) => (Looked::CouldNotLook, ResultClass::Unavailable),
        };
        let place = format!("intake mailbox {intake}");
        let mut seen = Observation::new(self.now(), Some(Stage::Land), Source::Mailbox, place, token.as_str(), looked)
            .class(class)
            .fact("place", serde_json::to_value(sight.place).unwrap_or_default())
            .fact("folder", sight.folder.clone())
            .fact("unread_before", sight.unread_before);
        if let Some(trouble) = &sight.trouble {
            seen = seen.fact("trouble", trouble.clone());
        }
        self.observe(seen);
        self.run.context.intake = Some(sight);
    }

    /// A ticket that comes after its limit tells delay from loss. Looked for while that can change the answer: half of the
    /// limit, or as long as controls run.
    async fn look_for_late_ticket(&mut self) -> Walk<Option<Timestamp>> {
        let mailed = matches!(self.run.probe.channel, crate::model::Channel::Email(_));
        if !mailed || !self.is_lost() || self.run.context.landed_late.is_some() {
            return Ok(None);
        }
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return Ok(None) };
        if !self.poll_due(LATE) {
            return Ok(Some(self.poll_next(LATE)));
        }
        let until = after(self.deadline(Stage::Land), self.run.probe.limit(Stage::Land) / 2);
        if let Ok(found) = desk.find(&self.needle(&token), View::Normal).await
            && let Some(first) = found.first()
        {
            let now = self.now();
            self.run.ticket = Some(first.reference.clone());
            self.remember_tickets(&found);
            self.run.context.landed_late = Some(now);
            let number = first.reference.number.clone();
            self.observe(
                Observation::new(now, Some(Stage::Land), Source::Desk, "view normal", token.as_str(), Looked::Found)
                    .class(ResultClass::Ok)
                    .fact("tickets", number.clone())
                    .fact("late", true),
            );
            self.note(format!("ticket {number} came after its limit"));
            self.delayed_before_the_desk();
            self.take_in_visits(now).await?;
            return Ok(None);
        }
        self.poll_after(LATE, true, PAUSE);
        if self.now() < until {
            return Ok(Some(self.poll_next(LATE)));
        }
        self.look_for_late_held(&*desk, &token).await;
        Ok(None)
    }

    /// What came late and is held back where no agent looks is cleaned up too; where it lies is told.
    async fn look_for_late_held(&mut self, desk: &dyn Desk, token: &Token) {
        for view in desk.views().to_vec().into_iter().filter(|v| *v != View::Normal) {
            let Ok(found) = desk.find(&self.needle(token), view).await else { continue };
            let Some(first) = found.first() else { continue };
            self.note(format!("ticket {} came after its limit and lies in {}", first.reference.number, view.as_str()));
            self.remember_tickets(&found);
        }
    }

    /// What was in no folder of the desk's mailbox when its time was over, and came later, was kept waiting by the mail
    /// exchange.
    fn delayed_before_the_desk(&mut self) {
        let nowhere = self.run.context.intake.as_ref().is_some_and(|sight| sight.place == Some(crate::model::IntakePlace::Nowhere));
        if nowhere && self.takes(Stage::Accept) {
            let expected = format!("in the desk's mailbox within {:?}", self.run.probe.limit(Stage::Land));
            self.check(Stage::Accept, "taken over", Outcome::Fail, expected, "in none of its folders then; it came later");
            self.fail_first(Stage::Accept, "mx-greylists");
        }
    }
}
