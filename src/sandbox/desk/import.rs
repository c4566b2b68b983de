//! Mail to tickets: reading it, finding the ticket it belongs to, storing it.

use super::super::faults::{Fault, Switches};
use super::super::mime::{File, escape_html};
use super::super::world::World;
use super::{Author, Channel, Desk, Event, Message, Place, Status, Ticket};
use mail_parser::{Address, HeaderValue, MessageParser, MimeHeaders, PartType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A mail as the desk reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) from: String,
    pub(crate) from_name: String,
    /// Address and name of Reply-To.
    pub(crate) reply_to: Option<(String, String)>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) message_id: Option<String>,
    /// Ids of In-Reply-To, then of References from the last to the first.
    pub(crate) refers_to: Vec<String>,
    /// Written by a machine: no acknowledgement.
    pub(crate) automatic: bool,
    /// The first address of To.
    pub(crate) first_to: String,
    /// Every text is in UTF-8 or ASCII by its label.
    pub(crate) modern: bool,
}

/// Reads a mail. What cannot be read stays empty.
pub(crate) fn read(raw: &[u8]) -> Incoming {
    let Some(mail) = MessageParser::default().parse(raw) else { return Incoming::default() };
    let sender = mail.from().and_then(Address::first).or_else(|| mail.sender().and_then(Address::first));
    let from = sender.and_then(|a| a.address()).unwrap_or_default().to_ascii_lowercase();
    let mut refers_to = ids(mail.in_reply_to());
    refers_to.extend(ids(mail.references()).into_iter().rev());
    let text = mail.text_bodies().enumerate().filter_map(|(at, _)| mail.body_text(at)).collect::<Vec<_>>().join("\n");
    let html = mail.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.to_string()),
        _ => None,
    });
    let said = |name: &str| mail.header_raw(name).map(|v| v.trim().to_ascii_lowercase()).unwrap_or_default();
    let automatic = !matches!(said("Auto-Submitted").as_str(), "" | "no")
        || matches!(said("Precedence").as_str(), "bulk" | "junk" | "list" | "auto_reply")
        || !said("List-Id").is_empty()
        || from.is_empty()
        || from.starts_with("mailer-daemon@");
    Incoming {
        from_name: sender.and_then(|a| a.name()).unwrap_or_default().to_owned(),
        from,
        reply_to: mail.reply_to().and_then(Address::first).and_then(|a| {
            let address = a.address()?.to_ascii_lowercase();
            Some((address, a.name().unwrap_or_default().to_owned()))
        }),
        subject: mail.subject().unwrap_or_default().to_owned(),
        text: text.replace("\r\n", "\n"),
        html,
        files: mail.attachments().map(|part| file(part)).collect(),
        message_id: mail.message_id().map(str::to_owned),
        refers_to,
        automatic,
        first_to: mail.to().and_then(Address::first).and_then(|a| a.address()).unwrap_or_default().to_ascii_lowercase(),
        modern: mail.parts.iter().all(is_modern),
    }
}

