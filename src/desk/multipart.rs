//! `multipart/form-data` as browsers write it (RFC 7578; names escaped as the HTML standard says).

use crate::model::OutgoingAttachment;
use crate::random;

/// The body and its Content-Type.
pub(crate) fn encode(fields: &[(String, String)], files: &[(&str, &OutgoingAttachment)]) -> (Vec<u8>, String) {
    let boundary = boundary(fields, files);
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", escaped(name));
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    for (name, file) in files {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            escaped(name),
            escaped(&file.name),
            file.content_type.replace(['\r', '\n'], " "),
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&file.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body, format!("multipart/form-data; boundary={boundary}"))
}

/// A line that stands in none of the parts.
fn boundary(fields: &[(String, String)], files: &[(&str, &OutgoingAttachment)]) -> String {
    // Without random bytes the search below still finds one that fits.
    let drawn = random::hex::<16>().unwrap_or_default();
    let holds = |text: &[u8], line: &str| text.windows(line.len()).any(|w| w == line.as_bytes());
    let mut number = 0_u32;
    loop {
        let line = format!("----replypath{drawn}{number}");
        if !fields.iter().any(|(_, v)| holds(v.as_bytes(), &line)) && !files.iter().any(|(_, f)| holds(&f.bytes, &line)) {
            return line;
        }
        number += 1;
    }
}

/// A name inside quotes (HTML standard, "multipart form data").
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_stand_between_lines_that_none_of_them_holds() {
        let file = OutgoingAttachment {
            name: "a\"\r\nX: y.txt".to_owned(),
            content_type: "text/plain\r\nX: y".to_owned(),
            bytes: b"--\r\n\0".to_vec(),
        };
        let (body, kind) = encode(&[("title".to_owned(), "é\r\n".to_owned())], &[("file[]", &file)]);
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\né\r\n\r\n--{boundary}\r\nContent-Disposition: form-data; \
             name=\"file[]\"; filename=\"a%22%0D%0AX: y.txt\"\r\nContent-Type: text/plain  X: y\r\n\r\n--\r\n\0\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
