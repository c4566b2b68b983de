//! The network side: one visit with its own cookies, bounded in time, size and redirects, that says how it ended.

use super::origin::{Policy, leads_inside, same_origin, site};
use crate::exchange::causes;
pub(super) use crate::exchange::place;
use reqwest::cookie::Jar;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, ORIGIN, REFERER};
use reqwest::{Certificate, Client, Method, Response, Url};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What browsers call themselves; the details of the machine are left out by today's browsers too.
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const ACCEPTED: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
/// Redirects in a row before browsers give up.
const MAX_REDIRECTS: usize = 20;
const CONNECT: Duration = Duration::from_secs(10);

/// What one visit may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one page, after decompression.
    pub page_bytes: usize,
    /// The time to load a page, with all its redirects.
    pub load: Duration,
    /// The time from the submission to the end of the thank-you.
    pub submit: Duration,
}

impl Default for Limits {
    /// 4 MiB, 30 s, 60 s.
    fn default() -> Limits {
        Limits { page_bytes: 4 * 1024 * 1024, load: Duration::from_secs(30), submit: Duration::from_secs(60) }
    }
}

/// A request as a page makes it.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub method: Method,
    pub url: Url,
    /// The page that it comes from, and what it lets its requests tell.
    pub from: Option<(Url, Policy)>,
    /// The body with its type.
    pub body: Option<(String, Vec<u8>)>,
    /// It submits something: whether it arrived matters.
    pub acts: bool,
}

/// The end of a chain of redirects.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub url: Url,
    pub body: Vec<u8>,
    pub redirects: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub why: Why,
    /// For people, without query and secrets.
    pub text: String,
    /// A body may have reached the other side.
    pub sent: bool,
}

/// What kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The name is not known.
    Name,
    /// No connection.
    Connect,
    /// A certificate that browsers refuse too: run out, for another name, revoked.
    BadCertificate,
    /// TLS failed otherwise; customers may get through.
    Tls,
    /// No whole answer in time.
    Late,
    /// Broken off.
    Broken,
    /// More than is read.
    TooLarge,
    /// It leads in a circle, or to no web address.
    Astray,
    /// A public page leads into our own network.
    Inside,
}

impl Why {
    /// The word in facts.
    pub fn word(self) -> &'static str {
        match self {
            Why::Name => "name",
            Why::Connect => "connect",
            Why::BadCertificate => "certificate",
            Why::Tls => "tls",
            Why::Late => "time",
            Why::Broken => "broken off",
            Why::TooLarge => "size",
            Why::Astray => "redirects",
            Why::Inside => "our own network",
        }
    }
}

/// One person's browser: its cookies end with it.
#[derive(Debug)]
pub(super) struct Browser {
    client: Client,
    page_bytes: usize,
    /// The page's address when it holds a name and a password: they are for its origin alone.
    login: Option<Url>,
}

impl Browser {
    /// A browser without cookies. `roots` are trusted beside the system's.
    pub fn new(start: &Url, limits: &Limits, roots: &[Certificate]) -> Result<Browser, String> {
        // Somebody else may have installed it before us: that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .cookie_provider(Arc::new(Jar::default()))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            // A kept connection that died unnoticed would leave a submission uncertain for no reason.
            .pool_max_idle_per_host(0)
            .user_agent(USER_AGENT);
        if super::origin::inside(start) {
            builder = builder.no_proxy();
        }
        if !roots.is_empty() {
            builder = builder.tls_certs_merge(roots.iter().cloned());
        }
        let client = builder.build().map_err(|e| format!("cannot set up HTTPS: {}", causes(&e)))?;
        let login = Some(start).filter(|url| !url.username().is_empty()).cloned();
        Ok(Browser { client, page_bytes: limits.page_bytes, login })
    }

