//! One SMTP connection to a submission server, step by step, over lettre's connection type.
//!
//! lettre's own `send` does not say at which step it failed; whether a message may have been taken
//! depends on exactly that, so each command is given here.

use super::dsn::enhanced_code;
use super::wire::{self, OpenError, Wire};
use crate::model::{AuthMethod, ServerSettings};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far the handing in of one message has come. Readable from outside, for when time runs out.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    /// True once the end of the data may have left: from then on nobody can say that nothing was sent.
    pub(super) fn may_be_sent(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    fn end_of_data(&self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

/// The steps of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Tls,
    Greeting,
    SignIn,
    Sender,
    Recipient(String),
    Data,
    Content,
    /// After the end of the data.
    End,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Connect => f.write_str("connecting"),
            Step::Tls => f.write_str("agreeing on TLS"),
            Step::Greeting => f.write_str("greeting"),
            Step::SignIn => f.write_str("signing in"),
            Step::Sender => f.write_str("naming the sender"),
            Step::Recipient(to) => write!(f, "naming the recipient {to}"),
            Step::Data => f.write_str("announcing the data"),
            Step::Content => f.write_str("sending the data"),
            Step::End => f.write_str("waiting for the answer to the data"),
        }
    }
}

/// A server's answer, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) status: Option<String>,
    pub(super) text: String,
}

/// How a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server said no: 4xx or 5xx.
    Answered(Step, Answer),
    /// No answer, or none that could be understood; the connection is of no more use.
    Broken(Step, String),
    /// The server cannot do what the account wants; said before anything was tried.
    NotOffered(Step, String),
}

/// An open, signed-in connection.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    certificate: Option<Vec<u8>>,
    hello: String,
    scrub: Scrub,
}

/// A command as a line.
struct Line(String);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.0)
    }
}

impl Session {
    /// Connects, secures, greets, signs in. The caller sets the time limit.
    pub(super) async fn open(server: &ServerSettings, tls: Option<&Arc<ClientConfig>>) -> Result<Session, Failure> {
        let scrub = Scrub::of(server);
        let wire = Wire::open(server, tls).await.map_err(|e| match e {
            OpenError::Io(e) => Failure::Broken(Step::Connect, scrub.text(&e)),
            OpenError::Tls(e) => Failure::Broken(Step::Tls, scrub.text(&e)),
            OpenError::NotOffered => {
                let place = format!("{}:{}", server.host, server.port);
                Failure::Broken(Step::Tls, format!("{place} offers no STARTTLS; set `tls` to the way it does"))
            }
            OpenError::Answered(code, text) => Failure::Answered(Step::Greeting, scrub.answer(code, &text)),
        })?;
        let certificate = wire.certificate();
        let ip = wire.local().map(|a| a.ip());
        // Mail programs greet with their address; a host name would tell strangers the monitor's.
        let client = match ip {
            Some(std::net::IpAddr::V6(ip)) => ClientId::Ipv6(ip),
            Some(std::net::IpAddr::V4(ip)) => ClientId::Ipv4(ip),
            None => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
        };
        let hello = ip.map_or_else(|| "[127.0.0.1]".to_owned(), wire::literal);
        let connection =
            AsyncSmtpConnection::connect_with_transport(Box::new(wire), &client).await.map_err(|e| scrub.failure(Step::Greeting, &e))?;
        let mut session = Session { connection, certificate, hello, scrub };
        if !server.user.is_empty() {
            session.sign_in(server).await?;
        }
        Ok(session)
    }

