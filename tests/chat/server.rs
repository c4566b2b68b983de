//! A small server that speaks HTTP, streams and WebSockets byte by byte, so that it can be as rude as it likes.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request: its first line and headers.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub head: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()))
    }

    pub fn is(&self, start: &str) -> bool {
        self.line.starts_with(start)
    }
}

/// What the server does with a request.
pub enum Does {
    /// Answers with this JSON.
    Json(u16, String),
    /// Writes these bytes as they are and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes and leaves the connection open.
    Holds(Vec<u8>),
    /// Opens a WebSocket, writes these bytes and leaves it open.
    Socket(Vec<u8>),
    /// The same, then this piece again and again, as fast as it is taken.
    Floods(Vec<u8>, Vec<u8>),
    /// Nothing.
    Silence,
}

/// A JSON answer.
pub fn json(text: &str) -> Does {
    Does::Json(200, text.to_owned())
}

type Script = dyn Fn(&Asked, usize) -> Does + Send + Sync;

/// A server on a free port.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `script` gets each request with its number among those of the same first line.
    pub async fn start(script: impl Fn(&Asked, usize) -> Does + Send + Sync + 'static) -> Server {
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

    /// The requests so far whose first line starts so.
    pub fn asked(&self, start: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.is(start)).cloned().collect()
    }
}

async fn request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut part = [0; 2048];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&part[..n]);
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let asked = Asked { line: head.lines().next()?.to_owned(), head };
    let length: usize = asked.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut left = length.saturating_sub(bytes.len() - end - 4);
    while left > 0 {
        let mut part = [0; 2048];
        left = left.saturating_sub(stream.read(&mut part).await.ok().filter(|n| *n > 0)?);
    }
    Some(asked)
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, record: Arc<Mutex<Vec<Asked>>>) {
    loop {
        let Some(asked) = request(&mut stream).await else { return };
        let number = {
            let mut all = record.lock().unwrap();
            all.push(asked.clone());
            all.iter().filter(|a| a.line == asked.line).count() - 1
        };
        let upgrade = || {
            let accept = derive_accept_key(asked.header("sec-websocket-key").unwrap_or_default().as_bytes());
            let chosen = asked.header("sec-websocket-protocol").map(|p| format!("sec-websocket-protocol: {p}\r\n")).unwrap_or_default();
            let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
            format!("{head}sec-websocket-accept: {accept}\r\n{chosen}\r\n").into_bytes()
        };
        let (bytes, more) = match script(&asked, number) {
            Does::Json(status, text) => {
                let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                if stream.write_all(head.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Does::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Does::Holds(bytes) => (bytes, None),
            Does::Socket(bytes) => ([upgrade(), bytes].concat(), None),
            Does::Floods(bytes, more) => ([if bytes.is_empty() { Vec::new() } else { upgrade() }, bytes].concat(), Some(more)),
            Does::Silence => (Vec::new(), None),
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        while let Some(more) = &more {
            if stream.write_all(more).await.is_err() {
                return;
            }
        }
        // Whatever comes is read, and nothing is said to it.
        while stream.read(&mut [0; 2048]).await.is_ok_and(|n| n > 0) {}
        return;
    }
}

/// A text frame of a server: short, or with a 16-bit length (RFC 6455 section 5.2).
pub fn text(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81];
    match u8::try_from(payload.len()).ok().filter(|n| *n < 126) {
        Some(n) => out.push(n),
        None => {
            out.push(126);
            out.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    [out, payload.to_vec()].concat()
}

/// A gzip answer of a few kilobytes that unpacks to 64 MiB of zeros: one literal, then matches of 258 bytes at distance 1
/// in the fixed Huffman code (RFC 1951 section 3.2.6).
pub fn bomb() -> Vec<u8> {
    let (mut bytes, mut bit, mut count) = (Vec::new(), 0u8, 0u32);
    let mut put = |value: u32, length: u32, reversed: bool| {
        for i in 0..length {
            let one = if reversed { value >> (length - 1 - i) } else { value >> i } & 1;
            bit |= u8::try_from(one << count).unwrap();
            count += 1;
            if count == 8 {
                bytes.push(std::mem::take(&mut bit));
                count = 0;
            }
        }
    };
    put(0b011, 3, false);
    put(0b0011_0000, 8, true);
    for _ in 0..64 * 1024 * 1024 / 258 {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 16, false);
    [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff".to_vec(), bytes].concat()
}
