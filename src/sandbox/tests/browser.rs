//! A browser's half of HTTP by hand: headers, cookies, multipart, and streams that stay open.

use super::super::net::Wire;
use super::LIMIT;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::future::Future;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|l| l.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// `name=value` of the cookie that was set.
    pub(super) fn cookie(&self) -> String {
        self.header("set-cookie").and_then(|c| c.split(';').next()).unwrap_or_default().to_owned()
    }
}

/// One exchange on a connection of its own.
pub(super) async fn call(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = open(method, url, headers, body).await;
    let mut answer = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[split + 4..].to_vec() }
}

/// Sends a request and leaves the answer to be read.
pub(super) async fn open(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).await.unwrap();
    let mut request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

/// A JSON call.
pub(super) async fn json(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    call(method, url, &all, body.to_string().as_bytes()).await
}

/// The text between two marks.
pub(super) fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} in {text}"));
    rest.split_once(to).unwrap().0
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) data: Value,
}

/// An open event stream.
pub(super) struct Events {
    wire: Wire,
}

impl Events {
    /// Opens it and waits until the server has begun to answer.
    pub(super) async fn open(url: &str, headers: &[(&str, &str)]) -> Events {
        let mut wire = Wire::new(open("GET", url, headers, b"").await);
        let status = wire.line().await.unwrap().unwrap();
        assert!(status.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&status));
        while !wire.line().await.unwrap().unwrap().is_empty() {}
        Events { wire }
    }

    async fn line(&mut self) -> Option<String> {
        let line = tokio::time::timeout(LIMIT, self.wire.line()).await.expect("an event in time");
        line.ok().flatten().map(|l| String::from_utf8_lossy(&l).into_owned())
    }

    /// The next event that is not a comment.
    pub(super) async fn next(&mut self) -> Event {
        let mut event = Event { name: String::new(), id: String::new(), data: Value::Null };
        loop {
            let line = self.line().await.expect("an open stream");
            match line.split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && event.data != Value::Null => return event,
                _ => {}
            }
        }
    }

    /// True when the server ends the stream.
    pub(super) async fn ended(&mut self) -> bool {
        // The last chunk of a chunked body is empty.
        while let Some(line) = self.line().await {
            if line == "0" {
                return true;
            }
        }
        true
    }

    /// True when nothing has come so far.
    pub(super) async fn is_quiet(&mut self) -> bool {
        quiet(self.wire.line()).await
    }
}

/// True when nothing is ready after the tasks of this thread have had many turns.
async fn quiet<T>(reading: impl Future<Output = T>) -> bool {
    let mut reading = std::pin::pin!(reading);
    for _ in 0..200 {
        tokio::select! {
            biased;
            _ = &mut reading => return false,
            () = tokio::task::yield_now() => {}
        }
    }
    true
}

/// A WebSocket by another library's client.
pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub(super) protocol: Option<String>,
}

impl Socket {
    pub(super) async fn open(url: &str) -> Socket {
        let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(host).await.unwrap();
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "actioncable-v1-json".parse().unwrap());
        if !url.contains("/cable") {
            request.headers_mut().remove("Sec-WebSocket-Protocol");
        }
        let (stream, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let protocol = response.headers().get("Sec-WebSocket-Protocol").map(|v| v.to_str().unwrap().to_owned());
        Socket { stream, protocol }
    }

    pub(super) async fn say(&mut self, value: &Value) {
        self.stream.send(Message::text(value.to_string())).await.unwrap();
    }

    async fn message(&mut self) -> Option<Message> {
        tokio::time::timeout(LIMIT, self.stream.next()).await.expect("a frame in time").and_then(Result::ok)
    }

    pub(super) async fn hear(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("no frame of text: {other:?}"),
        }
    }

    /// The next frame that is not of this type.
    pub(super) async fn hear_but(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.hear().await;
            if frame["type"] != kind {
                return frame;
            }
        }
    }

    /// True when the server closes it; whatever it says before is left out.
    pub(super) async fn closed(&mut self) -> bool {
        loop {
            match self.message().await {
                Some(Message::Close(_)) | None => return true,
                Some(_) => {}
            }
        }
    }

    /// True when nothing has come so far.
    pub(super) async fn is_quiet(&mut self) -> bool {
        quiet(self.stream.next()).await
    }
}
