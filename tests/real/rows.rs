//! More rows of the fault matrix on real parts, by their configuration: what the mail exchange, the desk's gateway and its
//! rules, the customer's provider and its mailbox do otherwise than usual.

use crate::record::record;
use crate::site::{Expected, Probe, Ran, Site, digest, outcome};
use crate::stack::{Lane, Stack, until};
use crate::stack_or_skip;

/// The journey up to the answer works.
const TO_RETURN: [&str; 8] = ["send", "accept", "land", "queue", "format", "acknowledge", "reply", "return"];

struct Case {
    row: &'static str,
    /// What `tests/stack/break.sh` calls it.
    fault: &'static str,
    customer: &'static str,
    lane: Lane,
    probe: Probe,
    /// Limits of what is awaited in vain while it is broken.
    in_vain: &'static [(&'static str, &'static str)],
    stage: &'static str,
    unhurt: &'static [&'static str],
}

/// Broken it fails as the row says, mended it passes.
fn named(case: Case, stack: &'static Stack) {
    let site = Site::new(stack, case.customer);
    site.probe("mended", &case.probe);
    site.probe("case", &case.in_vain.iter().fold(case.probe, |probe, (stage, limit)| probe.limit(stage, limit)));
    let broken = stack.broken(case.fault, case.lane);
    let ran = site.run(&["run", "case"]);
    ran.assert_failed(case.row, &Expected { stage: case.stage, accepted: &[case.row], unhurt: case.unhurt });
    record(&site, case.row, ran.only());
    broken.mend();
    site.run(&["run", "mended"]).assert_passed();
}

/// Where nothing lands.
const NOTHING: &[(&str, &str)] = &[("accept", "20s"), ("land", "20s"), ("acknowledge", "20s")];

fn with(mut probe: Probe, email: &str, tables: &str) -> Probe {
    probe.email.push_str(email);
    probe.tables.push_str(tables);
    probe
}

#[test]
fn a_published_address_that_goes_nowhere_is_told_by_the_desks_own() {
    let lane = Lane(33);
    named(
        Case {
            row: "forwarder-lost",
            fault: "discarded",
            customer: "customer85@customers.test",
            lane,
            probe: with(Probe::of(lane), &format!("system = \"{}\"\n", Lane(34).address()), ""),
            in_vain: NOTHING,
            stage: "land",
            unhurt: &["send"],
        },
        stack_or_skip!(),
    );
}

#[test]
fn mail_without_a_subject_that_the_import_drops_is_told_by_a_plain_one() {
    let lane = Lane(35);
    let mut probe = Probe::of(lane);
    probe.subject = String::new();
    named(
        Case {
            row: "empty-subject-lost",
            fault: "picky",
            customer: "customer86@customers.test",
            lane,
            probe,
            in_vain: NOTHING,
            stage: "land",
            unhurt: &["send"],
        },
        stack_or_skip!(),
    );
}

#[test]
fn mail_in_latin_1_that_the_import_drops_is_told_by_a_plain_one() {
    let lane = Lane(36);
    let mut probe = with(Probe::of(lane), "encoding = \"latin-1\"\n", "");
    probe.text = "Grüß Gott,\n\nwo bleibt meine Lieferung?\n\nReferenz: ${token}\n".to_owned();
    named(
        Case {
            row: "charset-crashes-import",
            fault: "picky",
            customer: "customer87@customers.test",
            lane,
            probe,
            in_vain: NOTHING,
            stage: "land",
            unhurt: &["send"],
        },
        stack_or_skip!(),
    );
}

