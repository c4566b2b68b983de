//! Schema, reference and checker say the same of every key.

use super::create::{LimitScope, Means};
use super::definition::ParamKind;
use super::reader::ASKED;
use super::shape::{CLASSES, MEANS, PARAM_KINDS, ROOT, SCOPES, VIEWS, schema};
use super::{Definition, built_in, reference};
use crate::model::{ResultClass, View};
use serde_json::Value;

/// Keys of `toml` that the schema does not know, as paths.
fn unknown(toml: &Value, schema: &Value, root: &Value, path: &str, out: &mut Vec<String>) {
    let schema = resolved(schema, root);
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| {
            let mut wrong = Vec::new();
            unknown(toml, choice, root, path, &mut wrong);
            let kind = &resolved(choice, root)["type"];
            let name = match toml {
                Value::Object(_) => "object",
                Value::Array(_) => "array",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                _ => "string",
            };
            let typed = *kind == name || kind.as_array().is_some_and(|k| k.iter().any(|k| k == name));
            typed && wrong.is_empty()
        };
        if !choices.iter().any(fits) {
            out.push(format!("{path} (no choice)"));
        }
        return;
    }
    match toml {
        Value::Array(items) if schema["items"].is_object() => {
            items.iter().for_each(|item| unknown(item, &schema["items"], root, path, out));
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = format!("{path}.{key}");
                let inner =
                    if schema["properties"][key].is_object() { &schema["properties"][key] } else { &schema["additionalProperties"] };
                if *inner == false {
                    out.push(path);
                } else if inner.is_object() {
                    unknown(value, inner, root, &path, out);
                }
            }
            let missing =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|r| !entries.contains_key(*r));
            out.extend(missing.map(|r| format!("{path}.{r} (missing)")));
        }
        other => {
            let words = schema["enum"].as_array();
            if words.is_some_and(|w| !w.contains(other)) {
                out.push(format!("{path} = {other}"));
            }
        }
    }
}

fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    reference.map_or(schema, |r| root.pointer(r.trim_start_matches('#')).unwrap())
}

fn against_schema(text: &str) -> Vec<String> {
    let toml: Value = toml::from_str(text).unwrap();
    let schema = schema();
    let mut out = Vec::new();
    unknown(&toml, &schema, &schema, "", &mut out);
    out
}

#[test]
fn the_definitions_that_come_along_fit_the_schema_and_a_wrong_key_does_not() {
    for (id, text) in built_in() {
        assert_eq!(against_schema(text), [""; 0], "{id}");
    }
    assert_eq!(against_schema(super::reference::EXAMPLE), [""; 0]);
    assert_eq!(against_schema(&super::testing::definition("")), [""; 0]);
    let wrong = built_in()[0].1.replacen("rows  =", "row =", 1).replacen("[health]", "[helth]", 1).replacen(
        "view = \"spam\"",
        "view = \"junk\"",
        1,
    );
    let found = against_schema(&wrong);
    assert_eq!(found, [".find.step.row", ".find.view = \"junk\"", ".helth"], "{found:?}");
}

#[test]
fn the_example_of_the_reference_passes_the_check_and_does_what_it_says() {
    let found = Definition::parse("desks/mydesk.toml", super::reference::EXAMPLE).map_err(|p| crate::problem::render(&p, false));
    let can: Vec<String> = found.unwrap().capabilities().iter().map(|c| format!("{c:?}").to_lowercase()).collect();
    assert_eq!(can, ["find", "read", "messages", "reply", "close", "health", "files"]);
    assert!(reference().contains(super::reference::EXAMPLE));
}

#[test]
fn the_reference_names_every_key_in_the_section_of_its_table() {
    let reference = reference();
    for shape in ROOT.reached() {
        let start = reference.find(&format!("\n## {}\n", shape.heading)).unwrap_or_else(|| panic!("no section {}", shape.heading));
        let section = reference[start + 4..].split("\n## ").next().unwrap();
        for key in shape.keys {
            assert!(section.contains(&format!("| `{}` |", key.name)), "{}: {}", shape.heading, key.name);
            assert!(key.doc.ends_with('.') || key.doc.ends_with('`'), "{}: {}", key.name, key.doc);
        }
    }
}

