//! Controls: small runs that tell look-alikes apart, each started once, whatever dies.

use super::*;
use replypath::engine::ports::RunFilter;

/// A probe whose mail is not plain.
fn special() -> Probe {
    let mut probe = probe();
    if let Channel::Email(email) = &mut probe.channel {
        email.html = Some("<p>Hello, where is my parcel? Grüße</p><p>Reference: ${token}</p>".into());
    }
    probe
}

fn bob() -> Account {
    Account { name: "bob".into(), address: "bob@customers.test".into(), display_name: "Bob".into(), ..account() }
}

fn control<'r>(run: &'r Run, kind: &ControlKind) -> &'r Control {
    run.context.controls.iter().find(|c| c.kind == *kind).unwrap_or_else(|| panic!("no {kind:?} in {:?}", run.context.controls))
}

fn outcome(control: &Control, stage: Stage) -> Option<Outcome> {
    control.stages.get(&stage).and_then(|s| s.outcome)
}

async fn controls_in(store: &Arc<SqliteStore>) -> Vec<Run> {
    let all = RunFilter { limit: 100, controls: true, ..RunFilter::default() };
    store.runs(&all).await.unwrap().into_iter().filter(|r| r.trigger == Trigger::Control).collect()
}

async fn store_of(trial: &Trial) -> Arc<SqliteStore> {
    SqliteStore::open(trial.dir.path(), "a look", Arc::new(trial.world.clock.clone())).unwrap()
}

#[tokio::test]
async fn a_plain_control_lands_where_a_special_message_is_lost() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.only_plain_lands = true);
    let run = trial.run(&special()).await;
    assert_eq!(diagnosis(&run).1, Some(Stage::Land));
    let plain = control(&run, &ControlKind::Plain);
    assert!(plain.ended && plain.skipped.is_none(), "{plain:?}");
    assert_eq!(outcome(plain, Stage::Land), Some(Outcome::Pass), "{plain:?}");

    let store = store_of(&trial).await;
    let child = store.run(plain.run.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!((child.trigger, child.parent.as_ref(), child.phase), (Trigger::Control, Some(&run.id), Phase::Finished));
    assert!(child.context.controls.is_empty() && child.leftovers.is_empty(), "{child:?}");
    assert!(trial.world.state.lock().unwrap().tickets.iter().all(|t| t.closed), "a control cleans up after itself");
    let shown = store.runs(&RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
    assert_eq!(shown.iter().map(|r| &r.id).collect::<Vec<_>>(), [&run.id], "controls stand in no list unless asked for");
    assert!(store.standings().await.unwrap().iter().all(|s| s.probe == "support"), "and have no standing");
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_failed_and_no_plain_control_for_a_plain_message() {
    let trial = Trial::new().await;
    let run = trial.run(&special()).await;
    assert_eq!((diagnosis(&run).0, run.context.controls.len()), (Verdict::Pass, 0));
    let trial = Trial::new().await;
    trial.world.weather(|w| w.intake_dead = true);
    let run = trial.run(&probe()).await;
    assert!(!run.context.controls.iter().any(|c| c.kind == ControlKind::Plain), "{:?}", run.context.controls);
}

#[tokio::test]
async fn the_system_address_and_a_second_account_are_asked_where_nothing_landed() {
    let trial = Trial::new().await;
    trial.world.state.lock().unwrap().accounts.insert("bob".into(), bob());
    trial.world.weather(|w| w.only_lands_at = Some("desk@desk-system.test".into()));
    let mut probe = probe();
    probe.controls.account = Some("bob".into());
    if let Channel::Email(email) = &mut probe.channel {
        email.system = Some("desk@desk-system.test".into());
    }
    let run = trial.run(&probe).await;
    assert_eq!(outcome(control(&run, &ControlKind::System), Stage::Land), Some(Outcome::Pass));
    assert_eq!(outcome(control(&run, &ControlKind::Account), Stage::Land), Some(Outcome::Fail));

    let trial = Trial::new().await;
    trial.world.state.lock().unwrap().accounts.insert("bob".into(), bob());
    trial.world.weather(|w| w.only_lands_from = Some("bob@customers.test".into()));
    let run = trial.run(&probe).await;
    assert_eq!(outcome(control(&run, &ControlKind::Account), Stage::Land), Some(Outcome::Pass));
    assert_eq!(outcome(control(&run, &ControlKind::System), Stage::Land), Some(Outcome::Fail));
}

#[tokio::test]
async fn a_loop_shows_what_our_own_provider_writes_into_our_mail() {
    for line in [None, Some("Precedence: bulk")] {
        let trial = Trial::new().await;
        trial.world.weather(|w| (w.intake_dead, w.provider_adds) = (true, line.map(str::to_owned)));
        let run = trial.run(&probe()).await;
        let found = control(&run, &ControlKind::Loop);
        assert_eq!(outcome(found, Stage::Return), Some(Outcome::Pass), "{found:?}");
        let expected: &[&str] = if line.is_some() { &["header Precedence"] } else { &[] };
        assert_eq!(found.marks, expected);
    }
}

#[tokio::test]
async fn a_ticket_made_without_mail_shows_whether_anything_leaves_the_desk() {
    for (no_answer_mail, expected) in [(true, Outcome::Fail), (false, Outcome::Pass)] {
        let trial = Trial::new().await;
        trial.world.weather(|w| (w.intake_dead, w.no_answer_mail) = (true, no_answer_mail));
        let run = trial.run(&probe()).await;
        let outbound = control(&run, &ControlKind::Outbound);
        assert_eq!(outcome(outbound, Stage::Land), Some(Outcome::Pass), "{outbound:?}");
        assert_eq!(outcome(outbound, Stage::Return), Some(expected), "{outbound:?}");
        assert_eq!(trial.world.state.lock().unwrap().posted, 1, "the control's answer");
    }
}

#[tokio::test]
async fn a_visit_comes_last_and_shows_that_mail_is_fetched_only_then() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.fetches_on_visits = true);
    let run = trial.run(&special()).await;
    let visit = control(&run, &ControlKind::Visit);
    assert_eq!(outcome(visit, Stage::Land), Some(Outcome::Pass), "{visit:?}");
    assert_eq!(outcome(control(&run, &ControlKind::Plain), Stage::Land), Some(Outcome::Fail), "it was over before the visit");
    assert_eq!(trial.world.state.lock().unwrap().visits, 1);

    let trial = Trial::new().await;
    trial.world.weather(|w| w.intake_dead = true);
    let run = trial.run(&probe()).await;
    assert_eq!(outcome(control(&run, &ControlKind::Visit), Stage::Land), Some(Outcome::Fail));
}

