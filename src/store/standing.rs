//! Each probe's standing: kept up to date with every verdict, so that a start need not read a million runs.

use super::failure::Fail;
use super::rows::{Row, time, whole};
use crate::engine::ports::{ProbeStanding, StoreError};
use crate::model::Run;
use rusqlite::{Connection, OptionalExtension, params};

/// Makes the probe known.
pub(super) fn known(connection: &Connection, probe: &str) -> Result<(), Fail> {
    connection.prepare_cached("INSERT OR IGNORE INTO standings (probe) VALUES (?1)")?.execute([probe])?;
    Ok(())
}

/// Takes in the verdict of a scheduled run; `before` is the verdict that it had until now.
pub(super) fn judged(connection: &Connection, num: i64, before: Option<&str>, row: &Row) -> Result<(), Fail> {
    if before == row.verdict {
        // Only the copies may have become stale: a note added, a late mail.
        connection
            .prepare_cached(
                "UPDATE standings SET last = CASE WHEN last_run = ?2 THEN ?3 ELSE last END,
                 last_judged = CASE WHEN last_judged_run = ?2 THEN ?3 ELSE last_judged END
                 WHERE probe = ?1 AND (last_run = ?2 OR last_judged_run = ?2)",
            )?
            .execute(params![row.probe, num, row.json])?;
        return Ok(());
    }
    if before.is_some() {
        recount(connection, &row.probe)?;
        return Ok(tie_snapshots(connection, &row.probe)?);
    }
    known(connection, &row.probe)?;
    let sql = match row.verdict {
        Some("pass") => {
            "UPDATE standings SET last_judged_run = ?2, last_judged = ?3, last_run = ?2, last = ?3, last_finished = ?4,
             last_judged_snapshot = (SELECT snapshot FROM runs WHERE num = ?2), last_snapshot = (SELECT snapshot FROM runs WHERE num = ?2),
             last_pass = ?4, failures = 0, unknown_since = NULL WHERE probe = ?1"
        }
        Some("fail") => {
            "UPDATE standings SET last_judged_run = ?2, last_judged = ?3, last_run = ?2, last = ?3, last_finished = ?4,
             last_judged_snapshot = (SELECT snapshot FROM runs WHERE num = ?2), last_snapshot = (SELECT snapshot FROM runs WHERE num = ?2),
             failures = failures + 1, unknown_since = NULL WHERE probe = ?1"
        }
        _ => {
            "UPDATE standings SET last_run = ?2, last = ?3, last_finished = ?4,
             last_snapshot = (SELECT snapshot FROM runs WHERE num = ?2),
             unknown_since = coalesce(unknown_since, ?4) WHERE probe = ?1"
        }
    };
    connection.prepare_cached(sql)?.execute(params![row.probe, num, row.json, row.finished])?;
    Ok(())
}

/// After a recount: which snapshots of the probe belong to the copies of its runs. The copies outlive the runs.
fn tie_snapshots(connection: &Connection, probe: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE standings SET last_snapshot = (SELECT snapshot FROM runs WHERE num = last_run),
             last_judged_snapshot = (SELECT snapshot FROM runs WHERE num = last_judged_run) WHERE probe = ?1",
        )?
        .execute([probe])?;
    Ok(())
}

const OF_PROBE: &str = "FROM runs WHERE probe = ?1 AND \"trigger\" = 'scheduled' AND verdict IS NOT NULL AND finished IS NOT NULL";

