//! Every switch of the chat: seen to change what the desk does, and off again.

use super::super::{Author, Status};
use super::browser::{Events, call};
use super::chat::{Guest, agent_says};
use super::*;
use serde_json::json as value;

#[tokio::test]
async fn the_frame_forbids_embedding() {
    for seed in 0..4 {
        let sandbox = sandbox(seed, &["chat-frame-refused"]).await;
        let url = format!("{}/chat/frame", sandbox.web);
        let frame = call("GET", &url, &[], b"").await;
        let refused =
            frame.header("x-frame-options") == Some("DENY") || frame.header("content-security-policy") == Some("frame-ancestors 'none'");
        assert!(frame.status == 200 && refused, "{}", frame.head);
        sandbox.set_fault("chat-frame-refused", false).unwrap();
        let frame = call("GET", &url, &[], b"").await;
        assert!(frame.header("x-frame-options").is_none() && frame.header("content-security-policy").is_none());
    }
}

#[tokio::test]
async fn chat_is_offered_with_nobody_there() {
    let sandbox = start(Options { seed: 1, speed: 10.0, agent: true, ..Options::default() }).await.unwrap();
    sandbox.set_fault("chat-offered-with-no-agent", true).unwrap();
    assert_eq!(call("GET", &format!("{}/chat/status", sandbox.web), &[], b"").await.json()["online"], true);
    assert_eq!(api(&sandbox, "GET", "/agents", Value::Null).await.1["available"], 0);
    let guest = Guest::new(&sandbox).await;
    let lonely = guest.begin("anybody? chatword21").await;
    guest.poll_for(&lonely, "system: ").await;
    sandbox.set_fault("chat-offered-with-no-agent", false).unwrap();
    let served = guest.begin("anybody now? chatword22").await;
    guest.poll_for(&served, "agent: ").await;
    assert!(!guest.history(&lonely).await.iter().any(|l| l.starts_with("agent: ")));
}

#[tokio::test]
async fn new_conversations_are_throttled() {
    let sandbox = sandbox(2, &["chat-throttled"]).await;
    let guest = Guest::new(&sandbox).await;
    let refused = guest.begin_with("hello").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
    let mut socket = guest.socket("/chat/ws").await;
    let data = value!({ "prechat": { "name": "A", "email": "a@b.c" }, "text": "hello" });
    socket.say(&value!({ "event": "session_init", "data": data })).await;
    assert_eq!(socket.hear().await["data"]["code"], 429);
    assert!(sandbox.tickets().is_empty());
    sandbox.set_fault("chat-throttled", false).unwrap();
    assert_eq!(guest.begin_with("hello").await.status, 201);
}

