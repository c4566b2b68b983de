//! Tickets that open after the verdict.

use super::*;
use replypath::engine::ports::RunEvent;

/// Drives the clock until nothing is due any more.
async fn rest(world: &Arc<World>, engine: &Engine, store: &Arc<SqliteStore>) {
    for _ in 0..2_000 {
        store.heartbeat(Duration::from_secs(15)).await.unwrap();
        if engine.tick().await.unwrap() > 0 {
            continue;
        }
        let Some(due) = store.next_due().await.unwrap() else { return };
        go_on(world, due);
    }
    panic!("something is due for ever");
}

/// A run whose request is lost until after its verdict, with the end of its life. What comes through comes for `requester`, and is
/// acknowledged or not; the process may die when it closes the ticket.
async fn late_request(requester: Option<&str>, acknowledged: bool, dies: bool) -> (Arc<World>, Run, usize) {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.intake_dead = true);
    let controls = Controls { built_in: false, ..Controls::default() };
    let probe = Probe { watch_after: Duration::from_secs(3_600), controls, ..probe() };
    let (engine, store, mut heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&probe, &account(), Trigger::Manual, None).await.unwrap();
    let failed = finish(&trial.world, &engine, &store, &id).await;
    assert_eq!(diagnosis(&failed).1, Some(Stage::Land));
    let mut mail = trial.world.state.lock().unwrap().submitted[0].clone();
    if let Some(requester) = requester {
        mail.from = requester.into();
    }
    let calls = trial.world.state.lock().unwrap().calls;
    trial.world.weather(|w| (w.intake_dead, w.no_acknowledgement, w.die_after) = (false, !acknowledged, dies.then_some(calls + 1)));
    let weather = trial.world.state.lock().unwrap().weather.clone();
    trial.world.clock.advance(Duration::from_secs(1));
    trial.world.import(&mail, &weather);
    if dies {
        tokio::select! {
            () = rest(&trial.world, &engine, &store) => panic!("nothing died"),
            () = dead(&trial.world) => {}
        }
        intake.abort();
        trial.world.forget_listeners();
        trial.world.clock.advance(Duration::from_secs(60));
        let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "second life").await;
        let intake = engine.start_intake();
        rest(&trial.world, &engine, &store).await;
        intake.abort();
    } else {
        rest(&trial.world, &engine, &store).await;
        intake.abort();
    }
    let mut told = 0;
    while let Ok(event) = heard.try_recv() {
        told += usize::from(matches!(event, RunEvent::Late(_)));
    }
    (trial.world.clone(), store.run(&id).await.unwrap().unwrap(), told)
}

#[tokio::test]
async fn a_ticket_that_opens_after_the_verdict_is_closed_and_told() {
    for acknowledged in [true, false] {
        let (world, run, told) = late_request(None, acknowledged, false).await;
        is_closed_and_told(&world, run, told);
    }
}

fn is_closed_and_told(world: &World, run: Run, told: usize) {
    let state = world.state.lock().unwrap();
    assert_eq!(state.tickets.iter().map(|t| t.closed).collect::<Vec<_>>(), [true]);
    assert_eq!(state.closes, 1);
    assert!(state.inbox.is_empty(), "the acknowledgement that came with it is removed");
    assert!(told >= 1);
    let diagnosis = run.diagnosis.unwrap();
    assert_eq!((diagnosis.verdict, diagnosis.stage), (Verdict::Fail, Some(Stage::Land)), "what was late stays lost");
    assert!(diagnosis.notes.iter().any(|n| n == "ticket 1 opened after the verdict"), "{:?}", diagnosis.notes);
}

#[tokio::test]
async fn a_strangers_late_ticket_that_holds_our_words_stays_as_it_is() {
    let (world, run, _) = late_request(Some("stranger@customers.test"), true, false).await;
    let state = world.state.lock().unwrap();
    assert_eq!((state.tickets.len(), state.tickets[0].closed, state.closes), (1, false, 0));
    assert!(run.leftovers.iter().any(|l| l.what == "ticket 1" && l.why.contains("another requester")), "{:?}", run.leftovers);
}

#[tokio::test]
async fn death_while_a_late_ticket_is_closed_closes_it_once() {
    let (world, run, _) = late_request(None, false, true).await;
    let state = world.state.lock().unwrap();
    assert_eq!((state.tickets[0].closed, state.closes), (true, 1));
    assert!(run.acts.iter().any(|a| a.kind == ActKind::Close && a.state == ActState::FoundDone), "{:?}", run.acts);
    assert_eq!(run.leftovers, []);
}
