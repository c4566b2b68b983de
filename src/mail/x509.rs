//! The one fact that `doctor` wants of a certificate: until when it is valid (RFC 5280 section 4.1).

use jiff::Timestamp;

/// The end of validity of a DER certificate; none when it cannot be read.
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // Version (optional), serial number, signature algorithm, issuer; then validity.
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, after_start) = element(validity)?;
    let (tag, end, _) = element(after_start)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

/// Tag, content and what follows of the element at the start.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(count)?;
        length = bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// UTCTime (tag 23, two-digit year, 50 and above are 19xx) or GeneralizedTime (tag 24).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let full = match tag {
        23 => format!("{}{digits}", if digits.get(..2)?.parse::<u8>().ok()? >= 50 { "19" } else { "20" }),
        24 => digits.to_owned(),
        _ => return None,
    };
    jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", full).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
}
