//! Two instances on one file: a command line beside a daemon, and a daemon after a crash.

use super::*;
use crate::engine::ports::{BudgetAnswer, StoreError};

const LEASE: Duration = Duration::from_secs(60);

struct Pair {
    _dir: tempfile::TempDir,
    clock: ManualClock,
    one: Arc<SqliteStore>,
    two: Arc<SqliteStore>,
}

async fn pair() -> Pair {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let (one, two) = (open(dir.path(), "one", &clock), open(dir.path(), "two", &clock));
    one.heartbeat(LEASE).await.unwrap();
    two.heartbeat(LEASE).await.unwrap();
    Pair { _dir: dir, clock, one, two }
}

#[tokio::test]
async fn a_living_instance_keeps_its_runs() {
    let p = pair().await;
    p.one.create_run(&run("r1", "mail")).await.unwrap();
    assert!(p.two.claim_due(p.clock.now(), 10, true).await.unwrap().is_empty());
    assert_eq!(p.two.next_due().await.unwrap(), None);
    assert_eq!(claim_all(&p.one, &p.clock).await.len(), 1);
    assert!(p.two.claim(&RunId("r1".to_owned())).await.unwrap().is_none());
}

#[tokio::test]
async fn the_runs_of_a_dead_instance_are_taken_over_only_by_who_adopts_and_its_late_steps_conflict() {
    let p = pair().await;
    p.one.create_run(&run("r1", "mail")).await.unwrap();
    p.one.create_run(&run("r2", "mail")).await.unwrap();
    let held = p.one.claim_due(p.clock.now(), 1, false).await.unwrap().remove(0);
    let waiting = claim_one(&p.one, &p.clock).await;
    let due = crate::clock::after(start(), 3 * LEASE);
    p.one.commit(step(&waiting.run, waiting.epoch, Some(due))).await.unwrap();

    p.clock.advance(LEASE);
    p.two.heartbeat(LEASE).await.unwrap();
    assert!(p.two.claim_due(p.clock.now(), 10, false).await.unwrap().is_empty());
    let taken = p.two.claim_due(p.clock.now(), 10, true).await.unwrap();
    assert_eq!(taken.len(), 1, "only what was in hand is due at once");
    assert_eq!(taken[0].run.id, held.run.id);
    assert!(taken[0].taken_over);
    assert!(matches!(p.one.commit(step(&held.run, held.epoch, None)).await.unwrap_err(), StoreError::Conflict(_)));

    assert_eq!(p.two.next_due().await.unwrap(), Some(due), "the waiting run is adopted with its time");
    p.clock.advance(2 * LEASE);
    p.two.heartbeat(LEASE).await.unwrap();
    let later = claim_one(&p.two, &p.clock).await;
    assert!(later.taken_over);
    p.two.commit(step(&later.run, later.epoch, Some(p.clock.now()))).await.unwrap();
    assert!(!claim_one(&p.two, &p.clock).await.taken_over, "only the first time");
}

#[tokio::test]
async fn who_signs_off_leaves_everything_to_the_others_at_once() {
    let p = pair().await;
    p.one.create_run(&run("r1", "mail")).await.unwrap();
    let held = claim_one(&p.one, &p.clock).await;
    p.one.sign_off().await.unwrap();
    let taken = p.two.claim_due(p.clock.now(), 10, true).await.unwrap();
    assert!(taken.len() == 1 && taken[0].taken_over);
    assert!(matches!(p.one.commit(step(&held.run, held.epoch, None)).await.unwrap_err(), StoreError::Conflict(_)));
}

#[tokio::test]
async fn a_command_may_claim_a_waiting_run_of_another_instance_but_none_in_hand() {
    let p = pair().await;
    p.one.create_run(&run("r1", "mail")).await.unwrap();
    let claim = p.two.claim(&RunId("r1".to_owned())).await.unwrap().unwrap();
    assert!(claim.taken_over);
    assert!(p.one.claim(&RunId("r1".to_owned())).await.unwrap().is_none());
    assert!(claim_all(&p.one, &p.clock).await.is_empty());
    p.clock.advance(LEASE);
    p.one.heartbeat(LEASE).await.unwrap();
    assert!(p.one.claim(&RunId("r1".to_owned())).await.unwrap().unwrap().taken_over, "its holder is dead");
    assert!(p.one.claim(&RunId("r9".to_owned())).await.unwrap().is_none());
}

