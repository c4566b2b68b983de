//! After everything was seen: wait for duplicates, look once more at the ticket, then clean up.

use super::journey::{Journey, Walk};
use super::ports::Desk;
use crate::check;
use crate::model::{ActKind, MailRole, Outcome, Phase, SeenMail, Stage, Ticket, View};
use jiff::Timestamp;

impl Journey<'_> {
    /// Waits for the end of the quiet time, counts what came twice, and goes on to clean-up.
    pub(super) async fn settle(&mut self) -> Walk<Option<Timestamp>> {
        self.judge_mails();
        let until = self.run.settle_until.unwrap_or_else(|| self.now());
        if self.now() < until && !self.run.interrupted {
            return Ok(Some(until));
        }
        self.note_listener();
        self.note_fast_mail();
        self.note_unsent();
        self.count_mails();
        self.settle_chat().await;
        if self.outcome(Stage::Land) == Some(Outcome::Pass) {
            self.count_tickets_again().await;
            self.look_at_queue_again().await;
        } else if self.run.context.landed_late.is_some() {
            self.remember_late_tickets().await;
        }
        self.run.phase = Phase::CleaningUp;
        Ok(Some(self.now()))
    }

    /// How often mail of a role lies in one folder, and how many Message-IDs it has. One mail filed in two folders
    /// is one mail, and so is one seen again after a change of UIDVALIDITY; copies have UIDs of their own in one folder.
    fn copies(&self, role: MailRole) -> (usize, usize) {
        let of_role: Vec<_> = self.run.mails.iter().filter(|m| m.role == role).map(|m| &m.mail).collect();
        let per_folder = of_role
            .iter()
            .map(|m| of_role.iter().filter(|o| (&o.key.folder, o.key.uidvalidity) == (&m.key.folder, m.key.uidvalidity)).count())
            .max()
            .unwrap_or(0);
        let ids: std::collections::BTreeSet<&str> = of_role.iter().map(|m| m.message_id.as_deref().unwrap_or("")).collect();
        (per_folder, ids.len())
    }

    fn count_mails(&mut self) {
        let (answers, ids) = self.copies(MailRole::Answer);
        if answers > 1 && self.run.probe.reply.mode == crate::model::ReplyMode::Post && self.takes(Stage::Return) {
            self.check(Stage::Return, "once", Outcome::Fail, "one copy of the answer", format!("{answers} copies, {ids} Message-IDs"));
            self.fail(Stage::Return, &["reply-sent-many-times"]);
        }
        let (acknowledgements, _) = self.copies(MailRole::Acknowledgement);
        let to_notice = self.answers_to_notice();
        if to_notice > 0 && self.takes(Stage::Acknowledge) {
            let expected = "no automatic answer to an automatic mail (RFC 3834 section 2)";
            self.check(Stage::Acknowledge, "no loop", Outcome::Fail, expected, format!("{to_notice} to a holiday notice"));
            self.fail_first(Stage::Acknowledge, "ack-loop");
        } else if acknowledgements > 1 && self.takes(Stage::Acknowledge) {
            if self.run.tickets.len() > 1 {
                self.note(format!("{acknowledgements} acknowledgements, one for each of {} tickets", self.run.tickets.len()));
            } else if acknowledgements > 2 {
                self.check(Stage::Acknowledge, "once", Outcome::Fail, "one acknowledgement", format!("{acknowledgements}"));
                self.fail(Stage::Acknowledge, &["ack-loop"]);
            } else {
                self.note("two automatic replies came for one request");
            }
        }
    }

    /// Automatic mails of the desk that a holiday notice drew: they name it, or came after it though the request was
    /// acknowledged before. Two desks that do so answer each other for ever.
    fn answers_to_notice(&self) -> usize {
        let Some(sent) = self.run.acts.iter().find(|a| a.kind == ActKind::FollowUp).map(|a| a.intent) else { return 0 };
        let notice = self.run.messages.iter().find(|m| m.stage == Stage::FollowUp).and_then(|m| m.message_id.as_ref());
        let automatic = |m: &&SeenMail| {
            matches!(m.role, MailRole::Acknowledgement | MailRole::Other) && check::writer_of_mail(&m.mail).by == check::Writer::Automatic
        };
        let names = |m: &SeenMail| notice.is_some_and(|id| m.mail.in_reply_to.contains(id) || m.mail.references.contains(id));
        let acknowledged = self.run.mails.iter().any(|m| m.role == MailRole::Acknowledgement && m.seen < sent);
        let drawn = |m: &&SeenMail| names(m) || acknowledged && m.seen >= sent;
        match self.run.probe.follow_up.automatic {
            true => self.run.mails.iter().filter(automatic).filter(drawn).count(),
            false => 0,
        }
    }

    async fn count_tickets_again(&mut self) {
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return };
        let Ok(found) = desk.find(&self.needle(&token), View::Normal).await else { return };
        // A second ticket with the follow-up's text also quotes the first token; it was judged there.
        let before = self.run.tickets.len();
        let fresh: Vec<_> = found.into_iter().filter(|f| !self.run.tickets.contains(&f.reference)).collect();
        if fresh.is_empty() {
            return;
        }
        if self.token(Stage::FollowUp).is_some() {
            for found in &fresh {
                let Ok(Some(ticket)) = desk.read(&found.reference).await else { continue };
                let messages = desk.messages(&ticket).await.unwrap_or_default();
                let own = self.run.asked_for(&ticket);
                let names_it = self.token(Stage::FollowUp).is_some_and(|t| messages.iter().any(|m| t.is_in(&m.text)));
                let of_follow_up = names_it || self.is_made_by_follow_up(&*desk, &ticket).await;
                if own {
                    self.remember_ticket(&found.reference);
                }
                if own && !of_follow_up {
                    self.count_tickets(before + 1);
                } else if own {
                    self.check(
                        Stage::FollowUp,
                        "once",
                        Outcome::Fail,
                        "in the same ticket only",
                        format!("also in ticket {}", found.reference.number),
                    );
                    self.fail(Stage::FollowUp, &["follow-up-opens-new-ticket"]);
                }
            }
            return;
        }
        self.remember_tickets(&fresh);
        self.count_tickets(self.run.tickets.len());
    }

    /// A second ticket of what came late is cleaned up too.
    async fn remember_late_tickets(&mut self) {
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return };
        if let Ok(found) = desk.find(&self.needle(&token), View::Normal).await {
            self.remember_tickets(&found);
        }
    }

    /// A desk that cuts away what quotes leaves no token in the ticket that a follow-up opened: then the time between the
    /// two tickets tells, by the desk's own clock. It is about the time between the two mails, and not none.
    async fn is_made_by_follow_up(&self, desk: &dyn Desk, second: &Ticket) -> bool {
        let sent = |kind: ActKind| self.run.acts.iter().find(|a| a.kind == kind).map(|a| a.intent);
        let (Some(request), Some(follow_up), Some(reference)) = (sent(ActKind::Send), sent(ActKind::FollowUp), &self.run.ticket) else {
            return false;
        };
        let first = desk.read(reference).await.ok().flatten().and_then(|t| t.created);
        let (Some(first), Some(second)) = (first, second.created) else { return false };
        second.duration_since(first) * 2 > follow_up.duration_since(request)
    }

    /// A rule that runs late moves the ticket after it was seen in the right place.
    async fn look_at_queue_again(&mut self) {
        // A queue that we moved it to ourselves is no rule's doing.
        if self.outcome(Stage::Queue) != Some(Outcome::Pass) || self.act(crate::model::ActKind::MoveFirst, "").is_some() {
            return;
        }
        let (Some(desk), Some(reference), Some(want)) = (self.desk(), self.run.ticket.clone(), self.run.probe.expect.queue.clone()) else {
            return;
        };
        let Ok(Some(ticket)) = desk.read(&reference).await else { return };
        let Some(have) = ticket.queue.filter(|q| !q.eq_ignore_ascii_case(&want)) else { return };
        let moves = self.moves(&*desk, &reference).await;
        self.wrong_queue(&want, &have, &moves);
    }
}
