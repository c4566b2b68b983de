//! Time as people keep it: what an acknowledgement promises, and business hours.

use super::*;
use replypath::model::{Calendar, ReplyMode};

/// A run whose answer a person writes so long after its begin.
async fn answered_after(trial: &Trial, probe: &Probe, wait: Duration) -> Run {
    let world = &trial.world;
    let (engine, store, _heard) = world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let begin = world.clock.now();
    let id = engine.start_run(probe, &account(), Trigger::Manual, None).await.unwrap();
    let mut answered = false;
    let mut run = None;
    for _ in 0..20_000 {
        store.heartbeat(Duration::from_secs(15)).await.unwrap();
        if engine.tick().await.unwrap() > 0 {
            continue;
        }
        let now = world.clock.now();
        let left = replypath::clock::after(begin, wait).duration_since(now);
        if !answered && left.is_zero() {
            answered = true;
            person_answers(world);
            continue;
        }
        let stored = store.run(&id).await.unwrap().unwrap();
        if stored.phase == Phase::Finished {
            run = Some(stored);
            break;
        }
        let due = store.next_due().await.unwrap().unwrap_or(now).duration_since(now);
        let step = if answered { due } else { due.min(left) };
        world.clock.advance(Duration::try_from(step).unwrap_or_default().max(Duration::from_micros(1)));
    }
    intake.abort();
    run.expect("a verdict")
}

/// A person writes into the ticket and the desk mails it.
fn person_answers(world: &Arc<World>) {
    let ticket = {
        let mut state = world.state.lock().unwrap();
        let ticket = state.tickets.first_mut().expect("the request landed");
        let mut message = ticket.messages[0].clone();
        (message.id, message.author, message.text) = ("answer".into(), Some(Author::Agent), "Your parcel comes tomorrow. Bob".into());
        ticket.messages.push(message);
        ticket.clone()
    };
    let raw = world.desk_mail(&ticket, "Your parcel comes tomorrow. Bob", false);
    world.deliver(&raw);
}

fn awaits(limit: Duration) -> Probe {
    let mut probe = probe();
    probe.reply.mode = ReplyMode::Await;
    for stage in [Stage::Reply, Stage::Return] {
        probe.set_limit(stage, limit);
    }
    probe.stages.remove(&Stage::FollowUp);
    probe
}

const HOUR: Duration = Duration::from_secs(3_600);

fn promise_check(run: &Run) -> Option<Outcome> {
    run.stages[&Stage::Return].checks.iter().find(|c| c.check == "promise").map(|c| c.outcome)
}

#[tokio::test]
async fn a_promise_is_kept_or_broken() {
    for (promise, wait, kept) in [
        ("We answer within 4 hours.", HOUR * 3, Some(Outcome::Pass)),
        ("We answer within 2 hours.", HOUR * 3, Some(Outcome::Fail)),
        ("Have a nice day.", HOUR * 3, None),
        ("We answer within one working day.", HOUR * 3, None),
    ] {
        let trial = Trial::new().await;
        trial.world.weather(|w| w.promise = promise.into());
        let run = answered_after(&trial, &awaits(HOUR * 8), wait).await;
        assert_eq!(promise_check(&run), kept, "{promise}: {:#?}", run.stages);
        let expected = if kept == Some(Outcome::Fail) {
            (Verdict::Fail, Some(Stage::Return), vec!["promise-broken"])
        } else {
            (Verdict::Pass, None, vec![])
        };
        assert_eq!(diagnosis(&run), expected, "{promise}: {:#?}", run.diagnosis);
        let uncounted = run.diagnosis.as_ref().unwrap().notes.iter().any(|n| n.contains("needs a `calendar`"));
        assert_eq!(uncounted, promise.contains("working day"));
    }
}

#[tokio::test]
async fn a_persons_limit_counts_business_hours_where_the_probe_has_a_calendar() {
    for open_later in [true, false] {
        let trial = Trial::new().await;
        let begin = trial.world.clock.now().to_zoned(jiff::tz::TimeZone::UTC);
        // The desk opens three hours after the run began.
        let opens = u16::try_from(i64::from(begin.hour()) * 60 + i64::from(begin.minute()) + 180).unwrap();
        assert!(opens < 1_200, "the world begins early in the day");
        let hours = std::array::from_fn(|_| vec![(opens, 1_440)]);
        let mut probe = awaits(HOUR);
        let calendar = Calendar { name: "office".into(), zone: "UTC".into(), hours, holidays: Default::default() };
        probe.calendar = open_later.then_some(calendar);
        let run = answered_after(&trial, &probe, HOUR * 7 / 2).await;
        if open_later {
            assert_eq!(diagnosis(&run), (Verdict::Pass, None, vec![]), "{:#?}", run.stages);
        } else {
            assert_eq!((diagnosis(&run).0, diagnosis(&run).1), (Verdict::Fail, Some(Stage::Reply)), "{:#?}", run.stages);
        }
    }
}
