//! From a name to a signed-in session: addresses, greeting, STARTTLS, authentication; each failure named.

use super::tls::{TlsConfigs, certificate_problem};
use super::{Abilities, ImapSession, clean};
use crate::engine::ports::Trouble;
use crate::mail::stream::{Limits, Line, Poller, Wire};
use crate::model::{AuthMethod, ResultClass, ServerSettings, TlsMode};
use imap::types::Capabilities;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::ToSocketAddrs;
use std::rc::Rc;
use std::time::Instant;

const PREAMBLE_LINES: usize = 64;

/// Why there is no session.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `mailbox-login-refused` when the server refuses our login, `mailbox-full` when it says so at
    /// the login, `mailbox-unavailable` for everything else.
    pub trouble: Trouble,
    /// It will be the same until somebody changes something: waiting for the server is of no use.
    pub lasting: bool,
}

/// Connects and signs in.
///
/// # Errors
/// [`Refusal`], with the reason in words.
pub fn sign_in(server: &ServerSettings, tls: &TlsConfigs, poller: &Rc<RefCell<Poller>>, limits: &Limits) -> Result<ImapSession, Refusal> {
    let place = format!("{}:{}", server.host, server.port);
    let down = |what: String| passing(format!("IMAP server {place}: {what}"));
    let addresses: Vec<_> = (server.host.as_str(), server.port)
        .to_socket_addrs()
        .map_err(|e| down(format!("its name cannot be resolved ({e}); check `host` and this machine's DNS")))?
        .collect();
    let wire = Wire::connect(&addresses, poller, limits).map_err(|e| down(connect_words(&e)))?;
    let mut protection = "no encryption".to_owned();
    if server.tls == TlsMode::Implicit {
        protection = protect(server, tls, &wire)?;
    }
    // One limit for everything up to the login, however steadily the server drips.
    let limit = Instant::now() + limits.response;
    let greeting = read_one(&wire, limit).map_err(|e| down(greeting_words(&e, server)))?;
    if starts(&greeting, "* BYE") {
        return Err(down(format!("it does not take connections now and says: {}", clean(&greeting, 6))));
    }
    if !starts(&greeting, "* OK") {
        return Err(down(format!("it greets with something that is no IMAP greeting before a login: {}", clean(&greeting, 0))));
    }
    if server.tls == TlsMode::Starttls {
        ask_starttls(&wire, limit)
            .map_err(|e| down(format!("STARTTLS: {e}; use `tls = \"implicit\"` with its port (993) if it has one")))?;
        protection = protect(server, tls, &wire)?;
    }
    authenticate(server, wire, &place, protection)
}

fn passing(message: String) -> Refusal {
    Refusal { trouble: Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message), lasting: false }
}

fn lasting(message: String) -> Refusal {
    Refusal { lasting: true, ..passing(message) }
}

fn connect_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "it refuses the connection; is the server running, and are `host` and `port` right?".to_owned(),
        ErrorKind::TimedOut => "no connection within the time limit; check `host`, `port` and firewalls".to_owned(),
        _ => format!("no connection ({error})"),
    }
}

fn greeting_words(error: &io::Error, server: &ServerSettings) -> String {
    let hint = match server.tls {
        TlsMode::Implicit => "",
        _ => "; a server that wants TLS from the first byte stays silent like this: `tls = \"implicit\"`",
    };
    format!("no greeting ({error}){hint}")
}

fn starts(line: &str, with: &str) -> bool {
    line.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with))
}

fn read_one(wire: &Wire, limit: Instant) -> io::Result<String> {
    match wire.read_line(limit, false)? {
        Line::Text(text) => Ok(text),
        _ => Err(io::Error::new(ErrorKind::TimedOut, "the server did not answer in time")),
    }
}

/// Sends a command before there is a session; gives the untagged lines of its OK.
fn ask(wire: &Wire, tag: &str, command: &str, limit: Instant) -> io::Result<Vec<String>> {
    wire.send(&format!("{tag} {command}"))?;
    let mut lines = Vec::new();
    for _ in 0..PREAMBLE_LINES {
        let line = read_one(wire, limit)?;
        if let Some(rest) = line.strip_prefix(tag).and_then(|r| r.strip_prefix(' ')) {
            return if starts(rest, "OK") {
                Ok(lines)
            } else {
                Err(io::Error::other(format!("the server answers {command} with: {}", clean(rest, 0))))
            };
        }
        lines.push(line);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "the server talks without end"))
}

/// RFC 9051 section 6.2.1.
fn ask_starttls(wire: &Wire, limit: Instant) -> io::Result<()> {
    let offered = ask(wire, "s1", "CAPABILITY", limit)?
        .iter()
        .filter(|l| starts(l, "* CAPABILITY "))
        .any(|l| l.split_ascii_whitespace().any(|w| w.eq_ignore_ascii_case("STARTTLS")));
    if !offered {
        return Err(io::Error::other("the server does not offer it, and without it nothing is sent"));
    }
    ask(wire, "s2", "STARTTLS", limit).map(|_| ())
}

fn protect(server: &ServerSettings, tls: &TlsConfigs, wire: &Wire) -> Result<String, Refusal> {
    let name = server.tls_name.as_deref().unwrap_or(&server.host);
    let place = format!("IMAP server {}:{}", server.host, server.port);
    let config = tls.get(server.ca.as_deref()).map_err(|t| lasting(format!("{place}: {}", t.message)))?;
    let server_name = ServerName::try_from(name.to_owned())
        .map_err(|_| lasting(format!("{place}: {name} cannot stand in a certificate; set `tls_name`")))?;
    wire.start_tls(config, server_name).map_err(|e| match certificate_problem(&e, name) {
        Some(words) => lasting(format!("{place}: {words}")),
        None => {
            passing(format!("{place}: the TLS handshake failed ({e}); do `port` and `tls` belong together (993: implicit, 143: starttls)?"))
        }
    })
}

