//! From a filled form to the bytes that a browser sends (HTML standard, 4.10.22 "Form submission").

use super::fill::Sheet;
use crate::model::OutgoingAttachment;
use crate::random;
use encoding_rs::Encoding;
use std::borrow::Cow;

/// One entry of a form's data.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    File(&'a OutgoingAttachment),
    /// A file input without a file.
    NoFile,
}

/// The entries, in the order of the controls.
pub(super) fn entries<'a>(sheet: &'a Sheet, encoding: &'static Encoding) -> Vec<(Cow<'a, str>, Value<'a>)> {
    let mut out: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
    for (at, control) in sheet.controls.iter().enumerate() {
        let pressed = sheet.button == Some(at);
        if control.disabled || (control.is_button() && !pressed) {
            continue;
        }
        let name = Cow::Borrowed(control.name.as_str());
        if control.kind == "image" {
            let part = |axis: &str| if name.is_empty() { axis.to_owned() } else { format!("{name}.{axis}") };
            out.extend(["x", "y"].map(|axis| (part(axis).into(), Value::Text("1".into()))));
            continue;
        }
        if name.is_empty() {
            continue;
        }
        match control.kind.as_str() {
            "select" => {
                let chosen = control.options.iter().filter(|o| o.selected && !o.disabled);
                out.extend(chosen.map(|o| (name.clone(), Value::Text(o.value.as_str().into()))));
            }
            "checkbox" | "radio" if !control.checked => {}
            "file" => match sheet.files.get(&at) {
                Some(files) => out.extend(files.iter().map(|f| (name.clone(), Value::File(f)))),
                None => out.push((name, Value::NoFile)),
            },
            "hidden" if control.name == "_charset_" => out.push((name, Value::Text(encoding.name().into()))),
            _ => out.push((name, Value::Text(control.value.as_str().into()))),
        }
        if !control.dirname.is_empty() && control.takes_text() {
            out.push((control.dirname.as_str().into(), Value::Text("ltr".into())));
        }
    }
    out
}

/// Every line end as CR LF.
fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains(['\r', '\n']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n"))
}

/// `application/x-www-form-urlencoded`; also the query of a GET form.
pub(super) fn urlencoded(entries: &[(Cow<'_, str>, Value<'_>)], encoding: &'static Encoding) -> String {
    let mut out = String::new();
    for (name, value) in entries {
        if !out.is_empty() {
            out.push('&');
        }
        percent(&mut out, &lines(name), encoding);
        out.push('=');
        percent(&mut out, &lines(named(value)), encoding);
    }
    out
}

/// What stands for a value where only text can be sent: of a file its name.
fn named<'a>(value: &'a Value<'_>) -> &'a str {
    match value {
        Value::Text(text) => text,
        Value::File(file) => &file.name,
        Value::NoFile => "",
    }
}

fn percent(out: &mut String, text: &str, encoding: &'static Encoding) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    // What the encoding lacks becomes `&#N;`, as browsers do it.
    for byte in encoding.encode(text).0.iter() {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(char::from(*byte)),
            other => {
                out.push('%');
                out.push(char::from(HEX[usize::from(other >> 4)]));
                out.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
}

/// `text/plain`: one line for each entry.
pub(super) fn plain(entries: &[(Cow<'_, str>, Value<'_>)], encoding: &'static Encoding) -> Vec<u8> {
    let text: String = entries.iter().map(|(name, value)| format!("{}={}\r\n", lines(name), lines(named(value)))).collect();
    encoding.encode(&text).0.into_owned()
}

/// `multipart/form-data` (RFC 7578, with the escapes of the HTML standard, 4.10.22.8): the type with its boundary, and the body.
///
/// # Errors
/// When the system gives no random bytes for the boundary.
pub(super) fn multipart(entries: &[(Cow<'_, str>, Value<'_>)], encoding: &'static Encoding) -> Result<(String, Vec<u8>), String> {
    let boundary = format!("----FormBoundary{}", random::hex::<12>().map_err(|e| e.to_string())?);
    let mut body = Vec::new();
    for (name, value) in entries {
        let name = escaped(&lines(name));
        let head = match value {
            Value::Text(_) => format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n"),
            Value::File(file) => format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                escaped(&file.name),
                if file.content_type.is_empty() { "application/octet-stream" } else { &file.content_type }
            ),
            Value::NoFile => format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            ),
        };
        body.extend_from_slice(&encoding.encode(&head).0);
        match value {
            Value::Text(text) => body.extend_from_slice(&encoding.encode(&lines(text)).0),
            Value::File(file) => body.extend_from_slice(&file.bytes),
            Value::NoFile => {}
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary={boundary}"), body))
}

fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{UTF_8, WINDOWS_1252};

    fn text<'a>(name: &'a str, value: &'a str) -> (Cow<'a, str>, Value<'a>) {
        (name.into(), Value::Text(value.into()))
    }

    #[test]
    fn urlencoded_is_what_browsers_send() {
        let entries = [text("a b", "x&y=z*-._~"), text("t", "one\ntwo\r\nthree\r"), text("u", "Grüße €")];
        assert_eq!(urlencoded(&entries, UTF_8), "a+b=x%26y%3Dz*-._%7E&t=one%0D%0Atwo%0D%0Athree%0D%0A&u=Gr%C3%BC%C3%9Fe+%E2%82%AC");
        assert_eq!(urlencoded(&[text("u", "Grüße ☃")], WINDOWS_1252), "u=Gr%FC%DFe+%26%239731%3B");
    }

    #[test]
    fn multipart_holds_files_as_they_are_and_escapes_names() {
        let file = OutgoingAttachment { name: "a\"b.bin".into(), content_type: "x/y".into(), bytes: vec![0, 13, 10, 255] };
        let entries = [text("te\"xt", "a\nb"), ("f".into(), Value::File(&file)), ("g".into(), Value::NoFile)];
        let (kind, body) = multipart(&entries, UTF_8).unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let mut wanted = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"te%22xt\"\r\n\r\na\r\nb\r\n").into_bytes();
        wanted.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a%22b.bin\"\r\n").bytes());
        wanted.extend(b"Content-Type: x/y\r\n\r\n\x00\x0d\x0a\xff\r\n");
        wanted.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"g\"; filename=\"\"\r\n").bytes());
        wanted.extend(format!("Content-Type: application/octet-stream\r\n\r\n\r\n--{boundary}--\r\n").bytes());
        assert_eq!(body, wanted);
        assert_ne!(multipart(&entries, UTF_8).unwrap().0, kind);
    }

    #[test]
    fn plain_text_has_one_line_for_each_field() {
        assert_eq!(plain(&[text("a", "x y"), text("b", "1\n2")], UTF_8), b"a=x y\r\nb=1\r\n2\r\n");
    }
}
