//! Reads steps: one HTTP call each.

use super::body::body;
use super::lint;
use super::names::{Names, Op};
use super::rows::{matching, page};
use crate::desk::create::Means;
use crate::desk::definition::{Answer, Fail, Method, Over, Pick, PickSource, Step, Verify};
use crate::desk::filter::{Filter, LANGUAGES};
use crate::desk::path::Path;
use crate::desk::reader::{Node, Table};
use crate::desk::recipe::Source;
use crate::desk::shape::{CHAT_FAULTS, FAIL, FREE, VERIFIED};
use crate::desk::template::{Part, Template};
use crate::model::ResultClass;
use crate::problem;
use crate::suggest::suggest;
use regex::Regex;
use scraper::Selector;
use toml::de::DeValue;

/// Rows of a repeated step, and pages, when the file does not say.
const MAX_EACH: u64 = 50;

const METHODS: [(&str, &str, Method); 5] = [
    ("get", "get_url", Method::Get),
    ("post", "post_url", Method::Post),
    ("put", "put_url", Method::Put),
    ("patch", "patch_url", Method::Patch),
    ("delete", "delete_url", Method::Delete),
];

/// Reads a list of steps; `names` grows with every step.
pub fn steps(tables: Vec<Table<'_>>, names: &mut Names<'_>, auths: &[String]) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    for table in tables {
        let Some(step) = step(&table, names, auths, out.len()) else { continue };
        if names.steps.contains(&step.id) {
            names.reader.problem(Some(table.span()), format!("there are two steps `{}`", step.id), Some("give each its own id".to_owned()));
        }
        taken(&step.id, &step.pick, names);
        out.push(step);
    }
    out
}

/// From here on the step's answer and picks can be used.
pub fn taken(id: &str, picks: &[Pick], names: &mut Names<'_>) {
    names.steps.push(id.to_owned());
    names.picks.extend(picks.iter().map(|p| format!("{id}.{}", p.name)));
}

/// Reads one step; `index` is its place in its list.
pub fn step(table: &Table<'_>, outer: &Names<'_>, auths: &[String], index: usize) -> Option<Step> {
    let reader = table.reader;
    let each = table.get("each").and_then(|n| over(n, outer));
    let names = &each.as_ref().map_or_else(|| outer.clone(), |o| outer.with_item(o));
    // Steps without a name of `[read]` and of `[messages]` must not take each other's.
    let free = (index + 1..).map(|n| format!("step{n}")).find(|id| !outer.steps.contains(id));
    let id = table.string("id").or(free)?;
    let target = target(table, names);
    let languages = languages(table);
    let query = query(table, names, &languages);
    let step = Step {
        method: target.as_ref().map_or(Method::Get, |t| t.0),
        absolute: target.as_ref().is_some_and(|t| t.1),
        query,
        headers: pairs(table, "headers", names),
        body: table.table("body").and_then(|t| body(&t, names)),
        auth: auth(table, auths),
        status: table.statuses("status"),
        answer: answer(table),
        select: selectors(table),
        pick: picks(table),
        rows: table.path("rows"),
        keep: table.path("keep"),
        trail: table.path("trail"),
        matching: table.table("match").map(|t| matching(&t, names)),
        page: table.table("page").and_then(|t| page(&t)),
        when: condition(table, "when", names),
        unless: condition(table, "unless", names),
        optional: table.boolean("optional").unwrap_or(false),
        max: table.get("max").and_then(|n| reader.number(n, "`max`", 1..=1000)).unwrap_or(MAX_EACH) as usize,
        cache: table.get("cache").and_then(|n| reader.duration(n, "`cache`")),
        empty_if: table.path("empty_if"),
        empty_status: table.statuses("empty_status"),
        check: table.path("check"),
        fail: table.table("fail").map(|t| fails(&t)).unwrap_or_default(),
        verify: table.table("verify").and_then(|t| verify(&t, names)),
        prepares: table.boolean("prepares").unwrap_or(false),
        reads: table.boolean("reads").unwrap_or(names.op == Op::Find),
        each,
        target: target.map_or_else(|| Template::parse("/").ok(), |t| Some(t.2))?,
        id,
    };
    lint::consistent(table, &step);
    lint::trustworthy(table, &step, names.op, index);
    table.finish("a step");
    Some(step)
}

