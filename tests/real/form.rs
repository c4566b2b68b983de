//! The public form of django-helpdesk: the whole journey through page, ticket and mail, and one thing broken at a time.

use crate::helpdesk::{self, FORM, Ticket};
use crate::imap::everything;
use crate::proxy::{At, Fault, Proxy};
use crate::record::record;
use crate::site::{Desk, Expected, Probe, Ran, Site, digest, outcome};
use crate::stack::{Lane, Stack, nonce};
use crate::stack_or_skip;

const SUBMIT: At = At("POST", FORM);
const NOTE: &[u8] = "Sendung 4711: zwei Gläser, grün\r\n\r\n--\r\nAnna\n".as_bytes();
const ALL: [&str; 10] = ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return", "follow_up", "clean_up"];

/// A site with one probe of the form, and the word in its subject.
struct Case {
    stack: &'static Stack,
    customer: &'static str,
    site: Site,
    word: String,
}

/// The lines of a probe through the form of a site, `[form]` at the top.
pub fn form(url: &str, word: &str, choose: Option<Lane>) -> String {
    // Which field is the subject, which the text and which the address, it must find itself.
    let queue = choose.map(|l| format!("fields = [{{ label = \"Queue\", choose = \"{}\" }}]\n", l.queue())).unwrap_or_default();
    format!(
        "[form]\npage = \"{url}{FORM}\"\nsubject = \"Größe der Lieferung {word} (${{token}})\"\ntext = \"\"\"\nGrüß Gott,\n\nmeine Lieferung ist „unvollständig“.\n\nAktenzeichen: ${{token}}\n\"\"\"\n{queue}attachments = [\"files/notiz.txt\"]\ndwell = \"1s\"\n{THANKS}"
    )
}

/// This desk says no thanks: it shows the ticket, whose number stands in the page's address.
const THANKS: &str = "thanks = \"Submitted On\"\nnumber = 'ticket=[a-z0-9]+-([0-9]+)'\n";

/// An answer without threading headers is how this desk answers; most tests look at something else.
const WANTED: &str = "[policy]\nthreading = \"wanted\"\n";

impl Case {
    fn new(stack: &'static Stack, customer: &'static str, url: &str, lane: Lane) -> Case {
        Case::with(stack, customer, lane, |word| form(url, word, Some(lane)), |p| p)
    }

    fn with(
        stack: &'static Stack,
        customer: &'static str,
        lane: Lane,
        way: impl Fn(&str) -> String,
        more: impl Fn(Probe) -> Probe,
    ) -> Case {
        let site = Site::at(stack, customer, Desk::helpdesk(stack));
        let word = nonce();
        site.write("probes/files/notiz.txt", NOTE);
        let mut probe = Probe::by(&way(&word), &lane.queue());
        probe.tables = WANTED.to_owned();
        site.probe("case", &more(probe));
        Case { stack, customer, site, word }
    }

    fn run(&self) -> Ran {
        self.site.run(&["run", "case"])
    }

    fn tickets(&self) -> Vec<Ticket> {
        helpdesk::tickets(self.stack, &self.word)
    }

    /// Every ticket is closed and the mailbox is empty.
    fn assert_clean(&self) {
        let open: Vec<_> = self.tickets().into_iter().filter(|t| t.status != 3 && t.status != 4).collect();
        assert!(open.is_empty(), "left open: {open:#?}");
        let left: Vec<_> = everything(self.stack, self.customer).into_iter().map(|(f, l)| (f, l.header("Subject"))).collect();
        assert_eq!(left, [], "left in the mailbox");
    }
}

#[test]
fn a_request_with_a_file_goes_through_form_ticket_and_mail_and_leaves_nothing_open() {
    let stack = stack_or_skip!();
    let case = Case::new(stack, "customer65@customers.test", stack.word("HELPDESK_URL"), Lane(5));
    let ran = case.run();
    ran.assert_passed();
    for stage in ALL {
        assert_eq!(outcome(ran.only(), stage), "pass", "{stage}\n{}", digest(&ran.report));
    }
    assert_eq!(ran.only()["channel"], "form");
    let tickets = case.tickets();
    assert_eq!(tickets.len(), 1, "{tickets:#?}");
    let ticket = &tickets[0];
    assert_eq!((ticket.queue, ticket.requester.as_str()), (5, case.customer));
    assert_eq!(ticket.files(stack), [("notiz.txt".to_owned(), NOTE.to_vec())]);
    let by_agent = ticket.entries.iter().filter(|e| e.by_agent && !e.text.is_empty()).count();
    let by_mail = ticket.entries.iter().filter(|e| e.title.starts_with("E-Mail Received from customer65@")).count();
    assert_eq!((by_agent, by_mail), (1, 1), "{ticket:#?}");
    case.assert_clean();
}

