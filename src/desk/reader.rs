//! Reading TOML with positions: every problem is collected, none stops the reading.

use super::path::{Path, PathError};
use super::shape::Shape;
use crate::problem::Problem;
use crate::suggest::suggest;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of the file.
pub type Span = Range<usize>;
/// A value with its place.
pub type Node<'t> = &'t Spanned<DeValue<'t>>;

/// Collects problems of one file.
pub struct Reader {
    file: String,
    text: Arc<str>,
    problems: RefCell<Vec<Problem>>,
}

impl Reader {
    /// A reader for one file.
    pub fn new(file: &str, text: &str) -> Reader {
        Reader { file: file.to_owned(), text: Arc::from(text), problems: RefCell::default() }
    }

    /// Notes a problem.
    pub fn problem(&self, span: Option<Span>, message: impl Into<String>, help: Option<String>) {
        let problem = Problem { file: self.file.clone(), text: Some(self.text.clone()), span, message: message.into(), help };
        self.problems.borrow_mut().push(problem);
    }

    /// The problems so far, in the order of the file.
    pub fn problems(self) -> Vec<Problem> {
        let mut all = self.problems.into_inner();
        all.sort_by_key(|p| p.span.as_ref().map_or(usize::MAX, |s| s.start));
        all
    }

    /// Notes a problem inside a string value, at the byte `offset` of its content where that can be told.
    pub fn inside(&self, node: Node<'_>, text: &str, error: PathError) {
        let span = self.inner_span(node, text, error.offset, None);
        self.problem(Some(span), error.message, error.help);
    }

    /// The place of a part of a string value. A string with escapes is pointed at as a whole.
    pub fn inner_span(&self, node: Node<'_>, text: &str, offset: usize, length: Option<usize>) -> Span {
        let span = node.span();
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let Some(start) = raw.find(text).filter(|_| !text.is_empty()) else { return span };
        let from = span.start + start + offset.min(text.len());
        let to = length.map_or(span.start + start + text.len(), |l| from + l);
        if from >= to { span } else { from..to.min(span.end) }
    }

    /// A string, or a problem.
    pub fn string(&self, node: Node<'_>, what: &str) -> Option<String> {
        let found = node.get_ref().as_str().map(str::to_owned);
        if found.is_none() {
            self.wrong(node, what, "a string");
        }
        found
    }

    /// A boolean, or a problem.
    pub fn boolean(&self, node: Node<'_>, what: &str) -> Option<bool> {
        let found = node.get_ref().as_bool();
        if found.is_none() {
            self.wrong(node, what, "true or false");
        }
        found
    }

    /// A whole number between bounds, or a problem.
    pub fn number(&self, node: Node<'_>, what: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let found = node.get_ref().as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        match found {
            Some(n) if bounds.contains(&n) => Some(n),
            Some(_) => {
                self.problem(Some(node.span()), format!("{what} must be between {} and {}", bounds.start(), bounds.end()), None);
                None
            }
            None => {
                self.wrong(node, what, "a whole number");
                None
            }
        }
    }

    /// A duration such as `"90s"` or `"1h"`, or a problem.
    pub fn duration(&self, node: Node<'_>, what: &str) -> Option<Duration> {
        let Some(text) = node.get_ref().as_str() else {
            self.wrong(node, what, "a duration such as \"90s\"");
            return None;
        };
        let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
        if parsed.is_none() {
            self.problem(
                Some(node.span()),
                format!("{what} is no duration"),
                Some("write for instance \"90s\", \"5m\" or \"1h\"".to_owned()),
            );
        }
        parsed
    }

    /// A path, or a problem.
    pub fn path(&self, node: Node<'_>, what: &str) -> Option<Path> {
        let text = self.string(node, what)?;
        Path::parse(&text).map_err(|e| self.inside(node, &text, e)).ok()
    }

    /// A table with the keys of `shape`, or a problem.
    pub fn table<'t>(&'t self, node: Node<'t>, what: &str, shape: &'static Shape) -> Option<Table<'t>> {
        match node.get_ref() {
            DeValue::Table(table) => Some(Table::new(self, table, node.span(), shape)),
            _ => {
                self.wrong(node, what, "a table");
                None
            }
        }
    }

    /// A list's elements, or a problem.
    pub fn list<'t>(&self, node: Node<'t>, what: &str) -> Vec<Node<'t>> {
        match node.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => {
                self.wrong(node, what, "a list");
                Vec::new()
            }
        }
    }

    /// Notes that a value has the wrong type.
    pub fn wrong(&self, node: Node<'_>, what: &str, expected: &str) {
        let found = match node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(Some(node.span()), format!("{what} must be {expected}, found {found}"), None);
    }
}

