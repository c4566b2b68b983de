//! The desk's JSON API for agents and programs.

use super::super::chat::{self, agents};
use super::super::faults::Fault;
use super::super::mime::File;
use super::super::web::page::page;
use super::super::world::World;
use super::{Event, Message, Place, Status, StoredFile, Ticket, outbound};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Tickets a page.
const PAGE: usize = 25;
/// How long the search index lags behind, where a switch says so.
const INDEX_LAG: SignedDuration = SignedDuration::from_secs(6);
const LONG_INDEX_LAG: SignedDuration = SignedDuration::from_secs(60);
/// How much of its first message the list shows of a ticket.
const EXCERPT: usize = 400;
/// How long a maintenance takes, at usual speed.
const MAINTENANCE: Duration = Duration::from_secs(6);

type Shared = State<Arc<World>>;
type Answer = Result<Response, Failure>;

/// A refusal: status and words.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = axum::Json(json!({ "error": self.1 }));
        match self.0 {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => (self.0, [(header::RETRY_AFTER, "1")], body).into_response(),
            status => (status, body).into_response(),
        }
    }
}

fn gone(what: &str, id: impl std::fmt::Display) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("no {what} {id}"))
}

fn refused(why: impl Into<String>) -> Failure {
    Failure(StatusCode::UNPROCESSABLE_ENTITY, why.into())
}

/// The API's routes under `/api/v1`.
pub(crate) fn router(world: Arc<World>) -> Router {
    let api = Router::new()
        .route("/health", get(health))
        .route("/tickets", get(list))
        .route("/tickets/{id}", get(show).patch(change).delete(remove))
        .route("/tickets/{id}/messages", get(messages))
        .route("/tickets/{id}/history", get(history))
        .route("/tickets/{id}/reply", post(reply))
        .route("/tickets/{id}/notes", post(note))
        .route("/files/{id}", get(file))
        .route("/agents", get(agents::available))
        .route("/events", get(agents::events))
        .fallback(async || Failure(StatusCode::NOT_FOUND, "no such resource".to_owned()))
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .layer(middleware::from_fn_with_state(world.clone(), guard))
        .with_state(world.clone());
    Router::new().route("/agent", get(agents_page)).with_state(world).nest("/api/v1", api)
}

/// `GET /agent`: the page that agents look at, for those with a key. Some desks fetch mail only then.
pub(crate) async fn agents_page(State(world): Shared, request: Request) -> Response {
    if !has_key(&world, &request) {
        return Failure(StatusCode::UNAUTHORIZED, "the API key is missing or not valid".to_owned()).into_response();
    }
    world.visits.send_modify(|n| *n += 1);
    let waiting = world.desk().tickets.values().filter(|t| t.place == Place::Normal && !t.is_done()).count();
    page(StatusCode::OK, &world.names.desk, &format!("<h1>{}</h1><p>{waiting}</p>", world.names.desk))
}

fn has_key(world: &World, request: &Request) -> bool {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    given.and_then(|v| v.strip_prefix("Bearer ")).is_some_and(|key| key == world.api_key)
}

/// Signs in and lets the switches refuse.
async fn guard(State(world): Shared, request: Request, next: Next) -> Response {
    if world.switches.on(Fault::OkMaintenance)
        && let Some(left) = world.marks.maintenance(world.pace.scaled(MAINTENANCE))
    {
        let seconds = (left.as_secs() + 1).to_string();
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, seconds)], "").into_response();
    }
    if world.switches.on(Fault::DeskApiDown) {
        return Failure(StatusCode::SERVICE_UNAVAILABLE, "maintenance".to_owned()).into_response();
    }
    if !has_key(&world, &request) || world.switches.on(Fault::DeskLoginRefused) {
        return Failure(StatusCode::UNAUTHORIZED, "the API key is missing or not valid".to_owned()).into_response();
    }
    let call = world.calls.fetch_add(1, Ordering::Relaxed);
    if world.switches.on(Fault::DeskApiThrottled) && call.is_multiple_of(2) {
        return Failure(StatusCode::TOO_MANY_REQUESTS, "too many calls".to_owned()).into_response();
    }
    next.run(request).await
}

/// A time as RFC 3339 in UTC.
pub(crate) fn time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

