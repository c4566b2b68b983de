//! Clean-up, the verdict, and what still comes afterwards.
//!
//! Clean-up always runs and never changes another stage's verdict. What it may not or cannot remove it reports.

use super::journey::{Journey, Walk};
use super::mailbox::is_newer;
use super::ports::{Acted, Desk, RunEvent};
use crate::clock::after;
use crate::diagnosis;
use crate::model::{
    Act, ActKind, ActState, Capability, CleanUp, ClosingNotice, Leftover, MailKey, MailRole, Outcome, Phase, SeenMail, Stage, TicketRef,
    TicketStatus, Verdict, View,
};
use jiff::Timestamp;
use std::time::Duration;

/// Set once conversation and tickets were ended: a process that dies between them leaves the rest to the next.
const ENDED: &str = "ended";

/// The name of the looks for tickets that open after the verdict.
const LATE_TICKETS: &str = "late tickets";

/// The first of these looks comes so long after the verdict, each other one after three times the time: six in an hour, since
/// where one path is broken many runs look.
const FIRST_LATE_LOOK: Duration = Duration::from_secs(5);

impl Journey<'_> {
    /// A ticket that was deleted and is there again under another number was imported anew.
    async fn look_for_deleted(&mut self) {
        let deleted = self.run.acts.iter().any(|a| a.kind == ActKind::Delete && a.state == ActState::Done);
        let (Some(desk), Some(token), true) = (self.desk(), self.token(Stage::Send), deleted) else { return };
        let Ok(found) = desk.find(&self.needle(&token), View::Normal).await else { return };
        let again: Vec<_> = found.into_iter().filter(|f| !self.run.tickets.contains(&f.reference)).collect();
        let Some(first) = again.first() else { return };
        let number = first.reference.number.clone();
        self.check(Stage::CleanUp, "deleted", Outcome::Fail, "the ticket stays deleted", format!("it is there again as {number}"));
        self.fail(Stage::CleanUp, &["deleted-comes-back"]);
        self.left_over(format!("ticket {number}"), "it was made again from the mail of a deleted one");
        self.remember_tickets(&again);
    }

    /// Closes or deletes the tickets, waits for the mail that this may send, removes the run's mail, gives the verdict.
    pub(super) async fn clean_up(&mut self) -> Walk<Option<Timestamp>> {
        if !self.run.polls.contains_key(ENDED) {
            if !self.is_open(Stage::CleanUp)
                && let Some(next) = self.catch_ticket().await?
            {
                self.watch_mailbox(true);
                return Ok(Some(next));
            }
            self.open(Stage::CleanUp);
            self.leave_chat().await?;
            self.end_tickets().await?;
            self.poll_after(ENDED, true, Duration::ZERO);
            let closed = self.run.acts.iter().any(|a| matches!(a.kind, ActKind::Close | ActKind::Delete));
            let quiet = if closed && !self.run.interrupted { self.run.probe.settle.min(Duration::from_secs(30)) } else { Duration::ZERO };
            self.run.settle_until = Some(after(self.now(), quiet));
        }
        let until = self.run.settle_until.unwrap_or_else(|| self.now());
        if self.now() < until {
            self.watch_mailbox(true);
            return Ok(Some(until));
        }
        self.look_for_deleted().await;
        self.remove_mails().await?;
        self.judge_clean_up();
        self.give_verdict();
        let now = self.now();
        let watch_until = after(now, self.run.probe.watch_after);
        if let Some(position) = self.run.position.filter(|_| !self.run.probe.watch_after.is_zero()) {
            self.parts.mailboxes.watch(&self.run.probe.account, position, watch_until, false);
            let look = self.close_late_tickets(now).await?;
            return Ok(Some(look.map_or(watch_until, |look| look.min(watch_until))));
        }
        Ok(None)
    }

    async fn end_tickets(&mut self) -> Walk<()> {
        if self.run.probe.clean_up == CleanUp::Keep {
            return Ok(());
        }
        let Some(desk) = self.desk() else { return Ok(()) };
        for reference in self.run.tickets.clone() {
            self.end_ticket(&*desk, &reference).await?;
        }
        Ok(())
    }

    async fn end_ticket(&mut self, desk: &dyn Desk, reference: &TicketRef) -> Walk<()> {
        let can = |c: Capability| desk.capabilities().contains(&c);
        let kind = match self.run.probe.clean_up {
            CleanUp::Delete if can(Capability::Delete) => ActKind::Delete,
            _ if can(Capability::Close) => ActKind::Close,
            _ if can(Capability::Delete) => ActKind::Delete,
            _ => {
                self.left_over(format!("ticket {}", reference.number), "the desk's definition can neither close nor delete");
                return Ok(());
            }
        };
        let what = format!("ticket {}", reference.number);
        match self.act(kind, &reference.id).cloned() {
            Some(ActState::Done | ActState::FoundDone) => return Ok(()),
            Some(ActState::Failed(why)) => {
                self.left_over(what, &why);
                return Ok(());
            }
            Some(ActState::Intent | ActState::Uncertain) => return self.ended_before_crash(desk, kind, reference).await,
            None => {}
        }
        let ticket = match self.guarded_ticket(desk, reference).await {
            Ok(ticket) => ticket,
            Err(unread) if unread.is_gone() => return Ok(()),
            Err(unread) => {
                self.left_over(what, &unread.why);
                return Ok(());
            }
        };
        if kind == ActKind::Close && ticket.status == Some(TicketStatus::Closed) {
            return Ok(());
        }
        self.begin_act(kind, &reference.id).await?;
        let answer = if kind == ActKind::Delete { desk.delete(&ticket).await } else { desk.close(&ticket).await };
        let state = match answer {
            Ok(()) => ActState::Done,
            Err(Acted::NotDone(trouble)) => {
                self.left_over(what, &trouble.message);
                ActState::Failed(trouble.message)
            }
            Err(Acted::Uncertain(trouble)) => {
                self.left_over(what, &trouble.message);
                ActState::Uncertain
            }
        };
        self.finish_act(kind, &reference.id, state).await
    }

    /// The process died while it closed or deleted: look at what became of the ticket, do nothing again.
    async fn ended_before_crash(&mut self, desk: &dyn Desk, kind: ActKind, reference: &TicketRef) -> Walk<()> {
        let done = match desk.read(reference).await {
            Ok(None) => true,
            Ok(Some(ticket)) => {
                matches!((kind, ticket.status), (_, Some(TicketStatus::Deleted)) | (ActKind::Close, Some(TicketStatus::Closed)))
            }
            Err(_) => false,
        };
        if done {
            self.set_act(kind, &reference.id, ActState::FoundDone);
        } else {
            self.left_over(
                format!("ticket {}", reference.number),
                "it is not known whether it was closed before a restart; `replypath sweep` will see to it",
            );
        }
        Ok(())
    }

    async fn remove_mails(&mut self) -> Walk<()> {
        let Some(position) = self.run.position else { return Ok(()) };
        let mails = &self.run.mails;
        // After a change of UIDVALIDITY the old key names nothing any more, and the mail was seen again under a new one.
        let outdated = |m: &SeenMail| {
            mails.iter().any(|o| {
                // Of a mail too large to be read whole there is no hash.
                (o.mail.sha256.as_str(), o.mail.size) == (m.mail.sha256.as_str(), m.mail.size)
                    && o.mail.key.folder == m.mail.key.folder
                    && o.mail.key.uidvalidity != m.mail.key.uidvalidity
                    && o.seen > m.seen
            })
        };
        let keys: Vec<MailKey> =
            mails.iter().filter(|m| is_newer(&m.mail, &position) && !outdated(m)).map(|m| m.mail.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let account = self.run.probe.account.clone();
        match self.parts.mailboxes.remove(&account, &keys).await {
            Ok(removed) => {
                for (key, why) in removed.left {
                    self.left_over(format!("mail {}/{}", key.folder, key.uid), &why);
                }
            }
            Err(trouble) => self.left_over(format!("{} mails of {account}", keys.len()), &trouble.message),
        }
        Ok(())
    }

    pub(super) fn left_over(&mut self, what: impl Into<String>, why: &str) {
        let leftover = Leftover { what: what.into(), why: why.to_owned() };
        if !self.run.leftovers.contains(&leftover) {
            self.run.leftovers.push(leftover);
        }
    }

    fn judge_clean_up(&mut self) {
        let left = self.run.leftovers.clone();
        let notices = self.run.mails.iter().filter(|m| m.role == MailRole::ClosingNotice).count();
        if notices > 0 && self.run.probe.policy.closing_notice == ClosingNotice::Never {
            self.check(
                Stage::CleanUp,
                "no closing notice",
                Outcome::Fail,
                "closing sends the customer nothing",
                format!("{notices} mail(s) came"),
            );
            self.fail(Stage::CleanUp, &["close-sends-notice"]);
        } else if notices > 0 {
            self.note("closing the ticket sent the customer a notice");
        }
        if left.is_empty() {
            self.check(Stage::CleanUp, "nothing left", Outcome::Pass, "tickets closed, own mail removed", "nothing left");
            self.close(Stage::CleanUp, Outcome::Pass);
        } else {
            let words: Vec<String> = left.iter().map(|l| format!("{} ({})", l.what, l.why)).collect();
            self.check(Stage::CleanUp, "nothing left", Outcome::Unknown, "tickets closed, own mail removed", words.join("; "));
            self.close(Stage::CleanUp, Outcome::Unknown);
        }
    }

    fn give_verdict(&mut self) {
        let now = self.now();
        self.run.finished = Some(now);
        self.run.phase = Phase::Finished;
        self.run.diagnosis = Some(diagnosis::diagnose(&self.run));
        for seen in &mut self.run.mails {
            trim(&mut seen.mail.text, 16_000);
            trim(&mut seen.mail.new_text, 16_000);
            seen.mail.html = None;
        }
        self.finished_now = true;
    }

    /// Mail that comes after the verdict is filed under its run, counted, and removed.
    pub(super) async fn after_verdict(&mut self) -> Walk<Option<Timestamp>> {
        let finished = self.run.finished.unwrap_or(self.run.started);
        let until = after(finished, self.run.probe.watch_after);
        let late: Vec<(MailRole, MailKey)> =
            self.run.mails.iter().filter(|m| m.seen > finished).map(|m| (m.role, m.mail.key.clone())).collect();
        let fresh: Vec<(MailRole, MailKey)> = late.into_iter().filter(|(_, k)| !self.run.polls.contains_key(&late_name(k))).collect();
        if !fresh.is_empty() {
            let account = self.run.probe.account.clone();
            // So late it may be about anything: a note, no verdict.
            let never = self.run.probe.policy.closing_notice == ClosingNotice::Never;
            for (role, key) in &fresh {
                if role.is_from_desk()
                    && let Some(seen) = self.run.mails.iter().find(|m| m.mail.key == *key)
                {
                    // Another run may wait on this mailbox.
                    self.parts.remark(&account, super::prevented::STALE, &seen.mail.from);
                }
                self.poll_after(&late_name(key), true, Duration::ZERO);
                if *role == MailRole::Answer && self.outcome(Stage::Return) == Some(Outcome::Pass) {
                    self.late_duplicate();
                } else if *role != MailRole::Own && (*role != MailRole::ClosingNotice || never) {
                    self.late_note(&format!("a mail came after the verdict ({} in {})", role_word(*role), key.folder));
                }
            }
            self.remove_mails().await?;
            self.parts.tell(RunEvent::Late(Box::new(self.run.clone())));
        }
        let look = self.close_late_tickets(finished).await?;
        Ok((self.now() < until).then(|| look.map_or(until, |look| look.min(until))))
    }

    /// A ticket can open after the verdict too: a request that was held back comes through, a second copy is fetched. It is
    /// looked for where something was amiss, ever more seldom, and closed. Gives the time of the next look.
    async fn close_late_tickets(&mut self, finished: Timestamp) -> Walk<Option<Timestamp>> {
        let passed = self.run.diagnosis.as_ref().is_some_and(|d| d.verdict == Verdict::Pass);
        let amiss = !passed || self.run.mails.iter().any(|m| m.seen > finished && m.role.is_from_desk());
        let (Some(desk), true) = (self.desk(), amiss && self.is_sent() && self.run.probe.clean_up != CleanUp::Keep) else {
            return Ok(None);
        };
        if !self.run.polls.contains_key(LATE_TICKETS) {
            self.poll_after(LATE_TICKETS, false, FIRST_LATE_LOOK);
        } else if self.poll_due(LATE_TICKETS) {
            let answered = self.look_for_late_tickets(&*desk).await?;
            let looks = self.run.polls.get(LATE_TICKETS).map_or(0, |poll| poll.count);
            self.poll_after(LATE_TICKETS, answered, FIRST_LATE_LOOK * 3u32.saturating_pow(looks));
        }
        Ok(Some(self.poll_next(LATE_TICKETS)))
    }

    /// Closes what is there now, and what a dead process may have begun to close. False: the desk could not be asked.
    async fn look_for_late_tickets(&mut self, desk: &dyn Desk) -> Walk<bool> {
        let (known, mut answered) = (self.run.tickets.len(), true);
        for stage in [Stage::Send, Stage::FollowUp] {
            let Some(token) = self.token(stage) else { continue };
            // What is held back where no agent looks is removed too.
            for view in desk.views().to_vec() {
                match desk.find(&self.needle(&token), view).await {
                    Ok(found) => self.remember_tickets(&found),
                    Err(_) => answered = false,
                }
            }
        }
        let late: Vec<String> = self.run.tickets[known..].iter().map(|t| t.number.clone()).collect();
        let begun =
            |a: &Act| matches!(a.kind, ActKind::Close | ActKind::Delete) && matches!(a.state, ActState::Intent | ActState::Uncertain);
        if !late.is_empty() || self.run.acts.iter().any(begun) {
            self.end_tickets().await?;
        }
        for number in &late {
            self.late_note(&format!("ticket {number} opened after the verdict"));
        }
        if !late.is_empty() {
            self.parts.tell(RunEvent::Late(Box::new(self.run.clone())));
        }
        Ok(answered)
    }

    fn late_note(&mut self, text: &str) {
        self.note(text);
        if let Some(diagnosis) = &mut self.run.diagnosis
            && !diagnosis.notes.iter().any(|n| n == text)
        {
            diagnosis.notes.push(text.to_owned());
        }
    }

    /// A second copy of the answer after a pass: the pass becomes a fail. A fail never becomes a pass.
    fn late_duplicate(&mut self) {
        self.check(Stage::Return, "once", Outcome::Fail, "one copy of the answer", "another copy after the verdict");
        self.fail(Stage::Return, &["reply-sent-many-times"]);
        self.run.diagnosis = Some(diagnosis::diagnose(&self.run));
        self.late_note("the verdict was changed by a copy of the answer that came after it");
    }
}

fn late_name(key: &MailKey) -> String {
    format!("late {}/{}/{}", key.folder, key.uidvalidity, key.uid)
}

fn role_word(role: MailRole) -> &'static str {
    match role {
        MailRole::Acknowledgement => "an acknowledgement",
        MailRole::Answer => "the answer",
        MailRole::Bounce => "a bounce",
        MailRole::ClosingNotice => "a closing notice",
        MailRole::Own => "our own mail",
        MailRole::Other => "another mail of the desk",
    }
}

fn trim(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("\n[cut]");
    }
}
