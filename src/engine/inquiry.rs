//! What is asked from outside once a run's own stages are decided: it separates the look-alikes of what failed.

use super::journey::{Journey, Walk};
use crate::clock::after;
use crate::model::{Looked, Observation, Outcome, ResultClass, Source, Stage, View};
use jiff::Timestamp;
use std::time::Duration;

/// The looks for a ticket that comes after its limit.
const LATE: &str = "late";
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

impl Journey<'_> {
    /// Looks into the intake mailbox, for a late ticket, and asks the controls. Gives the time of the next look; none when
    /// nothing more can be learnt.
    pub(super) async fn inquiry(&mut self) -> Walk<Option<Timestamp>> {
        self.look_into_intake().await;
        let late = self.look_for_late_ticket().await;
        let controls = self.controls().await?;
        Ok(controls.into_iter().chain(late).min())
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
    async fn look_for_late_ticket(&mut self) -> Option<Timestamp> {
        let mailed = matches!(self.run.probe.channel, crate::model::Channel::Email(_));
        if !mailed || !self.is_lost() || self.run.context.landed_late.is_some() {
            return None;
        }
        let (desk, token) = (self.desk()?, self.token(Stage::Send)?);
        if !self.poll_due(LATE) {
            return Some(self.poll_next(LATE));
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
            return None;
        }
        self.poll_after(LATE, true, PAUSE);
        (self.now() < until).then(|| self.poll_next(LATE))
    }
}
