//! Reads `[desk]`, `[params]`, `[auth]` and `[outcome]`.

use super::names::{Names, Op};
use super::steps::fails;
use crate::desk::definition::{Auth, AuthKind, HostRule, OutcomeRules, Param, ParamKind, Rule, Step};
use crate::desk::reader::{Node, Table};
use crate::desk::shape::{AUTH, AUTH_KINDS, PARAM};
use crate::desk::template::Template;
use crate::problem;
use crate::suggest::suggest;
use regex::Regex;
use toml::de::DeValue;

/// What `[desk]` says.
pub struct Head {
    pub id: String,
    pub title: String,
    pub versions: Vec<String>,
    pub note: Option<String>,
    pub unproven: bool,
    pub base: Option<Template>,
    pub hosts: Vec<HostRule>,
}

/// Reads `[desk]`.
pub fn head(root: &Table<'_>, params: &[Param]) -> Option<Head> {
    let reader = root.reader;
    let Some(table) = root.table("desk") else {
        if !root.has("desk") {
            reader.problem(None, "this file has no [desk]", Some("begin with [desk], format = 1, id = \"…\", base = \"…\"".to_owned()));
        }
        return None;
    };
    match table.get("format") {
        None => reader.problem(Some(table.span()), "[desk] needs `format`", Some("format = 1".to_owned())),
        Some(node) => {
            let found = node.get_ref().as_integer().map(|i| i.as_str().to_owned());
            if found.as_deref() != Some("1") {
                reader.problem(Some(node.span()), "this release knows format 1 only", Some("format = 1".to_owned()));
            }
        }
    }
    let id = table.string("id");
    let good = id
        .as_deref()
        .is_some_and(|i| !i.is_empty() && i.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'));
    if !good {
        let span = table.key_span("id").unwrap_or_else(|| table.span());
        reader.problem(Some(span), "[desk] needs an `id` of small letters, digits, - and _", None);
    }
    let names = Names::new(reader, Op::Setup, params);
    let base = table.get("base").and_then(|n| names.template(n, "`base`").inspect(|t| open(n, &names, t)));
    if base.is_none() && !table.has("base") {
        reader.problem(Some(table.span()), "[desk] needs `base`", Some("the API's address: base = \"${url}/api\"".to_owned()));
    }
    let mut hosts = Vec::new();
    if let Some(node) = table.get("hosts") {
        for node in reader.list(node, "`hosts`") {
            hosts.extend(host(node, &names));
        }
    }
    if hosts.is_empty() {
        let span = table.key_span("hosts").unwrap_or_else(|| table.span());
        let help = "list the hosts that may get the credentials: hosts = [\"host(${url})\"]".to_owned();
        reader.problem(Some(span), "[desk] needs `hosts`", Some(help));
    }
    let head = Head {
        title: table.string("title").unwrap_or_else(|| id.clone().unwrap_or_default()),
        versions: table.strings("versions").into_iter().map(|(v, _)| v).collect(),
        note: table.string("note"),
        unproven: table.boolean("unproven").unwrap_or(false),
        base,
        hosts,
        id: id?,
    };
    table.finish("[desk]");
    Some(head)
}

/// Addresses are shown in messages, so they hold no secrets.
fn open(node: Node<'_>, names: &Names<'_>, template: &Template) {
    for expr in template.expressions() {
        let shown = expr.shown();
        let name = shown.strip_prefix("params.").unwrap_or(&shown);
        if names.params.iter().any(|p| p.name == name && p.secret) {
            let span = names.expr_span(node, template.text(), expr);
            let help = "put it into a header by [auth], or into a step's path".to_owned();
            names.reader.problem(Some(span), format!("the secret `{name}` cannot be part of an address"), Some(help));
        }
    }
}

fn host(node: Node<'_>, names: &Names<'_>) -> Option<HostRule> {
    let text = names.reader.string(node, "a host")?;
    let inner = text.strip_prefix("host(").and_then(|t| t.strip_suffix(')'));
    let template = names.template_text(node, inner.unwrap_or(&text)).inspect(|t| open(node, names, t))?;
    if inner.is_none() && text.contains(['/', '*']) {
        names.reader.problem(
            Some(node.span()),
            format!("`{text}` is no host"),
            Some("write the name alone, with :port where it is not the usual one, or host(…) round a URL".to_owned()),
        );
    }
    Some(HostRule { template, of_url: inner.is_some() })
}

/// Reads `[params]`.
pub fn params(root: &Table<'_>) -> Vec<Param> {
    let Some(table) = root.table("params") else { return Vec::new() };
    let mut out = Vec::new();
    for (name, span, node) in table.entries() {
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            root.reader.problem(Some(span), format!("`{name}` is no name for a param"), Some("letters, digits and _".to_owned()));
        }
        let Some(inner) = root.reader.table(node, "a param", &PARAM) else { continue };
        out.push(param(name, &inner));
    }
    out
}

