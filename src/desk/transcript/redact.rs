//! Takes out of a recording what nobody else may see: secrets, cookies, addresses, other people's requests.

use super::body_text;
use super::document::{Exchange, Request, Response};
use crate::desk::definition::{AuthKind, Definition, ParamKind, PickSource, Step};
use crate::desk::http::{Call, Reply};
use crate::desk::scope::Value as Param;
use crate::desk::secrets::Masks;
use crate::desk::settings::Settings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::{Captures, Regex};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Stands for a secret.
pub(super) const HIDDEN: &str = "***";
/// The desk's own address in a recording.
const DESK: &str = "https://desk.invalid";
/// The customer's address in a recording.
const CUSTOMER: &str = "customer@redacted.invalid";
/// The largest body that is kept whole.
const MAX_KEPT: usize = 256 * 1024;
/// Names of values that are secrets wherever they stand.
const SECRETS: &str =
    "token|secret|passw|api_?key|access_?key|session|cookie|csrf|xsrf|jwt|authori[sz]ation|signature|private_?key|credential";

/// Redacts one recording, the same way throughout.
pub(super) struct Redactor<'d> {
    definition: &'d Definition,
    masks: &'d Masks,
    /// The desk's origins, longest first, with what stands for them.
    origins: Vec<String>,
    /// Query parameters that hold credentials.
    queries: Vec<String>,
    secret_name: Regex,
    address: Regex,
    customer: String,
    token: String,
    strangers: Mutex<BTreeMap<String, usize>>,
}