#[tokio::test]
async fn an_instance_of_the_same_name_knows_that_its_earlier_life_had_the_run_in_hand() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let first = open(dir.path(), "same", &clock);
    first.create_run(&run("r1", "mail")).await.unwrap();
    first.create_run(&run("r2", "mail")).await.unwrap();
    let held = first.claim_due(clock.now(), 1, false).await.unwrap().remove(0);
    drop(first);
    let second = open(dir.path(), "same", &clock);
    for claim in claim_all(&second, &clock).await {
        assert_eq!(claim.taken_over, claim.run.id == held.run.id, "{}", claim.run.id);
    }
}

#[tokio::test]
async fn two_instances_at_work_side_by_side_claim_each_run_once() {
    let p = pair().await;
    for number in 0..60 {
        let owner = if number % 2 == 0 { &p.one } else { &p.two };
        owner.create_run(&run(&format!("r{number}"), "mail")).await.unwrap();
    }
    // A third one made runs and died.
    let dir = p._dir.path();
    let dead = open(dir, "dead", &p.clock);
    dead.heartbeat(Duration::ZERO).await.unwrap();
    for number in 60..90 {
        dead.create_run(&run(&format!("r{number}"), "mail")).await.unwrap();
    }
    dead.sign_off().await.unwrap();

    let work = |store: Arc<SqliteStore>, clock: ManualClock| async move {
        let mut seen = Vec::new();
        loop {
            let claims = store.claim_due(clock.now(), 3, true).await.unwrap();
            if claims.is_empty() {
                return seen;
            }
            for claim in claims {
                store.commit(step(&claim.run, claim.epoch, None)).await.unwrap();
                seen.push(claim.run.id.0);
            }
        }
    };
    let (a, b) =
        tokio::join!(tokio::spawn(work(Arc::clone(&p.one), p.clock.clone())), tokio::spawn(work(Arc::clone(&p.two), p.clock.clone())));
    let mut all = [a.unwrap(), b.unwrap()].concat();
    assert_eq!(all.len(), 90);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 90);
}

#[tokio::test]
async fn budgets_are_shared() {
    let p = pair().await;
    let budget = Budget(vec![Rate { count: 5, per: LEASE }]);
    let mut taken = 0;
    for number in 0..10 {
        let store = if number % 2 == 0 { &p.one } else { &p.two };
        if store.budget_take("account alice", &budget, p.clock.now()).await.unwrap() == BudgetAnswer::Taken {
            taken += 1;
        }
    }
    assert_eq!(taken, 5);
}

#[tokio::test]
async fn two_programs_may_make_the_file_at_the_same_moment() {
    let dir = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let dir = dir.path().to_owned();
            std::thread::spawn(move || SqliteStore::open(&dir, &format!("i{number}"), Arc::new(clock())).map(|_| ()))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_run_by_hand_of_another_instance_is_told_as_dead_once_nobody_speaks_for_it() {
    let p = pair().await;
    let mut by_hand = run("r1", "mail");
    by_hand.trigger = crate::model::Trigger::Manual;
    p.one.create_run(&by_hand).await.unwrap();
    p.one.create_run(&run("r2", "mail")).await.unwrap();
    let id = RunId("r1".to_owned());
    assert_eq!(p.one.others_by_hand().await.unwrap(), []);
    assert_eq!(p.two.others_by_hand().await.unwrap(), [(id.clone(), false)]);
    p.clock.advance(LEASE);
    assert_eq!(p.two.others_by_hand().await.unwrap(), [(id.clone(), true)]);
    p.one.heartbeat(LEASE).await.unwrap();
    assert_eq!(p.two.others_by_hand().await.unwrap(), [(id.clone(), false)]);
    p.one.sign_off().await.unwrap();
    assert_eq!(p.two.others_by_hand().await.unwrap(), [(id, true)], "who signs off leaves its runs to others at once");
}
