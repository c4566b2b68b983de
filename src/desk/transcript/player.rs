//! Answers calls from a recording: no network.

use super::document::{Exchange, Response};
use super::{body_text, normal};
use crate::desk::http::{Call, Lost, Reply};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;

/// The calls of one operation that were not asked for yet.
#[derive(Debug)]
pub(crate) struct Player(Mutex<Vec<Exchange>>);

impl Player {
    pub fn new(exchanges: Vec<Exchange>) -> Player {
        Player(Mutex::new(exchanges))
    }

    /// The recorded answer. The same call may have been made more than once: each answer is given once, in order.
    pub fn answer(&self, call: &Call) -> Result<Reply, Lost> {
        let mut left = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let url = normal(&call.url);
        let same =
            |e: &Exchange| e.request.method == call.method.as_str() && e.request.url == url.as_str() && body_is(&e.request.body, call);
        let Some(at) = left.iter().position(same) else {
            return Err(Lost::Refused(format!("this call was not recorded: {} {}{}", call.method, call.url, nearest(&left, call))));
        };
        match left.remove(at).response {
            None => Err(Lost::Unknown { text: "no answer was recorded".to_owned(), timed_out: true }),
            Some(response) => reply(&response, call),
        }
    }
}

/// What was recorded instead, for people.
fn nearest(left: &[Exchange], call: &Call) -> String {
    let path = |url: &str| reqwest::Url::parse(url).map(|u| u.path().to_owned()).unwrap_or_default();
    let close = |e: &&Exchange| e.request.method == call.method.as_str() && path(&e.request.url) == call.url.path();
    match left.iter().find(close) {
        Some(e) if e.request.url == call.url.as_str() => "; it was recorded with another body".to_owned(),
        Some(e) => format!("; recorded was {}", e.request.url),
        None => String::new(),
    }
}

fn body_is(recorded: &Option<Value>, call: &Call) -> bool {
    match (recorded, body_text(call)) {
        (None, None) => true,
        (Some(Value::String(text)), Some(now)) => *text == now,
        (Some(json), Some(now)) => serde_json::from_str::<Value>(&now).is_ok_and(|now| now == *json),
        _ => false,
    }
}

fn reply(response: &Response, call: &Call) -> Result<Reply, Lost> {
    let broken = |what: &str| Lost::Refused(format!("the recording is damaged: {what}"));
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| broken("a header's name"))?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| broken("a header"))?);
    }
    let body = match (&response.body, &response.bytes) {
        (None, None) => Vec::new(),
        (Some(Value::String(text)), _) => text.clone().into_bytes(),
        (Some(json), _) => json.to_string().into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|_| broken("bytes"))?,
    };
    let status = StatusCode::from_u16(response.status).map_err(|_| broken("a status"))?;
    Ok(Reply { status, headers, body, url: call.url.clone(), took: Duration::ZERO })
}