/// SASL answers, one a challenge; keeps what a server says beyond them (XOAUTH2: its error as JSON).
struct Sasl {
    answers: Vec<String>,
    asked: Cell<usize>,
    challenge: RefCell<String>,
}

impl imap::Authenticator for Sasl {
    type Response = Vec<u8>;

    fn process(&self, challenge: &[u8]) -> Vec<u8> {
        let n = self.asked.replace(self.asked.get() + 1);
        if let Some(answer) = self.answers.get(n) {
            return answer.clone().into_bytes();
        }
        *self.challenge.borrow_mut() = String::from_utf8_lossy(challenge).into_owned();
        Vec::new()
    }
}

impl Sasl {
    fn new<const N: usize>(answers: [String; N]) -> Sasl {
        Sasl { answers: answers.into(), asked: Cell::new(0), challenge: RefCell::default() }
    }
}

fn authenticate(server: &ServerSettings, wire: Wire, place: &str, protection: String) -> Result<ImapSession, Refusal> {
    let mut client = imap::Client::new(wire.clone());
    let offers = client.capabilities().map_err(|e| passing(format!("IMAP server {place}: CAPABILITY: {}", super::words(&e, &wire))))?;
    let (user, password) = (server.user.as_str(), server.password.expose_secret());
    let (how, sasl) = choose(server.auth, &offers, user, password);
    let result = match &sasl {
        Some((mechanism, sasl)) => client.authenticate(mechanism, sasl),
        None if offers.has_str("LOGINDISABLED") => {
            return Err(lasting(format!("IMAP server {place}: it takes no password on this connection (LOGINDISABLED); set `tls`")));
        }
        None => client.login(user, password),
    };
    match result {
        Ok(mut session) => {
            let caps = session.capabilities().map(|c| Abilities::read(&c)).unwrap_or_else(|_| Abilities::read(&offers));
            Ok(ImapSession::new(session, wire, caps, format!("{protection}, {how}"), place.to_owned()))
        }
        Err((error, _)) => {
            let challenge = sasl.map(|(_, s)| s.challenge.take()).unwrap_or_default();
            Err(refused(server, place, how, &error, &wire, &challenge))
        }
    }
}

/// Both PLAIN and LOGIN hand over the password, so an account set to one may use the other where the
/// server offers only that.
fn choose(auth: AuthMethod, offers: &Capabilities, user: &str, password: &str) -> (&'static str, Option<(&'static str, Sasl)>) {
    let plain = || ("AUTHENTICATE PLAIN", Some(("PLAIN", Sasl::new([format!("\0{user}\0{password}")]))));
    // The command takes ASCII in quotes only (RFC 9051 section 4.3).
    let command = !offers.has_str("LOGINDISABLED") && user.is_ascii() && password.is_ascii();
    match auth {
        AuthMethod::Plain if offers.has_str("AUTH=PLAIN") => plain(),
        AuthMethod::Plain | AuthMethod::Login if !command && offers.has_str("AUTH=LOGIN") => {
            ("AUTHENTICATE LOGIN", Some(("LOGIN", Sasl::new([user.to_owned(), password.to_owned()]))))
        }
        AuthMethod::Login if !command && offers.has_str("AUTH=PLAIN") => plain(),
        AuthMethod::Plain | AuthMethod::Login => ("LOGIN", None),
        AuthMethod::Xoauth2 => {
            ("AUTHENTICATE XOAUTH2", Some(("XOAUTH2", Sasl::new([format!("user={user}\u{1}auth=Bearer {password}\u{1}\u{1}")]))))
        }
    }
}

fn refused(server: &ServerSettings, place: &str, how: &str, error: &imap::Error, wire: &Wire, challenge: &str) -> Refusal {
    let mut said = super::words(error, wire);
    if !challenge.is_empty() {
        said = format!("{said}; {}", clean(challenge, 0));
    }
    let secret = server.password.expose_secret();
    if secret.len() >= 3 {
        said = said.replace(secret, "***");
    }
    let code = said.to_ascii_uppercase();
    // RFC 5530: these say that the server, not the password, is the trouble.
    let server_side = ["[UNAVAILABLE]", "[SERVERBUG]", "[LIMIT]", "[INUSE]"].iter().any(|c| code.contains(c));
    match error {
        _ if code.contains("[OVERQUOTA]") => {
            let message = format!("mailbox {} at {place} is full: {said}; empty it", server.user);
            Refusal { trouble: Trouble::new(ResultClass::Denied, "mailbox-full", message), lasting: true }
        }
        imap::Error::No(_) | imap::Error::Bad(_) | imap::Error::Validate(_) if !server_side => {
            let advice = match server.auth {
                AuthMethod::Xoauth2 => "get a new token, and check that it is meant for IMAP",
                _ => "check `user` and `password`; many providers want an app password here, or IMAP switched on first",
            };
            let message = format!("IMAP server {place} refuses the login of {} ({how}): {said}; {advice}", server.user);
            Refusal { trouble: Trouble::new(ResultClass::Unauthorised, "mailbox-login-refused", message), lasting: true }
        }
        _ => passing(format!("IMAP server {place}: no answer to the login ({how}): {said}")),
    }
}
