//! Bounces: delivery status notifications (RFC 3464) and the mails that only look like one.

use super::headers;
use crate::model::{Bounce, BounceAction, ReceivedMail};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// Subjects of bounces, in lower case.
const SUBJECTS: [&str; 20] = [
    "undeliver",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "delivery has failed",
    "delivery problem",
    "delivery delayed",
    "delivery incomplete",
    "mail delivery fail",
    "mail delivery system",
    "mail system error",
    "message delayed",
    "message not delivered",
    "could not be delivered",
    "failure notice",
    "failure delivery",
    "returned mail",
    "returned to sender",
    "nicht zustellbar",
    "unzustellbar",
];

/// Parts of a report that are no files: the notification's own (RFC 3462, 3464, 6533, 8098).
pub fn is_report_part(part: &MessagePart<'_>) -> bool {
    match media_type(part).as_str() {
        "text/rfc822-headers" | "text/rfc822" => true,
        kind => kind.starts_with("message/"),
    }
}

fn media_type(part: &MessagePart<'_>) -> String {
    part.content_type().map_or_else(String::new, |k| format!("{}/{}", k.ctype(), k.subtype().unwrap_or_default()).to_lowercase())
}

/// The bounce that `mail` is; none for any other mail. `mail` has its headers and text already.
pub fn read(message: &Message<'_>, mail: &ReceivedMail, fields: &[(String, String)]) -> Option<Bounce> {
    let mut bounce = match standard(message) {
        Some(bounce) => bounce,
        None => plain(mail, fields)?,
    };
    if bounce.original_message_id.is_none() {
        bounce.original_message_id = returned_headers(message).and_then(|h| headers::message_id(&h)).or_else(|| id_in_text(&mail.text));
    }
    Some(bounce)
}

/// Subject and text of the mail that came back, for tokens.
pub fn returned_texts(message: &Message<'_>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for part in &message.parts {
        if let PartType::Message(inner) = &part.body {
            texts.extend(inner.text_bodies().filter_map(|p| p.text_contents()).map(str::to_owned));
        }
    }
    if let Some(fields) = returned_headers(message) {
        texts.extend(headers::first(&fields, "subject").map(str::to_owned));
    }
    texts
}

/// The header of the mail that came back.
fn returned_headers(message: &Message<'_>) -> Option<Vec<(String, String)>> {
    message.parts.iter().skip(1).find_map(|part| match &part.body {
        PartType::Message(inner) => Some(inner.parts.first().map_or_else(Vec::new, |root| {
            // Offsets of an inner mail count from the start of what it was parsed from.
            let fields = root.headers.iter();
            fields.map(|h| (h.name.as_str().to_owned(), plain_value(&h.value))).collect()
        })),
        PartType::Text(text) if matches!(media_type(part).as_str(), "text/rfc822-headers" | "text/rfc822" | "message/rfc822") => {
            parse_header(text)
        }
        PartType::Binary(bytes) if matches!(media_type(part).as_str(), "message/global-headers" | "message/rfc822-headers") => {
            parse_header(&String::from_utf8_lossy(bytes))
        }
        _ => None,
    })
}

fn parse_header(text: &str) -> Option<Vec<(String, String)>> {
    let closed = format!("{}\r\n\r\n", text.trim());
    let parsed = MessageParser::default().parse_headers(closed.as_bytes())?;
    Some(headers::decoded(&parsed))
}

