//! The kinds of values that keys take: durations, rates, secrets, addresses, times, words.

use super::read::{Doc, FromToml, choice, value_schema};
use crate::model::{
    AfterStage, AuthMethod, CleanUp, ClosingNotice, FollowUpTo, MailEncoding, Overlap, QuoteStyle, Rate, ReplyMode, Require, Stage, TlsMode,
};
use crate::problem::nearest;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;
use toml::de::DeValue;

choice!(TlsMode { "implicit" => TlsMode::Implicit, "starttls" => TlsMode::Starttls, "none" => TlsMode::None });
choice!(AuthMethod { "plain" => AuthMethod::Plain, "login" => AuthMethod::Login, "xoauth2" => AuthMethod::Xoauth2 });
choice!(Overlap { "skip" => Overlap::Skip, "allow" => Overlap::Allow });
choice!(ReplyMode { "post" => ReplyMode::Post, "await" => ReplyMode::Await });
choice!(AfterStage { "land" => AfterStage::Land, "acknowledge" => AfterStage::Acknowledge });
choice!(FollowUpTo { "agent" => FollowUpTo::Agent, "acknowledgement" => FollowUpTo::Acknowledgement, "own" => FollowUpTo::Own });
choice!(QuoteStyle { "top" => QuoteStyle::Top, "bottom" => QuoteStyle::Bottom, "inline" => QuoteStyle::Inline, "none" => QuoteStyle::None });
choice!(MailEncoding {
    "utf-8" => MailEncoding::Utf8,
    "latin-1" => MailEncoding::Latin1,
    "mislabelled" => MailEncoding::Mislabelled,
    "file-name" => MailEncoding::FileName,
});
choice!(Require { "required" => Require::Required, "wanted" => Require::Wanted, "ignored" => Require::Ignored });
choice!(ClosingNotice { "allowed" => ClosingNotice::Allowed, "never" => ClosingNotice::Never });
choice!(CleanUp { "close" => CleanUp::Close, "delete" => CleanUp::Delete, "keep" => CleanUp::Keep });
choice!(Stage {
    "send" => Stage::Send,
    "accept" => Stage::Accept,
    "land" => Stage::Land,
    "queue" => Stage::Queue,
    "format" => Stage::Format,
    "acknowledge" => Stage::Acknowledge,
    "reply" => Stage::Reply,
    "return" => Stage::Return,
    "follow_up" => Stage::FollowUp,
    "clean_up" => Stage::CleanUp,
});

impl FromToml for bool {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let found = value.as_bool();
        if found.is_none() {
            doc.wrong(span, "true or false", value);
        }
        found
    }
}

impl FromToml for String {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        string(value, span, "a string", doc).map(str::to_owned)
    }
}

impl FromToml for u16 {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let port = integer(value).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
        if port.is_none() {
            doc.wrong(span, "a port from 1 to 65535", value);
        }
        port
    }
}

/// A whole number from 1 to 100,000.
#[derive(Debug, Clone, Copy)]
pub struct Count(pub usize);

impl FromToml for Count {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let count = integer(value).and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=100_000).contains(n));
        if count.is_none() {
            doc.wrong(span, "a whole number from 1 to 100000", value);
        }
        count.map(Count)
    }
}

/// A whole number; none for other values and for numbers too large.
pub fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn string<'a>(value: &'a DeValue<'_>, span: &Range<usize>, expected: &str, doc: &mut Doc) -> Option<&'a str> {
    let found = value.as_str();
    if found.is_none() {
        doc.wrong(span, expected, value);
    }
    found
}

/// A short text: a string, or a number or truth value as the desk spells it.
#[derive(Debug, Clone)]
pub struct Word(pub String);

impl FromToml for Word {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = value.as_str().map(str::to_owned);
        let text = text.or_else(|| integer(value).map(|n| n.to_string())).or_else(|| value.as_bool().map(|b| b.to_string()));
        if text.is_none() {
            doc.wrong(span, "a string, a whole number or a truth value", value);
        }
        text.map(Word)
    }
}

