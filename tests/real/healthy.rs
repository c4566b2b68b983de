//! When nothing is broken: every stage passes, nothing is left, and nothing of anybody else is touched.

use crate::imap::{Mailbox, everything};
use crate::record::record;
use crate::rt;
use crate::site::{Probe, Site, digest, outcome};
use crate::smtp::Sender;
use crate::stack::{Lane, Stack, nonce, until};
use crate::stack_or_skip;
use serde_json::{Value, json};

/// Bytes as in a file that nobody may change: every value, line ends of all kinds.
fn picture() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend((0..40_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8));
    bytes
}

const NOTES: &str = "Bestellung 4711: zwei Gläser, grün\nLieferung bis Freitag – bitte prüfen\n";

fn full_probe(address: &str, queue: &str, word: &str) -> Probe {
    let mut probe = Probe::to(address, queue);
    probe.subject = format!("Größe der Lieferung – часть 2 ✓ {word} (${{token}})");
    probe.text = "Grüß Gott,\n\nmeine Lieferung №4711 ist „unvollständig“ – es fehlen zwei Gläser. 日本語もどうぞ.\n\nAktenzeichen: ${token}\n\nAnna Müller\n".to_owned();
    probe.email = r#"html = """<p>Grüß Gott,</p><p>meine Lieferung №4711 ist <b>„unvollständig“</b> – es fehlen zwei Gläser. 日本語もどうぞ.</p><p>Aktenzeichen: ${token}</p><p>Anna Müller</p>"""
attachments = ["files/glas.png", "files/notizen.txt"]
"#
    .to_owned();
    probe.tables = r#"[reply]
text = """Guten Tag Frau Müller,

die Gläser sind unterwegs – Sie erhalten sie übermorgen.

Vorgang ${token}
"""
attachments = ["files/glas.png"]

[follow_up]
text = """Vielen Dank – das freut mich. ${token}
"""
"#
    .to_owned();
    probe
}

#[test]
fn two_queues_pass_every_stage_and_leave_nothing_behind() {
    let stack = stack_or_skip!();
    let customer = "customer1@customers.test";
    let site = Site::new(stack, customer);
    let word = nonce();
    site.write("probes/files/glas.png", &picture());
    site.write("probes/files/notizen.txt", NOTES.as_bytes());
    site.probe("orders", &full_probe("support@desk.test", "General", &word));
    site.probe("invoices", &full_probe("billing@desk.test", "Billing", &word));

    let ran = site.run(&["run", "--all"]);
    ran.assert_passed();
    assert_eq!(ran.report["schema"], 1);
    let runs = ran.report["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    for run in runs {
        for stage in ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "follow_up", "clean_up"] {
            assert_eq!(outcome(run, stage), "pass", "{stage}\n{}", digest(&ran.report));
        }
        assert_eq!(
            (&run["fault"], &run["stage"], &run["desk"], &run["channel"]),
            (&Value::Null, &Value::Null, &json!("helpdesk"), &json!("email"))
        );
    }

    // What the desk really got, seen by ourselves.
    let tickets = rt::tickets(stack, &word);
    let queues: Vec<&str> = tickets.iter().map(|t| t.queue.as_str()).collect();
    assert_eq!(tickets.len(), 2);
    assert!(queues.contains(&"General") && queues.contains(&"Billing"), "{queues:?}");
    for ticket in &tickets {
        assert_eq!(ticket.status, "resolved", "left open: {ticket:?}");
        let files = rt::files(stack, &ticket.id);
        assert!(files.contains(&("glas.png".to_owned(), picture())), "the picture is not as sent");
        assert!(files.contains(&("notizen.txt".to_owned(), NOTES.as_bytes().to_vec())), "the notes are not as sent");
        let history = rt::history(stack, &ticket.id);
        assert_eq!(
            (
                rt::count(&history, "Create", customer),
                rt::count(&history, "Correspond", "monitor"),
                rt::count(&history, "Correspond", customer)
            ),
            (1, 1, 1)
        );
    }
    assert_quiet(stack, customer);
    let left: Vec<_> = everything(stack, customer).into_iter().map(|(f, l)| (f, l.header("Subject"))).collect();
    assert_eq!(left, [], "left in the mailbox");
}

/// Waits until no mail to or from the customer is under way.
fn assert_quiet(stack: &'static Stack, customer: &str) {
    until("empty queues", || (stack.queued("desk", customer).is_empty() && stack.queued("provider", customer).is_empty()).then_some(()));
}

