//! Opening the database: pragmas, the tables, and the steps that bring an older file to this version.

use super::failure::{Fail, explain};
use super::rows::{Snapshot, count};
use super::{history, runs, standing};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::path::Path;
use std::time::Duration;

/// One step of the schema: what turns version `n` into `n + 1`.
type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// Never changed once released; only appended to.
const MIGRATIONS: &[Migration] = &[first, with_standings, with_snapshots, with_kept, with_woken, with_history];

/// The version that this program writes (`PRAGMA user_version`).
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Times are UTC microseconds. `owner` is the instance that a run belongs to; `lease_until` is set while the run
/// is in hand; `due` is null once a run is finished and no longer watched; `orphan` marks runs whose holder was lost.
/// `location` is for stores that serve several sites.
const FIRST: &str = r#"
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE instances (id TEXT PRIMARY KEY, lease_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    num INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until INTEGER,
    orphan INTEGER NOT NULL DEFAULT 0,
    location TEXT NOT NULL DEFAULT '',
    due INTEGER,
    probe TEXT NOT NULL,
    desk TEXT,
    gateway TEXT NOT NULL,
    account TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    phase TEXT NOT NULL,
    verdict TEXT,
    stage TEXT,
    fault TEXT,
    started INTEGER NOT NULL,
    finished INTEGER,
    position_at INTEGER,
    position_uidvalidity INTEGER,
    position_uid_next INTEGER,
    marks INTEGER NOT NULL,
    observations INTEGER NOT NULL,
    texts INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX runs_due ON runs (owner, lease_until, due) WHERE due IS NOT NULL;
CREATE INDEX runs_watch ON runs (owner, account, position_at) WHERE due IS NOT NULL AND position_at IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (probe) WHERE phase <> 'finished';
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_probe ON runs (probe, started);
CREATE INDEX runs_bad ON runs (started) WHERE verdict <> 'pass';
CREATE INDEX runs_old ON runs (verdict, finished) WHERE finished IS NOT NULL;
CREATE INDEX runs_texts ON runs (finished) WHERE verdict = 'pass' AND texts = 1;

CREATE TABLE bodies (run INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
CREATE TABLE observations (run INTEGER NOT NULL, idx INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (run, idx)) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (token TEXT PRIMARY KEY, run INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_run ON tokens (run);
CREATE TABLE message_ids (id TEXT PRIMARY KEY, run INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX message_ids_run ON message_ids (run);

CREATE TABLE deliveries (
    num INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    json TEXT,
    UNIQUE (account, folder, uidvalidity, uid)
) STRICT;
CREATE INDEX deliveries_run ON deliveries (run);

CREATE TABLE budgets (key TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX budgets_key ON budgets (key, at);
CREATE TABLE paused (probe TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE starts (probe TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE skips (probe TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE INDEX skips_at ON skips (at);
"#;

fn first(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(FIRST)
}

/// Version 2: the standing of each probe in a table of its own, filled from the runs that are there.
fn with_standings(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE standings (
            probe TEXT PRIMARY KEY,
            last_judged_run INTEGER,
            last_judged TEXT,
            last_run INTEGER,
            last TEXT,
            last_finished INTEGER,
            last_pass INTEGER,
            failures INTEGER NOT NULL DEFAULT 0,
            unknown_since INTEGER
        ) STRICT;
        CREATE INDEX runs_judged ON runs (probe, finished) WHERE \"trigger\" = 'scheduled' AND verdict IS NOT NULL;",
    )?;
    let mut probes = connection.prepare("SELECT DISTINCT probe FROM runs")?;
    let names: Vec<String> = probes.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for probe in names {
        standing::recount(connection, &probe)?;
    }
    Ok(())
}

/// Version 4: small secrets by name, encrypted.
fn with_kept(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;")
}

/// Version 5: a run that is woken while it is in hand comes again at once when it is given back.
fn with_woken(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("ALTER TABLE runs ADD COLUMN woken INTEGER NOT NULL DEFAULT 0;")
}

/// Version 6: what stays of a run when the run has gone.
fn with_history(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(history::TABLE)?;
    history::fill(connection)
}

/// Version 3: a run's probe, which never changes, in a table of its own and once for all runs that had the same;
/// the run's JSON, which is written at every step, without it.
fn with_snapshots(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE snapshots (num INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, json TEXT NOT NULL) STRICT;
        ALTER TABLE runs ADD COLUMN snapshot INTEGER;
        CREATE INDEX runs_snapshot ON runs (snapshot);
        ALTER TABLE standings ADD COLUMN last_snapshot INTEGER;
        ALTER TABLE standings ADD COLUMN last_judged_snapshot INTEGER;",
    )?;
    part(connection, "runs", "num", "snapshot", ("bodies", "run", "json"))?;
    part(connection, "standings", "rowid", "last_snapshot", ("standings", "rowid", "last"))?;
    part(connection, "standings", "rowid", "last_judged_snapshot", ("standings", "rowid", "last_judged"))
}

/// Takes the probe out of the run in the column `text` of each row, one at a time: a file may hold more than fits into memory.
/// What is no JSON stays as it is.
fn part(connection: &Connection, table: &str, key: &str, column: &str, (texts, of, text): (&str, &str, &str)) -> rusqlite::Result<()> {
    let found = format!(
        "SELECT {of}, {text} -> '$.probe' FROM {texts}
         WHERE {of} > ?1 AND CASE WHEN json_valid({text}) THEN {text} -> '$.probe' END IS NOT NULL ORDER BY {of} LIMIT 1"
    );
    let mut next = connection.prepare(&found)?;
    let mut shorten = connection.prepare(&format!("UPDATE {texts} SET {text} = json_remove({text}, '$.probe') WHERE {of} = ?1"))?;
    let mut tie = connection.prepare(&format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1"))?;
    let mut last = i64::MIN;
    while let Some((row, probe)) = next.query_row([last], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?))).optional()? {
        let snapshot = runs::snapshot(connection, &Snapshot::of(probe))?;
        tie.execute(params![row, snapshot])?;
        shorten.execute([row])?;
        last = row;
    }
    Ok(())
}

/// Opens `file` for writing, makes it where it is missing, and brings it to this version.
pub(super) fn open_writer(file: &Path, busy: Duration) -> Result<Connection, Fail> {
    let mut connection = Connection::open(file)?;
    // A file of a newer version is not touched at all, not even its journal mode.
    refuse_newer(&connection, file)?;
    prepare(&connection, busy)?;
    wal(&connection, busy)?;
    migrate(&mut connection, file, MIGRATIONS)?;
    Ok(connection)
}

/// A database that lives as long as its connection.
pub(super) fn open_in_memory() -> Result<Connection, Fail> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&connection, Duration::ZERO)?;
    migrate(&mut connection, Path::new(":memory:"), MIGRATIONS)?;
    Ok(connection)
}

/// A second connection to the same file, for queries only.
pub(super) fn open_reader(file: &Path, busy: Duration) -> Result<Connection, Fail> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy)?;
    connection.set_prepared_statement_cache_capacity(64);
    stable_plans(&connection)?;
    // In KiB (negative). What the reader reads again and again are a few pages of indexes; the system caches the file too.
    connection.execute_batch("PRAGMA cache_size=-256;")?;
    Ok(connection)
}

/// `synchronous=NORMAL` flushes at checkpoints only: a power cut may take the last steps away, never a step out of the
/// middle, and never the file's order (sqlite.org/wal.html). What must not be lost is flushed by its own transaction
/// (`synchronous=FULL`, see the worker): an intent before its act, and with it everything stored before. A lost result
/// leaves the intent, and an act with an intent and no result is looked for, never done again.
fn prepare(connection: &Connection, busy: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy)?;
    connection.set_prepared_statement_cache_capacity(128);
    stable_plans(connection)?;
    // Between two checkpoints the same few pages are written over and over: 4,000 pages (16 MiB) put into the file at once
    // cost far less than four times 1,000.
    connection.execute_batch(
        "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-512;",
    )
}

