//! The agents' side beyond tickets: who is there, and what their screens are told.

use super::super::world::World;
use super::streams::{Source, event_stream};
use super::{AgentEvent, agents_available};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};

/// `GET /api/v1/agents`.
pub(crate) async fn available(State(world): State<Arc<World>>) -> Response {
    Json(json!({ "available": agents_available(&world) })).into_response()
}

/// `GET /api/v1/events`.
pub(crate) async fn events(State(world): State<Arc<World>>) -> Response {
    let screen = Screen { told: world.chat.screens.subscribe() };
    event_stream(&world, screen)
}

struct Screen {
    told: broadcast::Receiver<AgentEvent>,
}

impl Source for Screen {
    async fn next(&mut self) -> Option<String> {
        loop {
            match self.told.recv().await {
                Ok(event) => return Some(format!("event: {}\ndata: {}\n\n", event.kind, json!(event))),
                // A screen that is too slow misses what was oldest.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
