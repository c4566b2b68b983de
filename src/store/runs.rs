//! The life of a run in the store: made, claimed, moved on step by step, given back.

use super::failure::Fail;
use super::rows::{Row, Snapshot, Stored, StoredClaim};
use super::{history, standing};
use crate::model::RunId;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, named_params, params};

/// How long an instance that never said how long it lives is believed to live after it took a run: 30 s.
const FIRST_LEASE: i64 = 30_000_000;

pub(super) const NEXT_DUE: &str = "SELECT due FROM runs WHERE owner = ?1 AND lease_until IS NULL AND due IS NOT NULL ORDER BY due LIMIT 1";
pub(super) const DUE: &str =
    "SELECT num FROM runs WHERE owner = ?1 AND lease_until IS NULL AND due IS NOT NULL AND due <= ?2 ORDER BY due LIMIT ?3";
pub(super) const NEXT_OWNER: &str = "SELECT owner FROM runs WHERE due IS NOT NULL AND owner > ?1 ORDER BY owner LIMIT 1";

/// Says that `instance` lives until `until`, never shortening its life.
pub(super) fn alive(connection: &Connection, instance: &str, until: i64) -> Result<(), Fail> {
    connection
        .prepare_cached(
            "INSERT INTO instances (id, lease_until) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET lease_until = max(lease_until, excluded.lease_until)",
        )?
        .execute(params![instance, until])?;
    Ok(())
}

/// Sets the end of the instance's life and forgets instances that are long dead.
pub(super) fn heartbeat(connection: &Connection, instance: &str, until: i64, now: i64) -> Result<(), Fail> {
    const DAY: i64 = 86_400_000_000;
    connection.prepare_cached("INSERT OR REPLACE INTO instances (id, lease_until) VALUES (?1, ?2)")?.execute(params![instance, until])?;
    connection.prepare_cached("DELETE FROM instances WHERE lease_until < ?1")?.execute([now.saturating_sub(DAY)])?;
    Ok(())
}

/// Gives back what `instance` has in hand. Its acts under way are uncertain to whoever comes next.
pub(super) fn give_back_all(connection: &Connection, instance: &str, now: i64) -> Result<(), Fail> {
    connection
        .prepare_cached(
            "UPDATE runs SET lease_until = NULL, epoch = epoch + 1, orphan = 1, due = min(due, ?2)
             WHERE owner = ?1 AND lease_until IS NOT NULL AND due IS NOT NULL",
        )?
        .execute(params![instance, now])?;
    connection.prepare_cached("DELETE FROM instances WHERE id = ?1")?.execute([instance])?;
    Ok(())
}

/// The number of a probe's snapshot, which is stored if it is new.
pub(super) fn snapshot(connection: &Connection, snapshot: &Snapshot) -> rusqlite::Result<i64> {
    let known =
        connection.prepare_cached("SELECT num FROM snapshots WHERE hash = ?1")?.query_row([&snapshot.hash], |row| row.get(0)).optional()?;
    if let Some(num) = known {
        return Ok(num);
    }
    connection.prepare_cached("INSERT INTO snapshots (hash, json) VALUES (?1, ?2)")?.execute(params![snapshot.hash, snapshot.json])?;
    Ok(connection.last_insert_rowid())
}

/// Stores a new run.
pub(super) fn create(connection: &Connection, row: &Row, probe: &Snapshot, instance: &str, now: i64) -> Result<(), Fail> {
    alive(connection, instance, now.saturating_add(FIRST_LEASE))?;
    let probe = snapshot(connection, probe)?;
    let made = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO runs
                (id, epoch, owner, due, probe, desk, gateway, account, \"trigger\", phase, started, marks, observations, snapshot)
             VALUES (:id, 1, :owner, :due, :probe, :desk, :gateway, :account, :trigger, '', :started, 0, 0, :snapshot)",
        )?
        .execute(named_params! {
            ":id": row.id.as_str(), ":owner": instance, ":due": now, ":probe": row.probe, ":desk": row.desk,
            ":gateway": row.gateway, ":account": row.account, ":trigger": row.trigger, ":started": row.started,
            ":snapshot": probe,
        })?;
    if made == 0 {
        return Err(Fail::Text(format!("run {} is in the store already; nothing was changed", row.id)));
    }
    let head = Head { num: connection.last_insert_rowid(), ..Head::default() };
    connection.prepare_cached("INSERT INTO bodies (run, json) VALUES (?1, ?2)")?.execute(params![head.num, row.json])?;
    write_parts(connection, &head, row)?;
    connection.prepare_cached("UPDATE runs SET marks = ?2, observations = ?3 WHERE num = ?1")?.execute(params![
        head.num,
        row.marks(),
        row.observations
    ])?;
    if row.trigger == "scheduled" {
        started(connection, &row.probe, row.started)?;
    }
    if row.trigger == "control" {
        return Ok(());
    }
    standing::known(connection, &row.probe)
}