async fn health() -> Response {
    axum::Json(json!({ "desk": "sandbox", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

#[derive(Debug, Deserialize)]
struct Search {
    #[serde(default)]
    search: String,
    view: Option<String>,
    page: Option<usize>,
}

fn in_view(ticket: &Ticket, view: &str) -> bool {
    match view {
        "normal" => ticket.place == Place::Normal,
        "closed" => ticket.place == Place::Normal && ticket.status == Status::Closed,
        "suspended" => ticket.place == Place::Suspended,
        "spam" => ticket.place == Place::Spam,
        "deleted" => ticket.place == Place::Deleted,
        _ => false,
    }
}

async fn list(State(world): Shared, Query(asked): Query<Search>) -> Answer {
    let view = asked.view.as_deref().unwrap_or("normal");
    if !["normal", "closed", "suspended", "spam", "deleted"].contains(&view) {
        return Err(refused(format!("no view {view}")));
    }
    let page = asked.page.unwrap_or(1).max(1);
    let size = if world.switches.on(Fault::SmallPages) { 2 } else { PAGE };
    let lag = match () {
        () if asked.search.is_empty() => None,
        () if world.switches.on(Fault::OkIndexLag) || world.switches.on(Fault::SmallPages) => Some(LONG_INDEX_LAG),
        () => world.switches.on(Fault::IndexLag).then_some(INDEX_LAG),
    };
    let indexed = lag.map_or(Timestamp::MAX, |lag| world.clock.now().checked_sub(lag).unwrap_or(Timestamp::MIN));
    let wanted = asked.search.to_lowercase();
    let skip = (page - 1).saturating_mul(size);
    let shift = shift(&world);
    let mut tickets: Vec<Value> = {
        let desk = world.desk();
        let fits = |t: &&Ticket| in_view(t, view) && t.created <= indexed && (wanted.is_empty() || t.search.contains(&wanted));
        let found = desk.tickets.values().rev().filter(fits);
        found.skip(skip).take(size + 1).map(|t| brief(t, shift)).collect()
    };
    let more = tickets.len() > size;
    tickets.truncate(size);
    let base = world.places.get().map_or("", |p| p.api.as_str());
    let next = more.then(|| format!("{base}/tickets?search={}&view={view}&page={}", encode(&asked.search), page + 1));
    Ok(axum::Json(json!({ "tickets": tickets, "next_page": next })).into_response())
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// How far ahead the API's times are.
fn shift(world: &World) -> SignedDuration {
    SignedDuration::from_hours(if world.switches.on(Fault::CreatedInTheFuture) { 2 } else { 0 })
}

fn shifted(at: Timestamp, by: SignedDuration) -> String {
    at.checked_add(by).unwrap_or(at).to_string()
}

fn brief(ticket: &Ticket, shift: SignedDuration) -> Value {
    let status = match ticket.place {
        Place::Spam => "spam",
        Place::Deleted => "deleted",
        _ => ticket.status.as_str(),
    };
    json!({
        "id": ticket.id,
        "number": ticket.number(),
        "subject": ticket.subject,
        "queue": ticket.queue,
        "status": status,
        "requester": ticket.requester,
        "created": shifted(ticket.created, shift),
        "view": ticket.place,
        "hold_cause": ticket.hold_cause,
        "excerpt": ticket.messages.first().map(|m| m.text.chars().take(EXCERPT).collect::<String>()),
    })
}

fn full(ticket: &Ticket, shift: SignedDuration) -> Value {
    let mut value = brief(ticket, shift);
    value["priority"] = json!(ticket.priority);
    value["tags"] = json!(ticket.tags);
    value["channel"] = json!(ticket.channel);
    value["fields"] = json!(ticket.fields);
    json!({ "ticket": value })
}

/// Looks at one ticket that is not deleted.
fn with<T>(world: &World, id: u64, look: impl FnOnce(&mut Ticket) -> T) -> Result<T, Failure> {
    world.desk().live(id).map(look).ok_or_else(|| gone("ticket", id))
}

async fn show(State(world): Shared, Path(id): Path<u64>) -> Answer {
    let ticket = with(&world, id, |t| full(t, shift(&world)))?;
    Ok(axum::Json(ticket).into_response())
}

async fn messages(State(world): Shared, Path(id): Path<u64>) -> Answer {
    let shift = shift(&world);
    let base = world.places.get().map_or("", |p| p.api.as_str()).to_owned();
    let list: Vec<Value> = with(&world, id, |t| t.messages.iter().map(|m| message(m, shift, &base)).collect())?;
    Ok(axum::Json(json!({ "messages": list })).into_response())
}

fn message(message: &Message, shift: SignedDuration, base: &str) -> Value {
    let files = message.files.iter().map(|f| {
        json!({
            "id": f.id,
            "name": f.name,
            "content_type": f.content_type,
            "size": f.bytes.len(),
            "url": format!("{base}/files/{}", f.id),
        })
    });
    json!({
        "id": message.id,
        "public": message.public,
        "author": message.author,
        "to": message.to,
        "text": message.text,
        "html": message.html,
        "created": shifted(message.created, shift),
        "message_id": message.message_id,
        "delivery": message.delivery,
        "files": files.collect::<Vec<_>>(),
    })
}

async fn history(State(world): Shared, Path(id): Path<u64>) -> Answer {
    #[derive(Serialize)]
    struct History {
        history: Vec<Event>,
    }
    let history = with(&world, id, |t| t.history.clone())?;
    Ok(axum::Json(History { history }).into_response())
}

async fn file(State(world): Shared, Path(id): Path<u64>) -> Answer {
    let desk = world.desk();
    let file = desk.file(id).cloned().ok_or_else(|| gone("file", id))?;
    if world.switches.on(Fault::ChatAttachmentNotTransferred) && desk.is_of_chat(id) {
        return Err(gone("file", id));
    }
    Ok(file_response(&file))
}

/// A file as it was stored.
pub(crate) fn file_response(StoredFile { content_type, bytes, .. }: &StoredFile) -> Response {
    let kind = header::HeaderValue::from_str(content_type).unwrap_or(header::HeaderValue::from_static("application/octet-stream"));
    ([(header::CONTENT_TYPE, kind)], bytes.to_vec()).into_response()
}

fn body<T: for<'de> Deserialize<'de>>(bytes: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|e| refused(e.to_string()))
}

#[derive(Debug, Deserialize)]
struct NewReply {
    text: String,
    html: Option<String>,
    #[serde(default)]
    files: Vec<NewFile>,
}

#[derive(Debug, Deserialize)]
struct NewFile {
    name: String,
    content_type: String,
    data: String,
}

async fn reply(State(world): Shared, Path(id): Path<u64>, bytes: Bytes) -> Answer {
    let new: NewReply = body(&bytes)?;
    let mut files = Vec::new();
    for file in new.files {
        let bytes = STANDARD.decode(&file.data).map_err(|e| refused(format!("file {}: {e}", file.name)))?;
        files.push(File { name: file.name, content_type: file.content_type, bytes });
    }
    let who = world.style.agent;
    let message = outbound::answer(&world, id, who, new.text, new.html, files).ok_or_else(|| gone("ticket", id))?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "message": { "id": message } }))).into_response())
}

