//! Where a server's lines and literals begin and end, before the package `imap` sees them.
//!
//! The package takes one byte outside ASCII in any line for the end of the connection, and waits for
//! as many bytes as a literal announces; both are dealt with here.

use std::io::{self, ErrorKind};

/// Enough of a line's start to know what it is, and of its end to see a literal announced.
const HEAD: usize = 16;
const TAIL: usize = 24;

/// The place in the server's answer.
#[derive(Debug, Default)]
pub(super) struct Lines {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Bytes of a literal that are still to come.
    literal: u64,
    inside: bool,
}

impl Lines {
    /// How many of `wanted` bytes may be handed out in one piece.
    pub(super) fn most(&self, wanted: usize) -> usize {
        match usize::try_from(self.literal) {
            Ok(0) | Err(_) => wanted,
            Ok(left) => wanted.min(left),
        }
    }

    /// True when the next byte begins a line.
    pub(super) fn at_start(&self) -> bool {
        !self.inside && self.literal == 0
    }

    /// Takes note of the next piece, which ends at the latest at a line end, and makes its lines readable.
    ///
    /// # Errors
    /// `InvalidData` when a literal of more than `allowed` bytes is announced (RFC 9051 section 4.3).
    pub(super) fn pass(&mut self, piece: &mut [u8], allowed: usize) -> io::Result<()> {
        if self.literal > 0 {
            self.literal = self.literal.saturating_sub(piece.len() as u64);
            return Ok(());
        }
        piece.iter_mut().filter(|b| !(1..=127).contains(*b)).for_each(|b| *b = b'?');
        self.inside = true;
        self.head.extend(piece.iter().take(HEAD - self.head.len().min(HEAD)));
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        if !piece.ends_with(b"\n") {
            return Ok(());
        }
        match self.announced() {
            Some(bytes) if bytes > allowed as u64 => {
                let words = format!("the server announces {bytes} bytes in one piece, more than any mailbox needs");
                return Err(io::Error::new(ErrorKind::InvalidData, words));
            }
            Some(bytes) => self.literal = bytes,
            None => {
                self.head.clear();
                self.inside = false;
            }
        }
        self.tail.clear();
        Ok(())
    }

    /// The size of the literal that the line just ended announces. Words for people may end with braces too.
    fn announced(&self) -> Option<u64> {
        let kind = self.head.strip_prefix(b"* ")?;
        if [&b"OK "[..], b"NO ", b"BAD ", b"BYE ", b"PREAUTH "]
            .iter()
            .any(|w| kind.get(..w.len()).is_some_and(|k| k.eq_ignore_ascii_case(w)))
        {
            return None;
        }
        literal_size(std::str::from_utf8(&self.tail).ok()?)
    }
}

/// The size in `…{123}` at the end of a line.
pub(super) fn literal_size(line: &str) -> Option<u64> {
    let line = line.trim_end_matches(['\r', '\n']).strip_suffix('}')?;
    line.rsplit_once('{')?.1.trim_end_matches('+').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the package gets to see when the answer comes in pieces of at most `size` bytes.
    fn passed(answer: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        let mut rest = answer;
        while !rest.is_empty() {
            let most = lines.most(size).min(rest.len());
            let line = rest[..most].iter().position(|b| *b == b'\n').map_or(most, |i| i + 1);
            let mut piece = rest[..line].to_vec();
            lines.pass(&mut piece, 1_000)?;
            out.extend(piece);
            rest = &rest[line..];
        }
        assert!(lines.at_start());
        Ok(out)
    }

    #[test]
    fn bytes_of_literals_stay_and_those_of_lines_become_readable() {
        let answer = "* OK Grüße {99999999}\r\n* 1 FETCH (UID 1 BODY[] {7}\r\nü\r\n{9}é)\r\na1 OK für {5}\r\n".as_bytes();
        let expected = "* OK Gr????e {99999999}\r\n* 1 FETCH (UID 1 BODY[] {7}\r\nü\r\n{9}??)\r\na1 OK f??r {5}\r\n".as_bytes();
        for size in [1, 3, 7, 4_096] {
            assert_eq!(passed(answer, size).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn a_literal_larger_than_allowed_is_refused_at_its_announcement() {
        for bytes in ["1001", "4294967295", "18446744073709551615"] {
            let error = passed(format!("* 1 FETCH (BODY[] {{{bytes}}}\r\n").as_bytes(), 5).unwrap_err();
            assert!(error.to_string().contains(bytes), "{error}");
        }
    }
}
