//! The visitor's side by HTTP and JSON.

use super::super::desk::{Place, Status};
use super::super::faults::Fault;
use super::super::mime::File;
use super::super::web::embedded::NewFile;
use super::super::web::intake::is_address;
use super::super::world::World;
use super::begin::{self, Beginning, Refusal};
use super::book::{Conversation, Visitor};
use super::lines::{self, Line, Saying};
use super::offered;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Shared = State<Arc<World>>;
type Answer = Result<Response, Failure>;

/// What one line may hold.
const TEXT_LIMIT: usize = 100_000;
/// Files that one line may bring.
const FILE_LIMIT: usize = 10;

/// A refusal: status and body.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) StatusCode, pub(crate) Value);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self.0 {
            StatusCode::TOO_MANY_REQUESTS => (self.0, [(header::RETRY_AFTER, "5")], Json(self.1)).into_response(),
            status => (status, Json(self.1)).into_response(),
        }
    }
}

fn failure(status: StatusCode, why: &str) -> Failure {
    Failure(status, json!({ "error": why }))
}

/// What a stream's address may ask.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Key {
    #[serde(default)]
    pub(crate) key: String,
}

/// Who calls, and his secret: by header, or by `key` where a browser cannot send headers.
pub(crate) fn visitor(world: &World, headers: &HeaderMap, key: &str) -> Result<(Visitor, String), Failure> {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Visitor "));
    let secret = given.unwrap_or(key).trim();
    let found = world.chat.book().visitor(secret);
    found.map(|v| (v, secret.to_owned())).ok_or_else(|| failure(StatusCode::UNAUTHORIZED, "the visitor is not known"))
}

/// The caller's own conversation; others' do not exist for him.
pub(crate) fn own(world: &World, headers: &HeaderMap, key: &str, id: &str) -> Result<Conversation, Failure> {
    let (visitor, _) = visitor(world, headers, key)?;
    let found = world.chat.book().conversation(id).filter(|c| c.visitor == visitor.id).cloned();
    found.filter(|c| exists(world, c)).ok_or_else(|| failure(StatusCode::NOT_FOUND, "no such conversation"))
}

fn exists(world: &World, conversation: &Conversation) -> bool {
    world.desk().live(conversation.ticket).is_some()
}

/// The state as visitors are told it.
pub(crate) fn state(world: &World, conversation: &Conversation) -> &'static str {
    let ended = world.chat.book().conversation(&conversation.id).is_none_or(|c| c.ended);
    match world.desk().live(conversation.ticket).map(|t| t.status) {
        _ if ended => "closed",
        None => "closed",
        Some(Status::Bot) => "pending",
        Some(_) => "open",
    }
}

fn body<T: for<'de> Deserialize<'de>>(bytes: &Bytes) -> Result<T, Failure> {
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|e| failure(StatusCode::UNPROCESSABLE_ENTITY, &e.to_string()))
}

/// `GET /chat/status`.
pub(crate) async fn status(State(world): Shared) -> Response {
    let words = &world.chat.words;
    let questions = words.questions.iter().map(|q| json!({ "key": q.key, "label": q.label, "required": q.required }));
    let queue = world.queues.first().map(|q| q.name.as_str());
    let answer = json!({ "online": offered(&world), "queue": queue, "prechat": questions.collect::<Vec<_>>() });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// `POST /chat/visitors`.
pub(crate) async fn new_visitor(State(world): Shared) -> Response {
    let (id, secret) = (format!("v{}", world.pace.hex(12)), world.pace.hex(40));
    world.chat.book().welcome(id.clone(), secret.clone(), world.chat.words.first_cursor);
    (StatusCode::CREATED, Json(json!({ "visitor": id, "secret": secret }))).into_response()
}

/// What is said, as it comes in JSON.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NewLine {
    #[serde(default)]
    text: String,
    #[serde(default)]
    files: Vec<NewFile>,
}

impl NewLine {
    /// # Errors
    /// When it is too much, or a file cannot be read.
    pub(crate) fn read(self) -> Result<Saying, Failure> {
        if self.text.len() > TEXT_LIMIT || self.files.len() > FILE_LIMIT {
            return Err(failure(StatusCode::PAYLOAD_TOO_LARGE, "the line is too long"));
        }
        let files: Result<Vec<File>, String> = self.files.into_iter().map(NewFile::read).collect();
        let files = files.map_err(|why| failure(StatusCode::UNPROCESSABLE_ENTITY, &why))?;
        Ok(Saying { text: self.text, files })
    }
}

/// What a conversation begins with, as it comes in JSON.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct NewConversation {
    #[serde(default)]
    prechat: Map<String, Value>,
    topic: Option<String>,
    #[serde(flatten)]
    line: NewLine,
}

impl NewConversation {
    /// # Errors
    /// When it is too much, or a file cannot be read.
    pub(crate) fn read(self) -> Result<Beginning, Failure> {
        Ok(Beginning { prechat: self.prechat, topic: self.topic, saying: self.line.read()? })
    }
}