/// Remembers that a scheduled probe was started or skipped.
pub(super) fn started(connection: &Connection, probe: &str, at: i64) -> Result<(), Fail> {
    connection
        .prepare_cached("INSERT INTO starts (probe, at) VALUES (?1, ?2) ON CONFLICT (probe) DO UPDATE SET at = max(at, excluded.at)")?
        .execute(params![probe, at])?;
    Ok(())
}

/// What a commit needs to know of the row that it changes.
#[derive(Debug, Default)]
struct Head {
    num: i64,
    phase: String,
    verdict: Option<String>,
    stage: Option<String>,
    fault: Option<String>,
    finished: Option<i64>,
    position: Option<(i64, u32, u32)>,
    marks: i64,
    observations: i64,
    /// It was woken while it was in hand.
    woken: bool,
}

impl Head {
    fn read(row: &SqlRow<'_>) -> rusqlite::Result<Head> {
        let at: Option<i64> = row.get(6)?;
        let position = match at {
            Some(at) => Some((at, row.get(7)?, row.get(8)?)),
            None => None,
        };
        Ok(Head {
            num: row.get(0)?,
            phase: row.get(1)?,
            verdict: row.get(2)?,
            stage: row.get(3)?,
            fault: row.get(4)?,
            finished: row.get(5)?,
            position,
            marks: row.get(9)?,
            observations: row.get(10)?,
            woken: row.get(11)?,
        })
    }
}

impl Head {
    /// The verdict, what it names, and when it was given have not changed.
    fn same_answer(&self, row: &Row) -> bool {
        self.verdict.as_deref() == row.verdict
            && self.stage.as_deref() == row.stage
            && self.fault == row.fault
            && self.finished == row.finished
    }
}

/// A step as the writer gets it.
pub(super) struct Move {
    pub(super) row: Row,
    pub(super) epoch: i64,
    pub(super) due: Option<i64>,
    pub(super) hold: bool,
    pub(super) taken: Vec<i64>,
}

/// Stores a step; returns the new epoch.
pub(super) fn commit(connection: &Connection, step: &Move, now: i64) -> Result<i64, Fail> {
    let row = &step.row;
    let head = connection
        .prepare_cached(
            "SELECT num, phase, verdict, stage, fault, finished, position_at, position_uidvalidity, position_uid_next, marks, observations, woken
             FROM runs WHERE id = ?1 AND epoch = ?2",
        )?
        .query_row(params![row.id.as_str(), step.epoch], Head::read)
        .optional()?
        .ok_or_else(|| Fail::Conflict(row.id.clone()))?;
    if row.kept > head.observations {
        return Err(Fail::Text(format!(
            "run {}: {} observations are said to be stored, but {} are; this is a defect of replypath",
            row.id, row.kept, head.observations
        )));
    }
    for number in &step.taken {
        // The row stays without its mail, so that the same mail is not taken in twice.
        connection.prepare_cached("UPDATE deliveries SET json = NULL WHERE num = ?1 AND run = ?2")?.execute([*number, head.num])?;
    }
    let waiting = connection.prepare_cached("SELECT 1 FROM deliveries WHERE run = ?1 AND json IS NOT NULL LIMIT 1")?.exists([head.num])?;
    let due = if waiting { Some(step.due.map_or(now, |due| due.min(now))) } else { step.due };
    let due = if head.woken { due.map(|due| due.min(now)) } else { due };
    // A run that nobody will claim again is in nobody's hand either.
    let hold = step.hold && due.is_some();
    connection
        .prepare_cached(
            "UPDATE runs SET epoch = epoch + 1, due = ?2, lease_until = CASE WHEN ?3 THEN coalesce(lease_until, ?4) END,
             woken = woken AND ?3, marks = ?5, observations = ?6 WHERE num = ?1",
        )?
        .execute(params![head.num, due, hold, now.saturating_add(FIRST_LEASE), row.marks(), row.observations])?;
    connection.prepare_cached("UPDATE bodies SET json = ?2 WHERE run = ?1")?.execute(params![head.num, row.json])?;
    write_parts(connection, &head, row)?;
    if row.trigger == "scheduled" && row.phase == "finished" && row.verdict.is_some() {
        standing::judged(connection, head.num, head.verdict.as_deref(), row)?;
    }
    if let (Some(line), Some(verdict), Some(finished)) = (&row.line, row.verdict, row.finished)
        && !(head.phase == row.phase && head.same_answer(row))
    {
        history::put(connection, row.id.as_str(), &row.probe, finished, verdict, line)?;
    }
    Ok(step.epoch + 1)
}

