//! From a form to the desk: the form writes a mail, as such products do, and the desk's import takes it.

use super::super::desk::Channel;
use super::super::desk::import::{self, Arrival, Manner, Outcome};
use super::super::faults::Fault;
use super::super::mime::{Draft, File, date, encode_words, mailbox};
use super::super::world::World;
use super::words::Ask;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a customer may write into one line.
const LINE_LIMIT: usize = 500;
/// What a customer may write as message.
const TEXT_LIMIT: usize = 100_000;

/// A request as it was filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    name: String,
    email: String,
    queue: usize,
    subject: String,
    text: String,
    files: Vec<File>,
}

/// What is wrong, by field.
pub(crate) type Errors = BTreeMap<Ask, &'static str>;

/// Looks at what was filled in.
///
/// # Errors
/// The fields that are missing or wrong.
pub(crate) fn check(world: &World, values: &BTreeMap<Ask, String>, files: Vec<File>) -> Result<Request, Errors> {
    let value = |ask| values.get(&ask).map_or("", |v| v.trim());
    let mut errors = Errors::new();
    for ask in asked(world).into_iter().filter(|a| a.is_required() && value(*a).is_empty()) {
        errors.insert(ask, "Please fill in this field.");
    }
    if !value(Ask::Email).is_empty() && !is_address(value(Ask::Email)) {
        errors.insert(Ask::Email, "This is not a valid e-mail address.");
    }
    let lines = [Ask::Name, Ask::Email, Ask::Subject].into_iter().filter(|a| value(*a).len() > LINE_LIMIT);
    errors.extend(lines.map(|ask| (ask, "This is too long.")));
    if value(Ask::Message).len() > TEXT_LIMIT {
        errors.insert(Ask::Message, "This is too long.");
    }
    let queue = queue_of(world, value(Ask::Topic));
    if queue.is_none() {
        errors.insert(Ask::Topic, "Please choose one of the topics.");
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let text = |ask| value(ask).replace("\r\n", "\n");
    Ok(Request {
        name: text(Ask::Name),
        email: value(Ask::Email).to_ascii_lowercase(),
        queue: queue.unwrap_or(0),
        subject: text(Ask::Subject),
        text: text(Ask::Message),
        files,
    })
}

/// The fields that the form has just now.
pub(crate) fn asked(world: &World) -> Vec<Ask> {
    let consent = world.switches.on(Fault::FormConsentAdded).then_some(Ask::Consent);
    world.web.words.order.iter().copied().chain(consent).collect()
}

/// The queue of a topic by its value, its text or the queue's name; the default queue when none is chosen.
fn queue_of(world: &World, topic: &str) -> Option<usize> {
    if topic.is_empty() {
        return Some(0);
    }
    (0..world.queues.len())
        .find(|at| world.queues[*at].name.eq_ignore_ascii_case(topic) || world.web.words.topic(*at).eq_ignore_ascii_case(topic))
}

/// True for what looks like an address.
pub(crate) fn is_address(text: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"\\()[]".contains(c);
    match text.rsplit_once('@') {
        Some((local, domain)) => !local.is_empty() && !domain.is_empty() && !text.contains(bad) && !local.contains('@'),
        None => false,
    }
}

/// Hands a request to the desk. The ticket's number; a number all the same where the request is thrown away.
pub(crate) fn hand_in(world: &Arc<World>, request: Request) -> String {
    if world.switches.on(Fault::HoneypotFalseSuccess) {
        return discarded(world);
    }
    let arrival = Arrival { queue: request.queue, uid: None, channel: Channel::Form };
    match import::admit(world, arrival, &mail(world, request), Manner::Usual) {
        Outcome::Opened(id) | Outcome::Joined(id) => number(world, id).unwrap_or_else(|| discarded(world)),
        Outcome::Lost => discarded(world),
    }
}

fn number(world: &World, id: u64) -> Option<String> {
    world.desk().live(id).map(|t| t.number())
}

/// A number that no ticket has: so a trap answers what it takes for a program.
pub(crate) fn discarded(world: &World) -> String {
    super::super::desk::number(world.desk().next_ticket())
}

/// The mail: from the desk's own address, the customer in Reply-To.
fn mail(world: &World, request: Request) -> Vec<u8> {
    let draft = Draft {
        headers: vec![
            ("Date", date(world.clock.now())),
            ("Message-ID", format!("<form.{}@{}>", world.pace.hex(20), world.names.desk)),
            ("From", mailbox("Contact form", &import::noreply(world))),
            ("Reply-To", mailbox(&request.name, &request.email)),
            ("To", world.queues[request.queue].address.clone()),
            ("Subject", encode_words(&request.subject)),
        ],
        text: request.text,
        html: None,
        files: request.files,
        base64: world.style.base64,
        boundary: world.pace.hex(24),
    };
    draft.build()
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_that_could_break_a_header_are_none() {
        assert!(is_address("alice@customers.test") && is_address("a.b+c@x.y"));
        for bad in ["", "alice", "@x", "a@", "a b@x", "a@x\r\nBcc: b@x", "a@b@c", "<a@b>", "a@b,c@d"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
