//! What comes back by mail: telling acknowledgement, answer, bounce and our own mail apart, and judging them.

use super::journey::{Journey, Walk};
use super::judge::first_line;
use super::land::LastLook;
use crate::check;
use crate::clock::after;
use crate::model::{
    ActKind, AutoMark, BounceAction, Looked, MailRole, Observation, Outcome, Position, ReceivedMail, ReplyMode, Require, ResultClass,
    SeenMail, Source, Stage,
};
use jiff::Timestamp;
use std::time::Duration;

/// How long an answer waits for an acknowledgement that the probe does not ask for but that may thread it.
const UNASKED_ACKNOWLEDGEMENT: Duration = Duration::from_secs(10);

impl Journey<'_> {
    /// Takes a mail into the run, once.
    pub(super) fn take_in(&mut self, mail: ReceivedMail, seen: Timestamp) {
        // A thread's id alone proves little: it must also be the desk that wrote.
        if self.run.mails.iter().any(|m| m.mail.key == mail.key) || !self.run.owns(&mail) {
            return;
        }
        let role = self.role_of(&mail);
        let stage = match role {
            MailRole::Acknowledgement => Stage::Acknowledge,
            MailRole::Answer => Stage::Return,
            MailRole::Bounce => Stage::Accept,
            MailRole::ClosingNotice => Stage::CleanUp,
            MailRole::Own | MailRole::Other => Stage::Return,
        };
        let headers: Vec<String> = mail.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        self.observe(
            Observation::new(
                seen,
                Some(stage),
                Source::Mailbox,
                mail.key.folder.clone(),
                mail.message_id.clone().unwrap_or_default(),
                Looked::Found,
            )
            .class(ResultClass::Ok)
            .fact("role", serde_json::to_value(role).unwrap_or_default())
            .fact("from", mail.from.clone())
            .fact("subject", mail.subject.clone())
            .fact("uid", mail.key.uid)
            .raw(headers.join("\n")),
        );
        if role != MailRole::Own {
            self.found_sent();
        }
        self.run.mails.push(SeenMail { role, seen, mail });
    }

    fn role_of(&self, mail: &ReceivedMail) -> MailRole {
        let own_ids = self.own_ids();
        let from_us = check::same_address(&mail.from, &self.run.address);
        if mail.bounce.is_some() {
            return MailRole::Bounce;
        }
        if from_us && mail.message_id.as_ref().is_none_or(|id| own_ids.contains(id) || self.run.probe.desk.is_none()) {
            return MailRole::Own;
        }
        if let Some(reply) = self.token(Stage::Reply)
            && mail.new_tokens.contains(&reply)
        {
            return MailRole::Answer;
        }
        if self.run.probe.reply.mode == ReplyMode::Await && self.is_awaited_answer(mail) {
            return MailRole::Answer;
        }
        let closing = [ActKind::Close, ActKind::CloseFirst, ActKind::Delete];
        if self.run.acts.iter().any(|a| closing.contains(&a.kind)) && !self.token(Stage::FollowUp).is_some_and(|t| mail.tokens.contains(&t))
        {
            return MailRole::ClosingNotice;
        }
        let follow_up = self.run.messages.iter().find(|m| m.stage == Stage::FollowUp);
        let to_follow_up = follow_up.is_some_and(|f| {
            mail.new_tokens.contains(&f.token)
                || f.message_id.as_ref().is_some_and(|id| mail.in_reply_to.contains(id) || mail.references.contains(id))
        });
        if to_follow_up { MailRole::Other } else { MailRole::Acknowledgement }
    }

    /// A person's answer has no token of ours: it holds what the desk shows as the agent's message, or it is a second
    /// mail that no machine wrote.
    fn is_awaited_answer(&self, mail: &ReceivedMail) -> bool {
        let shown = self
            .run
            .observations
            .iter()
            .find(|o| o.looked_for == "agent's answer" && o.result == Looked::Found)
            .and_then(|o| o.raw.as_deref());
        if let Some(text) = shown {
            return check::compare_text(&first_line(text), &mail.new_text).is_none();
        }
        let acknowledged = !self.takes(Stage::Acknowledge) || self.run.mails.iter().any(|m| m.role == MailRole::Acknowledgement);
        acknowledged && mail.auto == AutoMark::default()
    }

    /// Looks at the mails again now that the agent's own words are known.
    pub(super) fn reconsider_mails(&mut self) {
        let roles: Vec<MailRole> = self.run.mails.iter().map(|m| self.role_of(&m.mail)).collect();
        for (seen, role) in self.run.mails.iter_mut().zip(roles) {
            if role == MailRole::Answer {
                seen.role = role;
            }
        }
    }

    /// Decides what the mails seen so far decide.
    pub(super) fn judge_mails(&mut self) {
        self.judge_bounces();
        if self.is_open(Stage::Acknowledge)
            && let Some(seen) = self.first_of(MailRole::Acknowledgement)
        {
            self.judge_acknowledgement(&seen);
        }
        if self.is_open(Stage::Return) {
            let seen = if self.run.probe.desk.is_none() { self.own_mail_back() } else { self.first_of(MailRole::Answer) };
            if let Some(seen) = seen.filter(|s| !self.may_yet_be_threaded(s)) {
                self.judge_answer(&seen);
            }
        }
    }

    /// The first mail of a role; one in an inbox before one in junk.
    pub(super) fn first_of(&self, role: MailRole) -> Option<SeenMail> {
        let of_role = || self.run.mails.iter().filter(|m| m.role == role);
        of_role().find(|m| !m.mail.in_junk).or_else(|| of_role().next()).cloned()
    }

    /// Our own mail as delivered to ourselves; the copy that a provider keeps in Sent proves no delivery.
    fn own_mail_back(&self) -> Option<SeenMail> {
        let back = |m: &&SeenMail| m.role == MailRole::Own && (m.mail.in_junk || m.mail.key.folder.eq_ignore_ascii_case("INBOX"));
        self.run.mails.iter().find(back).cloned()
    }

    /// An answer that names only an id of the desk's own is threaded if the acknowledgement names that id too; when
    /// the answer is faster than the acknowledgement, the judgement waits for it.
    fn may_yet_be_threaded(&self, seen: &SeenMail) -> bool {
        let names_an_id = !seen.mail.references.is_empty() || !seen.mail.in_reply_to.is_empty();
        let earlier: Vec<&ReceivedMail> = self.run.mails.iter().map(|m| &m.mail).collect();
        if self.run.probe.desk.is_none() || !names_an_id || check::is_threaded(&seen.mail, &self.own_ids(), &earlier) {
            return false;
        }
        let acknowledged = self.run.mails.iter().any(|m| m.role == MailRole::Acknowledgement);
        let patience = after(seen.seen, UNASKED_ACKNOWLEDGEMENT).min(self.deadline(Stage::Return));
        !acknowledged && if self.takes(Stage::Acknowledge) { self.is_open(Stage::Acknowledge) } else { self.now() < patience }
    }

    fn judge_bounces(&mut self) {
        let bounces: Vec<(ReceivedMail, crate::model::Bounce)> =
            self.run.mails.iter().filter_map(|m| m.mail.bounce.clone().map(|b| (m.mail.clone(), b))).collect();
        for (mail, bounce) in bounces {
            let words = [bounce.status.as_deref(), bounce.recipient.as_deref(), bounce.diagnostic.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ");
            if bounce.action == BounceAction::Delayed {
                self.note(format!("delivery to the desk is delayed: {words}"));
                continue;
            }
            if bounce.action != BounceAction::Failed {
                continue;
            }
            let follow_up = self.run.messages.iter().find(|m| m.stage == Stage::FollowUp);
            let of_follow_up = follow_up.is_some_and(|f| {
                bounce.original_message_id.is_some() && bounce.original_message_id == f.message_id || mail.tokens.contains(&f.token)
            });
            let stage = if of_follow_up { Stage::FollowUp } else { Stage::Accept };
            if self.outcome(stage).is_none() {
                self.open(stage);
                self.check(stage, "taken over", Outcome::Fail, "the address takes mail", format!("bounced: {words}"));
                self.fail(stage, &bounce_faults(&bounce, of_follow_up));
            }
        }
    }

    fn judge_acknowledgement(&mut self, seen: &SeenMail) {
        let mail = &seen.mail;
        let mut hints: Vec<&str> = Vec::new();
        let stage = Stage::Acknowledge;
        self.check_folder(stage, mail, &mut hints);
        self.check_placeholders(stage, mail, &mut hints);
        if let Some(want) = self.run.probe.expect.acknowledge_text.clone() {
            let there = check::compare_text(&want, &mail.text).is_none();
            self.check(stage, "text", if there { Outcome::Pass } else { Outcome::Fail }, want, first_line(&mail.text));
            if !there {
                hints.push("format-differs");
            }
        }
        self.conclude(stage, &hints);
    }

    fn judge_answer(&mut self, seen: &SeenMail) {
        let mail = &seen.mail;
        let stage = Stage::Return;
        let mut hints: Vec<&str> = Vec::new();
        self.check_folder(stage, mail, &mut hints);
        if self.run.probe.desk.is_none() {
            self.check_own_copy(mail, &mut hints);
            self.conclude(stage, &hints);
            return;
        }
        self.check_sender(mail, &mut hints);
        self.check_threading(mail, &mut hints);
        self.check_placeholders(stage, mail, &mut hints);
        if self.run.probe.reply.mode == ReplyMode::Post {
            self.check_answer_content(mail, &mut hints);
        }
        for link in self.run.probe.expect.return_links.clone() {
            let there = mail.text.contains(&link) || mail.html.as_deref().is_some_and(|h| h.contains(&link));
            self.check(
                stage,
                &format!("link {link}"),
                if there { Outcome::Pass } else { Outcome::Fail },
                "present",
                if there { "present" } else { "missing" },
            );
            if !there {
                hints.push("links-missing");
            }
        }
        let automatic = mail.auto.auto_submitted.is_some();
        if automatic {
            let allowed = self.run.probe.policy.automatic_reply_allowed;
            let found = format!("Auto-Submitted: {}", mail.auto.auto_submitted.clone().unwrap_or_default());
            if allowed {
                self.note(format!("the answer is marked automatic ({found})"));
            } else {
                self.check(stage, "not automatic", Outcome::Fail, "no Auto-Submitted header", found);
                hints.push("reply-marked-automatic");
            }
        }
        self.conclude(stage, &hints);
    }

    fn conclude(&mut self, stage: Stage, hints: &[&str]) {
        if hints.is_empty() {
            self.close(stage, Outcome::Pass);
        } else {
            self.fail(stage, hints);
        }
    }

    fn check_folder(&mut self, stage: Stage, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let outcome = if mail.in_junk { Outcome::Fail } else { Outcome::Pass };
        self.check(stage, "folder", outcome, "the inbox", mail.key.folder.clone());
        if mail.in_junk {
            hints.push("return-in-spam");
        } else if !mail.key.folder.eq_ignore_ascii_case("INBOX") {
            self.note(format!("a mail of the desk was filed in {}", mail.key.folder));
        }
    }

    fn check_placeholders(&mut self, stage: Stage, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let found = check::raw_placeholder(&mail.subject).or_else(|| check::raw_placeholder(&mail.new_text));
        match found {
            Some(raw) => {
                self.check(stage, "template filled in", Outcome::Fail, "no raw template variable", raw);
                hints.push("ack-placeholder-raw");
            }
            None => self.check(stage, "template filled in", Outcome::Pass, "no raw template variable", "none"),
        }
    }

    fn check_sender(&mut self, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let stage = Stage::Return;
        let expect = self.run.probe.expect.clone();
        let answers_to = mail.reply_to.first().unwrap_or(&mail.from).clone();
        if let Some(want) = expect.from {
            let same = check::same_address(&want, &mail.from);
            self.check(stage, "sender", if same { Outcome::Pass } else { Outcome::Fail }, want, mail.from.clone());
            if !same {
                hints.push(if check::is_noreply(&mail.from) { "reply-from-noreply" } else { "reply-wrong-sender" });
            }
        } else if (check::is_noreply(&mail.from) || check::is_noreply(&answers_to)) && !self.run.probe.policy.noreply_allowed {
            self.check(stage, "sender", Outcome::Fail, "an address that reads answers", mail.from.clone());
            hints.push("reply-from-noreply");
        } else {
            self.check(stage, "sender", Outcome::Pass, "an address that reads answers", mail.from.clone());
        }
        if let Some(want) = expect.reply_to {
            let same = mail.reply_to.iter().any(|a| check::same_address(a, &want));
            self.check(stage, "reply-to", if same { Outcome::Pass } else { Outcome::Fail }, want, mail.reply_to.join(", "));
            if !same {
                hints.push("reply-wrong-sender");
            }
        }
    }

    fn check_threading(&mut self, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let policy = self.run.probe.policy.threading;
        if policy == Require::Ignored {
            return;
        }
        let own = self.own_ids();
        let earlier: Vec<&ReceivedMail> = self.run.mails.iter().map(|m| &m.mail).collect();
        let threaded = check::is_threaded(mail, &own, &earlier);
        let found = if mail.references.is_empty() && mail.in_reply_to.is_empty() {
            "no In-Reply-To and no References".to_owned()
        } else {
            format!(
                "References {}",
                mail.references.iter().chain(&mail.in_reply_to).map(|id| format!("<{id}>")).collect::<Vec<_>>().join(" ")
            )
        };
        let expected = "reaches a message of this run";
        // Request Tracker's answers name only the ticket's own id, as its acknowledgement does. Where none came there is
        // nothing to reach, and the missing acknowledgement is judged by itself.
        let acknowledged = self.run.mails.iter().any(|m| m.role == MailRole::Acknowledgement);
        let of_ticket = mail.references.iter().chain(&mail.in_reply_to).any(|id| self.run.names_ticket(id));
        if !threaded && of_ticket && !acknowledged {
            self.check(Stage::Return, "threaded", Outcome::Pass, expected, format!("{found}, the ticket's own id"));
            self.note("the answer hangs on the desk's own id only: without an acknowledgement it stands beside the request, not below it");
        } else if threaded {
            self.check(Stage::Return, "threaded", Outcome::Pass, expected, found);
        } else if policy == Require::Required {
            self.check(Stage::Return, "threaded", Outcome::Fail, expected, found);
            hints.push("return-not-threaded");
        } else {
            self.note(format!("the answer is not threaded: {found}"));
        }
    }

    fn check_answer_content(&mut self, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let Some(token) = self.token(Stage::Reply) else { return };
        let written = self.fill(&self.run.probe.reply.text, &token);
        match check::compare_text(&written, &mail.text) {
            None => self.check(Stage::Return, "text", Outcome::Pass, first_line(&written), "as the agent wrote it"),
            Some(d) => {
                self.check(Stage::Return, "text", Outcome::Fail, first_line(&written), d.found);
                hints.push(d.fault);
            }
        }
        let expected: Vec<_> = self.run.probe.reply.attachments.iter().map(crate::model::OutgoingAttachment::expected).collect();
        for (name, verdict) in check::compare_attachments(&expected, &mail.attachments) {
            let check = format!("attachment {name}");
            match verdict {
                Ok(found) => self.check(Stage::Return, &check, Outcome::Pass, "same bytes", found),
                // Of a mail too large to be read whole nobody knows the files.
                Err(_) if mail.sha256.is_empty() => {
                    self.check(Stage::Return, &check, Outcome::Unknown, "same bytes", "the mail is too large to be read whole");
                }
                Err(found) => {
                    self.check(Stage::Return, &check, Outcome::Fail, "same bytes", found.unwrap_or_default());
                    hints.push("reply-with-attachment-lost");
                }
            }
        }
    }

    fn check_own_copy(&mut self, mail: &ReceivedMail, hints: &mut Vec<&'static str>) {
        let written = self.first_mail_again();
        if let Some(d) = check::compare_text(&written.text, &mail.text) {
            self.check(Stage::Return, "text", Outcome::Fail, first_line(&written.text), d.found);
            hints.push(d.fault);
        }
    }

    /// Waits for a mail of `stage`; after its limit everything is looked at once more before it is called missing.
    pub(super) async fn await_mail(&mut self, stage: Stage) -> Walk<Option<Timestamp>> {
        if !self.is_open(stage) {
            return Ok(None);
        }
        let deadline = self.deadline(stage);
        if stage == Stage::Return
            && let Some(seen) = self.first_of(MailRole::Answer)
            && self.may_yet_be_threaded(&seen)
        {
            let again = after(seen.seen, UNASKED_ACKNOWLEDGEMENT);
            return Ok(Some(if again > self.now() { again } else { after(self.now(), UNASKED_ACKNOWLEDGEMENT) }));
        }
        if self.now() < deadline {
            return Ok(Some(deadline));
        }
        if stage == Stage::Acknowledge && self.is_open(Stage::Land) {
            // Whether an acknowledgement is missing can be said only once it is known whether anything landed.
            return Ok(None);
        }
        match self.last_look_at_mailbox(stage).await? {
            LastLook::Again(at) => Ok(Some(at)),
            LastLook::Trouble(trouble) => {
                self.check(stage, "mail", Outcome::Unknown, "the mailbox can be read", trouble.message.clone());
                self.unknown(stage, trouble.fault);
                Ok(Some(self.now()))
            }
            LastLook::Done => {
                self.judge_mails();
                if self.is_open(stage) && self.send_is_uncertain() {
                    self.unknown(Stage::Send, "act-uncertain");
                    self.not_reached(stage);
                } else if self.is_open(stage)
                    && stage == Stage::Acknowledge
                    && self.outcome(Stage::Land) == Some(Outcome::Fail)
                    && !self.landed_with_duplicates()
                {
                    // What did not land cannot be acknowledged: the loss stands at `land`.
                    self.not_reached(stage);
                } else if self.is_open(stage) {
                    self.missing(stage).await;
                }
                Ok(Some(self.now()))
            }
        }
    }

    /// Looks at the inbox and then into every folder, in two rounds: what the first one finds is handed in by the
    /// listener and taken in before the second one says "done".
    pub(super) async fn last_look_at_mailbox(&mut self, stage: Stage) -> Walk<LastLook> {
        let name = format!("last look for {stage}");
        if self.run.polls.get(&name).is_some_and(|p| p.answered.is_some()) {
            return Ok(LastLook::Done);
        }
        if !self.poll_due(&name) {
            return Ok(LastLook::Again(self.poll_next(&name)));
        }
        let account = self.run.probe.account.clone();
        let Some(position) = self.run.position else { return Ok(LastLook::Done) };
        let found = match self.parts.mailboxes.check_now(&account).await {
            Ok(()) => self.parts.mailboxes.search_everywhere(&account, position, &self.tokens(), &self.run.all_ids()).await,
            Err(trouble) => Err(trouble),
        };
        let token = self.token(Stage::Send).map(|t| t.0).unwrap_or_default();
        let now = self.now();
        match found {
            Ok(mails) => {
                self.parts.intake_barrier().await;
                self.poll_after(&name, true, Duration::ZERO);
                if mails.is_empty() {
                    self.observe(
                        Observation::new(now, Some(stage), Source::Mailbox, "all folders", token, Looked::Empty).class(ResultClass::Empty),
                    );
                }
                for mail in mails {
                    self.take_in(mail, now);
                }
                Ok(LastLook::Again(now))
            }
            Err(trouble) => {
                self.trouble(stage, Source::Mailbox, "all folders", &token, &trouble);
                self.poll_after(&name, false, Duration::from_secs(1));
                let grace = after(self.deadline(stage), Duration::from_secs(5)).max(self.grace(stage));
                let hopeless = trouble.class == ResultClass::Unauthorised && self.poll_count(&name) >= 2;
                if hopeless || now >= grace { Ok(LastLook::Trouble(trouble)) } else { Ok(LastLook::Again(self.poll_next(&name))) }
            }
        }
    }

    /// Nothing came, and everything could be looked at.
    async fn missing(&mut self, stage: Stage) {
        let limit = self.run.probe.limit(stage);
        if stage == Stage::Acknowledge {
            self.check(stage, "acknowledgement", Outcome::Fail, format!("an automatic reply within {limit:?}"), "none in any folder");
            self.fail(stage, &["ack-condition-broken"]);
            return;
        }
        self.check(stage, "answer", Outcome::Fail, format!("the agent's answer within {limit:?}"), "none in any folder");
        let delivery = self.delivery_of_answer().await;
        if let Some(words) = delivery {
            self.check(Stage::Reply, "delivery", Outcome::Fail, "sent", words);
            self.fail(Stage::Reply, &["reply-fails-unnoticed"]);
            self.fail(stage, &["reply-fails-unnoticed"]);
            return;
        }
        let with_files = !self.run.probe.reply.attachments.is_empty();
        let mut hints = vec!["reply-fails-unnoticed"];
        if with_files {
            hints.push("reply-with-attachment-lost");
        }
        hints.push("reply-to-last-writer");
        self.fail(stage, &hints);
    }
}

