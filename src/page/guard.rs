//! Who may see what. Verdicts may be public; evidence and starting runs never are.
//!
//! With a token configured, an operator is who has it: as `Authorization: Bearer` or, after signing in, by a cookie. With
//! users configured, so is who signs in by name and password; programs use the token. Without both, evidence is for requests
//! that come from this machine itself to a daemon that listens on loopback alone; whatever a proxy hands on is public.

use crate::clock::after;
use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The session cookie.
pub const COOKIE: &str = "replypath_session";
/// How long somebody stays signed in.
const SESSION: Duration = Duration::from_secs(12 * 3_600);

/// A hash of nothing in particular: a name that does not exist takes as long to refuse as a wrong password.
const NOBODY: &str = "$2y$10$abcdefghijklmnopqrstuuHk0l3mXGHbMTzLnhr5c5mR5y0b8HqGW";

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Anybody: verdicts, stages, times and faults, no evidence, no addresses.
    Public,
    /// Somebody on this machine, where nobody can sign in: sees evidence, starts nothing.
    Local,
    /// Has the token or signed in by name.
    Operator,
}

impl Viewer {
    /// Messages, tickets, headers, addresses.
    pub fn sees_evidence(self) -> bool {
        self != Viewer::Public
    }

    /// Runs from the page.
    pub fn may_start(self) -> bool {
        self == Viewer::Operator
    }
}

/// What the configuration says about access.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The operators' token.
    pub token: Option<SecretString>,
    /// The bcrypt hashes of the users' passwords.
    pub users: BTreeMap<String, SecretString>,
    /// Verdicts are for everybody, also where operators sign in.
    pub public: bool,
}

impl Rules {
    fn has_operators(&self) -> bool {
        self.token.is_some() || !self.users.is_empty()
    }

    /// What the session of this user, or of the token, hangs on; none: no such session can be.
    fn secret_of(&self, user: &str) -> Option<&SecretString> {
        if user.is_empty() { self.token.as_ref() } else { self.users.get(user) }
    }
}

/// How one can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// By the operators' token.
    pub token: bool,
    /// By name and password.
    pub users: bool,
}

/// A session of a request.
struct Session<'h> {
    /// The whole value of the cookie.
    value: &'h str,
    /// Empty where the token was given.
    user: &'h str,
}

/// The doorkeeper.
pub struct Guard {
    rules: RwLock<Arc<Rules>>,
    /// The daemon listens on loopback alone.
    loopback: bool,
    /// Of this process: sessions end with it.
    key: hmac::Key,
    /// One password is looked at after the other: that takes a core, and guessing becomes slow.
    one_password: Semaphore,
}

