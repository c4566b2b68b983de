//! What the engine needs of the other two ways in: web forms and live chat, as traits.
//!
//! Both end short of their goal in the same way, as a [`Stop`]: what customers meet too is a failure, what only we meet
//! (a captcha, our own network) is unknown.

use crate::model::{
    Attachment, ChatChannel, ChatLine, FormChannel, FormPrint, Outcome, OutgoingAttachment, Probe, ResultClass, RunId, Token,
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;

/// How a form or a chat stopped short of its goal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{found}")]
pub struct Stop {
    /// `Fail`: customers meet this too. `Unknown`: it says nothing of what customers meet.
    pub outcome: Outcome,
    /// Fault ids that it points to, ranked, at most three.
    pub faults: Vec<&'static str>,
    /// What was there instead, in one sentence without secrets: `the page answered 503`.
    pub found: String,
    /// What to do, where something can be done by us: `allow the probe's address, or use a form without captcha`.
    pub advice: Option<String>,
    /// How the call ended.
    pub class: ResultClass,
    /// For an act: nothing was done for certain. False: nobody knows.
    pub no_effect: bool,
    /// Trying again within the limit may help (only with `no_effect`).
    pub passing: bool,
    /// How long the other side asks us to wait.
    pub retry_after: Option<Duration>,
    /// What was seen on the way.
    pub seen: Box<Seen>,
}

impl Stop {
    /// What customers meet too.
    pub fn failed(fault: &'static str, class: ResultClass, found: impl Into<String>) -> Stop {
        Stop::new(Outcome::Fail, fault, class, found)
    }

    /// What says nothing of what customers meet.
    pub fn unknown(fault: &'static str, class: ResultClass, found: impl Into<String>) -> Stop {
        Stop::new(Outcome::Unknown, fault, class, found)
    }

    fn new(outcome: Outcome, fault: &'static str, class: ResultClass, found: impl Into<String>) -> Stop {
        Stop {
            outcome,
            faults: vec![fault],
            found: found.into(),
            advice: None,
            class,
            no_effect: true,
            passing: false,
            retry_after: None,
            seen: Box::default(),
        }
    }

    /// Nobody knows whether it was done.
    #[must_use]
    pub fn uncertain(mut self) -> Stop {
        self.no_effect = false;
        self
    }

    /// Trying again may help.
    #[must_use]
    pub fn passing(mut self) -> Stop {
        self.passing = true;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn advice(mut self, text: impl Into<String>) -> Stop {
        self.advice = Some(text.into());
        self
    }

    /// Adds a less likely fault.
    #[must_use]
    pub fn or(mut self, fault: &'static str) -> Stop {
        self.faults.push(fault);
        self
    }
}

/// What was seen on the way: evidence for people and facts for the diagnosis. No secrets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Facts by name: `status`, `url`, `page_ms`, `usable_ms`, `submit_ms`, `console`, `screenshot` (a file's path), …
    pub facts: Map<String, Value>,
    /// The start of a page's text, an answer, a transcript.
    pub raw: Option<String>,
    /// What of the form should stay from run to run.
    pub print: Option<FormPrint>,
}

/// Who writes, in every way in.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Address.
    pub address: String,
    /// Name.
    pub name: String,
}

// ---------------------------------------------------------------------------------------- forms

/// A form to be filled in. Every text is filled: no `${…}` is left.
#[derive(Debug, Clone)]
pub struct FormOrder {
    /// For which run.
    pub run: RunId,
    /// Its probe.
    pub probe: String,
    /// The desk, for recipes.
    pub desk: Option<String>,
    /// Who writes.
    pub customer: Customer,
    /// The form, with every text filled in.
    pub form: FormChannel,
    /// The token in the texts.
    pub token: Token,
}

/// A form that is filled in and waits to be submitted. Dropping it submits nothing.
#[async_trait]
pub trait FilledForm: Send {
    /// What was seen so far.
    fn seen(&self) -> &Seen;
    /// Submits, once, and reads the thank-you. A `Stop` with `no_effect` was certainly not taken.
    async fn submit(self: Box<Self>) -> Result<Thanks, Stop>;
}

/// What a form said when it took the request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thanks {
    /// The thank-you's words.
    pub text: String,
    /// The ticket's number that it gives.
    pub number: Option<String>,
    /// What was seen of the submission.
    pub seen: Seen,
}

/// Web forms, in every way of filling them in.
#[async_trait]
pub trait Forms: Send + Sync {
    /// Opens the page, finds the form, fills it in, takes a person's time. Changes nothing at the desk.
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop>;
    /// Looks at the page only, for `doctor`: lines for people. Submits nothing.
    async fn doctor(&self, order: &FormOrder) -> Result<Vec<String>, Stop>;
}

// ---------------------------------------------------------------------------------------- chat

/// A conversation to be had. Every text is filled: no `${…}` is left, but `${line}` in a widget's steps.
#[derive(Debug, Clone)]
pub struct ChatOrder {
    /// For which run.
    pub run: RunId,
    /// Its probe: a kept visitor belongs to it.
    pub probe: String,
    /// The desk.
    pub desk: Option<String>,
    /// Who writes.
    pub customer: Customer,
    /// The chat, with every text filled in.
    pub chat: ChatChannel,
    /// The conversation, once it has begun.
    pub conversation: Option<String>,
    /// The visitor as it was given back before, encrypted; for a kept visitor also from an earlier run.
    pub sealed: Option<String>,
    /// When the run began.
    pub since: Timestamp,
}

