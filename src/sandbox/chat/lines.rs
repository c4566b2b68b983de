//! Lines: storing them in the ticket, and pushing them to visitor and agents.

use super::super::desk::import::{self, Incoming};
use super::super::desk::{Author, Desk, Message, Status, Ticket, outbound};
use super::super::faults::Fault;
use super::super::mime::{File, escape_html};
use super::super::world::World;
use super::book::{Conversation, News};
use super::{AgentEvent, bot};
use serde::Serialize;
use std::sync::Arc;

/// A line as visitors and agents' screens are told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    /// `visitor`, `agent`, `bot` or `system`.
    pub(crate) from: &'static str,
    pub(crate) text: String,
    pub(crate) at: String,
    pub(crate) files: Vec<LineFile>,
}

/// A file of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LineFile {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) content_type: String,
    pub(crate) size: usize,
    pub(crate) url: String,
}

/// What is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Saying {
    pub(crate) text: String,
    pub(crate) files: Vec<File>,
}

/// A message of the ticket as a line of the conversation.
pub(crate) fn line(world: &World, conversation: &str, message: &Message) -> Line {
    let base = world.places.get().map_or("", |p| p.web.as_str());
    let mut book = world.chat.book();
    let files = message.files.iter().map(|f| LineFile {
        name: f.name.clone(),
        content_type: f.content_type.clone(),
        size: f.bytes.len(),
        url: format!("{base}/chat/files/{}", book.key(conversation, f.id, || world.pace.hex(32))),
    });
    Line {
        files: files.collect(),
        id: format!("{}{}", world.chat.words.line_prefix, message.id),
        from: match message.author {
            Author::Customer => "visitor",
            Author::Agent => "agent",
            Author::Bot => "bot",
            Author::System => "system",
        },
        text: message.text.trim_end().to_owned(),
        at: message.created.to_string(),
    }
}

/// True when the visitor may see the message.
pub(crate) fn is_shown(world: &World, message: &Message) -> bool {
    let leaked = message.author == Author::Agent && world.switches.on(Fault::NoteLeaks);
    (message.public || leaked) && !(message.author == Author::Agent && world.switches.on(Fault::ChatAgentLineInvisible))
}

/// True when a person of the desk has answered.
pub(crate) fn has_agent(ticket: &Ticket) -> bool {
    ticket.messages.iter().any(|m| m.author == Author::Agent && m.public)
}

/// Pushes a stored message to the visitor and to agents' screens.
fn publish(world: &World, desk: &mut Desk, conversation: &Conversation, message: u64) -> Option<Line> {
    let ticket = desk.live(conversation.ticket)?;
    let message = ticket.messages.iter().find(|m| m.id == message)?;
    let line = line(world, &conversation.id, message);
    if world.switches.on(Fault::ChatConnectedNoFanout) {
        return Some(line);
    }
    let hidden = message.author == Author::Agent && world.switches.on(Fault::ChatAgentLineInvisible);
    if !hidden {
        conversation.feed.push(&conversation.id, News::Line(line.clone()));
    }
    // Screens follow what agents have or may take: not what the bot keeps.
    let unseen = ticket.status == Status::Bot || (world.switches.on(Fault::ChatWaitingNotShown) && !has_agent(ticket));
    if !unseen {
        tell_screens(world, "line", conversation, Some(line.clone()));
    }
    Some(line)
}

fn tell_screens(world: &World, kind: &'static str, conversation: &Conversation, line: Option<Line>) {
    // An error only says that no screen is open.
    let _ = world.chat.screens.send(AgentEvent { kind, ticket: conversation.ticket, conversation: conversation.id.clone(), line });
}

