//! Plain HTTP requests to the parts of the stack; shares nothing with the product.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its header lines.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|l| l.split_once(':'));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).next()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks a loopback port; none when the connection fails or breaks off.
pub fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(90))).ok()?;
    let lines: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
    // HTTP/1.0, so that the answer comes in one piece and ends with the connection.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).ok()?;
    let split = whole.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&whole[..split]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer { status, head, body: whole[split + 4..].to_vec() };
    let length = answer.header("content-length").and_then(|l| l.parse::<usize>().ok());
    length.is_none_or(|l| l == answer.body.len()).then_some(answer)
}

/// Asks for JSON with the value of an `Authorization` header; panics on any error.
pub fn json(port: u16, method: &str, path: &str, authorization: Option<&str>, body: Option<&Value>) -> Value {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(authorization.map(|a| ("Authorization", a)));
    let body = body.map(Value::to_string).unwrap_or_default();
    let answer = ask(port, method, path, &headers, body.as_bytes()).unwrap_or_else(|| panic!("{method} {path}: no answer"));
    assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
    if answer.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{method} {path}: no JSON: {}\n{}", answer.head, answer.text()))
    }
}

/// Text as part of a query.
pub fn escape(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
