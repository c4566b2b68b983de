//! The lines of a conversation, put together from every look at the window.

use crate::model::{Attachment, ChatLine, Speaker, TokenKey};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

/// Lines that are kept of one conversation.
const MOST_LINES: usize = 500;

/// What `watch.js` gives of one line.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) speaker: Option<Speaker>,
    pub(super) age_ms: u64,
    /// It was there right after its page was loaded.
    pub(super) stored: bool,
    pub(super) files: Vec<ShownFile>,
}

/// A file that a line links to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownFile {
    pub(super) name: String,
    pub(super) url: String,
}

/// How the lines came into sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Into the open window, without anything being loaded.
    Pushed,
    /// With a page that was loaded anew: they are in the stored conversation.
    Stored,
}

/// All lines known.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Oldest first.
    pub(super) lines: Vec<ChatLine>,
    /// Where the files of a line are, by the line's text and the file's name.
    pub(super) files: HashMap<(String, String), String>,
    /// What the visitor said.
    said: Vec<String>,
}

impl Lines {
    /// Remembers a line that the visitor says.
    pub(super) fn saying(&mut self, text: &str) {
        self.said.push(squeeze(text));
    }

    /// Takes in one look. True when there is something new. A text that stands there twice is two lines; one that was seen
    /// before is the same line, also when the page drew it anew.
    pub(super) fn take(&mut self, shown: &[Shown], came: Came, now: Timestamp, tokens: &TokenKey) -> bool {
        let mut met: Vec<usize> = Vec::new();
        let mut new = false;
        for line in shown {
            let at = before(now, line.age_ms);
            let known = self.lines.iter().enumerate().position(|(at, l)| l.text == line.text && !met.contains(&at));
            let index = match known {
                Some(index) => index,
                None if self.lines.len() >= MOST_LINES => continue,
                None => {
                    new = true;
                    self.lines.push(self.fresh(line, tokens));
                    self.lines.len() - 1
                }
            };
            met.push(index);
            for file in &line.files {
                self.files.insert((line.text.clone(), file.name.clone()), file.url.clone());
            }
            let known = &mut self.lines[index];
            match if line.stored { Came::Stored } else { came } {
                Came::Pushed => new |= set(&mut known.pushed, at),
                Came::Stored => new |= set(&mut known.stored, now),
            }
        }
        new
    }

    fn fresh(&self, line: &Shown, tokens: &TokenKey) -> ChatLine {
        let text = squeeze(&line.text);
        let own = self.said.iter().any(|said| text.contains(said.as_str()));
        ChatLine {
            id: None,
            speaker: line.speaker.or(own.then_some(Speaker::Visitor)),
            text: line.text.clone(),
            at: None,
            pushed: None,
            stored: None,
            shown: None,
            files: line
                .files
                .iter()
                .map(|f| Attachment { name: f.name.clone(), content_type: String::new(), size: None, sha256: None })
                .collect(),
            tokens: tokens.recognise(&line.text),
        }
    }

    /// Every line that can be seen now counts as stored too: the visitor has it and a look found it.
    pub(super) fn looked_at(&mut self, now: Timestamp) {
        for line in &mut self.lines {
            set(&mut line.stored, now);
        }
    }

    /// The visitor's own line with that text is there.
    pub(super) fn has(&self, text: &str) -> bool {
        let wanted = squeeze(text);
        self.lines.iter().any(|line| squeeze(&line.text).contains(&wanted))
    }

    /// How many of the visitor's own lines this look shows.
    pub(super) fn own_in(&self, shown: &[Shown]) -> usize {
        self.said.iter().filter(|said| shown.iter().any(|line| squeeze(&line.text).contains(said.as_str()))).count()
    }

    /// How many lines the visitor said.
    pub(super) fn own(&self) -> usize {
        self.said.len()
    }
}

/// Sets what is not set yet; true when it was not.
fn set(time: &mut Option<Timestamp>, to: Timestamp) -> bool {
    time.is_none() && time.replace(to).is_none()
}

fn before(now: Timestamp, ms: u64) -> Timestamp {
    jiff::SignedDuration::try_from(Duration::from_millis(ms)).ok().and_then(|age| now.checked_sub(age).ok()).unwrap_or(now)
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(texts: &[&str]) -> Vec<Shown> {
        texts.iter().map(|t| Shown { text: (*t).to_owned(), age_ms: 100, ..Shown::default() }).collect()
    }

    #[test]
    fn a_line_drawn_anew_is_the_same_and_a_text_said_twice_is_two() {
        let (mut lines, key, now) = (Lines::default(), TokenKey::new(b"k"), Timestamp::UNIX_EPOCH + Duration::from_secs(9));
        lines.saying("hi  there");
        assert!(lines.take(&shown(&["hello", "hi there"]), Came::Pushed, now, &key));
        assert!(!lines.take(&shown(&["hello", "hi there"]), Came::Pushed, now, &key));
        assert!(lines.take(&shown(&["hello", "hi there", "hello"]), Came::Pushed, now, &key));
        assert_eq!(lines.lines.len(), 3);
        assert_eq!(lines.lines[1].speaker, Some(Speaker::Visitor));
        assert_eq!(lines.lines[0].speaker, None);
        assert!(lines.lines[0].pushed < Some(now));
    }

    #[test]
    fn what_only_a_loaded_page_shows_was_not_pushed_and_may_be_later() {
        let (mut lines, key, now) = (Lines::default(), TokenKey::new(b"k"), Timestamp::UNIX_EPOCH + Duration::from_secs(9));
        lines.take(&shown(&["answer"]), Came::Stored, now, &key);
        assert!(lines.lines[0].pushed.is_none() && lines.lines[0].stored.is_some());
        let mut loaded = shown(&["answer"]);
        loaded[0].stored = true;
        assert!(!lines.take(&loaded, Came::Pushed, now, &key), "it came with the page, however often it is seen");
        assert!(lines.take(&shown(&["answer"]), Came::Pushed, now, &key));
        assert!(lines.lines[0].pushed.is_some());
    }

    #[test]
    fn a_hostile_window_fills_no_memory() {
        let (mut lines, key) = (Lines::default(), TokenKey::new(b"k"));
        for round in 0..20 {
            let texts: Vec<Shown> = (0..300).map(|i| Shown { text: format!("{round}-{i}"), ..Shown::default() }).collect();
            lines.take(&texts, Came::Pushed, Timestamp::UNIX_EPOCH, &key);
        }
        assert_eq!(lines.lines.len(), MOST_LINES);
    }
}