#[tokio::test]
async fn a_control_without_budget_is_skipped_with_its_reason_and_nobody_waits() {
    let trial = Trial::new().await;
    let hourly = Budget(vec![Rate { count: 1, per: Duration::from_secs(3600) }]);
    trial.world.state.lock().unwrap().budgets.accounts.insert("alice".into(), hourly);
    trial.world.weather(|w| w.only_plain_lands = true);
    let run = trial.run(&special()).await;
    let plain = control(&run, &ControlKind::Plain);
    assert!(plain.ended && plain.skipped.as_ref().is_some_and(|why| why.contains("account alice")), "{plain:?}");
    assert_eq!(trial.world.state.lock().unwrap().submitted.len(), 1);
    let took = run.finished.unwrap().duration_since(run.started);
    assert!(took < jiff::SignedDuration::from_mins(30), "{took:?}");
}

#[tokio::test]
async fn runs_that_fail_together_share_one_control() {
    let trial = Trial::new().await;
    trial.world.weather(|w| w.only_plain_lands = true);
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "one").await;
    let intake = engine.start_intake();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(engine.start_run(&special(), &account(), Trigger::Scheduled, None).await.unwrap());
    }
    let mut asked = BTreeSet::new();
    for id in &ids {
        let run = finish(&trial.world, &engine, &store, id).await;
        let plain = control(&run, &ControlKind::Plain);
        assert_eq!(outcome(plain, Stage::Land), Some(Outcome::Pass), "{plain:?}");
        asked.insert(plain.run.clone().unwrap());
    }
    intake.abort();
    assert_eq!(asked.len(), 1);
    let plain = controls_in(&store).await.into_iter().filter(|r| r.probe.name.starts_with("control plain")).count();
    assert_eq!(plain, 1);
}

