//! From the values of the configuration to what a desk needs to run: params, base, hosts, the way to sign in.

use super::definition::{Auth, Definition, Param, ParamKind};
use super::login::Logins;
use super::scope::{Scope, Value};
use super::template::Name;
use crate::config::ParamValue;
use crate::suggest::suggest;
use jmespath::Variable;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A desk's values, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub params: Arc<BTreeMap<String, Value>>,
    /// Below which paths are called; no trailing slash.
    pub base: String,
    /// Hosts to which requests and credentials may go: name and port.
    pub hosts: Vec<(String, u16)>,
    /// False when nothing may go out unencrypted.
    pub plain_http: bool,
    /// The way to sign in unless a step says otherwise.
    pub auth: Option<String>,
    /// What logins gave.
    pub logins: Logins,
}

impl Definition {
    /// Checks the values that a desk of the configuration gives: `(param, what is wrong)`.
    /// The name of the param is empty when no single one is meant.
    pub fn check_params(&self, given: &BTreeMap<String, ParamValue>) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for name in given.keys() {
            if !self.params.iter().any(|p| p.name == *name) {
                let known: Vec<&str> = self.params.iter().map(|p| p.name.as_str()).collect();
                let help = suggest(name, known.iter().copied())
                    .map_or_else(|| format!("it has {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
                problems.push((name.clone(), format!("the desk definition `{}` has no param `{name}`; {help}", self.id)));
            }
        }
        for param in &self.params {
            match given.get(&param.name) {
                None if param.required => problems.push((param.name.clone(), missing(param, &self.id))),
                None => {}
                Some(value) => {
                    if let Err(message) = check_given(param, value) {
                        problems.push((param.name.clone(), format!("`{}` {message}", param.name)));
                    }
                }
            }
        }
        if problems.is_empty() {
            match (Settings::new(self, given), &self.chat) {
                (Err(problem), _) => problems.push(problem),
                (Ok(own), Some(chat)) => problems.extend(chat.transport(&Scope::new(own.params)).err().map(|m| (String::new(), m))),
                (Ok(_), None) => {}
            }
        }
        problems
    }

    /// The way to sign in that these params choose; none when the definition needs none.
    fn choose_auth(&self, params: &BTreeMap<String, Value>) -> Result<Option<&Auth>, (String, String)> {
        if self.auths.is_empty() {
            return Ok(None);
        }
        let Some(auth) = self.auths.iter().find(|a| a.when.as_ref().is_none_or(|p| params.contains_key(p))) else {
            let choices: Vec<String> = self.auths.iter().filter_map(|a| a.when.as_ref().map(|w| format!("`{w}`"))).collect();
            return Err((String::new(), format!("the desk `{}` cannot sign in: give {}", self.id, choices.join(" or "))));
        };
        for template in auth.kind.templates() {
            for expr in template.expressions() {
                if let Name::Var(name) | Name::Param(name) = &expr.name {
                    let optional = expr.filters.iter().any(|f| matches!(f, super::filter::Filter::Default(_)));
                    if !params.contains_key(name) && !optional {
                        return Err((name.clone(), format!("`{name}` is needed to sign in ([auth.{}])", auth.name)));
                    }
                }
            }
        }
        Ok(Some(auth))
    }
}

fn missing(param: &Param, desk: &str) -> String {
    let doc = if param.doc.is_empty() { String::new() } else { format!(" ({})", param.doc) };
    format!("the desk definition `{desk}` needs `{}`{doc}", param.name)
}

fn check_given(param: &Param, value: &ParamValue) -> Result<(), String> {
    match value {
        ParamValue::Plain(value) => check_value(param, value),
        ParamValue::Secret(secret) => {
            check_text(param, secret.expose_secret()).map_err(|_| format!("does not look like {}", expected(param)))
        }
    }
}

fn expected(param: &Param) -> &'static str {
    match param.kind {
        ParamKind::Text => "a text that fits its pattern",
        ParamKind::Int => "a whole number",
        ParamKind::Bool => "true or false",
        ParamKind::Url => "an http or https URL",
    }
}

/// Checks a value against a param's kind and pattern. The error continues a sentence.
pub(crate) fn check_value(param: &Param, value: &toml::Value) -> Result<(), String> {
    match (param.kind, value) {
        (ParamKind::Int, toml::Value::Integer(n)) => check_text(param, &n.to_string()),
        (ParamKind::Bool, toml::Value::Boolean(_)) => Ok(()),
        (ParamKind::Text | ParamKind::Url, toml::Value::String(text)) => check_text(param, text),
        _ => Err(format!("must be {}", if param.kind == ParamKind::Text { "a text" } else { expected(param) })),
    }
}