impl<'d> Redactor<'d> {
    pub fn new(
        definition: &'d Definition,
        settings: &Settings,
        masks: &'d Masks,
        customer: &str,
        token: &str,
    ) -> Result<Redactor<'d>, String> {
        let mut origins = Vec::new();
        for param in definition.params().iter().filter(|p| p.kind == ParamKind::Url) {
            let url = settings.params.get(&param.name).and_then(|v| v.to_text().ok()).and_then(|t| Url::parse(&t).ok());
            origins.extend(url.map(|u| u.origin().ascii_serialization()));
        }
        origins.sort_by_key(|o| std::cmp::Reverse(o.len()));
        origins.dedup();
        let query = |a: &crate::desk::definition::Auth| match &a.kind {
            AuthKind::Query { name, .. } => Some(name.clone()),
            _ => None,
        };
        let regex = |text: &str| Regex::new(text).map_err(|e| e.to_string());
        Ok(Redactor {
            definition,
            masks,
            origins,
            queries: definition.auths.iter().filter_map(query).collect(),
            secret_name: regex(&format!("(?i){SECRETS}"))?,
            address: regex(r"[A-Za-z0-9._+~-]+(@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")?,
            customer: customer.to_lowercase(),
            token: token.to_lowercase(),
            strangers: Mutex::default(),
        })
    }

    /// The desk's params as they may be shown.
    pub fn params(&self, settings: &Settings) -> BTreeMap<String, Value> {
        let shown = |(name, value): (&String, &Param)| {
            let value = match value {
                Param::Secret(_) => HIDDEN.into(),
                Param::Json(json) => crate::desk::path::to_serde(json),
                Param::Time(_) | Param::Bytes(_) => Value::Null,
            };
            (name.clone(), self.named(name, value))
        };
        settings.params.iter().map(shown).collect()
    }

    /// A value under a name: hidden when the name says that it is a secret.
    fn named(&self, name: &str, value: Value) -> Value {
        match value {
            Value::String(text) if !text.is_empty() && self.secret_name.is_match(name) => HIDDEN.into(),
            other => self.value(other),
        }
    }

    /// Everything that may not be shown, taken out of a JSON value.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(items) => items.into_iter().map(|v| self.value(v)).collect(),
            Value::Object(fields) => fields.into_iter().map(|(k, v)| (self.text(&k), self.named(&k, v))).collect(),
            other => other,
        }
    }

    /// Everything that may not be shown, taken out of a text.
    pub fn text(&self, text: &str) -> String {
        let mut text = self.masks.mask(text);
        for origin in &self.origins {
            text = text.replace(origin, DESK);
        }
        self.address.replace_all(&text, |found: &Captures<'_>| self.stranger(&found[0], &found[1])).into_owned()
    }

    /// The same address becomes the same word, so that comparisons keep their result.
    fn stranger(&self, address: &str, at: &str) -> String {
        let plain = address.replace("%40", "@").to_lowercase();
        if plain == self.customer {
            return CUSTOMER.replace('@', at);
        }
        if plain.ends_with("@redacted.invalid") {
            return address.to_owned();
        }
        let mut strangers = self.strangers.lock().unwrap_or_else(|e| e.into_inner());
        let next = strangers.len() + 1;
        let number = *strangers.entry(plain).or_insert(next);
        format!("stranger-{number}{at}redacted.invalid")
    }

    /// A call and its answer; `step` made the call, where one did.
    pub fn exchange(&self, call: &Call, reply: Option<&Reply>, step: Option<&Step>, lists: bool) -> Exchange {
        Exchange {
            request: Request { method: call.method.to_string(), url: self.url(&call.url), body: body_text(call).map(|t| self.body(&t)) },
            response: reply.map(|r| self.response(r, step, lists)),
        }
    }

    fn url(&self, url: &Url) -> String {
        let mut url = url.clone();
        let secret = |name: &str| self.queries.iter().any(|q| q == name) || self.secret_name.is_match(name);
        if url.query().is_some() {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(|(k, v)| (k.to_string(), if secret(&k) && !v.is_empty() { HIDDEN.to_owned() } else { self.text(&v) }))
                .collect();
            url.query_pairs_mut().clear().extend_pairs(pairs);
        }
        self.text(url.as_str())
    }

    fn body(&self, text: &str) -> Value {
        match serde_json::from_str::<Value>(text) {
            Ok(json) if json.is_object() || json.is_array() => self.value(json),
            _ => self.form(text).into(),
        }
    }

    /// A form's body has names too.
    fn form(&self, text: &str) -> String {
        if text.contains(['\n', ' ', '<']) || !text.contains('=') {
            return self.text(text);
        }
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) if self.secret_name.is_match(name) && !value.is_empty() => format!("{name}={HIDDEN}"),
            _ => self.text(pair),
        };
        text.split('&').map(pair).collect::<Vec<_>>().join("&")
    }

    fn response(&self, reply: &Reply, step: Option<&Step>, lists: bool) -> Response {
        let picked = |name: &str| {
            let steps = step.into_iter().flat_map(|s| &s.pick);
            steps.into_iter().any(|p| matches!(&p.source, PickSource::Header(h) if h.eq_ignore_ascii_case(name)))
        };
        let needed = [CONTENT_TYPE, LINK, RETRY_AFTER, LOCATION];
        let wanted = |name: &str| needed.iter().any(|k| k.as_str() == name) || name.starts_with("access-control-") || picked(name);
        let headers = reply.headers.iter().filter(|(n, _)| wanted(n.as_str()));
        let headers = headers.filter_map(|(n, v)| Some((n.to_string(), v.to_str().ok()?)));
        let headers =
            headers.map(|(n, v)| (n.clone(), if self.secret_name.is_match(&n) { HIDDEN.to_owned() } else { self.text(v) })).collect();
        let mut out = Response { status: reply.status.as_u16(), headers, body: None, bytes: None };
        match std::str::from_utf8(&reply.body) {
            Ok("") => {}
            Ok(text) => match serde_json::from_str::<Value>(text) {
                Ok(json) if json.is_object() || json.is_array() => {
                    let json = if lists { self.without_strangers(json) } else { json };
                    out.body = Some(self.value(json));
                }
                _ => out.body = Some(self.page(text, step).into()),
            },
            // A file's hash is compared, so it is kept whole or not at all.
            Err(_) if reply.body.len() <= MAX_KEPT => out.bytes = Some(STANDARD.encode(&reply.body)),
            Err(_) => out.body = Some(format!("{} bytes, too large to be kept", reply.body.len()).into()),
        }
        out
    }

    /// Text of other people's requests is taken out of lists: only ids, numbers and times are left.
    fn without_strangers(&self, value: Value) -> Value {
        match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match &item {
                    Value::Object(_) | Value::Array(_) if !self.ours(&item) => emptied(item),
                    _ => self.without_strangers(item),
                })
                .collect(),
            Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, self.without_strangers(v))).collect(),
            other => other,
        }
    }

    fn ours(&self, row: &Value) -> bool {
        let text = row.to_string().to_lowercase();
        text.contains(&self.token) || (!self.customer.is_empty() && text.contains(&self.customer))
    }

    /// Of a page only what the step's selectors find, with the elements around it; else its beginning.
    fn page(&self, text: &str, step: Option<&Step>) -> String {
        let select = step.map(|s| s.select.as_slice()).unwrap_or_default();
        let kept = if select.is_empty() { text.chars().take(MAX_KEPT).collect() } else { crate::desk::page::only(text, select) };
        self.text(&kept)
    }

    /// The definition, for whoever looks for the step of a call.
    pub fn definition(&self) -> &Definition {
        self.definition
    }
}

/// The same shape without words.
fn emptied(value: Value) -> Value {
    let telling = |text: &str| {
        text.parse::<f64>().is_ok() || text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok()
    };
    match value {
        Value::String(text) if text.is_empty() || telling(&text) => text.into(),
        Value::String(_) => "…".into(),
        Value::Array(items) => items.into_iter().map(emptied).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, emptied(v))).collect(),
        other => other,
    }
}
