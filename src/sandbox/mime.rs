//! Mail as bytes: written by hand, read only as far as the servers need it.

use super::mailbox::SearchText;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use mail_parser::{HeaderValue, MessageParser, PartType};

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// A message to be written. Header values are plain text; addresses come from [`mailbox`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) base64: bool,
    /// Letters and digits that no part contains.
    pub(crate) boundary: String,
}

impl Draft {
    /// The whole message with CRLF line ends.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut out = String::new();
        for (name, value) in &self.headers {
            out.push_str(&fold(name, value));
        }
        out.push_str("MIME-Version: 1.0\r\n");
        let text = self.text_part("text/plain", &self.text);
        let body = match &self.html {
            Some(html) => self.multipart("alternative", "a", &[text, self.text_part("text/html", html)]),
            None => text,
        };
        if self.files.is_empty() {
            out.push_str(&body);
        } else {
            let mut parts = vec![body];
            parts.extend(self.files.iter().map(file_part));
            out.push_str(&self.multipart("mixed", "m", &parts));
        }
        out.into_bytes()
    }

    fn multipart(&self, kind: &str, mark: &str, parts: &[String]) -> String {
        let boundary = format!("=_{}_{mark}", self.boundary);
        let mut out = format!("Content-Type: multipart/{kind};\r\n\tboundary=\"{boundary}\"\r\n\r\n");
        for part in parts {
            out.push_str(&format!("--{boundary}\r\n{part}\r\n"));
        }
        out.push_str(&format!("--{boundary}--\r\n"));
        out
    }

    fn text_part(&self, kind: &str, text: &str) -> String {
        let (coding, body) = if self.base64 {
            ("base64", base64_lines(text.replace('\n', "\r\n").as_bytes()))
        } else {
            ("quoted-printable", quoted_printable(text.as_bytes()))
        };
        format!("Content-Type: {kind}; charset=\"utf-8\"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n{body}\r\n")
    }
}