#[test]
fn one_mail_that_is_fetched_twice_makes_two_tickets() {
    let lane = Lane(37);
    named(
        Case {
            row: "double-fetch-duplicates",
            fault: "fetched-twice",
            customer: "customer88@customers.test",
            lane,
            probe: Probe::of(lane),
            in_vain: &[],
            stage: "land",
            unhurt: &["send", "accept"],
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_to_the_acknowledgement_that_opens_a_ticket_is_named() {
    let lane = Lane(38);
    named(
        Case {
            row: "reply-to-ack-opens-ticket",
            fault: "split",
            customer: "customer89@customers.test",
            lane,
            probe: with(Probe::of(lane), "", "[follow_up]\nto = \"acknowledgement\"\n"),
            in_vain: &[("follow_up", "60s")],
            stage: "follow_up",
            unhurt: &TO_RETURN,
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_to_a_closed_ticket_that_opens_another_is_named() {
    let lane = Lane(39);
    named(
        Case {
            row: "closed-refuses",
            fault: "split",
            customer: "customer90@customers.test",
            lane,
            probe: with(Probe::of(lane), "", "[follow_up]\nafter_close = true\nreopens = true\n"),
            in_vain: &[("follow_up", "60s")],
            stage: "follow_up",
            unhurt: &TO_RETURN,
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_after_a_move_that_opens_another_ticket_is_named() {
    let lane = Lane(40);
    named(
        Case {
            row: "moved-ticket-splits",
            fault: "split",
            customer: "customer91@customers.test",
            lane,
            probe: with(Probe::of(lane), "", "[follow_up]\nafter_move = \"Billing\"\n"),
            in_vain: &[("follow_up", "60s")],
            stage: "follow_up",
            unhurt: &TO_RETURN,
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_that_leaves_a_closed_ticket_closed_is_named() {
    let lane = Lane(41);
    named(
        Case {
            row: "closed-not-reopened",
            fault: "not-reopened",
            customer: "customer92@customers.test",
            lane,
            probe: with(Probe::of(lane), "", "[follow_up]\nafter_close = true\nreopens = true\n"),
            in_vain: &[("follow_up", "45s")],
            stage: "follow_up",
            unhurt: &TO_RETURN,
        },
        stack_or_skip!(),
    );
}

#[test]
fn an_answer_that_the_desks_own_mail_server_refuses_is_told_by_the_desk() {
    let lane = Lane(42);
    named(
        Case {
            row: "reply-fails-unnoticed",
            fault: "outbound-refused",
            customer: "customer93@customers.test",
            lane,
            probe: Probe::of(lane).skip("acknowledge"),
            in_vain: &[("reply", "20s"), ("return", "20s")],
            stage: "reply",
            unhurt: &["send", "accept", "land", "queue", "format"],
        },
        stack_or_skip!(),
    );
}

/// Request Tracker tells the customer that the request is resolved; whether that is wanted is the operator's to say.
#[test]
fn a_notice_of_closing_is_what_the_policy_says() {
    let stack = stack_or_skip!();
    let lane = Lane(43);
    let with_policy = |row: &str, policy: &str| -> (Site, Ran) {
        let site = Site::new(stack, "customer94@customers.test");
        site.probe("case", &with(Probe::of(lane), "", &format!("[policy]\nclosing_notice = \"{policy}\"\n")));
        let ran = site.run(&["run", "case"]);
        record(&site, row, ran.only());
        (site, ran)
    };
    let (_site, never) = with_policy("close-sends-notice", "never");
    never.assert_failed("never", &Expected { stage: "clean_up", accepted: &["close-sends-notice"], unhurt: &TO_RETURN });
    let (_site, allowed) = with_policy("ok-closing-notice", "allowed");
    allowed.assert_passed();
}

/// Trouble of the customer's own provider is unknown and blames nobody else.
fn refused_at_the_provider(row: &str, fault: &'static str, customer: &str, lane: Lane, cause: &str) {
    let stack = stack_or_skip!();
    let site = Site::new(stack, customer);
    site.probe("case", &Probe::of(lane));
    let broken = stack.broken(fault, lane);
    let ran = site.run(&["run", "case"]);
    let (run, about) = (ran.only(), format!("{}\n{}", digest(&ran.report), ran.said));
    assert_eq!((ran.code, run["verdict"].as_str(), run["stage"].as_str()), (Some(5), Some("unknown"), Some("send")), "{about}");
    assert_eq!((run["fault"].as_str(), run["blame"].as_str()), (Some(cause), Some("provider")), "{about}");
    record(&site, row, run);
    broken.mend();
    site.run(&["run", "case"]).assert_passed();
}

#[test]
fn a_spent_quota_at_the_customers_provider_is_unknown() {
    refused_at_the_provider("mon-send-quota", "quota", "customer95@customers.test", Lane(44), "mon-send-quota");
}

#[test]
fn a_provider_that_refuses_to_send_is_never_green() {
    refused_at_the_provider("mon-green-when-send-fails", "submission-refused", "customer96@customers.test", Lane(45), "submission-refused");
}

#[test]
fn a_mailbox_whose_numbers_begin_anew_is_read_from_the_beginning() {
    let stack = stack_or_skip!();
    let (customer, lane) = ("customer97@customers.test", Lane(46));
    let site = Site::new(stack, customer);
    site.probe("case", &Probe::of(lane));
    let gateway = stack.broken("gateway-stopped", lane);
    let running = site.start(&["run", "case"]);
    until("the request in the desk's queue", || stack.queued("desk", customer).pop());
    stack.renumbered(customer);
    gateway.mend();
    let (code, said) = running.ended();
    assert_eq!(code, Some(0), "{said}");
    let run = site.runs().pop().expect("a run");
    for stage in TO_RETURN {
        assert_eq!(outcome(&run, stage), "pass", "{stage}\n{said}");
    }
    assert!(run["notes"].to_string().contains("mon-uidvalidity"), "{}", run["notes"]);
    record(&site, "mon-uidvalidity", &run);
}
