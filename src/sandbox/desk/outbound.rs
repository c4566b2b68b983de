//! The desk's way out: acknowledgements, agents' replies, notices; how they are worded and threaded.

use super::super::chat;
use super::super::faults::Fault;
use super::super::mime::{Draft, File, date, encode_words, mailbox};
use super::super::smtp::Reply;
use super::super::smtp::server::Door;
use super::super::style::Threading;
use super::super::world::World;
use super::{Author, Channel, Desk, Message, Place, Status, Ticket, body};
use std::fmt::Write as _;
use std::sync::Arc;

/// What kind of mail leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Acknowledgement,
    Answer,
    /// A note that should have stayed inside.
    LeakedNote,
    Notice,
}

/// The id by which all mail of a ticket may refer to it.
fn reference(desk: &str, ticket: u64) -> String {
    format!("ticket-{ticket}@{desk}")
}

/// The ticket that such an id names.
pub(crate) fn ticket_of_reference(desk: &str, id: &str) -> Option<u64> {
    id.strip_suffix(&format!("@{desk}"))?.strip_prefix("ticket-")?.parse().ok()
}

/// The ticket that a sub-address names: `support+12@…`.
pub(crate) fn ticket_of_address(address: &str) -> Option<u64> {
    let (local, _) = address.rsplit_once('@')?;
    local.rsplit_once('+')?.1.parse().ok()
}

/// The sub-address of a queue's address that names the ticket.
fn sub_address(address: &str, ticket: u64) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{local}+{ticket}@{domain}"),
        None => address.to_owned(),
    }
}

fn tag(world: &World, ticket: u64) -> String {
    if world.style.long_tag { format!("[{} #{ticket}]", world.names.desk) } else { format!("[SB-{ticket}]") }
}

/// The ticket that a subject's tag names, in either form.
pub(crate) fn ticket_of_subject(desk: &str, subject: &str) -> Option<u64> {
    [format!("[{desk} #"), "[SB-".to_owned()].iter().find_map(|mark| {
        let (_, rest) = subject.split_once(mark.as_str())?;
        rest.split_once(']')?.0.parse().ok()
    })
}

/// Answers a new ticket automatically, when the rule matches.
pub(crate) fn acknowledge(world: &Arc<World>, desk: &mut Desk, id: u64) {
    if world.switches.on(Fault::AckConditionBroken) {
        return;
    }
    let Some(ticket) = desk.live(id).cloned() else { return };
    let raw_variables = world.switches.on(Fault::AckPlaceholderRaw);
    let text = acknowledgement_text(world, &ticket, raw_variables);
    let message = outgoing(world, desk, Author::System, text, None, Vec::new());
    let now = world.clock.now();
    let message_id = message.id;
    if let Some(ticket) = desk.live(id) {
        ticket.note(now, world.style.rules[1], "automatic_reply");
        ticket.messages.push(message);
    }
    mail(world, id, message_id, Kind::Acknowledgement);
}

fn acknowledgement_text(world: &World, ticket: &Ticket, raw_variables: bool) -> String {
    let (style, tongue) = (&world.style, &world.style.tongue);
    let (number, queue) = if raw_variables {
        ("{{ticket.number}}".to_owned(), "{{ticket.queue}}".to_owned())
    } else {
        (ticket.number(), ticket.queue.clone())
    };
    let numbered = tongue.number.replace("{n}", &number);
    let mut text = format!("{}\n\n{} {numbered}\n{}\n", tongue.greeting, tongue.thanks, tongue.promise);
    if style.ack_names_subject {
        let subject = if raw_variables { "{{ticket.title}}" } else { &ticket.subject };
        let _ = write!(text, "\n{}: {subject}\n", tongue.subject);
    }
    let _ = write!(text, "\n{}\n{}\n", tongue.closing, tongue.team_of(&queue));
    if style.ack_quotes || world.switches.on(Fault::TokenInQuote) {
        let quoted = ticket.messages.first().map(|m| quote_lines(&m.text)).unwrap_or_default();
        let _ = write!(text, "\n{quoted}");
    }
    text
}

pub(super) fn quote_lines(text: &str) -> String {
    text.trim_end().lines().map(|l| format!("> {l}\n")).collect()
}

