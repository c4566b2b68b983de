//! Runs made by hand, to fill a store with.

use jiff::Timestamp;
use replypath::model::*;
use std::collections::BTreeMap;

/// A run of the probe that has just begun.
pub fn blank(id: &str, probe: &Probe, trigger: Trigger, started: Timestamp) -> Run {
    Run {
        id: RunId(id.to_owned()),
        probe: probe.clone(),
        address: "alice@customers.test".to_owned(),
        display_name: Some("Alice".to_owned()),
        trigger,
        parent: None,
        until: None,
        started,
        finished: None,
        phase: Phase::Active,
        position: None,
        stages: BTreeMap::new(),
        messages: vec![Message {
            stage: Stage::Send,
            turn: 0,
            party: Party::Customer,
            token: Token(format!("rp{id}")),
            message_id: Some(format!("{id}@customers.test")),
            subject: format!("Invoice rp{id}"),
        }],
        acts: vec![],
        mails: vec![],
        chat: None,
        form: None,
        senders: vec![],
        desk_ids: vec![],
        ticket: None,
        tickets: vec![],
        polls: BTreeMap::new(),
        observations: vec![],
        leftovers: vec![],
        settle_until: None,
        context: Context::default(),
        notes: vec![],
        interrupted: false,
        diagnosis: None,
    }
}

/// Decides a stage, from and to seconds after the run's begin.
pub fn decide(run: &mut Run, stage: Stage, outcome: Outcome, from: i64, to: i64) -> &mut StageRecord {
    let time = |s: i64| run.started + jiff::SignedDuration::from_secs(s);
    let record = StageRecord { opened: Some(time(from)), closed: Some(time(to)), outcome: Some(outcome), ..StageRecord::default() };
    run.stages.insert(stage, record);
    run.stages.get_mut(&stage).unwrap()
}

/// Gives the run its verdict, at `return`, half a minute after its begin.
pub fn judge(run: &mut Run, verdict: Verdict) {
    decide(run, Stage::Send, Outcome::Pass, 0, 1);
    decide(run, Stage::Accept, Outcome::Pass, 1, 2);
    let outcome = match verdict {
        Verdict::Pass => Outcome::Pass,
        Verdict::Fail => Outcome::Fail,
        Verdict::Unknown => Outcome::Unknown,
    };
    let record = decide(run, Stage::Return, outcome, 2, 29);
    if verdict != Verdict::Pass {
        let (expected, found) = ("INBOX".to_owned(), "Junk of alice@customers.test".to_owned());
        record.checks.push(Check { check: "folder".to_owned(), outcome, expected, found });
    }
    let bad = verdict != Verdict::Pass;
    let fault = match verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some("return-in-spam".to_owned()),
        Verdict::Unknown => Some("mailbox-unavailable".to_owned()),
    };
    run.phase = Phase::Finished;
    run.finished = Some(run.started + jiff::SignedDuration::from_secs(30));
    run.diagnosis = Some(Diagnosis {
        verdict,
        stage: bad.then_some(Stage::Return),
        candidates: fault.iter().cloned().collect(),
        fault,
        blame: bad.then_some(if verdict == Verdict::Fail { Blame::Desk } else { Blame::Monitor }),
        severity: bad.then_some(Severity::Critical),
        security: false,
        summary: if bad { "the answer to alice@customers.test lies in Junk".to_owned() } else { "every stage was seen to work".to_owned() },
        notes: vec![],
        rules_version: 1,
    });
}

/// What a stranger writes to have it run by a browser.
pub const SCRIPT: &str = "<script>alert(1)</script>";
/// What a stranger writes to get out of where a text stands.
pub const MARKUP: &str = "\"><img src=x onerror=alert(2)>'&lt;b>";

/// A run in whose evidence a stranger had a hand wherever one can have it.
pub fn hostile(probe: &Probe, started: Timestamp) -> Run {
    let mut run = blank("rhostile", probe, Trigger::Scheduled, started);
    judge(&mut run, Verdict::Fail);
    let time = |s: i64| started + jiff::SignedDuration::from_secs(s);
    let evil = format!("{SCRIPT}{MARKUP}");
    let mail = ReceivedMail {
        key: MailKey { folder: format!("Junk{MARKUP}"), uidvalidity: 1, uid: 7 },
        in_junk: true,
        date: Some(time(10)),
        from: evil.clone(),
        from_name: evil.clone(),
        subject: evil.clone(),
        text: format!("{evil}\nsecond line"),
        new_text: evil.clone(),
        html: Some(format!("<p>{evil}</p>")),
        attachments: vec![Attachment { name: format!("{evil}.pdf"), content_type: evil.clone(), size: Some(9), sha256: None }],
        headers: vec![
            ("Subject".to_owned(), evil.clone()),
            ("From".to_owned(), format!("{evil} <{evil}@strangers.test>")),
            (format!("X-{evil}"), evil.clone()),
            ("Received".to_owned(), format!("from {evil} by {evil}; Wed, 25 Nov 2026 08:00:02 +0000")),
        ],
        bounce: Some(Bounce {
            action: BounceAction::Failed,
            status: Some(evil.clone()),
            recipient: Some(evil.clone()),
            diagnostic: Some(evil.clone()),
            reporting_mta: None,
            original_message_id: None,
        }),
        ..ReceivedMail::default()
    };
    run.mails.push(SeenMail { role: MailRole::Answer, seen: time(20), mail });
    run.ticket = Some(TicketRef { id: "1".to_owned(), number: evil.clone() });
    run.tickets = vec![TicketRef { id: evil.clone(), number: evil.clone() }];
    let look = Observation::new(time(5), Some(Stage::Return), Source::Desk, format!("ticket {evil}"), evil.clone(), Looked::Found)
        .fact("subject", evil.clone())
        .fact(&evil, vec![evil.clone()])
        .fact("screenshot", format!("screenshots/../{evil}"))
        .raw(evil.clone());
    run.observations.push(look);
    run.leftovers.push(Leftover { what: evil.clone(), why: evil.clone() });
    run.notes.push(evil.clone());
    let checks = &mut run.stages.get_mut(&Stage::Return).unwrap().checks;
    checks[0].found = evil.clone();
    let d = run.diagnosis.as_mut().unwrap();
    (d.summary, d.notes) = (evil.clone(), vec![evil]);
    run
}
