//! The check of our own mail before it is sent: would a desk take it for a machine's?

use super::headers;
use mail_parser::{Address, MessageParser};

/// Header fields of programs that write mail by themselves.
const FIELDS: [&str; 10] = [
    "feedback-id",
    "list-archive",
    "list-help",
    "list-id",
    "list-owner",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "precedence",
];

/// Header fields that mail programs write into a person's mail. Whatever else stands in ours, some desk has a rule for.
const PERSONS: [&str; 13] = [
    "cc",
    "content-language",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "in-reply-to",
    "message-id",
    "mime-version",
    "references",
    "reply-to",
    "subject",
    "to",
];

/// The longest line that may go out, without its end (RFC 5322 section 2.1.1).
const LONGEST_LINE: usize = 998;

/// Local parts of senders that no person writes from.
const SENDERS: [&str; 9] =
    ["noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster", "bounce", "bounces"];

/// Beginnings of subjects of automatic mail, lower case.
const SUBJECTS: [&str; 22] = [
    "auto:",
    "auto-reply",
    "autoreply",
    "automatic reply",
    "automatic response",
    "automated response",
    "automatische antwort",
    "abwesenheitsnotiz",
    "absence du bureau",
    "réponse automatique",
    "respuesta automática",
    "risposta automatica",
    "automatisch antwoord",
    "resposta automática",
    "out of office",
    "out of the office",
    "undeliver",
    "undelivered",
    "delivery status notification",
    "mail delivery fail",
    "failure notice",
    "returned mail",
];

/// Why a desk would take the mail for a machine's, or a server would not take it as it is; none when it looks
/// like a person's.
pub fn looks_automated(raw: &[u8]) -> Option<String> {
    let Some(message) = MessageParser::default().parse_headers(raw) else { return Some("it has no header".to_owned()) };
    let fields = headers::decoded(&message);
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in &fields {
        let name = name.to_ascii_lowercase();
        if let Some(reason) = field(&name, value) {
            return Some(reason);
        }
        if seen.contains(&name) {
            return Some(format!("it has two {name} headers"));
        }
        seen.push(name);
    }
    for name in ["date", "message-id", "from"] {
        if headers::first(&fields, name).is_none_or(str::is_empty) {
            return Some(format!("it has no {name} header"));
        }
    }
    let Some(from) = message.from().and_then(Address::first).and_then(|a| a.address.as_deref()).filter(|a| a.contains('@')) else {
        return Some("its From header has no address".to_owned());
    };
    let local = from.split(['@', '+']).next().unwrap_or_default().to_lowercase();
    if SENDERS.contains(&local.as_str()) {
        return Some(format!("its sender `{from}` is one that no person writes from"));
    }
    origin(from, &fields).or_else(|| subject(headers::first(&fields, "subject").unwrap_or_default())).or_else(|| shape(raw))
}

/// Message-ID and Date as the sender's mail program writes them: at the sender's domain, with a time zone.
fn origin(from: &str, fields: &[(String, String)]) -> Option<String> {
    let domain = |address: &str| address.rsplit('@').next().unwrap_or_default().to_lowercase();
    let id = headers::message_id(fields).unwrap_or_default();
    if !id.contains('@') || domain(&id) != domain(from) {
        return Some(format!("its Message-ID `{id}` is not of the sender's domain `{}`", domain(from)));
    }
    let date = headers::first(fields, "date").unwrap_or_default();
    let zone = date.rsplit(' ').next().unwrap_or_default();
    let offset = zone.strip_prefix(['+', '-']).is_some_and(|z| z.len() == 4 && z.bytes().all(|b| b.is_ascii_digit()));
    // RFC 5322 section 3.3: -0000 is a machine that does not know where it is.
    (!offset || zone == "-0000").then(|| format!("its Date `{date}` does not say the sender's time zone"))
}

/// Lines as every server takes them (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.3).
fn shape(raw: &[u8]) -> Option<String> {
    for line in raw.split_inclusive(|b| *b == b'\n') {
        let words = line.strip_suffix(b"\r\n").unwrap_or(line);
        if words.len() > LONGEST_LINE {
            return Some(format!("it has a line of {} bytes, and {LONGEST_LINE} are allowed", words.len()));
        }
        if words.contains(&b'\n') || words.contains(&b'\r') {
            return Some("it has a line that does not end with CR LF".to_owned());
        }
    }
    None
}

fn field(name: &str, value: &str) -> Option<String> {
    if name == "auto-submitted" {
        return (!value.eq_ignore_ascii_case("no")).then(|| format!("it has the header Auto-Submitted: {value}"));
    }
    if name == "return-path" {
        let empty = matches!(value, "<>" | "");
        return Some(if empty { "its Return-Path is empty" } else { "it has a Return-Path, which servers write" }.to_owned());
    }
    if FIELDS.contains(&name) || name.starts_with("x-") {
        return Some(format!("it has the header {name}"));
    }
    (!PERSONS.contains(&name)).then(|| format!("it has the header {name}, which no mail program of a person writes"))
}