#[derive(Debug, Deserialize)]
struct NewNote {
    text: String,
}

async fn note(State(world): Shared, Path(id): Path<u64>, bytes: Bytes) -> Answer {
    let new: NewNote = body(&bytes)?;
    let who = world.style.agent;
    let message = outbound::add_note(&world, id, who, new.text).ok_or_else(|| gone("ticket", id))?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "message": { "id": message } }))).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    status: Option<String>,
    queue: Option<String>,
    #[serde(default)]
    add_tags: Vec<String>,
}

async fn change(State(world): Shared, Path(id): Path<u64>, bytes: Bytes) -> Answer {
    let wanted: Changes = body(&bytes)?;
    let status = match wanted.status.as_deref() {
        None => None,
        Some("new") => Some(Status::New),
        Some("open") => Some(Status::Open),
        Some("waiting") => Some(Status::Waiting),
        Some("closed") => Some(Status::Closed),
        Some(other) => return Err(refused(format!("no status {other}"))),
    };
    let queue = match &wanted.queue {
        None => None,
        Some(name) => match world.queues.iter().find(|q| q.name.eq_ignore_ascii_case(name)) {
            Some(queue) => Some(queue.name.clone()),
            None => return Err(refused(format!("no queue {name}"))),
        },
    };
    let (now, who, shift) = (world.clock.now(), world.style.agent, shift(&world));
    let (ticket, closes) = with(&world, id, |t| {
        let closes = status == Some(Status::Closed) && t.status != Status::Closed;
        if let Some(status) = status {
            t.set_status(now, who, status);
        }
        if let Some(queue) = &queue {
            t.set_queue(now, who, queue);
        }
        for tag in wanted.add_tags {
            if !t.tags.contains(&tag) {
                t.tags.push(tag);
            }
        }
        (full(t, shift), closes)
    })?;
    if closes {
        outbound::closed(&world, id);
    }
    world.touch();
    Ok(axum::Json(ticket).into_response())
}

async fn remove(State(world): Shared, Path(id): Path<u64>) -> Answer {
    let source = with(&world, id, |t| {
        t.place = Place::Deleted;
        t.source
    })?;
    chat::end(&world, &mut world.desk(), id);
    world.touch();
    if world.switches.on(Fault::DeletedComesBack)
        && let Some((queue, uid)) = source
        && let Some(mailbox) = world.intake.get(&world.queues[queue].system_address)
    {
        super::intake::set_read(mailbox, uid, false);
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