/// Everything beside the body and the hot columns, as far as it changed.
fn write_parts(connection: &Connection, head: &Head, row: &Row) -> Result<(), Fail> {
    let same = head.phase == row.phase && head.same_answer(row) && head.position == row.position;
    if !same {
        connection
            .prepare_cached(
                "UPDATE runs SET phase = :phase, verdict = :verdict, stage = :stage, fault = :fault, finished = :finished,
                 position_at = :at, position_uidvalidity = :validity, position_uid_next = :next WHERE num = :num",
            )?
            .execute(named_params! {
                ":num": head.num, ":phase": row.phase, ":verdict": row.verdict, ":stage": row.stage, ":fault": row.fault,
                ":finished": row.finished, ":at": row.position.map(|p| p.0), ":validity": row.position.map(|p| p.1),
                ":next": row.position.map(|p| p.2),
            })?;
    }
    if row.marks() != head.marks {
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO tokens (token, run) VALUES (?1, ?2)")?;
        for token in &row.tokens {
            insert.execute(params![token, head.num])?;
        }
        let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO message_ids (id, run) VALUES (?1, ?2)")?;
        for id in &row.message_ids {
            insert.execute(params![id, head.num])?;
        }
    }
    for (index, text) in (row.kept..).zip(&row.texts) {
        connection
            .prepare_cached("INSERT OR REPLACE INTO observations (run, idx, json) VALUES (?1, ?2, ?3)")?
            .execute(params![head.num, index, text])?;
    }
    if row.observations < head.observations {
        connection.prepare_cached("DELETE FROM observations WHERE run = ?1 AND idx >= ?2")?.execute(params![head.num, row.observations])?;
    }
    Ok(())
}

/// Makes a run due at once; one that is in hand as soon as it is given back.
pub(super) fn wake(connection: &Connection, id: &str, now: i64) -> Result<(), Fail> {
    connection
        .prepare_cached("UPDATE runs SET due = min(due, ?2), woken = lease_until IS NOT NULL WHERE id = ?1 AND due IS NOT NULL")?
        .execute(params![id, now])?;
    Ok(())
}

/// The earliest due time among the runs of `instance` that are not in hand.
pub(super) fn next_due(connection: &Connection, instance: &str) -> Result<Option<i64>, Fail> {
    Ok(connection.prepare_cached(NEXT_DUE)?.query_row([instance], |row| row.get(0)).optional()?)
}

