//! A browser's rules for calls to another origin than the page's: what is sent, and what the page would get to see.
//!
//! Rules of the Fetch standard (<https://fetch.spec.whatwg.org/#http-cors-protocol>); the default referrer policy is
//! `strict-origin-when-cross-origin` (<https://www.w3.org/TR/referrer-policy/>).

use crate::desk::call::put;
use crate::desk::definition::{Method, Step};
use crate::desk::http::{Call, Reply};
use crate::desk::outcome::{Cause, Failure};
use crate::model::ResultClass;
use reqwest::Url;
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue,
    ORIGIN, REFERER,
};

/// Media types that need no asking before.
const SIMPLE: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// The page on which a browser would make the calls.
#[derive(Debug)]
pub(crate) struct Page {
    url: Url,
    origin: String,
}

impl Page {
    /// The page at this address. The error continues a sentence that begins with the address.
    pub fn new(url: &str) -> Result<Page, String> {
        let url = Url::parse(url).map_err(|e| format!("is no address: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("is no http or https address".to_owned());
        }
        Ok(Page { origin: url.origin().ascii_serialization(), url })
    }

    /// The origin, for people and templates.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn foreign(&self, url: &Url) -> bool {
        url.origin() != self.url.origin()
    }

    /// Adds what a browser sends of the page.
    pub fn headers(&self, step: &Step, target: &Url, headers: &mut HeaderMap) -> Result<(), String> {
        if step.method != Method::Get || self.foreign(target) {
            put(headers, ORIGIN.as_str(), &self.origin, false)?;
        }
        let referer = match (self.foreign(target), self.url.scheme() == "https" && target.scheme() == "http") {
            (_, true) => return Ok(()),
            (true, false) => format!("{}/", self.origin),
            (false, false) => {
                let mut url = self.url.clone();
                url.set_fragment(None);
                url.to_string()
            }
        };
        put(headers, REFERER.as_str(), &referer, false)
    }

    /// The question that a browser asks before a call; none when it asks none.
    pub fn preflight(&self, call: &Call) -> Option<Call> {
        if !self.foreign(&call.url) {
            return None;
        }
        let unsafe_headers = unsafe_headers(&call.headers);
        if unsafe_headers.is_empty() && matches!(call.method.as_str(), "GET" | "HEAD" | "POST") {
            return None;
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        for name in [ORIGIN, REFERER] {
            if let Some(value) = call.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        put(&mut headers, ACCESS_CONTROL_REQUEST_METHOD.as_str(), call.method.as_str(), false).ok()?;
        if !unsafe_headers.is_empty() {
            put(&mut headers, ACCESS_CONTROL_REQUEST_HEADERS.as_str(), &unsafe_headers.join(","), false).ok()?;
        }
        Some(Call { method: reqwest::Method::OPTIONS, headers, writes: call.writes, ..Call::get(call.url.clone()) })
    }

    /// Whether the answer to the question lets a browser make the call.
    pub fn permits(&self, call: &Call, reply: &Reply) -> Result<(), Failure> {
        let refused = |text: String| {
            let status = reply.status.as_u16();
            let asked = format!("the question before {} {} was answered {status}", call.method, call.url.path());
            // A server's own trouble with the question is none with the call.
            Err(refused(0, format!("{asked}{text}")))
        };
        if !reply.status.is_success() {
            return refused(format!(", so a browser on {} sends nothing", self.origin));
        }
        if let Err(found) = self.origin_of(reply) {
            return refused(found);
        }
        let methods = listed(&reply.headers, &ACCESS_CONTROL_ALLOW_METHODS);
        let method = call.method.as_str();
        if !matches!(method, "GET" | "HEAD" | "POST") && !methods.iter().any(|m| m == "*" || m == method) {
            return refused(format!(", without {method} in Access-Control-Allow-Methods"));
        }
        let allowed = listed(&reply.headers, &ACCESS_CONTROL_ALLOW_HEADERS);
        for name in unsafe_headers(&call.headers) {
            let named = allowed.iter().any(|a| a.eq_ignore_ascii_case(&name));
            // Credentials must be allowed by name.
            if !named && (name == AUTHORIZATION.as_str() || !allowed.iter().any(|a| a == "*")) {
                return refused(format!(", without {name} in Access-Control-Allow-Headers"));
            }
        }
        Ok(())
    }

    /// Whether a browser lets the page see the answer.
    pub fn shows(&self, reply: &Reply) -> Result<(), Failure> {
        if !self.foreign(&reply.url) {
            return Ok(());
        }
        let status = reply.status.as_u16();
        let text = |found| format!("{} was answered {status}{found}", reply.url.path());
        self.origin_of(reply).map_err(|found| refused(status, text(found)).after_effect())
    }

    fn origin_of(&self, reply: &Reply) -> Result<(), String> {
        let values = listed(&reply.headers, &ACCESS_CONTROL_ALLOW_ORIGIN);
        match values.as_slice() {
            [] => Err(format!(" without Access-Control-Allow-Origin for {}", self.origin)),
            [one] if one == "*" || *one == self.origin => Ok(()),
            other => {
                let shown: String = other.join(", ").chars().take(100).collect();
                Err(format!(", with Access-Control-Allow-Origin `{shown}` instead of {}", self.origin))
            }
        }
    }
}

fn refused(status: u16, text: String) -> Failure {
    Failure::new(ResultClass::Denied, Cause::Origin(status), text)
}

/// The values of a header with lists, in all its lines.
fn listed(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|l| l.split(',')).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty()).collect()
}

/// Headers for which a browser asks before, in small letters, sorted. What it sets itself is none of them.
fn unsafe_headers(headers: &HeaderMap) -> Vec<String> {
    let safe = |name: &str, value: &HeaderValue| {
        [ACCEPT.as_str(), ACCEPT_LANGUAGE.as_str(), CONTENT_LANGUAGE.as_str(), ORIGIN.as_str(), REFERER.as_str()].contains(&name)
            || name == CONTENT_TYPE.as_str()
                && value
                    .to_str()
                    .is_ok_and(|v| SIMPLE.contains(&v.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str()))
    };
    let mut out: Vec<String> = headers.iter().filter(|(n, v)| !safe(n.as_str(), v)).map(|(n, _)| n.as_str().to_owned()).collect();
    out.sort();
    out.dedup();
    out
}
