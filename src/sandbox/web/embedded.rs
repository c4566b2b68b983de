//! The form that companies embed: JavaScript builds it from a configuration and submits JSON.

use super::super::faults::Fault;
use super::super::mime::File;
use super::super::world::World;
use super::intake;
use super::page::{CLOSED, page, script as own_script};
use super::visits::Refusal;
use super::words::Ask;
use super::{target, token_lifetime};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Shared = State<Arc<World>>;

/// `GET /embed/form`: the frame; everything in it is made by the script.
pub(crate) async fn frame(State(world): Shared) -> Response {
    let config = world.places.get().map_or("", |p| p.web.as_str());
    let body = format!(
        "<contact-form data-config=\"{config}/form/config\"></contact-form>\n\
         <noscript><p>This form needs JavaScript.</p></noscript>\n<script src=\"/embed/form.js\"></script>"
    );
    page(StatusCode::OK, world.web.words.title, &body)
}

/// `GET /embed/form.js`.
pub(crate) async fn script() -> Response {
    own_script(include_str!("form.js"))
}

/// `GET /form/config`.
pub(crate) async fn config(State(world): Shared) -> Response {
    tokio::time::sleep(world.pace.between(5, 60)).await;
    if world.switches.on(Fault::FormDoesNotLoad) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "not authorized" }))).into_response();
    }
    let words = &world.web.words;
    let token = world.pace.hex(40);
    // Embedded forms are made by programs of others as well: their names stay.
    let asked = intake::asked(&world);
    world.web.visits.open(token.clone(), None, asked.iter().map(|ask| (*ask, ask.key().to_owned())).collect());
    let fields: Vec<Value> = asked.iter().map(|ask| field(&world, *ask)).collect();
    let answer = json!({
        "enabled": true,
        "title": words.title,
        "token": token,
        "fields": fields,
        "button": words.button,
        "thanks": words.thanks,
        "endpoint": target(&world, "/form/submit"),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

fn field(world: &World, ask: Ask) -> Value {
    let words = &world.web.words;
    let mut field = json!({ "name": ask.key(), "label": words.label(ask), "type": ask.kind(), "required": ask.is_required() });
    if ask == Ask::Topic {
        let option =
            |(at, queue): (usize, &super::super::Queue)| json!({ "value": queue.name.to_ascii_lowercase(), "label": words.topic(at) });
        field["options"] = world.queues.iter().enumerate().map(option).collect();
    }
    field
}

#[derive(Debug, Deserialize)]
struct Submission {
    #[serde(default)]
    token: String,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    files: Vec<NewFile>,
    fingerprint: Option<String>,
}

/// A file in JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct NewFile {
    name: String,
    #[serde(rename = "type", default)]
    content_type: String,
    /// Base64.
    data: String,
}

impl NewFile {
    /// # Errors
    /// When the data are not base64.
    pub(crate) fn read(self) -> Result<File, String> {
        let bytes = STANDARD.decode(&self.data).map_err(|e| format!("file {}: {e}", self.name))?;
        let content_type = if self.content_type.is_empty() { "application/octet-stream".to_owned() } else { self.content_type };
        Ok(File { name: self.name, content_type, bytes })
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

/// `POST /form/submit`.
pub(crate) async fn submit(State(world): Shared, headers: HeaderMap, body: Bytes) -> Response {
    tokio::time::sleep(world.pace.between(5, 60)).await;
    // A page sends an Origin with every such call; the desk's own contact page does not come here.
    if world.switches.on(Fault::FormCorsRefused) && headers.contains_key(header::ORIGIN) {
        let mut response = refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
        response.headers_mut().insert(CLOSED, HeaderValue::from_static("1"));
        return response;
    }
    if world.switches.on(Fault::FormSubmit500) {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
    }
    let sent: Submission = match serde_json::from_slice(&body) {
        Ok(sent) => sent,
        Err(e) => return refused(StatusCode::UNPROCESSABLE_ENTITY, &e.to_string()),
    };
    if world.switches.on(Fault::FormContractChanged) && sent.fingerprint.is_none() {
        return refused(StatusCode::UNAUTHORIZED, "fingerprint missing");
    }
    match world.web.visits.redeem(&sent.token, None, token_lifetime(&world)) {
        Ok(_) => {}
        Err(Refusal::Unknown) => return refused(StatusCode::UNAUTHORIZED, Refusal::Unknown.words()),
        Err(captcha) => return Json(json!({ "errors": { "captcha": captcha.words() } })).into_response(),
    }
    take(&world, sent)
}

fn take(world: &Arc<World>, sent: Submission) -> Response {
    let files: Result<Vec<File>, String> = sent.files.into_iter().map(NewFile::read).collect();
    let files = match files {
        Ok(files) => files,
        Err(why) => return Json(json!({ "errors": { "file": why } })).into_response(),
    };
    let values: BTreeMap<Ask, String> =
        intake::asked(world).into_iter().filter_map(|ask| Some((ask, written(sent.fields.get(ask.key())?)))).collect();
    match intake::check(world, &values, files) {
        Ok(request) => Json(json!({ "ticket": { "number": intake::hand_in(world, request) } })).into_response(),
        Err(errors) => {
            let errors: Map<String, Value> = errors.into_iter().map(|(ask, why)| (ask.key().to_owned(), json!(why))).collect();
            Json(json!({ "errors": errors })).into_response()
        }
    }
}

/// A field's value as text: what is not ticked is empty.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
