//! Servers that do what they must not: each is survived, bounded, and has its name.

use super::server::{Asked, Does, Server, bomb, json, text};
use super::world::{World, key, line, order, saying, settings};
use replypath::engine::ways::{ChatOrder, ChatView, Chats, Push, Stop};
use replypath::model::{Outcome, ResultClass};
use std::time::Instant;
use tempfile::TempDir;
use tokio::net::TcpListener;

const DESK: &str = r#"
[desk]
format = 1
id = "test"
base = "${url}"
hosts = ["host(${url})"]
[params]
url = { required = true, kind = "url" }
key = { required = true, secret = true }
elsewhere = {}
transport = { default = "sse" }
[auth.agent]
kind = "bearer"
token = "${key}"
[[find]]
  [[find.step]]
  get = "/tickets"
  rows = "@"
  match = { field = "text", contains = "${token}" }
[read]
  [[read.step]]
  id = "t"
  get = "/tickets/${id}"
[record]
id = "t:id"

[chat]
transport = "${transport}"
identity = ["b.secret"]
conversation = "b.id"
cookies = true
headers = { X-Visitor = "${b.secret|omit_empty}" }
[chat.begin]
  [[chat.begin.step]]
  id = "b"
  post = "/begin"
  body.json = { text = "${text}" }
  pick = { id = "id", secret = "secret" }
[chat.say]
  [[chat.say.step]]
  transport = ["http", "sse", "long-poll"]
  post = "/say"
  body.json = { text = "${text}" }
  [[chat.say.step]]
  transport = ["json-events", "actioncable"]
  send = { say = "${text}" }
  await = { when = "ok", deadline = "10s" }
[chat.history]
  [[chat.history.step]]
  get = "/lines"
  rows = "@"
[chat.line]
id = "id"
text = "text"
speaker = { from = "from", map = { a = "agent", v = "visitor" } }
[[chat.push]]
transport = "sse"
open = { get = "/events" }
row = "data"
silence = "10s"
[[chat.push]]
transport = "long-poll"
open = { get = "/poll", query = { after = "${cursor|omit_empty}", wait = "${wait}" }, rows = "lines", pick = { next = "next" } }
cursor = "next"
wait = "5s"
[[chat.push]]
transport = "json-events"
open = { get_url = "${elsewhere|default:url}/socket" }
when = "text"
silence = "10s"
[[chat.push]]
transport = "actioncable"
open = { get = "/cable" }
subscribe = { channel = "Chat" }
silence = "10s"
"#;

const BEGUN: &str = r#"{"id":"c1","secret":"s3cret-of-the-visitor"}"#;
const HELD_STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

struct Scene {
    world: World,
    server: Server,
    order: ChatOrder,
    _state: TempDir,
}

impl Scene {
    async fn new(transport: &str, script: impl Fn(&Asked, usize) -> Option<Does> + Send + Sync + 'static) -> Scene {
        Scene::with(transport, &[], script).await
    }