/// A message that will leave as mail.
pub(crate) fn outgoing(world: &World, desk: &mut Desk, author: Author, text: String, html: Option<String>, files: Vec<File>) -> Message {
    let id = desk.next_part();
    Message {
        id,
        public: true,
        author,
        from: None,
        to: Vec::new(),
        text,
        html,
        created: world.clock.now(),
        message_id: Some(format!("{}.{id}@{}", world.pace.hex(16), world.names.desk)),
        delivery: None,
        files: desk.add_files(files),
    }
}

/// What an agent writes, by hand or through the API. The number of the new message; none when there is no such ticket.
pub(crate) fn answer(world: &Arc<World>, id: u64, who: &str, text: String, html: Option<String>, files: Vec<File>) -> Option<u64> {
    let mut desk = world.desk();
    desk.live(id)?;
    let internal = world.switches.on(Fault::ReplyStaysInternal);
    let mut message = outgoing(world, &mut desk, Author::Agent, text, html, files);
    message.public = !internal;
    if internal {
        message.message_id = None;
    }
    let now = world.clock.now();
    let message_id = message.id;
    let ticket = desk.live(id)?;
    ticket.index(&format!("{}\n{}", message.text, message.html.as_deref().unwrap_or_default()));
    ticket.messages.push(message);
    ticket.note(now, who, if internal { "note" } else { "reply" });
    if !internal {
        ticket.set_status(now, who, Status::Waiting);
    }
    drop(desk);
    world.touch();
    if !internal {
        send(world, id, message_id, Kind::Answer);
    }
    Some(message_id)
}

/// An internal note. The number of the new message.
pub(crate) fn add_note(world: &Arc<World>, id: u64, who: &str, text: String) -> Option<u64> {
    let mut desk = world.desk();
    desk.live(id)?;
    let mut message = outgoing(world, &mut desk, Author::Agent, text, None, Vec::new());
    message.public = false;
    let leaks = world.switches.on(Fault::NoteLeaks);
    if !leaks {
        message.message_id = None;
    }
    let now = world.clock.now();
    let message_id = message.id;
    let ticket = desk.live(id)?;
    ticket.index(&message.text);
    ticket.messages.push(message);
    ticket.note(now, who, "note");
    drop(desk);
    world.touch();
    if leaks {
        send(world, id, message_id, Kind::LeakedNote);
    }
    Some(message_id)
}

/// What follows from closing.
pub(crate) fn closed(world: &Arc<World>, id: u64) {
    chat::end(world, &mut world.desk(), id);
    if !world.switches.on(Fault::CloseSendsNotice) && !world.switches.on(Fault::OkClosingNotice) {
        return;
    }
    let mut desk = world.desk();
    let tongue = &world.style.tongue;
    let text = format!("{}\n\n{}\n\n{}\n", tongue.greeting, tongue.survey, tongue.closing);
    let message = outgoing(world, &mut desk, Author::System, text, None, Vec::new());
    let message_id = message.id;
    let Some(ticket) = desk.live(id) else { return };
    ticket.messages.push(message);
    drop(desk);
    send(world, id, message_id, Kind::Notice);
}

/// Lets the agent answer a new ticket by himself, where the sandbox has one.
pub(crate) fn call_agent(world: &Arc<World>, id: u64) {
    if world.agent.is_none() {
        return;
    }
    let job = world.clone();
    world.spawn(async move {
        let usual = job.pace.between(300, 900);
        tokio::time::sleep(job.agent.as_ref().and_then(|a| a.after).unwrap_or(usual)).await;
        let text = {
            let mut desk = job.desk();
            let Some(ticket) = desk.live(id) else { return };
            let served = job.agent.as_ref().is_some_and(|a| a.queues.is_empty() || a.queues.contains(&ticket.queue.to_ascii_lowercase()));
            let answered = ticket.messages.iter().any(|m| m.author == Author::Agent && m.public);
            let away = ticket.channel == Channel::Chat && chat::agents_available(&job) == 0;
            if !served || answered || away || ticket.place != Place::Normal {
                return;
            }
            let tongue = &job.style.tongue;
            format!("{}\n\n{}\n\n{}\n{}\n", tongue.greeting, tongue.answer, tongue.closing, job.style.agent)
        };
        answer(&job, id, job.style.agent, text, None, Vec::new());
    });
}

