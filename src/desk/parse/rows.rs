//! Reads what a step says about lists: which rows are meant, and how further pages are got.

use super::names::{Names, Op};
use crate::desk::definition::{Match, Page, PageKind};
use crate::desk::path::Path;
use crate::desk::reader::Table;
use crate::desk::recipe::TimeKind;
use crate::suggest::suggest;

/// Reads `match`.
pub fn matching(table: &Table<'_>, names: &Names<'_>) -> Match {
    if names.op != Op::Find {
        table.reader.problem(Some(table.span()), "`match` belongs to [[find]]", Some("use `keep` to choose rows".to_owned()));
    }
    let mut fields = Vec::new();
    let node = table.get("field");
    let nodes = node.map(|n| if n.get_ref().is_str() { vec![n] } else { table.reader.list(n, "`field`") }).unwrap_or_default();
    for node in nodes {
        fields.extend(table.reader.path(node, "`field`"));
    }
    let contains = table.get("contains").and_then(|n| names.template(n, "`contains`"));
    if fields.is_empty() != contains.is_none() {
        table.reader.problem(Some(table.span()), "`field` and `contains` belong together", None);
    }
    let kind = time_kind(table, "time");
    let out = Match {
        fields,
        contains,
        created: table.path("created").map(|p| (p, kind)),
        id: table.path("id").unwrap_or_else(|| Path::field("id")),
        number: table.path("number"),
        hold_cause: table.path("hold_cause"),
    };
    table.finish("`match`");
    out
}

/// How a time is written: `rfc3339`, `epoch_s`, `epoch_ms` or `naive:ZONE`.
pub fn time_kind(table: &Table<'_>, key: &'static str) -> TimeKind {
    let Some(node) = table.get(key) else { return TimeKind::Rfc3339 };
    let Some(text) = table.reader.string(node, "`time`") else { return TimeKind::Rfc3339 };
    match text.as_str() {
        "rfc3339" => TimeKind::Rfc3339,
        "epoch_s" => TimeKind::EpochS,
        "epoch_ms" => TimeKind::EpochMs,
        other => match other.strip_prefix("naive:") {
            Some(zone) => {
                if jiff::tz::TimeZone::get(zone).is_err() {
                    table.reader.problem(
                        Some(node.span()),
                        format!("there is no time zone `{zone}`"),
                        Some("an IANA name such as Europe/Berlin".to_owned()),
                    );
                }
                TimeKind::Naive(zone.to_owned())
            }
            None => {
                let help = suggest(other, ["rfc3339", "epoch_s", "epoch_ms"])
                    .map_or_else(|| "rfc3339, epoch_s, epoch_ms or naive:ZONE".to_owned(), |n| format!("did you mean `{n}`?"));
                table.reader.problem(Some(node.span()), format!("there is no kind of time `{other}`"), Some(help));
                TimeKind::Rfc3339
            }
        },
    }
}

/// Reads `page`.
pub fn page(table: &Table<'_>) -> Option<Page> {
    let reader = table.reader;
    let max = table.get("max").and_then(|n| reader.number(n, "`max`", 1..=100));
    if max.is_none() && !table.has("max") {
        reader.problem(Some(table.span()), "`page` needs `max`", Some("say how many pages may be read: max = 3".to_owned()));
    }
    let next_url = table.path("next_url").map(PageKind::NextUrl);
    let link = table.boolean("link_header").unwrap_or(false).then_some(PageKind::LinkHeader);
    let cursor = table.path("cursor");
    let number = table.string("number");
    let offset = table.string("offset");
    let count = table.path("last_from_count");
    let param = table.string("param");
    let from = table.get("from").and_then(|n| reader.number(n, "`from`", 0..=1)).unwrap_or(1);
    let size = table.get("size").and_then(|n| reader.number(n, "`size`", 1..=10_000));
    let newest_first = table.boolean("newest_first").unwrap_or(false);
    let need = |what: &str| reader.problem(Some(table.span()), format!("`page` needs {what}"), None);
    let cursor = match (cursor, param) {
        (Some(path), Some(param)) => Some(PageKind::Cursor { path, param }),
        (Some(_), None) => {
            need("`param` with `cursor`");
            None
        }
        (None, _) => None,
    };
    let offset = match (offset, size) {
        (Some(param), Some(size)) => Some(PageKind::Offset { param, size }),
        (Some(_), None) => {
            need("`size` with `offset`");
            None
        }
        (None, _) => None,
    };
    let number = match (count, number, size) {
        (Some(count), Some(param), Some(size)) => Some(PageKind::LastFromCount { count, param, size }),
        (Some(_), _, _) => {
            need("`number` and `size` with `last_from_count`");
            None
        }
        (None, Some(param), size) => Some(PageKind::Number { param, from, size }),
        (None, None, _) => None,
    };
    let mut kinds: Vec<PageKind> = [next_url, link, cursor, offset, number].into_iter().flatten().collect();
    table.finish("`page`");
    if kinds.len() > 1 {
        reader.problem(
            Some(table.span()),
            "`page` knows one way to go on",
            Some("keep one of next_url, link_header, cursor, number, offset".to_owned()),
        );
    }
    let Some(kind) = kinds.pop() else {
        // A way that lacks a part, or is misspelt, was told by itself.
        if ["next_url", "link_header", "cursor", "number", "offset", "last_from_count"].iter().any(|way| table.has(way)) {
            return None;
        }
        let help = "next_url, link_header, cursor with param, number, offset with size, or last_from_count".to_owned();
        reader.problem(Some(table.span()), "`page` does not say how to go on", Some(help));
        return None;
    };
    Some(Page { kind, max: max.unwrap_or(1) as usize, newest_first })
}
