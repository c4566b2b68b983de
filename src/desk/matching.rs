//! Which rows of a find are meant. The token is compared here, never spliced into a path.

use super::definition::Step;
use super::mapping::latest;
use super::outcome::Failure;
use super::path::{Json, Path, scalar};
use super::recipe::TimeKind;
use super::scope::{Scope, Value};
use crate::model::TicketRef;
use jiff::Timestamp;

/// A row that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub reference: TicketRef,
    pub hold_cause: Option<String>,
    /// Its place among the rows, from 0.
    pub row: usize,
}

/// The rows of a find's last step that carry what is looked for.
pub(crate) fn matches(step: &Step, rows: &[Json], scope: &Scope<'_>) -> Result<Vec<Found>, Failure> {
    let Some(wanted) = &step.matching else { return Ok(Vec::new()) };
    let broken = |m: String| Failure::contract(format!("step `{}`: {m}", step.id));
    let contains = match &wanted.contains {
        Some(template) => {
            let text = template.string(scope).map_err(broken)?.filter(|t| !t.trim().is_empty());
            // Looking for nothing would find nothing, which is not an empty answer.
            Some(text.ok_or_else(|| broken(format!("a value for `{}` is missing", template.text())))?.to_lowercase())
        }
        None => None,
    };
    let mut out = Vec::new();
    let mut seen_a_field = wanted.fields.is_empty() || rows.is_empty();
    for (place, row) in rows.iter().enumerate() {
        let texts = texts(&wanted.fields, row).map_err(broken)?;
        seen_a_field |= !texts.is_empty();
        if let Some(token) = &contains
            && !texts.iter().any(|t| t.to_lowercase().contains(token))
        {
            continue;
        }
        if let Some(created) = &wanted.created
            && created_at(created, row).map_err(broken)? < since(scope)
        {
            continue;
        }
        let id = wanted.id.eval(row).map_err(broken)?;
        let id = scalar(&id).filter(|i| !i.is_empty()).ok_or_else(|| broken(format!("a row has no id at `{}`", wanted.id.text())))?;
        let text = |path: &Option<Path>| -> Result<Option<String>, Failure> {
            let value = path.as_ref().map(|p| p.eval(row)).transpose().map_err(broken)?;
            Ok(value.and_then(|v| scalar(&v)).filter(|t| !t.is_empty()))
        };
        let number = text(&wanted.number)?.unwrap_or_else(|| id.clone());
        out.push(Found { reference: TicketRef { id, number }, hold_cause: text(&wanted.hold_cause)?, row: place });
    }
    if !seen_a_field {
        let names: Vec<&str> = wanted.fields.iter().map(Path::text).collect();
        return Err(broken(format!("no row has the field `{}`", names.join("` or `"))));
    }
    Ok(out)
}

/// True when the row was created before what is looked for. Unreadable times are not older.
pub(crate) fn older(step: &Step, row: &Json, scope: &Scope<'_>) -> bool {
    let created = step.matching.as_ref().and_then(|m| m.created.as_ref());
    created.and_then(|c| created_at(c, row).ok()).is_some_and(|at| at < since(scope))
}

/// Texts of the fields; a list of texts (messages of a ticket) counts as several.
fn texts(fields: &[Path], row: &Json) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for field in fields {
        let value = field.eval(row)?;
        match value.as_array() {
            Some(items) => out.extend(items.iter().filter_map(scalar)),
            None => out.extend(scalar(&value)),
        }
    }
    Ok(out)
}

fn created_at(created: &(Path, TimeKind), row: &Json) -> Result<Timestamp, String> {
    let value = created.0.eval(row)?;
    let text = scalar(&value).ok_or_else(|| format!("a row has no time at `{}`", created.0.text()))?;
    latest(&text, &created.1)
}

/// The time before which nothing can be ours. Desks cut times to seconds, so it is cut too.
fn since(scope: &Scope<'_>) -> Timestamp {
    match scope.var("since") {
        Some(Value::Time(at)) => Timestamp::from_second(at.as_second()).unwrap_or(at),
        _ => Timestamp::MIN,
    }
}
