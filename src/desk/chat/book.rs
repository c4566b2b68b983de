//! The lines of one conversation: each is one, however often and on whichever path it is seen.

use super::recipe::LineMap;
use crate::desk::mapping::Mapper;
use crate::desk::path::Json;
use crate::desk::recipe::FilesMap;
use crate::desk::scope::Scope;
use crate::model::{Attachment, ChatLine, Speaker, TokenKey};
use jiff::Timestamp;

/// As many lines of a conversation are kept; a desk that sends more is not a chat.
pub(crate) const MOST_LINES: usize = 2000;
/// As many notices of lines not known yet are kept.
const MOST_TOLD: usize = 100;
/// The longest text of a line that is kept, in characters.
const LONGEST_TEXT: usize = 64 * 1024;

/// Where a line was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// It came by itself.
    Pushed,
    /// It was asked for.
    Stored,
    /// The agents were told.
    Shown,
}

/// A line as one path gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sighting {
    pub id: Option<String>,
    pub speaker: Option<Speaker>,
    pub text: String,
    pub at: Option<Timestamp>,
    pub files: Vec<(Attachment, Json)>,
}

impl Sighting {
    /// Reads a row by its mapping.
    pub fn read(map: &LineMap, scope: &Scope<'_>, row: Json) -> Result<Sighting, String> {
        let mapper = Mapper { scope, row };
        let html = mapper.maybe(&map.html)?;
        let text = mapper.maybe(&map.text)?.or_else(|| html.as_deref().map(mail_parser::decoders::html::html_to_text));
        let files = |files: &FilesMap| mapper.files(files).map(|rows| rows.into_iter().map(|(row, file)| (file, row)).collect());
        Ok(Sighting {
            id: mapper.maybe(&map.id)?,
            speaker: mapper.maybe(&map.speaker)?.as_deref().and_then(speaker),
            text: text.unwrap_or_default().chars().take(LONGEST_TEXT).collect(),
            at: mapper.timed(&map.at)?,
            files: map.files.as_ref().map_or_else(|| Ok(Vec::new()), files)?,
        })
    }
}

fn speaker(word: &str) -> Option<Speaker> {
    match word {
        "visitor" => Some(Speaker::Visitor),
        "agent" => Some(Speaker::Agent),
        "bot" => Some(Speaker::Bot),
        "system" => Some(Speaker::System),
        _ => None,
    }
}

/// The lines of a conversation, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: Vec<ChatLine>,
    /// What agents were told of lines that the visitor's side does not have yet.
    told: Vec<(Sighting, Timestamp)>,
    /// When agents were told of the conversation itself, before it had a line here.
    waiting: Option<Timestamp>,
    /// Rows of the files of each line, from which their addresses are made.
    files: Vec<Vec<Json>>,
}

impl Book {
    /// Every line.
    pub fn lines(&self) -> &[ChatLine] {
        &self.lines
    }

    /// Enters a sighting; true when it is news: a line not known before, or seen for the first time on this path.
    pub fn enter(&mut self, seen: Sighting, path: Path, now: Timestamp, tokens: &TokenKey) -> bool {
        let index = match self.lines.iter().position(|line| same(line, &seen, path)) {
            Some(index) => index,
            // What agents are told of is no line of the visitor before the visitor's side has it.
            None if path == Path::Shown => {
                if self.told.len() < MOST_TOLD {
                    self.told.push((seen, now));
                }
                return false;
            }
            None if self.lines.len() >= MOST_LINES => return false,
            None => self.add(&seen, tokens),
        };
        let line = &mut self.lines[index];
        line.id = line.id.take().or(seen.id);
        line.speaker = line.speaker.or(seen.speaker);
        line.at = line.at.or(seen.at);
        if line.files.is_empty() && !seen.files.is_empty() {
            (line.files, self.files[index]) = seen.files.into_iter().unzip();
        }
        let place = match path {
            Path::Pushed => &mut line.pushed,
            Path::Stored => &mut line.stored,
            Path::Shown => &mut line.shown,
        };
        let news = place.is_none();
        place.get_or_insert(now);
        news
    }

    fn add(&mut self, seen: &Sighting, tokens: &TokenKey) -> usize {
        let waiting = if seen.speaker == Some(Speaker::Visitor) { self.waiting.take() } else { None };
        let mut line = ChatLine {
            id: seen.id.clone(),
            speaker: seen.speaker,
            text: seen.text.clone(),
            at: seen.at,
            pushed: None,
            stored: None,
            shown: waiting,
            files: Vec::new(),
            tokens: tokens.recognise(&seen.text),
        };
        if let Some(index) = self.told.iter().position(|(told, _)| same(&line, told, Path::Shown)) {
            line.shown = Some(self.told.swap_remove(index).1);
        }
        // Push and history may bring them in another order than they were said; without times they stand as they came.
        let after =
            |known: &ChatLine| matches!((known.at, seen.at), (Some(a), Some(b)) if a <= b) || known.at.is_none() || seen.at.is_none();
        let index = self.lines.iter().rposition(after).map_or(0, |last| last + 1);
        self.lines.insert(index, line);
        self.files.insert(index, Vec::new());
        index
    }

    /// The agents were told of the conversation itself: of every line so far, or of the line with which it began.
    pub fn shown(&mut self, now: Timestamp) -> bool {
        let mut news = false;
        if self.lines.is_empty() {
            self.waiting.get_or_insert(now);
        }
        for line in self.lines.iter_mut().filter(|l| l.shown.is_none()) {
            line.shown = Some(now);
            news = true;
        }
        news
    }

