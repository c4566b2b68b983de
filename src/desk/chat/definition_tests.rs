//! The chats of Zammad and Chatwoot against servers that say what their definitions expect.

use super::DeskChats;
use crate::clock::SystemClock;
use crate::config::ParamValue;
use crate::desk::built_in;
use crate::desk::testing::settings;
use crate::engine::ports::MailEvent;
use crate::engine::ways::{ChatOrder, ChatView, Chats, Customer, Push, Saying};
use crate::model::{AnswerBy, ChatBy, ChatChannel, ChatLine, Outcome, RunId, Speaker, TokenKey, Visitor, WhenOffline};
use crate::seal::Seal;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How long anything may take; nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(40);

/// What was sent to a server: frames, or calls.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<String>>>);

impl Record {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn key() -> TokenKey {
    TokenKey::new(b"definitions")
}

struct Scene {
    chats: DeskChats,
    order: ChatOrder,
    events: mpsc::Receiver<MailEvent>,
    _state: TempDir,
}

impl Scene {
    fn new(id: &str, url: &str, params: &[(&str, &str)]) -> Scene {
        let text = built_in().iter().find(|(i, _)| *i == id).unwrap().1;
        let mut settings = settings(url, text);
        settings.params.remove("key");
        for (name, value) in params {
            let number = value.parse().map(toml::Value::Integer);
            let value = number.unwrap_or_else(|_| toml::Value::String((*value).to_owned()));
            settings.params.insert((*name).to_owned(), ParamValue::Plain(value));
        }
        let state = tempfile::tempdir().unwrap();
        let (sender, events) = mpsc::channel(64);
        let desks = BTreeMap::from([("helpdesk".to_owned(), settings)]);
        let chats = DeskChats::new(&desks, Seal::open(state.path()).unwrap(), key(), Arc::new(SystemClock), sender).unwrap();
        let order = ChatOrder {
            run: RunId("run1".to_owned()),
            probe: "chat".to_owned(),
            desk: Some("helpdesk".to_owned()),
            customer: Customer { address: "alice@mail.example".to_owned(), name: "Alice Example".to_owned() },
            chat: ChatChannel {
                page: Some("http://shop.example/help".to_owned()),
                by: ChatBy::Desk,
                text: String::new(),
                attachments: Vec::new(),
                prechat: BTreeMap::new(),
                hand_over: None,
                bot_turns: 0,
                when_offline: WhenOffline::Fail,
                answer: AnswerBy::Chat,
                visitor: Visitor::Fresh,
                reload: true,
                pushed: true,
            },
            conversation: None,
            sealed: None,
            since: "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        Scene { chats, order, events, _state: state }
    }

    fn saying(leg: &str) -> Saying {
        let token = key().token("run1", leg);
        Saying { text: format!("Where is my parcel? {token}"), token, attachments: Vec::new() }
    }

    async fn begun(&mut self) {
        let begun = self.chats.begin(&self.order, &Scene::saying("send")).await.unwrap();
        (self.order.conversation, self.order.sealed) = (begun.conversation, begun.sealed);
    }

    /// The agent's line, once it was pushed.
    async fn answered(&mut self) -> (ChatView, ChatLine) {
        let token = key().token("run1", "reply");
        let waiting = async {
            loop {
                let view = self.chats.heard(&self.order.run).unwrap();
                let line = view.lines.iter().find(|l| l.tokens.contains(&token) && l.pushed.is_some()).cloned();
                if let Some(line) = line {
                    return (view, line);
                }
                self.events.recv().await.unwrap();
            }
        };
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(seen) => seen,
            Err(_) => panic!("the agent's line was not pushed: {:?}", self.chats.heard(&self.order.run)),
        }
    }
}

fn answer() -> String {
    format!("We look into it. {}", key().token("run1", "reply"))
}

// ------------------------------------------------------------------------------------- Zammad

/// What Zammad says to a frame; `state` is that of its chat.
fn zammad_says(frame: &Value, state: &str) -> Vec<Value> {
    let data = &frame["data"];
    let line = |session: &str, id: u64, text: &str, own: bool| {
        let message = json!({"id": id, "content": text, "created_by_id": 3, "created_at": "2026-01-01T10:00:00.000Z"});
        let mut data = json!({"session_id": session, "message": message});
        if own {
            data["self_written"] = true.into();
        }
        json!([{"event": "chat_session_message", "data": data}])
    };
    match frame["event"].as_str().unwrap() {
        "chat_status_customer" => {
            let known = data["session_id"] == "sess-1";
            vec![json!([{"event": "chat_status_customer", "data": {"state": if known { "reconnect" } else { state }}}])]
        }
        "chat_session_init" => vec![
            json!([{"event": "chat_session_queue", "data": {"state": "queue", "position": 1, "session_id": "sess-1"}}]),
            json!([{"event": "chat_session_start", "data": {"state": "ok", "agent": {"name": "Ann"}, "session_id": "sess-1", "chat_id": 7}}]),
        ],
        "chat_session_message" => vec![
            line("sess-1", 41, data["content"].as_str().unwrap(), true),
            line("sess-2", 42, &answer(), false),
            line("sess-1", 43, &format!("<div>{}</div>", answer()), false),
        ],
        "chat_session_close" => vec![json!([{"event": "chat_status_close", "data": {"state": "ok", "session_id": "sess-1"}}])],
        _ => vec![json!([{"event": "pong"}])],
    }
}

async fn zammad(state: &'static str) -> (String, Record) {
    let record = Record::default();
    let own = record.clone();
    let talk = move |mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let Message::Text(text) = message else { continue };
            own.add(text.as_str());
            for said in zammad_says(&serde_json::from_str(&text).unwrap(), state) {
                socket.send(Message::text(said.to_string())).await.unwrap();
            }
        }
    };
    let open = move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(talk) };
    (serve(Router::new().route("/ws", axum::routing::any(open))).await, record)
}

