//! From a step to a request: URL, query, credentials, body.

use super::definition::{AuthKind, Body, Definition, Method, Over, Shape, Step};
use super::filter::{Filter, percent, segment};
use super::http::Call;
use super::outcome::Failure;
use super::path::{Json, to_serde};
use super::scope::{Item, Scope, Value};
use super::settings::Settings;
use super::template::{Part, Template};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

/// What a step accepts unless it says otherwise.
pub(crate) const ACCEPTED: &str = "application/json, */*;q=0.5";

/// Builds the request of a step.
pub(crate) fn build(definition: &Definition, settings: &Settings, step: &Step, scope: &Scope<'_>) -> Result<Call, Failure> {
    let broken = |m: String| Failure::contract(format!("step `{}`: {m}", step.id));
    let mut url = address(settings, &step.target, step.absolute, scope).map_err(broken)?;
    let query = filled(&step.query, scope).map_err(broken)?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    if let Some(page) = &scope.page {
        page.headers(step, &url, &mut headers).map_err(broken)?;
    }
    for (name, value) in filled(&step.headers, scope).map_err(broken)? {
        put(&mut headers, &name, &value, false).map_err(broken)?;
    }
    visiting(scope, &mut headers).map_err(broken)?;
    let body = step.body.as_ref().map(|b| encode(b, scope, &mut headers)).transpose().map_err(broken)?;
    sign_in(definition, settings, step.auth.as_deref(), &mut url, &mut headers).map_err(broken)?;
    Ok(Call {
        method: method(step.method),
        url,
        headers,
        body,
        writes: step.writes(),
        jar: scope.sent.jar.clone(),
        timeout: scope.sent.timeout,
        page: scope.page.clone(),
    })
}

/// Where a step's call goes and how it is written, for comparing: `POST https://desk.example/form (application/json)`.
pub(crate) fn target(settings: &Settings, step: &Step, scope: &Scope<'_>) -> String {
    let place =
        address(settings, &step.target, step.absolute, scope).map_or_else(|_| step.target.text().to_owned(), |u| super::http::place(&u));
    let kind = match &step.body {
        Some(Body::Json(_)) => " (application/json)",
        Some(Body::Form(_)) => " (application/x-www-form-urlencoded)",
        Some(Body::Multipart { .. }) => " (multipart/form-data)",
        Some(Body::Raw { .. } | Body::Text { .. }) | None => "",
    };
    format!("{} {place}{kind}", method(step.method))
}

pub(crate) fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// The URL of a template: a path below the base, or a whole URL, which must be among the hosts.
pub(crate) fn address(settings: &Settings, target: &Template, absolute: bool, scope: &Scope<'_>) -> Result<Url, String> {
    let text = target.joined(scope, |index, text| {
        let encoded = target.parts().get(index).is_some_and(|p| match p {
            Part::Expr(e) => matches!(e.filters.last(), Some(Filter::Path | Filter::Url)),
            Part::Text(_) => false,
        });
        // The beginning of a whole URL is taken as it is; everything else is one segment of a path.
        if encoded || (absolute && index == 0) { Ok(text) } else { segment(&text).map_err(|m| format!("a value {m}")) }
    })?;
    let text = text.ok_or_else(|| format!("a value for `{}` is missing", target.text()))?;
    // What an answer calls a URL may be a path on the desk's own host.
    let url = match Url::parse(&settings.base) {
        Ok(base) if absolute && text.starts_with('/') => base.join(&text),
        _ if absolute => Url::parse(&text),
        _ => Url::parse(&format!("{}{text}", settings.base)),
    };
    let url = url.map_err(|e| format!("`{}` gives no URL: {e}", target.text()))?;
    if !settings.allows(&url) {
        return Err(format!("{} is not among the desk's hosts; nothing was sent there", super::http::place(&url)));
    }
    Ok(url)
}

/// Names and values, without those that are left out when empty.
fn filled(pairs: &[(String, Template)], scope: &Scope<'_>) -> Result<Vec<(String, String)>, String> {
    let mut out = Vec::new();
    for (name, template) in pairs {
        match template.string(scope)? {
            Some(value) => out.push((name.clone(), value)),
            None if template.omits_empty() => {}
            None => return Err(format!("the value of `{name}` (`{}`) is missing", template.text())),
        }
    }
    Ok(out)
}

/// Adds the headers that go with every call of the scope.
pub(crate) fn visiting(scope: &Scope<'_>, headers: &mut HeaderMap) -> Result<(), String> {
    for (name, value) in filled(&scope.sent.headers, scope)? {
        if !headers.contains_key(&name) {
            put(headers, &name, &value, true)?;
        }
    }
    Ok(())
}

pub(super) fn put(headers: &mut HeaderMap, name: &str, value: &str, secret: bool) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name"))?;
    // The error would hold the value: it is not shown.
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of the header `{name}` cannot be sent (line ends or control characters)"))?;
    value.set_sensitive(secret);
    headers.insert(name, value);
    Ok(())
}

