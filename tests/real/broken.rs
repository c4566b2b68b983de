//! One real part broken at a time: the run fails at the right stage with the right fault, and passes again when mended.

use crate::record::record;
use crate::site::{Expected, Probe, Site};
use crate::stack::{Lane, Stack};
use crate::stack_or_skip;

struct Case {
    /// What `tests/stack/break.sh` calls it.
    fault: &'static str,
    customer: &'static str,
    lane: Lane,
    probe: Probe,
    expected: Expected<'static>,
    /// The row of the fault matrix of which this is an example.
    row: Option<&'static str>,
}

fn named(case: Case, stack: &'static Stack) {
    let site = Site::new(stack, case.customer);
    site.probe("case", &case.probe);
    let broken = stack.broken(case.fault, case.lane);
    let ran = site.run(&["run", "case"]);
    ran.assert_failed(case.fault, &case.expected);
    if let Some(row) = case.row {
        record(&site, row, ran.only());
    }
    broken.mend();
    site.run(&["run", "case"]).assert_passed();
}

#[test]
fn a_stopped_gateway_is_a_loss_at_land() {
    let lane = Lane(1);
    named(
        Case {
            fault: "gateway-stopped",
            row: Some("poller-hung"),
            customer: "customer3@customers.test",
            lane,
            probe: Probe::of(lane).limit("accept", "20s").limit("land", "20s").limit("acknowledge", "20s"),
            expected: Expected {
                stage: "land",
                accepted: &["poller-hung", "desk-worker-down", "fetched-not-ticketed", "forwarder-lost", "intake-oauth-expired"],
                unhurt: &["send"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_alias_that_is_gone_is_known_by_its_bounce() {
    let lane = Lane(2);
    named(
        Case {
            fault: "alias-gone",
            row: Some("mx-rejects-alias"),
            customer: "customer4@customers.test",
            lane,
            probe: Probe::of(lane),
            expected: Expected { stage: "accept", accepted: &["mx-rejects-alias"], unhurt: &["send"] },
        },
        stack_or_skip!(),
    );
}

#[test]
fn a_wrong_queue_is_named_and_the_journey_goes_on() {
    let lane = Lane(3);
    named(
        Case {
            fault: "wrong-queue",
            row: Some("default-queue-instead"),
            customer: "customer5@customers.test",
            lane,
            probe: Probe::of(lane).limit("queue", "10s"),
            expected: Expected {
                stage: "queue",
                accepted: &["default-queue-instead", "rule-order-wins"],
                unhurt: &["send", "accept", "land", "format", "acknowledge", "reply", "return", "follow_up"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn a_missing_acknowledgement_is_named_and_the_journey_goes_on() {
    let lane = Lane(4);
    named(
        Case {
            fault: "no-acknowledgement",
            row: Some("ack-condition-broken"),
            customer: "customer6@customers.test",
            lane,
            probe: Probe::of(lane).limit("acknowledge", "25s"),
            expected: Expected {
                stage: "acknowledge",
                accepted: &["ack-condition-broken"],
                unhurt: &["send", "accept", "land", "queue", "format", "reply", "return", "follow_up"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_that_is_held_on_its_way_out_never_returns() {
    let lane = Lane(5);
    named(
        Case {
            fault: "outbound-held",
            row: None,
            customer: "customer7@customers.test",
            lane,
            probe: Probe::of(lane).skip("acknowledge").limit("return", "20s"),
            expected: Expected {
                stage: "return",
                accepted: &["reply-fails-unnoticed"],
                unhurt: &["send", "accept", "land", "queue", "format"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_without_threading_headers_is_named() {
    let lane = Lane(6);
    named(
        Case {
            fault: "unthreaded",
            row: Some("return-not-threaded"),
            customer: "customer8@customers.test",
            lane,
            probe: Probe::of(lane),
            expected: Expected {
                stage: "return",
                accepted: &["return-not-threaded"],
                unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply", "follow_up"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_from_noreply_is_named() {
    let lane = Lane(7);
    named(
        Case {
            fault: "noreply",
            row: None,
            customer: "customer9@customers.test",
            lane,
            probe: Probe::of(lane),
            expected: Expected {
                stage: "return",
                accepted: &["reply-from-noreply"],
                unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_in_junk_is_found_there() {
    let lane = Lane(8);
    named(
        Case {
            fault: "junk",
            row: Some("return-in-spam"),
            customer: "customer10@customers.test",
            lane,
            probe: Probe::of(lane).limit("return", "40s"),
            expected: Expected {
                stage: "return",
                accepted: &["return-in-spam"],
                unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply"],
            },
        },
        stack_or_skip!(),
    );
}

#[test]
fn a_follow_up_in_a_ticket_of_its_own_is_found_there() {
    let lane = Lane(9);
    named(
        Case {
            fault: "split",
            row: Some("follow-up-opens-new-ticket"),
            customer: "customer11@customers.test",
            lane,
            probe: Probe::of(lane).limit("follow_up", "60s"),
            expected: Expected {
                stage: "follow_up",
                accepted: &["follow-up-opens-new-ticket"],
                unhurt: &["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return"],
            },
        },
        stack_or_skip!(),
    );
}