/// One thing is broken by the proxy (a row of the fault matrix, where it is one): named; and with nothing broken it passes.
fn broken_by(row: Option<&str>, fault: Fault, customer: &'static str, lane: Lane, more: impl Fn(Probe) -> Probe, expected: &Expected) {
    let stack = stack_or_skip!();
    let proxy = Proxy::to(stack.port("HELPDESK"));
    let case = Case::with(stack, customer, lane, |word| form(&proxy.url(), word, Some(lane)), more);
    // What the form looks like when it is well; a later run is compared with it.
    case.run().assert_passed();
    let (posts, tickets) = (proxy.count(SUBMIT), case.tickets().len());
    assert_eq!((posts, tickets), (1, 1));
    let what = format!("{fault:?}");
    proxy.set(fault);
    let ran = case.run();
    ran.assert_failed(&what, expected);
    if let Some(row) = row {
        record(&case.site, row, ran.only());
    }
    assert_eq!(proxy.count(SUBMIT), 2, "{what}: submitted more or less often than once");
    proxy.set(Fault::None);
    case.run().assert_passed();
    case.assert_clean();
}

#[test]
fn a_renamed_csrf_field_is_named_and_what_changed_is_said() {
    broken_by(
        Some("form-contract-changed"),
        Fault::Renamed("csrfmiddlewaretoken", "csrf_token"),
        "customer66@customers.test",
        Lane(6),
        |p| p,
        &Expected { stage: "accept", accepted: &["form-contract-changed"], unhurt: &["send"] },
    );
}

#[test]
fn a_submission_that_is_answered_with_500_is_named() {
    broken_by(
        None,
        Fault::ServerError(SUBMIT),
        "customer67@customers.test",
        Lane(7),
        |p| p.limit("land", "20s").limit("accept", "20s").limit("acknowledge", "20s"),
        &Expected { stage: "accept", accepted: &["form-submit-500"], unhurt: &["send"] },
    );
}

#[test]
fn a_form_that_says_thanks_and_throws_the_request_away_is_named() {
    broken_by(
        Some("honeypot-false-success"),
        Fault::Swallowed(
            SUBMIT,
            "<html><body><h1>Thank you</h1><p>We have received your request. Submitted On Nov. 25, 2026</p></body></html>",
        ),
        "customer68@customers.test",
        Lane(8),
        |p| p.limit("land", "20s").limit("acknowledge", "20s"),
        &Expected { stage: "land", accepted: &["honeypot-false-success"], unhurt: &["send", "accept"] },
    );
}

#[test]
fn a_file_that_is_lost_on_its_way_into_the_ticket_is_named() {
    broken_by(
        None,
        Fault::FilesStripped(SUBMIT),
        "customer69@customers.test",
        Lane(9),
        |p| p.limit("format", "15s"),
        &Expected {
            stage: "format",
            accepted: &["attachment-dropped-in"],
            unhurt: &["send", "accept", "land", "queue", "acknowledge", "reply", "return", "follow_up"],
        },
    );
}

#[test]
fn a_wrong_default_queue_is_named_and_the_journey_goes_on() {
    let stack = stack_or_skip!();
    let lane = Lane(20);
    let _alone = crate::DEFAULT_QUEUE.lock().unwrap_or_else(|e| e.into_inner());
    let url = stack.word("HELPDESK_DEFAULT_URL");
    let way = |word: &str| form(url, word, None);
    let case = Case::with(stack, "customer70@customers.test", lane, way, |p| p.limit("queue", "10s"));
    let broken = stack.broken("default-queue", lane);
    case.run().assert_failed(
        "default-queue",
        &Expected {
            stage: "queue",
            accepted: &["default-queue-instead", "rule-order-wins"],
            unhurt: &["send", "accept", "land", "format", "acknowledge", "reply", "return", "follow_up"],
        },
    );
    broken.mend();
    case.run().assert_passed();
    case.assert_clean();
}

