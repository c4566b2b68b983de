//! The server side of SMTP: one dialogue, and the doors that say what each may do.

use super::super::net::Wire;
use super::super::world::World;
use super::{Envelope, Reply};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, Request};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The largest message, as SIZE announces it (RFC 1870).
const SIZE_LIMIT: usize = 26_214_400;

/// Which server a connection reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The customer's provider: hand-in of mail after a login.
    Submission,
    /// The customer's provider: mail from outside.
    ProviderMx,
    /// The desk's mail server.
    DeskMx,
}

/// Takes connections until the task is ended.
pub(crate) async fn serve(world: Arc<World>, door: Door, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let session =
            Session { world: world.clone(), door, wire: Wire::new(stream), user: None, from: None, to: Vec::new(), encrypted: false };
        world.spawn(async move {
            // A connection that breaks is the client's business; the next one starts anew.
            let _ = session.run().await;
        });
    }
}

struct Session {
    world: Arc<World>,
    door: Door,
    wire: Wire,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
    encrypted: bool,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        let greeting = self.world.greeting(self.door);
        self.wire.send(format!("{greeting}\r\n")).await?;
        if !greeting.is_positive() {
            return Ok(());
        }
        while let Some(mut line) = self.wire.line().await? {
            line.extend_from_slice(b"\r\n");
            let parsed = Request::parse(&mut line.iter()).map(Request::into_owned);
            match parsed {
                Ok(Request::Quit) => return self.wire.send("221 2.0.0 Bye\r\n").await,
                Ok(request) => self.answer(request).await?,
                Err(smtp_proto::Error::UnknownCommand) => self.put("502 5.5.2 Command not recognized"),
                Err(smtp_proto::Error::InvalidRecipientAddress) => self.put("501 5.1.3 Bad recipient address syntax"),
                Err(smtp_proto::Error::InvalidSenderAddress) => self.put("501 5.1.7 Bad sender address syntax"),
                Err(_) => self.put("501 5.5.4 Syntax error"),
            }
            // Pipelined commands are answered together (RFC 2920).
            if !self.wire.has_input() {
                self.wire.flush().await?;
            }
        }
        Ok(())
    }

    fn put(&mut self, line: impl AsRef<str>) {
        self.wire.put(line.as_ref());
        self.wire.put("\r\n");
    }

    async fn answer(&mut self, request: Request<String>) -> io::Result<()> {
        match request {
            Request::Ehlo { .. } => self.ehlo(),
            Request::Helo { .. } => {
                self.reset();
                let host = self.world.host(self.door);
                self.put(format!("250 {host}"));
            }
            Request::Auth { mechanism, initial_response } => self.auth(mechanism, initial_response).await?,
            Request::Mail { from } => self.mail(from.address, from.size),
            Request::Rcpt { to } => self.rcpt(to.address),
            Request::Data => self.data().await?,
            Request::Rset => {
                self.reset();
                self.put("250 2.0.0 Ok");
            }
            Request::Noop { .. } => self.put("250 2.0.0 Ok"),
            Request::Vrfy { .. } => self.put("252 2.0.0 Cannot verify, will try delivery"),
            Request::Help { .. } => self.put("214 2.0.0 See RFC 5321"),
            Request::StartTls => self.start_tls().await?,
            _ => self.put("502 5.5.1 Command not implemented"),
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn ehlo(&mut self) {
        self.reset();
        let host = self.world.host(self.door);
        let auth = if self.door == Door::Submission { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
        let tls = if self.door == Door::DeskMx && !self.encrypted { "250-STARTTLS\r\n" } else { "" };
        self.wire.put(format!(
            "250-{host}\r\n250-PIPELINING\r\n250-SIZE {SIZE_LIMIT}\r\n{auth}{tls}250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        ));
    }

    /// STARTTLS (RFC 3207).
    async fn start_tls(&mut self) -> io::Result<()> {
        if self.door != Door::DeskMx || self.encrypted {
            self.put("454 4.7.0 TLS not available");
            return Ok(());
        }
        self.wire.send("220 2.0.0 Ready to start TLS\r\n").await?;
        self.wire.start_tls(self.world.certificate()).await?;
        self.encrypted = true;
        self.reset();
        Ok(())
    }

    async fn auth(&mut self, mechanism: u64, initial: String) -> io::Result<()> {
        if self.door != Door::Submission || self.user.is_some() {
            self.put("503 5.5.1 Authentication not possible here");
            return Ok(());
        }
        let login = match mechanism {
            AUTH_PLAIN => self.plain(initial).await?,
            AUTH_LOGIN => self.login(initial).await?,
            _ => {
                self.put("504 5.5.4 Mechanism not supported");
                return Ok(());
            }
        };
        match login {
            Some((user, password)) if self.world.submission_login(&user, &password) => {
                self.user = Some(user);
                self.put("235 2.7.0 Authentication successful");
            }
            Some(_) => self.put("535 5.7.8 Authentication credentials invalid"),
            None => self.put("501 5.5.2 Cannot decode the response"),
        }
        Ok(())
    }

    /// SASL PLAIN (RFC 4616): authzid NUL authcid NUL password.
    async fn plain(&mut self, initial: String) -> io::Result<Option<(String, String)>> {
        let coded = if initial.is_empty() { self.ask("").await? } else { initial };
        let Ok(decoded) = STANDARD.decode(coded.trim()) else { return Ok(None) };
        let parts: Vec<Cow<'_, str>> = decoded.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
        Ok(match parts.as_slice() {
            [_, user, password] => Some((user.to_string(), password.to_string())),
            _ => None,
        })
    }

    async fn login(&mut self, initial: String) -> io::Result<Option<(String, String)>> {
        let user = if initial.is_empty() { self.ask("VXNlcm5hbWU6").await? } else { initial };
        let password = self.ask("UGFzc3dvcmQ6").await?;
        let decode = |text: &str| STANDARD.decode(text.trim()).ok().and_then(|b| String::from_utf8(b).ok());
        Ok(decode(&user).zip(decode(&password)))
    }

    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.wire.send(format!("334 {challenge}\r\n")).await?;
        let line = self.wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn mail(&mut self, from: String, size: usize) {
        if self.door == Door::Submission && self.user.is_none() {
            return self.put("530 5.7.0 Authentication required");
        }
        if self.from.is_some() {
            return self.put("503 5.5.1 Nested MAIL command");
        }
        if size > SIZE_LIMIT {
            return self.put("552 5.3.4 Message size exceeds fixed limit");
        }
        let reply = self.world.takes_sender(self.door, self.user.as_deref(), &from);
        if reply.is_positive() {
            self.from = Some(from);
        }
        self.put(reply.to_string());
    }

    fn rcpt(&mut self, to: String) {
        let Some(from) = self.from.clone() else { return self.put("503 5.5.1 Need MAIL before RCPT") };
        let reply = self.world.takes_recipient(self.door, &from, &to);
        if reply.is_positive() {
            self.to.push(to);
        }
        self.put(reply.to_string());
    }

    async fn data(&mut self) -> io::Result<()> {
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            self.put("503 5.5.1 Need RCPT before DATA");
            return Ok(());
        };
        self.wire.send("354 End data with <CR><LF>.<CR><LF>\r\n").await?;
        let raw = self.message().await?;
        let envelope = Envelope { from, to: std::mem::take(&mut self.to) };
        self.reset();
        let reply = match raw {
            Some(raw) => self.world.takes_message(self.door, self.user.as_deref(), envelope, raw).await,
            None => Reply::new(552, "5.3.4 Message size exceeds fixed limit"),
        };
        self.put(reply.to_string());
        Ok(())
    }

    /// The message without dot-stuffing (RFC 5321 section 4.5.2); none when it is too large.
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut raw = Vec::new();
        loop {
            let line = self.wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line == b"." {
                break;
            }
            if raw.len() <= SIZE_LIMIT {
                raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                raw.extend_from_slice(b"\r\n");
            }
        }
        Ok((raw.len() <= SIZE_LIMIT).then_some(raw))
    }
}
