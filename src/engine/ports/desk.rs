//! What the engine asks of a support desk.

use super::Trouble;
use crate::model::{Capability, HistoryEntry, ReplyContent, ReplyReceipt, Ticket, TicketMessage, TicketRef, Token, View};
use async_trait::async_trait;
use jiff::Timestamp;

/// What to look for at a desk.
#[derive(Debug, Clone)]
pub struct Needle {
    /// The token.
    pub token: Token,
    /// The subject as written (for desks that only list).
    pub subject: String,
    /// The customer's address.
    pub address: String,
    /// Not older than this.
    pub since: Timestamp,
    /// The conversation's id as it was given when a chat began; desks without a search are asked for it.
    pub conversation: Option<String>,
    /// The ticket's number as the form's thank-you gave it.
    pub number: Option<String>,
}

/// A ticket found, with the little that the list says.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundTicket {
    /// Id and number.
    pub reference: TicketRef,
    /// In which view.
    pub view: View,
    /// The find strategy that found it.
    pub strategy: String,
    /// An earlier strategy that had properly answered "nothing": it does not know the ticket (yet).
    pub missed_by: Option<String>,
    /// The page of the desk's list on which it stood, from 1.
    pub page: usize,
    /// Why it is held back, where the list says so.
    pub hold_cause: Option<String>,
}

/// One desk, spoken to through its definition file.
///
/// Destructive calls do not guard themselves: the engine re-reads the ticket just before (token and requester).
#[async_trait]
pub trait Desk: Send + Sync {
    /// What the definition can do.
    fn capabilities(&self) -> &[Capability];
    /// The views in which `find` can look; `Normal` is always one.
    fn views(&self) -> &[View];
    /// True until somebody recorded the real product.
    fn unproven(&self) -> bool;
    /// Finds tickets by token in one view. `Ok(vec![])` is a proper empty answer.
    async fn find(&self, needle: &Needle, view: View) -> Result<Vec<FoundTicket>, Trouble>;
    /// Reads a ticket; `Ok(None)`: properly answered that it is gone.
    async fn read(&self, id: &TicketRef) -> Result<Option<Ticket>, Trouble>;
    /// Reads a ticket's messages, oldest first, with hashes of files where the desk gives the bytes.
    async fn messages(&self, ticket: &Ticket) -> Result<Vec<TicketMessage>, Trouble>;
    /// Reads a ticket's history, oldest first.
    async fn history(&self, id: &TicketRef) -> Result<Vec<HistoryEntry>, Trouble>;
    /// Answers in public.
    async fn reply(&self, ticket: &Ticket, content: &ReplyContent) -> Result<ReplyReceipt, Acted>;
    /// Closes.
    async fn close(&self, ticket: &Ticket) -> Result<(), Acted>;
    /// Deletes.
    async fn delete(&self, ticket: &Ticket) -> Result<(), Acted>;
    /// Tags the ticket.
    async fn mark(&self, ticket: &Ticket, tag: &str) -> Result<(), Acted>;
    /// Writes an internal note.
    async fn note(&self, ticket: &Ticket, text: &str) -> Result<(), Acted>;
    /// Moves the ticket to another queue, by the queue's name.
    async fn move_to(&self, ticket: &Ticket, queue: &str) -> Result<(), Acted>;
    /// The recipe by which a ticket is made without mail, if the definition has one.
    fn creates(&self) -> Option<String>;
    /// Opens the desk's page for agents once, as a person who looks in; false when the definition names none.
    async fn visit(&self) -> Result<bool, Trouble>;
    /// True when agents are available for chat; none when the desk does not tell.
    async fn agents_available(&self) -> Result<Option<bool>, Trouble>;
    /// Proves login and rights; lines for people.
    async fn health(&self) -> Result<Vec<String>, Trouble>;
}

/// Why a writing call did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Acted {
    /// Certainly not done: refused, or never reached the desk.
    #[error("{0}")]
    NotDone(Trouble),
    /// The request left and no answer came: nobody knows.
    #[error("{0}")]
    Uncertain(Trouble),
}

impl Acted {
    /// The trouble inside.
    pub fn trouble(&self) -> &Trouble {
        match self {
            Acted::NotDone(t) | Acted::Uncertain(t) => t,
        }
    }
}

/// All desks of the configuration.
pub trait Desks: Send + Sync {
    /// The desk of that key.
    fn desk(&self, key: &str) -> Option<std::sync::Arc<dyn Desk>>;
}