/// The process dies after a control's intent was stored: before the control was, or after. The next one starts it once.
#[tokio::test]
async fn a_crash_between_a_controls_intent_and_its_start_starts_it_once() {
    for started in [false, true] {
        let trial = Trial::new().await;
        trial.world.weather(|w| w.only_plain_lands = true);
        let id = die_while_asking(&trial, started).await;
        let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "second life").await;
        let intake = engine.start_intake();
        let run = finish(&trial.world, &engine, &store, &id).await;
        intake.abort();
        let plain = control(&run, &ControlKind::Plain);
        assert_eq!(outcome(plain, Stage::Land), Some(Outcome::Pass), "{plain:?}");
        let state = &run.acts.iter().find(|a| a.kind == ActKind::Control && a.target == "plain").unwrap().state;
        assert_eq!(*state, if started { ActState::FoundDone } else { ActState::Done });
        let plains: Vec<Run> = controls_in(&store).await.into_iter().filter(|r| r.probe.name.starts_with("control plain")).collect();
        assert_eq!(plains.iter().map(|r| Some(&r.id)).collect::<Vec<_>>(), [plain.run.as_ref()], "started: {started}");
        let to_desk = trial.world.state.lock().unwrap().submitted.iter().filter(|m| m.to == ["support@desk.test"]).count();
        assert_eq!(to_desk, 2, "the request and one control");
    }
}

/// Brings a run to the intent of its plain control and leaves it there, as a killed process does.
async fn die_while_asking(trial: &Trial, started: bool) -> RunId {
    let mut probe = special();
    probe.desk = Some("desk".into());
    let (engine, store, _heard) = trial.world.engine(trial.dir.path(), "first life").await;
    let intake = engine.start_intake();
    let id = engine.start_run(&probe, &account(), Trigger::Manual, None).await.unwrap();
    loop {
        store.heartbeat(Duration::from_secs(15)).await.unwrap();
        if engine.tick().await.unwrap() > 0 && !store.run(&id).await.unwrap().unwrap().context.controls.is_empty() {
            break;
        }
        let due = store.next_due().await.unwrap().unwrap();
        let wait = due.as_microsecond() - trial.world.clock.now().as_microsecond();
        trial.world.clock.advance(Duration::from_micros(u64::try_from(wait).unwrap_or(0).max(1)));
    }
    intake.abort();
    // Back to what the disk held when the intent was stored.
    let mut claimed = store.claim(&id).await.unwrap().unwrap();
    let asked = claimed.run.context.controls.iter().find(|c| c.kind == ControlKind::Plain).unwrap().clone();
    claimed.run.context.controls = vec![asked.clone()];
    claimed.run.acts.retain(|a| a.kind != ActKind::Control || a.target == "plain");
    for act in claimed.run.acts.iter_mut().filter(|a| a.kind == ActKind::Control) {
        (act.state, act.result) = (ActState::Intent, None);
    }
    let step = replypath::engine::ports::Step {
        run: &claimed.run,
        epoch: claimed.epoch,
        due: Some(trial.world.clock.now()),
        hold: true,
        taken: &[],
        observations_kept: claimed.run.observations.len(),
        durable: true,
    };
    store.commit(step).await.unwrap();
    let file = trial.dir.path().join(replypath::store::FILE_NAME);
    let database = rusqlite::Connection::open(file).unwrap();
    let unwanted = if started { "AND probe NOT LIKE 'control plain%'" } else { "" };
    database.execute(&format!("DELETE FROM runs WHERE \"trigger\" = 'control' {unwanted}"), []).unwrap();
    for table in ["bodies", "observations", "tokens", "message_ids", "deliveries"] {
        database.execute(&format!("DELETE FROM {table} WHERE run NOT IN (SELECT num FROM runs)"), []).unwrap();
    }
    trial.world.forget_listeners();
    trial.world.clock.advance(Duration::from_secs(60));
    id
}
