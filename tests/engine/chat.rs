//! Requests by live chat.

use crate::web::{ChatWeather, quick};
use crate::{Trial, account, diagnosis, finish, probe as mail_probe};
use replypath::engine::ports::Store;
use replypath::engine::ways::Stop;
use replypath::model::*;
use std::time::Duration;

pub fn chat(probe: &mut Probe) -> &mut ChatChannel {
    match &mut probe.channel {
        Channel::Chat(chat) => chat,
        Channel::Email(_) | Channel::Form(_) => panic!("a chat"),
    }
}

pub fn probe() -> Probe {
    let mut probe = mail_probe();
    probe.channel = Channel::Chat(Box::new(ChatChannel {
        page: None,
        by: ChatBy::Desk,
        text: "Where is my parcel? ${token}".into(),
        attachments: Vec::new(),
        prechat: [("email".to_owned(), "${address}".to_owned())].into(),
        hand_over: None,
        bot_turns: 2,
        when_offline: WhenOffline::Fail,
        answer: AnswerBy::Chat,
        visitor: Visitor::Fresh,
        reload: true,
        pushed: true,
    }));
    quick(&mut probe);
    probe
}

fn is(run: &Run, stage: Stage) -> Option<Outcome> {
    run.stages.get(&stage).and_then(|r| r.outcome)
}

async fn run_in(change: impl FnOnce(&mut ChatWeather)) -> (Trial, Run) {
    run_of(&probe(), change).await
}

async fn run_of(probe: &Probe, change: impl FnOnce(&mut ChatWeather)) -> (Trial, Run) {
    let trial = Trial::new().await;
    trial.world.weather(|w| change(&mut w.chat));
    let run = trial.run(probe).await;
    (trial, run)
}

fn file(name: &str) -> OutgoingAttachment {
    OutgoingAttachment { name: name.into(), content_type: "text/plain".into(), bytes: name.as_bytes().to_vec() }
}

#[tokio::test]
async fn a_healthy_chat_passes_every_stage_and_nothing_is_left() {
    let mut probe = probe();
    chat(&mut probe).attachments = vec![file("letter.txt")];
    probe.expect.attachments = true;
    probe.reply.attachments = vec![file("label.txt")];
    let (trial, run) = run_of(&probe, |_| {}).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    for stage in Stage::ALL {
        assert_eq!(is(&run, stage), Some(Outcome::Pass), "{stage}");
    }
    let checks = |stage: Stage| run.stages[&stage].checks.iter().map(|c| c.check.as_str()).collect::<Vec<_>>();
    assert_eq!(checks(Stage::Accept), ["conversation"]);
    assert_eq!(checks(Stage::Queue), ["shown to agents", "queue"]);
    assert_eq!(checks(Stage::Return), ["pushed", "stored", "attachment label.txt", "text"]);
    assert_eq!(checks(Stage::FollowUp), ["reload", "said", "joined", "text"]);
    let state = trial.world.state.lock().unwrap();
    let web = state.web;
    assert_eq!((web.begun, web.said, web.left, web.reloads, state.replies.len(), state.closes), (1, 1, 1, 1, 1, 0), "{web:?}");
    assert!(state.submitted.is_empty() && state.tickets.len() == 1);
}

#[tokio::test]
async fn each_fault_of_chat_is_named_at_its_stage() {
    type Change = fn(&mut ChatWeather);
    let cases: [(Change, Stage, &[&str]); 12] = [
        (|w| w.closed = true, Stage::Send, &["chat-not-offered"]),
        (|w| w.agents = Some(false), Stage::Accept, &["chat-offered-with-no-agent"]),
        (|w| w.begin = Some((dead_end(), false)), Stage::Accept, &["chat-prechat-dead-end"]),
        (|w| w.not_shown = true, Stage::Queue, &["chat-waiting-not-shown"]),
        (|w| w.no_greeting = true, Stage::Acknowledge, &["ack-condition-broken"]),
        (|w| w.bot_talks = true, Stage::Reply, &["bot-talks-over-agent"]),
        (|w| w.silent = true, Stage::Return, &["chat-connected-no-fanout"]),
        (|w| w.no_answer_push = true, Stage::Return, &["chat-agent-line-invisible"]),
        (|w| w.no_answer_stored = true, Stage::Return, &["chat-line-not-stored"]),
        (|w| (w.no_answer_push, w.no_answer_stored) = (true, true), Stage::Return, &["chat-agent-line-invisible"]),
        (|w| w.twice = true, Stage::Return, &["reply-sent-many-times"]),
        (|w| w.forgets = true, Stage::FollowUp, &["chat-history-lost-on-return"]),
    ];
    for (change, stage, faults) in cases {
        let (trial, run) = run_in(change).await;
        assert_eq!(diagnosis(&run), (Verdict::Fail, Some(stage), faults.to_vec()), "{:#?}\n{:#?}", run.diagnosis, run.stages);
        let state = trial.world.state.lock().unwrap();
        assert!(state.tickets.iter().all(|t| t.closed), "{faults:?}");
        assert!(state.web.begun <= 1 && state.replies.len() <= 1, "{faults:?}");
    }
}

