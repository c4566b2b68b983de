//! JSON schemas for editors, and the reference for people, both from the shapes themselves.

use super::shape::{ConfigShape, ProbeShape};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::fmt::Write;

/// The JSON schema (draft 7, which TOML editors read) of `config` (replypath.toml) or `probe` (probes/NAME.toml).
pub fn schema(kind: &str) -> Option<Value> {
    match kind {
        "config" => Some(of::<ConfigShape>("replypath.toml")),
        "probe" => Some(of::<ProbeShape>("probes/NAME.toml")),
        _ => None,
    }
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft07().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema.to_value()
}

/// The reference in Markdown of `config` or `probe`: a table of keys for each TOML table.
pub fn reference(kind: &str) -> Option<String> {
    Some(markdown(&schema(kind)?))
}

/// Markdown from any schema in which every table is described in place.
pub fn markdown(schema: &Value) -> String {
    let mut out = format!("# {}\n\n", text(schema, "title"));
    let _ = writeln!(out, "{}\n", text(schema, "description"));
    table(schema, "", &mut out);
    out
}

/// The keys of one table, then its sub-tables.
fn table(schema: &Value, path: &str, out: &mut String) {
    let Some(keys) = schema["properties"].as_object() else { return };
    let required = |key: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|k| k == key));
    out.push_str("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for (key, value) in keys {
        let (meaning, default) = text(value, "description").split_once(" Default: ").unwrap_or((text(value, "description"), ""));
        let default = match value.get("default") {
            Some(default) => format!("`{default}`"),
            None if required(key) => "required".to_owned(),
            None => default.trim_end_matches('.').to_owned(),
        };
        let _ = writeln!(out, "| `{key}` | {} | {} | {} |", cell(&kind(value)), cell(&default), cell(meaning));
    }
    out.push('\n');
    for (key, value) in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let (header, inner) = if value["additionalProperties"]["properties"].is_object() {
            (format!("[{path}.KEY]"), &value["additionalProperties"])
        } else if value["items"]["properties"].is_object() {
            (format!("[[{path}]]"), &value["items"])
        } else if value["properties"].is_object() {
            (format!("[{path}]"), value)
        } else {
            continue;
        };
        let about = inner["$comment"].as_str().unwrap_or(text(inner, "description"));
        let _ = writeln!(out, "## `{header}`\n\n{about}\n");
        table(inner, header.trim_matches(['[', ']']), out);
    }
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

/// A schema's type in words.
fn kind(schema: &Value) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).map(|w| format!("`\"{w}\"`")).collect::<Vec<_>>().join(" | ");
    }
    if let Some(first) = schema["anyOf"].as_array().and_then(|a| a.first()) {
        return format!("{}, or a list", kind(first));
    }
    match schema["type"].as_str() {
        Some("array") if schema["items"]["properties"].is_object() => "tables".to_owned(),
        Some("array") => format!("list: {}", kind(&schema["items"])),
        Some("object") => "table".to_owned(),
        Some("boolean") => "`true` | `false`".to_owned(),
        Some("integer") => "number".to_owned(),
        _ => "string".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
