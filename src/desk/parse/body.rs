//! Reads request bodies: JSON shapes with `$each`, `$list` and `$omit_empty`, forms, multipart, raw bytes and text.

use super::names::{Names, Op};
use super::steps::{nodes, over, pairs, quoted, value_template};
use crate::desk::definition::{Body, Shape};
use crate::desk::reader::{Node, Table};
use crate::desk::recipe::Source;
use crate::desk::shape::{EACH, FREE, LIST, PAIR};
use crate::desk::template::Template;
use toml::de::DeValue;

/// Reads a `body` table.
pub fn body(table: &Table<'_>, names: &Names<'_>) -> Option<Body> {
    let json = table.get("json").and_then(|n| shape(n, names));
    let form = table.get("form").map(|_| pairs(table, "form", names));
    for (_, node) in if form.is_some() { nodes(table, "form") } else { Vec::new() } {
        if let Some(template) = node.get_ref().as_str().and_then(|text| Template::parse(text).ok()) {
            searched(node, names, &template);
        }
    }
    let multipart = table.get("multipart").map(|_| pairs(table, "multipart", names));
    let files = table.string("files");
    if files.is_some() && multipart.is_none() {
        table.reader.problem(table.key_span("files"), "`files` needs `multipart`", Some("files in JSON go through `$each`".to_owned()));
    }
    if files.is_some() && !names.op.has_files() {
        table.reader.problem(table.key_span("files"), "only a reply, a form and a visitor's line have files", None);
    }
    let raw = table.get("raw").and_then(|n| names.template(n, "`raw`"));
    let text = table.get("text").and_then(|n| names.template(n, "`text`"));
    let kind = table.get("type").and_then(|n| names.template(n, "`type`"));
    table.finish("`body`");
    let mut bodies: Vec<Body> = [
        json.map(Body::Json),
        form.map(Body::Form),
        multipart.map(|fields| Body::Multipart { fields, files }),
        raw.map(|content| Body::Raw { content, kind: kind.clone() }),
        text.map(|content| Body::Text { content, kind }),
    ]
    .into_iter()
    .flatten()
    .collect();
    if bodies.len() > 1 {
        table.reader.problem(Some(table.span()), "a body has one kind", Some("keep one of json, form, multipart, raw, text".to_owned()));
    }
    bodies.pop()
}

/// A search by POST has its query in the body.
fn searched(node: Node<'_>, names: &Names<'_>, template: &Template) {
    if names.op == Op::Find {
        quoted(node, names, template, None);
    }
}

/// Reads JSON with templates.
pub fn shape(node: Node<'_>, names: &Names<'_>) -> Option<Shape> {
    match node.get_ref() {
        DeValue::String(_) => {
            let template = names.template(node, "this value")?;
            searched(node, names, &template);
            Some(Shape::Leaf(template))
        }
        DeValue::Boolean(b) => Some(Shape::Const((*b).into())),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|n| Shape::Const(n.into())),
        DeValue::Float(f) => f.as_str().parse::<f64>().ok().map(|n| Shape::Const(n.into())),
        DeValue::Datetime(d) => Some(Shape::Const(d.to_string().into())),
        DeValue::Array(items) => Some(Shape::List(items.iter().filter_map(|n| shape(n, names)).collect())),
        DeValue::Table(_) => {
            let table = names.reader.table(node, "this value", &FREE)?;
            if table.key_span("$each").is_some() {
                return each(&names.reader.table(node, "this value", &EACH)?, names);
            }
            if table.key_span("$list").is_some() {
                return list_of(&names.reader.table(node, "this value", &LIST)?, names);
            }
            let mut map = Vec::new();
            for (key, span, inner) in table.entries() {
                if key.starts_with('$') {
                    let help = "helpers are $each with $as, $list, $omit_empty, and $key with $value inside $as".to_owned();
                    names.reader.problem(Some(span), format!("`{key}` means nothing here"), Some(help));
                    continue;
                }
                map.extend(shape(inner, names).map(|s| (key.to_owned(), s)));
            }
            Some(Shape::Map(map))
        }
    }
}

fn each(table: &Table<'_>, names: &Names<'_>) -> Option<Shape> {
    let over = table.get("$each").and_then(|n| over(n, names));
    let omit_empty = table.boolean("$omit_empty").unwrap_or(false);
    let inner = over.as_ref().map_or_else(|| names.clone(), |o| names.with_item(o));
    let node = table.get("$as");
    table.finish("`$each`");
    let Some(node) = node else {
        names.reader.problem(Some(table.span()), "`$each` needs `$as`", Some("say what each element becomes".to_owned()));
        return None;
    };
    let pair = match node.get_ref() {
        DeValue::Table(_) => names.reader.table(node, "`$as`", &PAIR).filter(|t| t.key_span("$key").is_some()),
        _ => None,
    };
    let Some(pair) = pair else {
        return Some(Shape::Each { over: over?, omit_empty, item: Box::new(shape(node, &inner)?) });
    };
    let key = pair.get("$key").and_then(|n| value_template(n, &inner));
    let value = pair.get("$value").and_then(|n| shape(n, &inner));
    pair.finish("`$as` with `$key`");
    Some(Shape::EachPair { over: over?, omit_empty, key: key?, value: Box::new(value?) })
}

fn list_of(table: &Table<'_>, names: &Names<'_>) -> Option<Shape> {
    let source = table.get("$list").and_then(|n| names.source(n, "`$list`").map(|s| (n, s)));
    let omit_empty = table.boolean("$omit_empty").unwrap_or(false);
    table.finish("`$list`");
    match source? {
        (_, Source::Step(step, path)) => Some(Shape::ListOf { step, path, omit_empty }),
        (node, Source::Row(_)) => {
            names.reader.problem(Some(node.span()), "`$list` names a step", Some("write step:path".to_owned()));
            None
        }
    }
}