/// Brings a stored message to the customer: into the chat while he is there, else as mail, in the background.
fn send(world: &Arc<World>, ticket: u64, message: u64, kind: Kind) {
    if chat::carries(world, &mut world.desk(), ticket, message) {
        return world.touch();
    }
    mail(world, ticket, message, kind);
}

/// Sends a stored message as mail, in the background.
fn mail(world: &Arc<World>, ticket: u64, message: u64, kind: Kind) {
    let job = world.clone();
    world.spawn(async move {
        job.switches.wait_until(|s| !s.on(Fault::DeskWorkerDown)).await;
        tokio::time::sleep(job.pause(20, 120)).await;
        job.switches.wait_until(|s| !s.on(Fault::DeskWorkerDown)).await;
        let Some((to, raw)) = compose(&job, ticket, message, kind) else { return };
        let reply = hand_out(&job, &to, &raw, kind).await;
        let said = if reply.is_positive() { "sent".to_owned() } else { format!("failed: {reply}") };
        if let Some(message) = job.desk().tickets.get_mut(&ticket).and_then(|t| t.message_mut(message)) {
            message.to = vec![to];
            message.delivery = Some(said);
        }
        job.touch();
    });
}

async fn hand_out(world: &Arc<World>, to: &str, raw: &[u8], kind: Kind) -> Reply {
    let answers = kind == Kind::Answer;
    if world.switches.on(Fault::OutboundRefused) || (answers && world.switches.on(Fault::ReplyFailsUnnoticed)) {
        return Reply::new(554, "5.7.1 Relay access denied");
    }
    let copies = if answers && world.switches.on(Fault::ReplySentManyTimes) { 4 } else { 1 };
    let from = format!("bounces@{}", world.names.desk);
    let mut reply = super::super::provider::relay(world, Door::DeskMx, &from, to, raw).await;
    for _ in 1..copies {
        tokio::time::sleep(world.pace.between(5, 40)).await;
        reply = super::super::provider::relay(world, Door::DeskMx, &from, to, raw).await;
    }
    reply
}

/// The mail and its recipient; none when the ticket has gone meanwhile.
fn compose(world: &World, ticket: u64, message: u64, kind: Kind) -> Option<(String, Vec<u8>)> {
    let mut desk = world.desk();
    let ticket = desk.live(ticket)?.clone();
    let message = ticket.messages.iter().find(|m| m.id == message)?.clone();
    desk.bind(message.message_id.as_deref()?, ticket.id);
    drop(desk);
    let draft = Draft {
        headers: headers(world, &ticket, &message, kind),
        text: body::text(world, &ticket, &message, kind),
        html: (kind == Kind::Answer).then(|| body::html(world, &ticket, &message)),
        files: files(world, &message, kind),
        base64: world.style.base64,
        boundary: world.pace.hex(24),
    };
    Some((recipient(world, &ticket, kind), draft.build()))
}

fn recipient(world: &World, ticket: &Ticket, kind: Kind) -> String {
    let others = |m: &Message| m.from.clone().filter(|from| !from.eq_ignore_ascii_case(&ticket.requester));
    match ticket.messages.iter().rev().find_map(others) {
        Some(last) if kind == Kind::Answer && world.switches.on(Fault::ReplyToLastWriter) => last,
        _ => ticket.requester.clone(),
    }
}

fn files(world: &World, message: &Message, kind: Kind) -> Vec<File> {
    if kind == Kind::Answer && world.switches.on(Fault::ReplyWithAttachmentLost) {
        return Vec::new();
    }
    let plain = |f: &super::StoredFile| File { name: f.name.clone(), content_type: f.content_type.clone(), bytes: f.bytes.to_vec() };
    message.files.iter().map(plain).collect()
}

