//! What the customer's provider does besides carrying mail: it answers by itself, delivers old mail again, marks and throttles.

use super::faults::Fault;
use super::marks::Past;
use super::mime::{self, Draft, date, encode_words, mailbox};
use super::provider;
use super::smtp::Envelope;
use super::world::World;
use super::{plant, recode};
use std::sync::Arc;
use std::time::Duration;

/// Mails of a ticket that was closed so long ago belong to an earlier request.
const SETTLED: Duration = Duration::from_secs(3);
/// So many old mails come back at once.
const COME_BACK: usize = 3;

/// What a hand-in looks like when it leaves the provider.
pub(crate) fn outgoing(world: &World, raw: Vec<u8>) -> Vec<u8> {
    if !world.switches.on(Fault::AutomatedIgnored) {
        return raw;
    }
    let mut marked = format!("{}\r\n", world.style.machine_mark).into_bytes();
    marked.extend_from_slice(&raw);
    marked
}

/// What relays make of a mail on its way.
pub(crate) fn relayed(world: &World, raw: Vec<u8>) -> Vec<u8> {
    if world.switches.on(Fault::OkReencoded) { recode::recode(&raw) } else { raw }
}

/// What follows when a customer has written to the desk.
pub(crate) fn written(world: &Arc<World>, envelope: &Envelope, raw: &[u8]) {
    let to_desk = envelope.to.iter().any(|to| world.queue_of(to).is_some());
    if !to_desk {
        return;
    }
    if world.switches.on(Fault::StaleMatch) {
        come_back(world, &envelope.from, raw);
    }
    if world.switches.on(Fault::TokenInQuote) {
        quote_by_stranger(world, &envelope.from, raw);
    }
}

/// Delivers mails of earlier requests again; where there are none, one that looks as if it were.
fn come_back(world: &Arc<World>, account: &str, raw: &[u8]) {
    let old: Vec<Past> = world.marks.past(account).into_iter().filter(|p| is_of_the_past(world, p)).take(COME_BACK).collect();
    let subject = mime::subject(raw);
    let (job, account) = (world.clone(), account.to_owned());
    world.spawn(async move {
        tokio::time::sleep(job.pause(10, 150)).await;
        if old.is_empty() {
            plant::stale(&job, &account, &subject);
        }
        for past in old {
            job.file_customer_mail(&past.to, "INBOX", past.raw.to_vec());
        }
    });
}

fn is_of_the_past(world: &World, past: &Past) -> bool {
    let desk = world.desk();
    let Some(ticket) = desk.ticket_of(&past.message_id).and_then(|id| desk.tickets.get(&id)) else { return false };
    let last = ticket.history.iter().map(|e| e.at).max().unwrap_or(ticket.created);
    let age = Duration::try_from(world.clock.now().duration_since(last)).unwrap_or_default();
    ticket.is_done() && age >= world.pace.scaled(SETTLED)
}

/// A colleague's absence note that quotes the customer's words.
fn quote_by_stranger(world: &Arc<World>, account: &str, raw: &[u8]) {
    let (job, account) = (world.clone(), account.to_owned());
    let text = super::desk::import::read(raw).text;
    world.spawn(async move {
        tokio::time::sleep(job.pause(10, 200)).await;
        plant::quoting(&job, &account, &text);
    });
}

/// What follows when a mail lies in a customer's mailbox.
pub(crate) fn delivered(world: &Arc<World>, from: &str, to: &str, raw: &[u8]) {
    if world.customers.get(to).is_none() {
        return;
    }
    if provider::from_desk(world, from)
        && let Some(id) = mime::header(raw, "Message-ID")
    {
        let message_id = id.trim_matches(['<', '>']).to_owned();
        world.marks.keep(Past { to: to.to_owned(), message_id, raw: Arc::new(raw.to_vec()) });
    }
    if world.switches.on(Fault::OkForeignMail) {
        plant::mails(world, to, 2);
    }
    if world.switches.on(Fault::OwnResponderLoops) && provider::from_desk(world, from) && world.marks.may_respond(to) {
        respond(world, to, raw);
    }
}

/// The vacation responder of an account: it answers whatever comes, once each.
fn respond(world: &Arc<World>, account: &str, raw: &[u8]) {
    let incoming = super::desk::import::read(raw);
    let answer_to = incoming.reply_to.map_or(incoming.from, |(address, _)| address);
    let Some(person) = world.accounts.iter().find(|a| a.address.eq_ignore_ascii_case(account)) else { return };
    if world.queue_of(&answer_to).is_none() {
        return;
    }
    let words = world.style.vacation;
    let mark = world.pace.hex(14);
    let answered = incoming.message_id.map(|id| format!("<{id}>")).unwrap_or_default();
    let draft = Draft {
        headers: vec![
            ("Date", date(world.clock.now())),
            ("From", mailbox(&person.display_name, &person.address)),
            ("To", answer_to.clone()),
            ("Subject", encode_words(&format!("{} {}", words.subject, incoming.subject))),
            ("Message-ID", format!("<{mark}@{}>", world.names.customers)),
            ("In-Reply-To", answered.clone()),
            ("References", answered),
            ("Auto-Submitted", "auto-replied".to_owned()),
        ],
        text: format!("{}\n", words.text),
        boundary: mark,
        ..Draft::default()
    };
    let envelope = Envelope { from: account.to_owned(), to: vec![answer_to] };
    provider::enqueue(world, envelope, draft.build());
}

/// Waits until what follows a hand-in lies in the sender's mailbox, where everything happens at once.
pub(crate) async fn wait_for_answer(world: &Arc<World>, account: &str, before: usize) {
    let Some(mailbox) = world.customers.get(account).cloned() else { return };
    let mut pushed = mailbox.watch();
    let there = async {
        while mailbox.count() <= before {
            if pushed.changed().await.is_err() {
                return;
            }
        }
    };
    // A mail that nobody acknowledges is answered all the same.
    let _ = tokio::time::timeout(Duration::from_secs(2), there).await;
}
