//! The tables of a desk file, key by key: what the checker knows, what `schema desk` and the reference say.
//!
//! The checker reads a key only when it stands here, so that a key without a description cannot be.

mod chat;
mod create;
mod recipes;
mod tables;

use serde_json::{Value, json};

pub use chat::*;
pub use create::*;
pub use recipes::{ENTRY, FILES, MESSAGE, RECORD, VALUE};
pub use tables::*;

/// One TOML table of a desk file.
#[derive(Debug)]
pub struct Shape {
    /// Its name among the schema's definitions.
    pub name: &'static str,
    /// How it is written, for the reference.
    pub heading: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that later releases will know.
    pub reserved: &'static [&'static str],
}

/// A table whose keys are names of the author's choice.
pub static FREE: Shape = Shape { name: "free", heading: "", doc: "", keys: &[], reserved: &[] };

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// Must be there.
    pub required: bool,
    /// What holds when it is not there, as text of the reference.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// What may stand under a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string.
    Text,
    /// The number of the desk file's format.
    Format,
    /// A whole number between bounds.
    Number(u64, u64),
    /// True or false.
    Bool,
    /// A duration.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words, or one of them.
    Words(&'static [&'static str]),
    /// A string or a list of strings.
    Texts,
    /// HTTP status codes: a number or a list.
    Statuses,
    /// A path into the answer.
    Path,
    /// A path or a list of them.
    Paths,
    /// `step:path`, or a path into the row in hand.
    Source,
    /// A string with `${…}`.
    Template,
    /// Lines with `${…}`: one or a list.
    Templates,
    /// How a time is written.
    Time,
    /// A string, number or boolean.
    Scalar,
    /// Names with templates: a table, or a list of pairs.
    Pairs,
    /// Names with paths, `header:NAME` or `regex:PATTERN`.
    Picks,
    /// Names with CSS selectors.
    Selectors,
    /// Query parameters with the language of their value.
    Languages,
    /// Names with paths or failures.
    Fails,
    /// Names with words that stand for what the desk says.
    Map,
    /// Where a field's value comes from; with the only values that it may give.
    Value(&'static [&'static str]),
    /// `step:path` of an object, or names with values.
    Values,
    /// JSON with templates in its strings.
    Json,
    /// A table.
    Table(&'static Shape),
    /// `[[…]]`.
    Tables(&'static Shape),
    /// Names of the author's choice, each with a table.
    Keyed(&'static Shape),
}

pub(super) const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: false, default: "", doc }
}

impl Key {
    pub(super) const fn required(self) -> Key {
        Key { required: true, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Key {
        Key { default, ..self }
    }
}

impl Shape {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }

    /// The shape of the table, or tables, under a key.
    pub fn inner(&self, name: &str) -> &'static Shape {
        match self.key(name).map(|k| k.kind) {
            Some(Kind::Table(shape) | Kind::Tables(shape)) => shape,
            _ => &FREE,
        }
    }

    /// Every shape that this one reaches, itself first, in the order of the keys.
    pub fn reached(&'static self) -> Vec<&'static Shape> {
        let mut out = vec![self];
        let mut next = 0;
        while next < out.len() {
            for key in out[next].keys {
                for shape in key.kind.shapes() {
                    if !out.iter().any(|s| s.name == shape.name) {
                        out.push(shape);
                    }
                }
            }
            next += 1;
        }
        out
    }

    fn schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> = self.keys.iter().map(|k| (k.name.to_owned(), k.schema())).collect();
        let required: Vec<&str> = self.keys.iter().filter(|k| k.required).map(|k| k.name).collect();
        json!({ "type": "object", "description": self.doc, "additionalProperties": false, "required": required, "properties": properties })
    }
}

impl Key {
    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let Some(object) = schema.as_object_mut() {
            // Beside a `$ref` draft 7 reads nothing else.
            if let Some(reference) = object.remove("$ref") {
                object.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
            }
            object.insert("description".to_owned(), self.doc.into());
        }
        schema
    }
}

fn reference(shape: &Shape) -> Value {
    json!({ "$ref": format!("#/definitions/{}", shape.name) })
}