/// A duration such as `90s`, `15m`, `1h 30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const LONG_UNITS: [(&str, &str); 9] = [
    ("milliseconds", "ms"),
    ("seconds", "s"),
    ("secs", "s"),
    ("minutes", "m"),
    ("mins", "m"),
    ("hours", "h"),
    ("hrs", "h"),
    ("days", "d"),
    ("weeks", "d"),
];
const LONGEST_MS: u64 = 3_650 * 86_400_000;

/// What is wrong with a text, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    part: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Fault {
    fn new(part: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Fault {
        Fault { part, message: message.into(), help: Some(help.into()) }
    }
}

/// Reads a duration: numbers with the units ms, s, m, h, d.
pub fn parse_period(text: &str) -> Result<Duration, Fault> {
    const EXAMPLES: &str = "durations look like \"90s\", \"15m\", \"1h 30m\" or \"2d\"";
    let whole = 0..text.len();
    let mut total: u64 = 0;
    let mut at = text.len() - text.trim_start().len();
    if text.trim().is_empty() {
        return Err(Fault::new(whole, "a duration is missing", EXAMPLES));
    }
    while at < text.len() {
        let rest = &text[at..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits == 0 {
            return Err(Fault::new(at..text.len(), format!("`{}` does not begin with a number", rest.trim_end()), EXAMPLES));
        }
        let number = &rest[..digits];
        let gap = rest[digits..].len() - rest[digits..].trim_start().len();
        let unit_at = at + digits + gap;
        let unit_len = text[unit_at..].find(|c: char| !c.is_alphabetic()).unwrap_or(text.len() - unit_at);
        let unit = &text[unit_at..unit_at + unit_len];
        if text[unit_at..].starts_with(['.', ',']) {
            let help = "use a smaller unit: \"90m\" or \"1h 30m\" instead of \"1.5h\"";
            return Err(Fault::new(at..text.len(), "fractions are not understood", help));
        }
        if unit.is_empty() {
            let help = format!("write \"{number}s\", \"{number}m\", \"{number}h\" or \"{number}d\"");
            return Err(Fault::new(at..unit_at.max(at + 1), format!("the number {number} has no unit"), help));
        }
        let Some((_, factor)) = UNITS.iter().find(|(u, _)| *u == unit) else {
            return Err(Fault::new(unit_at..unit_at + unit_len, format!("unknown unit `{unit}`"), unit_help(unit)));
        };
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)).and_then(|ms| total.checked_add(ms));
        total =
            part.filter(|ms| *ms <= LONGEST_MS).ok_or_else(|| Fault::new(whole.clone(), "a duration of more than ten years", EXAMPLES))?;
        let next = unit_at + unit_len;
        at = next + text[next..].len() - text[next..].trim_start().len();
    }
    Ok(Duration::from_millis(total))
}

fn unit_help(unit: &str) -> String {
    let long = nearest(unit, LONG_UNITS.iter().map(|(l, _)| *l)).and_then(|l| LONG_UNITS.iter().find(|(name, _)| *name == l));
    match long {
        Some((_, short)) => format!("did you mean `{short}`? units are ms, s, m, h and d"),
        None => "units are ms, s, m, h and d".to_owned(),
    }
}

