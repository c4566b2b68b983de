//! Beginning a conversation, and leaving a message when nobody is there.

use super::super::desk::import::{self, Arrival, Incoming};
use super::super::desk::{Channel, Status};
use super::super::faults::Fault;
use super::super::web::intake::is_address;
use super::super::world::World;
use super::book::Conversation;
use super::lines::{self, Line, Saying};
use super::{bot, offered};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a visitor begins with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    pub(crate) prechat: Map<String, Value>,
    pub(crate) topic: Option<String>,
    pub(crate) saying: Saying,
}

/// A conversation that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) conversation: String,
    pub(crate) line: Line,
}

/// Why no conversation has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The secret is nobody's.
    Unknown,
    /// Too many.
    Throttled,
    /// Nobody is there.
    Offline,
    /// Answers are missing or wrong.
    Wrong(BTreeMap<String, &'static str>),
    /// Nothing happened.
    DeadEnd,
}

fn wrong_answers(world: &World, beginning: &Beginning) -> BTreeMap<String, &'static str> {
    let given = |key: &str| beginning.prechat.get(key).and_then(Value::as_str).map_or("", str::trim);
    let mut wrong = BTreeMap::new();
    for question in world.chat.words.questions.iter().filter(|q| q.required && given(q.key).is_empty()) {
        wrong.insert(question.key.to_owned(), "required");
    }
    if !given("email").is_empty() && !is_address(given("email")) {
        wrong.insert("email".to_owned(), "not an e-mail address");
    }
    if beginning.saying.text.trim().is_empty() && beginning.saying.files.is_empty() {
        wrong.insert("text".to_owned(), "required");
    }
    wrong
}

/// Begins a conversation: a ticket like any other.
///
/// # Errors
/// When the desk does not want to.
pub(crate) fn begin(world: &Arc<World>, secret: &str, beginning: Beginning) -> Result<Begun, Refusal> {
    let visitor = world.chat.book().visitor(secret).ok_or(Refusal::Unknown)?;
    if world.switches.on(Fault::ChatThrottled) {
        return Err(Refusal::Throttled);
    }
    if !offered(world) {
        return Err(Refusal::Offline);
    }
    let wrong = wrong_answers(world, &beginning);
    if !wrong.is_empty() {
        return Err(Refusal::Wrong(wrong));
    }
    if world.switches.on(Fault::ChatPrechatDeadEnd) && world.chat.book().has_ended_one(&visitor) {
        return Err(Refusal::DeadEnd);
    }
    let given = |key: &str| beginning.prechat.get(key).and_then(Value::as_str).map_or("", str::trim).to_owned();
    let (name, email) = (given("name"), given("email").to_ascii_lowercase());
    let plain = beginning.saying.text.clone();
    let incoming = Incoming {
        from: if email.is_empty() { visitor.id.clone() } else { email },
        subject: format!("{} {}", world.chat.words.subject, if name.is_empty() { &visitor.id } else { &name }),
        from_name: name,
        text: lines::stored(world, &plain),
        files: beginning.saying.files,
        ..Incoming::default()
    };
    let mut desk = world.desk();
    let arrival = Arrival { queue: queue_of(world, beginning.topic.as_deref()), uid: None, channel: Channel::Chat };
    let ticket = import::open(world, &mut desk, arrival, false, incoming, &plain);
    let id = format!("c{}", world.pace.hex(16));
    let conversation = Conversation { id: id.clone(), ticket, visitor: visitor.id, feed: visitor.feed, ended: false };
    world.chat.book().add(secret, conversation.clone());
    let now = world.clock.now();
    if let Some(ticket) = desk.live(ticket) {
        ticket.fields.insert("conversation".to_owned(), id.clone());
        if bot::comes_first(world) {
            ticket.set_status(now, "bot", Status::Bot);
        } else {
            lines::show_to_agents(world, &mut desk, &conversation);
        }
    }
    let line = lines::publish_first(world, &mut desk, &conversation).ok_or(Refusal::DeadEnd)?;
    drop(desk);
    world.touch();
    bot::greet(world, id.clone(), ticket, plain);
    Ok(Begun { conversation: id, line })
}

/// The queue of a topic; the default queue when it is none.
fn queue_of(world: &World, topic: Option<&str>) -> usize {
    let wanted = topic.unwrap_or_default();
    world.queues.iter().position(|q| q.name.eq_ignore_ascii_case(wanted)).unwrap_or(0)
}

/// Takes a message for later: a ticket that is answered by mail.
pub(crate) fn leave_message(world: &Arc<World>, name: String, email: String, saying: Saying) {
    if world.switches.on(Fault::ChatOfflineNoteNowhere) {
        return;
    }
    let arrival = Arrival { queue: 0, uid: None, channel: Channel::Chat };
    let plain = saying.text;
    let incoming = Incoming {
        from: email,
        subject: format!("{} {name}", world.chat.words.subject),
        from_name: name,
        text: lines::stored(world, &plain),
        files: saying.files,
        ..Incoming::default()
    };
    let mut desk = world.desk();
    let id = import::open(world, &mut desk, arrival, false, incoming, &plain);
    import::welcome(world, &mut desk, id, arrival, false, false);
    drop(desk);
    world.touch();
}