fn param(name: &str, table: &Table<'_>) -> Param {
    const KINDS: [ParamKind; 4] = [ParamKind::Text, ParamKind::Int, ParamKind::Bool, ParamKind::Url];
    let reader = table.reader;
    let mut kind = ParamKind::Text;
    if let Some(node) = table.get("kind") {
        let text = reader.string(node, "`kind`").unwrap_or_default();
        match KINDS.into_iter().find(|k| k.as_str() == text) {
            Some(found) => kind = found,
            None => {
                let names = KINDS.map(ParamKind::as_str);
                let help = problem::suggest(&text, &names, "kinds");
                reader.problem(Some(node.span()), format!("there is no kind `{text}`"), Some(help));
            }
        }
    }
    let pattern = table.get("pattern").and_then(|n| {
        let text = reader.string(n, "`pattern`")?;
        Regex::new(&text).map_err(|e| reader.problem(Some(n.span()), "this pattern cannot be used", Some(e.to_string()))).ok()
    });
    let param = Param {
        name: name.to_owned(),
        required: table.boolean("required").unwrap_or(false),
        secret: table.boolean("secret").unwrap_or(false),
        kind,
        doc: table.string("doc").unwrap_or_default(),
        default: table.get("default").and_then(plain_value),
        pattern,
    };
    if let Some(default) = &param.default {
        let span = table.key_span("default");
        if param.secret {
            reader.problem(span, "a secret has no default", None);
        } else if let Err(message) = super::super::settings::check_value(&param, default) {
            reader.problem(span, format!("the default {message}"), None);
        }
    }
    table.finish("a param");
    param
}

fn plain_value(node: Node<'_>) -> Option<toml::Value> {
    match node.get_ref() {
        DeValue::String(s) => Some(toml::Value::String(s.to_string())),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(toml::Value::Integer),
        DeValue::Boolean(b) => Some(toml::Value::Boolean(*b)),
        _ => None,
    }
}

/// Reads `[auth.NAME]`, in the order of the file, with their names.
pub fn auths(root: &Table<'_>, params: &[Param]) -> (Vec<Auth>, Vec<String>) {
    let Some(table) = root.table("auth") else { return (Vec::new(), Vec::new()) };
    let names = Names::new(root.reader, Op::Setup, params);
    let mut out = Vec::new();
    for (name, _, node) in table.entries() {
        let Some(inner) = root.reader.table(node, "an auth", &AUTH) else { continue };
        out.extend(auth(name, &inner, &names));
    }
    let all = out.iter().map(|a: &Auth| a.name.clone()).collect();
    (out, all)
}