fn target(table: &Table<'_>, names: &Names<'_>) -> Option<(Method, bool, Template)> {
    let mut found = None;
    for (relative, absolute, method) in METHODS {
        for (key, whole) in [(relative, false), (absolute, true)] {
            let Some(node) = table.get(key) else { continue };
            if found.is_some() {
                table.reader.problem(
                    table.key_span(key),
                    "a step makes one call",
                    Some("write a step of its own for the second".to_owned()),
                );
                continue;
            }
            let Some(template) = names.template(node, &format!("`{key}`")) else { continue };
            if !whole && !template.text().starts_with('/') {
                table.reader.problem(
                    Some(node.span()),
                    format!("`{key}` is a path below `base`"),
                    Some(format!("begin with `/`, or use `{absolute}`")),
                );
            }
            if template.text().contains(['?', '#'])
                && template.expressions().all(|e| !matches!(e.name, crate::desk::template::Name::Step(..)))
            {
                table.reader.problem(
                    Some(node.span()),
                    format!("`{key}` holds a query"),
                    Some("put it under `query`, so that values are encoded".to_owned()),
                );
            }
            found = Some((method, whole, template));
        }
    }
    if found.is_none() && METHODS.iter().all(|(a, b, _)| !table.has(a) && !table.has(b)) {
        let help = "a step has one of get, post, put, patch, delete (a path) or get_url, post_url, … (a whole URL)".to_owned();
        table.reader.problem(Some(table.span()), "this step calls nothing", Some(help));
    }
    found
}

/// The query languages that the step declares for its query parameters.
fn languages(table: &Table<'_>) -> Vec<(String, &'static str)> {
    let Some(declared) = table.table("language") else { return Vec::new() };
    let mut out = Vec::new();
    for (param, _, node) in declared.entries() {
        let Some(name) = table.reader.string(node, "a language") else { continue };
        match LANGUAGES.iter().find(|l| **l == name) {
            Some(language) => out.push((param.to_owned(), *language)),
            None => {
                let help = problem::suggest(&name, &LANGUAGES, "languages");
                table.reader.problem(Some(node.span()), format!("there is no language `{name}`"), Some(help));
            }
        }
    }
    out
}

