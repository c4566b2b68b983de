//! Lists of runs.

use super::failure::Fail;
use super::rows::{Stored, count, micros};
use crate::engine::ports::RunFilter;
use rusqlite::{Connection, params_from_iter};

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
