//! A ticket as every desk definition maps it: one vocabulary for all platforms.

use super::{Attachment, OutgoingAttachment};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Enough to ask for a ticket again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketRef {
    /// The desk's id, as text.
    pub id: String,
    /// What agents call it; often the same.
    pub number: String,
}

/// The places in a desk in which a ticket can lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What agents look at.
    Normal,
    /// Held back: Zendesk's "suspended", quarantine.
    Suspended,
    /// Marked as spam.
    Spam,
    /// Closed tickets, where the normal search leaves them out.
    Closed,
    /// The bin.
    Deleted,
}

impl View {
    /// The name in desk files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            View::Normal => "normal",
            View::Suspended => "suspended",
            View::Spam => "spam",
            View::Closed => "closed",
            View::Deleted => "deleted",
        }
    }
}

/// A status that all desks can be mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Nobody touched it.
    New,
    /// Being worked on.
    Open,
    /// Waiting for somebody.
    Waiting,
    /// Solved or closed.
    Closed,
    /// Spam.
    Spam,
    /// Deleted.
    Deleted,
    /// Held by a bot: people do not see it among their open ones.
    Bot,
}

/// What a desk file can do. A stage that needs a missing one must be left out by the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Find tickets by token.
    Find,
    /// Read a ticket's fields.
    Read,
    /// Read a ticket's messages.
    Messages,
    /// Answer in public.
    Reply,
    /// Write an internal note.
    Note,
    /// Close.
    Close,
    /// Delete.
    Delete,
    /// Move to another queue.
    Move,
    /// Tag as a probe.
    Mark,
    /// Read who changed what.
    History,
    /// Prove that the login works, without touching a ticket.
    Health,
    /// Files of messages can be compared by hash.
    Files,
    /// Say whether agents are available for chat.
    Presence,
    /// A visitor can chat.
    Chat,
    /// A request can be made without mail, by a recipe.
    Create,
}

/// A ticket's fields. A field that the desk does not have, or that could not be read, is none:
/// an expectation on it ends as "cannot tell", never as pass or fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id and number.
    pub reference: TicketRef,
    /// Title.
    pub subject: Option<String>,
    /// Queue, group or inbox by name.
    pub queue: Option<String>,
    /// Status in the common words.
    pub status: Option<TicketStatus>,
    /// Status as the desk spells it.
    pub status_text: Option<String>,
    /// The customer's address.
    pub requester: Option<String>,
    /// Priority as the desk spells it.
    pub priority: Option<String>,
    /// Tags or labels.
    pub tags: Option<Vec<String>>,
    /// Channel as the desk sees it: `email`, `form`, `chat`, …
    pub channel: Option<String>,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// Why it is held back, where the desk says so.
    pub hold_cause: Option<String>,
    /// Custom fields by name.
    pub fields: std::collections::BTreeMap<String, String>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The requester.
    Customer,
    /// Somebody of the desk.
    Agent,
    /// The desk itself.
    System,
}

/// One message of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TicketMessage {
    /// The desk's id, as text.
    pub id: String,
    /// True when the customer may see it; none when the desk does not say.
    pub public: Option<bool>,
    /// Who wrote it.
    pub author: Option<Author>,
    /// Text as an agent reads it (HTML made text).
    pub text: String,
    /// HTML as stored.
    pub html: Option<String>,
    /// Time.
    pub at: Option<Timestamp>,
    /// Files.
    pub files: Vec<Attachment>,
    /// Message-ID that the desk gives for it, without angle brackets.
    pub message_id: Option<String>,
    /// The desk's own word on delivery: `sent`, `failed: …`.
    pub delivery: Option<String>,
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplyContent {
    /// Plain text.
    pub text: String,
    /// HTML; made from the text where the desk wants it and none is given.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<OutgoingAttachment>,
}

/// What the desk said to a reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplyReceipt {
    /// The new message's id, where given.
    pub message_id: Option<String>,
}

/// One change in a ticket's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Option<Timestamp>,
    /// Who: a person's name, a rule's, or the system's.
    pub who: String,
    /// What kind of change, as the desk spells it.
    pub kind: String,
    /// The field that changed, in canonical words where known: `queue`, `status`, `owner`.
    pub field: Option<String>,
    /// Old value.
    pub old: Option<String>,
    /// New value, or the text of the entry.
    pub new: Option<String>,
}
