//! The fields that a desk says its form has: what of them should stay, and what the customer writes into each.

use crate::desk::path::{Json, Path, list, scalar, string};
use crate::desk::recipe::Source;
use crate::engine::ways::FormOrder;
use crate::model::{FieldBy, Fill, FormField};
use jmespath::Variable;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More fields than any form has.
const MAX_FIELDS: usize = 200;

/// Where the desk describes them.
#[derive(Debug)]
pub(crate) struct FieldsMap {
    pub each: Source,
    pub name: Path,
    pub label: Option<Path>,
    pub kind: Option<Path>,
    pub required: Option<Path>,
    pub options: Option<Path>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub name: String,
    pub label: String,
    pub kind: String,
    pub required: bool,
    /// Value and text of each option.
    pub options: Vec<(String, String)>,
}

impl FieldsMap {
    /// The fields of an answer. The error is a broken contract.
    pub fn read(&self, rows: &Json) -> Result<Vec<Described>, String> {
        let rows = rows.as_array().ok_or("the answer does not say which fields the form has")?;
        if rows.len() > MAX_FIELDS {
            return Err(format!("the form is said to have {} fields", rows.len()));
        }
        let text = |path: &Option<Path>, row: &Json| -> Result<Option<String>, String> {
            Ok(path.as_ref().map(|p| p.eval(row)).transpose()?.and_then(|v| scalar(&v)).filter(|t| !t.is_empty()))
        };
        let mut out = Vec::new();
        for row in rows {
            let name = scalar(&self.name.eval(row)?).filter(|n| !n.is_empty()).ok_or("a field has no name")?;
            let options = self.options.as_ref().map(|p| p.eval(row)).transpose()?;
            out.push(Described {
                label: text(&self.label, row)?.unwrap_or_else(|| name.clone()),
                kind: text(&self.kind, row)?.unwrap_or_else(|| "text".to_owned()).to_ascii_lowercase(),
                required: self.required.as_ref().map(|p| p.holds(row)).transpose()?.unwrap_or(false),
                options: options.iter().flat_map(|o| o.as_array()).flatten().filter_map(option).collect(),
                name,
            });
        }
        Ok(out)
    }
}

/// An option: a text, or an object with a value and a text.
fn option(row: &Json) -> Option<(String, String)> {
    if let Some(text) = scalar(row) {
        return Some((text.clone(), text));
    }
    let of = |names: [&str; 3]| names.iter().find_map(|n| scalar(&row.get_field(n)));
    let value = of(["value", "id", "name"]);
    let text = of(["label", "text", "name"]);
    Some((value.clone().or_else(|| text.clone())?, text.or(value)?))
}

impl Described {
    /// For people, and to be compared with the last good run.
    pub fn shown(&self) -> String {
        let options: Vec<&str> = self.options.iter().map(|(_, text)| text.as_str()).collect();
        let options = if options.is_empty() { String::new() } else { format!(": {}", options.join(" | ")) };
        format!("{} ({}{options}){}", self.label, self.kind, if self.required { "*" } else { "" })
    }
}

/// Why a form cannot be filled in as the probe says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    /// The probe names what the form does not have.
    NoField(String),
    /// The form asks for something that the probe does not have.
    Asked(String),
}

/// What is written into each field, as rows with `name` and `value`.
pub(crate) fn fill(fields: &[Described], order: &FormOrder) -> Result<Json, Unfilled> {
    let mut values: BTreeMap<usize, Json> = BTreeMap::new();
    for wanted in &order.form.fields {
        let index = place(fields, &wanted.by).ok_or_else(|| Unfilled::NoField(format!("no field {}", named(&wanted.by))))?;
        values.insert(index, written(&fields[index], wanted)?);
    }
    let mut rows = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let usual = || usual(field, order).map(string);
        match values.remove(&index).or_else(usual) {
            Some(value) => {
                let row = BTreeMap::from([("name".to_owned(), string(field.name.clone())), ("value".to_owned(), value)]);
                rows.push(Arc::new(Variable::Object(row)));
            }
            None if field.required && field.kind != "file" => return Err(Unfilled::Asked(field.shown())),
            None => {}
        }
    }
    Ok(list(rows))
}

fn named(by: &FieldBy) -> String {
    match by {
        FieldBy::Label(text) => format!("with the label `{text}`"),
        FieldBy::Name(text) => format!("named `{text}`"),
        FieldBy::Type(text) => format!("of the type `{text}`"),
        FieldBy::Order(number) => format!("number {number}"),
    }
}

fn place(fields: &[Described], by: &FieldBy) -> Option<usize> {
    match by {
        FieldBy::Name(name) => fields.iter().position(|f| f.name == *name),
        FieldBy::Type(kind) => fields.iter().position(|f| f.kind.eq_ignore_ascii_case(kind)),
        FieldBy::Order(number) => (*number as usize).checked_sub(1).filter(|i| *i < fields.len()),
        FieldBy::Label(label) => {
            let wanted = label.trim().to_lowercase();
            let whole = fields.iter().position(|f| f.label.trim().to_lowercase() == wanted);
            let mut parts = fields.iter().enumerate().filter(|(_, f)| f.label.to_lowercase().contains(&wanted)).map(|(i, _)| i);
            whole.or_else(|| parts.next().filter(|_| parts.next().is_none()))
        }
    }
}

fn written(field: &Described, wanted: &FormField) -> Result<Json, Unfilled> {
    match &wanted.fill {
        Fill::Write(text) => Ok(string(text.clone())),
        Fill::Tick(on) => Ok(Arc::new(Variable::Bool(*on))),
        Fill::Choose(text) => {
            let wanted = text.trim().to_lowercase();
            let whole = field.options.iter().find(|(_, t)| t.trim().to_lowercase() == wanted);
            let mut parts = field.options.iter().filter(|(_, t)| t.to_lowercase().contains(&wanted));
            let found = whole.or_else(|| parts.next().filter(|_| parts.next().is_none()));
            found
                .map(|(value, _)| string(value.clone()))
                .ok_or_else(|| Unfilled::NoField(format!("no option `{text}` in {}", field.shown())))
        }
    }
}

/// What a customer would write there without being told.
fn usual(field: &Described, order: &FormOrder) -> Option<String> {
    let holds = |words: &[&str]| [&field.name, &field.label].iter().any(|t| words.iter().any(|w| t.to_lowercase().contains(w)));
    match field.kind.as_str() {
        "email" => Some(order.customer.address.clone()),
        "textarea" => Some(order.form.text.clone()),
        "text" | "string" | "" if holds(&["mail"]) => Some(order.customer.address.clone()),
        "text" | "string" | "" if holds(&["subject", "title", "summary", "betreff"]) => Some(order.form.subject.clone()),
        "text" | "string" | "" if holds(&["message", "description", "question"]) => Some(order.form.text.clone()),
        "text" | "string" | "" if holds(&["name"]) && !holds(&["company", "user"]) => Some(order.customer.name.clone()),
        _ => None,
    }
}
