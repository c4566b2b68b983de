//! What is removed and what is kept.

use super::*;
use crate::engine::ports::{Retention, RunFilter};

const DAY: Duration = Duration::from_secs(86_400);

fn retention() -> Retention {
    Retention { passed: 7 * DAY, failed: 30 * DAY, passed_evidence: DAY }
}

async fn left(store: &SqliteStore) -> String {
    let runs = store.runs(&RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
    let mut ids: Vec<String> = runs.into_iter().map(|r| r.id.0).collect();
    ids.sort();
    ids.join(" ")
}

#[tokio::test]
async fn passes_go_before_failures_and_runs_under_way_never() {
    let (store, clock) = store();
    for (id, verdict) in [("r1", Verdict::Pass), ("r2", Verdict::Fail), ("r3", Verdict::Unknown)] {
        ended(&store, &clock, run(id, "mail"), verdict).await;
    }
    store.create_run(&run("r4", "mail")).await.unwrap();
    store.create_run(&run("r5", "mail")).await.unwrap();
    let watched = store.claim(&RunId("r5".to_owned())).await.unwrap().unwrap();
    let mut finished = watched.run;
    finish(&mut finished, Verdict::Pass, clock.now());
    store.commit(step(&finished, watched.epoch, Some(clock.now()))).await.unwrap();

    clock.advance(7 * DAY);
    assert_eq!(store.prune(&retention(), clock.now()).await.unwrap(), 0, "exactly as old as allowed");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.prune(&retention(), clock.now()).await.unwrap(), 1);
    assert_eq!(left(&store).await, "r2 r3 r4 r5");
    assert_eq!(store.deliver("alice", &[Token("rpr1".to_owned())], &[], &mail(1)).await.unwrap(), None, "its token went with it");
    clock.advance(30 * DAY);
    assert_eq!(store.prune(&retention(), clock.now()).await.unwrap(), 2);
    assert_eq!(left(&store).await, "r4 r5");
    assert_eq!(store.standings().await.unwrap()[0].last.as_ref().unwrap().id.0, "r5");
    assert!(store.has_unfinished("mail").await.unwrap());
}

#[tokio::test]
async fn more_runs_than_one_portion_all_go_and_a_standing_outlives_them() {
    let (store, clock) = store();
    for number in 0..crate::store::prune::PORTION + 7 {
        ended(&store, &clock, run(&format!("r{number}"), "mail"), Verdict::Pass).await;
    }
    clock.advance(8 * DAY);
    assert_eq!(store.prune(&retention(), clock.now()).await.unwrap(), 107);
    assert_eq!(left(&store).await, "");
    assert_eq!(store.standings().await.unwrap().len(), 1);
    clock.advance(400 * DAY);
    store.prune(&retention(), clock.now()).await.unwrap();
    assert!(store.standings().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_texts_of_a_passed_run_go_first_and_the_rest_of_its_evidence_stays() {
    let (store, clock) = store();
    let mut before = Vec::new();
    for (id, verdict) in [("r1", Verdict::Pass), ("r2", Verdict::Fail)] {
        let mut run = run(id, "mail");
        run.mails = vec![SeenMail { role: MailRole::Answer, seen: start(), mail: mail(1).mail }];
        run.observations = vec![look("a").raw("the customer's words"), look("b")];
        before.push(ended(&store, &clock, run, verdict).await);
    }
    clock.advance(2 * DAY);
    assert_eq!(store.prune(&retention(), clock.now()).await.unwrap(), 0);
    let passed = store.run(&before[0].id).await.unwrap().unwrap();
    assert_eq!(passed.observations, [look("a"), look("b")]);
    assert_eq!((passed.mails[0].mail.text.as_str(), passed.mails[0].mail.headers.len()), ("", 0));
    assert_eq!(passed.mails[0].mail.key, before[0].mails[0].mail.key);
    assert_eq!(passed.diagnosis, before[0].diagnosis);
    assert_eq!(store.run(&before[1].id).await.unwrap().unwrap(), before[1], "a failure keeps everything");
}