fn bounce_faults(bounce: &crate::model::Bounce, of_follow_up: bool) -> Vec<&'static str> {
    let status = bounce.status.as_deref().unwrap_or("");
    let tagged = bounce.recipient.as_deref().is_some_and(|r| r.split('@').next().is_some_and(|l| l.contains('+')));
    match status {
        _ if of_follow_up && tagged => vec!["plus-tag-lost"],
        s if s.starts_with("5.3.4") || s.starts_with("5.2.3") => vec!["oversize-discarded"],
        s if s.starts_with("5.7") => vec!["mx-rejects-alias", "mon-desk-blocks-probe"],
        s if s.starts_with("4.") || s.starts_with("5.4") => vec!["forwarder-lost", "mx-rejects-alias"],
        _ => vec!["mx-rejects-alias"],
    }
}

/// A mail is newer than the position: decided by UID, after a change of UIDVALIDITY by time.
pub(super) fn is_newer(mail: &ReceivedMail, position: &Position) -> bool {
    let inbox = mail.key.folder.eq_ignore_ascii_case("INBOX");
    if inbox && mail.key.uidvalidity == position.uidvalidity {
        return mail.key.uid >= position.uid_next;
    }
    mail.received.is_none_or(|at| at >= position.at - jiff::SignedDuration::from_mins(2))
}
