//! Two texts, line by line.

use maud::{Markup, html};

/// Lines of each text that are compared: the work grows with the product of both.
const LINES: usize = 400;

/// One line of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// `found` against `expected`.
pub fn lines(expected: &str, found: &str) -> Markup {
    html! {
        pre {
            @for line in compare(expected, found) {
                @match line {
                    Line::Same(text) => { "  " (text) "\n" },
                    Line::Gone(text) => { del { "- " (text) } "\n" },
                    Line::New(text) => { ins { "+ " (text) } "\n" },
                }
            }
        }
        @if expected.lines().count().max(found.lines().count()) > LINES { p.faint { "Truncated after " (LINES) " lines" } }
    }
}

/// By the longest common subsequence of lines; spaces at their ends do not count.
fn compare<'a>(expected: &'a str, found: &'a str) -> Vec<Line<'a>> {
    let split = |text: &'a str| text.trim_end().lines().map(str::trim_end).take(LINES).collect::<Vec<&str>>();
    let (old, new) = (split(expected), split(found));
    let wide = new.len() + 1;
    // `common[i * wide + j]`: how many lines the rest of `old` from i and of `new` from j have in common.
    let mut common = vec![0_u16; (old.len() + 1) * wide];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * wide + j] = if old[i] == new[j] {
                common[(i + 1) * wide + j + 1] + 1
            } else {
                common[(i + 1) * wide + j].max(common[i * wide + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j >= new.len() || i < old.len() && common[(i + 1) * wide + j] >= common[i * wide + j + 1] {
            out.push(Line::Gone(old[i]));
            i += 1;
        } else {
            out.push(Line::New(new[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_stay_are_not_called_new() {
        let found = compare("Hello\nold line\nBye  ", "Hello\nnew line\nanother\nBye");
        assert_eq!(found, [Line::Same("Hello"), Line::Gone("old line"), Line::New("new line"), Line::New("another"), Line::Same("Bye")]);
        assert_eq!(compare("", ""), []);
        assert_eq!(compare("a", ""), [Line::Gone("a")]);
        assert_eq!(compare("", "a"), [Line::New("a")]);
    }

    #[test]
    fn a_huge_text_is_cut_and_says_so() {
        let text = "x\n".repeat(LINES + 1);
        assert_eq!(compare(&text, &text).len(), LINES);
        assert!(lines(&text, "").into_string().contains("Truncated after 400 lines"));
    }
}