    /// The row of a file of a line.
    pub fn file(&self, line: &ChatLine, name: &str) -> Option<Json> {
        let index = self.lines.iter().position(|known| match (&known.id, &line.id) {
            (Some(a), Some(b)) => a == b,
            _ => words(&known.text) == words(&line.text),
        })?;
        let at = self.lines[index].files.iter().position(|f| f.name == name)?;
        self.files[index].get(at).cloned()
    }
}

/// Whether a line that is known is the one that was seen: by id; where one side has none, by text. Two lines of one
/// text that came on one path are two.
fn same(line: &ChatLine, seen: &Sighting, path: Path) -> bool {
    if let (Some(a), Some(b)) = (&line.id, &seen.id) {
        return a == b;
    }
    let taken = match path {
        Path::Pushed => line.pushed.is_some() && (line.id.is_some() || seen.id.is_some()),
        Path::Stored => line.stored.is_some() && (line.id.is_some() || seen.id.is_some()),
        Path::Shown => line.shown.is_some(),
    };
    let speakers = line.speaker.is_none() || seen.speaker.is_none() || line.speaker == seen.speaker;
    !taken && speakers && words(&line.text) == words(&seen.text)
}

/// A text without regard to its white space: paths differ in line ends.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TokenKey {
        TokenKey::new(b"book")
    }

    fn seen(id: Option<&str>, text: &str, at: Option<i64>) -> Sighting {
        let at = at.map(|s| Timestamp::from_second(s).unwrap());
        Sighting { id: id.map(str::to_owned), speaker: Some(Speaker::Agent), text: text.to_owned(), at, files: Vec::new() }
    }

    fn now(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_line_is_one_whichever_path_it_is_seen_on() {
        let mut book = Book::default();
        assert!(book.enter(seen(Some("1"), "Hello", None), Path::Pushed, now(10), &key()));
        assert!(book.enter(seen(Some("1"), "Hello", None), Path::Stored, now(11), &key()));
        assert!(!book.enter(seen(Some("1"), "Hello", None), Path::Stored, now(12), &key()), "no news");
        assert!(book.enter(seen(None, "  Hello\n", None), Path::Shown, now(13), &key()), "known by its text");
        let line = &book.lines()[0];
        assert_eq!((line.pushed, line.stored, line.shown), (Some(now(10)), Some(now(11)), Some(now(13))));
        assert_eq!(book.lines().len(), 1);
    }

    #[test]
    fn two_lines_of_one_text_are_two_where_the_desk_tells_them_apart() {
        let mut book = Book::default();
        book.enter(seen(Some("1"), "Yes", None), Path::Stored, now(1), &key());
        book.enter(seen(Some("2"), "Yes", None), Path::Stored, now(1), &key());
        assert_eq!(book.lines().len(), 2);
        // Pushed without ids, twice: the one after the other.
        book.enter(seen(None, "Yes", None), Path::Pushed, now(2), &key());
        book.enter(seen(None, "Yes", None), Path::Pushed, now(3), &key());
        let pushed: Vec<_> = book.lines().iter().map(|l| l.pushed).collect();
        assert_eq!(pushed, [Some(now(2)), Some(now(3))]);
    }

    #[test]
    fn agents_may_be_told_before_the_visitor_has_the_line() {
        let mut book = Book::default();
        assert!(!book.enter(seen(Some("1"), "Hello", None), Path::Shown, now(10), &key()));
        assert!(book.enter(seen(Some("1"), "Hello", None), Path::Stored, now(12), &key()));
        assert_eq!(book.lines()[0].shown, Some(now(10)));
        let mut book = Book::default();
        assert!(!book.shown(now(20)));
        book.enter(seen(None, "Welcome", None), Path::Stored, now(21), &key());
        book.enter(Sighting { speaker: Some(Speaker::Visitor), ..seen(None, "Hello", None) }, Path::Stored, now(21), &key());
        let shown: Vec<_> = book.lines().iter().map(|l| l.shown).collect();
        assert_eq!(shown, [None, Some(now(20))], "the visitor's line is what they were told of");
    }

    #[test]
    fn lines_stand_in_the_order_in_which_they_were_said() {
        let mut book = Book::default();
        for (id, at) in [("b", Some(20)), ("a", Some(10)), ("c", Some(30)), ("x", None)] {
            book.enter(seen(Some(id), id, at), Path::Stored, now(99), &key());
        }
        let ids: Vec<_> = book.lines().iter().filter_map(|l| l.id.as_deref()).collect();
        assert_eq!(ids, ["a", "b", "c", "x"]);
    }

    #[test]
    fn tokens_are_known_and_a_flood_is_cut() {
        let mut book = Book::default();
        let token = key().token("run", "reply");
        book.enter(seen(Some("t"), &format!("Answer {token}"), None), Path::Stored, now(1), &key());
        assert_eq!(book.lines()[0].tokens, [token]);
        for n in 0..MOST_LINES + 10 {
            book.enter(seen(Some(&n.to_string()), "x", None), Path::Stored, now(1), &key());
        }
        assert_eq!(book.lines().len(), MOST_LINES);
        assert!(!book.enter(seen(Some("late"), "secret of others", None), Path::Shown, now(1), &key()));
    }
}
