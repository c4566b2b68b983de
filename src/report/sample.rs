//! Runs to test reports and metrics with.

use crate::model::*;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// 2026-11-25 08:00 UTC and some seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1795593600 + seconds).unwrap()
}

/// A probe that takes every stage.
pub fn probe(name: &str) -> Probe {
    Probe {
        variant_of: None,
        controls: Default::default(),
        intake: None,
        canaries: Default::default(),
        calendar: None,
        name: name.to_owned(),
        description: "Billing questions".to_owned(),
        owner: "support".to_owned(),
        tags: vec!["mail".to_owned()],
        desk: Some("rt".to_owned()),
        account: "alice".to_owned(),
        gateway: "rt-email".to_owned(),
        schedule: Some(Schedule::Every { interval: Duration::from_secs(900), jitter: Duration::ZERO }),
        overlap: Overlap::Skip,
        maintenance: vec![],
        stages: BTreeSet::from(Stage::ALL),
        channel: Channel::Email(EmailChannel {
            to: vec!["help@desk.test".to_owned()],
            cc: vec![],
            bcc: vec![],
            subject: "Invoice ${token}".to_owned(),
            text: "Hello".to_owned(),
            html: None,
            attachments: vec![],
            ..EmailChannel::default()
        }),
        expect: Expect { queue: Some("Billing".to_owned()), ..Expect::default() },
        reply: Reply { mode: ReplyMode::Post, after: AfterStage::Land, text: "We look".to_owned(), html: None, attachments: vec![] },
        follow_up: FollowUp {
            after_move: None,
            quote: Default::default(),
            automatic: false,
            to: FollowUpTo::Agent,
            text: "Thanks".to_owned(),
            after_close: false,
            reopens: true,
        },
        limits: BTreeMap::new(),
        policy: Policy::default(),
        mark: None,
        clean_up: CleanUp::Close,
        settle: Duration::from_secs(2),
        watch_after: Duration::from_secs(60),
    }
}

/// A web form.
pub fn form() -> FormChannel {
    FormChannel {
        page: Some("https://shop.test/contact".to_owned()),
        by: FormBy::Page,
        subject: "Invoice ${token}".to_owned(),
        text: "Hello".to_owned(),
        fields: vec![FormField { by: FieldBy::Label("Topic".to_owned()), fill: Fill::Choose("Billing".to_owned()) }],
        attachments: vec![],
        attachments_in: None,
        form: None,
        submit: None,
        thanks: None,
        number: None,
        dwell: Duration::from_secs(4),
    }
}

/// A live chat.
pub fn chat() -> ChatChannel {
    ChatChannel {
        page: None,
        by: ChatBy::Desk,
        text: "Hello ${token}".to_owned(),
        attachments: vec![],
        prechat: BTreeMap::new(),
        hand_over: Some("A person, please".to_owned()),
        bot_turns: 3,
        when_offline: WhenOffline::Fail,
        answer: AnswerBy::Chat,
        visitor: Visitor::Fresh,
        reload: false,
        pushed: true,
    }
}

/// An account.
pub fn account(name: &str) -> Account {
    let server = ServerSettings {
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: TlsMode::None,
        ca: None,
        tls_name: None,
        user: String::new(),
        password: String::new().into(),
        auth: AuthMethod::Plain,
    };
    Account {
        name: name.to_owned(),
        address: format!("{name}@mail.test"),
        display_name: "Alice".to_owned(),
        aliases: vec![],
        mailbox: MailboxSettings { server: server.clone(), poll: Duration::from_secs(30), junk_poll: Duration::from_secs(30) },
        submission: SubmissionSettings { server, timeout: Duration::from_secs(30) },
        budget: Budget::default(),
    }
}