fn subject(subject: &str) -> Option<String> {
    let lower = subject.trim().to_lowercase();
    if let Some(start) = SUBJECTS.iter().find(|s| lower.starts_with(**s)) {
        return Some(format!("its subject begins with \"{start}\""));
    }
    // An answer carries what the desk put into the subject; there the desk wants to find it.
    if super::quote::is_answer_subject(subject) && !lower.starts_with('[') {
        return None;
    }
    // One tracker reads `[...]` at the end as a command, several read one at the start as a ticket's number.
    if lower.ends_with(']') && lower.contains('[') {
        return Some("its subject ends with [...], which some desks read as a command".to_owned());
    }
    let tag = lower.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(tag, _)| tag);
    if tag.is_some_and(|t| t.chars().any(|c| c.is_ascii_digit())) {
        return Some("its subject begins with [...], which some desks read as a ticket's number".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "From: Alice <alice@customers.example>\r\nTo: help@desk.example\r\nSubject: Parcel lost\r\n\
                        Date: Wed, 25 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@customers.example>\r\n\r\nHello\r\n";

    #[test]
    fn a_persons_mail_passes() {
        assert_eq!(looks_automated(GOOD.as_bytes()), None);
    }

    #[test]
    fn every_mark_of_a_machine_is_named() {
        let with = |line: &str| format!("{line}\r\n{GOOD}");
        let swap = |from: &str, to: &str| GOOD.replace(from, to);
        let table = [
            (with("Auto-Submitted: auto-generated"), "Auto-Submitted"),
            (with("Auto-Submitted: =?UTF-8?Q?auto-replied?="), "auto-replied"),
            (with("Precedence: bulk"), "precedence"),
            (with("List-Unsubscribe: <mailto:x@y>"), "list-unsubscribe"),
            (with("X-Probe: 1"), "x-probe"),
            (with("X-Auto-Response-Suppress: All"), "x-auto-response-suppress"),
            (with("Feedback-ID: 1"), "feedback-id"),
            (with("Return-Path: <>"), "Return-Path"),
            (swap("Subject: Parcel lost", "Subject: Automatic reply: x"), "automatic reply"),
            (swap("Subject: Parcel lost", "Subject: =?utf-8?q?Out_of_office?="), "out of office"),
            (swap("Subject: Parcel lost", "Subject: Parcel lost [rp1]"), "ends with"),
            (swap("Subject: Parcel lost", "Subject: [issue1] Parcel lost"), "begins with ["),
            (swap("alice@", "noreply@"), "noreply@customers.example"),
            (swap("Date: Wed, 25 Nov 2026 10:00:00 +0100\r\n", ""), "no date"),
            (swap("Message-ID: <1@customers.example>\r\n", ""), "no message-id"),
            (swap("From: Alice <alice@customers.example>", "From: "), "no from"),
            (with("User-Agent: replypath"), "user-agent"),
            (with("Received: by x"), "received"),
            (with("Sender: a@b.example"), "sender"),
            (with("Subject: twice"), "two subject"),
            (with("Return-Path: <alice@customers.example>"), "servers write"),
            (swap("<1@customers.example>", "<1@probe-7.local>"), "probe-7.local"),
            (swap("<1@customers.example>", "<1>"), "not of the sender's domain"),
            (swap("+0100", "-0000"), "time zone"),
            (swap("+0100", "GMT"), "time zone"),
            (swap("Hello\r\n", "Hello\n"), "CR LF"),
            (swap("Hello", "Hel\rlo"), "CR LF"),
            (swap("Hello", &"x".repeat(999)), "999 bytes"),
            (String::new(), "no header"),
        ];
        for (mail, word) in table {
            let reason = looks_automated(mail.as_bytes());
            assert!(reason.as_deref().is_some_and(|r| r.contains(word)), "{word}: {reason:?}");
        }
    }

    #[test]
    fn an_answer_may_carry_the_desks_tag() {
        for subject in ["Re: Support Ticket Opened [#693919]", "Re: [desk.test #2] Parcel lost"] {
            assert_eq!(looks_automated(GOOD.replace("Parcel lost", subject).as_bytes()), None, "{subject}");
        }
        assert!(looks_automated(GOOD.replace("Parcel lost", "[desk #2] Re: x").as_bytes()).is_some());
    }

    #[test]
    fn auto_submitted_no_is_no_mark() {
        assert_eq!(looks_automated(format!("Auto-Submitted: no\r\n{GOOD}").as_bytes()), None);
        assert_eq!(looks_automated(GOOD.replace("Hello", &"x".repeat(998)).as_bytes()), None);
    }
}