fn dead_end() -> Stop {
    Stop::failed("chat-prechat-dead-end", ResultClass::BrokenContract, "the button does nothing")
}

#[tokio::test]
async fn files_that_do_not_reach_the_other_side_are_named_for_each_direction() {
    let mut probe = probe();
    chat(&mut probe).attachments = vec![file("letter.txt")];
    probe.expect.attachments = true;
    probe.reply.attachments = vec![file("label.txt")];
    for (drops, stage) in [((true, false), Stage::Format), ((false, true), Stage::Return)] {
        let (_, run) = run_of(&probe, |w| w.drops_files = drops).await;
        assert_eq!(diagnosis(&run), (Verdict::Fail, Some(stage), vec!["chat-attachment-not-transferred"]), "{:#?}", run.diagnosis);
    }
}

#[tokio::test]
async fn what_could_not_be_heard_or_read_is_never_called_lost() {
    // The push path broke on the way: the answer is stored, and whether it would have been pushed nobody knows.
    let (_, run) = run_in(|w| w.broken = true).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Return), vec!["cannot-tell"]), "{:#?}", run.diagnosis);
    // It was opened anew meanwhile: a window that connects again reads the conversation.
    let (_, run) = run_in(|w| w.reconnects = true).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert!(run.notes.iter().any(|n| n.contains("opened anew")), "{:?}", run.notes);
    // A probe that asks for no push has all it wants.
    let mut quiet = probe();
    chat(&mut quiet).pushed = false;
    let (_, run) = run_of(&quiet, |w| w.broken = true).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    // Nobody listens on the agents' side.
    let (_, run) = run_in(|w| w.agents_unheard = true).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    // The stored conversation cannot be read by us.
    let stop = Stop::unknown("chat-throttled", ResultClass::Throttled, "the desk answered 429");
    let (_, run) = run_in(|w| w.unreadable = Some(stop)).await;
    assert_eq!((diagnosis(&run).0, diagnosis(&run).1), (Verdict::Unknown, Some(Stage::Return)), "{:#?}", run.diagnosis);
    // Too many conversations from our address.
    let stop = Stop::unknown("chat-throttled", ResultClass::Throttled, "the desk answered 429").passing();
    let (trial, run) = run_in(|w| w.begin = Some((stop, false))).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["chat-throttled"]), "{:#?}", run.diagnosis);
    assert!(trial.world.state.lock().unwrap().tickets.is_empty());
}

#[tokio::test]
async fn a_chat_server_that_does_not_answer_is_a_fault_only_while_our_own_network_works() {
    let unreachable = || Stop::unknown("chat-unreachable", ResultClass::Unavailable, "connection refused").passing();
    let (_, run) = run_in(|w| w.offer = Some(unreachable())).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Send), vec!["chat-widget-down"]), "{:#?}", run.diagnosis);
    let trial = Trial::new().await;
    trial.world.weather(|w| (w.chat.offer, w.mailbox_down) = (Some(unreachable()), true));
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["chat-unreachable"]), "{:#?}", run.diagnosis);
}

#[tokio::test]
async fn a_chat_answered_in_its_window_does_without_the_mailbox() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.mailbox_down = true);
    let run = trial.run(&probe()).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
}