/// A line to be said.
#[derive(Debug, Clone)]
pub struct Saying {
    /// The text.
    pub text: String,
    /// Its token.
    pub token: Token,
    /// Files.
    pub attachments: Vec<OutgoingAttachment>,
}

/// Whether chat is offered to visitors.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// None: the desk does not tell.
    pub offered: Option<bool>,
    /// What was seen.
    pub seen: Seen,
}

/// A conversation that has begun.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Begun {
    /// The conversation's id; none when the desk gave none.
    pub conversation: Option<String>,
    /// The visitor's id as agents may see it.
    pub visitor: Option<String>,
    /// The visitor, encrypted, to be stored.
    pub sealed: Option<String>,
    /// The conversation is that of a second window, which was given another one.
    pub in_second_window: bool,
    /// What was seen.
    pub seen: Seen,
}

/// How the push path of a conversation is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// The transport cannot push, or there is none.
    None,
    /// Open without a break since then.
    Open(Timestamp),
    /// Broken, or broken meanwhile: what was not pushed proves nothing.
    Broken(String),
}

/// What the visitor has of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatView {
    /// Every line known, oldest first.
    pub lines: Vec<ChatLine>,
    /// The push path to the visitor.
    pub push: Push,
    /// The push path to the agents, where it is listened to.
    pub agents: Push,
    /// The desk ended the conversation.
    pub ended: bool,
    /// What was seen.
    pub seen: Seen,
}

/// The visitor's side of live chats: one listener for each conversation, however often it is looked at.
#[async_trait]
pub trait Chats: Send + Sync {
    /// Opens what a visitor opens and sees whether chat is offered (and its frame allowed). Changes nothing.
    async fn offer(&self, order: &ChatOrder) -> Result<Offer, Stop>;
    /// Begins a conversation with its first line, answers the questions before it, and listens from then on.
    async fn begin(&self, order: &ChatOrder, first: &Saying) -> Result<Begun, Stop>;
    /// Leaves an offline message instead.
    async fn leave_message(&self, order: &ChatOrder, message: &Saying) -> Result<Begun, Stop>;
    /// Says a further line.
    async fn say(&self, order: &ChatOrder, line: &Saying) -> Result<(), Stop>;
    /// Reads the stored conversation and gives it with everything pushed. Reopens the listener where it is gone.
    async fn look(&self, order: &ChatOrder) -> Result<ChatView, Stop>;
    /// Gives what was pushed so far, without a call; none when nobody listens.
    fn heard(&self, run: &RunId) -> Option<ChatView>;
    /// Keeps listening until then; `ChannelEvent::Moved` tells of every new line.
    fn listen(&self, order: &ChatOrder, until: Timestamp);
    /// Opens a second window as the same visitor, then closes the first and opens it again. Gives the conversation that is
    /// there then; one of a second window only when it is another.
    async fn reload(&self, order: &ChatOrder) -> Result<Begun, Stop>;
    /// Opens the window as somebody who was never there and says nothing. Gives the lines that he sees; none when this
    /// cannot be looked at.
    async fn as_stranger(&self, _order: &ChatOrder) -> Result<Option<Vec<ChatLine>>, Stop> {
        Ok(None)
    }
    /// Ends the visitor's side.
    async fn leave(&self, order: &ChatOrder) -> Result<(), Stop>;
    /// Fetches what is needed to compare a file of a line.
    async fn file(&self, order: &ChatOrder, line: &ChatLine, name: &str) -> Result<Attachment, Stop>;
    /// Looks only, for `doctor`.
    async fn doctor(&self, probe: &Probe) -> Result<Vec<String>, Stop>;
}

/// Neither forms nor chats: for commands and tests that only write mail.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnlyMail;

fn not_here() -> Stop {
    Stop::unknown("mon-no-such-way", ResultClass::BrokenContract, "this command only writes mail")
}

#[async_trait]
impl Forms for OnlyMail {
    async fn fill_in(&self, _: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        Err(not_here())
    }
    async fn doctor(&self, _: &FormOrder) -> Result<Vec<String>, Stop> {
        Err(not_here())
    }
}

#[async_trait]
impl Chats for OnlyMail {
    async fn offer(&self, _: &ChatOrder) -> Result<Offer, Stop> {
        Err(not_here())
    }
    async fn begin(&self, _: &ChatOrder, _: &Saying) -> Result<Begun, Stop> {
        Err(not_here())
    }
    async fn leave_message(&self, _: &ChatOrder, _: &Saying) -> Result<Begun, Stop> {
        Err(not_here())
    }
    async fn say(&self, _: &ChatOrder, _: &Saying) -> Result<(), Stop> {
        Err(not_here())
    }
    async fn look(&self, _: &ChatOrder) -> Result<ChatView, Stop> {
        Err(not_here())
    }
    fn heard(&self, _: &RunId) -> Option<ChatView> {
        None
    }
    fn listen(&self, _: &ChatOrder, _: Timestamp) {}
    async fn reload(&self, _: &ChatOrder) -> Result<Begun, Stop> {
        Err(not_here())
    }
    async fn leave(&self, _: &ChatOrder) -> Result<(), Stop> {
        Err(not_here())
    }
    async fn file(&self, _: &ChatOrder, _: &ChatLine, _: &str) -> Result<Attachment, Stop> {
        Err(not_here())
    }
    async fn doctor(&self, _: &Probe) -> Result<Vec<String>, Stop> {
        Err(not_here())
    }
}
