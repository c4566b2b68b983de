//! Probes are stored once, beside the runs that had them.

use super::*;
use crate::engine::ports::Retention;
use crate::store::FILE_NAME;
use crate::store::schema::fixture::of_version;
use rusqlite::{Connection, params};

fn with_file(id: &str, name: &str, bytes: Vec<u8>) -> Run {
    let mut run = run(id, name);
    let Channel::Email(email) = &mut run.probe.channel else { panic!() };
    email.attachments = vec![file(bytes)];
    run
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What one step costs the disk does not depend on the probe's files.
#[tokio::test]
async fn a_step_does_not_write_the_probe_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    let run = with_file("r1", "mail", (0..=255).cycle().take(300_000).collect());
    store.create_run(&run).await.unwrap();
    let wal = || std::fs::metadata(dir.path().join(format!("{FILE_NAME}-wal"))).unwrap().len();
    let before = wal();
    let mut claimed = claim_one(&store, &clock).await;
    assert_eq!(claimed.run, run, "the file came back byte by byte");
    claimed.run.notes.push("a step".to_owned());
    store.commit(step(&claimed.run, claimed.epoch, Some(clock.now()))).await.unwrap();
    assert!(wal() - before < 200_000, "{} bytes for one step", wal() - before);
    assert_eq!(store.run(&run.id).await.unwrap().unwrap(), claimed.run);
    let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    assert!(number(&db, "SELECT length(json) FROM bodies") < 2_000);
}

#[tokio::test]
async fn runs_of_one_probe_share_its_snapshot_and_a_changed_probe_gets_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    for (id, bytes) in [("r1", vec![1]), ("r2", vec![1]), ("r3", vec![2])] {
        ended(&store, &clock, with_file(id, "mail", bytes), Verdict::Pass).await;
    }
    let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM snapshots"), 2);
    let listed = store.runs(&crate::engine::ports::RunFilter { limit: 9, ..Default::default() }).await.unwrap();
    let files = |run: &Run| {
        let Channel::Email(email) = &run.probe.channel else { panic!() };
        email.attachments[0].bytes.clone()
    };
    assert_eq!(listed.iter().map(files).collect::<Vec<_>>(), [vec![2], vec![1], vec![1]]);
}

#[tokio::test]
async fn a_snapshot_goes_with_the_last_that_needs_it_and_a_standing_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    ended(&store, &clock, with_file("r1", "mail", vec![1]), Verdict::Pass).await;
    ended(&store, &clock, with_file("r2", "mail", vec![2]), Verdict::Pass).await;
    ended(&store, &clock, with_file("r3", "mail", vec![3]), Verdict::Unknown).await;
    clock.advance(Duration::from_secs(100));
    let nothing = Retention { passed: Duration::ZERO, failed: Duration::ZERO, passed_evidence: Duration::ZERO };
    assert_eq!(store.prune(&nothing, clock.now()).await.unwrap(), 3);
    let standing = store.standings().await.unwrap().remove(0);
    let files = |run: Option<Run>| {
        let Channel::Email(email) = run.unwrap().probe.channel else { panic!() };
        email.attachments[0].bytes.clone()
    };
    assert_eq!((files(standing.last_judged), files(standing.last)), (vec![2], vec![3]));
    let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM snapshots"), 2, "that of r1 is gone");
}

#[tokio::test]
async fn a_file_of_version_2_is_upgraded_with_runs_under_way_standings_and_what_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let old = of_version(&dir.path().join(FILE_NAME), 2);
    let (mut done, waiting) = (with_file("r1", "mail", vec![7, 0, 255]), with_file("r2", "mail", vec![7, 0, 255]));
    finish(&mut done, Verdict::Pass, start());
    for (num, run, phase, verdict, due) in [(1, &done, "finished", Some("pass"), None), (2, &waiting, "active", None, Some(start()))] {
        old.execute(
            "INSERT INTO runs (num, id, epoch, owner, due, probe, gateway, account, \"trigger\", phase, verdict, started, marks, observations)
             VALUES (?1, ?2, 5, 'me', ?3, 'mail', 'g', 'alice', 'scheduled', ?4, ?5, ?6, 0, 0)",
            params![num, run.id.0, due.map(|d: Timestamp| d.as_microsecond()), phase, verdict, run.started.as_microsecond()],
        )
        .unwrap();
        old.execute("INSERT INTO bodies VALUES (?1, ?2)", params![num, old_form(run)]).unwrap();
    }
    old.execute("INSERT INTO bodies VALUES (3, 'no JSON')", []).unwrap();
    old.execute(
        "INSERT INTO standings (probe, last_judged_run, last_judged, last_run, last) VALUES ('mail', 1, ?1, 1, ?1), ('never', NULL, NULL, NULL, NULL)",
        [old_form(&done)],
    )
    .unwrap();
    drop(old);

    let store = open(dir.path(), "me", &clock);
    assert_eq!(store.run(&done.id).await.unwrap().unwrap(), done);
    assert_eq!(claim_one(&store, &clock).await.run, waiting);
    let standings = store.standings().await.unwrap();
    assert_eq!(standings.len(), 2);
    let light = Run { messages: vec![], ..done };
    assert_eq!((standings[0].last_judged.as_ref(), standings[0].last.as_ref()), (Some(&light), Some(&light)));
    let db = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM snapshots"), 1, "both runs had the same probe");
    assert_eq!(number(&db, "SELECT count(*) FROM bodies WHERE json LIKE '%\"probe\":%'"), 0);
    assert_eq!(number(&db, "SELECT count(*) FROM bodies WHERE json = 'no JSON'"), 1);
}