/// Plans that do not depend on the values bound: without this SQLite compiles a kept statement with a bound LIMIT again at
/// each use, because another limit might deserve another plan.
fn stable_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// Write-ahead log. Two programs that open a new file at the same moment can block each other here without
/// SQLite waiting (it would be a deadlock to it), so the switch is tried again for as long as a lock may take.
fn wal(connection: &Connection, busy: Duration) -> rusqlite::Result<()> {
    let begun = std::time::Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0)) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && begun.elapsed() < busy => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other.map(|_| ()),
        }
    }
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    // SQLite's own field: 32 bits, zero in a new file.
    connection.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).map(|v| v as usize)
}

fn refuse_newer(connection: &Connection, file: &Path) -> Result<(), Fail> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(Fail::Text(format!(
            "the store {} was written by a newer replypath (store version {found}, this program knows {VERSION}). \
             Run the newer program, or restore the backup made before the upgrade",
            file.display()
        )));
    }
    Ok(())
}

/// Takes every missing step, all in one transaction: the file is at the old version or at the new one.
fn migrate(connection: &mut Connection, file: &Path, steps: &[Migration]) -> Result<(), Fail> {
    if version(connection)? == steps.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again: another program may have taken the steps while this one waited for the lock.
    refuse_newer(&transaction, file)?;
    let from = version(&transaction)?;
    for (number, step) in steps.iter().enumerate().skip(from) {
        step(&transaction).map_err(|e| {
            let why = explain(&file.display().to_string(), &e);
            Fail::Text(format!("upgrade from store version {number} to {}: {why}. The file is unchanged", number + 1))
        })?;
    }
    transaction.pragma_update(None, "user_version", count(steps.len()))?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
pub(super) mod fixture {
    //! A file as the first version left it.
    use super::*;

    /// Makes a file of version 1.
    pub(in crate::store) fn version_1(file: &Path) -> Connection {
        of_version(file, 1)
    }

    /// Makes a file of an earlier version.
    pub(in crate::store) fn of_version(file: &Path, version: usize) -> Connection {
        let mut connection = Connection::open(file).unwrap();
        wal(&connection, Duration::from_secs(1)).unwrap();
        migrate(&mut connection, file, &MIGRATIONS[..version]).unwrap();
        connection
    }
}