#[test]
fn foreign_mail_foreign_tickets_and_leftovers_change_nothing_and_stay() {
    let stack = stack_or_skip!();
    let (customer, lane) = ("customer2@customers.test", Lane(15));

    // A run that is killed in the middle and whose store is lost leaves mail and an open ticket.
    let lost = Site::new(stack, customer);
    let mut probe = Probe::of(lane);
    probe.tables = "[reply]\nmode = \"await\"\n".to_owned();
    lost.probe("case", &probe);
    let before = Mailbox::open(stack, customer).count("INBOX");
    let running = lost.start(&["run", "case"]);
    until("an acknowledgement", || (Mailbox::open(stack, customer).count("INBOX") > before).then_some(()));
    running.kill();
    drop(lost);

    foreign_mail(stack, customer, lane);
    foreign_tickets(stack, customer, lane);
    assert_quiet(stack, customer);
    let mail = everything(stack, customer);
    let tickets = rt::query(stack, &format!("Queue = '{}'", lane.queue()));
    assert!(mail.len() > 200 && tickets.len() > 20, "{} mails, {} tickets", mail.len(), tickets.len());

    let site = Site::new(stack, customer);
    site.probe("case", &Probe::of(lane));
    let ran = site.run(&["run", "case"]);
    ran.assert_passed();
    record(&site, "ok-foreign-mail", ran.only());
    let swept = site.run(&["sweep"]);
    assert_eq!(swept.code, Some(0), "{}", swept.said);
    assert_quiet(stack, customer);

    let after = everything(stack, customer);
    let (came, went) = (minus(&names(&after), &names(&mail)), minus(&names(&mail), &names(&after)));
    assert!(came.is_empty() && went.is_empty(), "other mail came: {came:#?}, went: {went:#?}");
    assert!(after == mail, "other mail was changed");
    let now = rt::query(stack, &format!("Queue = '{}'", lane.queue()));
    let (others, own): (Vec<_>, Vec<_>) = now.into_iter().partition(|t| tickets.iter().any(|o| o.id == t.id));
    assert_eq!(others, tickets, "another's ticket was changed");
    assert_eq!(own.iter().map(|t| t.status.as_str()).collect::<Vec<_>>(), ["resolved"]);
}

fn names(mail: &[(&'static str, crate::imap::Letter)]) -> Vec<String> {
    mail.iter().map(|(folder, l)| format!("{folder} {} {:?} {}", l.uid, l.flags, l.header("Subject").unwrap_or_default())).collect()
}

/// 200 mails that the run must leave alone, among them some that look like its own.
fn foreign_mail(stack: &'static Stack, customer: &str, lane: Lane) {
    let before = Mailbox::open(stack, customer).count("INBOX");
    let mut sender = Sender::stranger(stack);
    let desk = lane.address();
    for n in 0..200 {
        let id = nonce();
        let (from, subject, headers, text) = match n % 5 {
            0 => ("news@shop.test".to_owned(), format!("Offer {n}"), "List-Id: <news.shop.test>\n".to_owned(), "Buy now".to_owned()),
            1 => (
                desk.clone(),
                format!("[desk.test #{}] AutoReply: Question about order 1187", 9000 + n),
                "Auto-Submitted: auto-replied\n".to_owned(),
                "We got your request. Reference: rp0123456789abcdef".to_owned(),
            ),
            2 => (
                desk.clone(),
                format!("[desk.test #{}] Question about order 1187", 9000 + n),
                format!("References: <RT-Ticket-{}@desk.test>\n", 9000 + n),
                "Here is the answer to another question.".to_owned(),
            ),
            3 => (customer.to_owned(), "Question about order 1187".to_owned(), String::new(), "A note to myself".to_owned()),
            _ => (
                "mailer-daemon@elsewhere.test".to_owned(),
                "Undelivered Mail Returned to Sender".to_owned(),
                "Auto-Submitted: auto-replied\n".to_owned(),
                "550 5.1.1 user unknown".to_owned(),
            ),
        };
        let message = format!("From: <{from}>\nTo: {customer}\nSubject: {subject}\nMessage-ID: <{id}@elsewhere.test>\n{headers}\n{text}\n");
        sender.send(&from, customer, &message);
    }
    until("200 mails", || (Mailbox::open(stack, customer).count("INBOX") >= before + 200).then_some(()));
}

/// 20 tickets in the same queue, some by the same customer, some with the probe's own subject.
fn foreign_tickets(stack: &'static Stack, customer: &str, lane: Lane) {
    for n in 0..20 {
        let requester = if n % 2 == 0 { "somebody@elsewhere.test" } else { customer };
        let subject = if n % 4 < 2 { "Question about order 1187".to_owned() } else { format!("Another matter {n}") };
        let body = json!({ "Queue": lane.queue(), "Subject": subject, "Requestor": requester, "Content": "Please help", "ContentType": "text/plain" });
        rt::ask(stack, "POST", "/ticket", Some(&body));
    }
}

fn minus(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|n| !other.contains(n)).cloned().collect()
}
