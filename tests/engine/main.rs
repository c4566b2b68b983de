//! The engine in a small world with a clock that the tests drive: verdicts, and death at every act.

mod canary;
mod chat;
mod controls;
mod exchangers;
mod form;
mod late;
mod promise;
mod variants;
mod web;
mod world;

use jiff::Timestamp;
use replypath::clock::Clock;
use replypath::engine::Engine;
use replypath::engine::ports::Store;
use replypath::model::*;
use replypath::store::SqliteStore;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use world::World;

fn probe() -> Probe {
    Probe {
        variant_of: None,
        controls: Default::default(),
        intake: None,
        canaries: Default::default(),
        calendar: None,
        name: "support".into(),
        description: String::new(),
        owner: String::new(),
        tags: Vec::new(),
        desk: Some("desk".into()),
        account: "alice".into(),
        gateway: "desk-email".into(),
        schedule: None,
        overlap: Overlap::Skip,
        maintenance: Vec::new(),
        stages: BTreeSet::from(Stage::ALL),
        channel: Channel::Email(EmailChannel {
            to: vec!["support@desk.test".into()],
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: "Where is my parcel? (${token})".into(),
            text: "Hello,\nwhere is my parcel? Grüße\n\nReference: ${token}".into(),
            html: None,
            attachments: Vec::new(),
            ..EmailChannel::default()
        }),
        expect: Expect { queue: Some("Support".into()), created_within: Duration::from_secs(900), ..Expect::default() },
        reply: Reply {
            mode: ReplyMode::Post,
            after: AfterStage::Land,
            text: "It is on its way.\n\nReference: ${token}".into(),
            html: None,
            attachments: Vec::new(),
        },
        follow_up: FollowUp {
            after_move: None,
            quote: Default::default(),
            automatic: false,
            to: FollowUpTo::Agent,
            text: "Thank you!\n\nReference: ${token}".into(),
            after_close: false,
            reopens: true,
        },
        limits: BTreeMap::new(),
        policy: Policy::default(),
        mark: None,
        clean_up: CleanUp::Close,
        settle: Duration::from_secs(10),
        watch_after: Duration::ZERO,
    }
}

fn account() -> Account {
    let server = |port| ServerSettings {
        host: "127.0.0.1".into(),
        port,
        tls: TlsMode::None,
        ca: None,
        tls_name: None,
        user: "alice".into(),
        password: SecretString::from("not used"),
        auth: AuthMethod::Plain,
    };
    Account {
        name: "alice".into(),
        address: "alice@customers.test".into(),
        display_name: "Alice".into(),
        aliases: Vec::new(),
        mailbox: MailboxSettings { server: server(143), poll: Duration::from_secs(30), junk_poll: Duration::from_secs(60) },
        submission: SubmissionSettings { server: server(587), timeout: Duration::from_secs(30) },
        budget: Budget::default(),
    }
}

/// Drives the clock from due time to due time until the run has its verdict.
async fn finish(world: &Arc<World>, engine: &Engine, store: &Arc<SqliteStore>, id: &RunId) -> Run {
    for _ in 0..2_000 {
        store.heartbeat(Duration::from_secs(15)).await.unwrap();
        if engine.tick().await.unwrap() == 0 {
            let run = store.run(id).await.unwrap().unwrap();
            if run.phase == Phase::Finished {
                return run;
            }
            let due = store.next_due().await.unwrap();
            go_on(world, due.unwrap_or_else(|| world.clock.now()));
        }
    }
    panic!("no verdict: {:#?}", store.run(id).await.unwrap().unwrap().stages);
}

/// Moves the clock to a due time, and on in any case.
fn go_on(world: &World, due: Timestamp) {
    let wait = due.as_microsecond() - world.clock.now().as_microsecond();
    world.clock.advance(Duration::from_micros(u64::try_from(wait).unwrap_or(0).max(1)));
}

struct Trial {
    world: Arc<World>,
    dir: tempfile::TempDir,
}

impl Trial {
    async fn new() -> Trial {
        let dir = tempfile::tempdir().unwrap();
        let clock = replypath::clock::ManualClock::new(Timestamp::UNIX_EPOCH);
        let key = SqliteStore::open(dir.path(), "key", Arc::new(clock)).unwrap().token_key().await.unwrap();
        Trial { world: World::new(key), dir }
    }

    async fn run(&self, probe: &Probe) -> Run {
        let (engine, store, _heard) = self.world.engine(self.dir.path(), "one").await;
        let intake = engine.start_intake();
        let id = engine.start_run(probe, &account(), Trigger::Manual, None).await.unwrap();
        let run = finish(&self.world, &engine, &store, &id).await;
        intake.abort();
        run
    }
}

