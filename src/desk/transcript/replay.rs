//! Plays recordings again and says what is read differently.

use super::document::{FORMAT, Transcript};
use super::{Fixed, Player};
use crate::config::{DeskSettings, DeskSource, ParamValue};
use crate::desk::definition::Definition;
use crate::desk::http::Http;
use crate::desk::live::HttpDesk;
use crate::model::Budget;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Differences that are told of one operation; more say no more.
const MAX_TOLD: usize = 12;

/// How much of a value is told.
const MAX_SHOWN: usize = 400;

/// What one operation reads differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The operation.
    pub operation: String,
    /// Where, what was recorded, what it is now.
    pub lines: Vec<String>,
}

/// Plays a recording against a definition; nothing when it reads the same.
///
/// # Errors
/// In words, when the recording does not belong to the definition.
pub async fn replay(definition: &Arc<Definition>, transcript: &Transcript) -> Result<Option<Difference>, String> {
    if transcript.format != FORMAT {
        return Err(format!("this release reads recordings of format {FORMAT}, not {}", transcript.format));
    }
    if transcript.definition != definition.id {
        return Err(format!("it was recorded with the definition `{}`, not `{}`", transcript.definition, definition.id));
    }
    let now = played(definition, transcript).await?;
    let mut lines = Vec::new();
    compare(&transcript.result, &now, "", &mut lines);
    if lines.is_empty() {
        return Ok(None);
    }
    let more = lines.len().saturating_sub(MAX_TOLD);
    lines.truncate(MAX_TOLD);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    Ok(Some(Difference { operation: transcript.operation.name(), lines }))
}

/// What the definition makes of the recorded answers.
pub(super) async fn played(definition: &Arc<Definition>, transcript: &Transcript) -> Result<Value, String> {
    let player = Arc::new(Player::new(transcript.exchanges.clone()));
    let fixed = Fixed { now: transcript.recorded, random: transcript.random.clone() };
    let settings = settings(definition, &transcript.params)?;
    let desk = HttpDesk::with(definition.clone(), &settings, |_| Ok(Http::replay(player)), Some(fixed))?;
    Ok(transcript.operation.run(Arc::new(desk)).await)
}

fn settings(definition: &Definition, params: &BTreeMap<String, Value>) -> Result<DeskSettings, String> {
    let mut given = BTreeMap::new();
    for param in definition.params() {
        let Some(value) = params.get(&param.name) else { continue };
        let value = match value {
            Value::String(text) if param.secret => ParamValue::Secret(SecretString::from(text.clone())),
            Value::String(text) => ParamValue::Plain(toml::Value::String(text.clone())),
            Value::Bool(on) => ParamValue::Plain(toml::Value::Boolean(*on)),
            Value::Number(number) => ParamValue::Plain(toml::Value::Integer(number.as_i64().unwrap_or_default())),
            _ => return Err(format!("the recording's param `{}` is no text, number or boolean", param.name)),
        };
        given.insert(param.name.clone(), value);
    }
    Ok(DeskSettings {
        name: "recorded".to_owned(),
        definition: definition.id.clone(),
        source: DeskSource { origin: definition.origin.clone(), text: String::new() },
        params: given,
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(20),
    })
}

fn compare(recorded: &Value, now: &Value, at: &str, lines: &mut Vec<String>) {
    match (recorded, now) {
        // What is there on one side only is told field by field: a trouble's message says most.
        (Value::Object(_), Value::Null) => compare(recorded, &Value::Object(Map::new()), at, lines),
        (Value::Null, Value::Object(_)) => compare(&Value::Object(Map::new()), now, at, lines),
        (Value::Object(a), Value::Object(b)) => {
            let keys: Vec<&String> = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))).collect();
            for key in keys {
                let place = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                compare(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), &place, lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(a, b, &format!("{at}[{index}]"), lines);
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{at}: recorded {}, now {}", shown(a), shown(b))),
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object with {}", fields.keys().cloned().collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    };
    if text.chars().count() > MAX_SHOWN { text.chars().take(MAX_SHOWN).chain(['…']).collect() } else { text }
}
