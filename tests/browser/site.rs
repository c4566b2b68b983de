//! A small web site for the browser: pages by path, what was posted, and a chat that lives in memory.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// How a path is answered.
#[derive(Clone)]
pub enum Answer {
    /// A page.
    Page(String),
    /// A status with a body and headers.
    Status(u16, &'static str, &'static [(&'static str, &'static str)]),
    /// Somewhere else (303).
    Elsewhere(&'static str),
    /// Nothing, for ever.
    Never,
}

#[derive(Default)]
struct Chat {
    lines: Vec<(String, String)>,
    silent: bool,
    forgetful: bool,
}

#[derive(Clone, Default)]
struct Shared {
    answers: Arc<HashMap<&'static str, Answer>>,
    posted: Arc<Mutex<Vec<(String, String)>>>,
    chat: Arc<Mutex<Chat>>,
}

/// A running site.
pub struct Site {
    pub port: u16,
    shared: Shared,
}

impl Site {
    pub async fn start(answers: &[(&'static str, Answer)]) -> Site {
        let shared = Shared { answers: Arc::new(answers.iter().cloned().collect()), ..Shared::default() };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let app = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Site { port, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Path, and type and body of what was posted.
    pub fn posted(&self) -> Vec<(String, String)> {
        self.shared.posted.lock().expect("a lock").clone()
    }

    /// The desk says a line; `who` is `agent` or `bot`.
    pub fn say(&self, who: &str, text: &str) {
        self.shared.chat.lock().expect("a lock").lines.push((who.to_owned(), text.to_owned()));
    }

    /// From now on nothing is pushed; the stored conversation still has everything.
    pub fn fall_silent(&self) {
        self.shared.chat.lock().expect("a lock").silent = true;
    }

    /// The stored conversation is gone.
    pub fn forget(&self) {
        self.shared.chat.lock().expect("a lock").forgetful = true;
    }
}

/// `/chat/stored`, `/chat/pushed?after=N` and `POST /chat/say`.
fn chat(shared: &Shared, path: &str, query: &str, body: &str) -> Option<Value> {
    let mut chat = shared.chat.lock().expect("a lock");
    let told = |lines: &[(String, String)]| json!(lines.iter().map(|(who, text)| json!({"who": who, "text": text})).collect::<Vec<_>>());
    match path {
        "/chat/stored" if chat.forgetful => Some(json!([])),
        "/chat/stored" => Some(told(&chat.lines)),
        "/chat/pushed" if chat.silent || chat.forgetful => Some(json!([])),
        "/chat/pushed" => {
            let after: usize = query.strip_prefix("after=").and_then(|n| n.parse().ok()).unwrap_or(0);
            Some(told(chat.lines.get(after..).unwrap_or_default()))
        }
        "/chat/say" => {
            chat.lines.push(("visitor".to_owned(), body.to_owned()));
            Some(json!({}))
        }
        _ => None,
    }
}

async fn answer(State(shared): State<Shared>, method: Method, headers: HeaderMap, request: Request) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    if method == Method::POST {
        let kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        shared.posted.lock().expect("a lock").push((path.clone(), format!("{kind}\n{body}")));
    }
    if let Some(told) = chat(&shared, &path, &query, &body) {
        return Json(told).into_response();
    }
    let key = format!("{method} {path}");
    match shared.answers.get(key.as_str()).or_else(|| shared.answers.get(path.as_str())).cloned() {
        Some(Answer::Page(text)) => ([("content-type", "text/html; charset=utf-8")], text).into_response(),
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
