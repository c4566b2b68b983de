//! The sandbox seen from outside: by raw lines on its sockets, and by its own books.

mod browser;
mod chat;
mod chat_faults;
mod form;
mod imap;
mod journey;
mod smtp;
mod switches;
mod words;

use super::net::Wire;
use super::{Options, Sandbox, Ticket, start};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The upper bound of every wait.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// A fast sandbox with these switches on.
pub(super) async fn sandbox(seed: u64, faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|f| f.to_string()).collect();
    start(Options { seed, faults, speed: 10.0, ..Options::default() }).await.unwrap()
}

/// A line protocol spoken by hand.
pub(super) struct Talk {
    wire: Wire,
}

impl Talk {
    pub(super) async fn to(address: SocketAddr) -> Talk {
        Talk { wire: Wire::new(TcpStream::connect(address).await.unwrap()) }
    }

    pub(super) async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LIMIT, self.wire.line()).await.expect("an answer in time").unwrap();
        String::from_utf8_lossy(&line.unwrap_or_default()).into_owned()
    }

    pub(super) async fn say(&mut self, line: &str) {
        self.wire.send(format!("{line}\r\n")).await.unwrap();
    }

    /// One SMTP answer: its last line.
    pub(super) async fn smtp(&mut self, line: &str) -> String {
        self.say(line).await;
        self.smtp_answer().await
    }

    pub(super) async fn smtp_answer(&mut self) -> String {
        loop {
            let line = self.line().await;
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    /// One IMAP command: all lines to the tagged one.
    pub(super) async fn imap(&mut self, command: &str) -> Vec<String> {
        self.say(&format!("t {command}")).await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let end = line.starts_with("t ") || line.is_empty() && lines.last().is_some_and(|l: &String| l.starts_with("* BYE"));
            lines.push(line);
            if end {
                return lines;
            }
        }
    }
}

/// A mail as a person's program writes it.
pub(super) fn mail(from: &str, to: &str, subject: &str, id: &str, more: &str, text: &str) -> String {
    format!(
        "From: Alice Example <{from}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n\
         Date: Wed, 25 Nov 2026 10:00:00 +0100\r\n{more}MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
    )
}

/// Hands a mail in as the sandbox's first customer; the answer to the data.
pub(super) async fn submit(sandbox: &Sandbox, to: &str, raw: &str) -> String {
    let alice = sandbox.accounts[0].clone();
    let mut talk = Talk::to(sandbox.smtp).await;
    talk.smtp_answer().await;
    talk.smtp("EHLO me.test").await;
    let login = base64(&format!("\0{}\0{}", alice.user, alice.password));
    assert!(talk.smtp(&format!("AUTH PLAIN {login}")).await.starts_with("235"));
    assert!(talk.smtp(&format!("MAIL FROM:<{}> BODY=8BITMIME", alice.address)).await.starts_with("250"));
    assert!(talk.smtp(&format!("RCPT TO:<{to}>")).await.starts_with("250"));
    assert!(talk.smtp("DATA").await.starts_with("354"));
    let answer = talk.smtp(&format!("{}\r\n.", raw.trim_end().replace("\r\n.", "\r\n.."))).await;
    talk.say("QUIT").await;
    answer
}

/// Writes to a queue's published address and waits for the ticket.
pub(super) async fn write_in(sandbox: &Sandbox, queue: usize, id: &str) -> Ticket {
    let to = sandbox.queues[queue].address.clone();
    let text = format!("Guten Tag,\r\n\r\nwo bleibt mein Päckchen? {id}");
    let raw = mail(&sandbox.accounts[0].address, &to, &format!("Parcel {id}"), id, "", &text);
    assert!(submit(sandbox, &to, &raw).await.starts_with("250"));
    ticket_with(sandbox, id).await
}

/// The newest ticket with a word in one of its messages' texts.
pub(super) async fn ticket_with(sandbox: &Sandbox, word: &str) -> Ticket {
    let look = |s: &Sandbox| s.tickets().into_iter().rev().find(|t| t.search.contains(&word.to_lowercase()));
    sandbox.wait(LIMIT, look).await.expect("a ticket")
}

/// The next state of a ticket that fits.
pub(super) async fn ticket_when(sandbox: &Sandbox, id: u64, fits: impl Fn(&Ticket) -> bool) -> Ticket {
    let look = |s: &Sandbox| s.tickets().into_iter().find(|t| t.id == id && fits(t));
    sandbox.wait(LIMIT, look).await.expect("the ticket in that state")
}

/// Waits for a mail in a folder of the first customer.
pub(super) async fn mail_in(sandbox: &Sandbox, folder: &str, fits: impl Fn(&Incoming) -> bool) -> Incoming {
    let look = |s: &Sandbox| read_all(s, folder).into_iter().find(|m| fits(m));
    sandbox.wait(LIMIT, look).await.expect("the mail")
}

pub(super) fn read_all(sandbox: &Sandbox, folder: &str) -> Vec<Incoming> {
    sandbox.mailbox("alice").unwrap()[folder].iter().map(|raw| Incoming { raw: raw.clone() }).collect()
}

/// A mail in a customer's folder.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    pub(super) raw: Vec<u8>,
}

impl Incoming {
    pub(super) fn header(&self, name: &str) -> String {
        super::mime::header(&self.raw, name).unwrap_or_default()
    }

    pub(super) fn parsed(&self) -> mail_parser::Message<'_> {
        mail_parser::MessageParser::default().parse(&self.raw).unwrap()
    }

    pub(super) fn text(&self) -> String {
        self.parsed().body_text(0).unwrap_or_default().into_owned()
    }

    pub(super) fn is_automatic(&self) -> bool {
        !self.header("Auto-Submitted").is_empty()
    }
}

pub(super) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// One HTTP exchange by hand: status and JSON (null where there is none).
pub(super) async fn http(url: &str, key: &str, method: &str, body: &Value) -> (u16, Value) {
    let (status, bytes) = http_bytes(url, key, method, body).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

pub(super) async fn http_bytes(url: &str, key: &str, method: &str, body: &Value) -> (u16, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[split + 4..].to_vec())
}

/// A call of the desk's API.
pub(super) async fn api(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> (u16, Value) {
    http(&format!("{}{path}", sandbox.api), &sandbox.api_key, method, &body).await
}
