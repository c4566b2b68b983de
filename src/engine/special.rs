//! What a variant's first message has that a plain one has not: padding, an encoding, an empty subject or text.

use crate::model::{Channel, EmailChannel, MailEncoding, OutgoingAttachment, Probe};

/// A name that needs RFC 2231 or encoded words, with letters of ISO-8859-1 alone.
const ENCODED_NAME: &str = "Größen und Maße für März.txt";
/// Letters for a text that has none of the kind that an encoding is about.
const LETTERS: &str = "Viele Grüße";

/// The subject's template. A message without text has its token there.
pub(super) fn subject(probe: &Probe) -> String {
    let request = probe.channel.request();
    let told = request.subject.contains("${token}") || !request.text.trim().is_empty() || request.subject.trim().is_empty();
    if told || !matches!(probe.channel, Channel::Email(_)) {
        request.subject.to_owned()
    } else {
        format!("{} (${{token}})", request.subject)
    }
}

/// The text's template. A message without subject has its token there.
pub fn text(probe: &Probe) -> String {
    let request = probe.channel.request();
    let Channel::Email(email) = &probe.channel else { return request.text.to_owned() };
    let mut text = request.text.to_owned();
    if !text.contains("${token}") && request.subject.trim().is_empty() {
        text = format!("{}\n\nReference: ${{token}}", text.trim_end()).trim_start().to_owned();
    }
    let of_letters = matches!(email.encoding, MailEncoding::Latin1 | MailEncoding::Mislabelled);
    if of_letters && text.is_ascii() && !text.trim().is_empty() {
        text = format!("{}\n\n{LETTERS}", text.trim_end());
    }
    text
}

/// What of `written` a desk can show at all: bytes that are not what their label says are nobody's letters.
pub(super) fn readable(probe: &Probe, written: &str) -> String {
    match &probe.channel {
        Channel::Email(email) if email.encoding == MailEncoding::Mislabelled => {
            written.lines().filter(|l| l.is_ascii()).collect::<Vec<_>>().join("\n")
        }
        _ => written.to_owned(),
    }
}

/// Files beside those of the probe.
pub(super) fn files(email: &EmailChannel) -> Vec<OutgoingAttachment> {
    let mut files = Vec::new();
    if email.padding > 0 {
        let bytes = noise(usize::try_from(email.padding).unwrap_or(usize::MAX));
        files.push(OutgoingAttachment { name: "photo.jpg".to_owned(), content_type: "image/jpeg".to_owned(), bytes });
    }
    if email.encoding == MailEncoding::FileName {
        let bytes = b"Width 20, height 30.\n".to_vec();
        files.push(OutgoingAttachment { name: ENCODED_NAME.to_owned(), content_type: "text/plain".to_owned(), bytes });
    }
    files
}

/// Bytes that no server can press together, after the mark of a JPEG file; the same for the same size.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size.saturating_add(8));
    bytes.extend_from_slice(&[0xff, 0xd8, 0xff, 0xe0]);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
