//! SEARCH (RFC 3501 section 6.4.4).

use super::super::mailbox::Slot;
use super::parse::{Set, Word, Words};
use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// One search key.
#[derive(Debug)]
pub(crate) enum Key {
    All,
    Sequence(Set),
    Uid(Set),
    Flag(&'static str, bool),
    Keyword(String, bool),
    Received(Day, Date),
    Sent(Day, Date),
    Header(String, String),
    Body(String),
    Text(String),
    Larger(usize),
    Smaller(usize),
    Never,
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

/// How a day is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Day {
    Before,
    On,
    Since,
}

/// All keys to the end of the command. None when the command is malformed.
pub(crate) fn parse(words: &mut Words) -> Option<Key> {
    if matches!(words.peek(), Some(Word::Atom(a)) if a.eq_ignore_ascii_case("CHARSET")) {
        words.next();
        words.next()?;
    }
    let mut keys = Vec::new();
    while !words.is_empty() {
        keys.push(key(words, 0)?);
    }
    (!keys.is_empty()).then(|| and(keys))
}

/// Cheap keys first: a text is only looked at in messages that fit otherwise.
fn and(mut keys: Vec<Key>) -> Key {
    keys.sort_by_key(|k| match k {
        Key::Header(..) => 1,
        Key::Body(_) | Key::Text(_) | Key::Not(_) | Key::Or(..) | Key::And(_) => 2,
        _ => 0,
    });
    Key::And(keys)
}

fn key(words: &mut Words, depth: u8) -> Option<Key> {
    if depth > 20 {
        return None;
    }
    if words.peek() == Some(&Word::Open) {
        words.next();
        let mut keys = Vec::new();
        while words.peek() != Some(&Word::Close) {
            keys.push(key(words, depth + 1)?);
        }
        words.next();
        return (!keys.is_empty()).then(|| and(keys));
    }
    let name = words.keyword()?;
    if let Some(key) = flag(&name) {
        return Some(key);
    }
    let lower = |words: &mut Words| words.text().map(|t| t.to_lowercase());
    Some(match name.as_str() {
        "ALL" => Key::All,
        "NEW" => Key::Flag("\\Seen", false),
        "RECENT" => Key::Never,
        "OLD" => Key::All,
        "UID" => Key::Uid(Set::parse(&words.text()?)?),
        "KEYWORD" => Key::Keyword(words.text()?, true),
        "UNKEYWORD" => Key::Keyword(words.text()?, false),
        "BEFORE" => Key::Received(Day::Before, date(words)?),
        "ON" => Key::Received(Day::On, date(words)?),
        "SINCE" => Key::Received(Day::Since, date(words)?),
        "SENTBEFORE" => Key::Sent(Day::Before, date(words)?),
        "SENTON" => Key::Sent(Day::On, date(words)?),
        "SENTSINCE" => Key::Sent(Day::Since, date(words)?),
        "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => Key::Header(name.to_lowercase(), lower(words)?),
        "HEADER" => Key::Header(lower(words)?, lower(words)?),
        "BODY" => Key::Body(lower(words)?),
        "TEXT" => Key::Text(lower(words)?),
        "LARGER" => Key::Larger(words.text()?.parse().ok()?),
        "SMALLER" => Key::Smaller(words.text()?.parse().ok()?),
        "NOT" => Key::Not(Box::new(key(words, depth + 1)?)),
        "OR" => Key::Or(Box::new(key(words, depth + 1)?), Box::new(key(words, depth + 1)?)),
        _ => Key::Sequence(Set::parse(&name)?),
    })
}

fn flag(name: &str) -> Option<Key> {
    let (name, set) = name.strip_prefix("UN").map_or((name, true), |rest| (rest, false));
    let flag = match name {
        "SEEN" => "\\Seen",
        "ANSWERED" => "\\Answered",
        "DELETED" => "\\Deleted",
        "FLAGGED" => "\\Flagged",
        "DRAFT" => "\\Draft",
        _ => return None,
    };
    Some(Key::Flag(flag, set))
}

fn date(words: &mut Words) -> Option<Date> {
    strtime::parse("%d-%b-%Y", words.text()?).ok()?.to_date().ok()
}

fn on_day(how: Day, day: Date, asked: Date) -> bool {
    match how {
        Day::Before => day < asked,
        Day::On => day == asked,
        Day::Since => day >= asked,
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) seq: u32,
    /// The largest sequence number and UID: what `*` means.
    pub(crate) last_seq: u32,
    pub(crate) last_uid: u32,
}

impl Key {
    /// True when the message fits.
    pub(crate) fn fits(&self, slot: &Slot, at: Standing) -> bool {
        match self {
            Key::All => true,
            Key::Never => false,
            Key::Sequence(set) => set.has(at.seq, at.last_seq),
            Key::Uid(set) => set.has(slot.uid, at.last_uid),
            Key::Flag(flag, set) => slot.has(flag) == *set,
            Key::Keyword(flag, set) => slot.has(flag) == *set,
            Key::Received(how, asked) => on_day(*how, slot.mail.received.to_zoned(TimeZone::UTC).date(), *asked),
            Key::Sent(how, asked) => sent(slot).is_some_and(|day| on_day(*how, day, *asked)),
            Key::Header(name, value) => slot.mail.search_text().headers.iter().any(|(n, v)| n == name && v.contains(value.as_str())),
            Key::Body(value) => slot.mail.search_text().body.contains(value.as_str()),
            Key::Text(value) => {
                let text = slot.mail.search_text();
                text.body.contains(value.as_str()) || text.headers.iter().any(|(_, v)| v.contains(value.as_str()))
            }
            Key::Larger(size) => slot.mail.raw.len() > *size,
            Key::Smaller(size) => slot.mail.raw.len() < *size,
            Key::Not(key) => !key.fits(slot, at),
            Key::Or(a, b) => a.fits(slot, at) || b.fits(slot, at),
            Key::And(keys) => keys.iter().all(|k| k.fits(slot, at)),
        }
    }
}

fn sent(slot: &Slot) -> Option<Date> {
    let text = super::super::mime::header(&slot.mail.raw, "Date")?;
    jiff::fmt::rfc2822::parse(&text).ok().map(|z| z.date())
}
