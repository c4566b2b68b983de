//! WebSockets (RFC 6455) over the desk's own HTTP client, with JSON frames or Action Cable inside.

use super::cable::{self, Said};
use super::ear::{Ear, Out, Why, WhyKind};
use super::recipe::Transport;
use crate::desk::call::{build, shaped};
use crate::desk::http::{Call, Http, Lost};
use crate::desk::path::json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{StatusCode, Upgraded};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, handshake::derive_accept_key};

/// The largest frame that is read, in bytes.
const MAX_FRAME: usize = 1024 * 1024;
/// How long the other side may take to say the first word of a protocol, or to take a frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a socket without a keep-alive of its own is pinged.
const PING: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<Upgraded>;

/// Opens the socket and follows it until it breaks; gives the reason.
pub(crate) async fn follow(ear: &dyn Ear, out: &mut mpsc::Receiver<Out>) -> Why {
    match open(ear).await {
        Err(why) => why,
        Ok((socket, identifier)) => Followed { ear, socket, identifier }.run(out).await,
    }
}

fn unusable(text: impl Into<String>) -> Why {
    Why::new(WhyKind::Unusable, text)
}

/// Opens the socket; with Action Cable also the subscription, whose identifier is given.
async fn open(ear: &dyn Ear) -> Result<(Socket, Option<String>), Why> {
    let Some(push) = ear.recipe() else { return Err(unusable("the desk file does not say how it is opened")) };
    let (desk, scope) = (ear.desk(), ear.scope());
    let call = build(&desk.runner.definition, &desk.runner.settings, &push.open, &scope).map_err(|f| unusable(f.message))?;
    let cable = push.transport == Transport::ActionCable;
    let mut socket = connect(&desk.runner.http, call, cable.then_some(cable::SUBPROTOCOL)).await?;
    if !cable {
        let hello = push.hello.as_ref().filter(|_| scope.var("conversation").is_some());
        if let Some(frame) = hello.map(|h| shaped(h, &scope)).transpose().map_err(unusable)?.flatten() {
            send(&mut socket, Message::text(frame.to_string())).await?;
        }
        return Ok((socket, None));
    }
    let identifier = push.subscribe.as_ref().map(|s| shaped(s, &scope)).transpose().map_err(unusable)?.flatten().unwrap_or_default();
    let identifier = identifier.to_string();
    expect(&mut socket, &identifier, &Said::Welcome, "a welcome").await?;
    send(&mut socket, Message::text(cable::subscribe(&identifier))).await?;
    expect(&mut socket, &identifier, &Said::Confirmed, "an answer to the subscription").await?;
    Ok((socket, Some(identifier)))
}

/// The opening handshake (RFC 6455 section 4.1), as an HTTP request of the desk's client.
async fn connect(http: &Http, mut call: Call, subprotocol: Option<&'static str>) -> Result<Socket, Why> {
    let nonce: [u8; 16] = crate::random::bytes().map_err(|e| unusable(e.to_string()))?;
    let key = STANDARD.encode(nonce);
    call.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    call.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    call.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    call.headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).map_err(|e| unusable(e.to_string()))?);
    if let Some(protocol) = subprotocol {
        call.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    let answer = http.open(&call).await.map_err(lost)?;
    let headers = answer.headers();
    let is = |name, word: &str| text(headers, name).is_some_and(|v| v.eq_ignore_ascii_case(word));
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Why::new(WhyKind::Refused, format!("the upgrade to a WebSocket was answered with {}", answer.status())));
    }
    if !is(UPGRADE, "websocket") || text(headers, SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(Why::new(WhyKind::Refused, "the answer to the upgrade is not that of a WebSocket server"));
    }
    if subprotocol.is_some_and(|p| text(headers, SEC_WEBSOCKET_PROTOCOL) != Some(p)) {
        return Err(Why::new(WhyKind::Refused, "the server does not speak the subprotocol that was asked for"));
    }
    let upgraded = timeout(PATIENCE, answer.upgrade()).await.map_err(|_| silent("the upgrade was not finished"))?;
    let upgraded = upgraded.map_err(|_| Why::new(WhyKind::Broken, "the connection broke during the upgrade"))?;
    // Small buffers: many sockets are open at once, and hardly anything is said on each.
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
}

fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// A lost call as a reason.
pub(super) fn lost(lost: Lost) -> Why {
    match lost {
        Lost::NotSent(text) => Why::new(WhyKind::Unreachable, text),
        Lost::Unknown { text, timed_out: true } => Why::new(WhyKind::Silent, text),
        Lost::Unknown { text, .. } => Why::new(WhyKind::Unreachable, text),
        Lost::Refused(text) => Why::new(WhyKind::Refused, text),
    }
}

fn silent(what: &str) -> Why {
    Why::new(WhyKind::Silent, format!("the server accepted the socket and says nothing: {what} within {} s", PATIENCE.as_secs()))
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), Why> {
    match timeout(PATIENCE, socket.send(message)).await {
        Ok(sent) => sent.map_err(broken),
        Err(_) => Err(Why::new(WhyKind::Broken, format!("the server took nothing for {} s", PATIENCE.as_secs()))),
    }
}

