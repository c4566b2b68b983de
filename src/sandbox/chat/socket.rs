//! The visitor's WebSocket: JSON events both ways.

use super::super::world::World;
use super::begin::{self, Refusal};
use super::book::{Listener, News, Pushed, Visitor};
use super::lines::{self, Line};
use super::visitors::{Failure, Key, NewConversation, NewLine, leave, refusal, visitor};
use super::{offered, severed, silent};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

/// The largest frame that is taken.
pub(super) const FRAME_LIMIT: usize = 16 * 1024 * 1024;

/// `GET /chat/ws`.
pub(crate) async fn open(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Query(asked): Query<Key>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Failure> {
    let (visitor, secret) = visitor(&world, &headers, &asked.key)?;
    let limited = upgrade.max_message_size(FRAME_LIMIT).max_frame_size(FRAME_LIMIT);
    // Before the other side learns that the socket is open: what is said from then on is pushed.
    let listener = Listener::after(visitor.feed.clone(), visitor.feed.last());
    Ok(limited.on_upgrade(move |socket| Session { world, visitor, secret, echoed: HashSet::new() }.talk(socket, listener)))
}

/// Says farewell, as far as the other side still listens.
pub(super) async fn farewell(mut socket: WebSocket) {
    let _ = socket.send(Message::Close(Some(CloseFrame { code: close_code::AWAY, reason: "going away".into() }))).await;
}

#[derive(Debug, Deserialize)]
struct Frame {
    event: String,
    #[serde(default)]
    data: Value,
}

/// A frame holds one event or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Frames {
    One(Frame),
    Many(Vec<Frame>),
}

struct Session {
    world: Arc<World>,
    visitor: Visitor,
    secret: String,
    /// Lines and ends of conversations that this socket has already answered with, and must not push once more.
    echoed: HashSet<String>,
}

impl Session {
    async fn talk(mut self, mut socket: WebSocket, mut listener: Listener) {
        let mut severed = pin!(severed(self.world.clone()));
        loop {
            let answers = tokio::select! {
                () = &mut severed => return farewell(socket).await,
                got = socket.recv() => match got {
                    Some(Ok(Message::Text(text))) => self.hear(&text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => Vec::new(),
                },
                fresh = listener.next() => fresh.into_iter().filter_map(|p| self.event(p)).collect(),
            };
            if silent(&self.world) {
                continue;
            }
            for answer in answers {
                if socket.send(Message::Text(answer.to_string().into())).await.is_err() {
                    return;
                }
            }
        }
    }

    fn event(&mut self, pushed: Pushed) -> Option<Value> {
        match pushed.news {
            News::Line(line) if self.echoed.remove(&line.id) => None,
            News::Line(line) => Some(told(&pushed.conversation, &line)),
            News::Ended if self.echoed.remove(&pushed.conversation) => None,
            News::Ended => Some(json!({ "event": "session_closed", "data": { "conversation": pushed.conversation } })),
        }
    }

    fn hear(&mut self, text: &str) -> Vec<Value> {
        // A socket that answers nothing does nothing either.
        if silent(&self.world) {
            return Vec::new();
        }
        match serde_json::from_str(text) {
            Ok(Frames::One(frame)) => self.answer(frame).into_iter().collect(),
            Ok(Frames::Many(frames)) => frames.into_iter().filter_map(|f| self.answer(f)).collect(),
            Err(_) => vec![error(400, "not an event")],
        }
    }

    fn answer(&mut self, frame: Frame) -> Option<Value> {
        let Frame { event, data } = frame;
        match event.as_str() {
            "ping" => Some(json!({ "event": "pong" })),
            "chat_status" => {
                let state = if offered(&self.world) { "online" } else { "offline" };
                Some(json!({ "event": "chat_status", "data": { "state": state } }))
            }
            "session_init" => self.begin(data),
            "line" => Some(self.say(data)),
            "session_close" => Some(self.close(&data)),
            _ => Some(error(400, "no such event")),
        }
    }

    fn begin(&mut self, data: Value) -> Option<Value> {
        let new: NewConversation = match serde_json::from_value(data) {
            Ok(new) => new,
            Err(e) => return Some(error(422, &e.to_string())),
        };
        let beginning = match new.read() {
            Ok(beginning) => beginning,
            Err(why) => return Some(failed(why)),
        };
        match begin::begin(&self.world, &self.secret, beginning) {
            Ok(begun) => {
                self.echoed.insert(begun.line.id.clone());
                Some(json!({ "event": "session_start", "data": { "conversation": begun.conversation, "line": begun.line } }))
            }
            Err(Refusal::DeadEnd) => None,
            Err(why) => Some(failed(refusal(why))),
        }
    }

    /// The conversation that is named, when it is the visitor's own.
    fn own(&self, data: &Value) -> Option<super::book::Conversation> {
        let id = data["conversation"].as_str().unwrap_or_default();
        self.world.chat.book().conversation(id).filter(|c| c.visitor == self.visitor.id).cloned()
    }

    fn say(&mut self, data: Value) -> Value {
        let Some(conversation) = self.own(&data) else { return error(404, "no such conversation") };
        let saying = match serde_json::from_value::<NewLine>(data).map_err(|e| e.to_string()) {
            Ok(new) => new.read(),
            Err(why) => return error(422, &why),
        };
        match saying {
            Err(why) => failed(why),
            Ok(saying) if saying.text.trim().is_empty() && saying.files.is_empty() => error(422, "the line is empty"),
            Ok(saying) => match lines::say(&self.world, &conversation.id, saying) {
                Some(line) => {
                    self.echoed.insert(line.id.clone());
                    told(&conversation.id, &line)
                }
                None => error(409, "the conversation is closed"),
            },
        }
    }

    fn close(&mut self, data: &Value) -> Value {
        match self.own(data) {
            Some(conversation) => {
                if !conversation.ended {
                    self.echoed.insert(conversation.id.clone());
                }
                leave(&self.world, &conversation);
                json!({ "event": "session_closed", "data": { "conversation": conversation.id } })
            }
            None => error(404, "no such conversation"),
        }
    }
}

/// A line as an event; `self` says that the visitor wrote it.
fn told(conversation: &str, line: &Line) -> Value {
    let mut data = json!(line);
    data["conversation"] = json!(conversation);
    data["self"] = json!(line.from == "visitor");
    json!({ "event": "line", "data": data })
}

fn error(code: u16, why: &str) -> Value {
    json!({ "event": "error", "data": { "code": code, "error": why } })
}

fn failed(why: Failure) -> Value {
    let mut data = why.1;
    data["code"] = json!(why.0.as_u16());
    json!({ "event": "error", "data": data })
}
