//! Send budgets: sliding windows of the times at which messages were sent, shared by all instances.

use super::failure::Fail;
use super::rows::{micros_after, micros_before, time};
use crate::engine::ports::BudgetAnswer;
use crate::model::{Budget, Rate};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// Takes one message if every rate has room for it.
pub(super) fn take(connection: &Connection, key: &str, budget: &Budget, now: Timestamp) -> Result<BudgetAnswer, Fail> {
    let mut wait: Option<(i64, &Rate)> = None;
    for rate in &budget.0 {
        if let Some(at) = room_at(connection, key, rate, now)?
            && wait.is_none_or(|(latest, _)| at > latest)
        {
            wait = Some((at, rate));
        }
    }
    if let Some((at, rate)) = wait {
        return Ok(BudgetAnswer::Wait { at: time(at), limit: words(key, rate) });
    }
    let Some(longest) = budget.0.iter().map(|rate| rate.per).max() else { return Ok(BudgetAnswer::Taken) };
    connection.prepare_cached("DELETE FROM budgets WHERE key = ?1 AND at <= ?2")?.execute(params![key, micros_before(now, longest)])?;
    connection.prepare_cached("INSERT INTO budgets (key, at) VALUES (?1, ?2)")?.execute(params![key, now.as_microsecond()])?;
    Ok(BudgetAnswer::Taken)
}

/// None when the rate has room now; otherwise when it will. A message counts from its time until `per` later.
fn room_at(connection: &Connection, key: &str, rate: &Rate, now: Timestamp) -> Result<Option<i64>, Fail> {
    if rate.count == 0 {
        return Ok(Some(micros_after(now, rate.per)));
    }
    // The count-th newest message fills the window; there is room again once it has left. Times ahead of
    // `now` (a clock set back) count as well: too few messages is the safe side.
    let filling: Option<i64> = connection
        .prepare_cached("SELECT at FROM budgets WHERE key = ?1 AND at > ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3")?
        .query_row(params![key, micros_before(now, rate.per), rate.count - 1], |row| row.get(0))
        .optional()?;
    Ok(filling.map(|at| micros_after(time(at), rate.per)))
}

fn words(key: &str, rate: &Rate) -> String {
    let plural = if rate.count == 1 { "" } else { "s" };
    format!("{} message{plural} per {} of {}", rate.count, length(rate.per), key.replace([':', '/'], " "))
}

fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { format!("{}ms", duration.as_millis()) } else { text }
}
