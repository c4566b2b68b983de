//! The relaying side of SMTP: one message to one server.

use super::super::net::Wire;
use super::{Envelope, Reply};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// The longest a whole delivery may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Hands a message to a server. One answer a recipient, in order; trouble with the connection is a 4xx answer.
pub(crate) async fn deliver(server: SocketAddr, helo: &str, envelope: &Envelope, raw: &[u8]) -> Vec<Reply> {
    let trouble = |text: String| vec![Reply::new(451, text); envelope.to.len()];
    match tokio::time::timeout(LIMIT, dialogue(server, helo, envelope, raw)).await {
        Ok(Ok(replies)) => replies,
        Ok(Err(error)) => trouble(format!("4.4.2 {error}")),
        Err(_) => trouble("4.4.1 timed out".to_owned()),
    }
}

async fn dialogue(server: SocketAddr, helo: &str, envelope: &Envelope, raw: &[u8]) -> io::Result<Vec<Reply>> {
    let mut wire = Wire::new(TcpStream::connect(server).await?);
    let all = |reply: Reply| vec![reply; envelope.to.len()];
    let greeting = reply(&mut wire).await?;
    if !greeting.is_positive() {
        return Ok(all(greeting));
    }
    ask(&mut wire, &format!("EHLO {helo}")).await?;
    let sender = ask(&mut wire, &format!("MAIL FROM:<{}> SIZE={}", envelope.from, raw.len())).await?;
    if !sender.is_positive() {
        return Ok(all(sender));
    }
    let mut replies = Vec::new();
    for to in &envelope.to {
        replies.push(ask(&mut wire, &format!("RCPT TO:<{to}>")).await?);
    }
    if replies.iter().any(Reply::is_positive) {
        let mut last = ask(&mut wire, "DATA").await?;
        if last.code == 354 {
            wire.put(stuffed(raw));
            last = ask(&mut wire, ".").await?;
        }
        for slot in replies.iter_mut().filter(|r| r.is_positive()) {
            *slot = last.clone();
        }
    }
    // The message is taken or refused by now; a connection lost here changes nothing.
    let _ = wire.send("QUIT\r\n").await;
    Ok(replies)
}

async fn ask(wire: &mut Wire, line: &str) -> io::Result<Reply> {
    wire.send(format!("{line}\r\n")).await?;
    reply(wire).await
}

/// One answer, which may have several lines; their texts are joined.
async fn reply(wire: &mut Wire) -> io::Result<Reply> {
    let mut texts: Vec<String> = Vec::new();
    loop {
        let line = wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let code = line.get(..3).and_then(|c| c.parse::<u16>().ok()).ok_or(io::ErrorKind::InvalidData)?;
        texts.push(line.get(4..).unwrap_or("").to_owned());
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(Reply::new(code, texts.join(" ")));
        }
    }
}

/// The message with doubled dots and a line end at its end.
fn stuffed(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 16);
    for line in raw.split_inclusive(|b| *b == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}
