//! kill -9 before an intent, between intent and act, and between act and result, at every act; then the daemon goes on
//! with what it finds: never more than one message a leg, none only in a run that ended unknown, one verdict each.

use crate::record::record;
use crate::rt;
use crate::site::{Probe, Site, digest};
use crate::stack::{Lane, Stack, nonce};
use crate::stack_or_skip;
use serde_json::json;

/// How many messages each leg really left, counted at the desk and in the provider's log.
#[derive(Debug, PartialEq, Eq)]
struct Legs {
    /// Requests that the customer's provider took.
    sent: usize,
    /// Tickets.
    tickets: usize,
    /// Answers of the agent.
    replies: usize,
    /// Answers of the customer.
    follow_ups: usize,
}

const LANE: Lane = Lane(16);

/// `word` is in the subject of the request and of nothing else; `before` is what the provider had taken earlier.
fn legs(stack: &'static Stack, customer: &str, word: &str, before: usize) -> Legs {
    let tickets = rt::tickets(stack, word);
    let histories: Vec<_> = tickets.iter().map(|t| rt::history(stack, &t.id)).collect();
    let sum = |kind: &str, by: &str| histories.iter().map(|h| rt::count(h, kind, by)).sum();
    Legs {
        sent: taken(stack, customer) - before,
        tickets: tickets.len(),
        replies: sum("Correspond", "monitor"),
        follow_ups: sum("Correspond", customer),
    }
}

/// How many messages the provider took from the customer.
fn taken(stack: &'static Stack, customer: &str) -> usize {
    stack.logged("provider", &["sasl_username=", customer]).len()
}

/// Crashes at `point` of `act`, lets a daemon go on, and looks at what became of it.
fn crashed_at(point: &str, act: &str, customer: &str) {
    let stack = stack_or_skip!();
    let site = Site::new(stack, customer);
    let (word, before) = (nonce(), taken(stack, customer));
    let mut probe = Probe::of(LANE);
    // What was never done is looked for in vain until the limit: no need to do so for long.
    let in_vain: &[&'static str] = match (point, act) {
        ("after-intent", "send") => &["accept", "land", "acknowledge"],
        ("after-intent", "reply") => &["reply", "return"],
        ("after-intent", "follow_up") => &["follow_up"],
        _ => &[],
    };
    for stage in in_vain {
        probe = probe.limit(stage, "45s");
    }
    probe.subject = format!("Question about order {word}");
    site.probe("case", &probe);
    let place = format!("{point}:{act}");
    let ran = site.run_with(&["run", "case"], &[("REPLYPATH_CRASH_AT", &place)]);
    assert_eq!(ran.code, None, "{place}: it should have died there\n{}\n{}", digest(&ran.report), ran.said);

    let mut daemon = site.start(&["serve"]);
    let run = site.only_verdict(&mut daemon);
    let verdict = run["verdict"].as_str().expect("a verdict").to_owned();
    let legs = legs(stack, customer, &word, before);
    let about = format!("{place}: {verdict}, {legs:?}\n{}\n{}", digest(&json!({ "runs": [&run] })), daemon.said());
    assert!(legs.tickets <= 1 && legs.replies <= 1 && legs.follow_ups <= 1 && legs.sent <= 2, "twice: {about}");
    let whole = Legs { sent: 2, tickets: 1, replies: 1, follow_ups: 1 };
    match point {
        // Nothing was begun, so the act is done now.
        "before-intent" => assert_eq!((verdict.as_str(), &legs), ("pass", &whole), "{about}"),
        // It may or may not have been done, and was not: the run looks for it, in vain, and says that it cannot tell.
        "after-intent" if act == "send" => assert_eq!((verdict.as_str(), legs.sent), ("unknown", 0), "{about}"),
        "after-intent" if act == "reply" => assert_eq!((verdict.as_str(), legs.replies), ("unknown", 0), "{about}"),
        "after-intent" if act == "follow_up" => assert_eq!((verdict.as_str(), legs.follow_ups), ("unknown", 0), "{about}"),
        // It was done, and is found.
        "after-act" => assert_eq!((verdict.as_str(), &legs), ("pass", &whole), "{about}"),
        _ => assert_eq!(legs, whole, "{about}"),
    }
    if (point, act) == ("after-act", "send") {
        record(&site, "mon-restart-forgets", &run);
    }
    // A restart long after the verdict changes nothing.
    drop(daemon);
    let mut daemon = site.start(&["serve"]);
    assert_eq!(site.only_verdict(&mut daemon)["verdict"], verdict.as_str());
}

macro_rules! crashes {
    ($($name:ident: $point:literal $act:literal $customer:literal;)*) => {
        $(#[test] fn $name() { crashed_at($point, $act, $customer); })*
    };
}

crashes! {
    before_the_intent_to_send: "before-intent" "send" "customer21@customers.test";
    between_intent_and_sending: "after-intent" "send" "customer22@customers.test";
    between_sending_and_its_result: "after-act" "send" "customer23@customers.test";
    before_the_intent_to_reply: "before-intent" "reply" "customer24@customers.test";
    between_intent_and_reply: "after-intent" "reply" "customer25@customers.test";
    between_reply_and_its_result: "after-act" "reply" "customer26@customers.test";
    before_the_intent_to_follow_up: "before-intent" "follow_up" "customer27@customers.test";
    between_intent_and_follow_up: "after-intent" "follow_up" "customer28@customers.test";
    between_follow_up_and_its_result: "after-act" "follow_up" "customer29@customers.test";
    before_the_intent_to_clean_up: "before-intent" "close" "customer30@customers.test";
    between_intent_and_clean_up: "after-intent" "close" "customer31@customers.test";
    between_clean_up_and_its_result: "after-act" "close" "customer32@customers.test";
}
