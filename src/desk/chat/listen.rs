//! Follows a push path for as long as somebody waits: opens it again when it breaks, slower each time.

use super::ear::{Ear, Memory, Out, Why, WhyKind};
use super::recipe::Transport;
use super::sse::{Event, Parser};
use super::{socket, socket::lost};
use crate::desk::call::build;
use crate::desk::flow::{Empties, Flow};
use crate::desk::outcome::Failure;
use crate::desk::path::{Json, json};
use crate::desk::scope::Value;
use jmespath::Variable;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// The first pause before a path is opened again; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A path that was open for this long has not failed: the next pause is the first again.
const STEADY: Duration = Duration::from_secs(10);
/// The least time between two long polls that brought nothing: a desk that answers at once is not asked in a circle.
const LEAST_PAUSE: Duration = Duration::from_millis(500);
/// How long a desk may take beyond the time for which it was asked to keep a poll open.
const BEYOND: Duration = Duration::from_secs(15);

/// Follows until the task is dropped.
pub(crate) async fn follow(ear: &dyn Ear, mut out: mpsc::Receiver<Out>) {
    let mut memory = Memory::default();
    let mut failures = 0u32;
    loop {
        let began = Instant::now();
        let why = match ear.recipe().map(|p| p.transport) {
            Some(Transport::Sse) => events(ear, &mut memory).await,
            Some(Transport::LongPoll) => polls(ear, &mut memory).await,
            Some(Transport::JsonEvents | Transport::ActionCable) => socket::follow(ear, &mut out).await,
            Some(Transport::Http) | None => return,
        };
        failures = if began.elapsed() >= STEADY { 0 } else { failures.saturating_add(1) };
        ear.broken(why).await;
        tokio::time::sleep(memory.retry.unwrap_or_default().clamp(pause(failures), LONGEST_PAUSE)).await;
    }
}

/// Doubles with each failure, up to half a minute; spread, so that a thousand chats do not come back in one moment.
fn pause(failures: u32) -> Duration {
    let spread = crate::engine::random() % 250;
    (FIRST_PAUSE * 2u32.saturating_pow(failures.min(8))).min(LONGEST_PAUSE - Duration::from_millis(250)) + Duration::from_millis(spread)
}

/// One stream of server-sent events, to its end.
async fn events(ear: &dyn Ear, memory: &mut Memory) -> Why {
    match stream(ear, memory).await {
        Ok(never) => match never {},
        Err(why) => why,
    }
}

async fn stream(ear: &dyn Ear, memory: &mut Memory) -> Result<std::convert::Infallible, Why> {
    let unusable = |text: String| Why::new(WhyKind::Unusable, text);
    let push = ear.recipe().ok_or_else(|| unusable("the desk file does not say how it is opened".to_owned()))?;
    let (desk, scope) = (ear.desk(), ear.scope());
    let mut call = build(&desk.runner.definition, &desk.runner.settings, &push.open, &scope).map_err(|f| unusable(f.message))?;
    call.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let (false, Ok(id)) = (memory.last_id.is_empty(), HeaderValue::from_bytes(memory.last_id.as_bytes())) {
        call.headers.insert(HeaderName::from_static(LAST_EVENT_ID), id);
    }
    let mut answer = desk.runner.http.open(&call).await.map_err(lost)?;
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if answer.status() != reqwest::StatusCode::OK {
        return Err(Why::new(WhyKind::Refused, format!("the event stream was answered with {}", answer.status())));
    }
    if !kind.to_ascii_lowercase().starts_with("text/event-stream") {
        return Err(Why::new(WhyKind::Refused, format!("an answer of the type `{}` came instead of an event stream", short(kind))));
    }
    ear.opened().await;
    let mut parser = Parser::new(std::mem::take(&mut memory.last_id));
    let mut kind = WhyKind::Silent;
    let end = loop {
        let chunk = match timeout(push.silence, answer.chunk()).await {
            Err(_) => break Why::new(kind, format!("no sign of life for {} s: the connection is half open", push.silence.as_secs())),
            Ok(Err(error)) => break lost(crate::desk::http::lost(error)).into_break(),
            Ok(Ok(None)) => break Why::new(WhyKind::Broken, "the server ended the event stream"),
            Ok(Ok(Some(chunk))) => chunk,
        };
        kind = WhyKind::Broken;
        match parser.feed(&chunk) {
            Ok(events) => {
                for event in events {
                    ear.heard(frame(event), true).await;
                }
            }
            Err(text) => break unusable(text),
        }
    };
    parser.last_id().clone_into(&mut memory.last_id);
    memory.retry = parser.retry();
    Err(end)
}

/// The header with which a stream goes on (HTML standard, section 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// An event as paths see it; its data as JSON where it is JSON.
fn frame(event: Event) -> Json {
    let data = json(&event.data).unwrap_or_else(|_| crate::desk::path::string(event.data.clone()));
    let text = |text: String| Arc::new(Variable::String(text));
    let entries = [("event".to_owned(), text(event.event)), ("id".to_owned(), text(event.id)), ("data".to_owned(), data)];
    Arc::new(Variable::Object(entries.into_iter().collect()))
}

/// Polls again and again, until one fails.
async fn polls(ear: &dyn Ear, memory: &mut Memory) -> Why {
    // The first asks without waiting: what it brings had been there before.
    let mut first = true;
    loop {
        let began = Instant::now();
        let rows = match poll(ear, memory, first).await {
            Ok(rows) => rows,
            Err(failure) => return refused(failure),
        };
        if first {
            ear.opened().await;
        }
        let empty = rows.is_empty();
        for row in rows {
            ear.heard(row, !first).await;
        }
        let least = if empty || first { LEAST_PAUSE } else { LEAST_PAUSE / 4 };
        tokio::time::sleep(least.saturating_sub(began.elapsed())).await;
        first = false;
    }
}

async fn poll(ear: &dyn Ear, memory: &mut Memory, first: bool) -> Result<Vec<Json>, Failure> {
    let Some(push) = ear.recipe() else { return Err(Failure::contract("the desk file does not say how to poll")) };
    let wait = if first { Duration::ZERO } else { push.wait };
    let mut scope = ear.scope();
    scope.set("wait", Value::Json(number(wait.as_secs())));
    scope.set("wait_ms", Value::Json(number(wait.as_millis().try_into().unwrap_or(0))));
    scope.sent.timeout = Some(wait + BEYOND);
    if let Some(cursor) = &memory.cursor {
        scope.set("cursor", Value::Json(cursor.clone()));
    }
    let flow = ear.desk().runner.run(std::slice::from_ref(&push.open), &mut scope, Empties::End).await?;
    if let Some(Value::Json(cursor)) = push.cursor.as_ref().and_then(|name| scope.var(&format!("open.{name}"))) {
        memory.cursor = Some(cursor);
    }
    let rows = scope.answer("open").and_then(|a| a.as_array().cloned());
    Ok(if matches!(flow, Flow::Empty { .. }) { Vec::new() } else { rows.unwrap_or_default() })
}

fn number(n: u64) -> Json {
    Arc::new(Variable::Number(n.into()))
}

fn refused(failure: Failure) -> Why {
    let kind = match (failure.answered(), failure.no_effect) {
        (true, _) => WhyKind::Refused,
        (false, true) => WhyKind::Unreachable,
        // It was taken, and not answered.
        (false, false) => WhyKind::Silent,
    };
    Why::new(kind, failure.message)
}

impl Why {
    /// The same after the path was open.
    fn into_break(self) -> Why {
        Why { kind: WhyKind::Broken, ..self }
    }
}
