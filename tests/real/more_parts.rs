//! Proof that django-helpdesk, Synapse and the proxy do what the tests of forms and chats rely on, without the product.

use crate::helpdesk::{self, FORM, Ticket};
use crate::imap::{Letter, Mailbox};
use crate::matrix::{Line, Person, said};
use crate::proxy::{At, Fault, Proxy};
use crate::smtp::Sender;
use crate::stack::{Lane, Stack, nonce, until};
use crate::stack_or_skip;

const NOTE: &[u8] = "Sendung 4711 – grün\r\n--parts\r\n".as_bytes();

fn ticket(stack: &Stack, word: &str) -> Ticket {
    let mut found = helpdesk::tickets(stack, word);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn letter(stack: &Stack, customer: &str, word: &str, mark: &str) -> Letter {
    let fits = |l: &Letter| l.text.contains(word) && l.header("Subject").is_some_and(|s| s.contains(mark));
    until(mark, || Mailbox::open(stack, customer).letters("INBOX").into_iter().find(fits))
}

fn write(stack: &'static Stack, customer: &str, lane: Lane, subject: &str, more: &str, text: &str) {
    let (id, to) = (nonce(), lane.helpdesk());
    let head = format!("From: <{customer}>\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}@customers.test>\nMIME-Version: 1.0\n{more}");
    Sender::customer(stack, customer).send(customer, &to, &format!("{head}\n{text}\n"));
}

#[test]
fn a_form_becomes_a_ticket_and_mail_goes_both_ways() {
    let stack = stack_or_skip!();
    let (customer, lane, word) = ("customer61@customers.test", Lane(1), nonce());
    let thanks = helpdesk::fill_in(stack.port("HELPDESK"), lane, customer, &word, NOTE).expect("an answer");
    let location = thanks.header("location").unwrap_or_default().to_owned();
    assert!(thanks.status == 302 && location.starts_with("/view/?ticket=lane01-"), "{} {location}", thanks.status);
    let opened = ticket(stack, &word);
    assert_eq!((opened.queue, opened.status, opened.requester.as_str()), (1, 1, customer));
    assert_eq!(opened.files(stack), [("note.txt".to_owned(), NOTE.to_vec())]);
    letter(stack, customer, &word, "(Opened)");

    helpdesk::answer(stack, opened.id, "On its way.");
    let answer = letter(stack, customer, &word, "(Updated)");
    assert_eq!((answer.header("References"), answer.header("In-Reply-To")), (None, None));
    write(stack, customer, lane, &format!("Re: {}", answer.header("Subject").expect("a subject")), "", "Thank you.");
    until("the follow-up", || (ticket(stack, &word).count("Thank you.") == 1).then_some(()));
}

#[test]
fn a_queue_that_is_not_polled_gets_no_mail_until_it_is() {
    let stack = stack_or_skip!();
    let (customer, lane, word, later) = ("customer62@customers.test", Lane(2), nonce(), nonce());
    let broken = stack.broken("unpolled", lane);
    write(stack, customer, lane, &word, "", "Where is it?");
    // Another lane is still polled: two rounds later this one was left out twice.
    for _ in 0..2 {
        let other = nonce();
        write(stack, customer, Lane(3), &other, "", "Where is it?");
        until("a ticket of another lane", || helpdesk::tickets(stack, &other).pop());
    }
    assert_eq!(helpdesk::tickets(stack, &word), []);
    broken.mend();
    until("the ticket", || helpdesk::tickets(stack, &word).pop());
    let text = "Content-Type: multipart/mixed; boundary=part\n";
    let parts = "--part\n\nWhere is it?\n--part\nContent-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nNote\n--part--";
    write(stack, customer, lane, &later, text, parts);
    let imported = until("the ticket", || helpdesk::tickets(stack, &later).pop());
    assert_eq!(imported.files(stack), [], "it keeps text files of mails now");
}

#[test]
fn a_form_without_a_choice_follows_the_setting() {
    let stack = stack_or_skip!();
    let port = stack.port("HELPDESK_DEFAULT");
    let (customer, word, mended) = ("customer63@customers.test", nonce(), nonce());
    let _alone = crate::DEFAULT_QUEUE.lock().unwrap_or_else(|e| e.into_inner());
    let broken = stack.broken("default-queue", Lane(20));
    helpdesk::fill_in(port, Lane(20), customer, &word, NOTE).expect("an answer");
    assert_eq!(ticket(stack, &word).queue, 21);
    broken.mend();
    helpdesk::fill_in(port, Lane(20), customer, &mended, NOTE).expect("an answer");
    assert_eq!(ticket(stack, &mended).queue, 20);
}

#[test]
fn the_proxy_breaks_one_thing_at_a_time() {
    let stack = stack_or_skip!();
    let proxy = Proxy::to(stack.port("HELPDESK"));
    let submit = At("POST", FORM);
    let try_it = || {
        let word = nonce();
        let answer = helpdesk::fill_in(proxy.port(), Lane(4), "customer64@customers.test", &word, NOTE);
        (answer.map(|a| a.status), helpdesk::tickets(stack, &word))
    };
    let (status, found) = try_it();
    assert_eq!((status, found.len()), (Some(302), 1));
    assert_eq!(found[0].files(stack), [("note.txt".to_owned(), NOTE.to_vec())]);
    proxy.set(Fault::Renamed("csrfmiddlewaretoken", "csrf_token"));
    assert_eq!(try_it(), (Some(403), vec![]));
    proxy.set(Fault::ServerError(submit));
    assert_eq!(try_it(), (Some(500), vec![]));
    proxy.set(Fault::Swallowed(submit, "<h1>Thank you</h1>"));
    assert_eq!(try_it(), (Some(200), vec![]));
    proxy.set(Fault::FilesStripped(submit));
    let (status, found) = try_it();
    assert_eq!((status, found[0].files(stack)), (Some(302), vec![]));
    proxy.set(Fault::AnswerCut(submit));
    let (status, found) = try_it();
    assert_eq!((status, found.len()), (None, 1));
    proxy.set(Fault::AnswerHeld(submit));
    let word = nonce();
    std::thread::scope(|s| {
        let held = s.spawn(|| helpdesk::fill_in(proxy.port(), Lane(4), "customer64@customers.test", &word, NOTE));
        until("the ticket", || helpdesk::tickets(stack, &word).pop());
        assert!(!held.is_finished());
        proxy.set(Fault::None);
        assert_eq!(held.join().expect("no panic").map(|a| a.status), Some(302));
    });
    assert_eq!(proxy.count(submit), 7);
}

#[test]
fn visitor_and_agent_hear_each_other_and_lines_outlive_a_kill() {
    let stack = stack_or_skip!();
    let _alone = crate::SECOND_SYNAPSE.lock().unwrap_or_else(|e| e.into_inner());
    stack.second_synapse("start");
    let port = stack.port("SYNAPSE2");
    let (mut agent, mut visitor) = (Person::agent(port, Lane(1)), Person::visitor(port));
    let room = visitor.begin(&agent.id, "Where is my parcel?");
    assert!(agent.accept().contains(&room));
    visitor.news(0);
    agent.say(&room, "On its way.");
    let first = Line { by: visitor.id.clone(), text: "Where is my parcel?".to_owned() };
    let answer = Line { by: agent.id.clone(), text: "On its way.".to_owned() };
    let pushed = visitor.news(30_000)["rooms"]["join"][&room]["timeline"]["events"].clone();
    assert_eq!(said(&pushed), std::slice::from_ref(&answer));
    stack.second_synapse("kill");
    stack.second_synapse("start");
    assert_eq!(visitor.lines(&room), [first, answer]);
    // A proxy that passes everything but what the long poll brings.
    let proxy = Proxy::to(port);
    let mut deaf = Person::agent(proxy.port(), Lane(1));
    proxy.set(Fault::Mute(At("GET", "/_matrix/client/v3/sync")));
    assert_eq!(deaf.news(0), serde_json::Value::Null);
    assert_eq!(deaf.lines(&room).len(), 2);
    stack.second_synapse("stop");
}
