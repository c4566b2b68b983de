//! Never cry wolf, never show a false green, name the fault: the demo of the built binary, healthy and with each of its
//! faults, against what its three probes must say.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

const PROBES: [&str; 5] = ["billing", "chat", "contact-form", "sales", "support"];
const ALL: &[&str] = &PROBES;
/// They write in by mail.
const MAIL: &[&str] = &["billing", "sales", "support"];
/// They are answered by mail.
const ANSWERED: &[&str] = &["billing", "contact-form", "sales", "support"];
const FORM: &[&str] = &["contact-form"];
const CHAT: &[&str] = &["chat"];
/// So many demos at once: most of their time is waiting.
const AT_ONCE: usize = 16;

/// These expose what is private.
const SECURITY: [&str; 3] = ["merged-into-strangers-ticket", "first-mail-merged", "reply-to-last-writer"];

/// What a demo with one fault must end with.
struct Case {
    fault: &'static str,
    /// `fail` or `unknown` of the probes that meet it; `pass` where it is harmless.
    verdict: &'static str,
    stage: &'static str,
    /// A named fault must be one of these, and a list of candidates hold one of them.
    causes: &'static [&'static str],
    blame: &'static str,
    /// The probes that meet it; the others pass.
    met_by: &'static [&'static str],
    /// The stage at which the form's probe meets it, where that is another one.
    form_stage: &'static str,
}

const fn fails(fault: &'static str, stage: &'static str, causes: &'static [&'static str], met_by: &'static [&'static str]) -> Case {
    Case { fault, verdict: "fail", stage, causes, blame: "desk", met_by, form_stage: "" }
}