impl Trial {
    /// A run whose process dies at an act, before or after its effect, and which a new process takes over.
    async fn run_with_death(&self, probe: &Probe, before: bool, call: usize) -> Run {
        self.world.weather(|w| if before { w.die_before = Some(call) } else { w.die_after = Some(call) });
        let id = first_life(self, probe).await;
        self.world.forget_listeners();
        self.world.clock.advance(Duration::from_secs(60));
        let (engine, store, _heard) = self.world.engine(self.dir.path(), "second life").await;
        let intake = engine.start_intake();
        let run = finish(&self.world, &engine, &store, &id).await;
        intake.abort();
        run
    }
}

fn diagnosis(run: &Run) -> (Verdict, Option<Stage>, Vec<&str>) {
    let d = run.diagnosis.as_ref().unwrap();
    (d.verdict, d.stage, d.candidates.iter().map(String::as_str).collect())
}

#[tokio::test]
async fn a_healthy_desk_passes_every_stage_and_nothing_is_left() {
    let trial = Trial::new().await;
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    for stage in Stage::ALL {
        assert_eq!(run.stages.get(&stage).and_then(|r| r.outcome), Some(Outcome::Pass), "{stage}");
    }
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.submitted.len(), state.replies.len(), state.closes), (2, 1, 1));
    assert!(state.inbox.is_empty());
    assert!(state.tickets.iter().all(|t| t.closed));
}

#[tokio::test]
async fn a_lost_request_fails_at_land_only_after_proper_empty_answers() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.intake_dead = true);
    let run = trial.run(&probe()).await;
    let (verdict, stage, candidates) = diagnosis(&run);
    assert_eq!((verdict, stage), (Verdict::Fail, Some(Stage::Land)));
    assert!(candidates.contains(&"poller-hung"), "{candidates:?}");
    assert_eq!(run.stages[&Stage::Accept].outcome, Some(Outcome::Unknown));
}

#[tokio::test]
async fn a_desk_that_cannot_be_asked_is_unknown_and_no_fault_of_the_desk() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.desk_down = true);
    let run = trial.run(&probe()).await;
    let (verdict, _, candidates) = diagnosis(&run);
    assert_eq!((verdict, candidates), (Verdict::Unknown, vec!["desk-api-down"]));
    assert_eq!(run.diagnosis.as_ref().unwrap().blame, Some(Blame::Monitor));
}

#[tokio::test]
async fn a_mailbox_that_refuses_us_is_unknown_and_nothing_is_sent() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.mailbox_down = true);
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["mailbox-login-refused"]));
    assert!(trial.world.state.lock().unwrap().submitted.is_empty());
}

#[tokio::test]
async fn a_refused_submission_is_unknown_at_send() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.submission_refuses = true);
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["submission-login-refused"]));
}

#[tokio::test]
async fn a_missing_acknowledgement_an_internal_answer_and_a_lost_answer_are_told_apart() {
    type Change = fn(&mut world::Weather);
    let cases: [(Change, Stage, &str); 3] = [
        (|w| w.no_acknowledgement = true, Stage::Acknowledge, "ack-condition-broken"),
        (|w| w.internal = true, Stage::Reply, "reply-stays-internal"),
        (|w| w.no_answer_mail = true, Stage::Return, "reply-fails-unnoticed"),
    ];
    for (change, stage, fault) in cases {
        let trial = Trial::new().await;
        trial.world.weather(change);
        let mut probe = probe();
        // Without an acknowledgement this desk's answers reach no earlier mail of the run.
        probe.policy.threading = Require::Wanted;
        let run = trial.run(&probe).await;
        let (verdict, at, candidates) = diagnosis(&run);
        assert_eq!((verdict, at), (Verdict::Fail, Some(stage)), "{fault}: {:#?}", run.diagnosis);
        assert!(candidates.contains(&fault), "{candidates:?}");
    }
}

#[tokio::test]
async fn an_answer_in_another_accounts_mailbox_counts_only_against_the_desk_and_only_if_ours_has_none() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.answer_elsewhere = true);
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Pass, None, vec![]), "one mailbox may have two names: {:#?}", run.diagnosis);

    let trial = Trial::new().await;
    trial.world.weather(|w| (w.answer_elsewhere, w.no_answer_mail) = (true, true));
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Reply), vec!["reply-to-last-writer"]), "{:#?}", run.diagnosis);
    assert!(run.diagnosis.as_ref().is_some_and(|d| d.security));
}