fn auth(name: &str, table: &Table<'_>, names: &Names<'_>) -> Option<Auth> {
    let reader = table.reader;
    let template = |key: &'static str| {
        let found = table.get(key).and_then(|n| names.template(n, &format!("`{key}`")));
        if !table.has(key) {
            reader.problem(Some(table.span()), format!("[auth.{name}] needs `{key}`"), None);
        }
        found
    };
    let word = |key: &'static str| {
        let found = table.string(key);
        if !table.has(key) {
            reader.problem(Some(table.span()), format!("[auth.{name}] needs `{key}`"), None);
        }
        found
    };
    let when = table.string("when");
    if let Some(when) = when.as_ref().filter(|w| !names.params.iter().any(|p| p.name == **w)) {
        let near = suggest(when, names.params.iter().map(|p| p.name.as_str())).map(|n| format!("did you mean `{n}`?"));
        reader.problem(table.key_span("when"), format!("there is no param `{when}`"), near);
    }
    let kind = match word("kind")?.as_str() {
        "none" => Some(AuthKind::None),
        "basic" => template("user").zip(template("password")).map(|(user, password)| AuthKind::Basic { user, password }),
        "header" => word("name").zip(template("value")).map(|(name, value)| AuthKind::Header { name, value }),
        "query" => word("name").zip(template("value")).map(|(name, value)| AuthKind::Query { name, value }),
        "bearer" => template("token").map(|token| AuthKind::Bearer { token }),
        "login" => login(table, names),
        reserved @ ("oauth2" | "body") => {
            reader.problem(
                table.key_span("kind"),
                format!("kind = \"{reserved}\" is reserved, not in this release"),
                Some(format!("kinds: {}", AUTH_KINDS.join(", "))),
            );
            return None;
        }
        other => {
            let help = problem::suggest(other, &AUTH_KINDS, "kinds");
            reader.problem(table.key_span("kind"), format!("there is no kind `{other}`"), Some(help));
            return None;
        }
    };
    table.finish(&format!("[auth.{name}]"));
    Some(Auth { name: name.to_owned(), when, kind: kind? })
}

/// A call whose picks are what signs in.
fn login(table: &Table<'_>, names: &Names<'_>) -> Option<AuthKind> {
    let step = table.table("login").and_then(|t| super::steps::step(&t, names, &[], 0));
    let mut names = names.clone();
    names.picks.extend(step.iter().flat_map(|s| &s.pick).map(|p| format!("login.{}", p.name)));
    let value = table.get("value").and_then(|n| names.template(n, "`value`"));
    let name = table.string("name");
    for key in ["login", "name", "value"].into_iter().filter(|key| !table.has(key)) {
        table.reader.problem(Some(table.span()), format!("an auth of the kind login needs `{key}`"), table.meaning(key));
    }
    let step = Step { id: "login".to_owned(), auth: Some("none".to_owned()), ..step? };
    Some(AuthKind::Login { step: Box::new(step), name: name?, value: value? })
}

/// Reads `[outcome]`.
pub fn outcome(root: &Table<'_>) -> OutcomeRules {
    let Some(table) = root.table("outcome") else { return OutcomeRules::default() };
    let mut wait = None;
    let mut rule = |key: &'static str| {
        let Some(inner) = table.table(key) else { return Rule::default() };
        if let Some(node) = inner.get("wait") {
            match node.get_ref().as_str() {
                // Retry-After (RFC 9110 section 10.2.3) is always read; naming it is allowed, not needed.
                Some("header:Retry-After") => {}
                _ => wait = inner.reader.duration(node, "`wait`"),
            }
        }
        let out = Rule { status: inner.statuses("status"), when: inner.path("when") };
        inner.finish(&format!("`{key}`"));
        out
    };
    let (unauthorised, throttled, denied) = (rule("unauthorised"), rule("throttled"), rule("denied"));
    let (gone, unavailable) = (rule("gone"), rule("unavailable"));
    let out = OutcomeRules {
        unauthorised,
        throttled,
        denied,
        gone,
        unavailable,
        wait,
        message: table.path("message"),
        check: table.path("check"),
        fail: table.table("fail").map(|t| fails(&t)).unwrap_or_default(),
    };
    table.finish("[outcome]");
    out
}

/// Lines of `[health] say`.
pub fn say(table: &Table<'_>, names: &Names<'_>) -> Vec<Template> {
    let Some(node) = table.get("say") else { return Vec::new() };
    let nodes = if node.get_ref().is_str() { vec![node] } else { table.reader.list(node, "`say`") };
    nodes.into_iter().filter_map(|n| names.template(n, "a line of `say`")).collect()
}
