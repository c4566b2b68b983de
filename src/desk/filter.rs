//! Filters of templates: conversions, encoders, and the quoting without which nothing enters a query language.

use super::scope::{Scope, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jmespath::Variable;
use std::sync::Arc;

/// An argument of a filter: `'text'` or the name of a variable or item field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// Literal.
    Text(String),
    /// The value of a name.
    Name(String),
}

/// What is done to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A boolean.
    Bool,
    /// The value as JSON text.
    Json,
    /// Another value when it is missing.
    Default(Arg),
    /// Leaves the key out when the value is missing or empty.
    OmitEmpty,
    /// Base64 of text or bytes (RFC 4648 section 4).
    Base64,
    /// A `data:` URL (RFC 2397) with the given media type.
    DataUrl(Arg),
    /// HMAC-SHA256 (RFC 2104) with the named key, in hexadecimal.
    Hmac(Arg),
    /// Percent-encoding of a query value (RFC 3986 section 2).
    Url,
    /// Percent-encoding of one path segment; empty, `.` and `..` are refused.
    Path,
    /// HTML escapes.
    Html,
    /// Text of HTML.
    Plain,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// Without surrounding white space.
    Trim,
    /// A quoted string of Request Tracker's TicketSQL.
    TicketSql,
    /// A quoted string of Jira's JQL.
    Jql,
    /// A phrase in double quotes, as search boxes know it.
    Phrase,
    /// The inside of an SQL LIKE pattern: `%`, `_` and `\` escaped with `\`.
    Like,
    /// RFC 3339, UTC.
    Rfc3339,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// A `strftime` format, UTC.
    Time(String),
    /// Host and port of a URL.
    Host,
    /// What follows the last `/`.
    LastSegment,
}

/// Names without arguments, with what they do.
pub const PLAIN: [(&str, Filter, &str); 22] = [
    ("string", Filter::String, "text"),
    ("int", Filter::Int, "a whole number"),
    ("bool", Filter::Bool, "true or false"),
    ("json", Filter::Json, "the value as JSON text"),
    ("omit_empty", Filter::OmitEmpty, "leaves the key or parameter out when the value is missing or empty"),
    ("base64", Filter::Base64, "base64 of text or bytes"),
    ("url", Filter::Url, "percent-encoding; query parameters and path segments are encoded without it"),
    ("path", Filter::Path, "percent-encoding of one path segment; empty, `.` and `..` are refused"),
    ("html", Filter::Html, "HTML escapes"),
    ("plain", Filter::Plain, "the text of HTML"),
    ("lower", Filter::Lower, "lower case"),
    ("upper", Filter::Upper, "upper case"),
    ("trim", Filter::Trim, "without surrounding white space"),
    ("ticketsql", Filter::TicketSql, "a quoted string of Request Tracker's TicketSQL"),
    ("jql", Filter::Jql, "a quoted string of Jira's JQL"),
    ("phrase", Filter::Phrase, "a phrase in double quotes, as search boxes know it"),
    ("like", Filter::Like, "the inside of an SQL LIKE pattern: `%`, `_` and `\\` escaped"),
    ("rfc3339", Filter::Rfc3339, "a time as RFC 3339, UTC"),
    ("epoch_s", Filter::EpochS, "a time as seconds since 1970"),
    ("epoch_ms", Filter::EpochMs, "a time as milliseconds since 1970"),
    ("host", Filter::Host, "host and port of a URL"),
    ("last_segment", Filter::LastSegment, "what follows the last `/`"),
];
/// Names with an argument, with an example and what they do.
pub const WITH_ARG: [(&str, &str, &str); 4] = [
    ("default", "default:'none'", "another text, or the value of another name, when the value is missing or empty"),
    ("data_url", "data_url:item.type", "a `data:` URL with that media type"),
    ("hmac_sha256", "hmac_sha256:hmac_key", "HMAC-SHA256 with that key, in hexadecimal; missing when the key is"),
    ("time", "time:'%Y-%m-%d %H:%M:%S'", "a time in a strftime format, UTC"),
];

/// The names of query languages that a step can declare.
pub const LANGUAGES: [&str; 6] = ["ticketsql", "jql", "phrase", "like", "path", "url"];

