//! Names and certificates as a careful sender sees them: the exchangers that the DNS names for a domain, the certificate that
//! each shows, and what the domain says about who may send its mail.

mod certificate;
pub mod dns;
mod memo;
pub mod policy;
mod question;

use crate::engine::ports::Exchangers;
use crate::model::ExchangerSight;
use async_trait::async_trait;
use certificate::{Judge, Shown};
use dns::{Found, Resolver};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use memo::Memo;
use policy::MailPolicy;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A look at one place may take so long, with all its addresses.
const PATIENCE: Duration = Duration::from_secs(20);
/// One address has so long to take a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// So many exchangers of a domain are looked at, the best first.
const MOST: usize = 8;
/// Where exchangers listen (RFC 5321 section 4.5.4.2).
const SMTP: u16 = 25;
/// An exchanger is looked at once a minute at most, and so is what the DNS says.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// Certificates change rarely.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Looks at names and certificates, each place rarely, however many ask.
pub struct Names {
    resolver: Resolver,
    judge: Judge,
    smtp: u16,
    exchangers: Memo<ExchangerSight>,
    domains: Memo<Result<Vec<String>, ExchangerSight>>,
    certificates: Memo<ExchangerSight>,
    policies: Memo<MailPolicy>,
}

impl Names {
    /// Asks `resolver`, or the system's name servers; judges certificates by the authorities of a PEM file, or by the system's.
    pub fn new(resolver: Option<SocketAddr>, authorities: Option<PathBuf>) -> Names {
        Names::with_port(resolver, authorities, SMTP)
    }

    /// The same with another port for the exchangers that the DNS names, for tests.
    pub fn with_port(resolver: Option<SocketAddr>, authorities: Option<PathBuf>, smtp: u16) -> Names {
        Names {
            resolver: resolver.map_or_else(Resolver::of_system, Resolver::at),
            judge: Judge::new(authorities),
            smtp,
            exchangers: Memo::new(MINUTE),
            domains: Memo::new(MINUTE),
            certificates: Memo::new(HOUR),
            policies: Memo::new(MINUTE),
        }
    }

    /// The certificate of a server that speaks TLS from the first byte (HTTPS, IMAPS). One look an hour.
    pub async fn certificate(&self, host: &str, port: u16, now: Timestamp) -> ExchangerSight {
        let place = joined(host, port);
        let look = async {
            let looked = async { self.judge.handshake(host, self.connect(host, port).await?, now).await };
            Shown::at(&place, in_time(looked).await)
        };
        self.certificates.get(&place, now, look).await
    }

    /// What the DNS says about who may send mail of a domain. `selector` is that of a signature (RFC 6376 section 3.1).
    pub async fn mail_policy(&self, domain: &str, selector: Option<&str>, now: Timestamp) -> MailPolicy {
        let key = format!("{domain} {}", selector.unwrap_or_default());
        self.policies.get(&key, now, policy::look(&self.resolver, domain, selector)).await
    }

    /// One look at an exchanger, `HOST:PORT`.
    async fn exchanger(&self, place: &str, now: Timestamp) -> ExchangerSight {
        let look = async {
            let looked = async {
                let (host, port) = split(place).ok_or("it is no host with its port, such as mx1.example.com:25")?;
                self.judge.starttls(host, self.connect(host, port).await?, now).await
            };
            Shown::at(place, in_time(looked).await)
        };
        self.exchangers.get(place, now, look).await
    }

    /// Where mail for a domain goes: its exchangers, or the host of that name where it has none (RFC 5321 section 5.1).
    async fn named(&self, domain: &str) -> Result<Vec<String>, ExchangerSight> {
        let nothing = |words: &str| Shown::at(domain, Err(words.to_owned()));
        let ascii = ascii(domain).ok_or_else(|| nothing("it is no name of a domain"))?;
        match self.resolver.exchangers(&ascii).await {
            Err(trouble) => Err(nothing(&trouble.0)),
            Ok(Found::NoSuchName) => Err(refused(domain, "no such domain")),
            Ok(Found::Some(all)) if !all.is_empty() && all.iter().all(|(_, name)| name.is_empty()) => Err(refused(domain, "null MX")),
            Ok(Found::Some(all)) if all.is_empty() => Ok(vec![joined(&ascii, self.smtp)]),
            Ok(Found::Some(all)) => {
                let hosts = all.iter().filter(|(_, name)| !name.is_empty());
                Ok(hosts.map(|(_, name)| joined(name, self.smtp)).take(MOST).collect())
            }
        }
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let mut last = String::new();
        for address in self.resolver.addresses(host).await.map_err(|t| t.0)? {
            match timeout(CONNECT, TcpStream::connect((address, port))).await {
                Ok(Ok(tcp)) => return Ok(tcp),
                Ok(Err(error)) => last = format!("no connection to {}: {error}", joined(&address.to_string(), port)),
                Err(_) => last = format!("no connection to {} within {} s", joined(&address.to_string(), port), CONNECT.as_secs()),
            }
        }
        Err(last)
    }
}

#[async_trait]
impl Exchangers for Names {
    async fn look(&self, domain: &str, given: &[String], now: Timestamp) -> Vec<ExchangerSight> {
        let places = match given {
            [] => self.domains.get(domain, now, self.named(domain)).await,
            given => Ok(given.to_vec()),
        };
        match places {
            Ok(places) => join_all(places.iter().map(|place| self.exchanger(place, now))).await,
            Err(sight) => vec![sight],
        }
    }
}

fn refused(place: &str, words: &str) -> ExchangerSight {
    Shown::at(place, Ok(Shown { not_after: None, refused: Some(words.to_owned()) }))
}

async fn in_time<T>(looked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(PATIENCE, looked).await.unwrap_or_else(|_| Err(format!("it did not answer within {} s", PATIENCE.as_secs())))
}

/// `host:port`, IPv6 addresses in brackets.
fn joined(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(ip @ IpAddr::V6(_)) => SocketAddr::new(ip, port).to_string(),
        _ => format!("{host}:{port}"),
    }
}

/// Host and port of `host:port`; brackets of an IPv6 address are taken off.
fn split(place: &str) -> Option<(&str, u16)> {
    let (host, port) = place.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Some((bare, port.parse().ok()?))
}

/// A domain as the DNS has it (RFC 5890: other letters as A-labels).
fn ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain.to_ascii_lowercase());
    }
    reqwest::Url::parse(&format!("http://{domain}/")).ok()?.host_str().map(str::to_owned)
}
