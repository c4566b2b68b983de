//! A problem in a user's TOML file: what is wrong, where, what was expected, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

pub use crate::suggest::suggest as nearest;

/// One problem, pointing into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user knows it.
    pub file: String,
    /// The file's text, for the source line; none when the file could not be read.
    pub text: Option<Arc<str>>,
    /// Bytes of the text that are meant; none: the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong: a lower-case sentence without a final period.
    pub message: String,
    /// What is expected, or the nearest valid name, or what to do next.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a whole file, or of one that could not be read.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, help: Option<String>) -> Problem {
        Problem { file: file.into(), text: None, span: None, message: message.into(), help }
    }

    /// Line and column of the problem's begin, both counted from 1, the column in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        let spot = self.spot()?;
        Some((spot.line, spot.source[..spot.span.start].chars().count() + 1))
    }

    /// The first line of the span, and the span within that line.
    fn spot(&self) -> Option<Spot<'_>> {
        let (text, span) = (self.text.as_deref()?, self.span.as_ref()?);
        let start = floor(text, span.start);
        let begin = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let source = text[begin..line_end].trim_end_matches('\r');
        let from = (start - begin).min(source.len());
        let to = floor(source, span.end.saturating_sub(begin)).max(from);
        let line = text[..begin].bytes().filter(|b| *b == b'\n').count() + 1;
        Some(Spot { line, source, span: from..to })
    }
}

struct Spot<'a> {
    line: usize,
    source: &'a str,
    span: Range<usize>,
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// All problems as a compiler shows them, each with its place, source line and help, and a count at the end.
pub fn render(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in problems {
        let shown = renderer.render(&[group(problem)]);
        // Without a source line there is no gutter; one column keeps all arrows in line.
        out.push_str(&if problem.spot().is_some() { shown } else { shown.replace('\n', "\n ") });
        out.push_str("\n\n");
    }
    let files: BTreeSet<&str> = problems.iter().map(|p| p.file.as_str()).collect();
    out.push_str(&format!("{} in {}\n", counted(problems.len(), "problem"), counted(files.len(), "file")));
    out
}

fn group(problem: &Problem) -> Group<'_> {
    let title = Level::ERROR.primary_title(problem.message.as_str());
    let group = match problem.spot() {
        Some(spot) => title.element(
            Snippet::source(spot.source)
                .line_start(spot.line)
                .path(problem.file.as_str())
                .annotation(AnnotationKind::Primary.span(spot.span)),
        ),
        None => title.element(Origin::path(problem.file.as_str())),
    };
    match &problem.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `did you mean …?` when something is near, else the whole list, with `what` as its name in the plural.
pub fn suggest(word: &str, candidates: &[&str], what: &str) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => format!("there are no {what}"),
        None => format!("{what}: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_place_its_line_and_its_help() {
        let text: Arc<str> = "desk = \"a\"\nevery = \"15 minuts\"\r\n".into();
        let at = text.find("minuts").unwrap();
        let problems = [
            Problem {
                file: "probes/billing.toml".into(),
                text: Some(text.clone()),
                span: Some(at..at + 6),
                message: "unknown unit `minuts`".into(),
                help: Some("did you mean `minutes`?".into()),
            },
            Problem::of_file("replypath.toml", "the file does not exist", None),
        ];
        assert_eq!(problems[0].position(), Some((2, 13)));
        assert_eq!(
            render(&problems, false),
            "error: unknown unit `minuts`\n --> probes/billing.toml:2:13\n  |\n2 | every = \"15 minuts\"\n  |             ^^^^^^\n  |\n  = help: did you mean `minutes`?\n\n\
             error: the file does not exist\n --> replypath.toml\n\n2 problems in 2 files\n"
        );
        assert!(render(&problems, true).contains("\u{1b}["));
    }

    #[test]
    fn a_span_past_the_end_or_inside_a_character_does_no_harm() {
        let problem = |span| Problem { file: "x".into(), text: Some("ä = 1\n".into()), span: Some(span), message: "m".into(), help: None };
        assert_eq!(problem(1..2).position(), Some((1, 1)));
        assert_eq!(problem(99..120).position(), Some((2, 1)));
        assert!(render(&[problem(99..120), problem(1..1)], false).ends_with("2 problems in 1 file\n"));
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["account", "attachments", "subject", "to"];
        assert_eq!(nearest("acount", names), Some("account"));
        assert_eq!(nearest("subejct", names), Some("subject"));
        assert_eq!(nearest("attach", names), Some("attachments"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(suggest("zebra", &names[2..], "valid keys"), "valid keys: subject, to");
    }
}
