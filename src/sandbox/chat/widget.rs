//! The chat bubble: a frame that companies embed.

use super::super::faults::Fault;
use super::super::mime::escape_html;
use super::super::web::page::{page, script as own_script};
use super::super::world::World;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use std::sync::Arc;

/// `GET /chat/frame` and `/embed/chat`; everything in it is made by the script.
pub(crate) async fn frame(State(world): State<Arc<World>>) -> Response {
    let base = world.places.get().map_or("", |p| p.web.as_str());
    let words = &world.chat.words;
    let body = format!(
        "<chat-widget data-desk=\"{base}\" data-title=\"{}\" data-start=\"{}\"></chat-widget>\n<script src=\"/embed/chat.js\"></script>",
        escape_html(words.title),
        escape_html(words.start)
    );
    let mut response = page(StatusCode::OK, words.title, &body);
    if world.switches.on(Fault::ChatFrameRefused) {
        let (name, value) = if words.refuses_by_policy {
            (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'")
        } else {
            (header::X_FRAME_OPTIONS, "DENY")
        };
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /embed/chat.js`.
pub(crate) async fn script() -> Response {
    own_script(include_str!("widget.js"))
}
