//! Lists of runs.

use super::failure::Fail;
use super::history;
use super::rows::{Stored, count, micros, time};
use crate::engine::ports::{RunFilter, StoreError};
use crate::model::{Brief, Diagnosis, RunId, Trigger};
use rusqlite::{Connection, params, params_from_iter};

/// Runs without their observations.
pub(super) const LIST: &str =
    "SELECT r.id, b.json, s.json FROM runs r JOIN bodies b ON b.run = r.num LEFT JOIN snapshots s ON s.num = r.snapshot";

/// Runs that the filter lets through, newest first.
pub(super) fn runs(connection: &Connection, filter: &RunFilter) -> Result<Vec<Stored>, Fail> {
    let mut sql = format!("{LIST} WHERE 1");
    let mut values: Vec<rusqlite::types::Value> = Vec::new();
    if let Some(probe) = &filter.probe {
        sql.push_str(" AND r.probe = ?");
        values.push(probe.clone().into());
    }
    if !filter.controls {
        sql.push_str(" AND r.\"trigger\" <> 'control'");
    }
    if filter.not_passed {
        sql.push_str(" AND r.verdict <> 'pass'");
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND r.started >= ?");
        values.push(micros(since).into());
    }
    sql.push_str(" ORDER BY r.started DESC, r.num DESC LIMIT ?");
    values.push(count(filter.limit).into());
    let rows = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| {
            Ok(Stored { id: row.get(0)?, json: row.get(1)?, probe: row.get(2)?, observations: Vec::new() })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The last runs of a probe with their line of the history, and with their diagnosis where there is no such line.
pub(super) const BRIEFS: &str = "SELECT r.id, r.\"trigger\", r.started, r.finished, h.json,
     CASE WHEN h.json IS NULL AND r.finished IS NOT NULL THEN (SELECT json -> '$.diagnosis' FROM bodies WHERE run = r.num) END
     FROM runs r LEFT JOIN history h ON h.run = r.id
     WHERE r.probe = ?1 AND r.\"trigger\" <> 'control' ORDER BY r.started DESC, r.num DESC LIMIT ?2";

/// A run in short as it stands in the tables.
pub(super) struct StoredBrief {
    id: String,
    trigger: String,
    started: i64,
    finished: Option<i64>,
    line: Option<String>,
    diagnosis: Option<String>,
}

/// The last runs of a probe, newest first.
pub(super) fn briefs(connection: &Connection, probe: &str, limit: usize) -> Result<Vec<StoredBrief>, Fail> {
    let rows = connection
        .prepare_cached(BRIEFS)?
        .query_map(params![probe, count(limit)], |row| {
            Ok(StoredBrief {
                id: row.get(0)?,
                trigger: row.get(1)?,
                started: row.get(2)?,
                finished: row.get(3)?,
                line: row.get(4)?,
                diagnosis: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

impl StoredBrief {
    pub(super) fn parse(self) -> Result<Brief, StoreError> {
        if let Some(line) = &self.line {
            return history::read(line).map(Brief::of_judged);
        }
        let diagnosis = self.diagnosis.as_deref().map(serde_json::from_str::<Option<Diagnosis>>).transpose();
        let diagnosis = diagnosis
            .map_err(|e| StoreError::Failed(format!("the verdict of run {} in the store cannot be read: {e}", self.id)))?
            .flatten();
        let trigger = if self.trigger == Trigger::Scheduled.as_str() { Trigger::Scheduled } else { Trigger::Manual };
        Ok(Brief::told(RunId(self.id), trigger, time(self.started), self.finished.map(time), diagnosis.as_ref()))
    }
}
