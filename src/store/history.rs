//! What stays of scheduled runs: a short line a run, kept longer than the runs themselves, from which incidents and reports
//! are made without opening a run.

use super::failure::Fail;
use super::rows::{count, micros, micros_before, whole};
use crate::engine::ports::{Retention, StoreError};
use crate::model::{Judged, Run};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

pub(super) const TABLE: &str = "
CREATE TABLE history (
    num INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, probe TEXT NOT NULL, finished INTEGER NOT NULL, verdict TEXT NOT NULL, json TEXT NOT NULL
) STRICT;
CREATE INDEX history_probe ON history (probe, verdict, finished);
CREATE INDEX history_finished ON history (finished);
CREATE INDEX history_bad ON history (finished) WHERE verdict <> 'pass';";

/// Lines removed at a time.
const PORTION: usize = 10_000;

pub(super) const WITHIN: &str = "SELECT json FROM history WHERE finished >= ?1 AND finished < ?2 ORDER BY finished LIMIT ?3";
/// The newest lines that are no pass.
pub(super) const BAD: &str =
    "SELECT probe, finished, json FROM history WHERE verdict <> 'pass' AND finished >= ?1 ORDER BY finished DESC LIMIT ?2";
/// Lines of a probe that are no pass, newer than a time and older than another.
pub(super) const BAD_OF_PROBE: &str = "SELECT finished, json FROM history
     WHERE probe = ?1 AND verdict IN ('fail', 'unknown') AND finished > ?2 AND finished < ?3 ORDER BY finished DESC LIMIT ?4";
pub(super) const PASS_BEFORE: &str =
    "SELECT finished, json FROM history WHERE probe = ?1 AND verdict = 'pass' AND finished < ?2 ORDER BY finished DESC LIMIT 1";
pub(super) const PASS_AFTER: &str =
    "SELECT finished, json FROM history WHERE probe = ?1 AND verdict = 'pass' AND finished > ?2 ORDER BY finished LIMIT 1";

/// A run's line; none for a run that has no place in history.
pub(super) fn line(run: &Run) -> serde_json::Result<Option<String>> {
    Judged::of(run).map(|judged| serde_json::to_string(&judged)).transpose()
}

/// Stores the line of a run, in the place of an earlier one of the same run.
pub(super) fn put(connection: &Connection, run: &str, probe: &str, finished: i64, verdict: &str, json: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO history (run, probe, finished, verdict, json) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![run, probe, finished, verdict, json])?;
    Ok(())
}

/// Fills the new table from the runs that are there, one at a time: a file may hold more than fits into memory. What cannot
/// be read has no line.
pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    let mut next = connection.prepare(
        "SELECT r.num, b.json, s.json FROM runs r JOIN bodies b ON b.run = r.num LEFT JOIN snapshots s ON s.num = r.snapshot
         WHERE r.num > ?1 AND r.\"trigger\" = 'scheduled' AND r.verdict IS NOT NULL AND r.finished IS NOT NULL ORDER BY r.num LIMIT 1",
    )?;
    let mut last = i64::MIN;
    let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, Option<String>>(2)?));
    while let Some((num, json, probe)) = next.query_row([last], row).optional()? {
        last = num;
        let judged = serde_json::from_str::<Run>(&whole(probe.as_deref(), &json)).ok().and_then(|run| Judged::of(&run));
        if let Some((judged, json)) = judged.and_then(|j| serde_json::to_string(&j).ok().map(|json| (j, json))) {
            put(connection, judged.run.as_str(), &judged.probe, micros(judged.finished), judged.verdict.as_str(), &json)?;
        }
    }
    Ok(())
}

/// Lines that ended from `from` on and before `until`, oldest first.
pub(super) fn within(connection: &Connection, from: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<String>, Fail> {
    let mut lines = connection.prepare_cached(WITHIN)?;
    Ok(lines.query_map(params![micros(from), micros(until), count(limit)], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// A line that is no pass: probe, end, text.
type Bad = (String, i64, String);

/// The lines that make and end the troubles of the time since `since`: those that are no pass, those before it of troubles
/// that lasted then, and the passes on both sides of each trouble.
pub(super) fn troubles(connection: &Connection, since: Timestamp, limit: usize) -> Result<Vec<String>, Fail> {
    let since = micros(since);
    let mut bad: Vec<Bad> = connection
        .prepare_cached(BAD)?
        .query_map(params![since, count(limit)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    bad.extend(under_way_at(connection, since, limit.saturating_sub(bad.len()))?);
    bad.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let mut lines = Vec::with_capacity(bad.len());
    // The trouble that is read: its probe, and the pass that ends it.
    let mut open: Option<(String, i64)> = None;
    for (probe, finished, json) in bad {
        if open.as_ref().is_none_or(|(of, ends)| *of != probe || finished > *ends) {
            let pass = |sql: &str| {
                connection.prepare_cached(sql)?.query_row(params![probe, finished], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            };
            let before: Option<(i64, String)> = pass(PASS_BEFORE)?;
            let after: Option<(i64, String)> = pass(PASS_AFTER)?;
            open = Some((probe, after.as_ref().map_or(i64::MAX, |a| a.0)));
            lines.extend([before, after].into_iter().flatten().map(|p| p.1));
        }
        lines.push(json);
    }
    Ok(lines)
}

/// Lines before `since` of probes that had not passed again by then.
fn under_way_at(connection: &Connection, since: i64, limit: usize) -> Result<Vec<Bad>, Fail> {
    let mut found = Vec::new();
    let mut probes = connection.prepare_cached("SELECT probe FROM standings ORDER BY probe")?;
    for probe in probes.query_map([], |row| row.get::<_, String>(0))? {
        let probe = probe?;
        let good: Option<i64> = connection.prepare_cached(PASS_BEFORE)?.query_row(params![probe, since], |row| row.get(0)).optional()?;
        let left = count(limit.saturating_sub(found.len()));
        let mut bad = connection.prepare_cached(BAD_OF_PROBE)?;
        for line in bad.query_map(params![probe, good.unwrap_or(i64::MIN), since, left], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (finished, json) = line?;
            found.push((probe.clone(), finished, json));
        }
    }
    Ok(found)
}

/// Removes lines that are older than any run may be. The newest pass of each probe stays: without it a probe that is broken
/// for long would seem never to have worked.
pub(super) fn prune(connection: &Connection, retention: &Retention, now: Timestamp) -> Result<(), Fail> {
    connection
        .prepare_cached(
            "DELETE FROM history WHERE run IN (SELECT run FROM history h WHERE finished < ?1 AND (verdict <> 'pass'
                OR EXISTS (SELECT 1 FROM history n WHERE n.probe = h.probe AND n.verdict = 'pass' AND n.finished > h.finished)
                OR NOT EXISTS (SELECT 1 FROM standings s WHERE s.probe = h.probe)) LIMIT ?2)",
        )?
        .execute(params![micros_before(now, retention.failed.max(retention.passed)), count(PORTION)])?;
    Ok(())
}

/// A line as it was stored.
pub(super) fn read(json: &str) -> Result<Judged, StoreError> {
    serde_json::from_str(json).map_err(|e| {
        StoreError::Failed(format!(
            "a line of the history in the store cannot be read: {e}. Was it written by another version of replypath?"
        ))
    })
}
