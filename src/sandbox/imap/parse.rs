//! Commands of IMAP4rev1 (RFC 3501 section 9) as a list of words.

/// One piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// An atom, a flag, a set, or a section with its brackets.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// `(`
    Open,
    /// `)`
    Close,
}

impl Word {
    /// The text of an atom or string.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Word::Atom(text) => Some(text.clone()),
            Word::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

/// The length of the literal that a line announces at its end, and whether the client waits for leave (RFC 7888).
pub(crate) fn literal(line: &[u8]) -> Option<(usize, bool)> {
    let text = std::str::from_utf8(line.strip_suffix(b"}")?.rsplit(|b| *b == b'{').next()?).ok()?;
    if line.len() < text.len() + 2 || line[line.len() - text.len() - 2] != b'{' {
        return None;
    }
    match text.strip_suffix('+') {
        Some(count) => Some((count.parse().ok()?, false)),
        None => Some((text.parse().ok()?, true)),
    }
}

/// Splits one line (without the `{n}` of a literal) into words. None when it is malformed.
pub(crate) fn words(line: &[u8]) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(b) = line.get(at) {
        match b {
            b' ' => at += 1,
            b'(' => {
                words.push(Word::Open);
                at += 1;
            }
            b')' => {
                words.push(Word::Close);
                at += 1;
            }
            b'"' => {
                let (text, next) = quoted(line, at + 1)?;
                words.push(Word::Text(text));
                at = next;
            }
            _ => {
                let end = atom_end(line, at);
                words.push(Word::Atom(String::from_utf8_lossy(&line[at..end]).into_owned()));
                at = end;
            }
        }
    }
    Some(words)
}

fn quoted(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    loop {
        match line.get(at)? {
            b'"' => return Some((text, at + 1)),
            b'\\' => {
                text.push(*line.get(at + 1)?);
                at += 2;
            }
            b => {
                text.push(*b);
                at += 1;
            }
        }
    }
}

/// Brackets belong to the atom with all that is in them: `BODY.PEEK[HEADER.FIELDS (DATE)]<0.9>`.
fn atom_end(line: &[u8], mut at: usize) -> usize {
    let mut inside = false;
    while let Some(b) = line.get(at) {
        match b {
            b'[' => inside = true,
            b']' => inside = false,
            b' ' | b'(' | b')' | b'"' if !inside => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// A set of numbers: `1,3:5,8:*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set(Vec<(u32, u32)>);

impl Set {
    /// Reads a set; `*` stands for the largest number, given later.
    pub(crate) fn parse(text: &str) -> Option<Set> {
        let number = |part: &str| if part == "*" { Some(u32::MAX) } else { part.parse().ok().filter(|n| *n > 0) };
        let ranges = text.split(',').map(|part| match part.split_once(':') {
            Some((a, b)) => Some((number(a)?, number(b)?)),
            None => number(part).map(|n| (n, n)),
        });
        ranges.collect::<Option<Vec<_>>>().map(Set)
    }

    /// True when `n` is in the set and `largest` is what `*` means. Ranges hold in either order.
    pub(crate) fn has(&self, n: u32, largest: u32) -> bool {
        let real = |n: u32| if n == u32::MAX { largest } else { n };
        self.0.iter().any(|(a, b)| {
            let (a, b) = (real(*a), real(*b));
            n >= a.min(b) && n <= a.max(b)
        })
    }
}

/// The words of one command, taken one after the other.
#[derive(Debug)]
pub(crate) struct Words {
    words: std::collections::VecDeque<Word>,
}

impl Words {
    pub(crate) fn new(words: Vec<Word>) -> Words {
        Words { words: words.into() }
    }

    pub(crate) fn next(&mut self) -> Option<Word> {
        self.words.pop_front()
    }

    pub(crate) fn peek(&self) -> Option<&Word> {
        self.words.front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The next word as text.
    pub(crate) fn text(&mut self) -> Option<String> {
        self.next()?.text()
    }

    /// The next word in upper case, for keywords.
    pub(crate) fn keyword(&mut self) -> Option<String> {
        self.text().map(|t| t.to_ascii_uppercase())
    }

    /// A list in parentheses, or one word; texts only.
    pub(crate) fn list(&mut self) -> Option<Vec<String>> {
        if self.peek() != Some(&Word::Open) {
            return Some(vec![self.text()?]);
        }
        self.next();
        let mut texts = Vec::new();
        loop {
            match self.next()? {
                Word::Close => return Some(texts),
                Word::Open => return None,
                word => texts.push(word.text()?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_split_into_words_with_brackets_and_quotes_kept_together() {
        let line = br#"a1 UID FETCH 4:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.99> "x \" y")"#;
        let words = words(line).unwrap();
        assert!(words.contains(&Word::Atom("BODY.PEEK[HEADER.FIELDS (DATE FROM)]<0.99>".into())));
        assert!(words.contains(&Word::Text(b"x \" y".to_vec())));
        assert!(super::words(b"a1 LOGIN \"open").is_none());
        assert_eq!(literal(b"a1 APPEND Sent {12}"), Some((12, true)));
        assert_eq!(literal(b"a1 APPEND Sent {12+}"), Some((12, false)));
        assert_eq!(literal(b"a1 SEARCH TEXT }"), None);
    }

    #[test]
    fn a_range_beyond_the_end_still_holds_the_last_message() {
        let set = Set::parse("9:*").unwrap();
        assert!(set.has(5, 5), "RFC 3501: the range 9:* with largest 5 is 5:9");
        assert!(!set.has(4, 5));
        assert!(Set::parse("0").is_none() && Set::parse("a").is_none());
    }
}