/// A scheduled run under way, its first stages passed.
pub fn running(id: &str, name: &str) -> Run {
    let mut run = Run {
        id: RunId(id.to_owned()),
        probe: probe(name),
        address: "alice@mail.test".to_owned(),
        display_name: None,
        trigger: Trigger::Scheduled,
        parent: None,
        context: Default::default(),
        until: None,
        started: at(0),
        finished: None,
        phase: Phase::Active,
        position: None,
        stages: BTreeMap::new(),
        messages: vec![],
        acts: vec![],
        mails: vec![],
        chat: None,
        form: None,
        senders: Vec::new(),
        desk_ids: Vec::new(),
        ticket: Some(TicketRef { id: "12".to_owned(), number: "12".to_owned() }),
        tickets: vec![],
        polls: BTreeMap::new(),
        observations: vec![],
        leftovers: vec![],
        settle_until: None,
        notes: vec![],
        interrupted: false,
        diagnosis: None,
    };
    decide(&mut run, Stage::Send, Outcome::Pass, 0, 1);
    decide(&mut run, Stage::Accept, Outcome::Pass, 1, 2);
    run
}

/// Decides a stage.
pub fn decide(run: &mut Run, stage: Stage, outcome: Outcome, opened: i64, closed: i64) {
    let record = StageRecord { opened: Some(at(opened)), closed: Some(at(closed)), outcome: Some(outcome), ..StageRecord::default() };
    run.stages.insert(stage, record);
}

fn end(run: &mut Run, diagnosis: Diagnosis, seconds: i64) {
    run.finished = Some(at(seconds));
    run.phase = Phase::Finished;
    run.diagnosis = Some(diagnosis);
}

fn diagnosis(verdict: Verdict) -> Diagnosis {
    Diagnosis {
        verdict,
        stage: None,
        fault: None,
        candidates: vec![],
        blame: None,
        severity: None,
        security: false,
        summary: "every stage was seen to work".to_owned(),
        notes: vec![],
        rules_version: 1,
    }
}

/// A pass of `billing`.
pub fn passed() -> Run {
    let mut run = running("r-passed", "billing");
    for (i, stage) in Stage::ALL.into_iter().enumerate() {
        decide(&mut run, stage, Outcome::Pass, i as i64, i as i64 + 1);
    }
    end(&mut run, diagnosis(Verdict::Pass), 12);
    run
}

/// A failure of `returns` at `return`.
pub fn failed() -> Run {
    let mut run = running("r-failed", "returns");
    for stage in [Stage::Land, Stage::Queue, Stage::Format, Stage::Acknowledge, Stage::Reply] {
        decide(&mut run, stage, Outcome::Pass, 2, 3);
    }
    decide(&mut run, Stage::Return, Outcome::Fail, 3, 33);
    run.stages.get_mut(&Stage::Return).unwrap().checks.push(Check {
        check: "folder".to_owned(),
        outcome: Outcome::Fail,
        expected: "INBOX".to_owned(),
        found: "in Junk after 3 s".to_owned(),
    });
    run.observations.push(
        Observation::new(at(30), Some(Stage::Return), Source::Mailbox, "Junk", "rpaaaa", Looked::Found)
            .class(ResultClass::Ok)
            .fact("folder", "Junk")
            .raw("From: help@desk.test\nSubject: Re: Invoice"),
    );
    decide(&mut run, Stage::CleanUp, Outcome::Pass, 33, 34);
    let failed = Diagnosis {
        stage: Some(Stage::Return),
        fault: Some("return-in-spam".to_owned()),
        candidates: vec!["return-in-spam".to_owned()],
        blame: Some(Blame::Desk),
        severity: Some(Severity::Critical),
        summary: "the answer lies in Junk, not in INBOX".to_owned(),
        notes: vec!["the desk's MX was slow".to_owned()],
        ..diagnosis(Verdict::Fail)
    };
    end(&mut run, failed, 34);
    run
}

