//! Each probe's standing.

use super::*;
use crate::engine::ports::ProbeStanding;

async fn standing(store: &SqliteStore, name: &str) -> ProbeStanding {
    store.standings().await.unwrap().into_iter().find(|s| s.probe == name).unwrap()
}

#[tokio::test]
async fn a_standing_follows_the_scheduled_verdicts() {
    let (store, clock) = store();
    let mut times = Vec::new();
    for (number, verdict) in [Verdict::Pass, Verdict::Fail, Verdict::Unknown, Verdict::Unknown, Verdict::Fail].into_iter().enumerate() {
        clock.advance(Duration::from_secs(60));
        times.push(clock.now());
        ended(&store, &clock, Run { started: clock.now(), ..run(&format!("r{number}"), "mail") }, verdict).await;
        let s = standing(&store, "mail").await;
        assert_eq!(s.last_pass, Some(times[0]));
        assert_eq!(s.last.unwrap().id.0, format!("r{number}"));
        let judged = [0, 1, 1, 1, 4][number];
        assert_eq!(s.last_judged.unwrap().id.0, format!("r{judged}"));
        assert_eq!(s.failures_in_a_row, [0, 1, 1, 1, 2][number]);
        assert_eq!(s.failing_since, (number > 0).then(|| times[1]));
        assert_eq!(s.unknown_since, [None, None, Some(2), Some(2), None][number].map(|i: usize| times[i]));
    }
    ended(&store, &clock, run("r9", "mail"), Verdict::Pass).await;
    let s = standing(&store, "mail").await;
    assert_eq!((s.failures_in_a_row, s.failing_since, s.last_pass), (0, None, Some(clock.now())));
}

#[tokio::test]
async fn manual_runs_make_a_probe_known_but_do_not_move_its_standing() {
    let (store, clock) = store();
    ended(&store, &clock, Run { trigger: Trigger::Manual, ..run("r1", "mail") }, Verdict::Fail).await;
    let s = standing(&store, "mail").await;
    assert!(s.last.is_none() && s.last_judged.is_none() && s.failures_in_a_row == 0);
}

#[tokio::test]
async fn a_pass_that_turns_to_fail_after_the_verdict_corrects_the_standing() {
    let (store, clock) = store();
    ended(&store, &clock, run("r1", "mail"), Verdict::Pass).await;
    let first = clock.now();
    clock.advance(Duration::from_secs(60));
    store.create_run(&run("r2", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    let mut late = claim.run;
    finish(&mut late, Verdict::Pass, clock.now());
    let epoch = store.commit(step(&late, claim.epoch, Some(clock.now()))).await.unwrap();
    assert_eq!(standing(&store, "mail").await.last_pass, Some(clock.now()));

    // Without a change of the verdict only the copy changes.
    late.notes.push("a late copy".to_owned());
    let epoch = store.commit(step(&late, epoch, Some(clock.now()))).await.unwrap();
    assert_eq!(standing(&store, "mail").await.last.unwrap().notes, ["a late copy"]);

    let at = clock.now();
    finish(&mut late, Verdict::Fail, at);
    store.commit(step(&late, epoch, None)).await.unwrap();
    let s = standing(&store, "mail").await;
    assert_eq!((s.last_pass, s.failures_in_a_row), (Some(first), 1));
    assert_eq!(s.last_judged.unwrap().diagnosis.unwrap().verdict, Verdict::Fail);
}

#[tokio::test]
async fn a_file_of_version_1_is_upgraded_and_its_standings_are_worked_out() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let old = crate::store::schema::fixture::version_1(&dir.path().join(crate::store::FILE_NAME));
    let mut number = 0;
    let mut add = |name: &str, verdict: Verdict, trigger: &str, seconds: u64| {
        number += 1;
        let mut run = run(&format!("r{number}"), name);
        finish(&mut run, verdict, crate::clock::after(start(), Duration::from_secs(seconds)));
        old.execute(
            "INSERT INTO runs (num, id, epoch, owner, probe, gateway, account, \"trigger\", phase, verdict, started, finished, marks, observations)
             VALUES (?1, ?2, 5, 'gone', ?3, 'g', 'alice', ?4, 'finished', ?5, ?6, ?7, 0, 1)",
            rusqlite::params![
                number, run.id.0, name, trigger, verdict.as_str(), run.started.as_microsecond(), run.finished.unwrap().as_microsecond()
            ],
        )
        .unwrap();
        old.execute("INSERT INTO bodies VALUES (?1, ?2)", rusqlite::params![number, old_form(&run)]).unwrap();
        let look = serde_json::to_string(&look("queue")).unwrap();
        old.execute("INSERT INTO observations VALUES (?1, 0, ?2)", rusqlite::params![number, look]).unwrap();
    };
    add("mail", Verdict::Pass, "scheduled", 10);
    add("mail", Verdict::Fail, "scheduled", 20);
    add("mail", Verdict::Fail, "manual", 25);
    add("mail", Verdict::Unknown, "scheduled", 30);
    add("mail", Verdict::Unknown, "scheduled", 40);
    add("other", Verdict::Fail, "manual", 50);
    drop(old);

    let store = open(dir.path(), "new", &clock);
    let s = standing(&store, "mail").await;
    let at = |seconds: u64| Some(crate::clock::after(start(), Duration::from_secs(seconds)));
    assert_eq!((s.last_pass, s.failures_in_a_row, s.unknown_since), (at(10), 1, at(30)));
    assert_eq!((s.last_judged.unwrap().id.0.as_str(), s.last.unwrap().id.0.as_str()), ("r2", "r5"));
    assert!(standing(&store, "other").await.last.is_none());
    assert_eq!(store.run(&RunId("r1".to_owned())).await.unwrap().unwrap().observations, [look("queue")]);
    drop(store);
    // And the second opening finds nothing left to do.
    assert_eq!(open(dir.path(), "again", &clock).standings().await.unwrap().len(), 2);
}