#[tokio::test]
async fn a_visitor_with_a_closed_conversation_meets_a_dead_end() {
    let sandbox = sandbox(3, &["chat-prechat-dead-end"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("first").await;
    guest.call("POST", &format!("/conversations/{id}/close"), Value::Null).await;
    let dead = guest.begin_with("second").await;
    assert_eq!((dead.status, dead.json()), (201, value!({ "conversation": null })));
    assert_eq!(sandbox.tickets().len(), 1);
    Guest::new(&sandbox).await.begin("somebody new").await;
    sandbox.set_fault("chat-prechat-dead-end", false).unwrap();
    guest.begin("second").await;
}

#[tokio::test]
async fn offline_notes_go_nowhere() {
    let sandbox = sandbox(4, &["chat-offline-note-nowhere"]).await;
    let guest = Guest::new(&sandbox).await;
    let note = |word: &str| value!({ "name": "Alice", "email": "alice@customers.test", "text": word });
    assert_eq!(guest.call("POST", "/offline", note("lost")).await.status, 201);
    sandbox.set_fault("chat-offline-note-nowhere", false).unwrap();
    assert_eq!(guest.call("POST", "/offline", note("chatword24")).await.status, 201);
    ticket_with(&sandbox, "chatword24").await;
    assert_eq!(sandbox.tickets().len(), 1);
}

#[tokio::test]
async fn a_waiting_visitor_is_not_shown_to_agents() {
    let sandbox = sandbox(5, &["chat-waiting-not-shown"]).await;
    let login = format!("Bearer {}", sandbox.api_key);
    let mut screen = Events::open(&format!("{}/events", sandbox.api), &[("Authorization", &login)]).await;
    let guest = Guest::new(&sandbox).await;
    let hidden = guest.begin("hidden chatword25").await;
    guest.poll_for(&hidden, "system: ").await;
    let (_, list) = api(&sandbox, "GET", "/tickets?search=chatword25", Value::Null).await;
    assert_eq!(list["tickets"][0]["status"], "new");
    sandbox.set_fault("chat-waiting-not-shown", false).unwrap();
    let shown = guest.begin("shown chatword26").await;
    assert_eq!(screen.next().await.data["conversation"], shown);
}

#[tokio::test]
async fn a_bot_promises_a_person_and_keeps_the_conversation() {
    let sandbox = sandbox(6, &["bot-never-hands-over"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword27").await;
    guest.poll_for(&id, "bot: ").await;
    guest.say(&id, "a human please").await;
    let bots = |t: &Ticket| t.messages.iter().filter(|m| m.author == Author::Bot).count();
    let number = ticket_with(&sandbox, "chatword27").await.id;
    let ticket = ticket_when(&sandbox, number, |t| bots(t) == 2).await;
    assert_eq!(ticket.status, Status::Bot);
    sandbox.set_fault("bot-never-hands-over", false).unwrap();
    guest.say(&id, "a human please").await;
    ticket_when(&sandbox, number, |t| t.status == Status::New).await;
}

#[tokio::test]
async fn a_bot_talks_over_the_agent() {
    let sandbox = sandbox(7, &["bot-talks-over-agent"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword28").await;
    let number = ticket_with(&sandbox, "chatword28").await.id;
    agent_says(&sandbox, number, "I am here.").await;
    guest.say(&id, "good").await;
    guest.poll_for(&id, "bot: ").await;
    sandbox.set_fault("bot-talks-over-agent", false).unwrap();
    guest.say(&id, "who was that?").await;
    agent_says(&sandbox, number, "Never mind.").await;
    let lines = guest.poll_for(&id, "Never mind.").await;
    assert_eq!(lines.iter().filter(|l| l.starts_with("bot: ")).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn files_of_a_chat_do_not_come_over() {
    let sandbox = sandbox(8, &["chat-attachment-not-transferred"]).await;
    let guest = Guest::new(&sandbox).await;
    let files = value!([{ "name": "a.png", "type": "image/png", "data": base64("picture") }]);
    let body = value!({ "prechat": { "name": "A", "email": "alice@customers.test" }, "text": "see chatword29", "files": files });
    let begun = guest.call("POST", "/conversations", body).await.json();
    let path = begun["line"]["files"][0]["url"].as_str().unwrap().split_once("/chat").unwrap().1.to_owned();
    let ticket = ticket_with(&sandbox, "chatword29").await;
    let reply = value!({ "text": "mine", "files": [{ "name": "b.png", "content_type": "image/png", "data": base64("theirs") }] });
    api(&sandbox, "POST", &format!("/tickets/{}/reply", ticket.id), reply).await;
    let id = begun["conversation"].as_str().unwrap();
    let stored = guest.call("GET", &format!("/conversations/{id}/lines"), Value::Null).await.json();
    let agents = stored["lines"].as_array().unwrap().iter().find(|l| l["from"] == "agent").unwrap()["files"][0].clone();
    assert_eq!((&agents["name"], &agents["size"]), (&value!("b.png"), &value!(6)));
    let theirs = agents["url"].as_str().unwrap().split_once("/chat").unwrap().1.to_owned();
    let at_desk = format!("/files/{}", ticket.messages[0].files[0].id);
    for path in [&path, &theirs] {
        assert_eq!(guest.call("GET", path, Value::Null).await.status, 404);
    }
    assert_eq!(api(&sandbox, "GET", &at_desk, Value::Null).await.0, 404);
    sandbox.set_fault("chat-attachment-not-transferred", false).unwrap();
    assert_eq!(guest.call("GET", &path, Value::Null).await.body, b"picture");
    assert_eq!(guest.call("GET", &theirs, Value::Null).await.body, b"theirs");
    assert_eq!(api(&sandbox, "GET", &at_desk, Value::Null).await.0, 200);
}

#[tokio::test]
async fn lines_are_stored_and_pushed_to_nobody() {
    let sandbox = sandbox(9, &["chat-connected-no-fanout"]).await;
    let login = format!("Bearer {}", sandbox.api_key);
    let mut screen = Events::open(&format!("{}/events", sandbox.api), &[("Authorization", &login)]).await;
    let guest = Guest::new(&sandbox).await;
    let mut socket = guest.socket("/chat/ws").await;
    let id = guest.begin("hello chatword30").await;
    let ticket = ticket_with(&sandbox, "chatword30").await;
    ticket_when(&sandbox, ticket.id, |t| t.messages.len() == 2).await;
    agent_says(&sandbox, ticket.id, "unheard").await;
    assert!(guest.history(&id).await.contains(&"agent: unheard".to_owned()));
    assert_eq!(guest.poll(&id, 0, 0).await.1, Vec::<String>::new());
    socket.say(&value!({ "event": "ping" })).await;
    assert_eq!(socket.hear().await["event"], "pong", "the connection looks well");
    sandbox.set_fault("chat-connected-no-fanout", false).unwrap();
    agent_says(&sandbox, ticket.id, "heard").await;
    assert_eq!(socket.hear().await["data"]["text"], "heard");
    assert_eq!(screen.next().await.data["line"]["text"], "heard");
}

#[tokio::test]
async fn an_agents_line_is_invisible_to_the_visitor_alone() {
    let sandbox = sandbox(10, &["chat-agent-line-invisible"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword31").await;
    let number = ticket_with(&sandbox, "chatword31").await.id;
    agent_says(&sandbox, number, "unseen").await;
    let ticket = ticket_when(&sandbox, number, |t| t.messages.iter().any(|m| m.delivery.as_deref() == Some("sent"))).await;
    assert!(ticket.messages.iter().any(|m| m.text == "unseen"));
    guest.say(&id, "still there?").await;
    guest.poll_for(&id, "still there?").await;
    assert!(!guest.history(&id).await.iter().any(|l| l.contains("unseen")));
    sandbox.set_fault("chat-agent-line-invisible", false).unwrap();
    agent_says(&sandbox, number, "seen").await;
    let pushed = guest.poll_for(&id, "agent: seen").await;
    assert!(!pushed.iter().any(|l| l.contains("unseen")));
}

#[tokio::test]
async fn a_visitor_who_returns_starts_from_zero() {
    let sandbox = sandbox(11, &["chat-history-lost-on-return"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello").await;
    assert_eq!(guest.call("GET", "/conversations/current", Value::Null).await.status, 404);
    assert_eq!(guest.say(&id, "the open window still works").await.status, 201);
    sandbox.set_fault("chat-history-lost-on-return", false).unwrap();
    assert_eq!(guest.call("GET", "/conversations/current", Value::Null).await.json()["conversation"], id);
}

#[tokio::test]
async fn sockets_are_accepted_and_never_answered() {
    let sandbox = sandbox(12, &["chat-socket-silent"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword32").await;
    let number = ticket_with(&sandbox, "chatword32").await.id;
    let (mut socket, mut cable) = (guest.socket("/chat/ws").await, guest.socket("/cable").await);
    let url = format!("{}/chat/conversations/{id}/events?key={}", sandbox.web, guest.secret);
    let mut events = Events::open(&url, &[]).await;
    agent_says(&sandbox, number, "unheard").await;
    assert!(guest.history(&id).await.contains(&"agent: unheard".to_owned()));
    socket.say(&value!({ "event": "ping" })).await;
    let identifier = value!({ "channel": "ChatChannel", "conversation": id }).to_string();
    cable.say(&value!({ "command": "subscribe", "identifier": identifier })).await;
    assert!(socket.is_quiet().await && cable.is_quiet().await && events.is_quiet().await);
    sandbox.set_fault("chat-socket-silent", false).unwrap();
    let mut cable = guest.socket("/cable").await;
    assert_eq!(cable.hear().await["type"], "welcome");
    socket.say(&value!({ "event": "chat_status" })).await;
    assert_eq!(socket.hear().await["event"], "chat_status", "the first call stays without an answer");
    agent_says(&sandbox, number, "heard").await;
    assert_eq!(events.next().await.data["text"], "heard");
}

#[tokio::test]
async fn sockets_are_dropped_after_a_while_and_may_come_again() {
    let sandbox = sandbox(13, &["chat-socket-drops"]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword33").await;
    let (mut socket, mut cable) = (guest.socket("/chat/ws").await, guest.socket("/cable").await);
    let url = format!("{}/chat/conversations/{id}/events?key={}", sandbox.web, guest.secret);
    let mut events = Events::open(&url, &[]).await;
    assert!(socket.closed().await && cable.closed().await && events.ended().await);
    sandbox.set_fault("chat-socket-drops", false).unwrap();
    let mut socket = guest.socket("/chat/ws").await;
    socket.say(&value!({ "event": "ping" })).await;
    assert_eq!(socket.hear().await["event"], "pong");
}