/// A run of `shipping` that could not tell.
pub fn unknown() -> Run {
    let mut run = running("r-unknown", "shipping");
    decide(&mut run, Stage::Land, Outcome::Unknown, 2, 62);
    let unknown = Diagnosis {
        stage: Some(Stage::Land),
        fault: Some("desk-api-down".to_owned()),
        candidates: vec!["desk-api-down".to_owned()],
        blame: Some(Blame::Monitor),
        severity: Some(Severity::Minor),
        summary: "the desk's API did not answer".to_owned(),
        ..diagnosis(Verdict::Unknown)
    };
    end(&mut run, unknown, 63);
    run.leftovers.push(Leftover { what: "ticket 12".to_owned(), why: "the desk's API did not answer".to_owned() });
    run
}

/// A run that chatted.
pub fn chatted() -> Run {
    let mut run = running("r-chat", "chat");
    run.probe.channel = Channel::Chat(Box::new(chat()));
    let line = |speaker, text: &str, pushed: Option<i64>, stored: i64| ChatLine {
        id: None,
        speaker: Some(speaker),
        text: text.to_owned(),
        at: None,
        pushed: pushed.map(at),
        stored: Some(at(stored)),
        shown: None,
        files: vec![],
        tokens: vec![],
    };
    let file = |name: &str, size| Attachment { name: name.to_owned(), content_type: String::new(), size, sha256: None };
    let mut bot = line(Speaker::Bot, "I am\na bot.", Some(2), 3);
    bot.files.push(file("a.csv", Some(12)));
    let mut agent = line(Speaker::Agent, "Hello \u{1b}[31m Alice", None, 5);
    agent.files.push(file("b.png", None));
    run.chat = Some(ChatMemory {
        conversation: Some("c17".to_owned()),
        visitor: Some("v4".to_owned()),
        turns: 1,
        lines: vec![line(Speaker::Visitor, "Hello rpaaaa", None, 1), agent, bot],
        ..ChatMemory::default()
    });
    end(&mut run, diagnosis(Verdict::Pass), 12);
    run
}

/// A run that failed in a form, with a picture of the browser.
pub fn submitted() -> Run {
    let mut run = failed();
    run.probe.channel = Channel::Form(form());
    let print = FormPrint {
        fields: vec!["E-mail (email)*".to_owned(), "Message (textarea)*".to_owned()],
        hidden: vec!["csrf".to_owned()],
        target: "POST https://shop.test/contact (multipart)".to_owned(),
    };
    run.observations.push(
        Observation::new(at(1), Some(Stage::Return), Source::Page, "form", "rpaaaa", Looked::Found)
            .class(ResultClass::Ok)
            .fact("print", serde_json::to_value(print).unwrap())
            .fact("screenshot", "screenshots/r-failed-send.png"),
    );
    run
}

/// The run with a control, a look into the intake mailbox and five runs of the same minutes.
pub fn with_context(mut run: Run) -> Run {
    let landed = StageSight { outcome: Some(Outcome::Pass), overdue: false, closed: Some(at(2)), took_ms: Some(1_500), hint: None };
    let stages = BTreeMap::from([(Stage::Land, landed)]);
    run.context.controls.push(Control {
        kind: ControlKind::Plain,
        asked: at(10),
        run: Some(RunId("r-control".to_owned())),
        skipped: None,
        ended: true,
        stages: stages.clone(),
        marks: Vec::new(),
    });
    run.context.intake = Some(IntakeSight {
        at: at(11),
        place: Some(IntakePlace::Unread),
        folder: "INBOX".to_owned(),
        unread_before: 0,
        shared_login_refused: false,
        trouble: None,
    });
    run.context.neighbours = (0..5)
        .map(|n| Neighbour {
            run: RunId(format!("r-beside-{n}")),
            probe: "orders".to_owned(),
            channel: "email".to_owned(),
            account: "alice".to_owned(),
            started: at(n),
            same_way_in: true,
            stages: stages.clone(),
        })
        .collect();
    run
}

/// The published form.
pub fn report(run: &Run) -> RunReport {
    RunReport::of(run)
}
