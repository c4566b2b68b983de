//! Live chat as a way in: what a probe says of it, and what the visitor has seen.

use super::{Attachment, OutgoingAttachment, Token, millis};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The request by live chat. `${token}`, `${run}`, `${customer}` and `${address}` may stand in every text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatChannel {
    /// The company's page on which the chat stands: its origin is sent, and the frame must allow it.
    pub page: Option<String>,
    /// How the visitor chats.
    pub by: ChatBy,
    /// The visitor's first line.
    pub text: String,
    /// Files sent with the first line.
    pub attachments: Vec<OutgoingAttachment>,
    /// Answers to the questions before the chat, by their keys.
    pub prechat: BTreeMap<String, String>,
    /// Said when a bot answers, to reach a person; none: no bot is expected.
    pub hand_over: Option<String>,
    /// How often the visitor may have to say it.
    pub bot_turns: u32,
    /// What becomes of the run when no chat is offered.
    pub when_offline: WhenOffline,
    /// Where the answer comes.
    pub answer: AnswerBy,
    /// Who the visitor is.
    pub visitor: Visitor,
    /// Reload the page before the follow-up: the same conversation must be there.
    pub reload: bool,
    /// The answer must be pushed, not only be there after a look at the history. True where the transport can push.
    pub pushed: bool,
}

/// How the visitor chats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatBy {
    /// As the desk's definition says in `[chat]`.
    Desk,
    /// In Chromium, by steps.
    Widget(Widget),
}

/// A chat bubble in Chromium. Selectors are CSS; ` >>> ` steps into a shadow root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// From the page to a visitor who can write.
    pub open: Vec<WidgetStep>,
    /// Writes `${line}`.
    pub say: Vec<WidgetStep>,
    /// Ends the chat; empty: the window is only closed.
    pub close: Vec<WidgetStep>,
    /// The frame in which the lines are, from the page inwards.
    pub frame: Vec<String>,
    /// Every line of the conversation.
    pub line: String,
    /// Those of the lines that are the agent's.
    pub agent: Option<String>,
    /// Those of the lines that are a bot's or the system's.
    pub bot: Option<String>,
    /// How long a run may use the browser.
    #[serde(with = "millis")]
    pub limit: Duration,
}

/// One step in a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WidgetStep {
    /// Go into this frame (`""`: back to the page).
    Frame(String),
    /// Wait until it is there and can be seen.
    WaitFor(String),
    /// Click it.
    Click(String),
    /// Write a text into it.
    Write {
        /// Where.
        into: String,
        /// What.
        text: String,
    },
    /// Choose the option with this text.
    Choose {
        /// In which list.
        of: String,
        /// Which option.
        option: String,
    },
    /// Press a key in the element in focus: `Enter`, `Tab`, `Escape`.
    Press(String),
}

/// What becomes of a run when no chat is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenOffline {
    /// Chat must be offered: it fails at `send`.
    Fail,
    /// It ends as unknown: outside the hours of chat nothing can be tested.
    Unknown,
    /// The visitor leaves a message, which must become a ticket; the answer comes by mail.
    Message,
}

/// Where the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerBy {
    /// Into the chat window.
    Chat,
    /// Into the customer's mailbox (after the visitor has gone, or always).
    Email,
}

/// Who the visitor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visitor {
    /// Somebody new in every run.
    Fresh,
    /// The same in every run of the probe: some desks allow only a handful of new visitors an hour.
    Kept,
}

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The visitor, that is: us.
    Visitor,
    /// A person of the desk, or replypath as one.
    Agent,
    /// A bot.
    Bot,
    /// The desk itself: greeting, confirmation, "you are number 3".
    System,
}

/// One line as the visitor's side has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatLine {
    /// The desk's id of the line.
    pub id: Option<String>,
    /// Who says it; none when the desk does not say.
    pub speaker: Option<Speaker>,
    /// What.
    pub text: String,
    /// When, by the desk.
    pub at: Option<Timestamp>,
    /// When it was pushed to the visitor.
    pub pushed: Option<Timestamp>,
    /// When it was first seen in the stored conversation.
    pub stored: Option<Timestamp>,
    /// When the desk told the agents of it, where the agents' side is listened to.
    pub shown: Option<Timestamp>,
    /// Files, by size and hash where they could be fetched; `size` none: the file could not be fetched.
    pub files: Vec<Attachment>,
    /// Tokens of this installation in it.
    pub tokens: Vec<Token>,
}

/// What a run must remember to go on with its conversation, also in another process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatMemory {
    /// The conversation's id at the desk, as it was given when it began.
    pub conversation: Option<String>,
    /// The visitor's id at the desk, as agents may see it.
    pub visitor: Option<String>,
    /// What makes the visitor the visitor (cookies, tokens), encrypted.
    pub sealed: Option<String>,
    /// A message was left instead, since no chat was offered.
    pub offline: bool,
    /// How often a person was asked for.
    pub turns: u32,
    /// A bot had the conversation when the ticket was last read.
    #[serde(default)]
    pub with_bot: bool,
    /// The window was reloaded.
    pub reloaded: bool,
    /// The lines seen so far.
    pub lines: Vec<ChatLine>,
}