fn query(table: &Table<'_>, names: &Names<'_>, languages: &[(String, &'static str)]) -> Vec<(String, Template)> {
    let found = nodes(table, "query");
    for (language, _) in languages {
        if !found.iter().any(|(name, _)| name == language) {
            table.reader.problem(table.key_span("language"), format!("the query has no `{language}`"), None);
        }
    }
    let mut out = Vec::new();
    for (name, node) in found {
        let Some(template) = value_template(node, names) else { continue };
        let language = languages.iter().find(|(p, _)| *p == name).map(|(_, l)| *l);
        quoted(node, names, &template, language);
        out.push((name, template));
    }
    out
}

/// Every value that enters a query language goes through a filter that quotes for it.
pub fn quoted(node: Node<'_>, names: &Names<'_>, template: &Template, language: Option<&'static str>) {
    let composed = template.parts().len() > 1 && template.parts().iter().any(|p| matches!(p, Part::Text(_)));
    if language.is_none() && !composed {
        return;
    }
    for expr in template.expressions() {
        let good = match language {
            Some(language) => expr.filters.iter().rev().find(|f| **f != Filter::OmitEmpty).is_some_and(|f| f.quotes_for(language)),
            None => expr.filters.iter().any(Filter::quotes),
        };
        if good {
            continue;
        }
        let span = names.expr_span(node, template.text(), expr);
        let shown = expr.shown();
        let (message, filter) = match language {
            Some(l) => (format!("`{shown}` enters a query in {l} unquoted"), l.to_owned()),
            None => (format!("`{shown}` stands unquoted inside a longer query value"), "phrase".to_owned()),
        };
        names.reader.problem(Some(span), message, Some(format!("end it with a quoting filter: `${{{shown}|{filter}}}`")));
    }
}

/// A value that may be a string, number or boolean.
pub fn value_template(node: Node<'_>, names: &Names<'_>) -> Option<Template> {
    match node.get_ref() {
        DeValue::Integer(i) => Template::parse(&i.to_string()).ok(),
        DeValue::Boolean(b) => Template::parse(&b.to_string()).ok(),
        _ => names.template(node, "this value"),
    }
}

/// A table, or a list of pairs, as names and values in order.
pub fn nodes<'t>(table: &Table<'t>, key: &'static str) -> Vec<(String, Node<'t>)> {
    let Some(node) = table.get(key) else { return Vec::new() };
    match node.get_ref() {
        DeValue::Table(_) => {
            let inner = table.reader.table(node, key, &FREE);
            inner.map(|t| t.entries().into_iter().map(|(k, _, n)| (k.to_owned(), n)).collect()).unwrap_or_default()
        }
        DeValue::Array(list) => list
            .iter()
            .filter_map(|pair| match pair.get_ref() {
                DeValue::Array(two) if two.len() == 2 => Some((table.reader.string(&two[0], "a name")?, &two[1])),
                _ => {
                    table.reader.wrong(pair, &format!("an entry of `{key}`"), "a pair: [\"name\", \"value\"]");
                    None
                }
            })
            .collect(),
        _ => {
            table.reader.wrong(node, &format!("`{key}`"), "a table, or a list of pairs");
            Vec::new()
        }
    }
}

/// A table or list of pairs of templates.
pub fn pairs(table: &Table<'_>, key: &'static str, names: &Names<'_>) -> Vec<(String, Template)> {
    nodes(table, key).into_iter().filter_map(|(name, node)| Some((name, value_template(node, names)?))).collect()
}

fn auth(table: &Table<'_>, auths: &[String]) -> Option<String> {
    auth_name(table, table.get("auth")?, auths)
}

/// The name of a way to sign in, or `none`.
pub fn auth_name(table: &Table<'_>, node: Node<'_>, auths: &[String]) -> Option<String> {
    let name = table.reader.string(node, "`auth`")?;
    if name != "none" && !auths.contains(&name) {
        let near = suggest(&name, auths.iter().map(String::as_str).chain(["none"])).map(|n| format!("did you mean `{n}`?"));
        table.reader.problem(Some(node.span()), format!("there is no [auth.{name}]"), near);
    }
    Some(name)
}

fn answer(table: &Table<'_>) -> Answer {
    let Some(node) = table.get("as") else { return Answer::Json };
    match table.reader.string(node, "`as`").as_deref() {
        Some("json") | None => Answer::Json,
        Some("text") => Answer::Text,
        Some("html") => Answer::Html,
        Some("ignored") => Answer::Ignored,
        Some(other) => {
            table.reader.problem(
                Some(node.span()),
                format!("an answer cannot be read as `{other}`"),
                Some("json, text, html or ignored".to_owned()),
            );
            Answer::Json
        }
    }
}

/// Reads `pick` and `pick_optional`.
fn selectors(table: &Table<'_>) -> Vec<(String, Selector)> {
    let Some(inner) = table.table("select") else { return Vec::new() };
    let mut out = Vec::new();
    for (name, _, node) in inner.entries() {
        let Some(text) = table.reader.string(node, "a selector") else { continue };
        match Selector::parse(&text) {
            Ok(selector) => out.push((name.to_owned(), selector)),
            Err(_) => table.reader.problem(
                Some(node.span()),
                format!("`{text}` is no CSS selector"),
                Some("for instance \"select[name=queue] option\"".to_owned()),
            ),
        }
    }
    out
}

pub fn picks(table: &Table<'_>) -> Vec<Pick> {
    let mut out = Vec::new();
    for (key, optional) in [("pick", false), ("pick_optional", true)] {
        let Some(picks) = table.table(key) else { continue };
        for (name, _, node) in picks.entries() {
            let Some(text) = table.reader.string(node, "a pick") else { continue };
            let Some(source) = pick_source(table, node, &text) else { continue };
            out.push(Pick { name: name.to_owned(), source, optional, secret: false });
        }
    }
    for (name, span) in table.strings("secret") {
        match out.iter_mut().find(|p| p.name == name) {
            Some(pick) => pick.secret = true,
            None => table.reader.problem(Some(span), format!("this step picks no `{name}`"), None),
        }
    }
    out
}

fn pick_source(table: &Table<'_>, node: Node<'_>, text: &str) -> Option<PickSource> {
    if let Some(header) = text.strip_prefix("header:") {
        return Some(PickSource::Header(header.trim().to_owned()));
    }
    let Some(pattern) = text.strip_prefix("regex:") else {
        return Path::parse(text).map(PickSource::Path).map_err(|e| table.reader.inside(node, text, e)).ok();
    };
    match Regex::new(pattern) {
        Ok(regex) if regex.captures_len() == 2 => Some(PickSource::Text(regex)),
        Ok(_) => {
            table.reader.problem(
                Some(node.span()),
                "this pattern has not exactly one group",
                Some("put (…) round what is meant".to_owned()),
            );
            None
        }
        Err(e) => {
            table.reader.problem(Some(node.span()), "this pattern cannot be used", Some(e.to_string()));
            None
        }
    }
}

/// `when`, `unless` and the like: a template, or just the name in it.
pub fn condition(table: &Table<'_>, key: &'static str, names: &Names<'_>) -> Option<Template> {
    let node = table.get(key)?;
    let text = table.reader.string(node, &format!("`{key}`"))?;
    let text = if text.contains("${") { text } else { format!("${{{text}}}") };
    names.template_text(node, &text)
}

/// What `each` goes through: `files`, a step, or `step:path`.
pub fn over(node: Node<'_>, names: &Names<'_>) -> Option<Over> {
    let text = names.reader.string(node, "`each`")?;
    if text == "files" {
        if !names.op.has_files() {
            names.reader.problem(Some(node.span()), "only a reply, a form and a visitor's line have files", None);
        }
        return Some(Over::Files);
    }
    if !text.contains(':') {
        if !names.steps.contains(&text) {
            let known: Vec<&str> = names.steps.iter().map(String::as_str).chain(names.op.has_files().then_some("files")).collect();
            let help = problem::suggest(&text, &known, "known here");
            names.reader.problem(Some(node.span()), format!("no step `{text}` has an answer here"), Some(help));
        }
        return Some(Over::Step(text, None));
    }
    match names.source(node, "`each`")? {
        Source::Step(step, path) => Some(Over::Step(step, Some(path))),
        Source::Row(_) => {
            names.reader.problem(Some(node.span()), "`each` goes through a step", Some("write step:path".to_owned()));
            None
        }
    }
}

/// Named failures of a body: `name = "path"` or `name = { when = "path", class = "denied", means = "mx" }`.
pub fn fails(table: &Table<'_>) -> Vec<Fail> {
    let mut out = Vec::new();
    for (name, _, node) in table.entries() {
        let (mut class, mut means, mut fault) = (ResultClass::Denied, Means::default(), None);
        let path = match node.get_ref() {
            DeValue::Table(_) => {
                let Some(inner) = table.reader.table(node, "a failure", &FAIL) else { continue };
                let path = inner.path("when");
                class = inner.get("class").and_then(|n| self::class(&inner, n)).unwrap_or(class);
                means = inner.get("means").and_then(|n| self::means(&inner, n)).unwrap_or_default();
                if path.is_none() && !inner.has("when") {
                    table.reader.problem(Some(node.span()), "a failure needs `when`", None);
                }
                fault = word(&inner, "fault", &CHAT_FAULTS);
                inner.finish("a failure");
                path
            }
            _ => table.reader.path(node, "a failure"),
        };
        out.extend(path.map(|when| Fail { name: name.to_owned(), when, class, means, fault }));
    }
    out
}

/// One of the words that a key may have.
pub fn word(table: &Table<'_>, key: &'static str, words: &[&'static str]) -> Option<&'static str> {
    let node = table.get(key)?;
    let text = table.reader.string(node, &format!("`{key}`"))?;
    let found = words.iter().find(|w| **w == text).copied();
    if found.is_none() {
        let help = problem::suggest(&text, words, "it may be");
        table.reader.problem(Some(node.span()), format!("`{key}` cannot be `{text}`"), Some(help));
    }
    found
}

fn means(table: &Table<'_>, node: Node<'_>) -> Option<Means> {
    let name = table.reader.string(node, "`means`")?;
    let found = Means::ALL.into_iter().find(|m| m.as_str() == name);
    if found.is_none() {
        let help = problem::suggest(&name, &Means::ALL.map(Means::as_str), "meanings");
        table.reader.problem(Some(node.span()), format!("a failure cannot mean `{name}`"), Some(help));
    }
    found
}

fn class(table: &Table<'_>, node: Node<'_>) -> Option<ResultClass> {
    let all =
        [ResultClass::Throttled, ResultClass::Unauthorised, ResultClass::Unavailable, ResultClass::Denied, ResultClass::BrokenContract];
    let name = table.reader.string(node, "`class`")?;
    let found = all.into_iter().find(|c| c.as_str() == name);
    if found.is_none() {
        let near = suggest(&name, all.map(ResultClass::as_str)).map(|n| format!("did you mean `{n}`?"));
        let help = near.unwrap_or_else(|| all.map(ResultClass::as_str).join(", "));
        table.reader.problem(Some(node.span()), format!("there is no class `{name}`"), Some(help));
    }
    found
}

fn verify(table: &Table<'_>, names: &Names<'_>) -> Option<Verify> {
    let field = table.string("read");
    let is = table.get("is").and_then(|n| names.template(n, "`is`"));
    table.finish("`verify`");
    let field = field?;
    if !VERIFIED.contains(&field.as_str()) {
        let help = problem::suggest(&field, &VERIFIED, "fields");
        table.reader.problem(table.key_span("read"), format!("`{field}` cannot be verified"), Some(help));
        return None;
    }
    Some(Verify { field, is: is? })
}
