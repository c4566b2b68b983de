//! Raw mail to [`ReceivedMail`].

use super::{dsn, flowed, headers, html, quote};
use crate::model::{Attachment, MailKey, ReceivedMail, Token, TokenKey};
use jiff::Timestamp;
use mail_parser::{Address, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// More mails inside mails than this are read by their outermost header only: the parser keeps them
/// as values inside values, and dropping thousands of those ends the stack.
const MAX_NESTED: usize = 50;
/// More files than any mail has.
const MAX_FILES: usize = 1_000;

/// Parses a mail as it lies in a mailbox. Never fails: what cannot be read stays empty.
///
/// `tokens` holds what is found in subject, text and HTML source, and for a bounce in the returned
/// mail. `new_tokens` holds those of the new text, and those of the subject only when the subject has no
/// reply or forward prefix: every answer quotes the subject (`Re: …`).
pub fn parse_mail(raw: &[u8], key: MailKey, in_junk: bool, received: Option<Timestamp>, tokens: &TokenKey) -> ReceivedMail {
    let mail = empty(raw, key, in_junk, received);
    // What a stranger sent must not end the listener.
    let filled = catch_unwind(AssertUnwindSafe(|| fill(mail.clone(), raw, tokens)));
    filled.unwrap_or(mail)
}

fn empty(raw: &[u8], key: MailKey, in_junk: bool, received: Option<Timestamp>) -> ReceivedMail {
    ReceivedMail {
        key,
        in_junk,
        received,
        message_id: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
        from: String::new(),
        from_name: String::new(),
        reply_to: Vec::new(),
        to: Vec::new(),
        subject: String::new(),
        date: None,
        text: String::new(),
        new_text: String::new(),
        html: None,
        attachments: Vec::new(),
        auto: crate::model::AutoMark::default(),
        bounce: None,
        headers: Vec::new(),
        size: raw.len() as u64,
        sha256: sha256(raw),
        tokens: Vec::new(),
        new_tokens: Vec::new(),
    }
}

fn fill(mut mail: ReceivedMail, raw: &[u8], tokens: &TokenKey) -> ReceivedMail {
    let parser = MessageParser::default();
    // In debug builds the parser asserts things that broken nesting makes untrue (seen in 0.11.9); then the
    // header and the source of the body are still worth having.
    let whole = if nested_mails(raw) > MAX_NESTED { None } else { catch_unwind(AssertUnwindSafe(|| parser.parse(raw))).ok() };
    let flat = whole.is_none();
    let Some(message) = whole.unwrap_or_else(|| parser.parse_headers(raw)) else { return mail };
    let fields = headers::decoded(&message);
    fill_headers(&mut mail, &message, &fields);
    if flat {
        // Of a header alone the parser does not say where the body begins.
        let body = message.parts.first().and_then(|p| p.headers.last()).map_or(0, |h| h.offset_end as usize);
        mail.text = unix(&String::from_utf8_lossy(raw.get(body..).unwrap_or_default()));
        mail.new_text = quote::new_text(&mail.text);
    } else {
        fill_body(&mut mail, &message);
        mail.bounce = dsn::read(&message, &mail, &fields);
    }
    mail.headers = headers::for_evidence(&fields);
    find_tokens(&mut mail, &message, tokens);
    mail
}

/// How often the bytes could open a mail inside the mail.
fn nested_mails(raw: &[u8]) -> usize {
    const OPENERS: [&[u8]; 3] = [b"message/rfc822", b"message/global", b"multipart/digest"];
    let opens = |window: &[u8]| OPENERS.iter().any(|o| window.get(..o.len()).is_some_and(|w| w.eq_ignore_ascii_case(o)));
    raw.iter().enumerate().filter(|(i, b)| matches!(b, b'm' | b'M') && opens(&raw[*i..])).count()
}

fn fill_headers(mail: &mut ReceivedMail, message: &Message<'_>, fields: &[(String, String)]) {
    mail.message_id = headers::message_id(fields);
    mail.in_reply_to = headers::ids(fields, "in-reply-to");
    mail.references = headers::ids(fields, "references");
    mail.subject = headers::first(fields, "subject").unwrap_or_default().to_owned();
    mail.auto = headers::auto_mark(fields);
    mail.date = message.date().filter(|d| d.is_valid()).and_then(|d| Timestamp::from_second(d.to_timestamp()).ok());
    if let Some(from) = message.from().and_then(Address::first) {
        mail.from = clean(from.address.as_deref().unwrap_or_default());
        mail.from_name = clean(from.name.as_deref().unwrap_or_default());
    }
    mail.reply_to = addresses(message, &HeaderName::ReplyTo);
    mail.to = addresses(message, &HeaderName::To);
    mail.to.extend(addresses(message, &HeaderName::Cc));
}

fn addresses(message: &Message<'_>, name: &HeaderName<'static>) -> Vec<String> {
    let lists = message.header_values(name.clone()).filter_map(|v| v.as_address());
    lists.flat_map(Address::iter).filter_map(|a| a.address.as_deref()).map(clean).filter(|a| !a.is_empty()).take(1_000).collect()
}

/// Without control characters and blanks at the ends.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// What a leaf of the MIME tree is to a reader.
enum Leaf<'a> {
    Plain(Cow<'a, str>),
    Html(&'a str),
    File,
    /// Nothing to read: another form of the text (an invitation, AMP), or the signature over it.
    Aside,
}

fn fill_body(mail: &mut ReceivedMail, message: &Message<'_>) {
    let tree = Tree::of(message);
    let mut leaves = Vec::new();
    for (index, part) in message.parts.iter().enumerate() {
        if matches!(part.body, PartType::Multipart(_)) || tree.report[index] && dsn::is_report_part(part) {
            continue;
        }
        let leaf = if tree.signature[index] { Leaf::Aside } else { leaf(part, index, tree.alternative[index].is_some()) };
        match leaf {
            Leaf::File if mail.attachments.len() < MAX_FILES => mail.attachments.push(attachment(part, message)),
            Leaf::File | Leaf::Aside => {}
            leaf => leaves.push((tree.alternative[index], leaf)),
        }
    }
    // HTML is text only where its alternative says nothing in plain text.
    let spoken: HashSet<usize> = leaves
        .iter()
        .filter_map(|(alternative, leaf)| alternative.filter(|_| matches!(leaf, Leaf::Plain(t) if !t.trim().is_empty())))
        .collect();
    let (mut texts, mut new_texts, mut htmls) = (Vec::new(), Vec::new(), Vec::new());
    let mut quotes_in_html = false;
    for (alternative, leaf) in &leaves {
        match leaf {
            Leaf::Plain(text) => {
                texts.push(unix(text));
                new_texts.push(quote::new_text(&unix(text)));
            }
            Leaf::Html(source) => {
                htmls.push(*source);
                quotes_in_html |= html::without_quotes(source).1;
                if !alternative.is_some_and(|a| spoken.contains(&a)) {
                    texts.push(html::to_text(source));
                    new_texts.push(quote::new_text_of_html(source));
                }
            }
            Leaf::File | Leaf::Aside => {}
        }
    }
    mail.text = joined(&texts);
    mail.new_text = joined(&new_texts);
    mail.html = (!htmls.is_empty()).then(|| htmls.join("\n"));
    // A plain text part that marks no quote beside HTML that does: the HTML knows better.
    if quotes_in_html && !spoken.is_empty() && mail.new_text == quote::tidy(&mail.text) {
        mail.new_text = joined(&htmls.iter().map(|h| quote::new_text_of_html(h)).collect::<Vec<_>>());
    }
}

fn joined(texts: &[String]) -> String {
    texts.iter().map(|t| t.trim_end()).filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn leaf<'a>(part: &'a MessagePart<'_>, index: usize, alternative: bool) -> Leaf<'a> {
    let kind = part.content_type();
    let attached = part.content_disposition().is_some_and(|d| d.is_attachment());
    // A mail that consists of one named text is that text, not a file without a mail.
    let named = index > 0 && part.attachment_name().is_some_and(|n| !n.trim().is_empty());
    let (PartType::Text(text) | PartType::Html(text)) = &part.body else { return Leaf::File };
    if attached || named {
        return Leaf::File;
    }
    let subtype = kind.and_then(|k| k.subtype()).unwrap_or("plain");
    match kind.map_or("text", |k| k.ctype()) {
        "text" if subtype.eq_ignore_ascii_case("html") => Leaf::Html(text),
        "text" if subtype.eq_ignore_ascii_case("plain") => Leaf::Plain(plain(part, text)),
        // A multipart whose parts could not be found: all that is left is its source.
        "multipart" => Leaf::Plain(Cow::Borrowed(text)),
        _ if index == 0 => Leaf::Plain(Cow::Borrowed(text)),
        "text" if alternative => Leaf::Aside,
        _ => Leaf::File,
    }
}

/// A plain text part as it was typed.
fn plain<'a>(part: &MessagePart<'_>, text: &'a str) -> Cow<'a, str> {
    let says =
        |name: &str, value: &str| part.content_type().and_then(|k| k.attribute(name)).is_some_and(|v| v.trim().eq_ignore_ascii_case(value));
    if says("format", "flowed") { Cow::Owned(flowed::unflow(text, says("delsp", "yes"))) } else { Cow::Borrowed(text) }
}

fn attachment(part: &MessagePart<'_>, message: &Message<'_>) -> Attachment {
    let source;
    let bytes = match &part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.as_ref(),
        PartType::Text(_) | PartType::Html(_) => {
            source = text_bytes(part, message);
            &source
        }
        // The nested mail as it stands in the source.
        _ => message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default(),
    };
    let kind = part.content_type().map_or_else(
        || "text/plain".to_owned(),
        |k| match k.subtype() {
            Some(sub) => format!("{}/{sub}", k.ctype()).to_lowercase(),
            None => k.ctype().to_lowercase(),
        },
    );
    let name = clean(part.attachment_name().unwrap_or_default());
    Attachment { name, content_type: kind, size: Some(bytes.len() as u64), sha256: Some(sha256(bytes)) }
}

/// The bytes of an attached text: before its charset is decoded, because the hash is of the file.
fn text_bytes(part: &MessagePart<'_>, message: &Message<'_>) -> Vec<u8> {
    use mail_parser::Encoding;
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::Base64 => mail_parser::decoders::base64::base64_decode(raw),
        Encoding::QuotedPrintable => mail_parser::decoders::quoted_printable::quoted_printable_decode(raw),
        Encoding::None => None,
    };
    decoded.unwrap_or_else(|| raw.to_vec())
}

/// Of each part: the alternative it belongs to, whether it stands in a report, and whether it is a signature.
struct Tree {
    alternative: Vec<Option<usize>>,
    report: Vec<bool>,
    signature: Vec<bool>,
}

impl Tree {
    /// Parents stand before their children, so one pass is enough.
    fn of(message: &Message<'_>) -> Tree {
        let count = message.parts.len();
        let mut tree = Tree { alternative: vec![None; count], report: vec![false; count], signature: vec![false; count] };
        for (index, part) in message.parts.iter().enumerate() {
            let PartType::Multipart(children) = &part.body else { continue };
            let is = |subtype: &str| part.content_type().and_then(|k| k.subtype()).is_some_and(|s| s.eq_ignore_ascii_case(subtype));
            let alternative = if is("alternative") { Some(index) } else { tree.alternative[index] };
            let report = is("report") || tree.report[index];
            for child in children.iter().map(|c| *c as usize).filter(|c| *c > index && *c < count) {
                tree.alternative[child] = alternative;
                tree.report[child] = report;
            }
            // RFC 1847 section 2.1: the second part signs the first (S/MIME, PGP).
            if is("signed")
                && let [_, second, ..] = children.as_slice()
                && let Some(signature) = tree.signature.get_mut(*second as usize)
            {
                *signature = true;
            }
        }
        tree
    }
}

fn find_tokens(mail: &mut ReceivedMail, message: &Message<'_>, tokens: &TokenKey) {
    let mut all: Vec<Token> = Vec::new();
    let mut add = |text: &str| {
        for token in tokens.recognise(text) {
            if !all.contains(&token) {
                all.push(token);
            }
        }
    };
    add(&mail.subject);
    add(&mail.text);
    mail.html.iter().for_each(|h| add(h));
    if mail.bounce.is_some() {
        dsn::returned_texts(message).iter().for_each(|t| add(t));
    }
    mail.tokens = all;
    mail.new_tokens = tokens.recognise(&mail.new_text);
    if !quote::is_answer_subject(&mail.subject) {
        for token in tokens.recognise(&mail.subject) {
            if !mail.new_tokens.contains(&token) {
                mail.new_tokens.push(token);
            }
        }
    }
}

/// With LF line ends.
fn unix(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
