//! The switchboard on a port of its own: which switches there are, and turning them while the desk runs.

use super::faults::faults;
use super::world::World;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// `GET` and `POST /admin/faults`.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().route("/admin/faults", get(list).post(turn)).with_state(world)
}

async fn list(State(world): State<Arc<World>>) -> Response {
    let active = world.switches.active();
    let all: Vec<_> = faults().iter().map(|(id, what)| json!({ "id": id, "what": what, "on": active.contains(id) })).collect();
    Json(json!({ "faults": all })).into_response()
}

#[derive(Debug, Deserialize)]
struct Turn {
    id: String,
    on: bool,
}

async fn turn(State(world): State<Arc<World>>, bytes: Bytes) -> Response {
    let wanted: Turn = match serde_json::from_slice(&bytes) {
        Ok(wanted) => wanted,
        Err(e) => return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": e.to_string() }))).into_response(),
    };
    match world.set_fault(&wanted.id, wanted.on) {
        Ok(()) => Json(json!({ "id": wanted.id, "on": wanted.on })).into_response(),
        Err(e) => (StatusCode::NOT_FOUND, Json(json!({ "error": e.to_string() }))).into_response(),
    }
}