    /// Makes the request and follows redirects as browsers do: 301, 302 and 303 with GET, 307 and 308 unchanged.
    pub async fn go(&self, visit: Visit, limit: Duration) -> Result<Answer, Lost> {
        let deadline = Instant::now() + limit;
        let mut visit = visit;
        let mut sent = false;
        // A redirect to another origin makes the request's own origin one that is not told.
        let mut tainted = false;
        for redirects in 0..=MAX_REDIRECTS {
            let request = self.client.request(visit.method.clone(), visit.url.clone()).headers(headers(&visit, tainted));
            let request = match &visit.body {
                Some((_, bytes)) => request.body(bytes.clone()),
                None => request,
            };
            let request = match self.login.as_ref().filter(|login| same_origin(login, &visit.url)) {
                Some(login) => request.basic_auth(unescaped(login.username()), login.password().map(unescaped)),
                None => request,
            };
            let answer = match timeout_at(deadline, request.send()).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => {
                    let (why, text) = reason(&error, &visit.url);
                    let never_left = matches!(why, Why::Name | Why::Connect | Why::BadCertificate | Why::Tls);
                    return Err(Lost { why, text, sent: sent || (visit.acts && !never_left) });
                }
                Err(_) => {
                    let text = format!("{} gave no answer within {} s", place(&visit.url), limit.as_secs());
                    return Err(Lost { why: Why::Late, text, sent: sent || visit.acts });
                }
            };
            sent |= visit.acts;
            let lost = |why, text: String| Lost { why, text, sent };
            let Some(target) = location(&answer) else {
                return self.read(answer, redirects, deadline, limit).await.map_err(|(why, text)| lost(why, text));
            };
            let next = visit.url.join(&target).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
            let Some(mut next) = next else {
                return Err(lost(Why::Astray, format!("{} leads to an address that is none of the web", place(&visit.url))));
            };
            if leads_inside(&visit.url, &next) {
                return Err(lost(Why::Inside, format!("{} leads to {}, inside our own network", place(&visit.url), place(&next))));
            }
            if next.fragment().is_none() {
                next.set_fragment(visit.url.fragment());
            }
            tainted |= !same_origin(&visit.url, &next);
            if matches!(answer.status().as_u16(), 301..=303) {
                visit.method = Method::GET;
                visit.body = None;
                visit.acts = false;
            }
            visit.url = next;
        }
        Err(Lost { why: Why::Astray, text: format!("{} redirects more than {MAX_REDIRECTS} times", place(&visit.url)), sent })
    }

    async fn read(&self, mut answer: Response, redirects: usize, deadline: Instant, limit: Duration) -> Result<Answer, (Why, String)> {
        let url = answer.url().clone();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = Vec::new();
        loop {
            match timeout_at(deadline, answer.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    if body.len() + chunk.len() > self.page_bytes {
                        let most = self.page_bytes / 1024;
                        return Err((Why::TooLarge, format!("{} sends more than {most} KiB", place(&url))));
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(Ok(None)) => return Ok(Answer { status, headers, url, body, redirects }),
                Ok(Err(error)) => return Err((Why::Broken, format!("{} broke off in mid-answer: {}", place(&url), causes(&error)))),
                Err(_) => {
                    let (got, seconds) = (body.len(), limit.as_secs());
                    return Err((Why::Late, format!("{} had sent {got} bytes after {seconds} s and did not end", place(&url))));
                }
            }
        }
    }
}

/// A part of an address as it was meant.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, later)) = rest.split_first() {
        let code = later.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &later[2..];
            }
            None => {
                bytes.push(*first);
                rest = later;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn location(answer: &Response) -> Option<String> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    answer.headers().get(LOCATION).map(|l| String::from_utf8_lossy(l.as_bytes()).into_owned())
}

/// The headers of a navigation.
fn headers(visit: &Visit, tainted: bool) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut put = |name: reqwest::header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(name, value);
        }
    };
    let word = reqwest::header::HeaderName::from_static;
    put(ACCEPT, ACCEPTED);
    put(ACCEPT_LANGUAGE, "en-US,en;q=0.9");
    put(word("upgrade-insecure-requests"), "1");
    put(word("sec-fetch-dest"), "document");
    put(word("sec-fetch-mode"), "navigate");
    put(word("sec-fetch-user"), "?1");
    put(word("sec-fetch-site"), site(visit.from.as_ref().map(|(url, _)| url), &visit.url));
    if let Some((from, policy)) = &visit.from {
        if let Some(referer) = policy.referer(from, &visit.url) {
            put(REFERER, &referer);
        }
        if visit.method != Method::GET {
            let origin = if tainted { "null".to_owned() } else { policy.origin(from, &visit.url) };
            put(ORIGIN, &origin);
        }
    }
    if let Some((kind, _)) = &visit.body {
        put(CONTENT_TYPE, kind);
    }
    map
}

/// What kind of failure it is, and in words.
fn reason(error: &reqwest::Error, url: &Url) -> (Why, String) {
    let host = url.host_str().unwrap_or_default();
    if let Some(tls) = tls_error(error) {
        return certificate(tls, host);
    }
    let text = causes(error);
    if !error.is_connect() {
        return (Why::Broken, format!("the connection to {host} broke off before an answer came: {text}"));
    }
    if text.contains("dns error") {
        return (Why::Name, format!("the name {host} is not known to our resolver: {text}"));
    }
    if error.is_timeout() {
        return (Why::Connect, format!("{} cannot be connected to within {} s", place(url), CONNECT.as_secs()));
    }
    (Why::Connect, format!("{} cannot be connected to: {text}", place(url)))
}

fn certificate(error: &rustls::Error, host: &str) -> (Why, String) {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            (Why::BadCertificate, format!("the certificate of {host} has run out"))
        }
        rustls::Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            (Why::BadCertificate, format!("the certificate of {host} is not valid yet"))
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            (Why::BadCertificate, format!("the certificate of {host} is for another name"))
        }
        rustls::Error::InvalidCertificate(C::Revoked) => (Why::BadCertificate, format!("the certificate of {host} was revoked")),
        rustls::Error::InvalidCertificate(C::UnknownIssuer) => {
            (Why::Tls, format!("the certificate of {host} comes from an authority that this machine does not trust"))
        }
        other => (Why::Tls, format!("no encrypted connection to {host}: {other}")),
    }
}

/// The TLS library's error among the causes; it hides inside an I/O error.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = io.and_then(|e| e.downcast_ref::<rustls::Error>()) {
            return Some(found);
        }
        // An I/O error's source is the source of what it holds: what it holds is looked at itself.
        cause = io.map(|e| e as &(dyn std::error::Error + 'static)).or_else(|| inner.source());
    }
    None
}
