//! A small web site for the browser: pages by path, and what was posted.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a path is answered.
#[derive(Clone)]
pub enum Answer {
    /// A page.
    Page(String),
    /// A status with a body and headers.
    Status(u16, &'static str, &'static [(&'static str, &'static str)]),
    /// Somewhere else (303).
    Elsewhere(&'static str),
    /// A page that takes so long.
    Slow(Duration, String),
    /// Nothing, for ever.
    Never,
}

#[derive(Clone, Default)]
struct Shared {
    answers: Arc<HashMap<&'static str, Answer>>,
    posted: Arc<Mutex<Vec<(String, String)>>>,
}

/// A running site.
pub struct Site {
    pub port: u16,
    shared: Shared,
}

impl Site {
    pub async fn start(answers: &[(&'static str, Answer)]) -> Site {
        let shared = Shared { answers: Arc::new(answers.iter().cloned().collect()), posted: Arc::default() };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Site { port, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Path and body of what was posted.
    pub fn posted(&self) -> Vec<(String, String)> {
        self.shared.posted.lock().expect("a lock").clone()
    }
}

async fn answer(State(shared): State<Shared>, method: Method, headers: HeaderMap, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or(Bytes::new());
    if method == Method::POST {
        let kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let text = format!("{kind}\n{}", String::from_utf8_lossy(&body));
        shared.posted.lock().expect("a lock").push((path.clone(), text));
    }
    let key = format!("{method} {path}");
    let found = shared.answers.get(key.as_str()).or_else(|| shared.answers.get(path.as_str())).cloned();
    let page = |text: String| ([("content-type", "text/html; charset=utf-8")], text).into_response();
    match found {
        Some(Answer::Page(text)) => page(text),
        Some(Answer::Slow(time, text)) => {
            tokio::time::timeout(time, std::future::pending::<()>()).await.ok();
            page(text)
        }
        Some(Answer::Status(code, text, headers)) => {
            let mut response = (StatusCode::from_u16(code).expect("a status"), text).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().expect("a value"));
            }
            response
        }
        Some(Answer::Elsewhere(to)) => (StatusCode::SEE_OTHER, [("location", to)]).into_response(),
        Some(Answer::Never) => std::future::pending().await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
