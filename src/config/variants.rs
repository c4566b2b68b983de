//! `[[variants]]` of a probe file: tables that are laid over the probe's own, so that one file tests many forms of a request
//! without copies.

use super::read::{At, Doc, FromToml};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The key of the list.
const LIST: &str = "variants";
/// The key of a variant's name.
const NAME: &str = "name";

/// One variant, as far as it can be read by itself: its name. The rest is read once it lies over the probe.
#[derive(Debug, Clone)]
pub struct VariantShape;

impl FromToml for VariantShape {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(table) = value.as_table() else {
            doc.wrong(span, "a table with a `name`", value);
            return None;
        };
        let Some(name) = table.get(NAME) else {
            let help = "add `name`: the variant is then the probe NAME.VARIANT".to_owned();
            doc.problem(span.clone(), "a variant lacks the key `name`", help);
            return None;
        };
        if !name.get_ref().as_str().is_some_and(is_name) {
            let help = "use at most 40 of a-z, 0-9 and `-`".to_owned();
            doc.problem(name.span(), "this cannot be the name of a variant", help);
        }
        if let Some(nested) = table.get(LIST) {
            doc.problem(nested.span(), "a variant has no variants", None);
        }
        Some(VariantShape)
    }
}

impl JsonSchema for VariantShape {
    fn schema_name() -> Cow<'static, str> {
        "Variant".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "Keys and tables of a probe, laid over the probe's own.",
            "type": "object",
            "required": [NAME],
            "properties": { NAME: { "type": "string", "pattern": "^[a-z0-9-]{1,40}$" } },
        })
    }
}

/// A probe's shape under its variant's name.
pub struct Variant<T> {
    /// The variant's own name.
    pub name: String,
    /// The probe with the variant laid over it.
    pub shape: At<T>,
}

/// Reads the variants of a table, each laid over the table itself. What is wrong in the probe is said once.
pub fn read<T: FromToml>(table: &DeTable<'_>, span: &Range<usize>, doc: &mut Doc) -> Vec<Variant<T>> {
    let list = table.get(LIST).and_then(|v| v.get_ref().as_array());
    let mut variants: Vec<Variant<T>> = Vec::new();
    for entry in list.into_iter().flatten() {
        let Some(over) = entry.get_ref().as_table() else { continue };
        let Some(name) = over.get(NAME).and_then(|n| Some((n.get_ref().as_str().filter(|n| is_name(n))?, n.span()))) else { continue };
        if variants.iter().any(|v| v.name == name.0) {
            doc.problem(name.1, format!("there are two variants `{}`", name.0), None);
            continue;
        }
        let merged = laid_over(&without_rivals(table, over), over);
        if let Some(value) = T::read(&DeValue::Table(merged), span, doc) {
            variants.push(Variant { name: name.0.to_owned(), shape: At { value, span: span.clone() } });
        }
    }
    variants
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 40 && name.chars().all(good)
}

/// Keys of which one stands for all: a variant that sets one of them takes the place of the probe's others.
const RIVALS: [&[&str]; 2] = [&["every", "jitter", "cron", "zone"], &["skip", "only"]];

/// The base without what the variant says in other words.
fn without_rivals<'a>(base: &DeTable<'a>, over: &DeTable<'_>) -> DeTable<'a> {
    let mut base = base.clone();
    for group in RIVALS.iter().filter(|group| group.iter().any(|key| over.contains_key(*key))) {
        for key in *group {
            base.remove(*key);
        }
    }
    base
}

/// The base with the variant's keys in the place of its own; tables are joined, lists and values replaced.
fn laid_over<'a>(base: &DeTable<'a>, over: &DeTable<'a>) -> DeTable<'a> {
    let mut merged = base.clone();
    merged.remove(LIST);
    for (key, value) in over.iter().filter(|(key, _)| key.get_ref().as_ref() != NAME) {
        let joined = match (merged.get(key.get_ref().as_ref()).map(|v| (v.span(), v.get_ref())), value.get_ref()) {
            (Some((at, DeValue::Table(base))), DeValue::Table(over)) => toml::Spanned::new(at, DeValue::Table(laid_over(base, over))),
            _ => value.clone(),
        };
        // The old key goes with its place, so that messages point at the variant. A joined table keeps the place of the
        // probe's: what it lacks, the probe lacks too, and that is said once.
        merged.remove(key.get_ref().as_ref());
        merged.insert(key.clone(), joined);
    }
    merged
}