const fn unknown(fault: &'static str, stage: &'static str, blame: &'static str, met_by: &'static [&'static str]) -> Case {
    Case { fault, verdict: "unknown", stage, causes: &[], blame, met_by, form_stage: "" }
}

const fn passes(fault: &'static str) -> Case {
    Case { fault, verdict: "pass", stage: "", causes: &[], blame: "", met_by: ALL, form_stage: "" }
}

impl Case {
    const fn form_at(self, stage: &'static str) -> Case {
        Case { form_stage: stage, ..self }
    }

    const fn blames(self, blame: &'static str) -> Case {
        Case { blame, ..self }
    }
}

// Without causes of its own a case wants the fault itself. The slow ones stand first.
const CASES: &[Case] = &[
    fails("outbound-refused", "acknowledge", &["reply-fails-unnoticed"], ANSWERED).form_at("reply"),
    unknown("desk-throttled", "", "monitor", ALL),
    unknown("desk-api-down", "land", "monitor", ALL),
    fails("poller-hung", "land", &[], &["support"]),
    fails("desk-worker-down", "land", &[], ANSWERED).form_at("return"),
    fails("fetched-not-ticketed", "land", &[], ANSWERED).form_at("follow_up"),
    fails("honeypot-false-success", "land", &[], FORM).blames("channel"),
    fails("form-confirmation-missing", "acknowledge", &[], FORM),
    fails("chat-socket-silent", "send", &[], CHAT),
    fails("bot-never-hands-over", "queue", &[], CHAT),
    fails("desk-spam-view", "land", &[], ALL),
    fails("forwarder-lost", "land", &[], &["support"]),
    fails("dmarc-fail-suspended", "land", &[], MAIL),
    fails("default-queue-instead", "queue", &[], &["billing", "contact-form", "sales"]),
    fails("rule-order-wins", "queue", &[], ALL),
    fails("mojibake", "format", &[], MAIL),
    fails("html-escaped-twice", "format", &[], &["billing"]),
    fails("attachment-dropped-in", "format", &[], &["billing", "contact-form"]),
    fails("created-in-the-future", "format", &[], ALL),
    fails("subject-encoding-breaks-headers", "format", &[], MAIL).blames("channel"),
    fails("ack-condition-broken", "acknowledge", &[], ANSWERED),
    fails("ack-not-for-forwarded", "acknowledge", &[], MAIL),
    fails("reply-fails-unnoticed", "reply", &[], ANSWERED),
    fails("reply-to-last-writer", "return", &[], ANSWERED),
    fails("closed-not-reopened", "follow_up", &[], &["sales"]),
    fails("return-in-spam", "return", &[], ANSWERED),
    fails("return-dkim-missing", "acknowledge", &[], ANSWERED),
    passes("mon-index-lag"),
    unknown("mon-desk-blocks-probe", "land", "monitor", &["whoever writes again"]),
    fails("merged-into-strangers-ticket", "follow_up", &[], ANSWERED),
    fails("first-mail-merged", "format", &["merged-into-strangers-ticket"], ANSWERED),
    fails("mx-greylists", "accept", &[], ANSWERED).blames("channel").form_at("follow_up"),
    fails("intake-oauth-expired", "land", &[], &["support"]),
    fails("fetch-not-scheduled", "land", &[], ANSWERED).form_at("follow_up"),
    fails("ack-suppressed-for-class", "acknowledge", &[], &["sales", "support"]),
    unknown("mon-own-responder-loops", "acknowledge", "monitor", ANSWERED),
    unknown("mon-green-when-send-fails", "send", "provider", ANSWERED).form_at("follow_up"),
    unknown("ok-provider-throttle", "send", "provider", ANSWERED).form_at("follow_up"),
    fails("double-fetch-duplicates", "land", &[], MAIL),
    fails("ack-placeholder-raw", "acknowledge", &[], ALL),
    fails("reply-stays-internal", "reply", &[], ALL),
    fails("reply-with-attachment-lost", "return", &[], &["billing"]),
    fails("reply-sent-many-times", "return", &[], ANSWERED),
    fails("return-not-threaded", "return", &[], ANSWERED),
    fails("reply-from-noreply", "return", &[], ANSWERED),
    fails("follow-up-opens-new-ticket", "follow_up", &[], ANSWERED),
    fails("answer-quoted-out", "follow_up", &[], ANSWERED),
    fails("reply-to-ack-opens-ticket", "follow_up", &[], &["billing"]),
    fails("closed-refuses", "follow_up", &[], &["sales"]),
    fails("mx-rejects-alias", "accept", &[], &["billing", "contact-form", "sales"]).blames("channel").form_at("follow_up"),
    unknown("desk-login-refused", "land", "monitor", ALL),
    unknown("mailbox-login-refused", "send", "monitor", ANSWERED),
    unknown("mon-send-quota", "send", "provider", ANSWERED).form_at("follow_up"),
    unknown("submission-refused", "send", "provider", ANSWERED).form_at("follow_up"),
    fails("form-does-not-load", "send", &[], FORM).blames("channel"),
    fails("form-contract-changed", "accept", &[], FORM).blames("channel"),
    fails("form-captcha-expired", "accept", &[], FORM).blames("channel"),
    fails("form-submit-500", "accept", &[], FORM).blames("channel"),
    fails("form-moved-elsewhere", "accept", &["form-submit-refused"], FORM).blames("channel"),
    fails("form-replyto-ignored", "format", &[], FORM),
    // Without a good run before, a box that nobody ticks may be the probe's own mistake.
    Case { causes: &["form-probe-incomplete", "form-contract-changed"], ..unknown("form-consent-added", "send", "monitor", FORM) },
    fails("chat-frame-refused", "send", &[], CHAT).blames("channel"),
    fails("chat-not-offered", "send", &[], CHAT),
    fails("chat-offered-with-no-agent", "accept", &[], CHAT),
    unknown("chat-throttled", "send", "monitor", CHAT),
    fails("chat-waiting-not-shown", "queue", &[], CHAT),
    fails("bot-talks-over-agent", "reply", &[], CHAT),
    fails("chat-attachment-not-transferred", "format", &[], CHAT).blames("channel"),
    fails("chat-connected-no-fanout", "return", &[], CHAT).blames("channel"),
    fails("chat-agent-line-invisible", "return", &[], CHAT).blames("channel"),
    fails("chat-history-lost-on-return", "follow_up", &[], CHAT).blames("channel"),
    passes(""),
    passes("mon-token-in-quote"),
    passes("mon-too-fast-missed"),
    passes("ok-greylisted"),
    passes("ok-subject-tag"),
    passes("ok-maintenance"),
    passes("ok-agent-moved-it"),
    passes("ok-index-lag"),
    passes("ok-reencoded"),
    passes("ok-closing-notice"),
    passes("ok-branding"),
    passes("ok-foreign-mail"),
    passes("ok-cert-rotated"),
    passes("ok-idle-drop"),
    passes("ok-one-slow-run"),
    passes("mon-uidvalidity"),
    passes("mon-idle-dead"),
    passes("mon-first-page-only"),
    passes("close-sends-notice"),
    passes("chat-socket-drops"),
];

/// The exit code and the report of one demo.
fn demo(fault: &str, seed: u32) -> Result<(Option<i32>, Value), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replypath"));
    command.args(["demo", "--once", "--report", "json", "--seed", &seed.to_string()]);
    if !fault.is_empty() {
        command.args(["--fault", fault]);
    }
    let ended = command.stdin(Stdio::null()).output().map_err(|e| format!("the demo does not start: {e}"))?;
    let report = serde_json::from_slice(&ended.stdout)
        .map_err(|e| format!("no report ({e}); exit {:?}; {}", ended.status.code(), String::from_utf8_lossy(&ended.stderr)))?;
    Ok((ended.status.code(), report))
}