    /// Hands in one message. After `Ok` the session may be used again.
    pub(super) async fn send(&mut self, from: &Address, to: &[Address], content: &[u8], progress: &Progress) -> Result<Answer, Failure> {
        let mut options = Vec::new();
        if std::iter::once(from).chain(to).any(|a| !a.to_string().is_ascii()) {
            if !self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::NotOffered(Step::Sender, "the server takes no addresses with such letters (no SMTPUTF8)".to_owned()));
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        if !content.is_ascii() && self.connection.server_info().supports_feature(Extension::EightBitMime) {
            options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.command(Step::Sender, Mail::new(Some(from.clone()), options)).await?;
        for address in to {
            self.command(Step::Recipient(address.to_string()), Rcpt::new(address.clone(), Vec::new())).await?;
        }
        let go_on = self.command(Step::Data, Data).await?;
        if go_on.code != 354 {
            return Err(Failure::Broken(Step::Data, format!("the server answered {} {} instead of 354", go_on.code, go_on.text)));
        }
        // lettre ends the content with CRLF itself.
        let mut part = Some(content.strip_suffix(b"\r\n").unwrap_or(content));
        let parts = std::iter::from_fn(|| {
            let next = part.take();
            if next.is_none() {
                // lettre asks for the next part when this one has left; only then it writes the end of the data.
                progress.end_of_data();
            }
            next
        });
        let answer = self.connection.message_iter(parts).await;
        let step = if progress.may_be_sent() { Step::End } else { Step::Content };
        let answer = self.scrub.response(&answer.map_err(|e| self.scrub.failure(step.clone(), &e))?);
        if (200..300).contains(&answer.code) {
            Ok(answer)
        } else {
            Err(Failure::Broken(step, format!("the server answered {} {} to the data", answer.code, answer.text)))
        }
    }

    /// True when the server still answers and has forgotten any unfinished message.
    pub(super) async fn reset(&mut self) -> bool {
        self.connection.command(Rset).await.is_ok()
    }

    /// Says goodbye; whatever comes back does not matter.
    pub(super) async fn quit(mut self) {
        let _ = self.connection.quit().await;
    }

    /// What the server offers now, a keyword with its values a line.
    pub(super) async fn offers(&mut self) -> Result<Vec<String>, Failure> {
        let hello = Line(format!("EHLO {}", self.hello));
        let response = self.connection.command(hello).await.map_err(|e| self.scrub.failure(Step::Greeting, &e))?;
        Ok(response.message().skip(1).map(|l| self.scrub.text(l)).collect())
    }

    /// The server's certificate (DER), under TLS.
    pub(super) fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// AUTH (RFC 4954). lettre's own leaves XOAUTH2's error challenge unanswered and hides the answer.
    async fn sign_in(&mut self, server: &ServerSettings) -> Result<(), Failure> {
        // Both hand over the password: what the server offers decides.
        let offers = |mechanism| self.connection.server_info().supports_auth_mechanism(mechanism);
        let auth = match server.auth {
            AuthMethod::Plain if !offers(Mechanism::Plain) && offers(Mechanism::Login) => AuthMethod::Login,
            AuthMethod::Login if !offers(Mechanism::Login) && offers(Mechanism::Plain) => AuthMethod::Plain,
            auth => auth,
        };
        let (mechanism, name) = match auth {
            AuthMethod::Plain => (Mechanism::Plain, "PLAIN"),
            AuthMethod::Login => (Mechanism::Login, "LOGIN"),
            AuthMethod::Xoauth2 => (Mechanism::Xoauth2, "XOAUTH2"),
        };
        if !offers(mechanism) {
            let message = format!("the server does not offer AUTH {name} on this connection; set `auth` to what it offers, or check `tls`");
            return Err(Failure::NotOffered(Step::SignIn, message));
        }
        let secret = server.password.expose_secret();
        let encode = |text: String| BASE64_STANDARD.encode(text);
        let answer = match auth {
            AuthMethod::Plain => {
                let response = encode(format!("\0{}\0{secret}", server.user));
                self.command(Step::SignIn, Line(format!("AUTH PLAIN {response}"))).await?
            }
            AuthMethod::Login => {
                let mut answer = self.command(Step::SignIn, Line("AUTH LOGIN".to_owned())).await?;
                for value in [&server.user, secret] {
                    if answer.code == 334 {
                        answer = self.command(Step::SignIn, Line(encode(value.to_owned()))).await?;
                    }
                }
                answer
            }
            AuthMethod::Xoauth2 => {
                let response = encode(format!("user={}\u{1}auth=Bearer {secret}\u{1}\u{1}", server.user));
                let answer = self.command(Step::SignIn, Line(format!("AUTH XOAUTH2 {response}"))).await?;
                // A refusal comes as a challenge that wants an empty line before the 5xx.
                if answer.code == 334 { self.command(Step::SignIn, Line(String::new())).await? } else { answer }
            }
        };
        if answer.code == 235 {
            return Ok(());
        }
        Err(Failure::Broken(Step::SignIn, format!("the server answered {} {} instead of 235", answer.code, answer.text)))
    }

    /// Gives a command and takes a positive answer.
    async fn command(&mut self, step: Step, command: impl fmt::Display) -> Result<Answer, Failure> {
        match self.connection.command(command).await {
            Ok(response) => Ok(self.scrub.response(&response)),
            Err(e) => Err(self.scrub.failure(step, &e)),
        }
    }
}

/// Takes the account's secrets out of whatever a server says: some repeat the command that they refuse.
struct Scrub(Vec<String>);

impl Scrub {
    fn of(server: &ServerSettings) -> Scrub {
        let secret = server.password.expose_secret();
        if secret.is_empty() {
            return Scrub(Vec::new());
        }
        let encode = |text: String| BASE64_STANDARD.encode(text);
        let mut forms = vec![
            encode(format!("\0{}\0{secret}", server.user)),
            encode(format!("user={}\u{1}auth=Bearer {secret}\u{1}\u{1}", server.user)),
            encode(secret.to_owned()),
            secret.to_owned(),
        ];
        forms.sort_by_key(|f| std::cmp::Reverse(f.len()));
        Scrub(forms)
    }

    /// `text` on one line, without secrets, at most 500 characters.
    fn text(&self, text: &str) -> String {
        let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        for form in &self.0 {
            text = text.replace(form.as_str(), "***");
        }
        text.trim().chars().take(500).collect()
    }

    fn answer(&self, code: u16, text: &str) -> Answer {
        let text = self.text(text);
        // The status, where given, is the first word (RFC 2034).
        let status = text.split(' ').next().and_then(enhanced_code);
        Answer { code, status, text }
    }

    fn response(&self, response: &Response) -> Answer {
        let text = response.message().collect::<Vec<_>>().join(" ");
        self.answer(response.code().into(), &text)
    }

    fn failure(&self, step: Step, error: &Error) -> Failure {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => Failure::Answered(step, self.answer(code.into(), &source.replace('\n', " "))),
            None if source.is_empty() => Failure::Broken(step, self.text(&error.to_string())),
            None => Failure::Broken(step, self.text(&source)),
        }
    }
}
