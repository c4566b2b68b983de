//! The kinds of values that forms and chats take: addresses of pages, selectors, patterns, words.

use super::read::{Doc, FromToml, choice, value_schema};
use crate::model::{AnswerBy, Visitor, WhenOffline};
use regex::Regex;
use reqwest::Url;
use std::ops::Range;
use toml::de::DeValue;

choice!(WhenOffline { "fail" => WhenOffline::Fail, "unknown" => WhenOffline::Unknown, "message" => WhenOffline::Message });
choice!(AnswerBy { "chat" => AnswerBy::Chat, "email" => AnswerBy::Email });
choice!(Visitor { "fresh" => Visitor::Fresh, "kept" => Visitor::Kept });

/// The address of a page: http or https, without user and password.
#[derive(Debug, Clone)]
pub struct PageUrl(pub String);

/// Why a text is not the address of a page, and what to do about it. The text itself is not repeated: it may hold a password.
pub fn page_fault(text: &str) -> Option<(String, &'static str)> {
    const FORM: &str = "write it like `https://www.example.com/contact`";
    if text.contains("${") {
        return Some(("the address of a page holds no `${…}`".to_owned(), "every run opens the same page"));
    }
    let reason = match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            return Some(("the address holds a user or a password".to_owned(), "take it out: a customer opens the page without"));
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => return None,
        Err(error) if text.starts_with("http://") || text.starts_with("https://") => error.to_string(),
        _ => "it begins with neither `https://` nor `http://`".to_owned(),
    };
    Some((format!("not the address of a page: {reason}"), FORM))
}

impl FromToml for PageUrl {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(text) = value.as_str() else {
            doc.wrong(span, "the address of a page", value);
            return None;
        };
        let Some((message, help)) = page_fault(text) else { return Some(PageUrl(text.to_owned())) };
        if text.contains('@') {
            doc.mask(span.clone());
        }
        doc.problem(span.clone(), format!("`{}`: {message}", doc.key), help.to_owned());
        None
    }
}

/// A CSS selector; ` >>> ` steps into a shadow root.
#[derive(Debug, Clone)]
pub struct Selector(pub String);

/// Why a text cannot be a selector, as far as that shows without a browser: browsers know more than any list of ours.
fn selector_fault(text: &str) -> Option<String> {
    if text.split(">>>").any(|part| part.trim().is_empty()) {
        let steps = text.contains(">>>");
        return Some(if steps { "nothing stands on one side of `>>>`".to_owned() } else { "it is empty".to_owned() });
    }
    let mut open: Vec<char> = Vec::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\\') => drop(chars.next()),
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => open.push(if c == '(' { ')' } else { ']' }),
            (None, ')' | ']') if open.pop() != Some(c) => return Some(format!("`{c}` closes nothing")),
            _ => {}
        }
    }
    match (quote, open.pop()) {
        (Some(q), _) => Some(format!("a {q} is not closed")),
        (None, Some(close)) => Some(format!("a `{close}` is missing")),
        (None, None) => None,
    }
}

impl FromToml for Selector {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(text) = value.as_str() else {
            doc.wrong(span, "a CSS selector", value);
            return None;
        };
        let Some(reason) = selector_fault(text) else { return Some(Selector(text.to_owned())) };
        let message = format!("`{}` is not a CSS selector: {reason}", doc.key);
        doc.problem(span.clone(), message, "selectors look like \"#contact\" or \"form.contact input[name=email]\"".to_owned());
        None
    }
}

/// A regular expression with one group, which holds the ticket's number.
#[derive(Debug, Clone)]
pub struct NumberPattern(pub String);

/// Why a text finds no ticket's number.
pub fn number_fault(text: &str) -> Option<String> {
    match Regex::new(text) {
        // The last line of the error is the reason; those before it draw the pattern.
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
            Some(format!("is not a regular expression: {reason}"))
        }
        Ok(pattern) if pattern.captures_len() != 2 => Some(format!("needs one group, it has {}", pattern.captures_len() - 1)),
        Ok(_) => None,
    }
}

impl FromToml for NumberPattern {
    fn read(value: &DeValue<'_>, span: &Range<usize>, doc: &mut Doc) -> Option<Self> {
        let Some(text) = value.as_str() else {
            doc.wrong(span, "a regular expression with one group", value);
            return None;
        };
        let Some(reason) = number_fault(text) else { return Some(NumberPattern(text.to_owned())) };
        let help = "put the number in round brackets: 'ticket #([0-9]+)'".to_owned();
        doc.problem(span.clone(), format!("`{}` {reason}", doc.key), help);
        None
    }
}

value_schema!(
    PageUrl => { "title": "URL", "type": "string", "pattern": "^https?://", "examples": ["https://www.example.com/contact"] },
    Selector => { "title": "CSS selector", "type": "string", "minLength": 1, "examples": ["form.contact"] },
    NumberPattern => { "title": "regular expression", "type": "string", "format": "regex", "examples": ["ticket #([0-9]+)"] },
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_a_customer_can_open_are_taken() {
        for good in ["http://127.0.0.1:8080/contact", "https://shop.example/de/kontakt?lang=de#form"] {
            assert_eq!(page_fault(good), None, "{good}");
        }
        for bad in ["shop.example/contact", "ftp://shop.example", "file:///etc/passwd", "https://shop.example/${run}", "https://"] {
            assert!(page_fault(bad).is_some(), "{bad}");
        }
        let (message, _) = page_fault("https://me:geheim@shop.example").unwrap();
        assert!(!message.contains("geheim"), "{message}");
    }

    #[test]
    fn a_selector_that_no_browser_would_take_is_told_from_a_good_one() {
        for good in ["#chat", "form[action='/x(1]'] input", "chat-box >>> textarea", "li:has(> a[href*=\"]\"])", ".a\\]b"] {
            assert_eq!(selector_fault(good), None, "{good}");
        }
        for bad in ["", " ", "a >>> ", ">>> a", "a[name", "a)", "li:has(a", "a[name='x]", "a(]"] {
            assert!(selector_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_number_has_one_group() {
        assert_eq!(number_fault("#([0-9]+)"), None);
        assert_eq!(number_fault("#[0-9]+").unwrap(), "needs one group, it has 0");
        assert!(number_fault("(a)(b)").is_some());
        let broken = number_fault("#([0-9]+").unwrap();
        assert!(broken.contains("unclosed group") && !broken.contains('\n'), "{broken}");
    }
}