#[tokio::test]
async fn a_visitor_of_zammad_waits_for_an_agent_speaks_hears_reloads_and_leaves() {
    let (url, record) = zammad("online").await;
    let mut scene = Scene::new("zammad", &url, &[("token", "t-o-k-e-n"), ("chat_id", "7")]);
    assert_eq!(scene.chats.offer(&scene.order).await.unwrap().offered, Some(true));
    scene.begun().await;
    assert_eq!(scene.order.conversation.as_deref(), Some("sess-1"));
    let (view, line) = scene.answered().await;
    assert_eq!((line.id.as_deref(), line.speaker, line.stored), (Some("43"), Some(Speaker::Agent), None), "{line:?}");
    assert!(!line.text.contains('<') && matches!(view.push, Push::Open(_)));
    assert!(view.lines.iter().all(|l| l.id.as_deref() != Some("42")), "another visitor's line");
    assert!(view.lines.iter().any(|l| l.id.as_deref() == Some("41") && l.speaker == Some(Speaker::Visitor)));
    scene.chats.say(&scene.order, &Scene::saying("follow_up")).await.unwrap();
    let again = scene.chats.reload(&scene.order).await.unwrap();
    assert_eq!(again.conversation, scene.order.conversation);
    scene.chats.leave(&scene.order).await.unwrap();

    let frames: Vec<Value> = record.all().iter().map(|f| serde_json::from_str(f).unwrap()).collect();
    let (send, follow_up) = (Scene::saying("send"), Scene::saying("follow_up"));
    let said = |saying: &Saying| json!({"event": "chat_session_message", "data": {"session_id": "sess-1", "content": saying.text, "id": saying.token.as_str()}});
    let expected = [
        json!({"event": "chat_status_customer", "data": {"chat_id": 7}}),
        json!({"event": "chat_status_customer", "data": {"chat_id": 7}}),
        json!({"event": "chat_session_init", "data": {"chat_id": 7}}),
        said(&send),
        said(&follow_up),
        // A second tab, then the reload.
        json!({"event": "chat_status_customer", "data": {"chat_id": 7, "session_id": "sess-1"}}),
        json!({"event": "chat_status_customer", "data": {"chat_id": 7, "session_id": "sess-1"}}),
        json!({"event": "chat_session_close", "data": {"session_id": "sess-1"}}),
    ];
    assert_eq!(frames, expected);
}