impl Kind {
    /// The shapes of the tables that may stand there.
    fn shapes(self) -> Vec<&'static Shape> {
        match self {
            Kind::Table(shape) | Kind::Tables(shape) | Kind::Keyed(shape) => vec![shape],
            Kind::Fails => vec![&FAIL],
            Kind::Value(_) | Kind::Values => vec![&VALUE],
            Kind::Json => vec![&EACH, &PAIR, &LIST],
            _ => Vec::new(),
        }
    }

    fn schema(self) -> Value {
        let named = |inner: Value| json!({ "type": "object", "additionalProperties": inner });
        let or_list = |one: Value| json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] });
        let text = json!({ "type": "string" });
        let status = json!({ "type": "integer", "minimum": 100, "maximum": 599 });
        match self {
            Kind::Text | Kind::Path | Kind::Source | Kind::Template => text,
            Kind::Format => json!({ "const": 1 }),
            Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Duration => json!({ "type": "string", "examples": ["90s", "5m", "1h"] }),
            Kind::Word(words) => json!({ "type": "string", "enum": words }),
            Kind::Words(words) => or_list(json!({ "type": "string", "enum": words })),
            Kind::Texts | Kind::Paths | Kind::Templates => or_list(text),
            Kind::Statuses => or_list(status),
            Kind::Time => json!({ "type": "string", "pattern": "^(rfc3339|epoch_s|epoch_ms|naive:.+)$" }),
            Kind::Scalar => json!({ "type": ["string", "integer", "boolean"] }),
            Kind::Pairs => {
                let leaf = json!({ "type": ["string", "integer", "boolean"] });
                let pair = json!({ "type": "array", "items": leaf, "minItems": 2, "maxItems": 2 });
                json!({ "anyOf": [named(leaf.clone()), { "type": "array", "items": pair }] })
            }
            Kind::Picks | Kind::Selectors => named(text),
            Kind::Languages => named(json!({ "type": "string", "enum": super::filter::LANGUAGES })),
            Kind::Fails => named(json!({ "anyOf": [text, reference(&FAIL)] })),
            Kind::Map => named(json!({ "type": ["string", "integer", "boolean"] })),
            Kind::Value(_) => value_schema(),
            Kind::Values => json!({ "anyOf": [text, named(value_schema())] }),
            Kind::Json => json!({}),
            Kind::Table(shape) => reference(shape),
            Kind::Tables(shape) => json!({ "type": "array", "items": reference(shape) }),
            Kind::Keyed(shape) => named(reference(shape)),
        }
    }

    /// In words, for the reference.
    pub fn words(self) -> String {
        let quoted = |words: &[&str]| words.iter().map(|w| format!("`\"{w}\"`")).collect::<Vec<_>>().join(" \\| ");
        match self {
            Kind::Text => "string".to_owned(),
            Kind::Format => "`1`".to_owned(),
            Kind::Number(min, max) => format!("number, {min} to {max}"),
            Kind::Bool => "`true` \\| `false`".to_owned(),
            Kind::Duration => "duration".to_owned(),
            Kind::Word(words) => quoted(words),
            Kind::Words(words) => format!("{}, or a list", quoted(words)),
            Kind::Texts => "string, or a list".to_owned(),
            Kind::Statuses => "status code, or a list".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Paths => "path, or a list".to_owned(),
            Kind::Source => "`step:path`, or a path into the row".to_owned(),
            Kind::Template => "template".to_owned(),
            Kind::Templates => "template, or a list".to_owned(),
            Kind::Time => "`\"rfc3339\"` \\| `\"epoch_s\"` \\| `\"epoch_ms\"` \\| `\"naive:ZONE\"`".to_owned(),
            Kind::Scalar => "string \\| number \\| boolean".to_owned(),
            Kind::Pairs => "names with templates".to_owned(),
            Kind::Picks => "names with paths, `header:NAME` or `regex:PATTERN`".to_owned(),
            Kind::Selectors => "names with CSS selectors".to_owned(),
            Kind::Languages => format!("parameters with {}", quoted(&super::filter::LANGUAGES)),
            Kind::Fails => "names with a path or a failure".to_owned(),
            Kind::Map => "what the desk says = the common word".to_owned(),
            Kind::Value([]) => "value".to_owned(),
            Kind::Value(words) => format!("value: {}", quoted(words)),
            Kind::Values => "`step:path` of an object, or names with values".to_owned(),
            Kind::Json => "JSON with templates".to_owned(),
            Kind::Table(_) => "table".to_owned(),
            Kind::Tables(_) => "tables".to_owned(),
            Kind::Keyed(_) => "tables by name".to_owned(),
        }
    }
}

/// A path, a constant boolean, a list of alternatives, or a table.
fn value_schema() -> Value {
    json!({ "anyOf": [{ "type": ["string", "boolean"] }, { "type": "array" }, reference(&VALUE)] })
}

/// The JSON schema (draft 7, which TOML editors read) of a desk file.
pub fn schema() -> Value {
    let mut schema = ROOT.schema();
    let definitions: serde_json::Map<String, Value> = ROOT.reached().into_iter().skip(1).map(|s| (s.name.to_owned(), s.schema())).collect();
    if let Some(object) = schema.as_object_mut() {
        object.shift_insert(0, "$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        object.shift_insert(1, "title".to_owned(), "desks/ID.toml".into());
        object.insert("definitions".to_owned(), definitions.into());
    }
    schema
}