/// Everything that is not as the case wants it.
fn judge(case: &Case, code: Option<i32>, report: &Value) -> Vec<String> {
    let runs: BTreeMap<&str, &Value> =
        report["runs"].as_array().into_iter().flatten().filter_map(|r| Some((r["probe"].as_str()?, r))).collect();
    let mut wrong = Vec::new();
    if runs.keys().copied().collect::<Vec<_>>() != PROBES {
        wrong.push(format!("runs of {:?}", runs.keys()));
    }
    let expected_code = match case.verdict {
        "pass" => 0,
        "fail" => 1,
        _ => 5,
    };
    if code != Some(expected_code) {
        wrong.push(format!("exit code {code:?}, not {expected_code}"));
    }
    let bad: BTreeSet<&str> = runs.iter().filter(|(_, r)| r["verdict"] != "pass").map(|(p, _)| *p).collect();
    let meet: BTreeSet<&str> = case.met_by.iter().copied().collect();
    let right = match case.verdict {
        "pass" => bad.is_empty(),
        // Every later ticket of one sender is held back, whichever of his probes wrote it: two senders, five probes.
        _ if case.fault == "mon-desk-blocks-probe" => (2..=3).contains(&bad.len()),
        _ => bad == meet,
    };
    if !right {
        wrong.push(format!("not passed: {bad:?}, expected {meet:?}"));
    }
    for (probe, run) in runs.into_iter().filter(|(p, _)| bad.contains(p)) {
        wrong.extend(judge_run(case, run).into_iter().map(|w| format!("{probe}: {w}")));
    }
    wrong
}

