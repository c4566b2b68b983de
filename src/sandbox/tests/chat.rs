//! The live chat seen by visitors and agents, over every transport.

use super::super::{Author, Channel, Place, Status};
use super::browser::{Answer, Events, Socket, call, json};
use super::*;
use serde_json::json as value;

/// A visitor by HTTP.
pub(super) struct Guest<'s> {
    sandbox: &'s Sandbox,
    pub(super) id: String,
    pub(super) secret: String,
}

impl<'s> Guest<'s> {
    pub(super) async fn new(sandbox: &'s Sandbox) -> Guest<'s> {
        let made = json("POST", &format!("{}/chat/visitors", sandbox.web), &[], &value!({})).await;
        assert_eq!(made.status, 201);
        let text = |key: &str| made.json()[key].as_str().unwrap().to_owned();
        Guest { sandbox, id: text("visitor"), secret: text("secret") }
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let login = format!("Visitor {}", self.secret);
        json(method, &format!("{}/chat{path}", self.sandbox.web), &[("Authorization", &login)], &body).await
    }

    pub(super) async fn begin_with(&self, text: &str) -> Answer {
        let body = value!({ "prechat": { "name": "Alice", "email": "alice@customers.test" }, "topic": "billing", "text": text });
        self.call("POST", "/conversations", body).await
    }

    /// The id of a new conversation.
    pub(super) async fn begin(&self, text: &str) -> String {
        let begun = self.begin_with(text).await;
        assert_eq!(begun.status, 201, "{}", begun.text());
        begun.json()["conversation"].as_str().unwrap().to_owned()
    }

    pub(super) async fn say(&self, conversation: &str, text: &str) -> Answer {
        self.call("POST", &format!("/conversations/{conversation}/lines"), value!({ "text": text })).await
    }

    /// What is stored, as `who: text`.
    pub(super) async fn history(&self, conversation: &str) -> Vec<String> {
        let answer = self.call("GET", &format!("/conversations/{conversation}/lines"), Value::Null).await;
        answer.json()["lines"].as_array().unwrap().iter().map(said).collect()
    }

    /// What was pushed behind a cursor, and the next cursor.
    pub(super) async fn poll(&self, conversation: &str, cursor: u64, wait: u64) -> (u64, Vec<String>) {
        let answer = self.call("GET", &format!("/conversations/{conversation}/poll?cursor={cursor}&wait={wait}"), Value::Null).await;
        let answer = answer.json();
        (answer["cursor"].as_u64().unwrap(), answer["lines"].as_array().unwrap().iter().map(said).collect())
    }

    /// Polls until a line with this text was pushed; all that came on the way.
    pub(super) async fn poll_for(&self, conversation: &str, text: &str) -> Vec<String> {
        let (mut cursor, mut all) = (0, Vec::new());
        while !all.iter().any(|l: &String| l.contains(text)) {
            let (next, lines) = self.poll(conversation, cursor, 20).await;
            assert!(!lines.is_empty(), "{text} is not pushed after {all:?}");
            cursor = next;
            all.extend(lines);
        }
        all
    }

    pub(super) async fn socket(&self, path: &str) -> Socket {
        Socket::open(&format!("{}{path}?key={}", self.sandbox.web, self.secret)).await
    }
}

fn said(line: &Value) -> String {
    format!("{}: {}", line["from"].as_str().unwrap(), line["text"].as_str().unwrap())
}

pub(super) async fn agent_says(sandbox: &Sandbox, ticket: u64, text: &str) {
    let (status, _) = api(sandbox, "POST", &format!("/tickets/{ticket}/reply"), value!({ "text": text })).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn a_chat_is_a_ticket_and_its_answer_is_pushed_and_stored() {
    let sandbox = sandbox(1, &[]).await;
    let guest = Guest::new(&sandbox).await;
    assert_eq!(guest.call("GET", "/conversations/current", Value::Null).await.status, 404);
    let id = guest.begin("Wo ist mein Geld? chatword1").await;
    let ticket = ticket_with(&sandbox, "chatword1").await;
    assert_eq!((ticket.channel, ticket.status, ticket.place), (Channel::Chat, Status::New, Place::Normal));
    assert_eq!(
        (ticket.queue.as_str(), ticket.requester.as_str(), ticket.requester_name.as_str()),
        ("Billing", "alice@customers.test", "Alice")
    );
    let (_, told) = api(&sandbox, "GET", &format!("/tickets/{}", ticket.id), Value::Null).await;
    assert_eq!((&told["ticket"]["channel"], &told["ticket"]["fields"]["conversation"]), (&value!("chat"), &value!(id)));
    let greeted = guest.poll_for(&id, sandbox.world.style.tongue.promise).await;
    assert!(greeted[0].starts_with("visitor: ") && greeted[1].starts_with("system: "), "{greeted:?}");
    agent_says(&sandbox, ticket.id, "It is under way.").await;
    assert!(guest.poll_for(&id, "It is under way.").await.contains(&"agent: It is under way.".to_owned()));
    let answered = ticket_when(&sandbox, ticket.id, |t| t.status == Status::Waiting).await;
    let line = answered.messages.iter().find(|m| m.author == Author::Agent).unwrap();
    assert_eq!((line.delivery.as_deref(), &line.message_id), (Some("sent"), &None));
    assert_eq!(guest.say(&id, "Thanks, chatword1b").await.status, 201);
    let ticket = ticket_when(&sandbox, ticket.id, |t| t.search.contains("chatword1b")).await;
    assert_eq!(ticket.status, Status::Open);
    assert_eq!(guest.history(&id).await.last().unwrap(), "visitor: Thanks, chatword1b");
    let current = guest.call("GET", "/conversations/current", Value::Null).await.json();
    assert_eq!(current, value!({ "conversation": id, "state": "open" }));
    assert!(read_all(&sandbox, "INBOX").is_empty(), "who chats gets no mail");
}

#[tokio::test]
async fn an_answer_after_the_end_goes_by_mail_and_its_answer_comes_back() {
    let sandbox = sandbox(2, &[]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("I must go, chatword2").await;
    let ticket = ticket_with(&sandbox, "chatword2").await;
    assert_eq!(guest.call("POST", &format!("/conversations/{id}/close"), Value::Null).await.status, 204);
    let closed = ticket_when(&sandbox, ticket.id, |t| t.status == Status::Closed).await;
    assert!(closed.history.iter().any(|e| e.who == "visitor" && e.new.as_deref() == Some("closed")));
    assert_eq!(guest.say(&id, "too late").await.status, 409);
    assert_eq!(guest.call("GET", "/conversations/current", Value::Null).await.json()["state"], "closed");
    agent_says(&sandbox, ticket.id, "Here is what you asked for.").await;
    let mail = mail_in(&sandbox, "INBOX", |m| m.text().contains("Here is what you asked for.")).await;
    let more = format!("In-Reply-To: {}\r\n", mail.header("Message-ID"));
    let address = &sandbox.queues[1].address;
    let raw =
        super::mail("alice@customers.test", address, &format!("Re: {}", mail.header("Subject")), "re@x", &more, "By mail, chatword2b");
    assert!(submit(&sandbox, address, &raw).await.starts_with("250"));
    assert_eq!(ticket_with(&sandbox, "chatword2b").await.id, ticket.id);
}

#[tokio::test]
async fn nobody_reads_anothers_conversation() {
    let sandbox = sandbox(3, &[]).await;
    let (guest, stranger) = (Guest::new(&sandbox).await, Guest::new(&sandbox).await);
    assert_ne!((&guest.id, &guest.secret), (&stranger.id, &stranger.secret));
    let body = value!({ "prechat": { "name": "A", "email": "alice@customers.test" }, "text": "secret chatword3",
        "files": [{ "name": "a.bin", "type": "image/png", "data": base64("picture") }] });
    let begun = guest.call("POST", "/conversations", body).await.json();
    let id = begun["conversation"].as_str().unwrap();
    let file = begun["line"]["files"][0]["url"].as_str().unwrap().to_owned();
    let path = file.split_once("/chat").unwrap().1.to_owned();
    let picture = guest.call("GET", &path, Value::Null).await;
    assert_eq!((picture.body.as_slice(), picture.header("content-disposition")), (b"picture".as_slice(), Some("attachment")));
    let base = format!("/conversations/{id}");
    let calls = [("GET", format!("{base}/lines")), ("POST", format!("{base}/lines")), ("GET", format!("{base}/poll")), ("GET", path)];
    let calls = calls.into_iter().chain([("GET", format!("{base}/events")), ("POST", format!("{base}/close"))]);
    for (method, path) in calls {
        let answer = stranger.call(method, &path, value!({ "text": "mine now" })).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert!(!answer.text().contains("chatword3"));
        assert_eq!(call(method, &format!("{}/chat{path}", sandbox.web), &[], b"{}").await.status, 401, "{method} {path}");
    }
    let mut socket = stranger.socket("/chat/ws").await;
    socket.say(&value!({ "event": "line", "data": { "conversation": id, "text": "mine now" } })).await;
    assert_eq!(socket.hear().await["data"]["code"], 404);
    let mut cable = stranger.socket("/cable").await;
    assert_eq!(cable.hear().await["type"], "welcome");
    let identifier = value!({ "channel": "ChatChannel", "conversation": id }).to_string();
    cable.say(&value!({ "command": "subscribe", "identifier": identifier })).await;
    assert_eq!(cable.hear_but("ping").await["type"], "reject_subscription");
    assert_eq!(ticket_with(&sandbox, "chatword3").await.status, Status::New);
}

#[tokio::test]
async fn answers_before_the_chat_are_looked_at() {
    let sandbox = sandbox(4, &[]).await;
    let guest = Guest::new(&sandbox).await;
    let status = call("GET", &format!("{}/chat/status", sandbox.web), &[("Origin", "https://shop.test")], b"").await;
    assert_eq!(status.header("access-control-allow-origin"), Some("https://shop.test"));
    assert_eq!((&status.json()["online"], &status.json()["queue"]), (&value!(true), &value!("Support")));
    assert!(status.json()["prechat"].as_array().unwrap().iter().any(|q| q["key"] == "name" && q["required"] == true));
    let wrong = guest.call("POST", "/conversations", value!({ "prechat": { "email": "none" } })).await;
    assert_eq!(wrong.status, 422);
    for key in ["name", "email", "text"] {
        assert!(wrong.json()["errors"][key].is_string(), "{key}");
    }
    assert!(sandbox.tickets().is_empty());
}

#[tokio::test]
async fn an_event_stream_pushes_lines_and_repeats_those_that_were_missed() {
    let sandbox = sandbox(5, &[]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword5").await;
    let url = format!("{}/chat/conversations/{id}/events?key={}", sandbox.web, guest.secret);
    let mut events = Events::open(&url, &[]).await;
    let ticket = ticket_with(&sandbox, "chatword5").await;
    agent_says(&sandbox, ticket.id, "one").await;
    let first = loop {
        let event = events.next().await;
        if event.data["from"] == "agent" {
            break event;
        }
    };
    assert_eq!((first.name.as_str(), &first.data["text"]), ("line", &value!("one")));
    drop(events);
    agent_says(&sandbox, ticket.id, "two").await;
    let mut again = Events::open(&url, &[("Last-Event-ID", &first.id)]).await;
    // The greeting may come only now.
    let missed = loop {
        let event = again.next().await;
        if event.data["from"] == "agent" {
            break event;
        }
    };
    assert_eq!(missed.data["text"], "two");
    assert!(missed.id.parse::<u64>().unwrap() > first.id.parse().unwrap());
    api(&sandbox, "PATCH", &format!("/tickets/{}", ticket.id), value!({ "status": "closed" })).await;
    while again.next().await.name != "closed" {}
}

#[tokio::test]
async fn a_whole_conversation_runs_over_the_json_websocket() {
    let sandbox = sandbox(6, &[]).await;
    let guest = Guest::new(&sandbox).await;
    let mut socket = guest.socket("/chat/ws").await;
    let mut tab = guest.socket("/chat/ws").await;
    socket.say(&value!([{ "event": "ping" }, { "event": "chat_status" }])).await;
    assert_eq!(socket.hear().await["event"], "pong");
    assert_eq!(socket.hear().await, value!({ "event": "chat_status", "data": { "state": "online" } }));
    let data = value!({ "prechat": { "name": "Alice", "email": "alice@customers.test" }, "topic": "sales", "text": "hello chatword6" });
    socket.say(&value!({ "event": "session_init", "data": data })).await;
    let started = socket.hear().await;
    assert_eq!((&started["event"], &started["data"]["line"]["text"]), (&value!("session_start"), &value!("hello chatword6")));
    let id = started["data"]["conversation"].as_str().unwrap().to_owned();
    let greeting = socket.hear().await["data"].clone();
    assert_eq!((&greeting["from"], &greeting["self"], &greeting["conversation"]), (&value!("system"), &value!(false), &value!(id)));
    socket.say(&value!({ "event": "line", "data": { "conversation": id, "text": "more chatword6b" } })).await;
    let echo = socket.hear().await["data"].clone();
    assert_eq!((&echo["self"], &echo["text"]), (&value!(true), &value!("more chatword6b")));
    let ticket = ticket_with(&sandbox, "chatword6b").await;
    assert_eq!(ticket.queue, "Sales");
    agent_says(&sandbox, ticket.id, "answer").await;
    assert_eq!(socket.hear().await["data"]["text"], "answer", "the echo comes once");
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(tab.hear().await["data"]["text"].clone());
    }
    assert_eq!((&texts[0], &texts[2], &texts[3]), (&value!("hello chatword6"), &value!("more chatword6b"), &value!("answer")));
    socket.say(&value!({ "event": "session_close", "data": { "conversation": id } })).await;
    assert_eq!(socket.hear().await["event"], "session_closed", "the socket's own answer comes first, and once");
    assert_eq!(socket.hear().await["data"]["from"], "system", "the farewell is pushed");
    assert_eq!(tab.hear().await["data"]["from"], "system");
    assert_eq!(tab.hear().await["event"], "session_closed");
    ticket_when(&sandbox, ticket.id, |t| t.status == Status::Closed).await;
}

#[tokio::test]
async fn action_cable_subscribes_speaks_and_pings() {
    let sandbox = sandbox(7, &[]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword7").await;
    let mut cable = guest.socket("/cable").await;
    assert_eq!(cable.protocol.as_deref(), Some("actioncable-v1-json"));
    assert_eq!(cable.hear().await, value!({ "type": "welcome" }));
    let identifier = value!({ "channel": "ChatChannel", "conversation": id }).to_string();
    cable.say(&value!({ "command": "subscribe", "identifier": identifier })).await;
    assert_eq!(cable.hear_but("ping").await, value!({ "identifier": identifier, "type": "confirm_subscription" }));
    let speak = value!({ "action": "speak", "text": "by cable chatword7b" }).to_string();
    cable.say(&value!({ "command": "message", "identifier": identifier, "data": speak })).await;
    let ticket = ticket_with(&sandbox, "chatword7b").await;
    agent_says(&sandbox, ticket.id, "from the desk").await;
    let mut heard = Vec::new();
    while !heard.contains(&"from the desk".to_owned()) {
        let message = cable.hear_but("ping").await;
        assert_eq!((&message["identifier"], &message["message"]["event"]), (&value!(identifier), &value!("line")));
        heard.push(message["message"]["data"]["text"].as_str().unwrap().to_owned());
    }
    assert!(heard.contains(&"by cable chatword7b".to_owned()));
    let mut nobody = Socket::open(&format!("{}/cable?key=wrong", sandbox.web)).await;
    assert_eq!(nobody.hear().await, value!({ "type": "disconnect", "reason": "unauthorized", "reconnect": false }));
    assert!(nobody.closed().await);
}

#[tokio::test]
async fn agents_screens_are_told_of_conversations_and_lines() {
    let sandbox = sandbox(8, &[]).await;
    let login = format!("Bearer {}", sandbox.api_key);
    let url = format!("{}/events", sandbox.api);
    assert_eq!(call("GET", &url, &[], b"").await.status, 401);
    let mut screen = Events::open(&url, &[("Authorization", &login)]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("hello chatword8").await;
    let event = screen.next().await;
    let ticket = ticket_with(&sandbox, "chatword8").await;
    assert_eq!(
        (event.name.as_str(), &event.data["ticket"], &event.data["conversation"]),
        ("conversation", &value!(ticket.id), &value!(id))
    );
    assert_eq!(event.data["line"]["text"], "hello chatword8");
    guest.say(&id, "again chatword8b").await;
    while screen.next().await.data["line"]["text"] != "again chatword8b" {}
    let (_, agents) = api(&sandbox, "GET", "/agents", Value::Null).await;
    assert!(agents["available"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn an_offline_message_becomes_a_ticket_that_is_answered_by_mail() {
    let sandbox = sandbox(9, &["chat-not-offered"]).await;
    let guest = Guest::new(&sandbox).await;
    assert_eq!(call("GET", &format!("{}/chat/status", sandbox.web), &[], b"").await.json()["online"], false);
    assert_eq!(api(&sandbox, "GET", "/agents", Value::Null).await.1["available"], 0);
    let refused = guest.begin_with("hello").await;
    assert_eq!((refused.status, &refused.json()["online"]), (409, &value!(false)));
    let note = value!({ "name": "Alice", "email": "alice@customers.test", "text": "Call me, chatword9" });
    assert_eq!(guest.call("POST", "/offline", note).await.json(), value!({ "ok": true }));
    let ticket = ticket_with(&sandbox, "chatword9").await;
    assert_eq!((ticket.channel, ticket.requester.as_str()), (Channel::Chat, "alice@customers.test"));
    mail_in(&sandbox, "INBOX", |m| m.is_automatic() && m.text().contains(&ticket.number())).await;
    agent_says(&sandbox, ticket.id, "We call tomorrow.").await;
    mail_in(&sandbox, "INBOX", |m| m.text().contains("We call tomorrow.")).await;
    sandbox.set_fault("chat-not-offered", false).unwrap();
    assert_eq!(guest.begin_with("hello").await.status, 201);
}

#[tokio::test]
async fn a_bot_answers_first_and_hands_over_to_a_person() {
    let sandbox = start(Options { seed: 10, speed: 10.0, bot: true, agent: true, ..Options::default() }).await.unwrap();
    let login = format!("Bearer {}", sandbox.api_key);
    let mut screen = Events::open(&format!("{}/events", sandbox.api), &[("Authorization", &login)]).await;
    let guest = Guest::new(&sandbox).await;
    let id = guest.begin("Where is my order? chatword10").await;
    let lines = guest.poll_for(&id, "bot: ").await;
    assert!(lines.iter().any(|l| l.contains(sandbox.world.style.tongue.promise)), "{lines:?}");
    let ticket = ticket_with(&sandbox, "chatword10").await;
    assert_eq!(ticket.status, Status::Bot);
    assert_eq!(guest.call("GET", "/conversations/current", Value::Null).await.json()["state"], "pending");
    guest.say(&id, "Can I talk to a person?").await;
    let event = screen.next().await;
    assert_eq!((event.name.as_str(), &event.data["ticket"]), ("conversation", &value!(ticket.id)), "agents see it only now");
    let answered = ticket_when(&sandbox, ticket.id, |t| t.messages.iter().any(|m| m.author == Author::Agent)).await;
    assert!(answered.history.iter().any(|e| e.kind == "status" && e.old.as_deref() == Some("bot") && e.new.as_deref() == Some("new")));
    guest.say(&id, "Thank you, person").await;
    let bots = |t: &Ticket| t.messages.iter().filter(|m| m.author == Author::Bot).count();
    assert_eq!(bots(&answered), bots(&ticket_when(&sandbox, ticket.id, |t| t.search.contains("thank you, person")).await));
}
