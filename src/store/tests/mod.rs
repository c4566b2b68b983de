//! Tests of the store: one module a subject, and what they share.

mod budgets;
mod crash;
mod history;
mod life;
mod plans;
mod retention;
mod snapshots;
mod standings;
mod trouble;
mod two;

use super::SqliteStore;
use crate::clock::{Clock, ManualClock};
use crate::engine::ports::{Claimed, Step, Store};
use crate::model::*;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where all clocks of these tests start.
pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A clock that stands still.
pub(crate) fn clock() -> ManualClock {
    ManualClock::new(start())
}

/// A store in memory with its clock.
pub(crate) fn store() -> (Arc<SqliteStore>, ManualClock) {
    let clock = clock();
    (SqliteStore::in_memory("me", Arc::new(clock.clone())).unwrap(), clock)
}

/// A store in a folder.
pub(crate) fn open(dir: &std::path::Path, instance: &str, clock: &ManualClock) -> Arc<SqliteStore> {
    SqliteStore::open(dir, instance, Arc::new(clock.clone())).unwrap()
}

/// A probe that takes all stages.
pub(crate) fn probe(name: &str) -> Probe {
    Probe {
        variant_of: None,
        controls: Default::default(),
        intake: None,
        canaries: Default::default(),
        calendar: None,
        name: name.to_owned(),
        description: "writes to support".to_owned(),
        owner: "team".to_owned(),
        tags: vec![],
        desk: Some("helpdesk".to_owned()),
        account: "alice".to_owned(),
        gateway: "helpdesk-email".to_owned(),
        schedule: None,
        overlap: Overlap::Skip,
        maintenance: vec![],
        stages: BTreeSet::from(Stage::ALL),
        channel: Channel::Email(EmailChannel {
            to: vec!["support@desk.test".to_owned()],
            cc: vec![],
            bcc: vec![],
            subject: "Parcel ${token}".to_owned(),
            text: "Where is it?".to_owned(),
            html: None,
            attachments: vec![],
            ..EmailChannel::default()
        }),
        expect: Expect::default(),
        reply: Reply {
            mode: ReplyMode::Post,
            after: AfterStage::Land,
            text: "On its way ${token}".to_owned(),
            html: None,
            attachments: vec![],
        },
        follow_up: FollowUp {
            after_move: None,
            quote: Default::default(),
            automatic: false,
            to: FollowUpTo::Agent,
            text: "Thanks ${token}".to_owned(),
            after_close: false,
            reopens: true,
        },
        limits: BTreeMap::new(),
        policy: Policy::default(),
        mark: None,
        clean_up: CleanUp::Close,
        settle: Duration::from_secs(20),
        watch_after: Duration::from_secs(3600),
    }
}

/// A fresh run of `probe`, with one message whose token is `rp` and the id.
pub(crate) fn run(id: &str, name: &str) -> Run {
    Run {
        id: RunId(id.to_owned()),
        probe: probe(name),
        display_name: None,
        address: "alice@customer.test".to_owned(),
        trigger: Trigger::Scheduled,
        parent: None,
        context: Default::default(),
        until: None,
        started: start(),
        finished: None,
        phase: Phase::Active,
        position: None,
        stages: BTreeMap::new(),
        messages: vec![message(&format!("rp{id}"), Some(&format!("{id}@customer.test")))],
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
        notes: vec![],
        interrupted: false,
        diagnosis: None,
    }
}

/// A message with that token.
pub(crate) fn message(token: &str, id: Option<&str>) -> Message {
    Message {
        stage: Stage::Send,
        turn: 0,
        party: Party::Customer,
        token: Token(token.to_owned()),
        message_id: id.map(str::to_owned),
        subject: "Parcel".to_owned(),
    }
}

/// A look that found nothing.
pub(crate) fn look(place: &str) -> Observation {
    Observation::new(start(), Some(Stage::Land), Source::Desk, place, "rpx", Looked::Empty).fact("tickets", 0)
}

/// A mail with that UID in INBOX.
pub(crate) fn mail(uid: u32) -> Delivery {
    Delivery {
        account: "alice".to_owned(),
        seen: start(),
        mail: ReceivedMail {
            key: MailKey { folder: "INBOX".to_owned(), uidvalidity: 7, uid },
            in_junk: false,
            received: None,
            message_id: Some(format!("{uid}@desk.test")),
            in_reply_to: vec![],
            references: vec![],
            from: "support@desk.test".to_owned(),
            from_name: "Support".to_owned(),
            reply_to: vec![],
            to: vec![],
            subject: "Re: Parcel".to_owned(),
            date: None,
            text: "We have it.".to_owned(),
            new_text: "We have it.".to_owned(),
            html: None,
            attachments: vec![],
            auto: AutoMark::default(),
            bounce: None,
            headers: vec![("X-Desk".to_owned(), "yes".to_owned())],
            size: 900,
            sha256: "00".to_owned(),
            tokens: vec![],
            new_tokens: vec![],
        },
    }
}

/// An act in that state.
pub(crate) fn act(number: u32, state: ActState) -> Act {
    Act { kind: ActKind::Send, target: number.to_string(), state, intent: start(), result: None }
}

/// Gives `run` its verdict.
pub(crate) fn finish(run: &mut Run, verdict: Verdict, at: Timestamp) {
    run.phase = Phase::Finished;
    run.finished = Some(at);
    run.diagnosis = Some(Diagnosis {
        verdict,
        stage: (verdict != Verdict::Pass).then_some(Stage::Land),
        fault: (verdict == Verdict::Fail).then(|| "poller-hung".to_owned()),
        candidates: vec![],
        blame: None,
        severity: None,
        security: false,
        summary: String::new(),
        notes: vec![],
        rules_version: 1,
    });
}

/// A run's JSON as versions 1 and 2 wrote it: with its probe, whose files are lists of numbers.
pub(crate) fn old_form(run: &Run) -> String {
    let mut json = serde_json::to_value(run).unwrap();
    json["probe"] = serde_json::to_value(&run.probe).unwrap();
    let Channel::Email(email) = &run.probe.channel else { panic!() };
    for (n, file) in email.attachments.iter().enumerate() {
        json["probe"]["channel"]["email"]["attachments"][n]["bytes"] = serde_json::to_value(&file.bytes).unwrap();
    }
    json.to_string()
}

/// A file for a probe to send.
pub(crate) fn file(bytes: Vec<u8>) -> OutgoingAttachment {
    OutgoingAttachment { name: "a.bin".to_owned(), content_type: "x/y".to_owned(), bytes }
}

/// A step with nothing special about it.
pub(crate) fn step(run: &Run, epoch: u64, due: Option<Timestamp>) -> Step<'_> {
    Step { run, epoch, due, hold: false, taken: &[], observations_kept: 0, durable: false }
}

/// Takes every due run.
pub(crate) async fn claim_all(store: &SqliteStore, clock: &ManualClock) -> Vec<Claimed> {
    store.claim_due(clock.now(), 1000, false).await.unwrap()
}

/// Takes the one due run.
pub(crate) async fn claim_one(store: &SqliteStore, clock: &ManualClock) -> Claimed {
    let mut claims = claim_all(store, clock).await;
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// A run that ended, stored.
pub(crate) async fn ended(store: &SqliteStore, clock: &ManualClock, mut run: Run, verdict: Verdict) -> Run {
    store.create_run(&run).await.unwrap();
    let claim = store.claim(&run.id).await.unwrap().unwrap();
    finish(&mut run, verdict, clock.now());
    store.commit(step(&run, claim.epoch, None)).await.unwrap();
    run
}