    async fn with(transport: &str, more: &[(&str, &str)], script: impl Fn(&Asked, usize) -> Option<Does> + Send + Sync + 'static) -> Scene {
        let server = Server::start(move |asked, number| match script(asked, number) {
            Some(does) => does,
            None if asked.is("POST /begin") => json(BEGUN),
            None if asked.is("GET /lines") => json("[]"),
            None => Does::Json(404, "{}".to_owned()),
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        let mut params = vec![("url", server.url.as_str()), ("transport", transport)];
        params.extend_from_slice(more);
        let world = World::new(&settings(DESK, &params, "agents-key"), state.path());
        Scene { world, server, order: order("run1"), _state: state }
    }

    async fn begun(&mut self) {
        let begun = self.world.chats.begin(&self.order, &saying("run1", "send")).await.unwrap();
        (self.order.conversation, self.order.sealed) = (begun.conversation, begun.sealed);
    }

    async fn refused(&self) -> Stop {
        self.world.chats.begin(&self.order, &saying("run1", "send")).await.unwrap_err()
    }

    async fn broken(&self, words: &str) -> ChatView {
        let is = |v: &ChatView| matches!(&v.push, Push::Broken(why) if why.contains(words));
        self.world.heard(&self.order, words, is).await
    }
}

/// Each opens its push path in its own bad way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_push_path_is_broken_with_its_reason_and_costs_nothing_else() {
    let huge = [&[0x81, 127][..], &(50u64 << 20).to_be_bytes()].concat();
    let socket = |bytes: Vec<u8>| move || Does::Socket(bytes.clone());
    let bytes = |text: &'static str| move || Does::Bytes(text.as_bytes().to_vec());
    type Case = (&'static str, &'static str, Box<dyn Fn() -> Does + Send + Sync>);
    let cases: Vec<Case> = vec![
        ("json-events", "a frame of 52428800 bytes", Box::new(socket(huge.clone()))),
        ("json-events", "a frame of 52428800 bytes", Box::new(move || Does::Floods(huge.clone(), vec![b'x'; 65536]))),
        ("json-events", "not UTF-8", Box::new(socket(text(b"{\"text\":\"\xff\"}")))),
        ("json-events", "no JSON", Box::new(socket(text(b"hello?")))),
        ("json-events", "none by RFC 6455", Box::new(socket(vec![0x83, 0x00]))),
        ("json-events", "none by RFC 6455", Box::new(socket(vec![0x81, 0x81, 1, 2, 3, 4, 5]))),
        ("json-events", "no sign of life for 10 s", Box::new(|| Does::Socket(Vec::new()))),
        ("json-events", "answered with 403", Box::new(|| Does::Json(403, "{}".to_owned()))),
        ("json-events", "no answer in time", Box::new(|| Does::Silence)),
        (
            "json-events",
            "not that of a WebSocket server",
            Box::new(bytes("HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: eA==\r\n\r\n")),
        ),
        ("json-events", "closed the socket (1001, bye)", Box::new(socket([&[0x88, 5, 0x03, 0xe9][..], b"bye"].concat()))),
        ("actioncable", "no sign of a welcome within 10 s", Box::new(|| Does::Socket(Vec::new()))),
        (
            "actioncable",
            "refused the subscription",
            Box::new(socket([text(b"{\"type\":\"welcome\"}"), text(b"{\"type\":\"reject_subscription\"}")].concat())),
        ),
        ("actioncable", "disconnects: unauthorized", Box::new(socket(text(b"{\"type\":\"disconnect\",\"reason\":\"unauthorized\"}")))),
        ("sse", "instead of an event stream", Box::new(|| json("{}"))),
        ("sse", "answered with 503", Box::new(|| Does::Json(503, "{}".to_owned()))),
        ("sse", "no sign of life for 10 s", Box::new(|| Does::Holds(HELD_STREAM.to_vec()))),
        ("sse", "no answer in time", Box::new(|| Does::Silence)),
        ("sse", "more than 1024 KiB", Box::new(|| Does::Bytes([HELD_STREAM, b"data: ", &vec![b'x'; 2 << 20]].concat()))),
        ("sse", "ended the event stream", Box::new(|| Does::Bytes(HELD_STREAM.to_vec()))),
        ("long-poll", "no answer", Box::new(|| Does::Silence)),
        ("long-poll", "503", Box::new(|| Does::Json(503, "{}".to_owned()))),
        ("long-poll", "`lines` is missing", Box::new(|| json("{\"next\":1}"))),
        ("long-poll", "larger than 16 MiB", Box::new(|| Does::Bytes(gzipped()))),
    ];
    let all: Vec<_> = cases.into_iter().map(|(transport, words, does)| tokio::spawn(bad_push(transport, words, does))).collect();
    for one in all {
        one.await.unwrap();
    }
}

async fn bad_push(transport: &'static str, words: &'static str, does: Box<dyn Fn() -> Does + Send + Sync>) {
    let pushing = |asked: &Asked| ["/events", "/poll", "/socket", "/cable"].iter().any(|p| asked.is(&format!("GET {p}")));
    let mut scene = Scene::new(transport, move |asked, _| pushing(asked).then(&does)).await;
    scene.begun().await;
    let view = scene.broken(words).await;
    assert!(view.lines.is_empty(), "{transport}: {words}");
    // The stored path goes on.
    scene.world.chats.look(&scene.order).await.unwrap_or_else(|e| panic!("{transport}, {words}: {e}"));
}

fn gzipped() -> Vec<u8> {
    let bomb = bomb();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    [head.into_bytes(), bomb].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_the_first_line_is_told_honestly() {
    type Case = (&'static str, Outcome, &'static str, bool, fn() -> Does);
    let cases: [Case; 7] = [
        // The request left: nobody knows.
        ("cut", Outcome::Unknown, "chat-unreachable", false, || Does::Bytes(Vec::new())),
        ("silent", Outcome::Unknown, "chat-unreachable", false, || Does::Silence),
        ("slow body", Outcome::Unknown, "chat-unreachable", false, || {
            Does::Holds(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":".to_vec())
        }),
        ("bomb", Outcome::Unknown, "desk-contract-broken", false, || Does::Bytes(gzipped())),
        ("500", Outcome::Fail, "chat-server-error", false, || Does::Json(500, "{}".to_owned())),
        ("403", Outcome::Unknown, "chat-visitor-refused", true, || Does::Json(403, "{}".to_owned())),
        ("429", Outcome::Unknown, "chat-throttled", true, || Does::Json(429, "{}".to_owned())),
    ];
    let all = cases.map(|(name, outcome, fault, no_effect, does)| {
        tokio::spawn(async move {
            let scene = Scene::new("http", move |asked, _| asked.is("POST /begin").then(does)).await;
            let stop = scene.refused().await;
            assert_eq!((stop.outcome, stop.faults[0], stop.no_effect), (outcome, fault, no_effect), "{name}: {stop}");
            assert_eq!(scene.server.asked("POST /begin").len(), 1, "{name}: an act is never done twice");
        })
    });
    for one in all {
        one.await.unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let state = tempfile::tempdir().unwrap();
    let world = World::new(&settings(DESK, &[("url", &url), ("transport", "http")], "agents-key"), state.path());
    let stop = world.chats.begin(&order("run1"), &saying("run1", "send")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0], stop.no_effect, stop.passing), (Outcome::Unknown, "chat-unreachable", true, true), "{stop}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_on_a_socket_that_breaks_after_it_was_sent_is_uncertain_and_never_sent_again() {
    // The socket takes the line, and nothing comes any more: it counts as half open.
    let mut scene =
        Scene::new("json-events", |asked, _| asked.is("GET /socket").then(|| Does::Socket(text(b"{\"text\":\"hi\",\"id\":\"1\"}")))).await;
    scene.begun().await;
    scene.world.heard(&scene.order, "the greeting", |v| v.lines.iter().any(|l| l.pushed.is_some())).await;
    let stop = scene.world.chats.say(&scene.order, &saying("run1", "follow_up")).await.unwrap_err();
    assert_eq!((stop.outcome, stop.no_effect, stop.class), (Outcome::Unknown, false, ResultClass::Unavailable), "{stop}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_to_a_host_that_is_not_listed_and_the_agents_key_never_to_visitors_calls() {
    let foreign = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", foreign.local_addr().unwrap());
    let mut scene = Scene::with("json-events", &[("elsewhere", &address)], |_, _| None).await;
    scene.begun().await;
    let view = scene.broken("not among the desk's hosts").await;
    assert!(!format!("{view:?}").contains("s3cret"));
    let connected = std::pin::pin!(foreign.accept());
    assert!(futures_util::FutureExt::now_or_never(connected).is_none(), "nothing was sent there");
    scene.world.chats.look(&scene.order).await.unwrap();
    let asked = scene.server.asked("");
    assert!(asked.iter().all(|a| !a.head.contains("agents-key")), "{asked:?}");
    let lines = scene.server.asked("GET /lines");
    assert_eq!(lines[0].header("x-visitor").as_deref(), Some("s3cret-of-the-visitor"));
    assert_eq!(lines[0].header("origin").as_deref(), Some("http://shop.test"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_goes_on_where_it_broke_and_what_was_missed_is_stored_not_pushed() {
    let answer = key().token("run1", "reply");
    let (missed, pushed) = (answer.clone(), key().token("run1", "late"));
    let shown = pushed.clone();
    let mut scene = Scene::new("sse", move |asked, number| {
        if asked.is("GET /lines") && number > 0 {
            return Some(json(&format!("[{{\"id\":\"2\",\"from\":\"a\",\"text\":\"{missed}\"}}]")));
        }
        asked.is("GET /events").then(|| match number {
            0 => Does::Bytes([HELD_STREAM, b"id: 41\ndata: {\"id\":\"1\",\"text\":\"hi\"}\n\n"].concat()),
            _ => Does::Holds([HELD_STREAM, format!("id: 43\ndata: {{\"id\":\"3\",\"text\":\"{shown}\"}}\n\n").as_bytes()].concat()),
        })
    })
    .await;
    scene.begun().await;
    let view = scene.world.heard(&scene.order, "both", |v| line(v, &answer).is_some() && line(v, &pushed).is_some()).await;
    let of = |token| line(&view, token).unwrap();
    assert!(of(&answer).stored.is_some() && of(&answer).pushed.is_none());
    assert!(of(&pushed).pushed.is_some());
    let Push::Open(since) = view.push else { panic!("{:?}", view.push) };
    assert!(since <= of(&pushed).pushed.unwrap());
    assert_eq!(scene.server.asked("GET /events")[1].header("last-event-id").as_deref(), Some("41"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_answers_every_poll_at_once_is_not_asked_in_a_circle() {
    let mut scene = Scene::new("long-poll", |asked, _| asked.is("GET /poll").then(|| json("{\"next\":7,\"lines\":[]}"))).await;
    scene.begun().await;
    let (began, mut pace) = (Instant::now(), tokio::time::interval(std::time::Duration::from_millis(50)));
    while scene.server.asked("GET /poll?after=7").len() < 6 {
        pace.tick().await;
        assert!(began.elapsed() < super::world::LIMIT);
    }
    assert!(began.elapsed().as_millis() >= 2000, "six polls in {:?}", began.elapsed());
    assert!(scene.server.asked("GET /poll")[0].line.contains("?wait=0 "), "the first does not wait");
    assert!(scene.server.asked("GET /poll")[1].line.contains("after=7&wait=5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_belong_to_one_visitor_and_survive_a_restart_in_the_seal() {
    let script = |asked: &Asked, _: usize| {
        let head = "HTTP/1.1 200 OK\r\nset-cookie: sid=abc-of-one; Path=/; HttpOnly\r\ncontent-type: application/json\r\n";
        asked.is("POST /begin").then(|| Does::Bytes(format!("{head}content-length: {}\r\n\r\n{BEGUN}", BEGUN.len()).into_bytes()))
    };
    let mut scene = Scene::new("http", script).await;
    scene.begun().await;
    let settings = settings(DESK, &[("url", &scene.server.url), ("transport", "http")], "agents-key");
    let again = World::new(&settings, scene._state.path());
    again.chats.look(&scene.order).await.unwrap();
    let lines = scene.server.asked("GET /lines");
    assert_eq!(lines.last().unwrap().header("cookie").as_deref(), Some("sid=abc-of-one"));
    let other = World::new(&settings, tempfile::tempdir().unwrap().path());
    let stop = other.chats.look(&scene.order).await.unwrap_err();
    assert_eq!((stop.outcome, stop.faults[0]), (Outcome::Unknown, "chat-visitor-lost"));
}
