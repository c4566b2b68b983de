//! A relay that codes text parts anew (RFC 2045 section 6): quoted-printable as base64, everything else as quoted-printable.

use super::mime::{base64_lines, quoted_printable};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_parser::{MessageParser, MimeHeaders as _};

/// The message with all its text parts coded anew; as it was when it cannot be read.
pub(crate) fn recode(raw: &[u8]) -> Vec<u8> {
    let Some(message) = MessageParser::default().parse(raw) else { return raw.to_vec() };
    let mut parts: Vec<(usize, usize, usize)> = message
        .parts
        .iter()
        .filter(|p| p.content_type().is_none_or(|c| c.ctype().eq_ignore_ascii_case("text")) && !p.is_multipart() && !p.is_message())
        .map(|p| (p.offset_header as usize, p.offset_body as usize, p.offset_end as usize))
        .collect();
    parts.sort_unstable();
    let mut out = raw.to_vec();
    // From the last to the first: the places before stay where they are.
    for (header, body, end) in parts.into_iter().rev() {
        if header <= body && body <= end && end <= out.len() {
            let anew = part(&out[header..body], &out[body..end]);
            out.splice(header..end, anew);
        }
    }
    out
}

fn part(head: &[u8], body: &[u8]) -> Vec<u8> {
    let fields = super::mime::header_fields(head);
    let coding = super::mime::header(head, "Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
    let plain = match coding.as_str() {
        "quoted-printable" => decode_quoted(body),
        "base64" => {
            let coded: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
            match STANDARD.decode(coded) {
                Ok(plain) => plain,
                Err(_) => return [head, body].concat(),
            }
        }
        _ => body.to_vec(),
    };
    let (name, coded) =
        if coding == "quoted-printable" { ("base64", base64_lines(&plain)) } else { ("quoted-printable", quoted_printable(&plain)) };
    let mut out: Vec<u8> =
        fields.into_iter().filter(|(n, _)| !n.eq_ignore_ascii_case("Content-Transfer-Encoding")).flat_map(|(_, field)| field).collect();
    out.extend_from_slice(format!("Content-Transfer-Encoding: {name}\r\n\r\n{coded}").as_bytes());
    out
}

fn decode_quoted(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'=' {
            out.push(first);
        } else if let Some(after) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
            rest = after;
        } else {
            let digits = rest.get(..2).and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
            match digits {
                Some(byte) => {
                    out.push(byte);
                    rest = &rest[2..];
                }
                None => out.push(first),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::mime::{Draft, File};
    use super::*;

    #[test]
    fn a_recoded_mail_says_the_same_in_other_letters() {
        for base64 in [false, true] {
            let text = "Grüße = alles gut\nund noch eine lange Zeile: ".to_owned() + "Wörter ".repeat(30).as_str() + "\nEnde";
            let draft = Draft {
                headers: vec![("Subject", "x".to_owned())],
                text: text.clone(),
                html: Some("<p>Grüße &amp; mehr</p>".to_owned()),
                files: vec![File { name: "a.bin".into(), content_type: "application/octet-stream".into(), bytes: vec![0, 255, 61, 13] }],
                base64,
                boundary: "b".into(),
            };
            let before = draft.build();
            let after = recode(&before);
            assert_ne!(before, after);
            let read = MessageParser::default().parse(&after).unwrap();
            assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), text);
            assert_eq!(read.body_html(0).unwrap().trim_end(), "<p>Grüße &amp; mehr</p>");
            assert_eq!(read.attachment(0).unwrap().contents(), [0, 255, 61, 13]);
        }
        let eight =
            "Subject: y\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n".bytes().chain(*b"Gr\xfc\xdfe\r\n").collect::<Vec<_>>();
        let after = recode(&eight);
        assert!(after.is_ascii());
        assert_eq!(MessageParser::default().parse(&after).unwrap().body_text(0).unwrap().trim_end(), "Grüße");
    }
}
