//! Reads TOML into shapes so that one bad key hides no other: every value keeps its place, every
//! problem is collected, unknown keys are refused with the nearest valid name.

use super::variants::Variant;
use crate::problem::{Problem, nearest, suggest};
use schemars::Schema;
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A value and its bytes in the file.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its bytes.
    pub span: Range<usize>,
}

/// One file being read: its text, what was found wrong in it, and which bytes must not be shown.
#[derive(Debug)]
pub struct Doc {
    /// The file as the user knows it.
    pub name: String,
    /// Its text.
    pub text: Arc<str>,
    found: Vec<Finding>,
    masks: Vec<Range<usize>>,
    /// The key whose value is being read.
    pub key: String,
    /// Keys that a misspelt one stands for, with the begin of their table: they are not missing as well.
    meant: Vec<(usize, &'static str)>,
    /// Keys whose values were refused, with the begin of their table: they are not missing either.
    refused: Vec<(usize, &'static str)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Finding {
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Doc {
    /// A file with its text.
    pub fn new(name: impl Into<String>, text: &str) -> Doc {
        Doc {
            name: name.into(),
            text: text.into(),
            found: Vec::new(),
            masks: Vec::new(),
            key: String::new(),
            meant: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Parses the text. None when it is no TOML: its problems are noted then.
    pub fn parse<T: FromToml>(&mut self) -> Option<At<T>> {
        let text = self.text.clone();
        let (table, errors) = DeTable::parse_recoverable(&text);
        if errors.is_empty() {
            let span = table.span();
            return T::read(&DeValue::Table(table.into_inner()), &span, self).map(|value| At { value, span });
        }
        self.mask_likely_secrets();
        for error in errors {
            self.problem(error.span(), error.message().to_owned(), None);
        }
        None
    }

    /// Parses a probe's text with its variants. What was said of the probe is not said again of each variant.
    pub fn parse_with_variants<T: FromToml>(&mut self) -> (Option<At<T>>, Vec<Variant<T>>) {
        let probe = self.parse::<T>();
        if probe.is_none() {
            return (None, Vec::new());
        }
        let text = self.text.clone();
        let (table, _) = DeTable::parse_recoverable(&text);
        let variants = super::variants::read(table.get_ref(), &table.span(), self);
        (probe, variants)
    }

    /// Notes a problem, once.
    pub fn problem(&mut self, span: impl Into<Option<Range<usize>>>, message: impl Into<String>, help: impl Into<Option<String>>) {
        let finding = Finding { span: span.into(), message: message.into(), help: help.into() };
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    /// Notes that a value has the wrong type or form: `expected` completes "must be …".
    pub fn wrong(&mut self, span: &Range<usize>, expected: &str, found: &DeValue<'_>) {
        let found = match found.as_integer() {
            Some(number) => format!("the number {}", number.as_str()),
            None => kind(found).to_owned(),
        };
        self.problem(span.clone(), format!("`{}` must be {expected}, found {found}", self.key), None);
    }

    /// Keeps these bytes out of every message.
    pub fn mask(&mut self, span: Range<usize>) {
        self.masks.push(span);
    }

    /// True when something within these bytes was found wrong.
    pub fn has_problem_within(&self, place: &Range<usize>) -> bool {
        self.found.iter().filter_map(|f| f.span.as_ref()).any(|s| s.start >= place.start && s.start < place.end)
    }

    /// True when something in this table was found wrong: between its braces, or from its header to the next one.
    pub fn table_has_problem(&self, table: &Range<usize>) -> bool {
        let headed = self.text.get(table.clone()).is_some_and(|raw| raw.starts_with('['));
        let from = table.end.min(self.text.len());
        let end = if headed { self.text[from..].find("\n[").map_or(self.text.len(), |i| from + i) } else { table.end };
        self.has_problem_within(&(table.start..end))
    }

    /// True when a key of this table is not there, and nothing was said of it yet: no misspelt one stands for it, and no value of
    /// it was refused.
    pub fn lacks<T>(&self, value: &Option<T>, table: &Range<usize>, key: &'static str) -> bool {
        let said = |list: &[(usize, &'static str)]| list.contains(&(table.start, key));
        value.is_none() && !said(&self.meant) && !said(&self.refused)
    }

    /// The line of a place, counted from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        let end = span.start.min(self.text.len());
        self.text.as_bytes()[..end].iter().filter(|b| **b == b'\n').count() + 1
    }

    /// The bytes of `part` of a string value, where the string stands in the file as it is; else the whole value.
    pub fn inside(&self, span: &Range<usize>, value: &str, part: Range<usize>) -> Range<usize> {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        match raw.find(value) {
            Some(offset) if !value.is_empty() => span.start + offset + part.start..span.start + offset + part.end,
            _ => span.clone(),
        }
    }

    /// All problems in the order of their places, with secrets made unreadable.
    pub fn finish(mut self) -> Vec<Problem> {
        let text: Arc<str> = if self.masks.is_empty() { self.text.clone() } else { masked(&self.text, &self.masks).into() };
        self.found.sort_by_key(|f| f.span.as_ref().map(|s| (s.start, s.end)));
        let file = self.name;
        self.found
            .into_iter()
            .map(|f| Problem { file: file.clone(), text: Some(text.clone()), span: f.span, message: f.message, help: f.help })
            .collect()
    }

    /// A file that is no TOML gives no values; what looks like a secret by its key is hidden all the same.
    fn mask_likely_secrets(&mut self) {
        let mut begin = 0;
        let mut inside = false;
        for line in self.text.clone().split_inclusive('\n') {
            let end = begin + line.trim_end().len();
            if inside {
                self.mask(begin..end);
            } else if let Some(equals) = line.find('=').filter(|_| looks_secret(line)) {
                self.mask(begin + equals + 1..end);
            }
            // Only a secret's own lines are followed: other long texts are left alone.
            let quotes = line.matches("\"\"\"").count() + line.matches("'''").count();
            inside = quotes % 2 != usize::from(inside) && (inside || looks_secret(line));
            begin += line.len();
        }
    }
}

/// True when a key of this name is likely to hold a secret.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key", "bearer"].iter().any(|word| name.contains(word))
}

fn masked(text: &str, masks: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if !c.is_whitespace() && masks.iter().any(|m| m.contains(&at)) {
            // As many bytes as before, so that spans stay right.
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

/// A value's type with its article.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value.type_str() {
        "string" => "a string",
        "integer" => "a whole number",
        "float" => "a number",
        "boolean" => "a truth value",
        "datetime" => "a date",
        "array" => "a list",
        _ => "a table",
    }
}

/// What can be read from TOML. `None`: a problem was noted.
pub trait FromToml: Sized {
    /// Reads a value; notes every problem in `doc`.
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self>;
}

/// A key of a table, for messages and the schema.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// True for the tables of `replypath.toml` in which passwords and tokens stand.
fn may_hold_secrets(label: &str) -> bool {
    ["an account", "an intake", "`imap`", "`smtp`", "a desk", "[page]"].contains(&label)
}

/// Refuses every key of `table` that is not in `keys`.
pub fn refuse_unknown(table: &DeTable<'_>, span: &Range<usize>, keys: &[Key], label: &str, doc: &mut Doc) {
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        if keys.iter().any(|k| k.name == name) {
            continue;
        }
        // A secret under a misspelt key must not be shown; a table's header holds none.
        let header = doc.text.get(value.span()).is_some_and(|raw| raw.starts_with('['));
        if may_hold_secrets(label) && !(value.get_ref().is_table() && header) {
            doc.mask(value.span());
        }
        let names: Vec<&'static str> = keys.iter().map(|k| k.name).collect();
        doc.meant.extend(nearest(name, names.iter().copied()).map(|near| (span.start, near)));
        doc.problem(key.span(), format!("unknown key `{name}` in {label}"), suggest(name, &names, "valid keys"));
    }
}

/// Reads one key of a table. A missing one is a problem only when it is `required`.
pub fn read_key<T: FromToml>(
    table: &DeTable<'_>,
    span: &Range<usize>,
    key: Key,
    required: bool,
    label: &str,
    doc: &mut Doc,
) -> Option<At<T>> {
    let Some(value) = table.get(key.name) else {
        if required && !doc.meant.contains(&(span.start, key.name)) {
            let place = (span.start != span.end && *span != (0..doc.text.len())).then(|| span.clone());
            doc.problem(place, format!("{label} lacks the key `{}`", key.name), format!("add `{}`: {}", key.name, fragment(key.doc)));
        }
        return None;
    };
    doc.key.clear();
    doc.key.push_str(key.name);
    let place = value.span();
    let read = T::read(value.get_ref(), &place, doc).map(|value| At { value, span: place });
    if read.is_none() {
        doc.refused.push((span.start, key.name));
    }
    read
}

fn fragment(text: &str) -> String {
    let text = text.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// Declares the shape of one TOML table: a struct whose every field is an optional value with its
/// place, the reader that fills it, and its JSON schema, all from one list.
macro_rules! table {
    ($(#[doc = $doc:literal])+ $name:ident $label:literal {
        $( $(#[doc = $field_doc:literal])+ $need:ident $field:ident : $type:ty $(= $default:tt)? , )*
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: Option<$crate::config::read::At<$type>>, )*
        }

        impl $name {
            /// The table's keys.
            pub const KEYS: &'static [$crate::config::read::Key] = &[$( $crate::config::read::Key {
                name: $crate::config::read::plain(stringify!($field)),
                doc: $crate::config::read::trimmed(concat!($($field_doc),+)),
            } ),*];
        }

        impl $crate::config::read::FromToml for $name {
            fn read(
                value: &toml::de::DeValue<'_>,
                span: &std::ops::Range<usize>,
                doc: &mut $crate::config::read::Doc,
            ) -> Option<Self> {
                let Some(table) = value.as_table() else {
                    doc.wrong(span, "a table", value);
                    return None;
                };
                $crate::config::read::refuse_unknown(table, span, Self::KEYS, $label, doc);
                let mut keys = Self::KEYS.iter().copied();
                let mut shape = Self::default();
                $( if let Some(key) = keys.next() {
                    let required = $crate::config::read::required!($need);
                    shape.$field = $crate::config::read::read_key(table, span, key, required, $label, doc);
                } )*
                Some(shape)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).trim_end_matches("Shape").into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties = serde_json::Map::new();
                let mut needed: Vec<&str> = Vec::new();
                let mut keys = Self::KEYS.iter();
                $( if let Some(key) = keys.next() {
                    let default: Option<serde_json::Value> = None$(.or(Some(serde_json::json!($default))))?;
                    let schema = generator.subschema_for::<$type>();
                    properties.insert(key.name.to_owned(), $crate::config::read::described(schema, key.doc, default));
                    if $crate::config::read::required!($need) {
                        needed.push(key.name);
                    }
                } )*
                schemars::json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "type": "object",
                    "additionalProperties": false,
                    "required": needed,
                    "properties": properties,
                })
            }
        }
    };
}
pub(crate) use table;

/// Whether a key must be there.
macro_rules! required {
    (required) => {
        true
    };
    (optional) => {
        false
    };
}
pub(crate) use required;

/// Declares the words of an enum as they stand in TOML.
macro_rules! choice {
    ($type:ty { $( $word:literal => $value:expr ),+ $(,)? }) => {
        impl $crate::config::read::FromToml for $type {
            fn read(
                value: &toml::de::DeValue<'_>,
                span: &std::ops::Range<usize>,
                doc: &mut $crate::config::read::Doc,
            ) -> Option<Self> {
                match value.as_str() {
                    $( Some($word) => Some($value), )+
                    other => {
                        $crate::config::read::refuse_word(other, &[$($word),+], value, span, doc);
                        None
                    }
                }
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use choice;

/// Gives a kind of value its place in the schema: a title for the reference, and what an editor can check.
macro_rules! value_schema {
    ($($type:ty => $schema:tt),+ $(,)?) => {$(
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )+};
}
pub(crate) use value_schema;

/// Notes that a word is none of `words`.
pub fn refuse_word(word: Option<&str>, words: &[&str], value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) {
    let list = words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
    match word {
        Some(word) => {
            let key = doc.key.clone();
            doc.problem(span.clone(), format!("`{key}` cannot be \"{word}\""), suggest(word, words, "valid words"));
        }
        None => doc.wrong(span, &format!("one of {list}"), value),
    }
}

/// A field's name without the mark of a raw identifier.
pub const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// A doc comment without the space before it.
pub const fn trimmed(doc: &'static str) -> &'static str {
    doc.trim_ascii()
}

/// A key's schema with its meaning and its default.
pub fn described(schema: Schema, doc: &str, default: Option<serde_json::Value>) -> serde_json::Value {
    let mut value = schema.to_value();
    if let Some(object) = value.as_object_mut() {
        // A table's own text says more than the key that holds it; the reference shows both.
        if let Some(of_table) = object.insert("description".into(), doc.into()) {
            object.insert("$comment".into(), of_table);
        }
        if let Some(default) = default {
            object.insert("default".into(), default);
        }
    }
    value
}