/// A refusal in HTTP's words.
pub(crate) fn refusal(why: Refusal) -> Failure {
    match why {
        Refusal::Unknown => failure(StatusCode::UNAUTHORIZED, "the visitor is not known"),
        Refusal::Throttled => failure(StatusCode::TOO_MANY_REQUESTS, "too many new conversations"),
        Refusal::Offline => Failure(StatusCode::CONFLICT, json!({ "error": "nobody is here; please leave a message", "online": false })),
        Refusal::Wrong(errors) => Failure(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": errors })),
        Refusal::DeadEnd => Failure(StatusCode::CREATED, json!({ "conversation": null })),
    }
}

/// `POST /chat/conversations`.
pub(crate) async fn new_conversation(State(world): Shared, headers: HeaderMap, bytes: Bytes) -> Answer {
    let (_, secret) = visitor(&world, &headers, "")?;
    let new: NewConversation = body(&bytes)?;
    tokio::time::sleep(world.pace.between(2, 40)).await;
    let begun = begin::begin(&world, &secret, new.read()?).map_err(refusal)?;
    let answer = json!({ "conversation": begun.conversation, "line": begun.line });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /chat/conversations/current`: what a page that is loaded again finds.
pub(crate) async fn current(State(world): Shared, headers: HeaderMap) -> Answer {
    let (visitor, _) = visitor(&world, &headers, "")?;
    let lost = world.switches.on(Fault::ChatHistoryLostOnReturn);
    let found = visitor.current.filter(|_| !lost).and_then(|id| world.chat.book().conversation(&id).cloned());
    let found = found.filter(|c| exists(&world, c)).ok_or_else(|| failure(StatusCode::NOT_FOUND, "no conversation"))?;
    Ok(Json(json!({ "conversation": found.id, "state": state(&world, &found) })).into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// `GET /chat/conversations/{id}/lines`: what is stored.
pub(crate) async fn lines(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, Query(asked): Query<After>) -> Answer {
    let conversation = own(&world, &headers, "", &id)?;
    let stored = world.desk().live(conversation.ticket).map(|t| t.messages.clone()).unwrap_or_default();
    let shown = stored.iter().filter(|m| lines::is_shown(&world, m));
    let mut all: Vec<Line> = shown.map(|m| lines::line(&world, &conversation.id, m)).collect();
    if let Some(at) = asked.after.and_then(|after| all.iter().position(|l| l.id == after)) {
        all.drain(..=at);
    }
    Ok(Json(json!({ "lines": all, "state": state(&world, &conversation) })).into_response())
}

/// `POST /chat/conversations/{id}/lines`.
pub(crate) async fn say(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, bytes: Bytes) -> Answer {
    let conversation = own(&world, &headers, "", &id)?;
    let new: NewLine = body(&bytes)?;
    let saying = new.read()?;
    if saying.text.trim().is_empty() && saying.files.is_empty() {
        return Err(failure(StatusCode::UNPROCESSABLE_ENTITY, "the line is empty"));
    }
    let line = lines::say(&world, &conversation.id, saying).ok_or_else(|| failure(StatusCode::CONFLICT, "the conversation is closed"))?;
    Ok((StatusCode::CREATED, Json(json!({ "line": line }))).into_response())
}

/// `POST /chat/conversations/{id}/close`.
pub(crate) async fn close(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let conversation = own(&world, &headers, "", &id)?;
    leave(&world, &conversation);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The visitor ends the conversation.
pub(crate) fn leave(world: &Arc<World>, conversation: &Conversation) {
    let now = world.clock.now();
    let closes = world.desk().live(conversation.ticket).is_some_and(|t| {
        let closes = t.status != Status::Closed && t.place != Place::Deleted;
        t.set_status(now, "visitor", Status::Closed);
        closes
    });
    if closes {
        super::super::desk::outbound::closed(world, conversation.ticket);
    }
    world.touch();
}

#[derive(Debug, Deserialize)]
struct Note {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(flatten)]
    line: NewLine,
}

/// `POST /chat/offline`.
pub(crate) async fn offline(State(world): Shared, bytes: Bytes) -> Answer {
    let note: Note = body(&bytes)?;
    let email = note.email.trim().to_ascii_lowercase();
    if !is_address(&email) {
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": { "email": "not an e-mail address" } })));
    }
    let saying = note.line.read()?;
    if saying.text.trim().is_empty() {
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, json!({ "errors": { "text": "required" } })));
    }
    tokio::time::sleep(world.pace.between(2, 40)).await;
    begin::leave_message(&world, note.name.trim().to_owned(), email, saying);
    Ok((StatusCode::CREATED, Json(json!({ "ok": true }))).into_response())
}

/// `GET /chat/files/{key}`.
pub(crate) async fn file(State(world): Shared, headers: HeaderMap, Path(key): Path<String>, Query(asked): Query<Key>) -> Answer {
    let missing = || failure(StatusCode::NOT_FOUND, "no such file");
    let shared = world.chat.book().file(&key).cloned().ok_or_else(missing)?;
    own(&world, &headers, &asked.key, &shared.conversation)?;
    if world.switches.on(Fault::ChatAttachmentNotTransferred) {
        return Err(missing());
    }
    let file = world.desk().file(shared.file).cloned().ok_or_else(missing)?;
    let mut response = super::super::desk::api::file_response(&file);
    // Whatever a stranger sent must not run as a page of the desk.
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
