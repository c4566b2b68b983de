//! What the mails that came back decide: bounce, acknowledgement and answer against what the probe expects of them.

use super::journey::Journey;
use super::judge::first_line;
use crate::check;
use crate::model::{BounceAction, MailRole, Outcome, ReceivedMail, ReplyMode, Require, SeenMail, Stage};

impl Journey<'_> {
    pub(super) fn judge_bounces(&mut self) {
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

    /// What the provider told of a first message that the desk's mail exchange refuses for now by its policy
    /// (RFC 3463 section 3.8: 4.7.x), as greylists do.
    pub(super) fn deferral(&self) -> Option<String> {
        let first = self.run.messages.first()?;
        let of_first = |b: &&crate::model::Bounce| {
            b.action == BounceAction::Delayed && first.message_id.is_some() && b.original_message_id == first.message_id
        };
        let told = self.run.mails.iter().filter_map(|m| m.mail.bounce.as_ref()).find(of_first)?;
        let words = told.diagnostic.clone().unwrap_or_default();
        let status = told.status.as_deref().unwrap_or("");
        let says_so = words.to_lowercase().contains("greylist") || words.to_lowercase().contains("graylist");
        (status.starts_with("4.7.") || says_so).then(|| format!("{status} {words}"))
    }

    pub(super) fn judge_acknowledgement(&mut self, seen: &SeenMail) {
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

    pub(super) fn judge_answer(&mut self, seen: &SeenMail) {
        let mail = &seen.mail;
        let stage = Stage::Return;
        let mut hints: Vec<&str> = Vec::new();
        self.check_folder(stage, mail, &mut hints);
        if self.is_loop() {
            self.check_own_copy(mail, &mut hints);
            self.conclude(stage, &hints);
            return;
        }
        self.check_sender(mail, &mut hints);
        self.check_threading(mail, &mut hints);
        self.check_placeholders(stage, mail, &mut hints);
        self.check_promise(seen, &mut hints);
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

    pub(super) fn conclude(&mut self, stage: Stage, hints: &[&str]) {
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
            hints.extend(check::junk_faults(&mail.headers));
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
        if own.is_empty() && earlier.iter().all(|m| m.key == mail.key) {
            self.note("the answer is the first mail of this run, so there is none on which it could hang");
            return;
        }
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
        // What a desk quotes below the answer may be spoilt: that is judged where it was written.
        let found = check::compare_text(&written, &mail.new_text).and_then(|_| check::compare_text(&written, &mail.text));
        match found {
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
                    // Nobody on the way takes files out of a mail: it left the desk without them.
                    let found = found.unwrap_or_default();
                    self.check(Stage::Reply, &check, Outcome::Fail, "leaves the desk with the answer", found.clone());
                    self.fail(Stage::Reply, &["reply-with-attachment-lost"]);
                    self.check(Stage::Return, &check, Outcome::Fail, "same bytes", found);
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
