//! Lists and tables with free keys, read so that a faulty entry hides no other.

use super::read::{At, Doc, FromToml, kind};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use std::ops::Range;
use toml::de::DeValue;

/// The entries of a table with free keys, in the order of the file.
#[derive(Debug, Clone)]
pub struct Keyed<T> {
    /// Keys and values.
    pub entries: Vec<(At<String>, At<T>)>,
    /// False when an entry could not be read, which was noted.
    pub complete: bool,
}

impl<T: FromToml> FromToml for Keyed<T> {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(table) = value.as_table() else {
            doc.wrong(span, "a table", value);
            return None;
        };
        let mut entries = Vec::new();
        for (key, value) in table.iter() {
            doc.key = key.get_ref().to_string();
            let name = At { value: doc.key.clone(), span: key.span() };
            let span = value.span();
            if let Some(value) = T::read(value.get_ref(), &span, doc) {
                entries.push((name, At { value, span }));
            }
        }
        entries.sort_by_key(|(k, _)| k.span.start);
        Some(Keyed { complete: entries.len() == table.len(), entries })
    }
}

impl<T: JsonSchema> JsonSchema for Keyed<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Keyed_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": entry })
    }
}

/// A list; an entry that cannot be read does not hide the others.
#[derive(Debug, Clone)]
pub struct List<T>(pub Vec<At<T>>);

impl<T: FromToml> FromToml for List<T> {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(array) = value.as_array() else {
            let raw = doc.text.get(span.clone()).filter(|raw| !raw.contains('\n'));
            let help = raw.and_then(|raw| match value {
                DeValue::Table(_) if raw.starts_with('[') => Some(format!("write [{raw}], once for each entry")),
                DeValue::String(_) | DeValue::Table(_) => Some(format!("write {} = [{raw}]", doc.key)),
                _ => None,
            });
            doc.problem(span.clone(), format!("`{}` must be a list, found {}", doc.key, kind(value)), help);
            return None;
        };
        // An entry that is a table has keys of its own.
        let key = doc.key.clone();
        let read = |v: &toml::Spanned<DeValue<'_>>| {
            doc.key.clone_from(&key);
            T::read(v.get_ref(), &v.span(), doc).map(|value| At { value, span: v.span() })
        };
        Some(List(array.iter().filter_map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("List_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": entry })
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone)]
pub struct OneOrMany<T>(pub Vec<At<T>>);

impl<T: FromToml> FromToml for OneOrMany<T> {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        if value.is_array() {
            return List::read(value, span, doc).map(|list| OneOrMany(list.0));
        }
        T::read(value, span, doc).map(|value| OneOrMany(vec![At { value, span: span.clone() }]))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [entry, { "type": "array", "items": entry }] })
    }
}