/// Works the standing out again from the runs: after a verdict was changed, and when the table is new (then in the
/// shape of version 2: it names no column that came later).
pub(super) fn recount(connection: &Connection, probe: &str) -> rusqlite::Result<()> {
    let newest = |and: &str| -> rusqlite::Result<Option<(i64, i64)>> {
        let sql = format!("SELECT num, finished {OF_PROBE} {and} ORDER BY finished DESC, num DESC LIMIT 1");
        connection.prepare_cached(&sql)?.query_row([probe], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    };
    let last = newest("")?;
    let judged = newest("AND verdict <> 'unknown'")?;
    let pass = newest("AND verdict = 'pass'")?.map(|p| p.1);
    let failures: i64 = connection
        .prepare_cached(&format!("SELECT count(*) {OF_PROBE} AND verdict = 'fail' AND finished > ?2"))?
        .query_row(params![probe, pass.unwrap_or(i64::MIN)], |row| row.get(0))?;
    let unknown_since: Option<i64> = connection
        .prepare_cached(&format!("SELECT min(finished) {OF_PROBE} AND finished > ?2"))?
        .query_row(params![probe, judged.map_or(i64::MIN, |j| j.1)], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO standings
                (probe, last_judged_run, last_judged, last_run, last, last_finished, last_pass, failures, unknown_since)
             VALUES (?1, ?2, (SELECT json FROM bodies WHERE run = ?2), ?3, (SELECT json FROM bodies WHERE run = ?3), ?4, ?5, ?6, ?7)",
        )?
        .execute(params![probe, judged.map(|j| j.0), last.map(|l| l.0), last.map(|l| l.1), pass, failures, unknown_since])?;
    Ok(())
}

/// A standing as it stands in the table.
pub(super) struct StoredStanding {
    probe: String,
    last_judged: Option<(String, Option<String>)>,
    last: Option<(String, Option<String>)>,
    /// The last run is the last one that passed or failed too, and read once.
    last_is_judged: bool,
    last_pass: Option<i64>,
    failures: u32,
    unknown_since: Option<i64>,
    failing_since: Option<String>,
}

/// The copy of a run in that column without what only its own page shows: with a thousand probes it would be most of what a
/// start reads and keeps. What is no JSON stays as it is, so that the reader says so.
fn light(column: &str) -> String {
    format!(
        "CASE WHEN json_valid({column}) THEN
            json_replace({column}, '$.mails', json('[]'), '$.messages', json('[]'), '$.acts', json('[]'), '$.polls', json('{{}}'))
         ELSE {column} END"
    )
}

/// Every standing, by probe name.
pub(super) fn all(connection: &Connection) -> Result<Vec<StoredStanding>, Fail> {
    let (judged, last) = (light("t.last_judged"), light("t.last"));
    let rows = connection
        .prepare_cached(&format!(
            "SELECT t.probe, CASE WHEN t.last_judged = t.last THEN NULL ELSE {judged} END, {last},
             t.last_pass, t.failures, t.unknown_since, j.json, l.json,
             CASE WHEN t.failures > 0 THEN (SELECT json ->> '$.started' FROM history h WHERE h.probe = t.probe AND h.verdict = 'fail'
                AND h.finished > coalesce(t.last_pass, -9223372036854775808) ORDER BY h.finished LIMIT 1) END,
             coalesce(t.last_judged = t.last, 0) FROM standings t
             LEFT JOIN snapshots j ON j.num = t.last_judged_snapshot LEFT JOIN snapshots l ON l.num = t.last_snapshot ORDER BY t.probe",
        ))?
        .query_map([], |row| {
            let with_probe = |json: Option<String>, probe: Option<String>| json.map(|json| (json, probe));
            Ok(StoredStanding {
                probe: row.get(0)?,
                last_judged: with_probe(row.get(1)?, row.get(6)?),
                last: with_probe(row.get(2)?, row.get(7)?),
                last_pass: row.get(3)?,
                failures: row.get(4)?,
                unknown_since: row.get(5)?,
                failing_since: row.get(8)?,
                last_is_judged: row.get(9)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

impl StoredStanding {
    /// The standing with its runs.
    pub(super) fn parse(self) -> Result<ProbeStanding, StoreError> {
        let run = |stored: Option<(String, Option<String>)>| -> Result<Option<Run>, StoreError> {
            stored
                .map(|(json, probe)| serde_json::from_str(&whole(probe.as_deref(), &json)))
                .transpose()
                .map_err(|e| StoreError::Failed(format!("the last run of probe {} in the store cannot be read: {e}", self.probe)))
        };
        let last = run(self.last)?;
        Ok(ProbeStanding {
            last_judged: if self.last_is_judged { last.clone() } else { run(self.last_judged)? },
            last,
            last_pass: self.last_pass.map(time),
            failures_in_a_row: self.failures,
            unknown_since: self.unknown_since.map(time),
            failing_since: self.failing_since.and_then(|at| at.parse().ok()),
            probe: self.probe,
        })
    }
}
