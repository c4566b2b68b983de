//! Server-sent events: the stream parser of the HTML standard, bounded.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::time::Duration;

/// The largest event, in bytes; a line of a chat is far below.
const MAX_EVENT: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its type; `message` when the stream does not say.
    pub event: String,
    /// The id that stands when it is dispatched; empty when there is none yet.
    pub id: String,
    /// Its data, lines joined by line ends.
    pub data: String,
}

/// Reads a stream piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// The piece before ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    event: String,
    data: String,
    has_data: bool,
    last_id: String,
    retry: Option<Duration>,
}

impl Parser {
    /// A parser that goes on after the event `last_id`.
    pub fn new(last_id: String) -> Parser {
        Parser { last_id, ..Parser::default() }
    }

    /// The id after which a new connection goes on.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// How long the server wants a new connection to wait.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes a piece and gives the events that it completes. The error: an event is larger than may be.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        let mut out = Vec::new();
        for &byte in bytes {
            let lf_of_crlf = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                b'\n' if lf_of_crlf => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    out.extend(self.end_of_line(&line));
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_EVENT {
                return Err(format!("an event of more than {} KiB", MAX_EVENT / 1024));
            }
        }
        Ok(out)
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<Event> {
        // "UTF-8 decode" of the standard: broken bytes become U+FFFD, and one BOM at the start is dropped.
        let text = String::from_utf8_lossy(line);
        let text = if std::mem::replace(&mut self.begun, true) { &text } else { text.strip_prefix('\u{feff}').unwrap_or(&text) };
        if text.is_empty() {
            return self.dispatch();
        }
        let (field, value) = match text.split_once(':') {
            Some(("", _)) => return None,
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (text, ""),
        };
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_id),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis);
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return None;
        }
        let event = if event.is_empty() { "message".to_owned() } else { event };
        Some(Event { event, id: self.last_id.clone(), data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<(String, String, String)>, Parser) {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(parser.feed(piece).unwrap().into_iter().map(|e| (e.event, e.id, e.data)));
        }
        (out, parser)
    }

    fn of(event: &str, id: &str, data: &str) -> (String, String, String) {
        (event.to_owned(), id.to_owned(), data.to_owned())
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        assert_eq!(read(&[b"data: YHOO\ndata: +2\ndata: 10\n\n"]).0, [of("message", "", "YHOO\n+2\n10")]);
        let (events, parser) = read(&[b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"]);
        assert_eq!(events, [of("message", "1", "first event"), of("message", "", "second event"), of("message", "", " third event")]);
        assert_eq!(parser.last_id(), "");
        // A block without its empty line is dropped.
        assert_eq!(read(&[b"data\n\ndata\ndata\n\ndata:"]).0, [of("message", "", ""), of("message", "", "\n")]);
        assert_eq!(read(&[b"data:test\n\ndata: test\n\n"]).0, [of("message", "", "test"), of("message", "", "test")]);
    }

    #[test]
    fn line_ends_of_every_kind_may_fall_between_two_pieces() {
        let text = b"\xef\xbb\xbfevent: line\r\nid: 7\rdata: {\"a\":1}\r\n\r\ndata: x\n\r\n";
        let whole = read(&[text]).0;
        assert_eq!(whole, [of("line", "7", "{\"a\":1}"), of("message", "7", "x")]);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&single).0, whole);
    }

    #[test]
    fn what_the_standard_ignores_is_ignored() {
        let (events, parser) = read(&[b"retry: 10s\nretry: 2500\nid: a\0b\nodd: 1\nevent: x\n\ndata: \xff!\n\n"]);
        assert_eq!(events, [of("message", "", "\u{fffd}!")], "an event without data is none, and its type is forgotten");
        assert_eq!(parser.retry(), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 64 * 1024];
        let refused = (0..32).find_map(|_| parser.feed(&piece).err());
        assert_eq!(refused.as_deref(), Some("an event of more than 1024 KiB"));
        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert!((0..32).any(|_| parser.feed(&line).is_err()), "nor one of many lines");
    }
}