fn judge_run(case: &Case, run: &Value) -> Vec<String> {
    let own = [case.fault];
    let causes: &[&str] = if case.causes.is_empty() { &own } else { case.causes };
    let candidates: Vec<&str> = run["candidates"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut wrong = Vec::new();
    if run["verdict"] != case.verdict {
        wrong.push(format!("verdict {}", run["verdict"]));
    }
    let stage = if run["probe"] == "contact-form" && !case.form_stage.is_empty() { case.form_stage } else { case.stage };
    if !stage.is_empty() && run["stage"] != stage {
        wrong.push(format!("stage {}, not {stage}", run["stage"]));
    }
    if run["blame"] != case.blame {
        wrong.push(format!("blame {}, not {}", run["blame"], case.blame));
    }
    if run["fault"].as_str().is_some_and(|f| !causes.contains(&f)) {
        wrong.push(format!("named {}", run["fault"]));
    }
    if candidates.len() > 3 || !candidates.iter().any(|c| causes.contains(c)) {
        wrong.push(format!("candidates {candidates:?}, expected {causes:?} among three at most"));
    }
    if run["security"] != SECURITY.contains(&case.fault) {
        wrong.push(format!("security {}", run["security"]));
    }
    wrong
}

/// Runs every job on some threads; gives what was wrong, by job.
fn side_by_side(jobs: &[(&Case, u32)]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(jobs.len()) {
            scope.spawn(|| {
                while let Some((case, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = match demo(case.fault, *seed) {
                        Ok((code, report)) => judge(case, code, &report),
                        Err(why) => vec![why],
                    };
                    let lines = found.into_iter().map(|w| format!("`{}`, seed {seed}: {w}", case.fault));
                    wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
                }
            });
        }
    });
    wrong.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_fault_of_the_demo_is_named_by_the_probes_that_meet_it_and_nothing_else_alarms() {
    let wrong = side_by_side(&CASES.iter().map(|case| (case, 1)).collect::<Vec<_>>());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_holds_every_fault_that_the_demo_offers_and_the_others_are_refused() {
    let listed = Command::new(env!("CARGO_BIN_EXE_replypath")).args(["sandbox", "--list"]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let (offered, unmet) = text.split_once("for probes of your own").unwrap();
    let ids = |part: &str| -> BTreeSet<String> {
        let lines = part.lines().filter(|l| !l.trim_end().ends_with(':'));
        lines.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
    };
    let table: BTreeSet<String> = CASES.iter().map(|c| c.fault.to_owned()).filter(|f| !f.is_empty()).collect();
    assert_eq!(ids(offered), table);
    let unmet = ids(unmet);
    assert!(unmet.contains("note-leaks") && unmet.is_disjoint(&table), "{unmet:?}");
    for fault in ["note-leaks", "no-such-fault"] {
        let refused = Command::new(env!("CARGO_BIN_EXE_replypath")).args(["demo", "--once", "--fault", fault]).output().unwrap();
        assert_eq!(refused.status.code(), Some(4), "{fault}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(fault));
    }
}

#[test]
fn a_report_that_says_otherwise_than_the_table_is_noticed() {
    let run = |probe: &str, verdict: &str, stage: Value, candidates: Value| {
        serde_json::json!({"probe": probe, "verdict": verdict, "stage": stage, "fault": candidates[0], "candidates": candidates,
            "blame": if verdict == "pass" { Value::Null } else { "desk".into() }, "security": false})
    };
    let pass = |probe: &str| run(probe, "pass", Value::Null, serde_json::json!([]));
    let fail = |stage: &str, cause: &str| run("support", "fail", stage.into(), serde_json::json!([cause]));
    let others = || ["billing", "chat", "contact-form", "sales"].map(pass);
    let report = |support: Value| serde_json::json!({"runs": others().into_iter().chain([support]).collect::<Vec<_>>()});
    let case = fails("poller-hung", "land", &[], &["support"]);
    assert_eq!(judge(&case, Some(1), &report(fail("land", "poller-hung"))), Vec::<String>::new());
    assert!(!judge(&case, Some(5), &report(fail("land", "poller-hung"))).is_empty(), "another exit code");
    assert!(!judge(&case, Some(1), &report(fail("queue", "poller-hung"))).is_empty(), "another stage");
    assert!(!judge(&case, Some(1), &report(fail("land", "mojibake"))).is_empty(), "another cause");
    assert!(!judge(&case, Some(1), &report(pass("support"))).is_empty(), "a false green");
    assert!(!judge(&passes(""), Some(0), &report(fail("land", "poller-hung"))).is_empty(), "a false alarm");
    let too_many = run("support", "fail", "land".into(), serde_json::json!([null, "poller-hung", "b", "c", "d"]));
    assert!(!judge(&case, Some(1), &report(too_many)).is_empty(), "a long list");
}
