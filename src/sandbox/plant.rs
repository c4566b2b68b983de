//! Strangers: newsletters and other people's mail in a mailbox, other people's tickets at the desk.

use super::desk::{Author, Channel, Desk, Message, Place, Status, Ticket};
use super::mime::{Draft, date, encode_words, mailbox};
use super::world::World;
use std::collections::BTreeMap;

const SUBJECTS: &[&str] = &[
    "Your weekly digest",
    "Re: lunch on Thursday?",
    "Rechnung für den laufenden Monat",
    "Security alert: new sign-in",
    "Ihre Bestellung wurde versandt",
    "[SB-1] newsletter",
];
const NAMES: &[&str] = &["Carol Jones", "Dave Miller", "Jörg Schäfer", "Weekly News"];

/// Puts `count` mails of strangers into an account's INBOX.
pub(crate) fn mails(world: &World, address: &str, count: usize) {
    for at in 0..count {
        let name = NAMES[at % NAMES.len()];
        let newsletter = at % 3 == 0;
        let mark = world.pace.hex(12);
        let mut headers = vec![
            ("Return-Path", "<sender@strangers.test>".to_owned()),
            ("Date", date(world.clock.now())),
            ("From", mailbox(name, &format!("person{at}@strangers.test"))),
            ("To", address.to_owned()),
            ("Subject", encode_words(SUBJECTS[at % SUBJECTS.len()])),
            ("Message-ID", format!("<{mark}@strangers.test>")),
        ];
        if newsletter {
            headers.push(("List-Id", "Weekly <weekly.strangers.test>".to_owned()));
            headers.push(("Precedence", "bulk".to_owned()));
        }
        let text = format!("Hello,\n\nthis is message {mark} of no concern to anybody here.\n\n> You wrote earlier:\n> something else\n");
        let html = newsletter.then(|| format!("<h1>News</h1><p>{mark}</p><p><a href=\"https://strangers.test/u\">unsubscribe</a></p>"));
        let draft = Draft { headers, text, html, files: Vec::new(), base64: at % 4 == 1, boundary: mark };
        world.file_customer_mail(address, "INBOX", draft.build());
    }
}

/// Puts an answer to an earlier request into a mailbox: it has this request's subject, but for its marks.
pub(crate) fn stale(world: &World, address: &str, subject: &str) {
    // A long word, or one with a digit in it: a mark need not have one.
    let tells = |word: &str| word.len() > 14 || word.len() > 9 && word.contains(|c: char| c.is_ascii_digit());
    let is_mark = |word: &str| tells(word) && word.chars().all(|c| c.is_ascii_alphanumeric());
    let pieces = subject.split_inclusive(|c: char| !c.is_alphanumeric());
    let other: String = pieces
        .map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
            if is_mark(word) { piece.replace(word, &word.chars().rev().collect::<String>()) } else { piece.to_owned() }
        })
        .collect();
    let queue = &world.queues[0];
    let tongue = &world.style.tongue;
    let mark = world.pace.hex(12);
    let text = format!("{}\n\n{}\n{}\n\n{}\n", tongue.greeting, tongue.thanks, other, tongue.closing);
    let headers = vec![
        ("Return-Path", format!("<bounces@{}>", world.names.desk)),
        ("Date", date(world.clock.now())),
        ("From", mailbox(&tongue.team_of(&queue.name), &queue.address)),
        ("To", address.to_owned()),
        ("Subject", encode_words(&other)),
        ("Message-ID", format!("<{mark}@{}>", world.names.desk)),
        ("Auto-Submitted", "auto-replied".to_owned()),
    ];
    let draft = Draft { headers, text, base64: world.style.base64, boundary: mark, ..Draft::default() };
    world.file_customer_mail(address, "INBOX", draft.build());
}

/// Puts a stranger's automatic mail into a mailbox that quotes a text.
pub(crate) fn quoting(world: &World, address: &str, text: &str) {
    let (words, tongue) = (world.style.vacation, &world.style.tongue);
    let mark = world.pace.hex(12);
    let now = date(world.clock.now());
    let quoted: String = text.trim_end().lines().map(|l| format!("> {l}\n")).collect();
    let headers = vec![
        ("Return-Path", "<>".to_owned()),
        ("Date", now.clone()),
        ("From", mailbox(NAMES[1], "person1@strangers.test")),
        ("To", address.to_owned()),
        ("Subject", encode_words(words.subject.trim_end_matches([' ', ':']))),
        ("Message-ID", format!("<{mark}@strangers.test>")),
        ("Auto-Submitted", "auto-replied".to_owned()),
    ];
    let text = format!("{}\n\n{}\n{quoted}", words.text, tongue.introduces(&now, address));
    let draft = Draft { headers, text, boundary: mark, ..Draft::default() };
    world.file_customer_mail(address, "INBOX", draft.build());
}

/// Makes `count` tickets of strangers.
pub(crate) fn tickets(world: &World, desk: &mut Desk, count: usize) {
    let now = world.clock.now();
    for at in 0..count {
        let id = desk.next_ticket();
        let mark = world.pace.hex(12);
        let message = Message {
            id: desk.next_part(),
            public: true,
            author: Author::Customer,
            from: Some(format!("person{at}@strangers.test")),
            to: Vec::new(),
            text: format!("Good morning,\n\nmy order {mark} has not come. Please look into it.\n"),
            html: None,
            created: now,
            message_id: Some(format!("{mark}@strangers.test")),
            delivery: None,
            files: Vec::new(),
        };
        let mut ticket = Ticket {
            id,
            subject: format!("Order {mark}"),
            queue: world.queues[at % world.queues.len()].name.clone(),
            channel: Channel::Email,
            status: if at % 2 == 0 { Status::Open } else { Status::Closed },
            place: Place::Normal,
            hold_cause: None,
            requester: format!("person{at}@strangers.test"),
            requester_name: NAMES[at % NAMES.len()].to_owned(),
            priority: "normal".to_owned(),
            tags: Vec::new(),
            created: now,
            fields: BTreeMap::new(),
            messages: vec![message],
            history: Vec::new(),
            source: None,
            search: String::new(),
        };
        ticket.note(now, "system", "created");
        ticket.index(&format!("{}\n{}", ticket.subject, ticket.messages[0].text));
        desk.insert(ticket);
    }
}
