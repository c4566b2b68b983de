//! The files of a recording.

use super::operation::Operation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of these files.
pub(super) const FORMAT: u32 = 1;

/// One operation of a recording: a file of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The version of this file, 1.
    pub format: u32,
    /// The definition's id.
    pub definition: String,
    /// When it was recorded, which is also the time of its replay.
    pub recorded: Timestamp,
    /// The desk's params; secrets are `***`, addresses of the desk `https://desk.invalid`.
    pub params: BTreeMap<String, Value>,
    /// What a recipe drew at random.
    pub random: String,
    /// What was asked of the definition.
    pub operation: Operation,
    /// The calls in their order.
    pub exchanges: Vec<Exchange>,
    /// What the definition made of the answers.
    pub result: Value,
}

/// One call and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The call.
    pub request: Request,
    /// The answer; none when there was none.
    pub response: Option<Response>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// JSON as JSON, everything else as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// The headers that matter to definitions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// JSON as JSON, everything else as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Bytes that are no text, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}
