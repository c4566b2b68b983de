//! Mail as a person's mail program writes it: bytes to hand in, and answers to what came back.

use crate::model::{MailEncoding, OutgoingAttachment, OutgoingMail, QuoteStyle, ReceivedMail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Address;
use lettre::message::header::{self, ContentTransferEncoding, ContentType, HeaderName, HeaderValue, Headers};
use lettre::message::{Attachment, Body, Mailbox, Mailboxes, MultiPart, SinglePart};

/// More ids than this are not carried on in References; the first and the latest stay.
const MAX_REFERENCES: usize = 20;
/// The longest line that goes out as it stands (RFC 5322 section 2.1.1 allows 998).
const MAX_LINE: usize = 990;

/// Why a mail cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// An address is none.
    #[error("`{address}` in {field} is not a mail address: write it as name@example.org")]
    Address {
        /// The header field.
        field: &'static str,
        /// What stands there.
        address: String,
    },
    /// Nobody is to get it.
    #[error("the mail has no recipient: give at least one address in To, Cc or Bcc")]
    NoRecipient,
    /// The Message-ID cannot stand between angle brackets.
    #[error("`{0}` cannot be a Message-ID: write it as left@right without blanks and angle brackets")]
    MessageId(String),
    /// The media type of a file is none.
    #[error("`{kind}` is not a media type (file `{name}`): write it as text/plain")]
    MediaType {
        /// File name.
        name: String,
        /// What stands there.
        kind: String,
    },
    /// A letter that the encoding does not have.
    #[error("`{0}` cannot be written in ISO-8859-1: take it out of the text, or write it in UTF-8")]
    Letter(char),
    /// The date is out of the range of a Date header.
    #[error("the date {0} cannot stand in a Date header")]
    Date(Timestamp),
}

/// The bytes of `mail`, with CRLF line ends, in this machine's time zone.
///
/// # Errors
/// When an address, the Message-ID, a media type or the date cannot be written.
pub fn compose(mail: &OutgoingMail) -> Result<Vec<u8>, ComposeError> {
    compose_in(mail, &TimeZone::system())
}

/// As [`compose`], with a Date in the given time zone.
///
/// # Errors
/// As [`compose`].
pub fn compose_in(mail: &OutgoingMail, zone: &TimeZone) -> Result<Vec<u8>, ComposeError> {
    if mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty() {
        return Err(ComposeError::NoRecipient);
    }
    let mut headers = Headers::new();
    headers.insert_raw(raw("Message-ID", format!("<{}>", id(&mail.message_id)?)));
    headers.insert_raw(raw("Date", date(mail.date, zone)?));
    headers.insert_raw(raw("MIME-Version", "1.0".to_owned()));
    let from = Mailbox::new(Some(one_line(&mail.from_name)).filter(|n| !n.is_empty()), address("From", &mail.from)?);
    headers.set(header::From::from(Mailboxes::from(from)));
    if !mail.to.is_empty() {
        headers.set(header::To::from(mailboxes("To", &mail.to)?));
    }
    if !mail.cc.is_empty() {
        headers.set(header::Cc::from(mailboxes("Cc", &mail.cc)?));
    }
    for bcc in &mail.bcc {
        address("Bcc", bcc)?;
    }
    headers.set(header::Subject::from(one_line(&mail.subject)));
    if let Some(parent) = &mail.in_reply_to {
        headers.insert_raw(raw("In-Reply-To", format!("<{}>", id(parent)?)));
    }
    if !mail.references.is_empty() {
        let ids = mail.references.iter().map(|r| id(r).map(|r| format!("<{r}>"))).collect::<Result<Vec<_>, _>>()?;
        headers.insert_raw(raw("References", ids.join("\r\n ")));
    }
    if mail.automatic {
        headers.insert_raw(raw("Auto-Submitted", "auto-replied".to_owned()));
    }
    let mut bytes = headers.to_string().into_bytes();
    bytes.extend_from_slice(&body(mail)?);
    Ok(bytes)
}

/// A field whose value is ASCII and folded already.
fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

fn id(id: &str) -> Result<&str, ComposeError> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>');
    if id.is_empty() || id.len() > 900 || !id.chars().all(fits) { Err(ComposeError::MessageId(id.to_owned())) } else { Ok(id) }
}

fn date(at: Timestamp, zone: &TimeZone) -> Result<String, ComposeError> {
    jiff::fmt::rfc2822::to_string(&at.to_zoned(zone.clone())).map_err(|_| ComposeError::Date(at))
}

fn address(field: &'static str, text: &str) -> Result<Address, ComposeError> {
    text.trim().parse().map_err(|_| ComposeError::Address { field, address: text.to_owned() })
}

fn mailboxes(field: &'static str, list: &[String]) -> Result<Mailboxes, ComposeError> {
    list.iter().map(|a| Ok(Mailbox::new(None, address(field, a)?))).collect()
}

