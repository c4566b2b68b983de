//! Reads `[record]`, `[message]` and `[history.entry]`: how answers become tickets, messages and changes.

use super::names::{ItemKind, Names};
use super::rows::time_kind;
use crate::desk::definition::Step;
use crate::desk::reader::{Node, Table};
use crate::desk::recipe::{Decode, EntryMap, Field, FileBytes, FilesMap, MessageMap, Record, Source, Timed};
use crate::desk::shape::{FREE, VALUE};
use crate::suggest::suggest;
use toml::de::DeValue;

/// Values that a mapped status may have.
pub const STATUSES: [&str; 7] = ["new", "open", "waiting", "closed", "spam", "bot", "deleted"];
/// Values that a mapped author may have.
pub const AUTHORS: [&str; 3] = ["customer", "agent", "system"];
/// Values that a mapped `public` may have.
pub const TRUTH: [&str; 2] = ["true", "false"];

/// Reads `[record]`.
pub fn record(table: &Table<'_>, names: &Names<'_>) -> Option<Record> {
    let mut fields_from = None;
    let mut fields = Vec::new();
    if let Some(node) = table.get("fields") {
        if node.get_ref().is_str() {
            fields_from = names.source(node, "`fields`");
        } else if let Some(inner) = names.reader.table(node, "`fields`", &FREE) {
            fields = inner.entries().into_iter().filter_map(|(k, _, n)| Some((k.to_owned(), field(n, names, &[])?))).collect();
        }
    }
    let one = |key: &'static str| table.get(key).and_then(|n| field(n, names, &[]));
    let id = one("id");
    if id.is_none() && !table.has("id") {
        names.reader.problem(Some(table.span()), "[record] needs `id`", Some("id = \"step:path\"".to_owned()));
    }
    let record = Record {
        number: one("number"),
        subject: one("subject"),
        queue: one("queue"),
        status: table.get("status").and_then(|n| field(n, names, &STATUSES)),
        priority: one("priority"),
        channel: one("channel"),
        requester: one("requester"),
        hold_cause: one("hold_cause"),
        tags: table.get("tags").and_then(|n| names.source(n, "`tags`")),
        created: table.get("created").and_then(|n| timed(n, names)),
        fields_from,
        fields,
        id: id.clone().unwrap_or(Field::Fixed(String::new())),
    };
    table.finish("[record]");
    id.map(|_| record)
}

/// Reads `[message]`. `steps` are those of `[messages]`, `names` holds the steps of `read` too.
pub fn message(table: &Table<'_>, names: &Names<'_>, steps: &[Step]) -> Option<MessageMap> {
    let main = main_step(table, names, steps)?;
    let mut names = names.clone();
    names.steps.push("trail".to_owned());
    let names = &names;
    let one = |key: &'static str| table.get(key).and_then(|n| field(n, names, &[]));
    let id = one("id");
    if id.is_none() && !table.has("id") {
        names.reader.problem(Some(table.span()), "[message] needs `id`", None);
    }
    let body = table.get("body").and_then(|n| field(n, names, &[]));
    let kind = table.get("kind").and_then(|n| field(n, names, &[]));
    if body.is_some() != kind.is_some() {
        let help = "body = \"path\" with kind = \"path to its media type\"; or use `text` and `html`".to_owned();
        names.reader.problem(Some(table.span()), "`body` and `kind` belong together", Some(help));
    }
    let out = MessageMap {
        main,
        public: table.get("public").and_then(|n| field(n, names, &TRUTH)),
        author: table.get("author").and_then(|n| field(n, names, &AUTHORS)),
        text: one("text"),
        html: one("html"),
        body: body.zip(kind),
        at: table.get("at").and_then(|n| timed(n, names)),
        message_id: one("message_id"),
        delivery: one("delivery"),
        files: table.table("files").and_then(|t| files(&t, names)),
        needs_read: false,
        id: id?,
    };
    if out.text.is_none() && out.html.is_none() && out.body.is_none() {
        names.reader.problem(Some(table.span()), "[message] has no text", Some("map `text`, `html`, or `body` with `kind`".to_owned()));
    }
    table.finish("[message]");
    Some(out)
}

/// Reads `[history.entry]`.
pub fn entry(table: &Table<'_>, names: &Names<'_>, steps: &[Step]) -> Option<EntryMap> {
    let main = main_step(table, names, steps)?;
    let one = |key: &'static str| table.get(key).and_then(|n| field(n, names, &[]));
    let out = EntryMap {
        main,
        at: table.get("at").and_then(|n| timed(n, names)),
        who: one("who"),
        kind: one("kind"),
        field: one("field"),
        old: one("old"),
        new: one("new"),
    };
    table.finish("[history.entry]");
    Some(out)
}