#[test]
fn a_mailbox_that_is_no_longer_fetched_is_named_by_mail_and_by_form() {
    let stack = stack_or_skip!();
    let lane = Lane(10);
    let form = Case::with(
        stack,
        "customer71@customers.test",
        lane,
        |word| form(stack.word("HELPDESK_URL"), word, Some(lane)),
        |p| p.limit("follow_up", "25s"),
    );
    let broken = stack.broken("unpolled", lane);
    // The form needs no mailbox until the customer answers by mail.
    form.run().assert_failed(
        "unpolled, by form",
        &Expected {
            stage: "follow_up",
            accepted: &["poller-hung", "fetched-not-ticketed", "desk-worker-down", "forwarder-lost"],
            unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return"],
        },
    );
    // The answer that waited comes in now, and reopens the ticket of the run that is over; nothing is asserted of that one.
    broken.mend();
    form.run().assert_passed();
}

#[test]
fn text_files_that_the_import_of_mail_drops_are_named() {
    let stack = stack_or_skip!();
    let (customer, lane) = ("customer72@customers.test", Lane(12));
    let site = Site::at(stack, customer, Desk::helpdesk(stack));
    site.write("probes/files/notiz.txt", NOTE);
    let mut probe = Probe::to(&lane.helpdesk(), &lane.queue()).limit("format", "15s");
    probe.tables = WANTED.to_owned();
    site.probe("plain", &probe);
    probe.email = "attachments = [\"files/notiz.txt\"]\n".to_owned();
    site.probe("case", &probe);
    site.run(&["run", "plain"]).assert_passed();
    let ran = site.run(&["run", "case"]);
    record(&site, "attachment-dropped-in", ran.only());
    ran.assert_failed(
        "a text file by mail",
        &Expected {
            stage: "format",
            accepted: &["attachment-dropped-in"],
            unhurt: &["send", "accept", "land", "queue", "acknowledge", "reply", "return", "follow_up"],
        },
    );
}

#[test]
fn an_answer_without_threading_headers_is_what_the_policy_says() {
    let stack = stack_or_skip!();
    let lane = Lane(13);
    let url = stack.word("HELPDESK_URL");
    let with = |policy: &'static str| {
        let strict = move |mut p: Probe| {
            p.tables = format!("[policy]\nthreading = \"{policy}\"\n");
            p
        };
        Case::with(stack, "customer73@customers.test", lane, |word| form(url, word, Some(lane)), strict)
    };
    with("required").run().assert_failed(
        "threading = required",
        &Expected {
            stage: "return",
            accepted: &["return-not-threaded"],
            unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply", "follow_up"],
        },
    );
    let said = |ran: &Ran| ran.only().to_string().contains("return-not-threaded");
    let wanted = with("wanted").run();
    wanted.assert_passed();
    let ignored = with("ignored").run();
    ignored.assert_passed();
    assert!(!said(&ignored), "{}", digest(&ignored.report));
}

/// The submission was done; whether, its answer does not tell. It is never done again, and is found.
fn uncertain(fault: Fault, customer: &'static str, lane: Lane) {
    let stack = stack_or_skip!();
    let proxy = Proxy::to(stack.port("HELPDESK"));
    let case = Case::with(stack, customer, lane, |word| form(&proxy.url(), word, Some(lane)), |p| p);
    let what = format!("{fault:?}");
    proxy.set(fault);
    let ran = case.run();
    let about = format!("{what}\n{}\n{}", digest(&ran.report), ran.said);
    assert_eq!((proxy.count(SUBMIT), case.tickets().len()), (1, 1), "{about}");
    assert_ne!(ran.only()["verdict"], "fail", "{about}");
    for stage in ["land", "queue", "format", "acknowledge", "reply", "return", "follow_up"] {
        assert_eq!(outcome(ran.only(), stage), "pass", "{stage}: {about}");
    }
    case.assert_clean();
}

#[test]
fn a_thank_you_that_is_cut_in_the_middle_leads_to_no_second_request() {
    uncertain(Fault::AnswerCut(SUBMIT), "customer74@customers.test", Lane(14));
}

#[test]
fn a_thank_you_that_never_comes_leads_to_no_second_request() {
    uncertain(Fault::AnswerHeld(SUBMIT), "customer75@customers.test", Lane(15));
}
