//! From the bytes of a page to its text (HTML standard, 13.2.3 "the input byte stream").

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// How far into a page its own word on the encoding is looked for.
const PRESCAN: usize = 1_024;

/// The text, and the encoding that forms of the page are sent in. Bytes that are none of the encoding's become U+FFFD.
pub(super) fn text(bytes: &[u8], headers: &HeaderMap) -> (String, &'static Encoding) {
    let declared = charset_of(headers).or_else(|| prescan(bytes));
    // A page that does not say and is no UTF-8 is what browsers of most countries take it for.
    let encoding = declared.unwrap_or_else(|| if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 });
    // A byte order mark wins over everything.
    let (text, used, _) = encoding.decode(bytes);
    (text.into_owned(), used.output_encoding())
}

/// The media type without its parameters, lower case; empty when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn charset_of(headers: &HeaderMap) -> Option<&'static Encoding> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_TYPE)?.as_bytes()).to_ascii_lowercase();
    label_after_charset(&value).and_then(|label| Encoding::for_label(label.as_bytes()))
}

fn prescan(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(bytes.get(..PRESCAN.min(bytes.len()))?).to_ascii_lowercase();
    let found = start.split("<meta").skip(1).find_map(|rest| {
        let tag = rest.split('>').next()?;
        Encoding::for_label(label_after_charset(tag)?.as_bytes())
    })?;
    // A page that was read so far as to say it cannot be in UTF-16.
    Some(if found == UTF_16LE || found == UTF_16BE { UTF_8 } else { found })
}

fn label_after_charset(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("charset")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '>')).next().filter(|l| !l.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], kind: &str) -> (String, &'static str) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        let (text, encoding) = text(bytes, &headers);
        (text, encoding.name())
    }

    #[test]
    fn the_header_the_page_and_the_bytes_are_asked_in_this_order() {
        assert_eq!(read(b"Gr\xfc\xdfe", "text/html; charset=ISO-8859-1"), ("Grüße".to_owned(), "windows-1252"));
        assert_eq!(read("\u{feff}Grüße".as_bytes(), "text/html; charset=latin1"), ("Grüße".to_owned(), "UTF-8"));
        let page = b"<html><meta http-equiv=\"Content-Type\" content='text/html; charset=koi8-r'>\xd4";
        assert_eq!(read(page, "text/html"), (String::from_utf8_lossy(&page[..page.len() - 1]).into_owned() + "т", "KOI8-R"));
        assert_eq!(read(b"<meta charset=\"utf-16\">ok", "text/html").1, "UTF-8");
        assert_eq!(read("Grüße".as_bytes(), "text/html"), ("Grüße".to_owned(), "UTF-8"));
        assert_eq!(read(b"Gr\xfc\xdfe", "text/html"), ("Grüße".to_owned(), "windows-1252"));
        assert_eq!(read(b"a\xff\xfeb", "text/html; charset=utf-8"), ("a\u{fffd}\u{fffd}b".to_owned(), "UTF-8"));
        assert_eq!(read(b"x", "text/html; charset=no-such-thing"), ("x".to_owned(), "UTF-8"));
    }
}
