//! Matrix Synapse as a visitor and as an agent see it, by plain HTTP requests; shares nothing with the product.

use crate::http::{self, escape};
use crate::stack::{Lane, nonce};
use serde_json::{Value, json};

/// Somebody who is signed in.
pub struct Person {
    port: u16,
    /// `@lane01:chat.test`.
    pub id: String,
    token: String,
    since: Option<String>,
}

/// A line in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub by: String,
    /// What.
    pub text: String,
}

impl Lane {
    /// The account that answers in this lane's chats.
    pub fn agent(self) -> String {
        format!("@lane{:02}:chat.test", self.0)
    }
}

impl Person {
    /// The agent of a lane.
    pub fn agent(port: u16, lane: Lane) -> Person {
        let user = format!("lane{:02}", lane.0);
        let identifier = json!({ "type": "m.id.user", "user": user });
        Person::signed(port, "/login", &json!({ "type": "m.login.password", "identifier": identifier, "password": format!("{user}-pass") }))
    }

    /// A new visitor.
    pub fn visitor(port: u16) -> Person {
        Person::signed(port, "/register", &json!({ "auth": { "type": "m.login.dummy" }, "username": nonce(), "password": "secret" }))
    }

    fn signed(port: u16, path: &str, body: &Value) -> Person {
        let answer = http::json(port, "POST", &format!("/_matrix/client/v3{path}"), None, Some(body));
        let word = |name: &str| answer[name].as_str().expect("a word").to_owned();
        Person { port, id: word("user_id"), token: word("access_token"), since: None }
    }

    /// Asks the client-server API; panics on any error.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        http::json(self.port, method, &format!("/_matrix/client/v3{path}"), Some(&format!("Bearer {}", self.token)), body)
    }

    /// Opens a room with somebody and says the first line.
    pub fn begin(&self, with: &str, text: &str) -> String {
        let room = self.ask("POST", "/createRoom", Some(&json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [with] })));
        let room = room["room_id"].as_str().expect("a room").to_owned();
        self.say(&room, text);
        room
    }

    /// Says a line.
    pub fn say(&self, room: &str, text: &str) {
        let path = format!("/rooms/{}/send/m.room.message/{}", escape(room), nonce());
        self.ask("PUT", &path, Some(&json!({ "msgtype": "m.text", "body": text })));
    }

    /// Goes into every room to which somebody invites; gives these rooms.
    pub fn accept(&mut self) -> Vec<String> {
        let news = self.news(0);
        let rooms: Vec<String> = news["rooms"]["invite"].as_object().into_iter().flatten().map(|(room, _)| room.clone()).collect();
        for room in &rooms {
            self.ask("POST", &format!("/join/{}", escape(room)), Some(&json!({})));
        }
        rooms
    }

    /// What happened since the last call, waiting for something for at most so many milliseconds.
    pub fn news(&mut self, wait: u32) -> Value {
        let since = self.since.as_ref().map(|s| format!("&since={}", escape(s))).unwrap_or_default();
        let news = self.ask("GET", &format!("/sync?timeout={wait}{since}"), None);
        self.since = news["next_batch"].as_str().map(str::to_owned);
        news
    }

    /// The rooms that this person is or was in whose lines hold a word.
    pub fn rooms_with(&self, word: &str) -> Vec<String> {
        let filter = escape(&json!({ "room": { "include_leave": true, "timeline": { "limit": 100 } } }).to_string());
        let all = self.ask("GET", &format!("/sync?timeout=0&set_presence=offline&filter={filter}"), None);
        let rooms = ["join", "leave"].into_iter().filter_map(|kind| all["rooms"][kind].as_object()).flatten();
        let holds = |room: &Value| said(&room["timeline"]["events"]).iter().any(|l| l.text.contains(word));
        rooms.filter(|(_, room)| holds(room)).map(|(id, _)| id.clone()).collect()
    }

    /// The stored lines of a room, oldest first.
    pub fn lines(&self, room: &str) -> Vec<Line> {
        let answer = self.ask("GET", &format!("/rooms/{}/messages?dir=b&limit=100", escape(room)), None);
        let mut lines = said(&answer["chunk"]);
        lines.reverse();
        lines
    }

    /// Tells everybody whether this person is there: `online`, `unavailable`, `offline`.
    pub fn presence(&self, state: &str) {
        self.ask("PUT", &format!("/presence/{}/status", escape(&self.id)), Some(&json!({ "presence": state })));
    }

    /// Whether everybody is told that this person is there.
    pub fn is_present(&self) -> bool {
        self.ask("GET", &format!("/presence/{}/status", escape(&self.id)), None)["presence"] == "online"
    }
}

/// The lines among events.
pub fn said(events: &Value) -> Vec<Line> {
    let all = events.as_array().into_iter().flatten().filter(|e| e["type"] == "m.room.message");
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    all.map(|e| Line { by: text(&e["sender"]), text: text(&e["content"]["body"]) }).collect()
}
