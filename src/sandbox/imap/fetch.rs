//! FETCH (RFC 3501 section 6.4.5): what is asked of a message, and the answer's bytes.

use super::super::mailbox::Slot;
use super::super::mime;
use super::parse::{Word, Words};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_parser::{Address, MessageParser};

/// One thing asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    Envelope,
    /// A section, and how the answer names it.
    Section {
        section: Section,
        name: String,
        range: Option<(usize, usize)>,
        peek: bool,
    },
}

/// A part of the raw message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Section {
    Whole,
    Header,
    Text,
    Fields { names: Vec<String>, not: bool },
}

/// The items of a FETCH. None when something is asked that this server does not have.
pub(crate) fn parse(words: &mut Words) -> Option<Vec<Item>> {
    let asked: Vec<String> = match words.peek()? {
        Word::Open => words.list()?,
        _ => vec![words.text()?],
    };
    let mut items = Vec::new();
    for name in asked {
        match name.to_ascii_uppercase().as_str() {
            "ALL" | "FULL" => items.extend([Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
            "FAST" => items.extend([Item::Flags, Item::InternalDate, Item::Size]),
            _ => items.push(item(&name)?),
        }
    }
    Some(items)
}

fn item(name: &str) -> Option<Item> {
    let upper = name.to_ascii_uppercase();
    let section = |section, name: &str, peek| Item::Section { section, name: name.to_owned(), range: None, peek };
    Some(match upper.as_str() {
        "FLAGS" => Item::Flags,
        "UID" => Item::Uid,
        "INTERNALDATE" => Item::InternalDate,
        "RFC822.SIZE" => Item::Size,
        "ENVELOPE" => Item::Envelope,
        "RFC822" => section(Section::Whole, "RFC822", false),
        "RFC822.HEADER" => section(Section::Header, "RFC822.HEADER", true),
        "RFC822.TEXT" => section(Section::Text, "RFC822.TEXT", false),
        _ => {
            let (rest, peek) = match upper.strip_prefix("BODY.PEEK[") {
                Some(rest) => (rest.to_owned(), true),
                None => (upper.strip_prefix("BODY[")?.to_owned(), false),
            };
            let (inner, tail) = rest.split_once(']')?;
            let range = match tail.strip_prefix('<') {
                Some(range) => {
                    let (start, count) = range.strip_suffix('>')?.split_once('.')?;
                    Some((start.parse().ok()?, count.parse().ok()?))
                }
                None => None,
            };
            let origin = range.map_or(String::new(), |(start, _)| format!("<{start}>"));
            Item::Section { section: body_section(inner)?, name: format!("BODY[{inner}]{origin}"), range, peek }
        }
    })
}

fn body_section(inner: &str) -> Option<Section> {
    Some(match inner {
        "" => Section::Whole,
        "HEADER" => Section::Header,
        "TEXT" => Section::Text,
        _ => {
            let (rest, not) = match inner.strip_prefix("HEADER.FIELDS.NOT ") {
                Some(rest) => (rest, true),
                None => (inner.strip_prefix("HEADER.FIELDS ")?, false),
            };
            let names = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
            Section::Fields { names: names.split_whitespace().map(|n| n.trim_matches('"').to_owned()).collect(), not }
        }
    })
}

/// True when answering marks the message as seen.
pub(crate) fn marks_seen(items: &[Item]) -> bool {
    items.iter().any(|i| matches!(i, Item::Section { peek: false, .. }))
}

/// The untagged answer for one message.
pub(crate) fn answer(out: &mut Vec<u8>, seq: u32, slot: &Slot, items: &[Item]) {
    out.extend_from_slice(format!("* {seq} FETCH (").as_bytes());
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        match item {
            Item::Flags => out.extend_from_slice(format!("FLAGS ({})", slot.flags.join(" ")).as_bytes()),
            Item::Uid => out.extend_from_slice(format!("UID {}", slot.uid).as_bytes()),
            Item::InternalDate => out.extend_from_slice(format!("INTERNALDATE \"{}\"", internal_date(slot.mail.received)).as_bytes()),
            Item::Size => out.extend_from_slice(format!("RFC822.SIZE {}", slot.mail.raw.len()).as_bytes()),
            Item::Envelope => out.extend_from_slice(format!("ENVELOPE {}", envelope(&slot.mail.raw)).as_bytes()),
            Item::Section { section, name, range, .. } => {
                let bytes = section_bytes(slot, section);
                let bytes = match range {
                    Some((start, count)) => {
                        let start = (*start).min(bytes.len());
                        &bytes[start..start.saturating_add(*count).min(bytes.len())]
                    }
                    None => &bytes,
                };
                out.extend_from_slice(format!("{name} {{{}}}\r\n", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    out.extend_from_slice(b")\r\n");
}

fn section_bytes<'s>(slot: &'s Slot, section: &Section) -> std::borrow::Cow<'s, [u8]> {
    let raw = &slot.mail.raw;
    match section {
        Section::Whole => raw.into(),
        Section::Header => (&raw[..slot.mail.body_start()]).into(),
        Section::Text => (&raw[slot.mail.body_start()..]).into(),
        Section::Fields { names, not } => {
            let mut bytes = Vec::new();
            for (name, field) in mime::header_fields(raw) {
                if names.iter().any(|n| n.eq_ignore_ascii_case(&name)) != *not {
                    bytes.extend_from_slice(&field);
                }
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.into()
        }
    }
}

fn internal_date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%d-%b-%Y %H:%M:%S +0000").to_string()
}

fn nstring(text: Option<&str>) -> String {
    match text {
        None => "NIL".to_owned(),
        Some(text) if text.bytes().all(|b| (b' '..0x7f).contains(&b)) => {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Some(text) => format!("{{{}}}\r\n{text}", text.len()),
    }
}

/// ENVELOPE; the subject stands as the message has it, not decoded.
fn envelope(raw: &[u8]) -> String {
    let mail = MessageParser::default().parse(raw).unwrap_or_default();
    let field = |name: &str| nstring(mime::header(raw, name).as_deref());
    let from = addresses(mail.from());
    let or_from = |a: String| if a == "NIL" { from.clone() } else { a };
    let fields = [
        field("Date"),
        field("Subject"),
        from.clone(),
        or_from(addresses(mail.sender())),
        or_from(addresses(mail.reply_to())),
        addresses(mail.to()),
        addresses(mail.cc()),
        addresses(mail.bcc()),
        field("In-Reply-To"),
        field("Message-ID"),
    ];
    format!("({})", fields.join(" "))
}

fn addresses(list: Option<&Address<'_>>) -> String {
    let one = |a: &mail_parser::Addr<'_>| {
        let (local, domain) = a.address().and_then(|a| a.rsplit_once('@')).unwrap_or_default();
        let name = a.name().map(mime::encode_words);
        format!("({} NIL {} {})", nstring(name.as_deref()), nstring(Some(local)), nstring(Some(domain)))
    };
    let all: String = list.map(|l| l.iter().map(one).collect()).unwrap_or_default();
    if all.is_empty() { "NIL".to_owned() } else { format!("({all})") }
}
