//! The desk: tickets and what happens to them.

pub(crate) mod api;
mod body;
pub(crate) mod import;
pub(crate) mod intake;
pub(crate) mod outbound;

use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// At most so many tickets; the oldest are forgotten.
const TICKET_LIMIT: usize = 10_000;
/// At most so many messages in the log of the mail exchanger.
const LOG_LIMIT: usize = 10_000;
/// How much of one message's text the search knows.
const SEARCH_LIMIT: usize = 64 * 1024;

/// Where agents find a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Among all others.
    Normal,
    /// Held back.
    Suspended,
    /// Marked as spam.
    Spam,
    /// In the bin.
    Deleted,
}

/// What state a ticket is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody answered yet.
    New,
    /// The customer wrote last.
    Open,
    /// The desk wrote last.
    Waiting,
    /// A bot has it; nobody looks at it yet.
    Bot,
    /// Done.
    Closed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Open => "open",
            Status::Waiting => "waiting",
            Status::Bot => "bot",
            Status::Closed => "closed",
        }
    }
}

/// By which way in a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Mail.
    Email,
    /// The web form.
    Form,
    /// The live chat, offline messages too.
    Chat,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// The customer.
    Customer,
    /// An agent.
    Agent,
    /// The desk itself.
    System,
    /// The bot of the chat.
    Bot,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its number.
    pub id: u64,
    /// File name.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Arc<Vec<u8>>,
}

/// One message of a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: u64,
    /// False for internal notes.
    pub public: bool,
    /// Who wrote it.
    pub author: Author,
    /// The address of a customer's mail.
    pub from: Option<String>,
    /// To whom an outgoing mail is addressed.
    pub to: Vec<String>,
    /// Text as agents see it.
    pub text: String,
    /// HTML as stored.
    pub html: Option<String>,
    /// When it was stored.
    pub created: Timestamp,
    /// Message-ID without angle brackets.
    pub message_id: Option<String>,
    /// For outgoing mail: `sent` or `failed: …`; none while it waits.
    pub delivery: Option<String>,
    /// Files.
    pub files: Vec<StoredFile>,
}

/// One line of a ticket's history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When.
    #[serde(serialize_with = "api::time")]
    pub at: Timestamp,
    /// `system`, `rule NAME` or an agent's name.
    pub who: String,
    /// `created`, `queue`, `status`, `reply`, `note`, `follow_up`, `automatic_reply`, `merged`.
    pub kind: &'static str,
    /// The field that changed.
    pub field: Option<&'static str>,
    /// Its old value.
    pub old: Option<String>,
    /// Its new value.
    pub new: Option<String>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// Its number in addresses of the API.
    pub id: u64,
    /// Title.
    pub subject: String,
    /// Queue by name.
    pub queue: String,
    /// The way in.
    pub channel: Channel,
    /// State.
    pub status: Status,
    /// View.
    pub place: Place,
    /// Why it is held back.
    pub hold_cause: Option<String>,
    /// The customer's address.
    pub requester: String,
    /// The customer's name.
    pub requester_name: String,
    /// Priority.
    pub priority: String,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Custom fields.
    pub fields: BTreeMap<String, String>,
    /// Messages, oldest first.
    pub messages: Vec<Message>,
    /// History, oldest first.
    pub history: Vec<Event>,
    /// Where its first mail lies: the queue's mailbox and the UID there.
    pub(crate) source: Option<(usize, u32)>,
    /// Everything the search knows, lower case.
    pub(crate) search: String,
}

/// What agents call the ticket with this id.
pub(crate) fn number(id: u64) -> String {
    format!("SB-{id}")
}

impl Ticket {
    /// What agents call it.
    pub fn number(&self) -> String {
        number(self.id)
    }

    /// True when nobody is to do anything about it any more.
    pub(crate) fn is_done(&self) -> bool {
        self.status == Status::Closed || self.place == Place::Deleted
    }

    /// Adds text to what the search knows.
    pub(crate) fn index(&mut self, text: &str) {
        let cut = text.char_indices().map(|(at, _)| at).find(|at| *at >= SEARCH_LIMIT).unwrap_or(text.len());
        self.search.push_str(&text[..cut].to_lowercase());
        self.search.push('\n');
    }

    pub(crate) fn note(&mut self, at: Timestamp, who: &str, kind: &'static str) {
        self.history.push(Event { at, who: who.to_owned(), kind, field: None, old: None, new: None });
    }