/// The step whose rows are meant: the first with `rows` that is not repeated.
pub fn main_step(table: &Table<'_>, names: &Names<'_>, steps: &[Step]) -> Option<String> {
    let found = steps.iter().find(|s| s.rows.is_some() && s.each.is_none()).map(|s| s.id.clone());
    if found.is_none() && !steps.is_empty() {
        names.reader.problem(
            Some(table.span()),
            "no step has `rows` that could be mapped",
            Some("say where the list is: rows = \"items\"".to_owned()),
        );
    }
    found
}

/// Reads a time.
pub fn timed(node: Node<'_>, names: &Names<'_>) -> Option<Timed> {
    match node.get_ref() {
        DeValue::Table(_) => {
            let table = names.reader.table(node, "a time", &VALUE)?;
            let kind = time_kind(&table, "time");
            Some(Timed { field: from_table(&table, names, &[])?, kind })
        }
        _ => Some(Timed { field: field(node, names, &[])?, kind: crate::desk::recipe::TimeKind::Rfc3339 }),
    }
}

/// Reads one recipe. `allowed` are the only values that a mapping may give; empty: any.
pub fn field(node: Node<'_>, names: &Names<'_>, allowed: &[&str]) -> Option<Field> {
    match node.get_ref() {
        DeValue::String(_) => {
            Some(Field::From { source: names.source(node, "this value")?, decode: Vec::new(), map: None, other: None, not: false })
        }
        DeValue::Boolean(b) => Some(Field::Fixed(b.to_string())),
        DeValue::Array(items) => Some(Field::First(items.iter().filter_map(|n| field(n, names, allowed)).collect())),
        DeValue::Table(_) => from_table(&names.reader.table(node, "this value", &VALUE)?, names, allowed),
        _ => {
            names.reader.wrong(node, "this value", "a path, a table or a list of them");
            None
        }
    }
}

fn from_table(table: &Table<'_>, names: &Names<'_>, allowed: &[&str]) -> Option<Field> {
    let has = |key: &str| table.key_span(key).is_some();
    let source = |key: &'static str| table.get(key).and_then(|n| names.source(n, &format!("`{key}`")));
    let template = |key: &'static str| table.get(key).and_then(|n| names.template(n, &format!("`{key}`")));
    let out = if has("first") {
        let node = table.get("first")?;
        Some(Field::First(names.reader.list(node, "`first`").into_iter().filter_map(|n| field(n, names, allowed)).collect()))
    } else if has("value") {
        let value = table.string("value");
        value.inspect(|v| permitted(table, "value", v, allowed)).map(Field::Fixed)
    } else if has("if") {
        let (when, then, otherwise) = (source("if"), template("then"), template("else"));
        when.map(|when| Field::If { when, then, otherwise })
    } else if has("equals") {
        let (from, with, then, otherwise) = (source("from"), template("equals"), template("then"), template("else"));
        match (from, with, then) {
            (Some(source), Some(with), Some(then)) => Some(Field::Equals { source, with, then, otherwise }),
            _ => {
                need(table, names, &["from", "then"]);
                None
            }
        }
    } else if has("key") {
        let (key, within, by, take) = (source("key"), source("in"), table.path("by"), table.path("take"));
        match (key, within, by, take) {
            (Some(key), Some(within), Some(by), Some(take)) => Some(Field::LookUp { key, within, by, take }),
            _ => {
                need(table, names, &["in", "by", "take"]);
                None
            }
        }
    } else {
        plain(table, names, allowed)
    };
    table.get("time");
    table.finish("this value");
    out
}

fn need(table: &Table<'_>, names: &Names<'_>, keys: &[&str]) {
    for key in keys {
        if !table.has(key) {
            names.reader.problem(Some(table.span()), format!("`{key}` is missing here"), None);
        }
    }
}