fn file_part(file: &File) -> String {
    // RFC 2231 for names that do not fit a quoted string.
    let name = if file.name.is_ascii() && !file.name.contains(['"', '\\', '\r', '\n']) {
        format!("filename=\"{}\"", file.name)
    } else {
        let coded: String = file
            .name
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() || b == b'.' || b == b'-' { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        format!("filename*=utf-8''{coded}")
    };
    let kind: String = file.content_type.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    format!(
        "Content-Type: {kind}\r\nContent-Disposition: attachment;\r\n\t{name}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        base64_lines(&file.bytes)
    )
}

pub(crate) fn base64_lines(bytes: &[u8]) -> String {
    let coded = STANDARD.encode(bytes);
    let mut out = String::with_capacity(coded.len() + coded.len() / 38);
    for (at, c) in coded.chars().enumerate() {
        if at > 0 && at % 76 == 0 {
            out.push_str("\r\n");
        }
        out.push(c);
    }
    out.push_str("\r\n");
    out
}

/// Quoted-printable (RFC 2045 section 6.7) with soft breaks before column 76.
pub(crate) fn quoted_printable(text: &[u8]) -> String {
    let mut out = String::new();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    for line in text.split(|b| *b == b'\n') {
        let mut column = 0;
        let bytes = line.strip_suffix(b"\r").unwrap_or(line);
        for (at, b) in bytes.iter().enumerate() {
            let last = at + 1 == bytes.len();
            let plain = (b.is_ascii_graphic() && *b != b'=') || (*b == b' ' && !last);
            let piece = if plain { char::from(*b).to_string() } else { format!("={b:02X}") };
            if column + piece.len() > 74 {
                out.push_str("=\r\n");
                column = 0;
            }
            column += piece.len();
            out.push_str(&piece);
        }
        out.push_str("\r\n");
    }
    out
}

/// An unstructured value for a header: encoded words (RFC 2047) where it is not plain ASCII.
pub(crate) fn encode_words(value: &str) -> String {
    let clean: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.is_ascii() {
        return clean;
    }
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in clean.chars() {
        if piece.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    words.iter().map(|w| format!("=?UTF-8?B?{}?=", STANDARD.encode(w))).collect::<Vec<_>>().join(" ")
}

/// `Name <address>` as a header writes it.
pub(crate) fn mailbox(name: &str, address: &str) -> String {
    if name.is_empty() {
        return address.to_owned();
    }
    if name.is_ascii() {
        let name: String = name.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
        return format!("\"{name}\" <{address}>");
    }
    format!("{} <{address}>", encode_words(name))
}

/// One header line, folded at spaces before column 78 (RFC 5322 section 2.2.3).
pub(crate) fn fold(name: &str, value: &str) -> String {
    let mut out = format!("{name}:");
    let mut column = out.len();
    for word in value.split(' ') {
        if column + 1 + word.len() > 76 && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
    out
}

/// A date as RFC 5322 writes it, in UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Text as HTML.
pub(crate) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The offset of the body: behind the first empty line.
pub(crate) fn body_start(raw: &[u8]) -> usize {
    if raw.starts_with(b"\r\n") {
        return 2;
    }
    raw.windows(4).position(|w| w == b"\r\n\r\n").map_or(raw.len(), |at| at + 4)
}

/// The header fields as they stand: name and the whole field with its line ends.
pub(crate) fn header_fields(raw: &[u8]) -> Vec<(String, Vec<u8>)> {
    let head = &raw[..body_start(raw)];
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for line in head.split_inclusive(|b| *b == b'\n') {
        if line.first().is_some_and(|b| *b == b' ' || *b == b'\t') {
            if let Some((_, field)) = fields.last_mut() {
                field.extend_from_slice(line);
            }
        } else if let Some(colon) = line.iter().position(|b| *b == b':') {
            let name = String::from_utf8_lossy(&line[..colon]).trim().to_owned();
            fields.push((name, line.to_vec()));
        }
    }
    fields
}

/// The first field of this name, unfolded and trimmed.
pub(crate) fn header(raw: &[u8], name: &str) -> Option<String> {
    let fields = header_fields(raw);
    let (_, field) = fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
    let text = String::from_utf8_lossy(field);
    let (_, value) = text.split_once(':')?;
    Some(value.replace(['\r', '\n'], "").trim().to_owned())
}

/// The subject, decoded.
pub(crate) fn subject(raw: &[u8]) -> String {
    MessageParser::default().parse(raw).and_then(|m| m.subject().map(str::to_owned)).unwrap_or_default()
}

/// What SEARCH looks at: decoded, lower case. Attachments are left out, as real servers without a text index do.
pub(crate) fn search_text(raw: &[u8]) -> SearchText {
    let mut headers: Vec<(String, String)> = header_fields(raw)
        .into_iter()
        .map(|(name, field)| {
            let text = String::from_utf8_lossy(&field).replace(['\r', '\n'], "").to_lowercase();
            let value = text.split_once(':').map_or("", |(_, v)| v.trim()).to_owned();
            (name.to_lowercase(), value)
        })
        .collect();
    let mut body = String::new();
    if let Some(message) = MessageParser::default().parse(raw) {
        for header in message.headers() {
            if let HeaderValue::Text(text) = &header.value {
                headers.push((header.name().to_lowercase(), text.to_lowercase()));
            }
        }
        for part in &message.parts {
            if let PartType::Text(text) | PartType::Html(text) = &part.body {
                body.push_str(&text.to_lowercase());
                body.push('\n');
            }
        }
    }
    SearchText { headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back_by_a_parser_as_it_was() {
        for base64 in [false, true] {
            let text = "Grüße aus Köln = schön \n> zitiert\nlang: ".to_owned() + "wort ".repeat(40).as_str() + "\nEnde";
            let draft = Draft {
                headers: vec![
                    ("From", mailbox("Jürgen Support", "support@desk.test")),
                    ("To", mailbox("Alice", "alice@customers.test")),
                    ("Subject", encode_words(&("Störung ".repeat(12) + "Ende"))),
                ],
                text: text.clone(),
                html: Some("<p>Grüße &amp; mehr</p>".to_owned()),
                files: vec![File {
                    name: "bericht ä.bin".into(),
                    content_type: "application/octet-stream".into(),
                    bytes: vec![0, 255, 13, 10, 7],
                }],
                base64,
                boundary: "abc123".into(),
            };
            let raw = draft.build();
            assert!(raw.split(|b| *b == b'\n').all(|line| line.len() < 130), "no line is too long");
            let read = MessageParser::default().parse(&raw).unwrap();
            assert_eq!(read.subject().unwrap(), "Störung ".repeat(12) + "Ende");
            assert_eq!(read.from().unwrap().first().unwrap().name().unwrap(), "Jürgen Support");
            assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), text);
            assert_eq!(read.body_html(0).unwrap().trim_end(), "<p>Grüße &amp; mehr</p>");
            let file = read.attachment(0).unwrap();
            assert_eq!(file.contents(), [0, 255, 13, 10, 7]);
            assert_eq!(mail_parser::MimeHeaders::attachment_name(file), Some("bericht ä.bin"));
        }
    }

    #[test]
    fn search_text_is_decoded_and_lower_case() {
        let raw =
            b"Subject: =?UTF-8?Q?St=C3=B6rung?=\r\nX-A: One\r\n two\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n";
        let text = search_text(raw);
        assert!(text.headers.iter().any(|(n, v)| n == "subject" && v == "störung"));
        assert!(text.headers.iter().any(|(n, v)| n == "x-a" && v == "one two"));
        assert!(text.body.contains("grüße"));
        assert_eq!(header(raw, "x-a").unwrap(), "One two");
    }
}
