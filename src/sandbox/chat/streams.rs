//! The push path over plain HTTP: long poll and server-sent events.

use super::super::world::World;
use super::book::{Listener, News, Pushed};
use super::lines::Line;
use super::visitors::{Failure, Key, own, state};
use super::{severed, silent};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

type Shared = State<Arc<World>>;

/// The longest that a long poll waits.
const LONGEST: u64 = 60;
/// An event stream says something at least so often, so that nobody between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize)]
pub(crate) struct Poll {
    #[serde(default)]
    cursor: u64,
    /// Seconds.
    wait: Option<u64>,
    #[serde(default)]
    key: String,
}

/// `GET /chat/conversations/{id}/poll`: what was pushed after the cursor, at once or as soon as there is something.
pub(crate) async fn poll(
    State(world): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Poll>,
) -> Result<Response, Failure> {
    let conversation = own(&world, &headers, &asked.key, &id)?;
    let mut listener = Listener::after(conversation.feed.clone(), asked.cursor);
    let wait = Duration::from_secs(asked.wait.unwrap_or(25).min(LONGEST));
    let mut stopping = world.stopping();
    let fresh = async {
        loop {
            let fresh: Vec<Pushed> = listener.next().await.into_iter().filter(|p| p.conversation == id).collect();
            if silent(&world) {
                std::future::pending::<()>().await;
            }
            if !fresh.is_empty() {
                return fresh;
            }
        }
    };
    let limit = async {
        tokio::time::sleep(wait).await;
        if silent(&world) {
            std::future::pending::<()>().await;
        }
    };
    let fresh = tokio::select! {
        biased;
        fresh = fresh => fresh,
        () = limit => Vec::new(),
        _ = stopping.wait_for(|stop| *stop) => Vec::new(),
    };
    let cursor = fresh.last().map_or_else(|| asked.cursor.max(listener.at), |p| p.at);
    let lines: Vec<Line> = fresh.into_iter().filter_map(said).collect();
    Ok(Json(json!({ "cursor": cursor, "lines": lines, "state": state(&world, &conversation) })).into_response())
}

fn said(pushed: Pushed) -> Option<Line> {
    match pushed.news {
        News::Line(line) => Some(line),
        News::Ended => None,
    }
}

/// `GET /chat/conversations/{id}/events`.
pub(crate) async fn events(
    State(world): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Key>,
) -> Result<Response, Failure> {
    let conversation = own(&world, &headers, &asked.key, &id)?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let at = last.unwrap_or_else(|| conversation.feed.last());
    Ok(event_stream(&world, Own { listener: Listener::after(conversation.feed, at), conversation: id }))
}

/// What a visitor's event stream tells.
struct Own {
    listener: Listener,
    conversation: String,
}

impl Source for Own {
    async fn next(&mut self) -> Option<String> {
        let fresh = self.listener.next().await.into_iter().filter(|p| p.conversation == self.conversation);
        let event = |pushed: Pushed| match pushed.news {
            News::Line(line) => format!("event: line\nid: {}\ndata: {}\n\n", pushed.at, json!(line)),
            News::Ended => format!("event: closed\nid: {}\ndata: {}\n\n", pushed.at, json!({ "conversation": pushed.conversation })),
        };
        Some(fresh.map(event).collect())
    }
}

/// Where the events of a stream come from.
pub(crate) trait Source: Send + 'static {
    /// The next events as they stand in the stream; none at the end. Nothing is lost when the wait is given up.
    fn next(&mut self) -> impl Future<Output = Option<String>> + Send;
}

/// An event stream (HTML standard, section 9.2) that ends with the sandbox or by a switch.
pub(crate) fn event_stream(world: &Arc<World>, mut source: impl Source) -> Response {
    let (out, inbox) = mpsc::channel::<Bytes>(64);
    let job = world.clone();
    world.spawn(async move {
        let mut severed = pin!(severed(job.clone()));
        let mut text = ": welcome\n\n".to_owned();
        loop {
            if !text.is_empty() && !silent(&job) && out.send(Bytes::from(text)).await.is_err() {
                return;
            }
            text = tokio::select! {
                () = &mut severed => return,
                () = out.closed() => return,
                () = tokio::time::sleep(KEEP_ALIVE) => ":\n\n".to_owned(),
                events = source.next() => match events {
                    Some(events) => events,
                    None => return,
                },
            };
        }
    });
    let bytes = stream::unfold(inbox, |mut inbox| async { inbox.recv().await.map(|b| (Ok::<Bytes, Infallible>(b), inbox)) });
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")], Body::from_stream(bytes)).into_response()
}