/// A duration as people write it: `1h 30m`.
pub fn show_period(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, factor) in UNITS.iter().rev() {
        if left >= *factor {
            parts.push(format!("{}{unit}", left / factor));
            left %= factor;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

fn report(fault: Fault, value: &str, span: &Range<usize>, doc: &mut Doc) {
    let place = doc.inside(span, value, fault.part);
    let message = format!("`{}`: {}", doc.key, fault.message);
    doc.problem(place, message, fault.help);
}

impl FromToml for Period {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = string(value, span, "a duration such as \"90s\", \"15m\", \"1h 30m\" or \"2d\"", doc)?;
        parse_period(text).map(Period).map_err(|fault| report(fault, text, span, doc)).ok()
    }
}

/// At most so many messages in a time: `20/h`, `200/d`, `5/10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateText(pub Rate);

const RATES: &str = "rates look like \"20/h\", \"200/d\" or \"5/10m\"";

fn parse_rate(text: &str) -> Result<Rate, Fault> {
    let Some((count, per)) = text.split_once('/') else {
        return Err(Fault::new(0..text.len(), format!("`{text}` is not a rate"), RATES));
    };
    let number = count.trim().parse::<u32>().ok().filter(|n| *n > 0);
    let count =
        number.ok_or_else(|| Fault::new(0..count.len().max(1), format!("`{}` is not a number of messages", count.trim()), RATES))?;
    let from = text.len() - per.len();
    let trimmed = per.trim();
    let one = UNITS.iter().find(|(unit, _)| *unit == trimmed).map(|(_, ms)| Duration::from_millis(*ms));
    let per = match one {
        Some(per) => per,
        None if trimmed.starts_with(|c: char| c.is_ascii_digit()) => {
            parse_period(per).map_err(|f| Fault { part: f.part.start + from..f.part.end + from, ..f })?
        }
        None => return Err(Fault::new(from..text.len(), format!("unknown unit `{trimmed}`"), format!("{}; {RATES}", unit_help(trimmed)))),
    };
    if per.is_zero() {
        return Err(Fault::new(from..text.len(), "the time of a rate must be longer than zero", RATES));
    }
    Ok(Rate { count, per })
}

impl FromToml for RateText {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = string(value, span, "a rate such as \"20/h\", \"200/d\" or \"5/10m\"", doc)?;
        parse_rate(text).map(RateText).map_err(|fault| report(fault, text, span, doc)).ok()
    }
}

/// A mail address without a name.
#[derive(Debug, Clone)]
pub struct Address(pub String);

impl FromToml for Address {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = string(value, span, "a mail address", doc)?;
        if let Some(reason) = address_fault(text) {
            let inner = text.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).filter(|a| address_fault(a).is_none());
            let help = inner.map_or_else(|| "write it like `support@example.com`".to_owned(), |a| format!("write only `{a}`"));
            doc.problem(span.clone(), format!("`{text}` is not a mail address: {reason}"), help);
            return None;
        }
        Some(Address(text.to_owned()))
    }
}

/// Why a text is no address in the dot-atom form of RFC 5321 section 4.1.2 (letters of any script allowed, RFC 6531).
pub fn address_fault(text: &str) -> Option<&'static str> {
    let Some((local, domain)) = text.rsplit_once('@') else { return Some("it has no `@`") };
    if local.is_empty() {
        return Some("nothing stands before the `@`");
    }
    if local.len() > 64 || domain.len() > 255 {
        return Some("it is too long");
    }
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !local.chars().all(atom) || local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Some("the part before the `@` holds what must not stand there");
    }
    let label = |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && l.chars().all(|c| c.is_alphanumeric() || c == '-');
    if !domain.split('.').all(label) {
        return Some("the part after the `@` is no domain");
    }
    None
}

/// An address to listen on.
#[derive(Debug, Clone, Copy)]
pub struct Listen(pub SocketAddr);

impl FromToml for Listen {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = string(value, span, "an address with port", doc)?;
        match text.parse() {
            Ok(address) => Some(Listen(address)),
            Err(_) => {
                let help = "write an IP address and a port: \"127.0.0.1:9464\", \"0.0.0.0:9464\" or \"[::1]:9464\"";
                doc.problem(span.clone(), format!("`{text}` is not an address to listen on"), help.to_owned());
                None
            }
        }
    }
}