fn check_text(param: &Param, text: &str) -> Result<(), String> {
    match param.kind {
        ParamKind::Int if text.parse::<i64>().is_err() => return Err("must be a whole number".to_owned()),
        ParamKind::Bool if !matches!(text, "true" | "false") => return Err("must be true or false".to_owned()),
        ParamKind::Url => check_url(text)?,
        _ => {}
    }
    match &param.pattern {
        Some(pattern) if !pattern.is_match(text) => Err(format!("must match {}", pattern.as_str())),
        _ => Ok(()),
    }
}

fn check_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|e| format!("must be a URL: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must be an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or password; there are params for them".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or fragment".to_owned());
    }
    Ok(())
}

impl Settings {
    /// Puts the values together. The error names the param (or none) and says what is wrong.
    pub fn new(definition: &Definition, given: &BTreeMap<String, ParamValue>) -> Result<Settings, (String, String)> {
        let mut params = BTreeMap::new();
        for param in &definition.params {
            let value = match given.get(&param.name) {
                Some(ParamValue::Secret(secret)) => Some(Value::Secret(secret.clone())),
                Some(ParamValue::Plain(toml::Value::String(text))) if param.secret => Some(Value::Secret(SecretString::from(text.clone()))),
                Some(ParamValue::Plain(value)) => plain(param, value),
                None => param.default.as_ref().and_then(|d| plain(param, d)),
            };
            if let Some(value) = value {
                params.insert(param.name.clone(), value);
            }
        }
        let auth = definition.choose_auth(&params)?.map(|a| a.name.clone());
        let scope = Scope::new(Arc::new(params));
        let whole = |m: String| (String::new(), m);
        let base =
            definition.base.string(&scope).map_err(whole)?.ok_or_else(|| whole("`base` needs a param that is not set".to_owned()))?;
        let base = base.trim_end_matches('/').to_owned();
        check_url(&base).map_err(|m| whole(format!("the desk's address {m}: {base}")))?;
        let plain_http = base.starts_with("http://");
        let usual = if plain_http { 80 } else { 443 };
        let mut hosts = Vec::new();
        for rule in &definition.hosts {
            let Some(text) = rule.template.string(&scope).map_err(whole)? else { continue };
            let url = if rule.of_url { text } else { format!("{}://{text}", if plain_http { "http" } else { "https" }) };
            let url = Url::parse(&url).map_err(|e| whole(format!("`hosts` holds no host name: {e}")))?;
            let host = url.host_str().ok_or_else(|| whole("`hosts` holds no host name".to_owned()))?;
            hosts.push((host.to_ascii_lowercase(), url.port_or_known_default().unwrap_or(usual)));
        }
        let settings = Settings { params: scope.params.clone(), base, hosts, plain_http, auth, logins: Logins::default() };
        match Url::parse(&settings.base) {
            Ok(url) if settings.allows(&url) => Ok(settings),
            _ => Err(whole("the desk's own address is not among its `hosts`".to_owned())),
        }
    }

    /// True when requests with credentials may go to this URL.
    pub fn allows(&self, url: &Url) -> bool {
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && self.plain_http);
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let port = url.port_or_known_default().unwrap_or(0);
        scheme && url.username().is_empty() && url.password().is_none() && self.hosts.iter().any(|(h, p)| *h == host && *p == port)
    }

    /// True when the desk is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.hosts.iter().all(|(h, _)| h == "localhost" || h == "[::1]" || h.starts_with("127."))
    }

    /// Every secret, so that it can be taken out of texts.
    pub fn secrets(&self) -> Vec<SecretString> {
        self.params.values().filter_map(|v| if let Value::Secret(s) = v { Some(s.clone()) } else { None }).collect()
    }
}

fn plain(param: &Param, value: &toml::Value) -> Option<Value> {
    match value {
        toml::Value::String(text) if param.kind == ParamKind::Url => Some(Value::text(text.trim_end_matches('/'))),
        toml::Value::String(text) => Some(Value::text(text.clone())),
        toml::Value::Integer(n) => Some(Value::Json(Arc::new(Variable::Number((*n).into())))),
        toml::Value::Boolean(b) => Some(Value::Json(Arc::new(Variable::Bool(*b)))),
        _ => None,
    }
}