#[tokio::test]
async fn a_bot_is_asked_for_a_person_as_often_as_the_probe_allows() {
    let mut probe = probe();
    chat(&mut probe).hand_over = Some("Can I talk to a person?".into());
    chat(&mut probe).bot_turns = 3;
    let (trial, run) = run_of(&probe, |w| w.bot_turns = Some(2)).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert_eq!((trial.world.state.lock().unwrap().web.said, run.chat.unwrap().turns), (3, 2), "two requests and the follow-up");

    let (trial, run) = run_of(&probe, |w| w.bot_turns = Some(99)).await;
    let (verdict, stage, candidates) = diagnosis(&run);
    assert_eq!((verdict, stage, candidates), (Verdict::Fail, Some(Stage::Queue), vec!["bot-never-hands-over"]), "{:#?}", run.diagnosis);
    assert_eq!(run.acts.iter().filter(|a| a.kind == ActKind::HandOver).count(), 3);
    assert!(trial.world.state.lock().unwrap().web.said <= 4);

    // Where the desk is slow to tell, the agent's answer, which takes the conversation from the bot, still comes after the look.
    let trial = Trial::new().await;
    trial.world.weather(|w| (w.chat.bot_turns, w.slow_reads) = (Some(99), probe.limit(Stage::Queue) * 7 / 10));
    let run = trial.run(&probe).await;
    assert_eq!(diagnosis(&run).2, ["bot-never-hands-over"], "{:#?}", run.stages);

    // A probe that knows of no bot cannot tell.
    let (_, run) = run_of(&crate::chat::probe(), |w| w.bot_turns = Some(99)).await;
    assert_eq!(is(&run, Stage::Queue), Some(Outcome::Unknown), "{:#?}", run.stages);
}

#[tokio::test]
async fn without_a_chat_the_run_ends_as_the_probe_says_and_a_message_goes_on_by_mail() {
    let mut probe = probe();
    chat(&mut probe).when_offline = WhenOffline::Unknown;
    let (_, run) = run_of(&probe, |w| w.closed = true).await;
    assert_eq!(diagnosis(&run), (Verdict::Unknown, Some(Stage::Send), vec!["chat-not-offered"]));

    chat(&mut probe).when_offline = WhenOffline::Message;
    let (trial, run) = run_of(&probe, |w| w.closed = true).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    {
        let state = trial.world.state.lock().unwrap();
        assert_eq!((state.web.notes, state.web.begun, state.submitted.len(), state.closes), (1, 0, 1, 1));
        assert!(state.inbox.is_empty());
    }
    let (_, run) = run_of(&probe, |w| (w.closed, w.drops_notes) = (true, true)).await;
    let (verdict, stage, candidates) = diagnosis(&run);
    assert_eq!((verdict, stage), (Verdict::Fail, Some(Stage::Land)), "{:#?}", run.diagnosis);
    assert_eq!(candidates, ["chat-offline-note-nowhere", "desk-worker-down"]);
}

#[tokio::test]
async fn an_answer_by_mail_comes_once_the_visitor_has_gone_and_is_answered_by_mail() {
    let mut probe = probe();
    chat(&mut probe).answer = AnswerBy::Email;
    let (trial, run) = run_of(&probe, |_| {}).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    let left = run.acts.iter().find(|a| a.kind == ActKind::Leave).unwrap().intent;
    assert!(left <= run.acts.iter().find(|a| a.kind == ActKind::Reply).unwrap().intent);
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.web.left, state.web.said, state.submitted.len()), (1, 0, 1));
}

#[tokio::test]
async fn a_kept_visitor_is_the_same_in_the_next_run() {
    let trial = Trial::new().await;
    let mut probe = probe();
    chat(&mut probe).visitor = Visitor::Kept;
    let first = trial.run(&probe).await;
    let (_, store, _) = trial.world.engine(trial.dir.path(), "look").await;
    assert_eq!(store.kept("visitor support").await.unwrap().as_deref(), Some("sealed c1"));
    let second = trial.run(&probe).await;
    assert_eq!((diagnosis(&first).0, diagnosis(&second).0), (Verdict::Pass, Verdict::Pass));
    assert_eq!(trial.world.state.lock().unwrap().sealed_at_begin, [None, Some("sealed c1".to_owned())]);
}

