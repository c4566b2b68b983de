//! Secrets and the values of a desk's params as they stand in `replypath.toml`.

use super::read::{At, Doc, FromToml, looks_secret, value_schema};
use super::values::integer;
use crate::problem::suggest;
use secrecy::SecretString;
use std::ops::Range;
use toml::de::DeValue;

/// A secret: in the file itself, in an environment variable, or in a file of its own.
#[derive(Debug, Clone)]
pub enum SecretText {
    /// `"…"`
    Inline(SecretString),
    /// `{ env = "X" }`
    Env(At<String>),
    /// `{ file = "…" }`
    File(At<String>),
}

const SECRET_FORMS: &str = "write \"…\", { env = \"NAME\" } or { file = \"path\" }";

impl SecretText {
    /// Reads a table with the one key `env` or `file`.
    pub fn read_table(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let table = value.as_table()?;
        // A secret written into the table by mistake must not be shown.
        let foreign = |key: &str| key != "env" && key != "file";
        table.iter().filter(|(key, _)| foreign(key.get_ref())).for_each(|(_, value)| doc.mask(value.span()));
        let mut entries = table.iter();
        let (Some((key, place)), None) = (entries.next(), entries.next()) else {
            let message = format!("`{}` must name one source", doc.key);
            doc.problem(span.clone(), message, SECRET_FORMS.to_owned());
            return None;
        };
        let name = key.get_ref().as_ref();
        let Some(source) = place.get_ref().as_str() else {
            doc.problem(place.span(), format!("`{name}` must be a string"), SECRET_FORMS.to_owned());
            return None;
        };
        let source = At { value: source.to_owned(), span: place.span() };
        match name {
            "env" => Some(SecretText::Env(source)),
            "file" => Some(SecretText::File(source)),
            _ => {
                let help = format!("{} ({SECRET_FORMS})", suggest(name, &["env", "file"], "sources"));
                doc.problem(key.span(), format!("unknown source `{name}` of a secret"), help);
                None
            }
        }
    }
}

impl FromToml for SecretText {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        if let Some(text) = value.as_str() {
            doc.mask(span.clone());
            return Some(SecretText::Inline(text.to_owned().into()));
        }
        if value.is_table() {
            return SecretText::read_table(value, span, doc);
        }
        doc.mask(span.clone());
        let message = format!("`{}` must be a secret", doc.key);
        doc.problem(span.clone(), message, SECRET_FORMS.to_owned());
        None
    }
}

/// A value for a desk definition's param: plain, or a secret from elsewhere.
#[derive(Debug, Clone)]
pub enum ParamText {
    /// Written in the file.
    Plain(toml::Value),
    /// From the environment or a file.
    Secret(SecretText),
}

impl FromToml for ParamText {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        if value.is_table() {
            return SecretText::read_table(value, span, doc).map(ParamText::Secret);
        }
        if looks_secret(&doc.key) {
            doc.mask(span.clone());
        }
        plain_value(value).map(ParamText::Plain)
    }
}

fn plain_value(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(_) => toml::Value::Integer(integer(value)?),
        DeValue::Float(number) => toml::Value::Float(number.as_str().parse().ok()?),
        DeValue::Boolean(truth) => toml::Value::Boolean(*truth),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(list) => toml::Value::Array(list.iter().filter_map(|v| plain_value(v.get_ref())).collect()),
        DeValue::Table(table) => {
            toml::Value::Table(table.iter().filter_map(|(k, v)| Some((k.get_ref().to_string(), plain_value(v.get_ref())?))).collect())
        }
    })
}

value_schema!(
    SecretText => {
        "title": "secret",
        "anyOf": [
            { "type": "string" },
            { "type": "object", "required": ["env"], "additionalProperties": false, "properties": { "env": { "type": "string" } } },
            { "type": "object", "required": ["file"], "additionalProperties": false, "properties": { "file": { "type": "string" } } },
        ],
    },
    ParamText => {
        "title": "value or secret",
        "anyOf": [
            { "type": ["string", "integer", "number", "boolean", "array"] },
            { "type": "object", "required": ["env"], "additionalProperties": false, "properties": { "env": { "type": "string" } } },
            { "type": "object", "required": ["file"], "additionalProperties": false, "properties": { "file": { "type": "string" } } },
        ],
    },
);
