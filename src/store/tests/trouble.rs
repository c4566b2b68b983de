//! When the file cannot be used: the error names it and says what to do, and nothing is half stored.

use super::*;
use crate::store::FILE_NAME;
use std::path::Path;

fn refused(dir: &Path) -> String {
    match SqliteStore::open_waiting(dir, "me", Arc::new(clock()), Duration::from_millis(20)) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

fn assert_tells(error: &str, dir: &Path, words: &[&str]) {
    let file = dir.join(FILE_NAME).display().to_string();
    for word in words.iter().chain([&file.as_str()]) {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
}

#[tokio::test]
async fn a_locked_file_is_named_and_the_step_has_not_happened() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_waiting(dir.path(), "me", Arc::new(clock()), Duration::from_millis(20)).unwrap();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let other = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.create_run(&run("r2", "mail")).await.unwrap_err().to_string();
    assert_tells(&error, dir.path(), &["locked", "fuser"]);
    assert!(store.run(&RunId("r1".to_owned())).await.unwrap().is_some(), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.run(&RunId("r2".to_owned())).await.unwrap().is_none());
    store.create_run(&run("r2", "mail")).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_and_the_run_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    // SQLite gives the same error as for a full disk when the file may not grow any further.
    store
        .write(|c| {
            Ok(c.query_row("SELECT page_count FROM pragma_page_count", [], |r| r.get::<_, i64>(0))
                .and_then(|n| c.pragma_update_and_check(None, "max_page_count", n, |_| Ok(())))?)
        })
        .await
        .unwrap();
    let mut big = claim.run.clone();
    big.notes = vec!["x".repeat(200_000)];
    let error = store.commit(step(&big, claim.epoch, None)).await.unwrap_err().to_string();
    assert_tells(&error, dir.path(), &["full", "df -h"]);
    assert_eq!(store.run(&claim.run.id).await.unwrap().unwrap(), claim.run);
    store.commit(step(&claim.run, claim.epoch, None)).await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_takes_no_neighbour_of_its_transaction_with_it() {
    let (store, clock) = store();
    store.create_run(&run("r1", "mail")).await.unwrap();
    let claim = claim_one(&store, &clock).await;
    // Queued behind a job that waits, all four share one transaction.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let blocked = store.write(move |_| {
        let _ = wait.recv();
        Ok(())
    });
    let (r2, r3) = (run("r2", "mail"), run("r3", "mail"));
    let conflict = store.commit(step(&claim.run, claim.epoch + 9, None));
    let release = async { drop(go) };
    let (blocked, two, conflict, three, ()) = tokio::join!(blocked, store.create_run(&r2), conflict, store.create_run(&r3), release);
    blocked.unwrap();
    two.unwrap();
    three.unwrap();
    assert!(matches!(conflict.unwrap_err(), crate::engine::ports::StoreError::Conflict(_)));
    for id in ["r1", "r2", "r3"] {
        assert!(store.run(&RunId(id.to_owned())).await.unwrap().is_some(), "{id}");
    }
}

#[tokio::test]
async fn a_transaction_that_sqlite_gives_up_is_a_failure_for_all_who_shared_it_and_for_nobody_after() {
    let (store, _) = store();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let blocked = store.write(move |_| {
        let _ = wait.recv();
        Ok(())
    });
    let (r1, r2, r3) = (run("r1", "mail"), run("r2", "mail"), run("r3", "mail"));
    // What SQLite does by itself after an I/O error.
    let gives_up = store.write(|c| Ok(c.execute_batch("ROLLBACK; SELECT * FROM nowhere")?));
    // The first job runs alone; the others have queued up behind it and share the next transaction.
    let release = async { drop(go) };
    let (_, one, gives_up, two, (), three) =
        tokio::join!(blocked, store.create_run(&r1), gives_up, store.create_run(&r2), release, store.create_run(&r3));
    assert!(gives_up.is_err());
    let error = one.unwrap_err().to_string();
    assert!(error.contains("nothing was stored"), "{error}");
    two.unwrap();
    three.unwrap();
    for (id, there) in [("r1", false), ("r2", true), ("r3", true)] {
        assert_eq!(store.run(&RunId(id.to_owned())).await.unwrap().is_some(), there, "{id}");
    }
}

#[test]
fn a_file_that_is_no_database_is_called_damaged_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let junk = "not a database ".repeat(500);
    std::fs::write(dir.path().join(FILE_NAME), &junk).unwrap();
    assert_tells(&refused(dir.path()), dir.path(), &["damaged", "backup", ".recover"]);
    assert_eq!(std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap(), junk);
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_not_an_empty_answer() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let store = open(dir.path(), "me", &clock);
    store.create_run(&run("r1", "mail")).await.unwrap();
    store.write(|c| Ok(c.query_row("SELECT 1", [], |_| Ok(()))?)).await.unwrap();
    drop(store);
    let file = dir.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let error = match SqliteStore::open(dir.path(), "two", Arc::new(clock.clone())) {
        Err(error) => error,
        Ok(store) => store.run(&RunId("r1".to_owned())).await.unwrap_err(),
    };
    assert_tells(&error.to_string(), dir.path(), &["damaged", "backup"]);
}

#[test]
fn a_file_of_a_newer_version_is_refused_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version=99; CREATE TABLE future (x)").unwrap();
    let before = std::fs::read(&file).unwrap();
    assert_tells(&refused(dir.path()), dir.path(), &["newer replypath", "version 99", "backup"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn an_upgrade_that_fails_leaves_the_old_version() {
    let dir = tempfile::tempdir().unwrap();
    let old = crate::store::schema::fixture::version_1(&dir.path().join(FILE_NAME));
    // Something that the second version wants to make is there already.
    old.execute_batch("CREATE TABLE standings (mine TEXT)").unwrap();
    let error = refused(dir.path());
    assert!(error.contains("upgrade from store version 1 to 2") && error.contains("unchanged"), "{error}");
    let version: i64 = old.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only_and_a_folder_that_cannot_be_made_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    drop(open(&state, "me", &clock()));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join(FILE_NAME))), (0o700, 0o600));
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = refused(&dir.path().join("file/state"));
    assert!(error.contains("file/state") && error.contains("daemon.state"), "{error}");
}
