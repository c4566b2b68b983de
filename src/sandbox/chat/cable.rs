//! The visitor's WebSocket in the manner of Rails: ActionCable (subprotocol `actioncable-v1-json`).

use super::super::world::World;
use super::book::{Listener, News, Pushed, Visitor};
use super::lines;
use super::socket::{FRAME_LIMIT, farewell};
use super::visitors::{Key, NewLine, leave, visitor};
use super::{severed, silent};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// How often the server shows that it lives.
const PING: Duration = Duration::from_secs(3);
/// Subscriptions of one socket.
const SUBSCRIPTION_LIMIT: usize = 100;

/// `GET /cable`. Whoever is not known is told so after the handshake, as Rails does.
pub(crate) async fn open(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Query(asked): Query<Key>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let known = visitor(&world, &headers, &asked.key).ok();
    let limited = upgrade.max_message_size(FRAME_LIMIT).max_frame_size(FRAME_LIMIT);
    limited.protocols(["actioncable-v1-json"]).on_upgrade(async move |mut socket| match known {
        Some((visitor, _)) => Cable { world, visitor, subscribed: HashMap::new() }.talk(socket).await,
        None => {
            let _ = send(&mut socket, &json!({ "type": "disconnect", "reason": "unauthorized", "reconnect": false })).await;
            farewell(socket).await;
        }
    })
}

async fn send(socket: &mut WebSocket, value: &Value) -> bool {
    socket.send(Message::Text(value.to_string().into())).await.is_ok()
}

#[derive(Debug, Deserialize)]
struct Command {
    command: String,
    #[serde(default)]
    identifier: String,
    data: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Identifier {
    channel: String,
    conversation: String,
}

struct Cable {
    world: Arc<World>,
    visitor: Visitor,
    /// Identifiers as the client wrote them, and their conversations.
    subscribed: HashMap<String, String>,
}

impl Cable {
    async fn talk(mut self, mut socket: WebSocket) {
        let mut severed = pin!(severed(self.world.clone()));
        let mut listener = Listener::after(self.visitor.feed.clone(), self.visitor.feed.last());
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
        let mut out = vec![json!({ "type": "welcome" })];
        loop {
            for value in out.iter().filter(|_| !silent(&self.world)) {
                if !send(&mut socket, value).await {
                    return;
                }
            }
            out = tokio::select! {
                () = &mut severed => {
                    let _ = send(&mut socket, &json!({ "type": "disconnect", "reason": "server_restart", "reconnect": true })).await;
                    return farewell(socket).await;
                }
                _ = ping.tick() => vec![json!({ "type": "ping", "message": self.world.clock.now().as_second() })],
                got = socket.recv() => match got {
                    Some(Ok(Message::Text(text))) => self.hear(&text).into_iter().collect(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => Vec::new(),
                },
                fresh = listener.next() => fresh.iter().flat_map(|p| self.messages(p)).collect(),
            };
        }
    }

    /// What subscribers of the conversation are sent.
    fn messages(&self, pushed: &Pushed) -> Vec<Value> {
        let message = match &pushed.news {
            News::Line(line) => json!({ "event": "line", "data": line }),
            News::Ended => json!({ "event": "closed", "data": { "conversation": pushed.conversation } }),
        };
        let subscribers = self.subscribed.iter().filter(|(_, conversation)| **conversation == pushed.conversation);
        subscribers.map(|(identifier, _)| json!({ "identifier": identifier, "message": message })).collect()
    }

    fn hear(&mut self, text: &str) -> Option<Value> {
        if silent(&self.world) {
            return None;
        }
        let command: Command = serde_json::from_str(text).ok()?;
        match command.command.as_str() {
            "subscribe" => Some(self.subscribe(command.identifier)),
            "unsubscribe" => {
                self.subscribed.remove(&command.identifier);
                None
            }
            "message" => {
                self.act(&command);
                None
            }
            _ => None,
        }
    }

    fn subscribe(&mut self, identifier: String) -> Value {
        let named: Option<Identifier> = serde_json::from_str(&identifier).ok();
        let own = named.filter(|n| n.channel == "ChatChannel" && self.subscribed.len() < SUBSCRIPTION_LIMIT).and_then(|n| {
            let book = self.world.chat.book();
            book.conversation(&n.conversation).filter(|c| c.visitor == self.visitor.id).map(|c| c.id.clone())
        });
        let answer = if own.is_some() { "confirm_subscription" } else { "reject_subscription" };
        let told = json!({ "identifier": identifier, "type": answer });
        if let Some(conversation) = own {
            self.subscribed.insert(identifier, conversation);
        }
        told
    }

    /// An action has no answer of its own: what it does is seen by the subscription.
    fn act(&self, command: &Command) {
        let Some(conversation) = self.subscribed.get(&command.identifier) else { return };
        let data: Value = command.data.as_deref().and_then(|d| serde_json::from_str(d).ok()).unwrap_or_default();
        match data["action"].as_str() {
            Some("speak") => {
                let saying = serde_json::from_value::<NewLine>(data).ok().and_then(|new| new.read().ok());
                if let Some(saying) = saying.filter(|s| !s.text.trim().is_empty() || !s.files.is_empty()) {
                    lines::say(&self.world, conversation, saying);
                }
            }
            Some("close") => {
                let found = self.world.chat.book().conversation(conversation).cloned();
                if let Some(found) = found {
                    leave(&self.world, &found);
                }
            }
            _ => {}
        }
    }
}
