//! The agent's answer: posted through the desk by us, or awaited from a person, and seen to be stored as public.

use super::journey::{Journey, Walk};
use super::judge::first_line;
use super::land::in_words;
use super::ports::{Acted, Desk, Trouble};
use crate::model::{
    ActKind, ActState, AfterStage, Author, Capability, Looked, Observation, Outcome, Party, ReplyContent, ReplyMode, ResultClass, Source,
    Stage, Ticket, TicketMessage, TicketRef,
};
use jiff::Timestamp;

const VANISHED: &str = "ticket-vanished";
const NOT_WRITTEN: &str = "reply-not-written";

/// Why a ticket could not be read, or may not be touched.
pub(super) struct Unread {
    /// The fault's id.
    pub(super) fault: &'static str,
    /// In words.
    pub(super) why: String,
}

impl Unread {
    pub(super) fn of(trouble: &Trouble) -> Unread {
        Unread { fault: trouble.fault, why: in_words(trouble) }
    }

    pub(super) fn gone(ticket: &TicketRef) -> Unread {
        Unread { fault: VANISHED, why: format!("ticket {} is gone", ticket.number) }
    }

    pub(super) fn not_ours(why: String) -> Unread {
        Unread { fault: NOT_WRITTEN, why }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.fault == VANISHED
    }

    /// The fault of what this kept from being done; a desk's trouble is called by its own name.
    pub(super) fn kept_back(&self) -> &'static str {
        if self.is_gone() { NOT_WRITTEN } else { self.fault }
    }
}