fn headers(world: &World, ticket: &Ticket, message: &Message, kind: Kind) -> Vec<(&'static str, String)> {
    let style = &world.style;
    let desk_address = world.queues.iter().find(|q| q.name == ticket.queue).map_or("", |q| q.address.as_str());
    let from_noreply = kind == Kind::Answer && world.switches.on(Fault::ReplyFromNoreply);
    let address = if from_noreply { format!("noreply@{}", world.names.desk) } else { desk_address.to_owned() };
    let name = match kind {
        Kind::Answer if style.long_tag => format!("{} via {}", style.agent, ticket.queue),
        Kind::Answer => style.agent.to_owned(),
        _ => world.style.tongue.team_of(&ticket.queue),
    };
    let ids = vec![("Date", date(world.clock.now())), ("Message-ID", format!("<{}>", message.message_id.as_deref().unwrap_or_default()))];
    let mut rest = vec![
        ("From", mailbox(&name, &address)),
        ("To", mailbox(&ticket.requester_name, &recipient(world, ticket, kind))),
        ("Subject", encode_words(&subject(world, ticket, kind))),
    ];
    let tagged = style.tagged_replies || world.switches.on(Fault::PlusTagLost);
    if !from_noreply && tagged {
        rest.push(("Reply-To", sub_address(&address, ticket.id)));
    } else if !from_noreply && style.long_tag {
        rest.push(("Reply-To", address));
    }
    rest.extend(threading(world, ticket, message, kind));
    if kind == Kind::Acknowledgement || kind == Kind::Notice {
        rest.push(("Auto-Submitted", "auto-replied".to_owned()));
        rest.push(("X-Auto-Response-Suppress", "All".to_owned()));
    } else if style.bulk_replies {
        rest.push(("Precedence", "bulk".to_owned()));
    }
    let turn = style.header_turn as usize % rest.len();
    rest.rotate_left(turn);
    let (mut first, second) = if style.ids_first { (ids, rest) } else { (rest, ids) };
    first.extend(second);
    first
}

fn subject(world: &World, ticket: &Ticket, kind: Kind) -> String {
    let (tag, tongue) = (tag(world, ticket.id), &world.style.tongue);
    match kind {
        Kind::Acknowledgement if !world.style.ack_names_subject => format!("{} {tag}", tongue.received),
        Kind::Acknowledgement if world.style.long_tag => format!("{tag} {}: {}", tongue.automatic, ticket.subject),
        Kind::Acknowledgement => format!("{} {tag}", ticket.subject),
        Kind::Notice => format!("{tag} {}: {}", tongue.closed, ticket.subject),
        _ if world.style.long_tag => format!("{tag} {}", ticket.subject),
        _ => format!("Re: {} {tag}", ticket.subject),
    }
}

fn threading(world: &World, ticket: &Ticket, message: &Message, kind: Kind) -> Vec<(&'static str, String)> {
    if kind == Kind::Answer && world.switches.on(Fault::ReturnNotThreaded) {
        return Vec::new();
    }
    let earlier = ticket.messages.iter().take_while(|m| m.id != message.id);
    let mut chain: Vec<String> = earlier.clone().filter_map(|m| m.message_id.as_ref()).map(|id| format!("<{id}>")).collect();
    let customers = earlier.filter(|m| m.author == Author::Customer).filter_map(|m| m.message_id.as_ref());
    let parent = customers.last().map(|id| format!("<{id}>"));
    let own = format!("<{}>", reference(&world.names.desk, ticket.id));
    let mut headers = Vec::new();
    let names_parent = kind == Kind::Acknowledgement || world.style.threading != Threading::TicketId;
    if let Some(parent) = parent.clone().filter(|_| names_parent) {
        headers.push(("In-Reply-To", parent));
    }
    let references = match (world.style.threading, kind) {
        (Threading::Classic, _) => {
            // Long threads keep their beginning and their end.
            if chain.len() > 20 {
                chain.drain(1..chain.len() - 19);
            }
            chain.join(" ")
        }
        (Threading::TicketId, Kind::Acknowledgement) => format!("{own} {}", parent.unwrap_or_default()).trim_end().to_owned(),
        (Threading::TicketId, _) => own,
        (Threading::ParentOnly, _) => String::new(),
    };
    if !references.is_empty() {
        headers.push(("References", references));
    }
    headers
}

pub(super) fn link(world: &World, ticket: &Ticket) -> String {
    format!("https://{}/t/{}", world.names.desk, ticket.number())
}

/// The customer's last words before a message.
pub(super) fn previous<'t>(ticket: &'t Ticket, message: &Message) -> Option<&'t Message> {
    ticket.messages.iter().take_while(|m| m.id != message.id).filter(|m| m.author == Author::Customer).last()
}