/// The next text; none for what carries no text. `Err`: the socket is at its end.
fn received(message: Option<Result<Message, Error>>) -> Result<Option<String>, Why> {
    match message {
        None => Err(Why::new(WhyKind::Broken, "the server closed the connection")),
        Some(Err(error)) => Err(broken(error)),
        Some(Ok(Message::Close(frame))) => {
            let reason = frame.map(|f| format!(" ({}, {})", f.code, f.reason.chars().take(100).collect::<String>()));
            Err(Why::new(WhyKind::Broken, format!("the server closed the socket{}", reason.unwrap_or_default())))
        }
        Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
        Some(Ok(Message::Binary(bytes))) => match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(unusable("a binary frame that is not UTF-8")),
        },
        Some(Ok(_)) => Ok(None),
    }
}

fn broken(error: Error) -> Why {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            unusable(format!("a frame of {size} bytes, more than the {} KiB that are read", MAX_FRAME / 1024))
        }
        Error::Utf8(_) => unusable("a text frame that is not UTF-8"),
        Error::Protocol(error) => unusable(format!("a frame that is none by RFC 6455: {error}")),
        Error::ConnectionClosed | Error::AlreadyClosed => Why::new(WhyKind::Broken, "the server closed the connection"),
        other => Why::new(WhyKind::Broken, format!("the connection broke: {other}")),
    }
}

/// Waits for one word of Action Cable.
async fn expect(socket: &mut Socket, identifier: &str, said: &Said, what: &str) -> Result<(), Why> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let message = timeout_at(deadline, socket.next()).await.map_err(|_| silent(&format!("no sign of {what}")))?;
        let Some(text) = received(message)? else { continue };
        let frame = serde_json::from_str(&text).map_err(|_| unusable("a frame that is no JSON"))?;
        match cable::read(&frame, identifier) {
            found if found == *said => return Ok(()),
            Said::Rejected => return Err(Why::new(WhyKind::Refused, "the server refused the subscription")),
            Said::Disconnect(reason) => return Err(Why::new(WhyKind::Refused, format!("the server disconnects: {reason}"))),
            _ => {}
        }
    }
}

/// A socket that is followed.
struct Followed<'e> {
    ear: &'e dyn Ear,
    socket: Socket,
    identifier: Option<String>,
}

impl Followed<'_> {
    async fn run(mut self, out: &mut mpsc::Receiver<Out>) -> Why {
        let Some(push) = self.ear.recipe() else { return unusable("the desk file does not say how it is read") };
        // Asked often enough that a living server is never taken for dead.
        let every = push.keepalive.as_ref().map_or(PING, |(_, every)| *every).min(push.silence / 2);
        self.ear.opened().await;
        let (mut life, mut beat, mut kind) = (Instant::now(), Instant::now() + every, WhyKind::Silent);
        loop {
            let happened = tokio::select! {
                message = self.socket.next() => {
                    (life, kind) = (Instant::now(), WhyKind::Broken);
                    self.take(received(message)).await
                }
                Some(order) = out.recv() => self.order(order).await,
                () = tokio::time::sleep_until(beat) => {
                    beat = Instant::now() + every;
                    self.beat().await
                }
                () = tokio::time::sleep_until(life + push.silence) => {
                    Err(Why::new(kind, format!("no sign of life for {} s: the connection is half open", push.silence.as_secs())))
                }
            };
            if let Err(why) = happened {
                // RFC 6455 section 7.1.7; whether the server hears it does not matter.
                let _ = timeout(Duration::from_secs(1), self.socket.close(None)).await;
                return why;
            }
        }
    }

    /// Keeps the connection from being closed, and asks for a sign of life.
    async fn beat(&mut self) -> Result<(), Why> {
        let keepalive = self.ear.recipe().and_then(|p| p.keepalive.as_ref());
        if let Some((shape, _)) = keepalive {
            let frame = shaped(shape, &self.ear.scope()).map_err(unusable)?.unwrap_or_default();
            let text = self.packed(&frame);
            send(&mut self.socket, Message::text(text)).await?;
        }
        send(&mut self.socket, Message::Ping(Vec::new().into())).await
    }

    fn packed(&self, frame: &serde_json::Value) -> String {
        self.identifier.as_ref().map_or_else(|| frame.to_string(), |identifier| cable::perform(identifier, frame))
    }

    async fn order(&mut self, order: Out) -> Result<(), Why> {
        if !Out::claim(&order.taken) {
            return Ok(());
        }
        let text = self.packed(&order.frame);
        let sent = send(&mut self.socket, Message::text(text)).await;
        let _ = order.done.send(sent.as_ref().map_err(|why| why.text.clone()).copied());
        sent
    }

    async fn take(&mut self, received: Result<Option<String>, Why>) -> Result<(), Why> {
        let Some(text) = received? else { return Ok(()) };
        if let Some(identifier) = &self.identifier {
            let frame = serde_json::from_str(&text).map_err(|_| unusable("a frame that is no JSON"))?;
            return match cable::read(&frame, identifier) {
                Said::Message(message) => {
                    self.ear.heard(json(&message.to_string()).map_err(unusable)?, true).await;
                    Ok(())
                }
                Said::Disconnect(reason) => Err(Why::new(WhyKind::Broken, format!("the server disconnects: {reason}"))),
                Said::Rejected => Err(Why::new(WhyKind::Refused, "the server ended the subscription")),
                _ => Ok(()),
            };
        }
        let frame = json(&text).map_err(|_| unusable("a frame that is no JSON"))?;
        match frame.as_array() {
            Some(frames) => {
                for frame in frames {
                    self.ear.heard(frame.clone(), true).await;
                }
            }
            None => self.ear.heard(frame, true).await,
        }
        Ok(())
    }
}