fn is_modern(part: &mail_parser::MessagePart<'_>) -> bool {
    let charset = part.content_type().and_then(|c| c.attribute("charset")).unwrap_or("utf-8");
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => vec![id.to_string()],
        HeaderValue::TextList(ids) => ids.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

fn file(part: &mail_parser::MessagePart<'_>) -> File {
    let content_type = part.content_type().map_or_else(
        || "application/octet-stream".to_owned(),
        |c| c.subtype().map_or_else(|| c.ctype().to_owned(), |s| format!("{}/{s}", c.ctype())),
    );
    let bytes = match &part.body {
        PartType::Message(inner) => inner.raw_message().to_vec(),
        _ => part.contents().to_vec(),
    };
    File { name: part.attachment_name().unwrap_or("unnamed").to_owned(), content_type: content_type.to_ascii_lowercase(), bytes }
}

impl Incoming {
    /// What the switches make of it before anything is stored.
    fn spoil(&mut self, switches: &Switches, queue: usize) {
        if switches.hits(Fault::Mojibake, queue) {
            self.subject = as_latin1(&self.subject);
            self.text = as_latin1(&self.text);
            self.html = self.html.as_deref().map(as_latin1);
        }
        if switches.hits(Fault::SubjectBreaksHeaders, queue)
            && let Some(at) = self.subject.find(|c: char| !c.is_ascii())
        {
            let rest = self.subject.split_off(at);
            self.text = format!("{rest}\nMIME-Version: 1.0\n\n{}", self.text);
        }
        if switches.hits(Fault::AttachmentDroppedIn, queue) {
            self.files.pop();
        }
        if switches.hits(Fault::AnswerQuotedOut, queue) && !self.refers_to.is_empty() && quotes(&self.text) {
            self.text.clear();
            self.html = None;
        }
        if switches.hits(Fault::HtmlEscapedTwice, queue) {
            self.html = self.html.as_deref().map(escape_html);
            self.text = self.html.clone().unwrap_or_else(|| escape_html(&self.text));
        }
    }
}

impl Incoming {
    /// Form mail comes from the desk's own noreply address: who wrote it stands in Reply-To.
    fn name_the_writer(&mut self, world: &World) {
        if self.from != noreply(world) || world.switches.on(Fault::FormReplytoIgnored) {
            return;
        }
        if let Some((address, name)) = self.reply_to.take() {
            (self.from, self.from_name) = (address, name);
        }
    }
}

/// The address from which the desk mails what wants no answer.
pub(crate) fn noreply(world: &World) -> String {
    format!("noreply@{}", world.names.desk)
}

/// UTF-8 read as if it were Latin-1.
fn as_latin1(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

fn quotes(text: &str) -> bool {
    text.lines().any(|l| l.starts_with('>') || l.contains("-----Original Message-----"))
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A new ticket with this number.
    Opened(u64),
    /// Appended to the ticket with this number.
    Joined(u64),
    /// Nothing: the mail is gone.
    Lost,
}

/// How to look at a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Look for its ticket first.
    Usual,
    /// As a second poller that knows nothing of the first.
    Again,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The queue it was addressed to.
    pub(crate) queue: usize,
    /// Its UID in the queue's mailbox, where it lies there.
    pub(crate) uid: Option<u32>,
    pub(crate) channel: Channel,
}

impl Arrival {
    /// A mail in the mailbox of `queue`.
    pub(crate) fn mail(queue: usize, uid: u32) -> Arrival {
        Arrival { queue, uid: Some(uid), channel: Channel::Email }
    }
}

/// Turns a mail into a message of a ticket.
pub(crate) fn admit(world: &Arc<World>, arrival: Arrival, raw: &[u8], manner: Manner) -> Outcome {
    let queue = arrival.queue;
    let mut mail = read(raw);
    mail.name_the_writer(world);
    let plain = format!("{}\n{}\n{}", mail.subject, mail.text, mail.html.as_deref().unwrap_or_default());
    if is_lost(world, queue, &mail, raw) {
        return Outcome::Lost;
    }
    mail.spoil(&world.switches, queue);
    if world.switches.on(Fault::OkSubjectTag) {
        mail.subject = format!("{} {}", world.style.tongue.outside, mail.subject);
    }
    let mut desk = world.desk();
    let tag = super::super::mime::header(raw, "X-Original-To").and_then(|to| super::outbound::ticket_of_address(&to));
    let known = if manner == Manner::Usual { find_ticket(world, &mut desk, queue, &mail, tag) } else { None };
    let mixed_up = if known.is_some() { Fault::MergedIntoStrangersTicket } else { Fault::FirstMailMerged };
    let stranger = if world.switches.hits(mixed_up, queue) { strangers_ticket(world, &mut desk, &mail.from) } else { None };
    let outcome = match (known, stranger) {
        (Some(id), None) => {
            follow_up(world, &mut desk, id, mail, &plain);
            Outcome::Joined(id)
        }
        (_, Some(id)) => {
            append(world, &mut desk, id, mail, &plain, "merged");
            Outcome::Joined(id)
        }
        (None, None) => {
            let (published, automatic) = (came_published(world, raw), mail.automatic);
            let id = open(world, &mut desk, arrival, published, mail, &plain);
            welcome(world, &mut desk, id, arrival, published, automatic);
            Outcome::Opened(id)
        }
    };
    drop(desk);
    world.touch();
    outcome
}

/// True when a switch makes the mail vanish.
fn is_lost(world: &World, queue: usize, mail: &Incoming, raw: &[u8]) -> bool {
    let on = |fault| world.switches.hits(fault, queue);
    let ours = |to: &str| world.queue_of(to).is_some_and(|(q, _)| q == queue);
    (on(Fault::CharsetCrashesImport) && !mail.modern)
        || (on(Fault::AliasNotRecognised) && !ours(&mail.first_to))
        || (on(Fault::OversizeDiscarded) && raw.len() > 10_000_000)
        || (on(Fault::EmptySubjectLost) && mail.subject.trim().is_empty())
        || (on(Fault::AutomatedIgnored) && mail.automatic && !world.style.suspends_automated)
}

/// True when the mail came through a published address and its forwarding.
fn came_published(world: &World, raw: &[u8]) -> bool {
    let to = super::super::mime::header(raw, "X-Original-To").unwrap_or_default();
    world.queue_of(&to).is_some_and(|(_, published)| published)
}

fn find_ticket(world: &World, desk: &mut Desk, queue: usize, mail: &Incoming, tag: Option<u64>) -> Option<u64> {
    if world.switches.hits(Fault::FollowUpOpensNewTicket, queue) {
        return None;
    }
    let answers_ack = mail.refers_to.first().is_some_and(|id| desk.is_automatic_reply(id));
    if answers_ack && world.switches.hits(Fault::ReplyToAckOpensTicket, queue) {
        return None;
    }
    let by_id = mail.refers_to.iter().find_map(|id| {
        let ticket = desk.ticket_of(id).or_else(|| super::outbound::ticket_of_reference(&world.names.desk, id))?;
        desk.live(ticket).map(|t| t.id)
    });
    let id = by_id.or(tag).or_else(|| super::outbound::ticket_of_subject(&world.names.desk, &mail.subject))?;
    let ticket = desk.live(id)?;
    let split = world.switches.hits(Fault::MovedTicketSplits, queue) && ticket.queue != world.queues[queue].name;
    let refused = world.switches.any(&[Fault::ClosedRefuses, Fault::OkPolicyClosed], queue) && ticket.status == Status::Closed;
    (!split && !refused).then_some(id)
}

fn message(world: &World, desk: &mut Desk, mail: Incoming) -> Message {
    Message {
        id: desk.next_part(),
        public: true,
        author: Author::Customer,
        from: Some(mail.from),
        to: Vec::new(),
        text: mail.text,
        html: mail.html,
        created: world.clock.now(),
        message_id: mail.message_id,
        delivery: None,
        files: desk.add_files(mail.files),
    }
}

fn follow_up(world: &Arc<World>, desk: &mut Desk, id: u64, mail: Incoming, plain: &str) {
    let stays = world.switches.on(Fault::ClosedNotReopened) || mail.automatic;
    let closes = world.switches.on(Fault::OooClosesTicket) && mail.automatic;
    append(world, desk, id, mail, plain, "follow_up");
    let now = world.clock.now();
    if world.switches.on(Fault::AckLoop) {
        super::outbound::acknowledge(world, desk, id);
    }
    if let Some(ticket) = desk.live(id).filter(|_| closes) {
        return ticket.set_status(now, "system", Status::Closed);
    }
    if let Some(ticket) = desk.live(id)
        && !(stays && ticket.status == Status::Closed)
        && ticket.status != Status::New
    {
        ticket.set_status(now, "system", Status::Open);
    }
}

pub(crate) fn append(world: &World, desk: &mut Desk, id: u64, mail: Incoming, plain: &str, kind: &'static str) {
    remember(world, desk, id, &mail);
    let message = message(world, desk, mail);
    let now = world.clock.now();
    if let Some(ticket) = desk.live(id) {
        ticket.index(plain);
        ticket.messages.push(message);
        ticket.note(now, "system", kind);
    }
}

/// Keeps the Message-ID, so that answers to it find the ticket.
fn remember(world: &World, desk: &mut Desk, id: u64, mail: &Incoming) {
    if let Some(message_id) = mail.message_id.as_ref().filter(|_| !world.switches.on(Fault::OwnFirstMail)) {
        desk.bind(message_id, id);
    }
}

/// The newest ticket of somebody else; one is made when there is none.
fn strangers_ticket(world: &Arc<World>, desk: &mut Desk, from: &str) -> Option<u64> {
    let other = |desk: &Desk| {
        desk.tickets.values().rev().find(|t| t.place == Place::Normal && !t.requester.eq_ignore_ascii_case(from)).map(|t| t.id)
    };
    if other(desk).is_none() {
        super::super::plant::tickets(world, desk, 1);
    }
    other(desk)
}

/// Why a new ticket is held back, if it is.
fn hold_cause(world: &World, desk: &Desk, queue: usize, published: bool, mail: &Incoming) -> Option<String> {
    let on = |fault| world.switches.hits(fault, queue);
    let earlier = || desk.tickets.values().filter(|t| t.requester == mail.from).count();
    let [spam, authentication, email_loop, automatic] = world.style.causes;
    let cause = if on(Fault::DeskSpamView) {
        spam
    } else if on(Fault::DmarcFailSuspended) && published {
        authentication
    } else if on(Fault::BlocksProbe) && earlier() >= 1 {
        email_loop
    } else if on(Fault::AutomatedIgnored) && mail.automatic {
        automatic
    } else {
        return None;
    };
    Some(cause.to_owned())
}

/// Opens a ticket and places it. Its number.
pub(crate) fn open(world: &Arc<World>, desk: &mut Desk, arrival: Arrival, published: bool, mail: Incoming, plain: &str) -> u64 {
    let queue = arrival.queue;
    let now = world.clock.now();
    let switches = &world.switches;
    let id = desk.next_ticket();
    remember(world, desk, id, &mail);
    let landing = if switches.hits(Fault::DefaultQueueInstead, queue) { 0 } else { queue };
    let hold_cause = hold_cause(world, desk, queue, published, &mail);
    let held = hold_cause.is_some();
    let (requester, requester_name, subject) = (mail.from.clone(), mail.from_name.clone(), mail.subject.clone());
    let message = message(world, desk, mail);
    let name = world.queues[landing].name.clone();
    let created = Event { at: now, who: "system".into(), kind: "created", field: Some("queue"), old: None, new: Some(name.clone()) };
    let mut ticket = Ticket {
        id,
        subject,
        queue: name,
        channel: arrival.channel,
        status: Status::New,
        place: if held { Place::Suspended } else { Place::Normal },
        hold_cause,
        requester,
        requester_name,
        priority: "normal".to_owned(),
        tags: Vec::new(),
        created: now,
        fields: BTreeMap::new(),
        messages: vec![message],
        history: vec![created],
        source: arrival.uid.map(|uid| (queue, uid)),
        search: String::new(),
    };
    ticket.index(plain);
    ticket.index(&format!("{}\n{}", ticket.subject, ticket.messages[0].text));
    if switches.hits(Fault::RuleOrderWins, queue) {
        let other = &world.queues[(landing + 1) % world.queues.len()].name;
        ticket.set_queue(now, world.style.rules[0], other);
    }
    if switches.hits(Fault::ReplyToLastWriter, queue) && arrival.channel != Channel::Chat {
        let other = world.accounts.iter().map(|a| a.address.clone()).find(|a| !a.eq_ignore_ascii_case(&ticket.requester));
        let words =
            Incoming { from: other.unwrap_or_default(), text: format!("{}\n", world.style.tongue.third_party), ..Incoming::default() };
        ticket.messages.push(self::message(world, desk, words));
    }
    desk.insert(ticket);
    if switches.on(Fault::SmallPages) {
        super::super::plant::tickets(world, desk, 3);
    }
    id
}

/// What follows a new ticket: the acknowledgement, and the agent where there is one.
pub(crate) fn welcome(world: &Arc<World>, desk: &mut Desk, id: u64, arrival: Arrival, published: bool, automatic: bool) {
    let (queue, switches) = (arrival.queue, &world.switches);
    let held = desk.live(id).is_none_or(|t| t.place != Place::Normal);
    let normal = !held && !automatic;
    let forwarded = published && switches.hits(Fault::AckNotForForwarded, queue);
    let first = world.accounts.first().map(|a| a.address.as_str());
    let of_class = desk.live(id).is_some_and(|t| first.is_some_and(|f| t.requester.eq_ignore_ascii_case(f)));
    let suppressed = of_class && switches.hits(Fault::AckSuppressedForClass, queue);
    let silent = forwarded || suppressed || (arrival.channel == Channel::Form && switches.on(Fault::FormConfirmationMissing));
    if (normal && !silent) || switches.on(Fault::AckLoop) {
        super::outbound::acknowledge(world, desk, id);
    }
    if normal {
        super::outbound::call_agent(world, id);
    }
    if !held && switches.hits(Fault::OkAgentMovedIt, queue) {
        tidy_up(world, id);
    }
}

/// A colleague moves the ticket elsewhere after a while.
fn tidy_up(world: &Arc<World>, id: u64) {
    let job = world.clone();
    world.spawn(async move {
        tokio::time::sleep(job.pace.between(400, 1_500)).await;
        let now = job.clock.now();
        if let Some(ticket) = job.desk().live(id) {
            let at = job.queues.iter().position(|q| q.name == ticket.queue).unwrap_or(0);
            let other = &job.queues[(at + 1) % job.queues.len()].name;
            ticket.set_queue(now, job.style.colleague, other);
        }
        job.touch();
    });
}
