//! What stays of runs.

use super::*;
use crate::engine::ports::Retention;
use crate::store::FILE_NAME;
use crate::store::schema::fixture::of_version;

const DAY: u64 = 86_400;

/// A time so many minutes after the start.
fn minute(minutes: u64) -> Timestamp {
    crate::clock::after(start(), Duration::from_secs(60 * minutes))
}

/// The run `NAME-MINUTE` of a probe ends at that minute.
async fn ends(store: &SqliteStore, clock: &ManualClock, name: &str, minutes: u64, verdict: Verdict) {
    let now = clock.now();
    clock.advance(Duration::from_micros((minute(minutes).as_microsecond() - now.as_microsecond()).unsigned_abs()));
    ended(store, clock, run(&format!("{name}-{minutes}"), name), verdict).await;
}

fn names(lines: &[Judged]) -> BTreeSet<&str> {
    lines.iter().map(|line| line.run.as_str()).collect()
}

#[tokio::test]
async fn a_scheduled_run_leaves_a_line_and_a_late_finding_changes_it() {
    let (store, clock) = store();
    ended(&store, &clock, Run { trigger: Trigger::Manual, ..run("by-hand", "mail") }, Verdict::Fail).await;
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    let mut late = claim.run;
    let all = async || store.history(Timestamp::MIN, Timestamp::MAX, 9).await.unwrap();
    assert_eq!(all().await, []);
    finish(&mut late, Verdict::Pass, clock.now());
    let epoch = store.commit(step(&late, claim.epoch, Some(clock.now()))).await.unwrap();
    assert_eq!(all().await, [Judged::of(&late).unwrap()]);
    finish(&mut late, Verdict::Fail, clock.now());
    store.commit(step(&late, epoch, None)).await.unwrap();
    assert_eq!(all().await.iter().map(|l| l.verdict).collect::<Vec<_>>(), [Verdict::Fail]);
}

#[tokio::test]
async fn troubles_come_with_their_begin_and_the_passes_around_them_and_nothing_else() {
    let (store, clock) = store();
    use Verdict::{Fail, Pass, Unknown};
    for (name, minutes, verdict) in [
        ("a", 1, Pass),
        ("b", 1, Pass),
        ("a", 2, Pass),
        ("a", 3, Fail),
        ("b", 3, Fail),
        ("b", 4, Pass),
        ("a", 5, Unknown),
        ("a", 6, Fail),
        ("c", 6, Pass),
        ("a", 7, Pass),
        ("a", 8, Pass),
        ("c", 8, Unknown),
    ] {
        ends(&store, &clock, name, minutes, verdict).await;
    }
    let since = async |minutes| store.troubles(minute(minutes), 100).await.unwrap();
    let found = since(6).await;
    assert_eq!(names(&found), BTreeSet::from(["a-2", "a-3", "a-5", "a-6", "a-7", "c-6", "c-8"]));
    assert_eq!(found.len(), 7, "none twice");
    assert_eq!(names(&since(8).await), BTreeSet::from(["c-6", "c-8"]));
    assert_eq!(names(&since(9).await), BTreeSet::from(["c-6", "c-8"]), "it lasts");
    assert_eq!(names(&since(0).await).len(), 10);
    let probes: Vec<Probe> = ["a", "b", "c"].map(probe).into();
    let all = store.history(Timestamp::MIN, Timestamp::MAX, 100).await.unwrap();
    assert_eq!(crate::incident::incidents(&probes, since(0).await), crate::incident::incidents(&probes, all));
    assert_eq!(store.troubles(minute(0), 2).await.unwrap().iter().filter(|l| l.verdict != Pass).count(), 2, "bounded");
}

#[tokio::test]
async fn a_line_outlives_its_run_and_the_newest_pass_outlives_all() {
    let (store, clock) = store();
    let days = |n: u64| n * DAY / 60;
    for (minutes, verdict) in [(1, Verdict::Pass), (2, Verdict::Pass), (days(1), Verdict::Fail)] {
        ends(&store, &clock, "a", minutes, verdict).await;
    }
    let keep = Retention { passed: Duration::from_secs(7 * DAY), failed: Duration::from_secs(90 * DAY), passed_evidence: Duration::ZERO };
    let after = async |n: u64| {
        store.prune(&keep, minute(days(n))).await.unwrap();
        let lines = store.history(Timestamp::MIN, Timestamp::MAX, 9).await.unwrap();
        (lines.iter().map(|l| l.run.0.clone()).collect::<Vec<_>>(), store.run(&RunId("a-1".to_owned())).await.unwrap().is_some())
    };
    assert_eq!(after(10).await, (vec!["a-1".to_owned(), "a-2".to_owned(), "a-1440".to_owned()], false));
    assert_eq!(after(100).await.0, ["a-2"]);
    assert_eq!(after(1_000).await.0, Vec::<String>::new(), "it goes with its probe");
}

#[tokio::test]
async fn a_file_of_version_5_is_upgraded_with_the_history_of_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let old = of_version(&dir.path().join(FILE_NAME), 5);
    for (number, trigger, verdict) in [(1, "scheduled", Some("fail")), (2, "manual", Some("pass")), (3, "scheduled", None)] {
        let mut run = run(&format!("r{number}"), "mail");
        run.trigger = if trigger == "manual" { Trigger::Manual } else { Trigger::Scheduled };
        if verdict.is_some() {
            finish(&mut run, Verdict::Fail, start());
        }
        let ended = run.finished.map(Timestamp::as_microsecond);
        old.execute(
            "INSERT INTO runs (num, id, epoch, owner, probe, gateway, account, \"trigger\", phase, verdict, started, finished, marks, observations)
             VALUES (?1, ?2, 5, 'gone', 'mail', 'g', 'alice', ?3, 'finished', ?4, 1, ?5, 0, 1)",
            rusqlite::params![number, run.id.0, trigger, verdict, ended],
        )
        .unwrap();
        old.execute("INSERT INTO bodies (run, json) VALUES (?1, ?2)", rusqlite::params![number, old_form(&run)]).unwrap();
    }
    old.execute("INSERT INTO bodies (run, json) VALUES (4, 'damaged')", []).unwrap();
    drop(old);
    let store = open(dir.path(), "me", &clock);
    let lines = store.history(Timestamp::MIN, Timestamp::MAX, 9).await.unwrap();
    assert_eq!(names(&lines), BTreeSet::from(["r1"]));
    assert_eq!(lines[0].fault.as_deref(), Some("poller-hung"));
}
