//! The customer's answer: it joins the same ticket, can be read there, and opens it again.

use super::journey::{Journey, Walk};
use super::judge::first_line;
use super::ports::{Desk, Submitted};
use crate::check;
use crate::mail::compose;
use crate::model::{
    ActKind, ActState, Author, Capability, FollowUpTo, Looked, MailRole, Observation, Outcome, OutgoingMail, Party, ReceivedMail,
    ResultClass, Source, Stage, Ticket, TicketMessage, TicketStatus, Token, View,
};
use jiff::Timestamp;

impl Journey<'_> {
    /// The mail that the follow-up answers, once it is there. `Own` needs none.
    fn answered_mail(&self) -> Option<ReceivedMail> {
        let role = match self.run.probe.follow_up.to {
            FollowUpTo::Agent => MailRole::Answer,
            FollowUpTo::Acknowledgement => MailRole::Acknowledgement,
            FollowUpTo::Own => return None,
        };
        self.first_of(role).map(|m| m.mail)
    }

    /// What the follow-up answers is there: a mail, or a line in the chat window.
    fn is_answerable(&self) -> bool {
        match self.run.probe.follow_up.to {
            FollowUpTo::Own => true,
            // A window that is opened again hears nothing meanwhile, so the push path is judged first.
            FollowUpTo::Agent if self.by_chat(Stage::FollowUp) => self.answer_line().is_some() && !self.is_open(Stage::Return),
            FollowUpTo::Acknowledgement if self.by_chat(Stage::FollowUp) => !self.greetings().is_empty(),
            FollowUpTo::Agent | FollowUpTo::Acknowledgement => self.answered_mail().is_some(),
        }
    }

    /// False once the mail to be answered can no longer come.
    pub(super) fn follow_up_possible(&self) -> bool {
        if !self.takes(Stage::FollowUp) || self.outcome(Stage::FollowUp).is_some() || self.is_open(Stage::FollowUp) {
            return true;
        }
        let landed = match self.outcome(Stage::Land) {
            Some(outcome) => outcome == Outcome::Pass || self.landed_with_duplicates(),
            None => true,
        };
        let awaited = match self.run.probe.follow_up.to {
            FollowUpTo::Agent => Stage::Return,
            FollowUpTo::Acknowledgement => Stage::Acknowledge,
            FollowUpTo::Own => return landed,
        };
        landed && (self.is_answerable() || self.outcome(awaited).is_none())
    }

    /// Sends the follow-up once, then looks for it at the desk.
    pub(super) async fn follow_up(&mut self) -> Walk<Option<Timestamp>> {
        if !self.takes(Stage::FollowUp) || self.outcome(Stage::FollowUp).is_some() {
            return Ok(None);
        }
        let landed = self.outcome(Stage::Land) == Some(Outcome::Pass) || self.landed_with_duplicates();
        if !landed || !self.is_answerable() {
            return Ok(None);
        }
        let Some(desk) = self.desk() else {
            self.unknown(Stage::FollowUp, "desk-gone");
            return Ok(None);
        };
        if self.run.probe.follow_up.after_close && self.is_open(Stage::Acknowledge) {
            // Mail that comes after closing may be a closing notice, so the acknowledgement is waited for first.
            return Ok(None);
        }
        self.open(Stage::FollowUp);
        if !self.poll_due("follow_up") {
            return Ok(Some(self.poll_next("follow_up")));
        }
        if let Some(next) = self.before_follow_up(&*desk).await? {
            return Ok(Some(next));
        }
        match self.act(ActKind::FollowUp, "").cloned() {
            None | Some(ActState::Failed(_)) if self.by_chat(Stage::FollowUp) => self.say_follow_up().await,
            None | Some(ActState::Failed(_)) => self.send_follow_up(&*desk).await,
            Some(_) if self.run.probe.follow_up.automatic => self.look_after_notice(&*desk).await,
            Some(_) => self.look_for_follow_up(&*desk).await,
        }
    }

    async fn send_follow_up(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        if self.run.probe.follow_up.automatic
            && let Some(next) = self.remember_state(desk).await
        {
            return Ok(Some(next));
        }
        if let Some(wait) = self.take_budgets(Stage::FollowUp).await? {
            return Ok(Some(wait));
        }
        if self.outcome(Stage::FollowUp).is_some() {
            return Ok(None);
        }
        let Some(mail) = self.follow_up_mail() else { return Ok(None) };
        self.begin_act(ActKind::FollowUp, "").await?;
        let account = self.run.probe.account.clone();
        let answer = self.parts.submission.submit(&account, &mail).await;
        let now = self.now();
        match answer {
            Ok(Submitted::Accepted(line)) => {
                self.observe(
                    Observation::new(now, Some(Stage::FollowUp), Source::Submission, "submission", mail.message_id.clone(), Looked::Found)
                        .class(ResultClass::Ok)
                        .fact("answer", line.clone()),
                );
                self.check(Stage::FollowUp, "handed in", Outcome::Pass, "the provider takes the message", line);
                self.finish_act(ActKind::FollowUp, "", ActState::Done).await?;
            }
            Ok(Submitted::Refused { code, status, text, fault }) => {
                let line = format!("{code} {} {text}", status.unwrap_or_default());
                self.finish_act(ActKind::FollowUp, "", ActState::Failed(line.clone())).await?;
                if fault == "mx-rejects-alias" {
                    let hint = if mail.to.iter().any(|a| a.contains('+')) { "plus-tag-lost" } else { fault };
                    self.check(Stage::FollowUp, "handed in", Outcome::Fail, "the reply address takes mail", line);
                    self.fail(Stage::FollowUp, &[hint]);
                } else {
                    self.check(Stage::FollowUp, "handed in", Outcome::Unknown, "the provider takes the message", line);
                    self.unknown(Stage::FollowUp, fault);
                }
            }
            Ok(Submitted::Uncertain(why)) => {
                self.check(Stage::FollowUp, "handed in", Outcome::Unknown, "the provider takes the message", why);
                self.finish_act(ActKind::FollowUp, "", ActState::Uncertain).await?;
            }
            Ok(Submitted::Deferred { code, text }) => {
                self.finish_act(ActKind::FollowUp, "", ActState::Failed(format!("{code} {text}"))).await?;
                return self.follow_up_later("submission-unavailable", format!("{code} {text}"));
            }
            Err(trouble) => {
                self.trouble(Stage::FollowUp, Source::Submission, "submission", &mail.message_id, &trouble);
                self.finish_act(ActKind::FollowUp, "", ActState::Failed(trouble.message.clone())).await?;
                return self.follow_up_later(trouble.fault, trouble.message);
            }
        }
        Ok(Some(now))
    }

    fn follow_up_later(&mut self, fault: &str, why: String) -> Walk<Option<Timestamp>> {
        self.poll_again("follow_up", Stage::FollowUp, false, None);
        if self.now() >= self.deadline(Stage::FollowUp) || fault == "submission-login-refused" {
            self.check(Stage::FollowUp, "handed in", Outcome::Unknown, "our own mail account works", why);
            self.unknown(Stage::FollowUp, fault);
        }
        Ok(Some(self.poll_next("follow_up")))
    }

    fn follow_up_mail(&mut self) -> Option<OutgoingMail> {
        let now = self.now();
        let name = self.run.display_name.clone().unwrap_or_default();
        let address = self.run.address.clone();
        let domain = address.rsplit('@').next().unwrap_or("localhost").to_owned();
        let known = self.run.messages.iter().find(|m| m.stage == Stage::FollowUp).and_then(|m| m.message_id.clone());
        let message_id = known.unwrap_or_else(|| compose::message_id(super::random(), now, &domain));
        let token = self.new_message(Stage::FollowUp, Party::Customer, Some(message_id.clone()), String::new());
        let text = self.fill(&self.run.probe.follow_up.text, &token);
        let mut mail = if self.run.probe.follow_up.to == FollowUpTo::Own {
            compose::answer_own(&self.first_mail_again(), &text, message_id, now)
        } else {
            compose::answer(&self.answered_mail()?, (&address, &name), &text, message_id, now)
        };
        compose::quote_as(&mut mail, &text, self.run.probe.follow_up.quote);
        if self.run.probe.follow_up.automatic {
            compose::automatic(&mut mail);
        }
        if let Some(message) = self.run.messages.iter_mut().find(|m| m.stage == Stage::FollowUp) {
            message.subject.clone_from(&mail.subject);
        }
        Some(mail)
    }

    async fn look_for_follow_up(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let deadline = self.deadline(Stage::FollowUp);
        let looked_at = self.now();
        let Some(token) = self.token(Stage::FollowUp) else { return Ok(None) };
        match self.read_messages(desk).await {
            Ok((ticket, messages)) => {
                self.poll_again("follow_up", Stage::FollowUp, true, None);
                let joined = messages.iter().find(|m| carries(m, &token)).or_else(|| self.emptied(&messages, looked_at >= deadline));
                if let Some(message) = joined {
                    return self.joined(&ticket, message, &token, looked_at >= deadline);
                }
                let number = ticket.reference.number.clone();
                self.observe(
                    Observation::new(
                        looked_at,
                        Some(Stage::FollowUp),
                        Source::Desk,
                        format!("ticket {number}"),
                        token.as_str(),
                        Looked::Empty,
                    )
                    .class(ResultClass::Empty),
                );
                if let Some(decided) = self.look_for_second_ticket(desk, &token).await {
                    return decided;
                }
                if looked_at >= deadline {
                    return self.follow_up_lost().await;
                }
            }
            Err(unread) => {
                self.poll_again("follow_up", Stage::FollowUp, false, None);
                if self.now() >= self.grace(Stage::FollowUp) {
                    self.unread(Stage::FollowUp, "joined", "the customer's answer stands in the ticket", unread);
                    return Ok(Some(self.now()));
                }
            }
        }
        Ok(Some(self.poll_next("follow_up")))
    }

    fn joined(&mut self, ticket: &Ticket, message: &TicketMessage, token: &Token, final_look: bool) -> Walk<Option<Timestamp>> {
        let number = ticket.reference.number.clone();
        let now = self.now();
        if self.act(ActKind::FollowUp, "") == Some(&ActState::Uncertain) {
            self.set_act(ActKind::FollowUp, "", ActState::FoundDone);
            self.note("the customer's answer was handed in although its result was never stored; it was found and not sent again");
        }
        let mut hints: Vec<&str> = Vec::new();
        let after_close = self.acted(ActKind::CloseFirst, "");
        if after_close && self.run.probe.follow_up.reopens && ticket.status == Some(TicketStatus::Closed) {
            if !final_look {
                return Ok(Some(self.poll_next("follow_up").min(self.deadline(Stage::FollowUp))));
            }
            self.check(
                Stage::FollowUp,
                "reopened",
                Outcome::Fail,
                "the answer opens the ticket again",
                format!("still {}", ticket.status_text.clone().unwrap_or_default()),
            );
            hints.push("closed-not-reopened");
        } else if after_close && self.run.probe.follow_up.reopens {
            self.check(
                Stage::FollowUp,
                "reopened",
                Outcome::Pass,
                "the answer opens the ticket again",
                ticket.status_text.clone().unwrap_or_default(),
            );
        }
        self.observe(
            Observation::new(now, Some(Stage::FollowUp), Source::Desk, format!("ticket {number}"), token.as_str(), Looked::Found)
                .class(ResultClass::Ok)
                .fact("status", ticket.status_text.clone().unwrap_or_default()),
        );
        self.check(Stage::FollowUp, "joined", Outcome::Pass, format!("ticket {number}"), format!("ticket {number}"));
        let written = self.fill(&self.run.probe.follow_up.text, token);
        match check::compare_text(&written, &message.text) {
            None => self.check(Stage::FollowUp, "text", Outcome::Pass, first_line(&written), "as written"),
            Some(d) => {
                let hidden = message.html.as_deref().is_some_and(|h| token.is_in(h)) && !token.is_in(&message.text);
                self.check(Stage::FollowUp, "text", Outcome::Fail, first_line(&written), d.found);
                hints.push(if hidden || message.text.trim().is_empty() { "answer-quoted-out" } else { d.fault });
            }
        }
        if hints.is_empty() {
            self.close(Stage::FollowUp, Outcome::Pass);
        } else {
            self.fail(Stage::FollowUp, &hints);
        }
        Ok(Some(now))
    }

    /// A second message of the customer that lost its words: what was cut away held the token. A few words may be what a
    /// desk puts in their place, or a message of somebody else; so they count only once nothing better came.
    fn emptied<'m>(&self, messages: &'m [TicketMessage], final_look: bool) -> Option<&'m TicketMessage> {
        if self.by_chat(Stage::FollowUp) {
            return None;
        }
        let longest = if final_look { 40 } else { 0 };
        let first = self.token(Stage::Send)?;
        let sent = super::ports::act(&self.run, ActKind::FollowUp, "")?.intent;
        let customers = messages
            .iter()
            .filter(|m| m.author == Some(Author::Customer) && m.at.is_none_or(|at| at >= sent - jiff::SignedDuration::from_secs(60)));
        customers.skip(1).find(|m| !carries(m, &first) && m.text.trim().len() <= longest)
    }

    /// A ticket not known before that carries one of the run's tokens: the follow-up went there.
    pub(super) async fn look_for_second_ticket(&mut self, desk: &dyn Desk, token: &Token) -> Option<Walk<Option<Timestamp>>> {
        let first = self.token(Stage::Send)?;
        for wanted in [token.clone(), first] {
            let found = match desk.find(&self.needle(&wanted), View::Normal).await {
                Ok(found) => found,
                Err(trouble) => {
                    self.trouble(Stage::FollowUp, Source::Desk, "view normal", wanted.as_str(), &trouble);
                    continue;
                }
            };
            let new: Vec<_> = found.iter().filter(|f| !self.run.tickets.contains(&f.reference)).cloned().collect();
            for candidate in new {
                let ticket = match desk.read(&candidate.reference).await {
                    Ok(Some(ticket)) => ticket,
                    _ => continue,
                };
                let messages = if desk.capabilities().contains(&Capability::Messages) {
                    desk.messages(&ticket).await.unwrap_or_default()
                } else {
                    Vec::new()
                };
                let holds = messages.is_empty() || messages.iter().any(|m| carries(m, token));
                if holds {
                    return Some(self.second_ticket(&ticket));
                }
            }
        }
        None
    }

    fn second_ticket(&mut self, ticket: &Ticket) -> Walk<Option<Timestamp>> {
        let number = ticket.reference.number.clone();
        let first = self.run.ticket.as_ref().map(|t| t.number.clone()).unwrap_or_default();
        let stranger = ticket.requester.is_some() && !self.run.asked_for(ticket);
        self.observe(
            Observation::new(
                self.now(),
                Some(Stage::FollowUp),
                Source::Desk,
                format!("ticket {number}"),
                "customer's answer",
                Looked::Found,
            )
            .class(ResultClass::Ok),
        );
        if stranger {
            self.check(
                Stage::FollowUp,
                "joined",
                Outcome::Fail,
                format!("ticket {first}"),
                format!("ticket {number}, which belongs to somebody else"),
            );
            self.fail(Stage::FollowUp, &["merged-into-strangers-ticket"]);
            return Ok(Some(self.now()));
        }
        self.remember_ticket(&ticket.reference);
        let after_close = self.acted(ActKind::CloseFirst, "");
        if after_close && !self.run.probe.follow_up.reopens {
            self.check(Stage::FollowUp, "joined", Outcome::Pass, "a new ticket, since the first is closed", format!("ticket {number}"));
            self.note(format!("the answer to the closed ticket {first} opened ticket {number}, as the probe's policy says"));
            self.close(Stage::FollowUp, Outcome::Pass);
            return Ok(Some(self.now()));
        }
        self.check(Stage::FollowUp, "joined", Outcome::Fail, format!("ticket {first}"), format!("a second ticket, {number}"));
        // A special answer can fail for its own reason, or because no answer joins at all: only another probe can tell.
        let by_mail: &[&str] = match (after_close, self.run.probe.follow_up.to) {
            _ if self.acted(ActKind::MoveFirst, "") => &["moved-ticket-splits", "follow-up-opens-new-ticket"],
            (true, _) => &["closed-refuses", "follow-up-opens-new-ticket"],
            (false, FollowUpTo::Agent) => &["follow-up-opens-new-ticket"],
            (false, FollowUpTo::Acknowledgement) => &["reply-to-ack-opens-ticket", "follow-up-opens-new-ticket"],
            (false, FollowUpTo::Own) => &["reply-to-own-first-mail", "follow-up-opens-new-ticket"],
        };
        self.fail(Stage::FollowUp, self.causes_of_second_ticket().unwrap_or(by_mail));
        Ok(Some(self.now()))
    }

    async fn follow_up_lost(&mut self) -> Walk<Option<Timestamp>> {
        use super::land::LastLook;
        match self.last_look_at_mailbox(Stage::FollowUp).await? {
            LastLook::Again(at) => return Ok(Some(at)),
            LastLook::Trouble(trouble) => self.note(format!("the mailbox could not be searched for a bounce: {}", trouble.message)),
            LastLook::Done => {}
        }
        self.judge_mails();
        if self.outcome(Stage::FollowUp).is_some() {
            return Ok(Some(self.now()));
        }
        let limit = self.run.probe.limit(Stage::FollowUp);
        if self.act(ActKind::FollowUp, "") == Some(&ActState::Uncertain) {
            self.check(
                Stage::FollowUp,
                "joined",
                Outcome::Unknown,
                "the customer's answer stands in the ticket",
                "nobody knows whether it was sent; it was not sent again",
            );
            self.unknown(Stage::FollowUp, "act-uncertain");
            return Ok(Some(self.now()));
        }
        self.check(
            Stage::FollowUp,
            "joined",
            Outcome::Fail,
            format!("the customer's answer stands in the ticket within {limit:?}"),
            "in no ticket",
        );
        let causes = self.causes_of_lost_follow_up(self.acted(ActKind::CloseFirst, ""));
        self.fail(Stage::FollowUp, &causes);
        Ok(Some(self.now()))
    }
}

/// The token stands in what the desk keeps of a message, shown or hidden.
pub(super) fn carries(message: &TicketMessage, token: &Token) -> bool {
    token.is_in(&message.text) || message.html.as_deref().is_some_and(|h| token.is_in(h))
}
