//! What a domain says in the DNS about who may send its mail: SPF (RFC 7208), DMARC (RFC 7489) and the key of a DKIM selector
//! (RFC 6376). Facts only: nothing is judged here.

use super::ascii;
use super::dns::{Found, Resolver};

/// The longest text of a stranger's record that is kept.
const LONGEST: usize = 500;
/// A policy for a domain may stand at one above it (RFC 7489 section 6.6.3); so far up it is looked for.
const MOST_LEVELS: usize = 5;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Its text.
    Is(String),
    /// Properly answered: there is none.
    None,
    /// More than one where only one may be, which receivers take for none or for an error.
    Several(usize),
    /// Nobody could say.
    Unknown(String),
}

/// The records of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailPolicy {
    /// Who may send (`v=spf1`).
    pub spf: Policy,
    /// What is to become of mail that fails (`v=DMARC1`).
    pub dmarc: Policy,
    /// The key of the selector; none: no selector was asked for.
    pub dkim: Option<Policy>,
}

/// Looks all of them up.
pub async fn look(resolver: &Resolver, domain: &str, selector: Option<&str>) -> MailPolicy {
    let Some(domain) = ascii(domain) else {
        let no_name = Policy::Unknown(format!("{domain} is no name of a domain"));
        return MailPolicy { spf: no_name.clone(), dmarc: no_name.clone(), dkim: selector.map(|_| no_name) };
    };
    let key = async {
        match selector {
            Some(selector) => Some(one(resolver, &format!("{selector}._domainkey.{domain}"), is_key).await),
            None => None,
        }
    };
    let (spf, dmarc, dkim) = tokio::join!(one(resolver, &domain, is_spf), dmarc(resolver, &domain), key);
    MailPolicy { spf, dmarc, dkim }
}

/// The record at the domain, or else at the nearest domain above it that has one.
async fn dmarc(resolver: &Resolver, domain: &str) -> Policy {
    let mut at = Some(domain);
    for _ in 0..MOST_LEVELS {
        // A top-level domain speaks for nobody.
        let Some(name) = at.filter(|name| name.contains('.')) else { break };
        match one(resolver, &format!("_dmarc.{name}"), is_dmarc).await {
            Policy::None => at = name.split_once('.').map(|p| p.1),
            found => return found,
        }
    }
    Policy::None
}

async fn one(resolver: &Resolver, name: &str, wanted: fn(&str) -> bool) -> Policy {
    match resolver.texts(name).await {
        Err(trouble) => Policy::Unknown(trouble.0),
        Ok(Found::NoSuchName) => Policy::None,
        Ok(Found::Some(texts)) => {
            let mut texts: Vec<String> = texts.into_iter().filter(|t| wanted(t)).collect();
            match texts.len() {
                0 | 1 => texts.pop().map_or(Policy::None, |text| Policy::Is(text.chars().take(LONGEST).collect())),
                several => Policy::Several(several),
            }
        }
    }
}

/// RFC 7208 section 4.5: the version ends at a blank or at the end.
fn is_spf(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower == "v=spf1" || lower.starts_with("v=spf1 ")
}

/// RFC 7489 section 6.3: the version stands first; its letters are capitals.
fn is_dmarc(text: &str) -> bool {
    version(text).is_some_and(|v| v == "DMARC1")
}

/// RFC 6376 section 3.6.1: the version may be left out, the key may not; other texts at the name are none.
fn is_key(text: &str) -> bool {
    let tags = || text.split(';').filter_map(|tag| tag.split_once('=')).map(|(name, value)| (name.trim(), value.trim()));
    tags().all(|(name, value)| name != "v" || value == "DKIM1") && tags().any(|(name, _)| name == "p")
}

fn version(text: &str) -> Option<&str> {
    let (name, value) = text.split(';').next()?.split_once('=')?;
    (name.trim() == "v").then(|| value.trim())
}

impl Policy {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Policy::Is(text) => text.clone(),
            Policy::None => "none".to_owned(),
            Policy::Several(count) => format!("{count} records where only one may be"),
            Policy::Unknown(why) => format!("could not be looked up: {why}"),
        }
    }
}