    /// Changes the status and says so in the history.
    pub(crate) fn set_status(&mut self, at: Timestamp, who: &str, status: Status) {
        if self.status != status {
            let (old, new) = (Some(self.status.as_str().to_owned()), Some(status.as_str().to_owned()));
            self.history.push(Event { at, who: who.to_owned(), kind: "status", field: Some("status"), old, new });
            self.status = status;
        }
    }

    /// Moves it and says so in the history.
    pub(crate) fn set_queue(&mut self, at: Timestamp, who: &str, queue: &str) {
        if self.queue != queue {
            let (old, new) = (Some(self.queue.clone()), Some(queue.to_owned()));
            self.history.push(Event { at, who: who.to_owned(), kind: "queue", field: Some("queue"), old, new });
            self.queue = queue.to_owned();
        }
    }

    pub(crate) fn message_mut(&mut self, id: u64) -> Option<&mut Message> {
        self.messages.iter_mut().find(|m| m.id == id)
    }
}

/// A message that the desk's mail exchanger took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The bytes.
    pub raw: Arc<Vec<u8>>,
}

/// All that the desk stores.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) tickets: BTreeMap<u64, Ticket>,
    pub(crate) received: VecDeque<Received>,
    files: HashMap<u64, StoredFile>,
    by_message_id: HashMap<String, u64>,
    next_ticket: u64,
    next_part: u64,
}

impl Desk {
    pub(crate) fn new(first_ticket: u64) -> Desk {
        Desk {
            tickets: BTreeMap::new(),
            received: VecDeque::new(),
            files: HashMap::new(),
            by_message_id: HashMap::new(),
            next_ticket: first_ticket,
            next_part: 1,
        }
    }

    /// A number for a message or file.
    pub(crate) fn next_part(&mut self) -> u64 {
        self.next_part += 1;
        self.next_part
    }

    pub(crate) fn next_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Stores a new ticket; above the limit the oldest is forgotten.
    pub(crate) fn insert(&mut self, ticket: Ticket) {
        self.tickets.insert(ticket.id, ticket);
        if self.tickets.len() > TICKET_LIMIT
            && let Some((_, oldest)) = self.tickets.pop_first()
        {
            for message in oldest.messages {
                for file in &message.files {
                    self.files.remove(&file.id);
                }
                if let Some(id) = &message.message_id {
                    self.by_message_id.remove(id);
                }
            }
        }
    }

    pub(crate) fn log(&mut self, received: Received) {
        self.received.push_back(received);
        if self.received.len() > LOG_LIMIT {
            self.received.pop_front();
        }
    }

    pub(crate) fn add_files(&mut self, files: Vec<super::mime::File>) -> Vec<StoredFile> {
        let stored: Vec<StoredFile> = files
            .into_iter()
            .map(|f| StoredFile { id: self.next_part(), name: f.name, content_type: f.content_type, bytes: Arc::new(f.bytes) })
            .collect();
        self.files.extend(stored.iter().map(|f| (f.id, f.clone())));
        stored
    }

    pub(crate) fn file(&self, id: u64) -> Option<&StoredFile> {
        self.files.get(&id)
    }

    /// True when the file belongs to a message of a chat.
    pub(crate) fn is_of_chat(&self, file: u64) -> bool {
        let of_chat = self.tickets.values().filter(|t| t.channel == Channel::Chat);
        of_chat.flat_map(|t| &t.messages).any(|m| m.files.iter().any(|f| f.id == file))
    }

    /// Remembers that mails with this Message-ID belong to the ticket; an older ticket keeps it while it lives.
    pub(crate) fn bind(&mut self, message_id: &str, ticket: u64) {
        if self.ticket_of(message_id).is_none_or(|old| self.live(old).is_none()) {
            self.by_message_id.insert(message_id.to_owned(), ticket);
        }
    }

    pub(crate) fn ticket_of(&self, message_id: &str) -> Option<u64> {
        self.by_message_id.get(message_id).copied()
    }

    /// True when the Message-ID is that of an automatic reply.
    pub(crate) fn is_automatic_reply(&self, message_id: &str) -> bool {
        let ticket = self.ticket_of(message_id).and_then(|id| self.tickets.get(&id));
        ticket.is_some_and(|t| t.messages.iter().any(|m| m.author == Author::System && m.message_id.as_deref() == Some(message_id)))
    }

    /// A ticket that has not been deleted.
    pub(crate) fn live(&mut self, id: u64) -> Option<&mut Ticket> {
        self.tickets.get_mut(&id).filter(|t| t.place != Place::Deleted)
    }
}