/// Takes up to `limit` runs that are due.
pub(super) fn claim_due(
    connection: &Connection,
    instance: &str,
    due: i64,
    now: i64,
    limit: i64,
    adopt: bool,
) -> Result<Vec<StoredClaim>, Fail> {
    if adopt {
        adopt_orphans(connection, instance, now)?;
    }
    let numbers: Vec<i64> =
        connection.prepare_cached(DUE)?.query_map(params![instance, due, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    numbers.into_iter().map(|num| take(connection, instance, num, false, now)).collect()
}

/// Makes the runs of dead instances this instance's own. What they had in hand is due at once.
fn adopt_orphans(connection: &Connection, instance: &str, now: i64) -> Result<(), Fail> {
    let mut last = String::new();
    loop {
        let owner: Option<String> = connection.prepare_cached(NEXT_OWNER)?.query_row([&last], |row| row.get(0)).optional()?;
        let Some(owner) = owner else { return Ok(()) };
        if owner != instance && !is_alive(connection, &owner, now)? {
            connection
                .prepare_cached(
                    "UPDATE runs SET owner = ?1, epoch = epoch + 1, orphan = 1, lease_until = NULL,
                     due = CASE WHEN lease_until IS NULL THEN due ELSE min(due, ?3) END
                     WHERE owner = ?2 AND due IS NOT NULL",
                )?
                .execute(params![instance, owner, now])?;
        }
        last = owner;
    }
}

fn is_alive(connection: &Connection, instance: &str, now: i64) -> Result<bool, Fail> {
    Ok(connection.prepare_cached("SELECT 1 FROM instances WHERE id = ?1 AND lease_until > ?2")?.exists(params![instance, now])?)
}

/// Takes one run in hand.
fn take(connection: &Connection, instance: &str, num: i64, foreign: bool, now: i64) -> Result<StoredClaim, Fail> {
    alive(connection, instance, now.saturating_add(FIRST_LEASE))?;
    let (id, epoch, orphan): (String, i64, bool) = connection
        .prepare_cached("SELECT id, epoch + 1, orphan FROM runs WHERE num = ?1")?
        .query_row([num], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    connection
        .prepare_cached(
            "UPDATE runs SET owner = ?2, epoch = ?3, orphan = 0, woken = 0,
             lease_until = (SELECT lease_until FROM instances WHERE id = ?2) WHERE num = ?1",
        )?
        .execute(params![num, instance, epoch])?;
    let stored = load(connection, num, id)?;
    let deliveries = connection
        .prepare_cached("SELECT num, json FROM deliveries WHERE run = ?1 AND json IS NOT NULL ORDER BY num")?
        .query_map([num], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(StoredClaim { stored, epoch, taken_over: foreign || orphan, deliveries })
}

/// Takes the run of that id, unless a living instance has it in hand.
pub(super) fn claim(connection: &Connection, instance: &str, id: &RunId, now: i64) -> Result<Option<StoredClaim>, Fail> {
    let found: Option<(i64, String, bool)> = connection
        .prepare_cached("SELECT num, owner, lease_until IS NOT NULL FROM runs WHERE id = ?1")?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((num, owner, in_hand)) = found else { return Ok(None) };
    if in_hand && (owner == instance || is_alive(connection, &owner, now)?) {
        return Ok(None);
    }
    take(connection, instance, num, owner != instance, now).map(Some)
}

/// Runs that an earlier life of this very instance had in hand belong to nobody now.
pub(super) fn disown_earlier_life(connection: &Connection, instance: &str, now: i64) -> Result<(), Fail> {
    connection
        .prepare_cached(
            "UPDATE runs SET lease_until = NULL, epoch = epoch + 1, orphan = 1, due = min(due, ?2)
             WHERE owner = ?1 AND lease_until IS NOT NULL AND due IS NOT NULL",
        )?
        .execute(params![instance, now])?;
    Ok(())
}

/// A run's probe, body and observations.
pub(super) fn load(connection: &Connection, num: i64, id: String) -> Result<Stored, Fail> {
    let json = connection.prepare_cached("SELECT json FROM bodies WHERE run = ?1")?.query_row([num], |row| row.get(0))?;
    let probe = connection
        .prepare_cached("SELECT s.json FROM runs r JOIN snapshots s ON s.num = r.snapshot WHERE r.num = ?1")?
        .query_row([num], |row| row.get(0))
        .optional()?;
    let observations = connection
        .prepare_cached("SELECT json FROM observations WHERE run = ?1 ORDER BY idx")?
        .query_map([num], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(Stored { id, probe, json, observations })
}