#[tokio::test]
async fn a_kept_visitor_whom_the_desk_has_forgotten_begins_anew() {
    let trial = Trial::new().await;
    let mut probe = probe();
    chat(&mut probe).visitor = Visitor::Kept;
    let (_, store, _) = trial.world.engine(trial.dir.path(), "look").await;
    store.keep("visitor support", Some("sealed old")).await.unwrap();
    trial.world.weather(|w| w.chat.knows_nobody = true);
    let run = trial.run(&probe).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert_eq!(trial.world.state.lock().unwrap().sealed_at_begin, [None]);
    assert_eq!(store.kept("visitor support").await.unwrap().as_deref(), Some("sealed c1"));
}

#[tokio::test]
async fn the_last_agent_may_leave_while_a_conversation_begins() {
    let (_, run) = run_in(|w| (w.agents, w.closes_behind) = (Some(false), true)).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert!(run.notes.iter().any(|n| n.contains("last agent left")), "{:?}", run.notes);
}

#[tokio::test]
async fn an_error_at_the_beginning_stands_where_the_catalogue_has_it_and_its_ticket_is_closed() {
    for (fault, stage) in [("chat-server-error", Stage::Send), ("chat-prechat-dead-end", Stage::Accept)] {
        for stored in [true, false] {
            let stop = Stop::failed(fault, ResultClass::Unavailable, "500").uncertain();
            let (trial, run) = run_in(|w| w.begin = Some((stop, stored))).await;
            assert_eq!(diagnosis(&run), (Verdict::Fail, Some(stage), vec![fault]), "{:#?}", run.diagnosis);
            assert!(trial.world.state.lock().unwrap().tickets.iter().all(|t| t.closed));
        }
    }
}

#[tokio::test]
async fn a_beginning_without_an_answer_is_looked_for_and_never_repeated() {
    let stop = || Stop::unknown("chat-unreachable", ResultClass::Unavailable, "the connection broke").uncertain();
    for stored in [true, false] {
        let (trial, run) = run_in(|w| w.begin = Some((stop(), stored))).await;
        assert_eq!(diagnosis(&run).0, Verdict::Unknown, "{:#?}", run.diagnosis);
        assert_eq!(is(&run, Stage::Land), Some(if stored { Outcome::Pass } else { Outcome::NotReached }));
        let state = trial.world.state.lock().unwrap();
        assert_eq!(state.web.begun, usize::from(stored));
        assert!(state.tickets.iter().all(|t| t.closed));
    }
}

#[tokio::test]
async fn a_beginning_that_nobody_can_look_for_ends_its_run_as_unknown() {
    let stop = Stop::unknown("chat-unreachable", ResultClass::Unavailable, "no answer in time").uncertain();
    let (trial, run) = run_in(|w| {
        w.begin = Some((stop, false));
        w.found_by_id = true;
    })
    .await;
    assert_eq!(diagnosis(&run).0, Verdict::Unknown, "{:#?}", run.diagnosis);
    assert_eq!(is(&run, Stage::Send), Some(Outcome::Unknown));
    assert_eq!(trial.world.state.lock().unwrap().web.begun, 0);
}

#[tokio::test]
async fn a_line_without_an_answer_is_looked_for_and_never_said_again() {
    let stop = || Stop::unknown("chat-unreachable", ResultClass::Unavailable, "the connection broke").uncertain();
    for stored in [true, false] {
        let (trial, run) = run_in(|w| w.say = Some((stop(), stored))).await;
        let (verdict, _, candidates) = diagnosis(&run);
        match stored {
            true => assert_eq!(verdict, Verdict::Pass, "{:#?}", run.diagnosis),
            false => assert_eq!((verdict, candidates), (Verdict::Unknown, vec!["act-uncertain"]), "{:#?}", run.diagnosis),
        }
        assert_eq!(trial.world.state.lock().unwrap().web.said, 1);
    }
}

#[tokio::test]
async fn a_new_process_opens_the_visitor_again_and_hears_what_comes() {
    let trial = Trial::new().await;
    let mut probe = probe();
    probe.reply.mode = ReplyMode::Await;
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "first life").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&probe, &account(), Trigger::Manual, None).await.unwrap();
    let lines = |run: Option<Run>| run.and_then(|r| r.chat).map_or(0, |c| c.lines.len());
    while lines(store.run(&id).await.unwrap()) < 2 {
        trial.world.clock.advance(Duration::from_secs(1));
        engine.tick().await.unwrap();
    }
    intake.abort();
    drop(engine);
    trial.world.forget_listeners();
    trial.world.clock.advance(Duration::from_secs(30));
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "second life").await;
    store.heartbeat(Duration::from_secs(15)).await.unwrap();
    let intake = engine.start_intake();
    engine.tick().await.unwrap();
    trial.world.clock.advance(Duration::from_secs(1));
    trial.world.person_answers("c1", "It is on its way, Alice.");
    let run = finish(&trial.world, &engine, &store, &id).await;
    intake.abort();
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    assert_eq!(run.stages[&Stage::Return].checks[0].check, "pushed", "heard by the new listener: {:#?}", run.stages);
    assert_eq!(trial.world.state.lock().unwrap().web.begun, 1);
}

