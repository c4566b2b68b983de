//! Retention: what is removed, in small portions, so that runs under way never wait long for the writer.

use super::failure::Fail;
use super::history;
use super::rows::{count, micros_before, whole};
use crate::engine::ports::Retention;
use crate::model::Run;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::time::Duration;

/// Runs removed or stripped in one transaction.
pub(super) const PORTION: usize = 100;
/// A probe's standing outlives its runs, or a probe that runs once a quarter would lose its gauges at a restart.
const STANDING_KEPT: Duration = Duration::from_secs(400 * 86_400);

const OLD: &str = "SELECT num FROM runs WHERE verdict = ?1 AND finished IS NOT NULL AND finished < ?2 AND due IS NULL LIMIT ?3";
/// Finished without a verdict: only a defect makes such a run, and it must not stay for ever.
const OLD_UNJUDGED: &str =
    "SELECT num FROM runs WHERE verdict IS NULL AND finished IS NOT NULL AND finished < ?2 AND due IS NULL AND ?1 = '' LIMIT ?3";

/// Snapshots of probes whose last run went. There are few snapshots: one for each change of a probe.
pub(super) const UNUSED_SNAPSHOTS: &str = "DELETE FROM snapshots
     WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.snapshot = snapshots.num)
     AND num NOT IN (SELECT last_snapshot FROM standings WHERE last_snapshot IS NOT NULL
                     UNION ALL SELECT last_judged_snapshot FROM standings WHERE last_judged_snapshot IS NOT NULL)";

/// Removes one portion of old runs; returns how many went. Fewer than [`PORTION`]: none are left.
pub(super) fn runs(connection: &Connection, retention: &Retention, now: Timestamp) -> Result<usize, Fail> {
    let passed = micros_before(now, retention.passed);
    let failed = micros_before(now, retention.failed);
    let mut numbers: Vec<i64> = Vec::new();
    for (sql, verdict, before) in [(OLD, "pass", passed), (OLD, "fail", failed), (OLD, "unknown", failed), (OLD_UNJUDGED, "", failed)] {
        let mut old = connection.prepare_cached(sql)?;
        for number in old.query_map(params![verdict, before, count(PORTION - numbers.len())], |row| row.get(0))? {
            numbers.push(number?);
        }
    }
    for table in ["tokens", "message_ids", "deliveries", "observations", "bodies"] {
        let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?;
        for number in &numbers {
            delete.execute([number])?;
        }
    }
    let mut delete = connection.prepare_cached("DELETE FROM runs WHERE num = ?1")?;
    for number in &numbers {
        delete.execute([number])?;
    }
    Ok(numbers.len())
}

/// Removes what is kept beside runs.
pub(super) fn rest(connection: &Connection, retention: &Retention, now: Timestamp) -> Result<(), Fail> {
    let skips = micros_before(now, retention.failed.max(retention.passed));
    connection.prepare_cached("DELETE FROM skips WHERE at < ?1")?.execute([skips])?;
    connection
        .prepare_cached(
            "DELETE FROM standings WHERE coalesce(last_finished, 0) < ?1
             AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.probe = standings.probe)",
        )?
        .execute([micros_before(now, STANDING_KEPT)])?;
    connection.prepare_cached(UNUSED_SNAPSHOTS)?.execute([])?;
    history::prune(connection, retention, now)
}

/// A passed run whose texts have had their time.
pub(super) struct Texts {
    num: i64,
    epoch: i64,
    json: String,
    probe: Option<String>,
}

/// One portion of passed runs that still have texts though they are older than their time.
pub(super) fn with_texts(connection: &Connection, retention: &Retention, now: Timestamp) -> Result<Vec<Texts>, Fail> {
    let rows = connection
        .prepare_cached(
            "SELECT r.num, r.epoch, b.json, s.json FROM runs r JOIN bodies b ON b.run = r.num LEFT JOIN snapshots s ON s.num = r.snapshot
             WHERE r.verdict = 'pass' AND r.texts = 1 AND r.finished < ?1 AND r.due IS NULL LIMIT ?2",
        )?
        .query_map(params![micros_before(now, retention.passed_evidence), count(PORTION)], |row| {
            Ok(Texts { num: row.get(0)?, epoch: row.get(1)?, json: row.get(2)?, probe: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

impl Texts {
    /// Empties the texts of the run's mails. What cannot be read stays as it is.
    pub(super) fn strip(mut self) -> Texts {
        let Ok(mut run) = serde_json::from_str::<Run>(&whole(self.probe.as_deref(), &self.json)) else { return self };
        for seen in &mut run.mails {
            seen.mail.text.clear();
            seen.mail.new_text.clear();
            seen.mail.html = None;
            seen.mail.headers.clear();
        }
        if let Ok(json) = serde_json::to_string(&run) {
            self.json = json;
        }
        self
    }
}

/// Stores stripped runs and removes the texts of their observations.
pub(super) fn store_stripped(connection: &Connection, stripped: &[Texts]) -> Result<(), Fail> {
    for texts in stripped {
        let same = connection
            .prepare_cached("UPDATE runs SET texts = 0 WHERE num = ?1 AND epoch = ?2 AND due IS NULL")?
            .execute(params![texts.num, texts.epoch])?;
        if same == 0 {
            continue;
        }
        connection.prepare_cached("UPDATE bodies SET json = ?2 WHERE run = ?1")?.execute(params![texts.num, texts.json])?;
        connection
            .prepare_cached("UPDATE observations SET json = json_remove(json, '$.raw') WHERE run = ?1 AND json ->> '$.raw' IS NOT NULL")?
            .execute([texts.num])?;
    }
    Ok(())
}
