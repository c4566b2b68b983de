//! The live chat of the desk: visitors by HTTP, long poll, event stream, WebSocket or ActionCable; agents by the desk's API.
//!
//! A conversation is a ticket. What is said is stored there and pushed to whoever listens: two paths that break apart.

pub(crate) mod agents;
mod begin;
mod book;
mod bot;
mod cable;
mod lines;
mod socket;
mod streams;
mod visitors;
mod widget;
mod words;

pub(crate) use lines::{carries, end};

use super::faults::Fault;
use super::world::World;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use book::Book;
use lines::Line;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::broadcast;
use words::Words;

/// What one call or frame may hold.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
/// How long a socket lives where a switch drops it, at usual speed.
const SOCKET_LIFE: Duration = Duration::from_secs(3);
/// Events that wait for an agent's slow screen.
const AGENT_BACKLOG: usize = 4096;

/// The chat of one desk. Its lock is taken after the desk's, never before.
#[derive(Debug)]
pub(crate) struct Chat {
    words: Words,
    has_bot: bool,
    book: Mutex<Book>,
    screens: broadcast::Sender<AgentEvent>,
}

impl Chat {
    pub(crate) fn new(seed: u64, has_bot: bool) -> Chat {
        Chat { words: Words::draw(seed), has_bot, book: Mutex::new(Book::default()), screens: broadcast::channel(AGENT_BACKLOG).0 }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// What agents' screens are told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AgentEvent {
    /// `conversation` or `line`.
    #[serde(skip)]
    kind: &'static str,
    ticket: u64,
    conversation: String,
    line: Option<Line>,
}

/// The visitor's side.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/chat/frame", get(widget::frame))
        .route("/embed/chat", get(widget::frame))
        .route("/embed/chat.js", get(widget::script))
        .route("/chat/status", get(visitors::status))
        .route("/chat/visitors", post(visitors::new_visitor))
        .route("/chat/conversations", post(visitors::new_conversation))
        .route("/chat/conversations/current", get(visitors::current))
        .route("/chat/conversations/{id}/lines", get(visitors::lines).post(visitors::say))
        .route("/chat/conversations/{id}/close", post(visitors::close))
        .route("/chat/conversations/{id}/poll", get(streams::poll))
        .route("/chat/conversations/{id}/events", get(streams::events))
        .route("/chat/offline", post(visitors::offline))
        .route("/chat/files/{key}", get(visitors::file))
        .route("/chat/ws", any(socket::open))
        .route("/cable", any(cable::open))
        .layer(axum::middleware::from_fn(super::web::page::cross_origin))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(world)
}

/// How many agents are there just now.
pub(crate) fn agents_available(world: &World) -> u64 {
    let away = world.switches.on(Fault::ChatNotOffered)
        || world.switches.on(Fault::ChatOfflineNoteNowhere)
        || world.switches.on(Fault::ChatOfferedWithNoAgent);
    if away { 0 } else { world.chat.words.agents }
}

/// Whether visitors are told that somebody is there.
fn offered(world: &World) -> bool {
    agents_available(world) > 0 || (world.switches.on(Fault::ChatOfferedWithNoAgent) && !world.switches.on(Fault::ChatNotOffered))
}

/// Ends when the sandbox does, or when a switch drops connections.
async fn severed(world: Arc<World>) {
    let mut stopping = world.stopping();
    let dropped = async {
        loop {
            world.switches.wait_until(|s| s.on(Fault::ChatSocketDrops)).await;
            tokio::time::sleep(world.pace.scaled(SOCKET_LIFE)).await;
            if world.switches.on(Fault::ChatSocketDrops) {
                return;
            }
        }
    };
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => {}
        () = dropped => {}
    }
}

fn silent(world: &World) -> bool {
    world.switches.on(Fault::ChatSocketSilent)
}