fn plain_value(value: &mail_parser::HeaderValue<'_>) -> String {
    match value {
        mail_parser::HeaderValue::Text(text) => text.to_string(),
        mail_parser::HeaderValue::TextList(list) => list.iter().map(|i| format!("<{i}>")).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

// ------------------------------------------------------------------------------------ RFC 3464

fn standard(message: &Message<'_>) -> Option<Bounce> {
    let status =
        message.parts.iter().find(|p| matches!(media_type(p).as_str(), "message/delivery-status" | "message/global-delivery-status"))?;
    let text = match &status.body {
        PartType::Text(text) => text.to_string(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return None,
    };
    let blocks = blocks(&text);
    let reporting_mta = blocks.iter().find_map(|b| value(b, "reporting-mta")).map(|v| typed(&v));
    let recipients: Vec<Bounce> =
        blocks.iter().filter_map(|b| recipient(b)).map(|b| Bounce { reporting_mta: reporting_mta.clone(), ..b }).collect();
    let rank = |b: &Bounce| match b.action {
        BounceAction::Failed => 0,
        BounceAction::Delayed => 1,
        BounceAction::Other => 2,
    };
    recipients.into_iter().min_by_key(rank)
}

/// Groups of fields, parted by empty lines (RFC 3464 section 2.1), unfolded.
fn blocks(text: &str) -> Vec<Vec<(String, String)>> {
    let mut blocks: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines() {
        if line.trim().is_empty() {
            blocks.push(Vec::new());
            continue;
        }
        let Some(block) = blocks.last_mut() else { continue };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    blocks
}

fn value(block: &[(String, String)], name: &str) -> Option<String> {
    block.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty())
}

/// `rfc822; a@b` without its type.
fn typed(value: &str) -> String {
    value.split_once(';').map_or(value, |(_, v)| v).trim().to_owned()
}

fn recipient(block: &[(String, String)]) -> Option<Bounce> {
    let address = value(block, "final-recipient").or_else(|| value(block, "original-recipient"))?;
    let status = value(block, "status").and_then(|v| enhanced_code(&v));
    // A comment may follow (RFC 3464 section 2.1.2).
    let action = value(block, "action").unwrap_or_default().to_ascii_lowercase();
    let action = match action.split(['(', ' ', ';']).next().unwrap_or_default() {
        "failed" => BounceAction::Failed,
        "delayed" => BounceAction::Delayed,
        // The field is required; without it the class of the status tells.
        "" if status.as_deref().is_some_and(|s| s.starts_with('5')) => BounceAction::Failed,
        "" if status.as_deref().is_some_and(|s| s.starts_with('4')) => BounceAction::Delayed,
        _ => BounceAction::Other,
    };
    Some(Bounce {
        action,
        status,
        recipient: Some(typed(&address).trim_matches(['<', '>']).to_owned()).filter(|a| !a.is_empty()),
        diagnostic: value(block, "diagnostic-code").map(|v| typed(&v)).map(|v| v.chars().take(1_000).collect()),
        reporting_mta: None,
        original_message_id: None,
    })
}

// ------------------------------------------------------------------------------- without a DSN

/// A bounce in plain words: from the mail system, with a bounce's subject, and a code or an address in it.
fn plain(mail: &ReceivedMail, fields: &[(String, String)]) -> Option<Bounce> {
    let local = mail.from.split('@').next().unwrap_or_default().to_lowercase();
    let name = mail.from_name.to_lowercase();
    let daemon = matches!(local.as_str(), "mailer-daemon" | "postmaster" | "mailerdaemon" | "mail-daemon")
        || name.contains("mail delivery s")
        || mail.auto.others.iter().any(|o| o == "return-path");
    let subject = mail.subject.to_lowercase();
    let titled = SUBJECTS.iter().any(|s| subject.contains(s)) && !super::quote::is_answer_subject(&mail.subject);
    if !daemon || !titled {
        return None;
    }
    let text = above_the_copy(&mail.text);
    let status = enhanced_code(text);
    let named = headers::first(fields, "x-failed-recipients").and_then(|v| v.split(',').next()).map(|v| v.trim().to_owned());
    let recipient = named.or_else(|| address_in(text));
    let permanent = text.to_lowercase().contains("permanent");
    if status.is_none() && recipient.is_none() && !permanent {
        return None;
    }
    Some(Bounce {
        action: action_of(&subject, text, status.as_deref()),
        status,
        recipient,
        diagnostic: diagnostic_in(text),
        reporting_mta: None,
        original_message_id: None,
    })
}

fn action_of(subject: &str, text: &str, status: Option<&str>) -> BounceAction {
    let text = text.to_lowercase();
    let said = ["delay", "will be retried", "will keep trying", "not yet been delivered", "still being retried", "no action is required"];
    let delayed = said.iter().any(|w| subject.contains(w) || text.contains(w));
    match status.and_then(|s| s.bytes().next()) {
        Some(b'5') => BounceAction::Failed,
        _ if delayed => BounceAction::Delayed,
        // A 4.x.y that is given up at the end is a failure (RFC 3464 section 2.3.4).
        _ => BounceAction::Failed,
    }
}

/// The report, without the mail that follows it.
fn above_the_copy(text: &str) -> &str {
    const COPIES: [&str; 5] = [
        "--- Below this line is a copy",
        "------ This is a copy",
        "----- Original message -----",
        "--- Original message",
        "--- The header of the original",
    ];
    let end = COPIES.iter().filter_map(|c| text.find(c)).min().unwrap_or(text.len());
    let end = end.min(16_000);
    let end = (0..=end).rev().find(|e| text.is_char_boundary(*e)).unwrap_or(0);
    &text[..end]
}

/// The first enhanced status code of class 4 or 5 (RFC 3463).
pub(crate) fn enhanced_code(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|w| w.trim_matches('.')).find_map(|word| {
        let mut parts = word.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |s: &str| (1..=3).contains(&s.len());
        (matches!(class, "4" | "5") && digits(subject) && digits(detail) && parts.next().is_none()).then(|| word.to_owned())
    })
}

/// The first address in the report: in angle brackets (qmail, Postfix) or alone on a line (Exim).
fn address_in(text: &str) -> Option<String> {
    let looks = |a: &str| {
        a.len() < 255 && a.split_once('@').is_some_and(|(l, d)| !l.is_empty() && d.contains('.')) && !a.contains([' ', '<', '>', '"'])
    };
    let bracketed = text.split('<').skip(1).filter_map(|r| r.split_once('>')).map(|(a, _)| a).find(|a| looks(a));
    let alone = || text.lines().map(|l| l.trim().trim_matches([':', ','])).find(|l| looks(l));
    bracketed.or_else(alone).map(str::to_owned)
}

/// The line with an SMTP answer in it.
fn diagnostic_in(text: &str) -> Option<String> {
    let answer = |line: &&str| {
        let words = line.split([' ', ':', '(', '-', '#']);
        words.clone().any(|w| w.len() == 3 && matches!(w.as_bytes()[0], b'4' | b'5') && w.bytes().all(|b| b.is_ascii_digit()))
            || enhanced_code(line).is_some()
    };
    text.lines().map(str::trim).find(answer).map(|l| l.chars().take(1_000).collect())
}

/// `Message-ID:` in a copy of the mail that stands in the text.
fn id_in_text(text: &str) -> Option<String> {
    let line = text
        .lines()
        .map(|l| l.trim_start_matches(['>', ' ', '\t']))
        .find(|l| l.get(..11).is_some_and(|p| p.eq_ignore_ascii_case("message-id:")))?;
    let value = line.get(11..)?.trim();
    headers::message_id(&[("message-id".to_owned(), value.to_owned())])
}
