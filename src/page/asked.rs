//! Who asks, worked out before anything else, and the forms of answers.

use super::frame::{Base, View};
use super::guard::Viewer;
use super::{Pages, api, sign};
use crate::engine::ports::StoreError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::Markup;
use serde::Serialize;
use std::sync::Arc;

/// A request of somebody who may read.
pub struct Asked {
    /// Who.
    pub viewer: Viewer,
    /// When.
    pub now: Timestamp,
    /// The name by which they signed in.
    pub user: Option<String>,
    csrf: String,
    open: bool,
    told: String,
}

impl Asked {
    /// What a page for it is made with.
    pub fn view(&self, base: Base) -> View<'_> {
        View { viewer: self.viewer, user: self.user.as_deref(), base, now: self.now, csrf: &self.csrf, open: self.open, told: &self.told }
    }
}

impl FromRequestParts<Arc<Pages>> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<Asked, Response> {
        let now = pages.clock.now();
        let Some(viewer) = pages.guard.viewer(&parts.headers, now) else { return Err(to_login(parts.uri.path())) };
        let user = pages.guard.user(&parts.headers, now);
        Ok(Asked { viewer, now, user, csrf: pages.guard.csrf(&parts.headers, now), open: pages.guard.is_open(), told: pages.live.newest() })
    }
}

/// Pages lead to the form; programs get a 401.
fn to_login(path: &str) -> Response {
    let for_people = path == "/" || path.starts_with("/probes/") || path.starts_with("/runs/");
    if for_people {
        let up = "../".repeat(path.matches('/').count().saturating_sub(1));
        return see_other(&format!("{up}login"));
    }
    let mut answer = problem(StatusCode::UNAUTHORIZED, "the operators' token is needed: `Authorization: Bearer TOKEN`");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// A redirect; `to` may be relative (RFC 9110 section 10.2.2).
pub fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// A page.
pub fn html_page(page: Markup) -> Response {
    Html(page.0).into_response()
}

/// A page that says that there is no such thing.
pub fn gone(base: Base, now: Timestamp, title: &str) -> Response {
    let text = maud::html! { "The address may be old or mistyped." };
    (StatusCode::NOT_FOUND, html_page(sign::message(base, now, title, &text))).into_response()
}

/// JSON.
pub fn json_answer<T: Serialize>(code: StatusCode, body: &T) -> Response {
    (code, axum::Json(body)).into_response()
}

/// A problem of the API.
pub fn problem(code: StatusCode, text: &str) -> Response {
    json_answer(code, &api::Problem { error: text.to_owned(), run: None })
}

/// The store failed. Its words are for the log: they hold paths.
pub enum Fault {
    /// Told to a person.
    Page,
    /// Told to a program.
    Api,
}

impl Fault {
    /// For a page.
    pub fn page(error: &StoreError) -> Fault {
        tracing::error!(%error, "a page cannot be made");
        Fault::Page
    }

    /// For the API.
    pub fn api(error: &StoreError) -> Fault {
        tracing::error!(%error, "the API cannot answer");
        Fault::Api
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let text = "the store cannot be read; the daemon's log says why";
        match self {
            Fault::Page => (StatusCode::INTERNAL_SERVER_ERROR, format!("{text}\n")).into_response(),
            Fault::Api => problem(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}
