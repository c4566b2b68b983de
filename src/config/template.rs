//! The words that may stand in texts: `${token}`, `${run}`, `${customer}`, `${address}`, and more in fields and steps.

use super::read::{At, Doc};
use crate::problem::suggest;

/// Words of every text.
pub const WORDS: &[&str] = &["token", "run", "customer", "address"];
/// Words of the values of a form's fields.
pub const FIELD_WORDS: &[&str] = &["token", "run", "customer", "address", "subject", "text"];
/// Words of the steps that say a line.
pub const LINE_WORDS: &[&str] = &["token", "run", "customer", "address", "line"];

/// The agent's answer when the probe gives none.
pub const REPLY: &str = "Hello ${customer},\n\nthank you for writing to us. We have looked into it and everything is fine on our side.\n\n\
    Your reference: ${token}\n\nKind regards";

/// The customer's answer when the probe gives none.
pub const FOLLOW_UP: &str = "Thank you for the answer, that helps me.\n\nMy reference: ${token}";

/// Notes every `${…}` that is none of the words of every text. True when all are.
pub fn check(text: &At<String>, doc: &mut Doc) -> bool {
    check_words(text, WORDS, doc)
}

/// Notes every `${…}` that is none of `words`. True when all are.
pub fn check_words(text: &At<String>, words: &[&str], doc: &mut Doc) -> bool {
    let mut from = 0;
    let mut good = true;
    while let Some(begin) = text.value[from..].find("${").map(|i| from + i) {
        let end = text.value[begin..].find(['}', '\n']).map(|i| begin + i).filter(|i| text.value[*i..].starts_with('}'));
        let Some(end) = end else {
            let place = place(doc, text, begin..begin + 2);
            doc.problem(place, "`${` without `}`", list(words));
            return false;
        };
        let word = &text.value[begin + 2..end];
        if !words.contains(&word) {
            let place = place(doc, text, begin..end + 1);
            let help = match suggest(word, words, "") {
                near if near.starts_with("did") => format!("did you mean `${{{}}}`?", near.split('`').nth(1).unwrap_or_default()),
                _ => list(words),
            };
            doc.problem(place, format!("unknown word `${{{word}}}`"), help);
            good = false;
        }
        from = end + 1;
    }
    good
}

fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|w| format!("${{{w}}}")).collect();
    match words.split_last() {
        Some((last, rest)) => format!("words are {} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The place of a part of a text; exact as long as the text stands in the file as it is.
fn place(doc: &Doc, text: &At<String>, part: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let exact = doc.inside(&text.span, &text.value, part.clone());
    if exact != text.span {
        return exact;
    }
    // Escapes before it move it; the words themselves hold none, so counting them finds it.
    let wanted = &text.value[part.clone()];
    let nth = text.value[..part.start].matches(wanted).count();
    let raw = doc.text.get(text.span.clone()).unwrap_or_default();
    match raw.match_indices(wanted).nth(nth) {
        Some((offset, found)) => text.span.start + offset..text.span.start + offset + found.len(),
        None => text.span.clone(),
    }
}

/// The text with a last line that carries the token, unless it carries it already.
pub fn with_token(text: String) -> String {
    if text.contains("${token}") { text } else { format!("{text}\n\nReference: ${{token}}") }
}

/// The same for HTML: many desks keep only this part of a mail.
pub fn html_with_token(html: String) -> String {
    if html.contains("${token}") {
        return html;
    }
    let line = "<p>Reference: ${token}</p>";
    match html.to_ascii_lowercase().rfind("</body") {
        Some(at) => format!("{}{line}\n{}", &html[..at], &html[at..]),
        None => format!("{html}\n{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_carries_its_token() {
        assert_eq!(with_token("Hello".into()), "Hello\n\nReference: ${token}");
        assert_eq!(with_token("a ${token} b".into()), "a ${token} b");
        assert_eq!(html_with_token("<body><p>x</p></BODY>".into()), "<body><p>x</p><p>Reference: ${token}</p>\n</BODY>");
        assert_eq!(html_with_token("<p>x</p>".into()), "<p>x</p>\n<p>Reference: ${token}</p>");
    }

    #[test]
    fn a_wrong_word_is_found_at_its_place_behind_escapes() {
        let source = "text = \"a\\n${token} ${tokn}\"";
        let mut doc = Doc::new("x", source);
        let text = At { value: "a\n${token} ${tokn}".to_owned(), span: 7..source.len() };
        assert!(!check(&text, &mut doc));
        let problems = doc.finish();
        assert_eq!(&source[problems[0].span.clone().unwrap()], "${tokn}");
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `${token}`?"));
    }
}
