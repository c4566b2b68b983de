//! A small web server that says what a test wants, and remembers what it was asked.

use jiff::Timestamp;
use replypath::clock::SystemClock;
use replypath::engine::ways::{Customer, FormOrder, Forms, Stop, Thanks};
use replypath::form::{Limits, PageForms};
use replypath::model::{FieldBy, Fill, FormBy, FormChannel, FormField, OutgoingAttachment, RunId, Token};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The token in the order's texts.
pub const TOKEN: &str = "rpabcdefghij234567";
/// A text of two lines with what encodings get wrong.
pub const TEXT: &str = "Grüße & \"more\" <b>\nsecond line rpabcdefghij234567";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Got {
    pub method: String,
    /// Path with query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The fields of an urlencoded body, in order.
    pub fn fields(&self) -> Vec<(String, String)> {
        pairs(std::str::from_utf8(&self.body).expect("an urlencoded body"))
    }

    pub fn field(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The parts of a multipart body: the header lines and the bytes.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let kind = self.header("content-type").expect("a type");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").expect("multipart");
        let text: String = self.body.iter().map(|b| char::from(*b)).collect();
        let inner = text.strip_suffix(&format!("--{boundary}--\r\n")).expect("the last boundary");
        let between = format!("--{boundary}\r\n");
        let parts = inner.split(&between).skip(1);
        parts
            .map(|part| {
                let (head, body) = part.split_once("\r\n\r\n").expect("head and body");
                let bytes = body.strip_suffix("\r\n").expect("a line end").chars().map(|c| u8::try_from(c).unwrap()).collect();
                (String::from_utf8(head.chars().map(|c| u8::try_from(c).unwrap()).collect()).unwrap(), bytes)
            })
            .collect()
    }

    /// The bytes of the part of that name.
    pub fn part(&self, name: &str) -> Option<Vec<u8>> {
        self.parts().into_iter().find(|(head, _)| head.contains(&format!("name=\"{name}\""))).map(|(_, body)| body)
    }
}

pub fn pairs(text: &str) -> Vec<(String, String)> {
    reqwest::Url::parse(&format!("http://x/?{text}")).unwrap().query_pairs().into_owned().collect()
}

/// A server; what it answers is made by the closure from the request.
pub struct Server {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    /// Serves whole answers.
    pub async fn new(answer: impl Fn(&Got) -> Vec<u8> + Send + Sync + 'static) -> Server {
        let answer = Arc::new(answer);
        Server::raw(move |mut stream, got| {
            let bytes = answer(&got);
            tokio::spawn(async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            });
        })
        .await
    }

    /// Hands over the connection with the request that came on it.
    pub async fn raw(serve: impl Fn(TcpStream, Got) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (seen, serve) = (Arc::clone(&got), Arc::new(serve));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, serve) = (Arc::clone(&seen), Arc::clone(&serve));
                tokio::spawn(async move {
                    if let Some(request) = receive(&mut stream).await {
                        seen.lock().unwrap().push(request.clone());
                        serve(stream, request);
                    }
                });
            }
        });
        Server { port, got }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The submissions.
    pub fn posts(&self) -> Vec<Got> {
        self.got().into_iter().filter(|g| g.method == "POST").collect()
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).collect();
    let got = Got { method, path, headers, body: Vec::new() };
    let length: usize = got.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Got { body: bytes[head + 4..].to_vec(), ..got })
}

/// An answer with headers (each with its line end) and a body.
pub fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut out = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

pub fn html(body: impl AsRef<str>) -> Vec<u8> {
    answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", body.as_ref())
}

pub fn see_other(to: &str) -> Vec<u8> {
    answer("303 See Other", &format!("Location: {to}\r\n"), "")
}

/// An order for the page, with nothing named.
pub fn order(page: impl Into<String>) -> FormOrder {
    FormOrder {
        run: RunId::new(Timestamp::UNIX_EPOCH, 1),
        probe: "contact".to_owned(),
        desk: None,
        customer: Customer { address: "ada@customers.example".to_owned(), name: "Ada Byron".to_owned() },
        form: FormChannel {
            page: Some(page.into()),
            by: FormBy::Page,
            subject: format!("A question {TOKEN}"),
            text: TEXT.to_owned(),
            fields: Vec::new(),
            attachments: Vec::new(),
            attachments_in: None,
            form: None,
            submit: None,
            thanks: None,
            number: None,
            dwell: Duration::ZERO,
        },
        token: Token(TOKEN.to_owned()),
    }
}

pub fn label(label: &str, fill: Fill) -> FormField {
    FormField { by: FieldBy::Label(label.to_owned()), fill }
}

pub fn write(text: &str) -> Fill {
    Fill::Write(text.to_owned())
}

pub fn choose(text: &str) -> Fill {
    Fill::Choose(text.to_owned())
}

pub fn file(name: &str, content_type: &str, bytes: &[u8]) -> OutgoingAttachment {
    OutgoingAttachment { name: name.to_owned(), content_type: content_type.to_owned(), bytes: bytes.to_vec() }
}

pub fn forms() -> PageForms {
    PageForms::new(Arc::new(SystemClock))
}

/// Limits that a stalling server meets within a test's patience, and a healthy one never on a busy machine.
pub fn patient() -> Limits {
    Limits { load: Duration::from_secs(10), submit: Duration::from_secs(10), ..Limits::default() }
}

/// Fills in and submits.
pub async fn send(order: &FormOrder) -> Result<Thanks, Stop> {
    send_by(&forms(), order).await
}

pub async fn send_by(forms: &PageForms, order: &FormOrder) -> Result<Thanks, Stop> {
    forms.fill_in(order).await?.submit().await
}

/// Why the form could not be filled in.
pub async fn stopped(order: &FormOrder) -> Stop {
    stopped_by(&forms(), order).await
}

pub async fn stopped_by(forms: &PageForms, order: &FormOrder) -> Stop {
    match forms.fill_in(order).await {
        Ok(_) => panic!("the form was filled in"),
        Err(stop) => stop,
    }
}

/// A plain contact form that is posted to `/send`, with `more` inside.
pub fn contact(more: &str) -> String {
    contact_to("/send", more)
}

pub fn contact_to(action: &str, more: &str) -> String {
    format!(
        "<title>Contact</title><h1>Write to us</h1><form method=post action='{action}'>\
         <label>E-mail <input type=email name=email required></label><label>Message <textarea name=message required></textarea></label>\
         {more}<button>Send</button></form>"
    )
}

/// A server with that page at every GET, which answers submissions with `reply`.
pub async fn site(page: impl Into<String>, reply: Vec<u8>) -> Server {
    let page = page.into();
    Server::new(move |got| if got.method == "POST" { reply.clone() } else { html(&page) }).await
}