/// Line breaks in a header would begin a new header.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_ascii() {
        return line.trim().to_owned();
    }
    // lettre's encoded words lose every blank between them where there is more than one.
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn body(mail: &OutgoingMail) -> Result<Vec<u8>, ComposeError> {
    let text = match mail.encoding {
        MailEncoding::Utf8 | MailEncoding::FileName => part(ContentType::TEXT_PLAIN, &mail.text),
        MailEncoding::Latin1 => latin1("text/plain; charset=iso-8859-1", &mail.text)?,
        MailEncoding::Mislabelled => latin1("text/plain; charset=utf-8", &mail.text)?,
    };
    let Some(html) = &mail.html else {
        if mail.attachments.is_empty() {
            return Ok(text.formatted());
        }
        return Ok(with_files(MultiPart::mixed().singlepart(text), &mail.attachments)?.formatted());
    };
    let both = MultiPart::alternative().singlepart(text).singlepart(part(ContentType::TEXT_HTML, html));
    if mail.attachments.is_empty() {
        return Ok(both.formatted());
    }
    Ok(with_files(MultiPart::mixed().multipart(both), &mail.attachments)?.formatted())
}

/// A text part in the plainest encoding that carries it.
fn part(kind: ContentType, text: &str) -> SinglePart {
    let text = crlf(text);
    let encoding = encoding_for(&text);
    let body = match Body::new_with_encoding(text.clone(), encoding) {
        Ok(body) => body,
        Err(_) => Body::new(text),
    };
    SinglePart::builder().header(kind).body(body)
}

/// A text part whose bytes are ISO-8859-1, whatever its type says.
fn latin1(kind: &str, text: &str) -> Result<SinglePart, ComposeError> {
    let letter = |c: char| u8::try_from(u32::from(c)).map_err(|_| ComposeError::Letter(c));
    let bytes = crlf(text).chars().map(letter).collect::<Result<Vec<u8>, _>>()?;
    let kind = ContentType::parse(kind).map_err(|_| ComposeError::MediaType { name: "text".to_owned(), kind: kind.to_owned() })?;
    let encoded = Body::new_with_encoding(bytes, ContentTransferEncoding::QuotedPrintable);
    Ok(SinglePart::builder().header(kind).body(encoded.unwrap_or_else(Body::new)))
}

fn encoding_for(text: &str) -> ContentTransferEncoding {
    let foreign = text.bytes().filter(|b| !b.is_ascii() || (*b < 32 && !matches!(b, b'\r' | b'\n' | b'\t'))).count();
    if foreign * 4 > text.len() {
        ContentTransferEncoding::Base64
    } else if foreign > 0 || text.split("\r\n").any(|l| l.len() > MAX_LINE || l.ends_with([' ', '\t'])) {
        ContentTransferEncoding::QuotedPrintable
    } else {
        ContentTransferEncoding::SevenBit
    }
}

fn with_files(mut mixed: MultiPart, files: &[OutgoingAttachment]) -> Result<MultiPart, ComposeError> {
    for file in files {
        let kind = ContentType::parse(&file.content_type)
            .map_err(|_| ComposeError::MediaType { name: file.name.clone(), kind: file.content_type.clone() })?;
        // Always base64: any other encoding may change line ends on the way, and the hash would differ.
        let body =
            Body::new_with_encoding(file.bytes.clone(), ContentTransferEncoding::Base64).unwrap_or_else(|_| Body::new(file.bytes.clone()));
        mixed = mixed.singlepart(Attachment::new(one_line(&file.name)).body(body, kind));
    }
    Ok(mixed)
}

/// LF, CR and CRLF become CRLF. Without those at the end: lettre ends every part with one.
fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end_matches(['\r', '\n']).replace(['\r', '\n'], "\r\n")
}

// ------------------------------------------------------------------------------------- answers

/// An answer to `to` from `from` (address and name), as a mail program makes it: to Reply-To or else From, `Re:` once,
/// threaded, the earlier mail quoted below `text`.
pub fn answer(to: &ReceivedMail, from: (&str, &str), text: &str, message_id: String, date: Timestamp) -> OutgoingMail {
    answer_in(to, from, text, message_id, date, &TimeZone::system())
}

/// As [`answer`], with the time in the introduction in the given time zone.
pub fn answer_in(to: &ReceivedMail, from: (&str, &str), text: &str, message_id: String, date: Timestamp, zone: &TimeZone) -> OutgoingMail {
    // RFC 5322 section 3.6.4: without References, a single In-Reply-To stands in for it.
    let earlier = if to.references.is_empty() && to.in_reply_to.len() == 1 { &to.in_reply_to } else { &to.references };
    let writer = if to.from_name.is_empty() { &to.from } else { &to.from_name };
    let when = to.date.or(to.received);
    OutgoingMail {
        from: from.0.to_owned(),
        from_name: from.1.to_owned(),
        to: if to.reply_to.is_empty() { vec![to.from.clone()] } else { to.reply_to.clone() },
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: answer_subject(&to.subject),
        text: format!("{}\n\n{}", text.trim_end(), quoted(&to.text, writer, when, zone)),
        html: None,
        attachments: Vec::new(),
        message_id,
        in_reply_to: to.message_id.clone().filter(|m| id(m).is_ok()),
        references: references(earlier, to.message_id.as_deref()),
        date,
        encoding: MailEncoding::default(),
        automatic: false,
    }
}