impl Guard {
    /// A doorkeeper with a key of its own.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(listens: SocketAddr) -> Result<Guard, String> {
        let key: [u8; 32] = crate::random::bytes().map_err(|e| e.to_string())?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Ok(Guard { rules: RwLock::default(), loopback: listens.ip().is_loopback(), key, one_password: Semaphore::new(1) })
    }

    /// Takes the rules of a configuration.
    pub fn configure(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everybody who reaches the address reads verdicts.
    pub fn is_open(&self) -> bool {
        let rules = self.rules();
        rules.public || !rules.has_operators()
    }

    /// How one can sign in.
    pub fn ways(&self) -> Ways {
        let rules = self.rules();
        Ways { token: rules.token.is_some(), users: !rules.users.is_empty() }
    }

    /// Who asks; none: must sign in first.
    pub fn viewer(&self, headers: &HeaderMap, now: Timestamp) -> Option<Viewer> {
        let rules = self.rules();
        match rules.has_operators() {
            false if self.loopback && is_local(headers) => Some(Viewer::Local),
            false => Some(Viewer::Public),
            true if self.bears_token(headers) || self.session(headers, now).is_some() => Some(Viewer::Operator),
            true => rules.public.then_some(Viewer::Public),
        }
    }

    /// The user whose session it is; none for a session or request by the token.
    pub fn user(&self, headers: &HeaderMap, now: Timestamp) -> Option<String> {
        self.session(headers, now).map(|s| s.user.to_owned()).filter(|user| !user.is_empty())
    }

    /// True when the request itself carries the token: no page of a stranger can make a browser do that.
    pub fn bears_token(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = value.and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token.is_some_and(|(_, token)| self.is_token(token.trim()))
    }

    /// Compared by codes, so that the time taken tells nothing. Guessing is not slowed down, because that would shut the
    /// operators out too: the configuration refuses tokens that can be guessed.
    fn is_token(&self, given: &str) -> bool {
        let rules = self.rules();
        let Some(token) = &rules.token else { return false };
        let code = hmac::sign(&self.key, token.expose_secret().as_bytes());
        hmac::verify(&self.key, given.as_bytes(), code.as_ref()).is_ok()
    }

    /// The value of a session cookie for who gives the token; none for a wrong one.
    pub fn sign_in(&self, given: &str, now: Timestamp) -> Option<String> {
        if self.is_token(given) { self.begin("", now) } else { None }
    }

    /// The same for who gives a user's name and password. Waits while another password is looked at.
    pub async fn sign_in_user(&self, user: &str, password: &str, now: Timestamp) -> Option<String> {
        let hash = self.rules().users.get(user).map_or(NOBODY, |hash| hash.expose_secret()).to_owned();
        let password = SecretString::from(password);
        let _turn = self.one_password.acquire().await.ok()?;
        let check = move || bcrypt::verify(password.expose_secret(), &hash).unwrap_or(false);
        // The hash may have been NOBODY's: there is no session of a user who does not exist.
        if tokio::task::spawn_blocking(check).await.unwrap_or(false) && !user.is_empty() { self.begin(user, now) } else { None }
    }

    fn begin(&self, user: &str, now: Timestamp) -> Option<String> {
        let until = after(now, SESSION).as_second();
        let code = self.code(&self.session_text(until, user)?);
        Some(if user.is_empty() { format!("{until}.{code}") } else { format!("{until}.{user}.{code}") })
    }

    /// With the token or the password's hash in it, so that another one ends the sessions.
    fn session_text(&self, until: i64, user: &str) -> Option<String> {
        self.rules().secret_of(user).map(|secret| format!("session {until} {user} {}", secret.expose_secret()))
    }

    fn code(&self, text: &str) -> String {
        hmac::sign(&self.key, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    fn session<'h>(&self, headers: &'h HeaderMap, now: Timestamp) -> Option<Session<'h>> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
        let mut values = cookies.filter_map(|c| c.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        values.find_map(|value| {
            let (until, rest) = value.split_once('.')?;
            let (user, code) = rest.rsplit_once('.').unwrap_or(("", rest));
            let until = until.parse::<i64>().ok().filter(|until| *until > now.as_second())?;
            self.matches(&self.session_text(until, user)?, code).then_some(Session { value, user })
        })
    }

    fn matches(&self, text: &str, code: &str) -> bool {
        let bytes = |i: usize| code.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let given: Option<Vec<u8>> = (0..code.len()).step_by(2).map(bytes).collect();
        given.is_some_and(|given| hmac::verify(&self.key, text.as_bytes(), &given).is_ok())
    }

    /// What a form of this session must bring with it; empty without a session.
    pub fn csrf(&self, headers: &HeaderMap, now: Timestamp) -> String {
        self.session(headers, now).map(|s| self.code(&format!("csrf {}", s.value))).unwrap_or_default()
    }

    /// True when a form was sent by a page of ours within the session of the request.
    pub fn is_own_form(&self, headers: &HeaderMap, csrf: &str, now: Timestamp) -> bool {
        let session = self.session(headers, now);
        is_same_site(headers) && session.is_some_and(|s| self.matches(&format!("csrf {}", s.value), csrf))
    }
}

/// Not sent by a page of another site, as far as the browser says (`Sec-Fetch-Site`, else `Origin`).
pub fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && (host == text("host") || host == text("x-forwarded-host"))
        }
        (None, None) => true,
    }
}

/// Asked for by a name of this machine and not handed on by a proxy. The name is looked at because a page of a stranger can
/// point a name of its own at 127.0.0.1.
fn is_local(headers: &HeaderMap) -> bool {
    let handed_on = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    if handed_on.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|a| a.is_loopback())
}

/// What every answer says to the browser: nothing from elsewhere, nothing inline, no frame.
pub fn protect(headers: &mut HeaderMap) {
    let fixed = [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    headers.entry("cross-origin-resource-policy").or_insert(header::HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(header::HeaderValue::from_static("no-store"));
}
