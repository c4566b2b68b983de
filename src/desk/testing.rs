//! A small HTTP server for tests: scripted answers, cut connections, silence, and a record of what was asked.

use super::{Definition, HttpDesk};
use crate::config::{DeskSettings, DeskSource, ParamValue};
use crate::engine::ports::Needle;
use crate::model::{Budget, Ticket, TicketRef, Token};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub head: String,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()))
    }
}

/// What is answered.
pub enum Answer {
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection is closed after the request was read.
    Cut,
    /// Nothing, until the client gives up.
    Silent,
}

pub fn say(status: u16, body: &str) -> Answer {
    Answer::Say(status, Vec::new(), body.as_bytes().to_vec())
}

type Script = dyn Fn(&Asked, usize) -> Answer + Send + Sync;

/// A server on a free port of the loopback.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `script` gets the request and its number, from 0.
    pub async fn start(script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (script, record): (Arc<Script>, _) = (Arc::new(script), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), record.clone()));
            }
        });
        Server { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, record: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let Some(asked) = read(&mut stream).await else { return };
        let number = {
            let mut all = record.lock().unwrap();
            all.push(asked.clone());
            all.len() - 1
        };
        match script(&asked, number) {
            Answer::Cut => return,
            Answer::Silent => {
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Answer::Say(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(&body).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        // A TLS handshake: nothing here speaks that.
        if part[0] == 0x16 && bytes.is_empty() {
            return None;
        }
        bytes.extend_from_slice(&part[..n]);
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut first = text.lines().next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut asked = Asked { method, target, head: text, body: String::new() };
    let length: usize = asked.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = bytes[head + 4..].to_vec();
    while body.len() < length {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        body.extend_from_slice(&part[..n]);
    }
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}

pub const SECRET: &str = "s3cret-key-of-the-desk";

/// The settings of a desk with a URL and a secret `key`.
pub fn settings(url: &str, text: &str) -> DeskSettings {
    let params = BTreeMap::from([
        ("url".to_owned(), ParamValue::Plain(toml::Value::String(url.to_owned()))),
        ("key".to_owned(), ParamValue::Secret(SecretString::from(SECRET))),
    ]);
    DeskSettings {
        name: "helpdesk".to_owned(),
        definition: "test".to_owned(),
        source: DeskSource { origin: "desks/test.toml".to_owned(), text: text.to_owned() },
        params,
        budget: Budget::default(),
        ca: None,
        timeout: Duration::from_secs(20),
    }
}

/// A desk; a definition that does not pass its check fails the test with its problems.
pub fn desk(url: &str, text: &str) -> HttpDesk {
    let definition =
        Definition::parse("desks/test.toml", text).unwrap_or_else(|p| panic!("{:?}", p.iter().map(|p| &p.message).collect::<Vec<_>>()));
    HttpDesk::new(Arc::new(definition), &settings(url, text)).unwrap()
}

pub fn needle() -> Needle {
    Needle {
        token: Token("rpabc".to_owned()),
        subject: "Parcel rpabc".to_owned(),
        address: "c@customers.test".to_owned(),
        since: "2026-11-25T03:00:00.5Z".parse().unwrap(),
        conversation: None,
        number: None,
    }
}

pub fn ticket() -> Ticket {
    Ticket {
        reference: TicketRef { id: "7".to_owned(), number: "N-7".to_owned() },
        subject: Some("Parcel rpabc".to_owned()),
        queue: None,
        status: None,
        status_text: None,
        requester: Some("c@customers.test".to_owned()),
        priority: None,
        tags: None,
        channel: None,
        created: None,
        hold_cause: None,
        fields: BTreeMap::new(),
    }
}

/// A definition with everything that the tests of the interpreter need; `more` is added at the end.
pub fn definition(more: &str) -> String {
    format!("{BASIC}\n{more}")
}

const BASIC: &str = r#"
[desk]
format = 1
id = "test"
base = "${url}/api"
hosts = ["host(${url})"]
[params]
url = { required = true, kind = "url" }
key = { required = true, secret = true }
[auth.agent]
kind = "bearer"
token = "${key}"
[outcome]
throttled = { status = [429], wait = "33s" }
denied = { when = "captcha" }
message = "error"
[[find]]
  [[find.step]]
  get = "/tickets"
  query = { q = "${token}" }
  rows = "items"
  page = { next_url = "next", max = 2 }
  match = { field = "subject", contains = "${token}", created = "created" }
[read]
  [[read.step]]
  id = "t"
  get = "/tickets/${id}"
[record]
id = "t:id"
subject = "t:subject"
status = { from = "t:status", map = { "1" = "open", "2" = "closed" } }
requester = "t:from"
created = { from = "t:created", time = "epoch_s" }
tags = "t:tags"
[reply]
message_id = "r:id"
  [[reply.step]]
  id = "r"
  post = "/tickets/${id}/reply"
  body.json = { text = "${reply.text}" }
  check = "id"
[close]
  [[close.step]]
  put = "/tickets/${id}"
  body.json = { status = 2 }
  verify = { read = "status", is = "closed" }
[health]
  [[health.step]]
  get = "/health"
"#;