/// Shows a waiting conversation on agents' screens, with its first line.
pub(crate) fn show_to_agents(world: &World, desk: &mut Desk, conversation: &Conversation) {
    let hidden = world.switches.on(Fault::ChatWaitingNotShown) || world.switches.on(Fault::ChatConnectedNoFanout);
    if hidden {
        return;
    }
    let Some(ticket) = desk.live(conversation.ticket) else { return };
    let first = ticket.messages.first().map(|m| line(world, &conversation.id, m));
    tell_screens(world, "conversation", conversation, first);
}

/// Pushes the first line of a new conversation to the visitor's other windows.
pub(crate) fn publish_first(world: &World, desk: &mut Desk, conversation: &Conversation) -> Option<Line> {
    let first = desk.live(conversation.ticket)?.messages.first()?;
    let line = line(world, &conversation.id, first);
    if !world.switches.on(Fault::ChatConnectedNoFanout) {
        conversation.feed.push(&conversation.id, News::Line(line.clone()));
    }
    Some(line)
}

/// A further line of the visitor; none when the conversation has ended.
pub(crate) fn say(world: &Arc<World>, conversation: &str, saying: Saying) -> Option<Line> {
    let mut desk = world.desk();
    let conversation = world.chat.book().conversation(conversation).filter(|c| !c.ended).cloned()?;
    let from = desk.live(conversation.ticket)?.requester.clone();
    let text = stored(world, &saying.text);
    let incoming = Incoming { from, text, files: saying.files, ..Incoming::default() };
    import::append(world, &mut desk, conversation.ticket, incoming, &saying.text, "follow_up");
    let now = world.clock.now();
    let ticket = desk.live(conversation.ticket)?;
    if matches!(ticket.status, Status::Waiting | Status::Closed) {
        ticket.set_status(now, "system", Status::Open);
    }
    let message = ticket.messages.last()?.id;
    let line = publish(world, &mut desk, &conversation, message);
    drop(desk);
    world.touch();
    bot::hear(world, conversation.id, saying.text);
    line
}

/// A text as the desk stores it.
pub(crate) fn stored(world: &World, text: &str) -> String {
    if world.switches.on(Fault::HtmlEscapedTwice) { escape_html(text) } else { text.to_owned() }
}

/// A line of the desk's own or of the bot; nothing when the conversation has ended.
pub(crate) fn add(world: &World, desk: &mut Desk, conversation: &str, author: Author, text: String) {
    let Some(conversation) = world.chat.book().conversation(conversation).filter(|c| !c.ended).cloned() else { return };
    keep(world, desk, &conversation, author, text);
}

fn keep(world: &World, desk: &mut Desk, conversation: &Conversation, author: Author, text: String) {
    let mut message = outbound::outgoing(world, desk, author, text, None, Vec::new());
    message.message_id = None;
    let (id, now) = (message.id, world.clock.now());
    let Some(ticket) = desk.live(conversation.ticket) else { return };
    ticket.messages.push(message);
    ticket.note(now, if author == Author::Bot { "bot" } else { world.style.rules[1] }, "automatic_reply");
    publish(world, desk, conversation, id);
    world.touch();
}

/// Brings a stored message to the visitor where he is in a conversation; false: it must go by mail.
pub(crate) fn carries(world: &World, desk: &mut Desk, ticket: u64, message: u64) -> bool {
    let Some(conversation) = world.chat.book().of_ticket(ticket).filter(|c| !c.ended).cloned() else { return false };
    if let Some(message) = desk.live(ticket).and_then(|t| t.message_mut(message)) {
        message.message_id = None;
        message.delivery = Some("sent".to_owned());
    }
    publish(world, desk, &conversation, message);
    true
}

/// Ends the conversation of a ticket that was closed or deleted, if it has one.
pub(crate) fn end(world: &World, desk: &mut Desk, ticket: u64) {
    let Some(conversation) = world.chat.book().end(ticket) else { return };
    keep(world, desk, &conversation, Author::System, world.style.tongue.chat_ended.to_owned());
    if !world.switches.on(Fault::ChatConnectedNoFanout) {
        conversation.feed.push(&conversation.id, News::Ended);
    }
}
