//! Privacy canaries: nothing on a healthy desk, an alarm at once where a note or an answer reaches the wrong eyes.

use super::*;
use replypath::engine::ports::RunEvent;

fn bob() -> Account {
    Account { name: "bob".into(), address: "bob@customers.test".into(), display_name: "Bob".into(), ..account() }
}

async fn trial_with(change: impl FnOnce(&mut world::Weather)) -> Trial {
    let trial = Trial::new().await;
    trial.world.state.lock().unwrap().accounts.insert("bob".into(), bob());
    trial.world.weather(change);
    trial
}

fn with(canaries: Canaries) -> Probe {
    Probe { canaries, ..probe() }
}

fn note() -> Probe {
    with(Canaries { note: true, ..Canaries::default() })
}

fn second() -> Probe {
    with(Canaries { second: Some("bob".into()), ..Canaries::default() })
}

#[tokio::test]
async fn a_note_that_stays_inside_alarms_nobody_and_stands_before_the_answer() {
    let trial = trial_with(|_| ()).await;
    let run = trial.run(&note()).await;
    assert_eq!(diagnosis(&run), (Verdict::Pass, None, vec![]), "{:#?}", run.stages);
    let state = trial.world.state.lock().unwrap();
    assert_eq!(state.notes, 1);
    let public: Vec<_> = state.tickets[0].messages.iter().filter(|m| m.author == Some(Author::Agent)).map(|m| m.public).collect();
    assert_eq!(public, [Some(false), Some(true)]);
}

#[tokio::test]
async fn a_note_in_the_customers_mail_is_said_before_the_run_has_ended() {
    let trial = trial_with(|w| w.note_to_requester = true).await;
    let (engine, store, mut heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&note(), &account(), Trigger::Manual, None).await.unwrap();
    let run = finish(&trial.world, &engine, &store, &id).await;
    intake.abort();
    assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Reply), vec!["note-leaks"]));
    assert!(run.diagnosis.as_ref().is_some_and(|d| d.security));
    let mut events = Vec::new();
    while let Ok(event) = heard.try_recv() {
        events.push(event);
    }
    let told = |e: &RunEvent| matches!(e, RunEvent::Stage(run, Stage::Reply) if run.stages[&Stage::Reply].hints == ["note-leaks"]);
    let (alarm, end) = (events.iter().position(told), events.iter().position(|e| matches!(e, RunEvent::Finished(_))));
    assert!(alarm.is_some() && alarm < end, "{alarm:?} {end:?}");
    let alarmed = events[alarm.unwrap()].run();
    assert!(alarmed.finished.is_none() && alarmed.phase == Phase::Active, "while the journey goes on");
}

#[tokio::test]
async fn a_note_in_the_mailbox_of_cc_is_a_leak_and_what_lies_there_is_removed() {
    for leaks in [false, true] {
        let trial = trial_with(|w| w.note_to_other = leaks).await;
        let run = trial.run(&with(Canaries { note: true, cc: Some("bob".into()), ..Canaries::default() })).await;
        assert_eq!(trial.world.state.lock().unwrap().submitted[0].cc, ["bob@customers.test"]);
        if leaks {
            assert_eq!(diagnosis(&run), (Verdict::Fail, Some(Stage::Reply), vec!["note-leaks"]));
            assert_eq!(trial.world.state.lock().unwrap().removed_elsewhere, 1);
        } else {
            assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
        }
    }
}

#[tokio::test]
async fn the_answer_reaches_the_requester_though_another_wrote_last_or_the_desk_is_named() {
    for to_last_writer in [false, true] {
        let trial = trial_with(|w| w.to_last_writer = to_last_writer).await;
        let run = trial.run(&second()).await;
        {
            let state = trial.world.state.lock().unwrap();
            assert_eq!(state.submitted.iter().filter(|m| m.from == "bob@customers.test").count(), 1, "{:?}", run.notes);
            assert_eq!(state.tickets[0].writers[..2], ["alice@customers.test", "bob@customers.test"]);
            assert!(!state.submitted[1].subject.contains(run.messages[0].token.as_str()), "{}", state.submitted[1].subject);
        }
        if to_last_writer {
            assert_eq!(diagnosis(&run).2, ["reply-to-last-writer"], "{:#?}", run.stages);
            assert!(run.diagnosis.as_ref().is_some_and(|d| d.security));
        } else {
            assert_eq!(diagnosis(&run), (Verdict::Pass, None, vec![]), "{:#?}", run.stages);
        }
    }
}

#[tokio::test]
async fn a_ticket_that_the_second_customer_opened_is_closed_and_no_fault() {
    let trial = trial_with(|w| w.others_open_tickets = true).await;
    let run = trial.run(&second()).await;
    assert_eq!(diagnosis(&run), (Verdict::Pass, None, vec![]), "{:#?} {:?}", run.stages, run.notes);
    let state = trial.world.state.lock().unwrap();
    assert_eq!(state.tickets.len(), 2);
    assert!(state.tickets.iter().all(|t| t.closed));
}

/// Acts with both canaries: 1 send, 2 note, 3 second, 4 reply, 5 follow-up, 6 close.
#[tokio::test]
async fn a_canary_is_done_once_whatever_dies() {
    let both = with(Canaries { note: true, second: Some("bob".into()), ..Canaries::default() });
    for before in [true, false] {
        for call in 2..=3 {
            let trial = trial_with(|_| ()).await;
            let run = trial.run_with_death(&both, before, call).await;
            let state = trial.world.state.lock().unwrap();
            let seconds = state.submitted.iter().filter(|m| m.from.starts_with("bob")).count();
            let expected = (usize::from(!before || call != 2), usize::from(!before || call != 3));
            assert_eq!((state.notes, seconds), expected, "death before: {before}, act {call}: {:?}", run.notes);
            assert_eq!(diagnosis(&run).0, Verdict::Pass, "{:#?}", run.diagnosis);
        }
    }
}