impl Journey<'_> {
    /// Writes the answer once, then watches it at the desk until it is there.
    pub(super) async fn reply(&mut self) -> Walk<Option<Timestamp>> {
        if self.outcome(Stage::Reply).is_some()
            || !self.takes(Stage::Reply)
            || self.outcome(Stage::Land) != Some(Outcome::Pass) && !self.landed_with_duplicates()
        {
            return Ok(None);
        }
        let acknowledged = !self.takes(Stage::Acknowledge) || self.outcome(Stage::Acknowledge).is_some();
        if self.run.probe.reply.after == AfterStage::Acknowledge && !acknowledged || self.answer_waits() || self.canary_waits() {
            return Ok(None);
        }
        self.open(Stage::Reply);
        let Some(desk) = self.desk() else {
            self.unknown(Stage::Reply, "desk-gone");
            return Ok(None);
        };
        if !self.poll_due("reply") {
            return Ok(Some(self.poll_next("reply")));
        }
        match (self.run.probe.reply.mode, self.act(ActKind::Reply, "").cloned()) {
            (ReplyMode::Await, _) => self.await_answer(&*desk).await,
            (ReplyMode::Post, None) => self.post_answer(&*desk).await,
            (ReplyMode::Post, Some(ActState::Failed(_))) => {
                self.unknown(Stage::Reply, NOT_WRITTEN);
                Ok(None)
            }
            (ReplyMode::Post, Some(_)) => self.verify_answer(&*desk).await,
        }
    }

    /// Two tickets for one request fail landing, but the journey goes on with one of them.
    pub(super) fn landed_with_duplicates(&self) -> bool {
        self.outcome(Stage::Land) == Some(Outcome::Fail)
            && self.run.stages.get(&Stage::Land).is_some_and(|r| r.hints == ["double-fetch-duplicates"])
    }

    async fn post_answer(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let Some(reference) = self.run.ticket.clone() else { return Ok(None) };
        let ticket = match self.guarded_ticket(desk, &reference).await {
            Ok(ticket) => ticket,
            Err(unread) => return self.answer_not_written(&unread),
        };
        self.leave_before_answer().await?;
        let token = self.new_message(Stage::Reply, Party::Agent, None, String::new());
        let content = ReplyContent {
            text: self.fill(&self.run.probe.reply.text, &token),
            html: self.run.probe.reply.html.as_ref().map(|h| self.fill(h, &token)),
            attachments: self.run.probe.reply.attachments.clone(),
        };
        self.begin_act(ActKind::Reply, "").await?;
        match desk.reply(&ticket, &content).await {
            Ok(_) => {
                self.check(Stage::Reply, "taken", Outcome::Pass, "the desk takes the answer", "taken");
                self.finish_act(ActKind::Reply, "", ActState::Done).await?;
                self.open(Stage::Return);
            }
            Err(Acted::NotDone(trouble)) => {
                self.trouble(Stage::Reply, Source::Desk, &format!("ticket {}", reference.number), "answer", &trouble);
                self.check(Stage::Reply, "taken", Outcome::Unknown, "the desk takes the answer", in_words(&trouble));
                self.finish_act(ActKind::Reply, "", ActState::Failed(trouble.message.clone())).await?;
                self.unknown(Stage::Reply, trouble.fault);
                return Ok(Some(self.now()));
            }
            Err(Acted::Uncertain(trouble)) => {
                self.trouble(Stage::Reply, Source::Desk, &format!("ticket {}", reference.number), "answer", &trouble);
                self.finish_act(ActKind::Reply, "", ActState::Uncertain).await?;
                self.open(Stage::Return);
            }
        }
        self.verify_answer(desk).await
    }

    /// The guard refused: try again within the limit, since a desk may be slow to show a ticket whole.
    fn answer_not_written(&mut self, unread: &Unread) -> Walk<Option<Timestamp>> {
        self.poll_again("reply", Stage::Reply, false, None);
        if self.now() >= self.deadline(Stage::Reply) {
            let found = format!("nothing was written: {}", unread.why);
            self.check(Stage::Reply, "own ticket", Outcome::Unknown, "a ticket with our token and our address as requester", found);
            self.unknown(Stage::Reply, unread.kept_back());
            return Ok(Some(self.now()));
        }
        Ok(Some(self.poll_next("reply")))
    }

    async fn verify_answer(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let uncertain = self.act(ActKind::Reply, "") == Some(&ActState::Uncertain);
        if uncertain {
            self.open(Stage::Return);
        }
        if !desk.capabilities().contains(&Capability::Messages) {
            if !uncertain {
                self.close(Stage::Reply, Outcome::Pass);
                return Ok(Some(self.now()));
            }
            return self.answer_still_uncertain();
        }
        let deadline = self.deadline(Stage::Reply);
        let Some(token) = self.token(Stage::Reply) else { return Ok(None) };
        let looked_at = self.now();
        match self.read_messages(desk).await {
            Ok((_, messages)) => {
                self.poll_again("reply", Stage::Reply, true, None);
                if let Some(message) = messages.iter().find(|m| token.is_in(&m.text) && m.author != Some(Author::Customer)) {
                    self.answer_stored(message);
                    return Ok(None);
                }
                let place = format!("ticket {}", self.run.ticket.as_ref().map(|t| t.number.clone()).unwrap_or_default());
                self.observe(
                    Observation::new(looked_at, Some(Stage::Reply), Source::Desk, place, token.as_str(), Looked::Empty)
                        .class(ResultClass::Empty),
                );
                if looked_at >= deadline {
                    if uncertain {
                        return self.answer_still_uncertain();
                    }
                    self.check(
                        Stage::Reply,
                        "stored",
                        Outcome::Fail,
                        "the answer stands in the ticket",
                        "the desk took it and does not show it",
                    );
                    self.fail(Stage::Reply, &["reply-not-stored"]);
                    return Ok(Some(self.now()));
                }
            }
            Err(Unread { fault, why }) => {
                self.poll_again("reply", Stage::Reply, false, None);
                if self.now() >= self.grace(Stage::Reply) {
                    let fault = if uncertain { "act-uncertain" } else { fault };
                    self.unread(Stage::Reply, "stored", "the answer stands in the ticket", Unread { fault, why });
                    return Ok(Some(self.now()));
                }
            }
        }
        Ok(Some(self.poll_next("reply")))
    }

    fn answer_still_uncertain(&mut self) -> Walk<Option<Timestamp>> {
        if self.now() < self.deadline(Stage::Reply) {
            return Ok(Some(self.deadline(Stage::Reply)));
        }
        self.check(
            Stage::Reply,
            "stored",
            Outcome::Unknown,
            "the answer stands in the ticket",
            "nobody knows whether it was written; it was not written again",
        );
        self.unknown(Stage::Reply, "act-uncertain");
        Ok(Some(self.now()))
    }

    fn answer_stored(&mut self, message: &TicketMessage) {
        let now = self.now();
        let token = self.token(Stage::Reply).map(|t| t.0).unwrap_or_default();
        let number = self.run.ticket.as_ref().map(|t| t.number.clone()).unwrap_or_default();
        self.observe(
            Observation::new(now, Some(Stage::Reply), Source::Desk, format!("ticket {number}"), token, Looked::Found)
                .class(ResultClass::Ok)
                .fact("public", serde_json::json!(message.public))
                .fact("delivery", message.delivery.clone().unwrap_or_default()),
        );
        if self.act(ActKind::Reply, "") == Some(&ActState::Uncertain) {
            self.set_act(ActKind::Reply, "", ActState::FoundDone);
            self.note("the answer was written although its result was never stored; it was found and not written again");
        }
        if message.public == Some(false) {
            self.check(Stage::Reply, "public", Outcome::Fail, "stored for the customer to see", "stored as an internal note");
            self.fail(Stage::Reply, &["reply-stays-internal"]);
            return;
        }
        self.check(
            Stage::Reply,
            "public",
            Outcome::Pass,
            "stored for the customer to see",
            if message.public.is_some() { "public" } else { "the desk does not tell" },
        );
        if let Some(words) = message.delivery.as_deref().filter(|d| d.starts_with("failed")) {
            self.check(Stage::Reply, "delivery", Outcome::Fail, "handed to the outbound path", words);
            self.fail(Stage::Reply, &["reply-fails-unnoticed"]);
            return;
        }
        self.close(Stage::Reply, Outcome::Pass);
        self.open(Stage::Return);
    }

    /// Decides a stage whose ticket could not be read to the end: a ticket that is gone is the desk's doing.
    pub(super) fn unread(&mut self, stage: Stage, check: &str, expected: &str, unread: Unread) {
        if unread.is_gone() {
            self.check(stage, check, Outcome::Fail, expected, unread.why);
            self.fail(stage, &[unread.fault]);
        } else {
            self.check(stage, check, Outcome::Unknown, expected, unread.why);
            self.unknown(stage, unread.fault);
        }
    }

    /// Reads the ticket and its messages.
    pub(super) async fn read_messages(&mut self, desk: &dyn Desk) -> Result<(Ticket, Vec<TicketMessage>), Unread> {
        let Some(reference) = self.run.ticket.clone() else {
            return Err(Unread { fault: VANISHED, why: "there is no ticket".to_owned() });
        };
        let ticket = match desk.read(&reference).await {
            Ok(Some(ticket)) => ticket,
            Ok(None) => return Err(Unread::gone(&reference)),
            Err(trouble) => {
                self.trouble(Stage::Reply, Source::Desk, &format!("ticket {}", reference.number), "messages", &trouble);
                return Err(Unread::of(&trouble));
            }
        };
        match desk.messages(&ticket).await {
            Ok(messages) => {
                self.judge_own_responder(&ticket, &messages);
                Ok((ticket, messages))
            }
            Err(trouble) => {
                self.trouble(Stage::Reply, Source::Desk, &format!("ticket {}", reference.number), "messages", &trouble);
                Err(Unread::of(&trouble))
            }
        }
    }

    /// What the desk itself says of the answer's delivery, when it says that it failed.
    pub(super) async fn delivery_of_answer(&mut self) -> Option<String> {
        let token = self.token(Stage::Reply)?;
        let desk = self.desk()?;
        if !desk.capabilities().contains(&Capability::Messages) {
            return None;
        }
        let (_, messages) = self.read_messages(&*desk).await.ok()?;
        let answer = messages.into_iter().find(|m| token.is_in(&m.text) && m.author != Some(Author::Customer))?;
        answer.delivery.filter(|d| d.starts_with("failed"))
    }

    /// Waits for a person: a public message of an agent.
    async fn await_answer(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        self.open(Stage::Return);
        let deadline = self.deadline(Stage::Reply);
        let looked_at = self.now();
        let limit = self.run.probe.limit(Stage::Reply);
        let seen_by_mail = self.outcome(Stage::Return) == Some(Outcome::Pass);
        match self.read_messages(desk).await {
            Ok((_, messages)) => {
                self.poll_again("reply", Stage::Reply, true, None);
                let answer = messages.iter().find(|m| m.author == Some(Author::Agent) && m.public != Some(false));
                if let Some(message) = answer {
                    let number = self.run.ticket.as_ref().map(|t| t.number.clone()).unwrap_or_default();
                    self.observe(
                        Observation::new(
                            looked_at,
                            Some(Stage::Reply),
                            Source::Desk,
                            format!("ticket {number}"),
                            "agent's answer",
                            Looked::Found,
                        )
                        .class(ResultClass::Ok)
                        .raw(message.text.clone()),
                    );
                    self.check(Stage::Reply, "answered", Outcome::Pass, "a person answers", first_line(&message.text));
                    self.close(Stage::Reply, Outcome::Pass);
                    self.reconsider_mails();
                    return Ok(Some(self.now()));
                }
                if seen_by_mail {
                    self.close(Stage::Reply, Outcome::Pass);
                    return Ok(Some(self.now()));
                }
                if looked_at >= deadline {
                    self.check(Stage::Reply, "answered", Outcome::Fail, format!("a person answers within {limit:?}"), "nobody did");
                    self.fail(Stage::Reply, &["no-human-answer"]);
                    return Ok(Some(self.now()));
                }
            }
            Err(unread) => {
                self.poll_again("reply", Stage::Reply, false, None);
                if self.now() >= self.grace(Stage::Reply) {
                    self.unread(Stage::Reply, "answered", "a person answers", unread);
                    return Ok(Some(self.now()));
                }
            }
        }
        Ok(Some(self.poll_next("reply")))
    }

    /// True while an answer may still reach the customer although the desk did not show it as it should.
    pub(super) fn answer_may_come(&self) -> bool {
        match self.act(ActKind::Reply, "") {
            Some(ActState::Done | ActState::FoundDone | ActState::Uncertain) => {
                let hints = self.run.stages.get(&Stage::Reply).map(|r| r.hints.clone()).unwrap_or_default();
                !hints.iter().any(|h| h == "reply-stays-internal" || h == "reply-fails-unnoticed" || h == "act-uncertain")
            }
            _ => false,
        }
    }
}