#[tokio::test]
async fn a_chat_of_zammad_without_agents_is_not_offered_and_a_wrong_number_is_our_own_trouble() {
    let (url, record) = zammad("offline").await;
    let scene = Scene::new("zammad", &url, &[("token", "t-o-k-e-n"), ("chat_id", "7")]);
    assert_eq!(scene.chats.offer(&scene.order).await.unwrap().offered, Some(false));
    let stop = scene.chats.begin(&scene.order, &Scene::saying("send")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (Outcome::Fail, "chat-not-offered", true), "{stop}");
    assert!(record.all().iter().all(|f| !f.contains("chat_session_init")), "nothing was begun");
    let (url, _) = zammad("no_such_chat").await;
    let scene = Scene::new("zammad", &url, &[("token", "t-o-k-e-n"), ("chat_id", "8")]);
    let stop = scene.chats.offer(&scene.order).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "desk-contract-broken"), "{stop}");
}

// ----------------------------------------------------------------------------------- Chatwoot

async fn widget(State(record): State<Record>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65536).await.unwrap();
    let token = head.headers.get("x-auth-token").map_or("nobody", |v| v.to_str().unwrap());
    record.add(format!("{} {} {token} {}", head.method, head.uri, String::from_utf8_lossy(&body)));
    assert!(head.headers.get("api_access_token").is_none(), "visitors have no credentials of agents");
    let mut lines = vec![
        json!({"id": 21, "content": Scene::saying("send").text, "message_type": 0, "conversation_id": 12, "created_at": 1_767_261_600}),
    ];
    if record.all().iter().any(|call| call.starts_with("POST /api/v1/widget/messages")) {
        lines.push(json!({"id": 24, "content": answer(), "message_type": 1, "conversation_id": 12, "created_at": 1_767_261_610}));
    }
    let said = match (head.method.as_str(), head.uri.path()) {
        ("GET", "/widget") => {
            let page = "<script>window.chatwootPubsubToken = 'pubsub-token-1'\nwindow.authToken = 'visitor-jwt-1'</script>";
            return ([("content-type", "text/html")], page).into_response();
        }
        ("GET", "/api/v1/widget/messages") => json!({"payload": lines}),
        ("GET", "/api/v1/widget/conversations/toggle_status") => return ().into_response(),
        (_, "/api/v1/widget/conversations") => json!({"id": 12, "status": "open"}),
        ("POST", "/api/v1/widget/messages") => json!({"id": 25, "conversation_id": 12}),
        _ => return axum::http::StatusCode::NOT_FOUND.into_response(),
    };
    ([("content-type", "application/json")], said.to_string()).into_response()
}

async fn chatwoot() -> (Scene, Record) {
    let record = Record::default();
    let router = Router::new().fallback(widget).with_state(record.clone());
    let url = serve(router).await;
    let params = [("account", "1"), ("access_token", "agents-token"), ("website_token", "WT")];
    (Scene::new("chatwoot", &url, &params), record)
}

#[tokio::test]
async fn a_kept_visitor_of_chatwoot_is_no_fresh_one_and_begins_no_further_conversation() {
    let (mut scene, record) = chatwoot().await;
    scene.begun().await;
    let sealed = scene.order.sealed.clone().unwrap();
    assert!(!sealed.contains("visitor-jwt-1") && !sealed.contains("pubsub-token-1"));
    let first = record.all().len();
    (scene.order.run, scene.order.conversation) = (RunId("run2".to_owned()), None);
    scene.begun().await;
    assert_eq!(scene.order.conversation.as_deref(), Some("12"));
    let posts: Vec<String> =
        record.all().split_off(first).into_iter().filter(|c| c.starts_with("POST") || c.contains(" /widget?")).collect();
    assert!(
        matches!(posts.as_slice(), [one] if one.starts_with("POST /api/v1/widget/messages?website_token=WT visitor-jwt-1")),
        "{posts:?}"
    );
    for run in ["run3", "run4", "run5"] {
        scene.order.run = RunId(run.to_owned());
        scene.begun().await;
    }
    scene.order.run = RunId("run6".to_owned());
    let stop = scene.chats.begin(&scene.order, &Scene::saying("send")).await.unwrap_err();
    assert_eq!((stop.faults[0], stop.no_effect), ("chat-throttled", true), "{stop}");
}