/// `from` or `not`, with `decode`, `map` and `other`.
fn plain(table: &Table<'_>, names: &Names<'_>, allowed: &[&str]) -> Option<Field> {
    let from = table.get("from");
    let not = table.get("not");
    let map = table.table("map").map(|t| map(&t, allowed));
    let other = table.string("other");
    if let Some(other) = &other {
        permitted(table, "other", other, allowed);
    }
    let mut decode = Vec::new();
    for (name, span) in table.strings("decode") {
        match name.as_str() {
            "base64" => decode.push(Decode::Base64),
            "json" => decode.push(Decode::Json),
            "html" => decode.push(Decode::Html),
            other => {
                let help = suggest(other, ["base64", "json", "html"])
                    .map_or_else(|| "base64, json, html".to_owned(), |n| format!("did you mean `{n}`?"));
                names.reader.problem(Some(span), format!("there is no decoder `{other}`"), Some(help));
            }
        }
    }
    let Some(node) = from.or(not) else {
        // A misspelt key is told by itself.
        if VALUE.keys.iter().any(|k| table.has(k.name) && table.key_span(k.name).is_none()) {
            return None;
        }
        let help =
            "from = \"path\", not = \"path\", key/in/by/take, if/then/else, from/equals/then/else, first = […] or value = \"…\"".to_owned();
        names.reader.problem(Some(table.span()), "this value comes from nowhere", Some(help));
        return None;
    };
    Some(Field::From { source: names.source(node, "`from`")?, decode, map, other, not: not.is_some() })
}

fn map(table: &Table<'_>, allowed: &[&str]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (key, _, node) in table.entries() {
        let value = match node.get_ref() {
            DeValue::Boolean(b) => b.to_string(),
            DeValue::Integer(i) => i.to_string(),
            _ => match table.reader.string(node, "a mapped value") {
                Some(text) => text,
                None => continue,
            },
        };
        if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
            not_permitted(table, node.span(), &value, allowed);
        }
        out.push((key.to_owned(), value));
    }
    out
}

fn permitted(table: &Table<'_>, key: &'static str, value: &str, allowed: &[&str]) {
    if !allowed.is_empty()
        && !allowed.contains(&value)
        && let Some(node) = table.get(key)
    {
        not_permitted(table, node.span(), value, allowed);
    }
}

fn not_permitted(table: &Table<'_>, span: std::ops::Range<usize>, value: &str, allowed: &[&str]) {
    let help = crate::problem::suggest(value, allowed, "it may be");
    table.reader.problem(Some(span), format!("`{value}` is none of the values that this may have"), Some(help));
}

/// Reads `files`.
pub fn files(table: &Table<'_>, names: &Names<'_>) -> Option<FilesMap> {
    let each = table.get("each").and_then(|n| names.source(n, "`each`"));
    let mut inner = names.clone();
    inner.item = ItemKind::Row;
    inner.extra.push("message.id");
    let url = table.get("url").and_then(|n| inner.template(n, "`url`"));
    let content = table.path("content");
    let mut decode = Vec::new();
    for (name, span) in table.strings("decode") {
        if name == "base64" {
            decode.push(Decode::Base64);
        } else {
            names.reader.problem(Some(span), "files are decoded with base64 only", None);
        }
    }
    let bytes = match (url, content) {
        (Some(url), content) => FileBytes::Fetch { url, content, decode },
        (None, Some(path)) => FileBytes::Inline { path, decode },
        (None, None) => FileBytes::None,
    };
    let name = table.path("name");
    if name.is_none() && !table.has("name") || each.is_none() && !table.has("each") {
        names.reader.problem(Some(table.span()), "`files` needs `each` and `name`", None);
    }
    let out = FilesMap { kind: table.path("type"), size: table.path("size"), bytes, each: each?, name: name? };
    table.finish("`files`");
    Some(out)
}

/// The steps that a mapping reads, for finding out what must be asked first.
pub fn mentioned(fields: &[&Field]) -> Vec<String> {
    let mut out = Vec::new();
    for field in fields {
        sources(field, &mut out);
    }
    out
}

fn sources(field: &Field, out: &mut Vec<String>) {
    let mut add = |source: &Source| {
        if let Source::Step(step, _) = source {
            out.push(step.clone());
        }
    };
    match field {
        Field::From { source, .. } => add(source),
        Field::Fixed(_) => {}
        Field::First(all) => all.iter().for_each(|f| sources(f, out)),
        Field::If { when, then, otherwise } => {
            add(when);
            then.iter().chain(otherwise).for_each(|t| template_steps(t, out));
        }
        Field::Equals { source, with, then, otherwise } => {
            add(source);
            [with, then].into_iter().chain(otherwise).for_each(|t| template_steps(t, out));
        }
        Field::LookUp { key, within, .. } => {
            add(key);
            add(within);
        }
    }
}

fn template_steps(template: &crate::desk::template::Template, out: &mut Vec<String>) {
    for expr in template.expressions() {
        if let crate::desk::template::Name::Step(step, _) = &expr.name {
            out.push(step.clone());
        }
    }
}