#[tokio::test]
async fn a_stopped_run_leaves_the_chat_and_closes_its_ticket() {
    let trial = Trial::new().await;
    let mut probe = probe();
    probe.reply.mode = ReplyMode::Await;
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&probe, &account(), Trigger::Manual, None).await.unwrap();
    engine.tick().await.unwrap();
    assert!(engine.interrupt(&id).await.unwrap());
    let run = finish(&trial.world, &engine, &store, &id).await;
    intake.abort();
    assert_eq!(diagnosis(&run).0, Verdict::Unknown, "{:#?}", run.diagnosis);
    let state = trial.world.state.lock().unwrap();
    assert_eq!((state.web.begun, state.web.left), (1, 1));
    assert!(state.tickets.iter().all(|t| t.closed) && run.leftovers.is_empty(), "{:?}", run.leftovers);
}

/// The process dies at every act, before or after its effect; a new one opens the visitor again and goes on.
#[tokio::test]
async fn death_at_any_act_says_nothing_twice() {
    for before in [true, false] {
        for call in 1..=4 {
            let trial = Trial::new().await;
            let run = trial.run_with_death(&probe(), before, call).await;
            let case = format!("death {} act {call}: {:#?}", if before { "before" } else { "after" }, run.diagnosis);
            let state = trial.world.state.lock().unwrap();
            let web = state.web;
            assert!(web.begun <= 1 && web.said <= 1 && web.left <= 1 && state.replies.len() <= 1, "{case}");
            // Acts: 1 the beginning, 2 reply, 3 follow-up, 4 leaving. Whoever died in the beginning has lost the visitor.
            // Whoever died right after the answer did not hear it pushed; it is in the conversation that is opened again.
            let unknown = call == 1 || before && call <= 3;
            assert_eq!(diagnosis(&run).0, if unknown { Verdict::Unknown } else { Verdict::Pass }, "{case}");
            assert_eq!(state.tickets.iter().filter(|t| !t.closed).count(), 0, "{case}");
        }
    }
}

#[tokio::test]
async fn fifty_visitors_at_once_pass_and_look_seldom_while_they_are_pushed_to() {
    let trial = Trial::new().await;
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let mut ids = Vec::new();
    for number in 0..50 {
        let mut probe = probe();
        probe.name = format!("chat{number}");
        ids.push(engine.start_run(&probe, &account(), Trigger::Manual, None).await.unwrap());
    }
    for id in &ids {
        let run = finish(&trial.world, &engine, &store, id).await;
        assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
    }
    intake.abort();
    let looks = trial.world.state.lock().unwrap().web.looks;
    assert!(looks <= 50 * 8, "{looks} looks");
}

#[tokio::test]
async fn a_waiting_chat_is_looked_at_ever_more_seldom() {
    let mut probe = probe();
    probe.reply.mode = ReplyMode::Await;
    for stage in [Stage::Reply, Stage::Return] {
        probe.set_limit(stage, Duration::from_secs(600));
    }
    let (trial, run) = run_of(&probe, |_| {}).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Reply), vec!["no-human-answer"]), "{:#?}", run.diagnosis);
    let looks = trial.world.state.lock().unwrap().web.looks;
    assert!((2..=40).contains(&looks), "{looks} looks in ten minutes");
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_the_conversation_or_it_is_said() {
    let mut probe = probe();
    probe.canaries.fresh_visitor = true;
    let (trial, run) = run_of(&probe, |_| {}).await;
    assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.stages);
    assert_eq!(trial.world.state.lock().unwrap().web.strangers, 1);
    let (_, run) = run_of(&probe, |w| w.shown_to_all = true).await;
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Return), vec!["chat-shown-to-stranger"]));
    assert!(run.diagnosis.as_ref().is_some_and(|d| d.security));
}
