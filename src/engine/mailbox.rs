//! What comes back by mail: telling acknowledgement, answer, bounce and our own mail apart, and judging them.

use super::journey::{Journey, Walk};
use super::judge::first_line;
use super::land::LastLook;
use super::promise::with_promise;
use crate::check;
use crate::clock::after;
use crate::model::{
    ActKind, Delivery, Looked, MailRole, Observation, Outcome, Position, ReceivedMail, ReplyMode, ResultClass, SeenMail, Source, Stage,
};
use jiff::Timestamp;
use std::time::Duration;

/// How long an answer waits for an acknowledgement that the probe does not ask for but that may thread it.
const UNASKED_ACKNOWLEDGEMENT: Duration = Duration::from_secs(10);
/// How the place of such an observation begins.
const ELSEWHERE: &str = "mailbox of account ";

impl Journey<'_> {
    /// Takes a mail into the run, once.
    pub(super) fn take_in(&mut self, mail: ReceivedMail, seen: Timestamp) {
        // A thread's id alone proves little: it must also be the desk that wrote.
        if self.run.mails.iter().any(|m| m.mail.key == mail.key) || !self.run.owns(&mail) {
            return;
        }
        if self.is_quote_of_stranger(&mail) {
            self.note("a mail of somebody else that only quotes this request was not counted (mon-token-in-quote)");
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
        let observed = Observation::new(
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
        .raw(headers.join("\n"));
        self.observe(with_promise(observed, role, &mail));
        if role != MailRole::Own {
            self.found_sent();
        }
        if role.is_from_desk() {
            self.knows_sender(&mail.from);
        }
        self.run.mails.push(SeenMail { role, seen, mail });
    }

    /// Our answer in the mailbox of another account. That mailbox may be the same one under a second name, so this
    /// decides nothing before the answer is known to be missing where it belongs.
    pub(super) fn seen_elsewhere(&mut self, delivery: &Delivery) {
        let Some(token) = self.token(Stage::Reply).filter(|t| delivery.mail.new_tokens.contains(t)) else { return };
        let place = format!("{ELSEWHERE}{}", delivery.account);
        self.observe(
            Observation::new(delivery.seen, Some(Stage::Return), Source::Mailbox, place, token.as_str(), Looked::Found)
                .class(ResultClass::Ok)
                .fact("uid", delivery.mail.key.uid)
                .fact("sha256", delivery.mail.sha256.clone()),
        );
    }

    /// The account in whose mailbox our answer was seen instead.
    fn elsewhere(&self) -> Option<String> {
        let seen = |o: &&Observation| o.stage == Some(Stage::Return) && o.result == Looked::Found;
        self.run.observations.iter().filter(seen).find_map(|o| o.place.strip_prefix(ELSEWHERE).map(str::to_owned))
    }

    fn role_of(&self, mail: &ReceivedMail) -> MailRole {
        let own_ids = self.own_ids();
        let from_us = check::same_address(&mail.from, &self.run.address);
        if mail.bounce.is_some() {
            return MailRole::Bounce;
        }
        if from_us && mail.message_id.as_ref().is_none_or(|id| own_ids.contains(id) || self.is_loop()) {
            return MailRole::Own;
        }
        if let Some(reply) = self.token(Stage::Reply)
            && mail.new_tokens.contains(&reply)
        {
            return MailRole::Answer;
        }
        if self.run.messages.iter().any(|m| m.turn > 0 && mail.new_tokens.contains(&m.token)) {
            return MailRole::Other;
        }
        if self.run.probe.reply.mode == ReplyMode::Await && self.is_awaited_answer(mail) {
            return MailRole::Answer;
        }
        let acted = |kinds: &[ActKind]| self.run.acts.iter().any(|a| kinds.contains(&a.kind));
        let follow_up = self.run.messages.iter().find(|m| m.stage == Stage::FollowUp);
        let names_follow_up = follow_up.is_some_and(|f| mail.tokens.contains(&f.token));
        if acted(&[ActKind::Close, ActKind::Delete]) && !names_follow_up {
            return MailRole::ClosingNotice;
        }
        let to_follow_up = follow_up.is_some_and(|f| {
            mail.new_tokens.contains(&f.token)
                || f.message_id.as_ref().is_some_and(|id| mail.in_reply_to.contains(id) || mail.references.contains(id))
        });
        // A ticket that was closed for the follow-up's sake may send a notice, and so may the follow-up.
        if to_follow_up {
            MailRole::Other
        } else if acted(&[ActKind::CloseFirst]) && !names_follow_up {
            MailRole::ClosingNotice
        } else {
            MailRole::Acknowledgement
        }
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
        acknowledged && check::writer_of_mail(mail).by == check::Writer::Person
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
            let seen = if self.is_loop() { self.own_mail_back() } else { self.first_of(MailRole::Answer) };
            if let Some(seen) = seen.filter(|s| !self.may_yet_be_threaded(s)) {
                self.judge_answer(&seen);
            }
        }
    }

    /// The account writes to itself: there is no desk, and no person is waited for.
    pub(super) fn is_loop(&self) -> bool {
        self.run.probe.desk.is_none() && self.run.probe.reply.mode == ReplyMode::Post
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

    /// An answer that names only an id of the desk's own is threaded if the acknowledgement names that id too, and a
    /// request without a mail of ours has nothing else to hang on; when the answer is faster than the acknowledgement,
    /// the judgement waits for it.
    fn may_yet_be_threaded(&self, seen: &SeenMail) -> bool {
        let names_an_id = !seen.mail.references.is_empty() || !seen.mail.in_reply_to.is_empty();
        let waits = names_an_id || self.own_ids().is_empty();
        let earlier: Vec<&ReceivedMail> = self.run.mails.iter().map(|m| &m.mail).collect();
        if self.is_loop() || !waits || check::is_threaded(&seen.mail, &self.own_ids(), &earlier) {
            return false;
        }
        let acknowledged = self.run.mails.iter().any(|m| m.role == MailRole::Acknowledgement);
        let patience = after(seen.seen, UNASKED_ACKNOWLEDGEMENT).min(self.deadline(Stage::Return));
        !acknowledged && if self.takes(Stage::Acknowledge) { self.is_open(Stage::Acknowledge) } else { self.now() < patience }
    }

    /// Waits for a mail or a line of `stage`; after its limit everything is looked at once more before it is called missing.
    pub(super) async fn await_word(&mut self, stage: Stage) -> Walk<Option<Timestamp>> {
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
        if stage == Stage::Acknowledge && self.sender_may_yet_be_known() {
            return Ok(None);
        }
        let last_look = if self.by_chat(stage) { self.last_look_at_chat(stage).await? } else { self.last_look_at_mailbox(stage).await? };
        match last_look {
            LastLook::Again(at) => Ok(Some(at)),
            LastLook::Trouble(trouble) => {
                let (check, expected) = if self.by_chat(stage) {
                    ("conversation", "the conversation can be read")
                } else {
                    ("mail", "the mailbox can be read")
                };
                self.check(stage, check, Outcome::Unknown, expected, trouble.message.clone());
                self.unknown(stage, trouble.fault);
                Ok(Some(self.now()))
            }
            LastLook::Done => {
                self.judge_mails();
                self.judge_lines(Some(stage)).await;
                if self.is_open(stage) && self.send_is_uncertain() {
                    self.unknown(Stage::Send, "act-uncertain");
                    self.not_reached(stage);
                } else if self.is_open(stage) && stage == Stage::Acknowledge && self.landed_badly() {
                    // What did not land, or is held back, cannot be acknowledged: that stands at `land`.
                    self.not_reached(stage);
                } else if self.is_open(stage) && stage == Stage::Acknowledge && self.sender_is_unknown() {
                    self.acknowledgement_unrecognised();
                } else if self.is_open(stage) {
                    self.missing(stage).await?;
                }
                Ok(Some(self.now()))
            }
        }
    }

    /// Nothing landed, or it lies where no agent looks. A desk that could not be asked says nothing of the kind.
    fn landed_badly(&self) -> bool {
        match self.outcome(Stage::Land) {
            Some(Outcome::Fail) => !self.landed_with_duplicates(),
            Some(Outcome::Unknown) => self.run.ticket.is_some(),
            _ => false,
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
    async fn missing(&mut self, stage: Stage) -> Walk<()> {
        if self.by_chat(stage) {
            return self.line_missing(stage).await;
        }
        let limit = self.run.probe.limit(stage);
        if stage == Stage::Acknowledge {
            self.check(stage, "acknowledgement", Outcome::Fail, format!("an automatic reply within {limit:?}"), "none in any folder");
            let causes = self.causes_without_acknowledgement();
            self.fail(stage, &causes);
            return Ok(());
        }
        if let Some(account) = self.elsewhere() {
            let found = format!("in the mailbox of account {account} instead");
            self.check(stage, "answer", Outcome::Fail, format!("the agent's answer in the mailbox of {}", self.run.address), found);
            self.note(format!("the answer that account {account} got was left there"));
            // It was addressed wrongly when it left the desk.
            self.check(Stage::Reply, "addressee", Outcome::Fail, self.run.address.clone(), format!("account {account}"));
            self.fail(Stage::Reply, &["reply-to-last-writer"]);
            self.fail(stage, &["reply-to-last-writer"]);
            return Ok(());
        }
        self.check(stage, "answer", Outcome::Fail, format!("the agent's answer within {limit:?}"), "none in any folder");
        let delivery = self.delivery_of_answer().await;
        if let Some(words) = delivery {
            self.check(Stage::Reply, "delivery", Outcome::Fail, "sent", words);
            self.fail(Stage::Reply, &["reply-fails-unnoticed"]);
            self.fail(stage, &["reply-fails-unnoticed"]);
            return Ok(());
        }
        let with_files = !self.run.probe.reply.attachments.is_empty();
        let mut hints = vec!["reply-fails-unnoticed"];
        if with_files {
            hints.push("reply-with-attachment-lost");
        }
        hints.push("reply-to-last-writer");
        self.fail(stage, &hints);
        Ok(())
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