/// A table that knows which of its keys were asked for.
pub struct Table<'t> {
    /// Where problems go.
    pub reader: &'t Reader,
    table: &'t DeTable<'t>,
    span: Span,
    shape: &'static Shape,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    /// A table to be read key by key.
    pub fn new(reader: &'t Reader, table: &'t DeTable<'t>, span: Span, shape: &'static Shape) -> Table<'t> {
        Table { reader, table, span, shape, asked: RefCell::default() }
    }

    /// The table's place.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// A key's value.
    pub fn get(&self, key: &'static str) -> Option<Node<'t>> {
        debug_assert!(self.shape.keys.is_empty() || self.shape.key(key).is_some(), "`{key}` is not described in `{}`", self.shape.name);
        self.asked.borrow_mut().push(key);
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    /// A key's place.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(k, _)| k.span())
    }

    /// True when the key is there, or is meant by one that is misspelt: then it is not missing as well.
    pub fn has(&self, key: &str) -> bool {
        let keys = || self.shape.keys.iter().map(|k| k.name);
        let meant = |name: &str| keys().all(|k| k != name) && suggest(name, keys()) == Some(key);
        self.table.iter().any(|(k, _)| k.get_ref() == key || meant(k.get_ref()))
    }

    /// All keys in the order of the file.
    pub fn entries(&self) -> Vec<(&'t str, Span, Node<'t>)> {
        let mut all: Vec<_> = self.table.iter().map(|(k, v)| (k.get_ref().as_ref(), k.span(), v)).collect();
        all.sort_by_key(|(_, span, _)| span.start);
        all
    }

    /// What a key means, as a help.
    pub fn meaning(&self, key: &str) -> Option<String> {
        self.shape.key(key).map(|k| format!("its meaning: {}", k.doc))
    }

    /// A string.
    pub fn string(&self, key: &'static str) -> Option<String> {
        self.get(key).and_then(|n| self.reader.string(n, &format!("`{key}`")))
    }

    /// A boolean.
    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.get(key).and_then(|n| self.reader.boolean(n, &format!("`{key}`")))
    }

    /// A path.
    pub fn path(&self, key: &'static str) -> Option<Path> {
        self.get(key).and_then(|n| self.reader.path(n, &format!("`{key}`")))
    }

    /// A list of strings; a single string is a list of one.
    pub fn strings(&self, key: &'static str) -> Vec<(String, Span)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let what = format!("`{key}`");
        if let Some(one) = node.get_ref().as_str() {
            return vec![(one.to_owned(), node.span())];
        }
        self.reader.list(node, &what).into_iter().filter_map(|n| Some((self.reader.string(n, &what)?, n.span()))).collect()
    }

    /// HTTP status codes; a single number is a list of one.
    pub fn statuses(&self, key: &'static str) -> Vec<u16> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let what = format!("a code of `{key}`");
        let nodes = if node.get_ref().is_integer() { vec![node] } else { self.reader.list(node, &format!("`{key}`")) };
        nodes.into_iter().filter_map(|n| self.reader.number(n, &what, 100..=599)).filter_map(|n| u16::try_from(n).ok()).collect()
    }

    /// A table under a key.
    pub fn table(&self, key: &'static str) -> Option<Table<'t>> {
        self.get(key).and_then(|n| self.reader.table(n, &format!("`{key}`"), self.shape.inner(key)))
    }

    /// The tables of a list under a key.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'t>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let what = format!("`{key}`");
        self.reader.list(node, &what).into_iter().filter_map(|n| self.reader.table(n, &what, self.shape.inner(key))).collect()
    }

    /// Notes every key that nobody asked for.
    pub fn finish(&self, what: &str) {
        let asked = self.asked.borrow();
        #[cfg(test)]
        ASKED.with_borrow_mut(|all| all.extend(asked.iter().map(|key| (self.shape.name, *key))));
        for (key, span, _) in self.entries() {
            if asked.contains(&key) {
                continue;
            }
            if self.shape.reserved.contains(&key) {
                self.reader.problem(Some(span), format!("`{key}` is reserved, not in this release"), Some("take it out".to_owned()));
                continue;
            }
            if self.shape.key(key).is_some() {
                let message = format!("`{key}` does not go with the other keys of {what}");
                self.reader.problem(Some(span), message, self.meaning(key));
                continue;
            }
            let help = match suggest(key, asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", names(&asked)),
            };
            self.reader.problem(Some(span), format!("{what} has no key `{key}`"), Some(help));
        }
    }
}

fn names(asked: &[&'static str]) -> String {
    let mut sorted = asked.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.join(", ")
}

#[cfg(test)]
thread_local! {
    /// Shapes and keys that were asked for, for the proof that no description is left without a reader.
    pub static ASKED: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>> = RefCell::default();
}
