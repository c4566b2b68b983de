//! The request through a web form: filled in, submitted once, thanked for. What follows comes by mail.

use super::journey::{Journey, Walk};
use super::judge::first_line;
use super::stop::filled;
use super::ways::{FormOrder, Seen, Stop, Thanks};
use crate::model::{ActKind, ActState, Channel, FormMemory, Looked, Outcome, ResultClass, Run, Stage, Verdict};
use jiff::Timestamp;

const PAGE: &str = "form";
const SUBMISSION: &str = "submission of the form";
const THANKED: &str = "the form takes the request and says thank you";

impl Journey<'_> {
    fn form_order(&self) -> Option<FormOrder> {
        let Channel::Form(form) = &self.run.probe.channel else { return None };
        let token = self.token(Stage::Send)?;
        let mut form = form.clone();
        let files = std::mem::take(&mut form.attachments);
        let (subject, text) = (self.fill(&form.subject, &token), self.fill(&form.text, &token));
        // The texts of the customer first: what they hold is no template.
        let fill = |t: &str| self.fill(t, &token).replace("${subject}", &subject).replace("${text}", &text);
        let mut form = filled(form, &fill);
        form.attachments = files;
        Some(FormOrder {
            run: self.run.id.clone(),
            probe: self.run.probe.name.clone(),
            desk: self.run.probe.desk.clone(),
            customer: self.customer(),
            form,
            token,
        })
    }

    /// Fills the form in, which is only a look, and submits it once.
    pub(super) async fn send_form(&mut self) -> Walk<Option<Timestamp>> {
        self.remember_form().await?;
        let Some(order) = self.form_order() else { return Ok(None) };
        let form = match self.parts.forms.fill_in(&order).await {
            Ok(form) => form,
            Err(stop) => return self.not_filled_in(stop).await,
        };
        let seen = form.seen().clone();
        self.compare_print(&seen);
        self.saw(Stage::Send, PAGE, Looked::Found, ResultClass::Ok, &seen);
        if let Some(wait) = self.take_budgets(Stage::Send).await? {
            return Ok(Some(wait));
        }
        if self.outcome(Stage::Send).is_some() {
            return Ok(None);
        }
        self.begin_act(ActKind::Send, "").await?;
        match form.submit().await {
            Ok(thanks) => self.thanked(&thanks).await,
            Err(stop) => self.not_thanked(stop).await,
        }
    }

    /// What the probe's last good run knew of the form.
    async fn remember_form(&mut self) -> Walk<()> {
        if self.run.form.is_none() {
            let last = self.remember_last_pass().await?;
            self.run.form = Some(FormMemory { before: last.as_ref().and_then(Run::form_print), ..FormMemory::default() });
        }
        Ok(())
    }

    /// Gives the probe's last good run, and remembers from where the desk wrote then.
    pub(super) async fn remember_last_pass(&mut self) -> Walk<Option<Run>> {
        let last = self.parts.store.last_with(&self.run.probe.name, Verdict::Pass, Some(&self.run.id)).await?;
        let wrote = last.iter().flat_map(|r| r.mails.iter().filter(|m| m.role.is_from_desk()).map(|m| m.mail.from.clone()));
        let told = self.run.probe.expect.from.clone();
        for from in wrote.chain(told).collect::<Vec<_>>() {
            self.knows_sender(&from);
        }
        Ok(last)
    }

    fn compare_print(&mut self, seen: &Seen) {
        let (Some(now), Some(memory)) = (&seen.print, &mut self.run.form) else { return };
        memory.changes = memory.before.as_ref().map(|before| before.changes(now)).unwrap_or_default();
    }

    async fn not_filled_in(&mut self, stop: Stop) -> Walk<Option<Timestamp>> {
        self.compare_print(&stop.seen);
        self.saw_stop(Stage::Send, PAGE, &stop);
        if let Some(next) = self.try_again("send", Stage::Send, &stop) {
            return Ok(Some(next));
        }
        let stop = self.weigh(stop).await;
        self.refused(Stage::Send, "filled in", "the form can be filled in", stop);
        Ok(None)
    }

    async fn thanked(&mut self, thanks: &Thanks) -> Walk<Option<Timestamp>> {
        self.saw(Stage::Accept, SUBMISSION, Looked::Found, ResultClass::Ok, &thanks.seen);
        if let Some(memory) = &mut self.run.form {
            memory.number.clone_from(&thanks.number);
        }
        let number = thanks.number.as_ref().map_or_else(String::new, |n| format!(" (ticket {n})"));
        self.check(Stage::Send, "submitted", Outcome::Pass, "the form can be filled in and submitted", "submitted");
        self.sent();
        self.check(Stage::Accept, "thank-you", Outcome::Pass, THANKED, format!("{}{number}", first_line(&thanks.text)));
        self.close(Stage::Accept, Outcome::Pass);
        self.note_changes();
        self.finish_act(ActKind::Send, "", ActState::Done).await?;
        Ok(Some(self.now()))
    }

    async fn not_thanked(&mut self, stop: Stop) -> Walk<Option<Timestamp>> {
        self.compare_print(&stop.seen);
        self.saw_stop(Stage::Accept, SUBMISSION, &stop);
        let state = if stop.no_effect { ActState::Failed(stop.found.clone()) } else { ActState::Uncertain };
        if let Some(next) = self.try_again("send", Stage::Send, &stop) {
            self.finish_act(ActKind::Send, "", state).await?;
            return Ok(Some(next));
        }
        let stop = self.weigh(stop).await;
        if stop.no_effect || stop.outcome == Outcome::Fail {
            // It was submitted; what the customer saw then stands at `accept`.
            self.check(Stage::Send, "submitted", Outcome::Pass, "the form can be filled in and submitted", "submitted");
            self.close(Stage::Send, Outcome::Pass);
        }
        self.open_after_send();
        self.refused(Stage::Accept, "thank-you", THANKED, stop);
        self.finish_act(ActKind::Send, "", state).await?;
        Ok(Some(self.now()))
    }

    /// Decides a stage by what stopped it; a form that is not the one of the last good run explains more than its answer.
    fn refused(&mut self, stage: Stage, check: &str, expected: &str, mut stop: Stop) {
        let changes = self.run.form.as_ref().map(|f| f.changes.join("; ")).unwrap_or_default();
        let explains = stop.outcome == Outcome::Fail || stop.faults.contains(&"form-probe-incomplete");
        if !changes.is_empty() && explains {
            self.check(stage, "form", stop.outcome, "the form of the last good run", changes);
            stop.faults.retain(|f| *f != "form-contract-changed");
            stop.faults.insert(0, "form-contract-changed");
            stop.faults.truncate(3);
        } else {
            self.note_changes();
        }
        self.stopped(stage, check, expected, &stop);
    }

    fn note_changes(&mut self) {
        let changes = self.run.form.as_ref().map(|f| f.changes.join("; ")).unwrap_or_default();
        if !changes.is_empty() {
            self.note(format!("the form has changed since the last good run: {changes}"));
        }
    }
}
