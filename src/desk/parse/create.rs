//! Reads `[[create]]` and `[limit]`.

use super::mapping;
use super::names::{Names, Op};
use super::steps::steps;
use crate::desk::create::{Create, FieldsMap, Limit, LimitScope};
use crate::desk::definition::{Definition, Param};
use crate::desk::reader::Table;
use crate::desk::template::Template;
use crate::problem;

/// Reads every `[[create]]`.
pub fn creates(root: &Table<'_>, params: &[Param], auths: &[String]) -> Vec<Create> {
    let mut out: Vec<Create> = Vec::new();
    for table in root.tables("create") {
        let Some(create) = create(&table, params, auths) else { continue };
        if out.iter().any(|c| c.id == create.id) {
            root.reader.problem(Some(table.span()), format!("there are two [[create]] called `{}`", create.id), None);
        }
        out.push(create);
    }
    out
}

fn create(table: &Table<'_>, params: &[Param], auths: &[String]) -> Option<Create> {
    let reader = table.reader;
    let id = table.string("id");
    if id.is_none() && !table.has("id") {
        reader.problem(Some(table.span()), "[[create]] needs an `id`", Some("probes name it: [form] recipe = \"ID\"".to_owned()));
    }
    let auth = table.get("auth").and_then(|node| super::steps::auth_name(table, node, auths)).filter(|a| a != "none");
    let needs_mx = needs(table, params);
    let limit = table.table("limit").and_then(|t| limit(&t));
    let cors = table.boolean("cors").unwrap_or(false);
    let mut names = Names::new(reader, Op::Create, params);
    if table.has("fields") {
        names.steps.push("filled".to_owned());
    }
    let list = table.tables("step");
    if list.is_empty() && !table.has("step") {
        reader.problem(Some(table.span()), "this [[create]] has no step", Some("write [[create.step]]".to_owned()));
    }
    let mut steps = steps(list, &mut names, auths);
    // A customer has no credentials of the desk.
    for step in &mut steps {
        step.auth = step.auth.take().or_else(|| auth.clone()).or_else(|| Some("none".to_owned()));
    }
    if !steps.is_empty() && !steps.iter().any(|s| s.writes()) {
        let help = "a step that sends the request is a post without `reads` and `prepares`".to_owned();
        reader.problem(Some(table.span()), "this [[create]] writes nothing", Some(help));
    }
    let fields = table.table("fields").and_then(|t| fields(&t, &names));
    let value = |key: &'static str| table.get(key).and_then(|node| mapping::field(node, &names, &[]));
    let (number, thanks) = (value("number"), value("thanks"));
    table.finish("[[create]]");
    Some(Create { id: id?, auth, needs_mx, limit, cors, steps, fields, number, thanks })
}

/// What the desk asks of the sender: `mx(${customer.email})`.
fn needs(table: &Table<'_>, params: &[Param]) -> bool {
    let names = Names::new(table.reader, Op::Create, params);
    let mut mx = false;
    for (text, span) in table.strings("needs") {
        let inner = text.strip_prefix("mx(").and_then(|t| t.strip_suffix(')'));
        let known = inner
            .and_then(|t| Template::parse(t).ok())
            .is_some_and(|t| t.expressions().count() == 1 && t.expressions().all(|e| names.op.variables().contains(&e.shown().as_str())));
        if !known {
            let help = "write needs = [\"mx(${customer.email})\"]".to_owned();
            table.reader.problem(Some(span), format!("`{text}` is nothing that a desk can need"), Some(help));
        }
        mx |= known;
    }
    mx
}

/// Reads a limit.
pub fn limit(table: &Table<'_>) -> Option<Limit> {
    let reader = table.reader;
    let count = table.get("count").and_then(|n| reader.number(n, "`count`", 1..=1_000_000));
    let per = table.get("per").and_then(|n| reader.duration(n, "`per`"));
    for key in ["count", "per"] {
        if !table.has(key) {
            reader.problem(Some(table.span()), format!("a limit needs `{key}`"), Some("limit = { count = 5, per = \"1h\" }".to_owned()));
        }
    }
    let mut scope = LimitScope::Desk;
    if let Some(node) = table.get("scope") {
        let word = reader.string(node, "`scope`").unwrap_or_default();
        match LimitScope::ALL.into_iter().find(|s| s.as_str() == word) {
            Some(found) => scope = found,
            None => {
                let help = problem::suggest(&word, &LimitScope::ALL.map(LimitScope::as_str), "scopes");
                reader.problem(Some(node.span()), format!("there is no scope `{word}`"), Some(help));
            }
        }
    }
    table.finish("a limit");
    Some(Limit { count: count?, per: per.filter(|p| !p.is_zero())?, scope })
}

/// One look must fit into what the desk takes, or the desk would throttle every run.
pub fn affordable(root: &Table<'_>, definition: &Definition) {
    let Some(limit) = definition.limit else { return };
    for (operation, calls) in definition.calls() {
        if calls > limit.count {
            let message = format!("`{operation}` may need {calls} calls at once, and the desk takes {limit}");
            root.reader.problem(root.key_span("limit"), message, Some("lower `max` of its pages and repetitions".to_owned()));
        }
    }
}

/// Where the desk describes the form's fields.
fn fields(table: &Table<'_>, names: &Names<'_>) -> Option<FieldsMap> {
    let each = table.get("each").and_then(|n| names.source(n, "`each`"));
    let name = table.path("name");
    for key in ["each", "name"] {
        if !table.has(key) {
            table.reader.problem(Some(table.span()), format!("[create.fields] needs `{key}`"), table.meaning(key));
        }
    }
    let (label, kind) = (table.path("label"), table.path("type"));
    let (required, options) = (table.path("required"), table.path("options"));
    table.finish("[create.fields]");
    Some(FieldsMap { each: each?, name: name?, label, kind, required, options })
}
