//! The other ways to write back: to the acknowledgement, to one's own mail, to a closed ticket; and a person who answers.

use crate::record::record;
use crate::rt;
use crate::site::{Probe, Ran, Site, digest, outcome};
use crate::stack::{Lane, Stack, nonce, until};
use crate::stack_or_skip;

/// Runs a probe with more tables; gives what it said and the word in its subject.
fn ran(stack: &'static Stack, customer: &str, lane: Lane, tables: &str) -> (Ran, String, Site) {
    let site = Site::new(stack, customer);
    let word = nonce();
    let mut probe = Probe::of(lane);
    probe.subject = format!("Question about order {word}");
    probe.tables = tables.to_owned();
    site.probe("case", &probe);
    let ran = site.run(&["run", "case"]);
    (ran, word, site)
}

#[test]
fn a_follow_up_to_a_closed_ticket_reopens_it() {
    let stack = stack_or_skip!();
    let customer = "customer17@customers.test";
    let (ran, word, _site) = ran(stack, customer, Lane(17), "[follow_up]\nafter_close = true\nreopens = true\n");
    ran.assert_passed();
    let tickets = rt::tickets(stack, &word);
    assert_eq!(tickets.iter().map(|t| t.status.as_str()).collect::<Vec<_>>(), ["resolved"]);
    let history = rt::history(stack, &tickets[0].id);
    assert_eq!((rt::count(&history, "Correspond", "monitor"), rt::count(&history, "Correspond", customer)), (1, 1));
    // new, open by the answer, resolved, open by the follow-up, resolved by clean-up
    assert!(rt::count(&history, "Status", "") >= 4, "{history:?}");
}

#[test]
fn a_follow_up_to_the_acknowledgement_joins() {
    let stack = stack_or_skip!();
    let (ran, word, _site) = ran(stack, "customer18@customers.test", Lane(18), "[follow_up]\nto = \"acknowledgement\"\n");
    ran.assert_passed();
    assert_eq!(rt::tickets(stack, &word).len(), 1);
}

/// Request Tracker reads the ticket's number in the subject and its own ids, so a reply to one's own mail opens a second ticket.
#[test]
fn a_follow_up_to_ones_own_mail_is_found_in_its_second_ticket() {
    let stack = stack_or_skip!();
    let (ran, word, site) = ran(stack, "customer19@customers.test", Lane(19), "[follow_up]\nto = \"own\"\n");
    let run = ran.only();
    let about = format!("{}\n{}", digest(&ran.report), ran.said);
    assert_eq!((run["verdict"].as_str(), run["stage"].as_str()), (Some("fail"), Some("follow_up")), "{about}");
    let candidates = run["candidates"].as_array().expect("candidates");
    assert!(candidates.iter().any(|c| c == "reply-to-own-first-mail") && candidates.len() <= 3, "{about}");
    assert_eq!(outcome(run, "return"), "pass", "{about}");
    let tickets = rt::tickets(stack, &word);
    record(&site, "reply-to-own-first-mail", run);
    assert!(tickets.len() == 2 && tickets.iter().all(|t| t.status == "resolved"), "left open: {tickets:?}\n{about}");
}

#[test]
fn an_answer_that_a_person_writes_is_awaited_and_followed() {
    let stack = stack_or_skip!();
    let customer = "customer20@customers.test";
    let site = Site::new(stack, customer);
    let word = nonce();
    let mut probe = Probe::of(Lane(20));
    probe.subject = format!("Question about order {word}");
    probe.tables = "[reply]\nmode = \"await\"\n".to_owned();
    site.probe("case", &probe);
    let running = site.start(&["run", "case"]);
    let ticket = until("a ticket", || rt::tickets(stack, &word).pop());
    rt::answer(stack, &ticket.id, "Good morning,\n\nyour order left our house today.\n\nPaula Keller\n");
    let (code, said) = running.ended();
    assert_eq!(code, Some(0), "{said}");
    let run = site.runs().pop().expect("a run");
    for stage in ["acknowledge", "reply", "return", "follow_up", "clean_up"] {
        assert_eq!(outcome(&run, stage), "pass", "{stage}\n{said}");
    }
    // Found only by the last look at the limit of three minutes, it would be as late as that.
    let waited =
        run["stages"].as_array().expect("stages").iter().find(|s| s["stage"] == "return").and_then(|s| s["duration_seconds"].as_f64());
    assert!(waited.is_some_and(|w| w < 180.0), "the answer was found after {waited:?} s\n{said}");
    let history = rt::history(stack, &ticket.id);
    assert_eq!((rt::count(&history, "Correspond", "monitor"), rt::count(&history, "Correspond", customer)), (1, 1), "{history:?}");
}