/// Every table in every form, so that each key is asked for. It need not make sense.
const ALL: &str = r#"
[desk]
format = 1
id = "all"
base = "https://x.test"
hosts = ["x.test"]
[params]
p = {}
[auth]
a = { kind = "basic", user = "${p}", password = "${p}" }
b = { kind = "header", name = "X", value = "${p}" }
c = { kind = "bearer", token = "${p}" }
d = { kind = "login", name = "X", value = "${login.t}", login = { post = "/l", pick = { t = "t" } } }
[outcome]
denied = { status = [403] }
fail = { a = { when = "b", class = "denied" } }
[[find]]
  [[find.step]]
  get = "/a"
  rows = "@"
  match = { field = "a", contains = "${token}" }
  page = { next_url = "a", max = 1 }
[read]
  [[read.step]]
  id = "t"
  get = "/t/${id}"
[record]
id = { from = "t:id" }
subject = { value = "x" }
queue = { first = ["t:a"] }
priority = { if = "t:a", then = "x" }
requester = { from = "t:a", equals = "x", then = "y" }
channel = { key = "t:a", in = "t:b", by = "c", take = "d" }
created = { from = "t:a", time = "rfc3339" }
[messages]
  [[messages.step]]
  get = "/m/${id}"
  rows = "@"
[message]
id = "id"
text = "text"
files = { each = "files", name = "name" }
[history]
  [[history.step]]
  get = "/h/${id}"
  rows = "@"
  [history.entry]
  at = "at"
[reply]
  [[reply.step]]
  post = "/r/${id}"
  body.json = { a = { "$each" = "files", "$as" = { "$key" = "${item.name}", "$value" = 1 } }, b = { "$list" = "step0:x" } }
[close]
  [[close.step]]
  put = "/c/${id}"
  verify = { read = "status", is = "closed" }
[health]
  [[health.step]]
  get = "/"
  as = "html"
  select = { a = "a" }
[visit]
  [[visit.step]]
  get = "/"
[presence]
available = "a:x"
  [[presence.step]]
  id = "a"
  get = "/a"
[chat]
limit = { count = 1, per = "1h" }
[chat.offer]
  [[chat.offer.step]]
  get = "/o"
[chat.begin]
  [[chat.begin.step]]
  transport = "json-events"
  send = { a = "x" }
  await = { when = "a" }
[chat.say]
  [[chat.say.step]]
  post = "/s"
[chat.history]
  [[chat.history.step]]
  get = "/h"
  rows = "@"
[chat.line]
text = "text"
[[chat.push]]
transport = "json-events"
open = { get = "/w" }
keepalive = { send = { a = 1 } }
[limit]
count = 100
per = "1m"
[[create]]
id = "form"
limit = { count = 1, per = "1h", scope = "ip" }
fields = { each = "c:f", name = "name" }
  [[create.step]]
  id = "c"
  get = "/c"
  fail = { x = { when = "a", means = "mx" } }
  [[create.step]]
  post = "/s"
  body = { multipart = { a = "${text}" }, files = "f" }
"#;

#[test]
fn no_key_is_described_that_the_checker_never_reads() {
    let _ = Definition::parse("x", ALL);
    let asked = ASKED.take();
    for shape in ROOT.reached() {
        for key in shape.keys {
            assert!(asked.contains(&(shape.name, key.name)), "nothing reads `{}` of {}", key.name, shape.name);
        }
    }
}

#[test]
fn the_words_of_the_schema_are_those_of_the_program() {
    assert_eq!(VIEWS, [View::Normal, View::Suspended, View::Spam, View::Closed, View::Deleted].map(View::as_str));
    let classes =
        [ResultClass::Throttled, ResultClass::Unauthorised, ResultClass::Unavailable, ResultClass::Denied, ResultClass::BrokenContract];
    assert_eq!(CLASSES, classes.map(ResultClass::as_str));
    assert_eq!(SCOPES, LimitScope::ALL.map(LimitScope::as_str));
    assert_eq!(MEANS, Means::ALL.map(Means::as_str));
    assert_eq!(PARAM_KINDS, [ParamKind::Text, ParamKind::Int, ParamKind::Bool, ParamKind::Url].map(ParamKind::as_str));
}