/// An answer to one's own first mail, to the same recipients: what a customer writes who adds something.
pub fn answer_own(first: &OutgoingMail, text: &str, message_id: String, date: Timestamp) -> OutgoingMail {
    answer_own_in(first, text, message_id, date, &TimeZone::system())
}

/// As [`answer_own`], with the time in the introduction in the given time zone.
pub fn answer_own_in(first: &OutgoingMail, text: &str, message_id: String, date: Timestamp, zone: &TimeZone) -> OutgoingMail {
    let writer = if first.from_name.is_empty() { &first.from } else { &first.from_name };
    OutgoingMail {
        from: first.from.clone(),
        from_name: first.from_name.clone(),
        to: first.to.clone(),
        cc: first.cc.clone(),
        bcc: first.bcc.clone(),
        subject: answer_subject(&first.subject),
        text: format!("{}\n\n{}", text.trim_end(), quoted(&first.text, writer, Some(first.date), zone)),
        html: None,
        attachments: Vec::new(),
        message_id,
        in_reply_to: Some(first.message_id.clone()),
        references: references(&first.references, Some(&first.message_id)),
        date,
        encoding: MailEncoding::default(),
        automatic: false,
    }
}

/// Moves the quote of an answer to where `style` has it; `text` is what was written.
pub fn quote_as(mail: &mut OutgoingMail, text: &str, style: QuoteStyle) {
    let own = text.trim_end();
    let Some(quote) = mail.text.strip_prefix(own).map(|rest| rest.trim_start().trim_end().to_owned()) else { return };
    mail.text = match style {
        QuoteStyle::Top => return,
        QuoteStyle::None => format!("{own}\n"),
        QuoteStyle::Bottom => format!("{quote}\n\n{own}\n"),
        QuoteStyle::Inline => {
            // The line that introduces the quote, and its first half, stand above.
            let lines: Vec<&str> = quote.lines().collect();
            let (above, below) = lines.split_at(lines.len().div_ceil(2));
            format!("{}\n\n{own}\n\n{}\n", above.join("\n"), below.join("\n"))
        }
    };
}

/// Makes a mail what a mail program sends by itself while its owner is away.
pub fn automatic(mail: &mut OutgoingMail) {
    mail.automatic = true;
    let subject = mail.subject.strip_prefix("Re: ").unwrap_or(&mail.subject);
    mail.subject = format!("Automatic reply: {subject}");
}

fn answer_subject(subject: &str) -> String {
    let subject = subject.trim();
    let prefix = subject.split_once([':', '：']).map(|(p, _)| p.trim().to_lowercase());
    // Only answers: a forward's `Fwd:` is answered with `Re: Fwd:`.
    let answered = prefix.is_some_and(|p| matches!(p.as_str(), "re" | "aw" | "sv" | "antw" | "odp" | "rif" | "res" | "回复" | "返信"));
    if answered { subject.to_owned() } else { format!("Re: {subject}") }
}

/// The earlier mail as a quote, with the line that introduces it.
fn quoted(text: &str, writer: &str, when: Option<Timestamp>, zone: &TimeZone) -> String {
    let writer = one_line(writer);
    let mut out = match when {
        Some(at) => format!("On {}, {writer} wrote:\n", at.to_zoned(zone.clone()).strftime("%a, %b %-d, %Y at %-H:%M")),
        None => format!("{writer} wrote:\n"),
    };
    for line in text.trim_end().lines() {
        out.push_str(if line.is_empty() || line.starts_with('>') { ">" } else { "> " });
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn references(earlier: &[String], parent: Option<&str>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in earlier.iter().map(String::as_str).chain(parent) {
        // An id that we could not write is left out rather than spoiling the answer.
        if self::id(id).is_ok() && !ids.iter().any(|i| i == id) {
            ids.push(id.to_owned());
        }
    }
    if ids.len() > MAX_REFERENCES {
        ids.drain(1..=ids.len() - MAX_REFERENCES);
    }
    ids
}

/// A Message-ID (without angle brackets) of the shape that mail programs give: a UUID at the sender's domain.
///
/// The same `random` and `now` give the same id.
pub fn message_id(random: u64, now: Timestamp, domain: &str) -> String {
    let seed = format!("{random}|{}|{domain}", now.as_nanosecond());
    let hash = ring::digest::digest(&ring::digest::SHA256, seed.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(b, h)| *b = *h);
    // Version 4, variant 1 (RFC 9562 section 5.4): the places that make it look like everybody's.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}@{domain}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