impl Filter {
    /// Reads `name` or `name:arg`. The error is a message and a hint.
    pub fn parse(text: &str) -> Result<Filter, (String, Option<String>)> {
        let (name, arg) = match text.split_once(':') {
            None => (text.trim(), None),
            Some((name, arg)) => (name.trim(), Some(parse_arg(arg.trim()))),
        };
        match (PLAIN.iter().find(|(n, _, _)| *n == name), WITH_ARG.iter().any(|(n, _, _)| *n == name), arg) {
            (Some((_, filter, _)), _, None) => Ok(filter.clone()),
            (Some(_), _, Some(_)) => Err((format!("the filter `{name}` takes no argument"), None)),
            (None, true, Some(arg)) => match (name, arg) {
                ("default", arg) => Ok(Filter::Default(arg)),
                ("data_url", arg) => Ok(Filter::DataUrl(arg)),
                ("hmac_sha256", arg) => Ok(Filter::Hmac(arg)),
                (_, Arg::Text(format)) => time_format(format),
                (_, Arg::Name(_)) => {
                    Err(("the filter `time` takes a format in quotes".to_owned(), Some("time:'%Y-%m-%d %H:%M:%S'".to_owned())))
                }
            },
            (None, true, None) => Err((format!("the filter `{name}` needs an argument"), Some(format!("{name}:'…'")))),
            (None, false, _) => {
                let names = PLAIN.iter().map(|(n, _, _)| *n).chain(WITH_ARG.iter().map(|(n, _, _)| *n));
                let near = crate::suggest::suggest(name, names.clone());
                let help =
                    near.map_or_else(|| format!("filters: {}", names.collect::<Vec<_>>().join(", ")), |n| format!("did you mean `{n}`?"));
                Err((format!("there is no filter `{name}`"), Some(help)))
            }
        }
    }

    /// True when a value that went through this filter can do no harm inside the query language.
    pub fn quotes_for(&self, language: &str) -> bool {
        let name = PLAIN.iter().find(|(_, f, _)| f == self).map(|(n, _, _)| *n);
        name == Some(language) || matches!(self, Filter::Int | Filter::EpochS | Filter::EpochMs)
    }

    /// True when the filter quotes for any language, or gives only digits.
    pub fn quotes(&self) -> bool {
        LANGUAGES.iter().any(|l| self.quotes_for(l)) || matches!(self, Filter::Rfc3339 | Filter::Time(_))
    }

    /// Applies the filter. The error continues a sentence that begins with the value's name.
    pub fn apply(&self, value: Option<Value>, scope: &Scope<'_>) -> Result<Option<Value>, String> {
        let value = match (self, value) {
            (Filter::Default(arg), None) => return Ok(argument(arg, scope)),
            (Filter::Default(arg), Some(v)) => return Ok(if blank(&v) { argument(arg, scope) } else { Some(v) }),
            (Filter::OmitEmpty, Some(v)) => return Ok(if blank(&v) { None } else { Some(v) }),
            (_, None) => return Ok(None),
            (_, Some(v)) => v,
        };
        let out = match self {
            Filter::Int => Value::Json(Arc::new(Variable::Number(whole(&value)?.into()))),
            Filter::Bool => Value::Json(Arc::new(Variable::Bool(truth(&value)?))),
            Filter::Json => match &value {
                Value::Json(json) => Value::text(json.to_string()),
                other => Value::text(serde_json::Value::String(other.to_text()?).to_string()),
            },
            Filter::Base64 => Value::text(STANDARD.encode(bytes(&value)?)),
            Filter::DataUrl(arg) => {
                let kind = argument(arg, scope).map(|v| v.to_text()).transpose()?.unwrap_or_else(|| "application/octet-stream".to_owned());
                Value::text(format!("data:{kind};base64,{}", STANDARD.encode(bytes(&value)?)))
            }
            Filter::Hmac(arg) => match argument(arg, scope) {
                None => return Ok(None),
                Some(key) => Value::text(hmac(&key.to_text()?, &bytes(&value)?)),
            },
            Filter::Rfc3339 => Value::text(time(&value)?.to_string()),
            Filter::EpochS => Value::text(time(&value)?.as_second().to_string()),
            Filter::EpochMs => Value::text(time(&value)?.as_millisecond().to_string()),
            Filter::Time(format) => Value::text(time(&value)?.strftime(format.as_bytes()).to_string()),
            _ => Value::text(self.on_text(value.to_text()?)?),
        };
        Ok(Some(out))
    }

    fn on_text(&self, text: String) -> Result<String, String> {
        Ok(match self {
            Filter::Url => percent(&text),
            Filter::Path => segment(&text)?,
            Filter::Html => escape_html(&text),
            Filter::Plain => mail_parser::decoders::html::html_to_text(&text),
            Filter::Lower => text.to_lowercase(),
            Filter::Upper => text.to_uppercase(),
            Filter::Trim => text.trim().to_owned(),
            Filter::TicketSql => format!("'{}'", one_line(&text).replace('\\', "\\\\").replace('\'', "\\'")),
            Filter::Jql => format!("\"{}\"", one_line(&text).replace('\\', "\\\\").replace('"', "\\\"")),
            Filter::Phrase => format!("\"{}\"", one_line(&text).replace(['"', '\\'], " ")),
            Filter::Like => one_line(&text).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"),
            Filter::Host => url_host(&text)?,
            Filter::LastSegment => text.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned(),
            _ => text,
        })
    }
}

