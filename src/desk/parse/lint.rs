//! What a step says that cannot be meant, or that would make its answers untrustworthy.

use super::names::Op;
use crate::desk::definition::{Answer, Body, Method, PickSource, Shape, Step};
use crate::desk::reader::Table;

/// Keys that need one another.
pub fn consistent(table: &Table<'_>, step: &Step) {
    let has = |key: &str| table.key_span(key).is_some();
    let lacks = |key: &str| !table.has(key);
    for key in ["match", "keep", "page"] {
        if has(key) && lacks("rows") {
            let help = "say where the list is: rows = \"items\"".to_owned();
            table.reader.problem(table.key_span(key), format!("`{key}` needs `rows`"), Some(help));
        }
    }
    if has("trail") && lacks("keep") {
        table.reader.problem(
            table.key_span("trail"),
            "`trail` needs `keep`",
            Some("keep says which rows count, trail which ones follow them".to_owned()),
        );
    }
    if step.cache.is_some() && step.method != Method::Get {
        table.reader.problem(table.key_span("cache"), "only a get can be cached", None);
    }
    if has("select") != (step.answer == Answer::Html) {
        let key = if has("select") { "select" } else { "as" };
        table.reader.problem(table.key_span(key), "`select` and as = \"html\" belong together", None);
    }
    if !matches!(step.answer, Answer::Json | Answer::Html) && (step.rows.is_some() || step.check.is_some() || step.empty_if.is_some()) {
        table.reader.problem(table.key_span("as"), "rows, check and empty_if need as = \"json\" or \"html\"", None);
    }
    if step.body.is_some() && (has("get") || has("get_url")) {
        table.reader.problem(table.key_span("body"), "a get has no body", Some("use `query`".to_owned()));
    }
}

/// Keys that would let a wrong answer pass for a right one.
pub fn trustworthy(table: &Table<'_>, step: &Step, op: Op, index: usize) {
    let refuse = |key: &str, message: String, help: &str| {
        let span = table.key_span(key).unwrap_or_else(|| table.span());
        table.reader.problem(Some(span), message, Some(help.to_owned()));
    };
    for status in &step.empty_status {
        if matches!(status, 401 | 403 | 407 | 408 | 429 | 500..=599) {
            let help = "such an answer means that replypath could not look; a request would be called lost for it";
            refuse("empty_status", format!("{status} cannot mean \"nothing there\""), help);
        }
    }
    if step.cache.is_some() {
        let own = index == 0 && matches!(op, Op::Id | Op::Ticket);
        if own || step.matching.is_some() {
            refuse(
                "cache",
                "the answer of this step must not be cached".to_owned(),
                "it must be fresh; cache names of queues and the like, never the ticket itself",
            );
        }
        if step.page.is_some() {
            refuse("cache", "a list in pages cannot be cached".to_owned(), "take out `cache` or `page`");
        }
        if step.pick.iter().any(|p| matches!(p.source, PickSource::Header(_))) {
            refuse("cache", "a header of a cached answer cannot be picked".to_owned(), "pick from the body, or take out `cache`");
        }
    }
    if step.writes() && spam(step) {
        let key = if step.body.is_some() { "body" } else { "id" };
        refuse(
            key,
            "marking as spam is refused".to_owned(),
            "desks block the sender for it, and no later probe would arrive: close or delete",
        );
    }
}

/// True when the call seems to mark a ticket as spam.
fn spam(step: &Step) -> bool {
    let path = step.target.text().split(['/', '_', '-']).any(word);
    path || match &step.body {
        Some(Body::Json(shape)) => in_shape(shape),
        Some(Body::Form(pairs) | Body::Multipart { fields: pairs, .. }) => {
            pairs.iter().any(|(name, value)| word(name) || word(value.text()))
        }
        _ => false,
    }
}

fn word(text: &str) -> bool {
    text.eq_ignore_ascii_case("spam")
}

fn in_shape(shape: &Shape) -> bool {
    match shape {
        Shape::Leaf(template) => word(template.text()),
        Shape::Map(entries) => entries.iter().any(|(key, inner)| word(key) && !off(inner) || in_shape(inner)),
        Shape::List(items) => items.iter().any(in_shape),
        Shape::Each { item, .. } => in_shape(item),
        Shape::EachPair { value, .. } => in_shape(value),
        Shape::Const(_) | Shape::ListOf { .. } => false,
    }
}

/// `spam = false` takes a mark away.
fn off(shape: &Shape) -> bool {
    matches!(shape, Shape::Const(value) if *value == serde_json::Value::Bool(false))
}
