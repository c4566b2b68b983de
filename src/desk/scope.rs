//! What templates can see while an operation runs: params, variables, answers of steps, the element in hand.

use super::create::Page;
use super::jar::Jar;
use super::path::{Json, Path, scalar, string};
use super::template::{Template, from_json};
use crate::model::OutgoingAttachment;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A template's value.
#[derive(Clone)]
pub enum Value {
    /// JSON.
    Json(Json),
    /// A time, written as RFC 3339 unless a filter says otherwise.
    Time(Timestamp),
    /// Bytes of a file: only through `base64`, `data_url` or a raw body.
    Bytes(Arc<[u8]>),
    /// A secret; its text goes into requests only.
    Secret(SecretString),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Json(json) => write!(f, "{json}"),
            Value::Time(at) => write!(f, "{at}"),
            Value::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Value::Secret(_) => f.write_str("***"),
        }
    }
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Json(string(text))
    }

    /// The value as text; the error continues a sentence that begins with the value's name.
    pub fn to_text(&self) -> Result<String, String> {
        match self {
            Value::Json(json) => scalar(json).ok_or_else(|| format!("is a {} where text is needed", json.get_type())),
            Value::Time(at) => Ok(at.to_string()),
            Value::Bytes(_) => Err("is bytes; send them with |base64, |data_url or body.raw".to_owned()),
            Value::Secret(secret) => Ok(secret.expose_secret().to_owned()),
        }
    }

    /// True for an empty text or list, `false` and null.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Json(json) => !json.is_truthy(),
            Value::Time(_) => false,
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::Secret(secret) => secret.expose_secret().is_empty(),
        }
    }
}

/// The element in hand.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A row of an answer.
    Json(Json),
    /// A file.
    File(&'a OutgoingAttachment),
}

/// One exchange, for evidence.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Where, without query.
    pub place: String,
    /// The answer's status.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

/// Everything in scope.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    /// The desk's params.
    pub params: Arc<BTreeMap<String, Value>>,
    /// Files of a reply or a form.
    pub files: &'a [OutgoingAttachment],
    /// The element in hand.
    pub item: Option<Item<'a>>,
    /// What goes with every call.
    pub sent: Sent,
    /// The page on which a browser would make the calls.
    pub page: Option<Arc<Page>>,
    /// The last exchange.
    pub last: Option<Exchange>,
    /// How many rows the last step had up to the end of each page; empty where pages are not told apart.
    pub pages: Vec<usize>,
    vars: BTreeMap<String, Value>,
    steps: BTreeMap<String, Json>,
}

/// What goes with every call of a scope, whatever its step says.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Headers, unless the step has its own of that name.
    pub headers: Arc<[(String, Template)]>,
    /// Cookies.
    pub(crate) jar: Option<Arc<Jar>>,
    /// How long a call may take.
    pub timeout: Option<Duration>,
}

impl<'a> Scope<'a> {
    /// A scope with params only.
    pub fn new(params: Arc<BTreeMap<String, Value>>) -> Scope<'a> {
        Scope { params, ..Scope::default() }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.vars.insert(name.into(), value);
    }

    /// Sets a variable when there is a value.
    pub fn set_some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.set(name, Value::text(value));
        }
    }

    /// Sets a step's answer.
    pub fn set_step(&mut self, id: impl Into<String>, answer: Json) {
        self.steps.insert(id.into(), answer);
    }

    /// A variable, else the param of that name.
    pub fn var(&self, name: &str) -> Option<Value> {
        self.vars.get(name).cloned().or_else(|| self.param(name))
    }

    /// A param.
    pub fn param(&self, name: &str) -> Option<Value> {
        self.params.get(name).cloned()
    }

    /// A step's whole answer; none when the step was not taken or failed and was optional.
    pub fn answer(&self, step: &str) -> Option<&Json> {
        self.steps.get(step)
    }

    /// A value of a step's answer.
    pub fn step(&self, step: &str, path: &Path) -> Result<Option<Value>, String> {
        match self.steps.get(step) {
            None => Ok(None),
            Some(answer) => Ok(from_json(path.eval(answer)?)),
        }
    }

    /// A value of the element in hand.
    pub fn item(&self, name: &str, path: &Path) -> Result<Option<Value>, String> {
        match &self.item {
            None => Ok(None),
            Some(Item::Json(row)) => Ok(from_json(path.eval(row)?)),
            Some(Item::File(file)) => Ok(file_value(file, name.strip_prefix("item.").unwrap_or_default())),
        }
    }

    /// The same scope with another element in hand.
    #[must_use]
    pub fn with_item(&self, item: Item<'a>) -> Scope<'a> {
        Scope { item: Some(item), ..self.clone() }
    }
}

/// The fields of a file that templates can use.
pub const FILE_FIELDS: [&str; 4] = ["name", "type", "bytes", "size"];

fn file_value(file: &OutgoingAttachment, field: &str) -> Option<Value> {
    match field {
        "name" => Some(Value::text(file.name.clone())),
        "type" => Some(Value::text(file.content_type.clone())),
        "bytes" => Some(Value::Bytes(Arc::from(file.bytes.as_slice()))),
        "size" => Some(Value::Json(Arc::new(jmespath::Variable::Number(file.bytes.len().into())))),
        _ => None,
    }
}