/// Adds the credentials. The URL was checked against the hosts before.
pub(crate) fn sign_in(
    definition: &Definition,
    settings: &Settings,
    chosen: Option<&str>,
    url: &mut Url,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let Some(name) = chosen.or(settings.auth.as_deref()) else { return Ok(()) };
    let Some(auth) = definition.auths.iter().find(|a| a.name == name) else { return Ok(()) };
    let mut scope = Scope::new(settings.params.clone());
    settings.logins.tell(name, &mut scope);
    let text = |template: &Template| template.string(&scope)?.ok_or_else(|| format!("a param for [auth.{name}] is not set"));
    match &auth.kind {
        AuthKind::None => Ok(()),
        AuthKind::Basic { user, password } => {
            let pair = STANDARD.encode(format!("{}:{}", text(user)?, text(password)?));
            put(headers, AUTHORIZATION.as_str(), &format!("Basic {pair}"), true)
        }
        AuthKind::Bearer { token } => put(headers, AUTHORIZATION.as_str(), &format!("Bearer {}", text(token)?), true),
        AuthKind::Header { name, value } | AuthKind::Login { name, value, .. } => put(headers, name, &text(value)?, true),
        AuthKind::Query { name, value } => {
            let value = text(value)?;
            url.query_pairs_mut().append_pair(name, &value);
            Ok(())
        }
    }
}

fn encode(body: &Body, scope: &Scope<'_>, headers: &mut HeaderMap) -> Result<Vec<u8>, String> {
    let kind = |template: &Option<Template>, usual: &str| -> Result<String, String> {
        Ok(template.as_ref().map(|t| t.string(scope)).transpose()?.flatten().unwrap_or_else(|| usual.to_owned()))
    };
    let (bytes, kind) = match body {
        Body::Json(shape) => {
            let value = shaped(shape, scope)?.unwrap_or(serde_json::Value::Null);
            (value.to_string().into_bytes(), "application/json".to_owned())
        }
        Body::Form(pairs) => {
            let pairs = filled(pairs, scope)?;
            let text: Vec<String> = pairs.iter().map(|(k, v)| format!("{}={}", percent(k), percent(v))).collect();
            (text.join("&").into_bytes(), "application/x-www-form-urlencoded".to_owned())
        }
        Body::Multipart { fields, files } => {
            let fields = filled(fields, scope)?;
            let files: Vec<_> = files.iter().flat_map(|name| scope.files.iter().map(move |file| (name.as_str(), file))).collect();
            super::multipart::encode(&fields, &files)
        }
        Body::Raw { content, kind: k } => {
            let value = content.value(scope)?.ok_or_else(|| format!("`{}` is missing", content.text()))?;
            let bytes = match value {
                Value::Bytes(bytes) => bytes.to_vec(),
                other => other.to_text()?.into_bytes(),
            };
            (bytes, kind(k, "application/octet-stream")?)
        }
        Body::Text { content, kind: k } => {
            let text = content.string(scope)?.ok_or_else(|| format!("`{}` is missing", content.text()))?;
            (text.into_bytes(), kind(k, "text/plain; charset=utf-8")?)
        }
    };
    if !headers.contains_key(CONTENT_TYPE) {
        put(headers, CONTENT_TYPE.as_str(), &kind, false)?;
    }
    Ok(bytes)
}

/// Builds a JSON value; none when it is to be left out.
pub(crate) fn shaped(shape: &Shape, scope: &Scope<'_>) -> Result<Option<serde_json::Value>, String> {
    Ok(match shape {
        Shape::Const(value) => Some(value.clone()),
        Shape::Leaf(template) => match template.value(scope)? {
            None if template.omits_empty() => None,
            None => return Err(format!("a value for `{}` is missing", template.text())),
            Some(Value::Json(json)) => Some(to_serde(&json)),
            Some(other) => Some(other.to_text().map_err(|m| format!("`{}` {m}", template.text()))?.into()),
        },
        Shape::List(items) => {
            let mut out = Vec::new();
            for item in items {
                out.extend(shaped(item, scope)?);
            }
            Some(out.into())
        }
        Shape::Map(entries) => {
            let mut out = serde_json::Map::new();
            for (key, inner) in entries {
                if let Some(value) = shaped(inner, scope)? {
                    out.insert(key.clone(), value);
                }
            }
            Some(out.into())
        }
        Shape::Each { over, omit_empty, item } => {
            let mut out = Vec::new();
            for element in elements(over, scope)? {
                out.extend(shaped(item, &scope.with_item(element))?);
            }
            (!out.is_empty() || !omit_empty).then(|| out.into())
        }
        Shape::EachPair { over, omit_empty, key, value } => {
            let mut out = serde_json::Map::new();
            for element in elements(over, scope)? {
                let inner = scope.with_item(element);
                let key = key.string(&inner)?.ok_or_else(|| format!("a key (`{}`) is missing", key.text()))?;
                out.extend(shaped(value, &inner)?.map(|v| (key, v)));
            }
            (!out.is_empty() || !omit_empty).then(|| out.into())
        }
        Shape::ListOf { step, path, omit_empty } => {
            let found = scope.answer(step).map(|a| path.eval(a)).transpose()?;
            let items: Vec<serde_json::Value> =
                found.as_ref().and_then(|f| f.as_array()).map(|a| a.iter().map(to_serde).collect()).unwrap_or_default();
            (!items.is_empty() || !omit_empty).then(|| items.into())
        }
    })
}

/// The elements that something is repeated over.
pub(crate) fn elements<'a>(over: &Over, scope: &Scope<'a>) -> Result<Vec<Item<'a>>, String> {
    match over {
        Over::Files => Ok(scope.files.iter().map(Item::File).collect()),
        Over::Step(step, path) => {
            let Some(answer) = scope.answer(step) else { return Ok(Vec::new()) };
            let list: Json = match path {
                None => answer.clone(),
                Some(path) => path.eval(answer)?,
            };
            match list.as_array() {
                Some(rows) => Ok(rows.iter().cloned().map(Item::Json).collect()),
                None if list.is_null() => Ok(Vec::new()),
                None => Err(format!("the answer of `{step}` is no list")),
            }
        }
    }
}