fn hmac(key: &str, text: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    ring::hmac::sign(&key, text).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn parse_arg(text: &str) -> Arg {
    match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        Some(inner) => Arg::Text(inner.to_owned()),
        None => Arg::Name(text.to_owned()),
    }
}

fn time_format(format: String) -> Result<Filter, (String, Option<String>)> {
    // A format that cannot be written is found now, not in the middle of a run.
    match jiff::fmt::strtime::format(format.as_bytes(), &Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC)) {
        Ok(_) => Ok(Filter::Time(format)),
        Err(e) => Err((format!("this time format cannot be used: {e}"), None)),
    }
}

fn argument(arg: &Arg, scope: &Scope<'_>) -> Option<Value> {
    match arg {
        Arg::Text(text) => Some(Value::text(text.clone())),
        Arg::Name(name) if name.starts_with("item.") => {
            let path = super::path::Path::parse(&name[5..]).ok()?;
            scope.item(name, &path).ok().flatten()
        }
        Arg::Name(name) => scope.var(name),
    }
}

/// Empty text or list; `false` and 0 are values.
fn blank(value: &Value) -> bool {
    match value {
        Value::Json(json) => !json.is_boolean() && !json.is_truthy(),
        other => other.is_empty(),
    }
}

fn whole(value: &Value) -> Result<i64, String> {
    let text = value.to_text()?;
    text.trim().parse().map_err(|_| "is not a whole number".to_owned())
}

fn truth(value: &Value) -> Result<bool, String> {
    match value.to_text()?.as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        other => other.to_text().map(String::into_bytes),
    }
}

fn time(value: &Value) -> Result<Timestamp, String> {
    match value {
        Value::Time(at) => Ok(*at),
        other => other.to_text()?.parse().map_err(|_| "is not a time".to_owned()),
    }
}

/// Control characters end statements and lines in some languages; none of our values needs them.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Everything but the unreserved characters of RFC 3986 section 2.3, percent-encoded.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// One path segment. Empty and dot segments would address something else than meant.
pub fn segment(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "." || text == ".." {
        return Err("is no usable part of a path (empty, `.` or `..`)".to_owned());
    }
    Ok(percent(text))
}

/// Text inside HTML.
pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Host of a URL, with its port when it is not the scheme's own.
pub fn url_host(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|e| format!("is not a URL: {e}"))?;
    let host = url.host_str().ok_or_else(|| "is a URL without a host".to_owned())?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(filter: &str, text: &str) -> Result<String, String> {
        let scope = Scope::default();
        let filter = Filter::parse(filter).unwrap();
        filter.apply(Some(Value::text(text)), &scope).map(|v| v.unwrap().to_text().unwrap())
    }

    #[test]
    fn quoting_filters_let_nothing_out_of_their_string() {
        assert_eq!(run("ticketsql", r"a' OR id > 0 \").unwrap(), r"'a\' OR id > 0 \\'");
        assert_eq!(run("jql", "x\" OR project = A\n\\").unwrap(), r#""x\" OR project = A \\""#);
        assert_eq!(run("phrase", r#"a" b\"#).unwrap(), r#""a  b ""#);
        assert_eq!(run("like", r"50%_\").unwrap(), r"50\%\_\\");
        assert_eq!(run("path", "a/b?c#d é").unwrap(), "a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(run("url", "a&b=c").unwrap(), "a%26b%3Dc");
    }

    #[test]
    fn a_path_segment_that_would_address_something_else_is_refused() {
        for text in ["", ".", ".."] {
            assert!(run("path", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn times_and_types_convert_or_say_why_not() {
        assert_eq!(run("epoch_s", "2026-11-25T00:00:01Z").unwrap(), "1795564801");
        assert_eq!(run("time:'%Y-%m-%d %H:%M:%S'", "2026-11-25T03:47:41Z").unwrap(), "2026-11-25 03:47:41");
        assert!(run("int", "12a").unwrap_err().contains("whole number"));
        assert!(Filter::parse("time:'%!'").is_err());
        assert_eq!(Filter::parse("ticketsq").unwrap_err().1.unwrap(), "did you mean `ticketsql`?");
    }
}