#[tokio::test]
async fn an_answer_whose_posting_broke_off_is_looked_for_and_never_posted_again() {
    for stored in [true, false] {
        let trial = Trial::new().await;
        trial.world.weather(|w| w.reply_cut = Some(stored));
        let run = trial.run(&probe()).await;
        let (verdict, stage, candidates) = diagnosis(&run);
        match stored {
            true => assert_eq!((verdict, stage), (Verdict::Pass, None), "{:#?}", run.diagnosis),
            false => assert_eq!((verdict, candidates), (Verdict::Unknown, vec!["act-uncertain"]), "{:#?}", run.diagnosis),
        }
        let state = trial.world.state.lock().unwrap();
        assert_eq!((state.posted, state.replies.len()), (1, usize::from(stored)));
    }
}

#[tokio::test]
async fn a_ticket_is_changed_only_while_it_is_ours_by_token_and_by_requester() {
    type Change = fn(&mut world::Weather, usize);
    let changes: [Change; 2] = [|w, n| w.stranger = Some(n), |w, n| w.stripped = Some(n)];
    for change in changes {
        for answers in [0, 1] {
            let trial = Trial::new().await;
            trial.world.weather(|w| change(w, answers));
            let run = trial.run(&probe()).await;
            let state = trial.world.state.lock().unwrap();
            // Ours until the answer is written: it is written, and then the ticket is left alone.
            assert_eq!((state.posted, state.closes), (answers, 0), "{:#?}", run.diagnosis);
            assert!(run.leftovers.iter().any(|l| l.what.starts_with("ticket ")), "{:?}", run.leftovers);
        }
    }
}

#[tokio::test]
async fn until_ends_the_journey_early_and_still_cleans_up() {
    let trial = Trial::new().await;
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&probe(), &account(), Trigger::Manual, Some(Stage::Format)).await.unwrap();
    let run = finish(&trial.world, &engine, &store, &id).await;
    intake.abort();
    assert_eq!(diagnosis(&run).0, Verdict::Pass);
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.replies.len(), state.closes), (0, 1));
}

/// The process dies at every act, before or after its effect, and a new one goes on.
#[tokio::test]
async fn death_at_any_act_sends_nothing_twice_and_every_run_has_one_verdict() {
    for before in [true, false] {
        for call in 1..=4 {
            let trial = Trial::new().await;
            trial.world.weather(|w| if before { w.die_before = Some(call) } else { w.die_after = Some(call) });
            let id = first_life(&trial, &probe()).await;
            trial.world.clock.advance(Duration::from_secs(60));
            let (engine, store, mut heard) = trial.world.engine(trial.dir.path(), "second life").await;
            let intake = engine.start_intake();
            let run = finish(&trial.world, &engine, &store, &id).await;
            intake.abort();
            let case = format!("death {} act {call}: {:#?}", if before { "before" } else { "after" }, run.diagnosis);
            let state = trial.world.state.lock().unwrap();
            let firsts = state.submitted.iter().filter(|m| m.in_reply_to.is_none()).count();
            let follow_ups = state.submitted.len() - firsts;
            assert!(firsts <= 1 && follow_ups <= 1 && state.replies.len() <= 1 && state.closes <= 1, "{case}");
            // Acts: 1 send, 2 reply, 3 follow-up, 4 close. An effect that happened is found; one that did not ends unknown.
            let expected = if before && call <= 3 { Verdict::Unknown } else { Verdict::Pass };
            assert_eq!(run.diagnosis.as_ref().unwrap().verdict, expected, "{case}");
            if expected == Verdict::Unknown {
                assert_eq!(run.diagnosis.as_ref().unwrap().candidates, ["act-uncertain"], "{case}");
            }
            let mut verdicts = 0;
            while let Ok(event) = heard.try_recv() {
                verdicts += usize::from(matches!(event, replypath::engine::ports::RunEvent::Finished(_)));
            }
            assert_eq!(verdicts, 1, "{case}");
        }
    }
}

/// Runs until the world swallows a call for ever, then drops everything, as a killed process does.
async fn first_life(trial: &Trial, probe: &Probe) -> RunId {
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "first life").await;
    let intake = engine.start_intake();
    let id = engine.start_run(probe, &account(), Trigger::Manual, None).await.unwrap();
    let life = finish(&trial.world, &engine, &store, &id);
    // The act that dies never returns; everything before it needs no real time, so this bound is only for the wait.
    tokio::select! {
        run = life => panic!("nothing died: {:#?}", run.diagnosis),
        () = dead(&trial.world) => {}
    }
    intake.abort();
    id
}

/// Ready once the call that shall die was made.
async fn dead(world: &Arc<World>) {
    loop {
        {
            let state = world.state.lock().unwrap();
            let at = state.weather.die_before.or(state.weather.die_after);
            if at.is_some_and(|at| state.calls >= at) {
                break;
            }
        }
        tokio::task::yield_now().await;
    }
    world.weather(|w| {
        w.die_before = None;
        w.die_after = None;
    });
}