/// A point in time with its offset (RFC 3339), as a string or a TOML date.
#[derive(Debug, Clone, Copy)]
pub struct Instant(pub jiff::Timestamp);

impl FromToml for Instant {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let text = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            _ => {
                doc.wrong(span, "a time such as \"2026-12-24T18:00:00Z\"", value);
                return None;
            }
        };
        let time = text.parse().ok();
        if time.is_none() {
            let help = "write date, time and offset: \"2026-12-24T18:00:00Z\" or \"2026-12-24T19:00:00+01:00\"";
            doc.problem(span.clone(), format!("`{text}` is not a point in time"), help.to_owned());
        }
        time.map(Instant)
    }
}

value_schema!(
    Count => { "title": "number", "type": "integer", "minimum": 1, "maximum": 100_000 },
    Word => { "title": "string", "type": ["string", "integer", "boolean"] },
    Period => {
        "title": "duration", "type": "string",
        "pattern": r"^\s*([0-9]+\s*(ms|s|m|h|d)\s*)+$", "examples": ["90s", "15m", "1h 30m", "2d"],
    },
    RateText => {
        "title": "rate", "type": "string",
        "pattern": r"^\s*[0-9]+\s*/\s*([0-9]+\s*)?(ms|s|m|h|d)\s*$", "examples": ["20/h", "200/d", "5/10m"],
    },
    Address => { "title": "address", "type": "string", "pattern": "^[^@\\s]+@[^@\\s]+$", "examples": ["support@example.com"] },
    Listen => { "title": "address:port", "type": "string", "pattern": ":[0-9]+$", "examples": ["127.0.0.1:9464"] },
    Instant => { "title": "time", "type": "string", "format": "date-time", "examples": ["2026-12-24T18:00:00Z"] },
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown_alike() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h 30m", 5_400), ("2d", 172_800), (" 1h30m ", 5_400), ("0s", 0)] {
            assert_eq!(parse_period(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_period("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(show_period(Duration::from_secs(5_400)), "1h 30m");
        assert_eq!(show_period(Duration::from_millis(90_500)), "1m 30s 500ms");
        assert_eq!(show_period(Duration::ZERO), "0s");
    }

    #[test]
    fn a_wrong_duration_is_blamed_on_its_wrong_part() {
        let fault = |text| parse_period(text).unwrap_err();
        assert_eq!(fault("15 minuts").part, 3..9);
        assert!(fault("15 minuts").help.unwrap().contains("did you mean `m`?"));
        assert_eq!(fault("1h 30").part, 3..5);
        assert_eq!(fault("half an hour").part, 0..12);
        assert_eq!(fault("").message, "a duration is missing");
        assert_eq!(fault("99999999999999999999d").message, "a duration of more than ten years");
        assert_eq!(fault("1.5h").message, "fractions are not understood");
    }

    #[test]
    fn rates_are_read_and_wrong_ones_refused() {
        assert_eq!(parse_rate("20/h"), Ok(Rate { count: 20, per: Duration::from_secs(3_600) }));
        assert_eq!(parse_rate("5/10m"), Ok(Rate { count: 5, per: Duration::from_secs(600) }));
        assert_eq!(parse_rate("0/h").unwrap_err().part, 0..1);
        assert_eq!(parse_rate("20/hour").unwrap_err().part, 3..7);
        assert_eq!(parse_rate("20/0s").unwrap_err().message, "the time of a rate must be longer than zero");
        assert_eq!(parse_rate("20 per hour").unwrap_err().part, 0..11);
    }

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in ["a@b.c", "first.last+tag@desk.test", "ü@münchen.example", "x@localhost"] {
            assert_eq!(address_fault(good), None, "{good}");
        }
        for bad in ["a", "@b.c", "a@", "a b@c.d", "a@b..c", ".a@b.c", "Alice <a@b.c>", "a@-b.c", "a@b.c>"] {
            assert!(address_fault(bad).is_some(), "{bad}");
        }
    }
}
