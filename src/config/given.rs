//! Values given on the command line in place of a probe's own, read by the rules of a probe's file.
//!
//! A text without the token would be a mail that nobody finds again, so it gets one here as it does there.

use super::read::{At, Doc};
use super::{template, values, web_values};

/// A text of a mail.
///
/// # Errors
/// Names a `${…}` that is no template word.
pub fn text(value: &str) -> Result<String, String> {
    words(value).map(template::with_token)
}

/// The HTML part of a mail.
///
/// # Errors
/// Names a `${…}` that is no template word.
pub fn html(value: &str) -> Result<String, String> {
    words(value).map(template::html_with_token)
}

/// A subject.
///
/// # Errors
/// Names a `${…}` that is no template word, and says when it is more than one line.
pub fn subject(value: &str) -> Result<String, String> {
    if value.contains(['\n', '\r']) {
        return Err("a subject is one line".to_owned());
    }
    words(value)
}

/// A mail address without a name.
///
/// # Errors
/// Says why it is none.
pub fn address(value: &str) -> Result<String, String> {
    match values::address_fault(value) {
        Some(reason) => Err(format!("`{value}` is not a mail address: {reason}; write it like `support@example.com`")),
        None => Ok(value.to_owned()),
    }
}

/// The address of a page.
///
/// # Errors
/// Says why it is none.
pub fn page(value: &str) -> Result<String, String> {
    match web_values::page_fault(value) {
        Some((reason, help)) => Err(format!("{reason}; {help}")),
        None => Ok(value.to_owned()),
    }
}

/// A regular expression whose one group holds a ticket's number.
///
/// # Errors
/// Says why it is none.
pub fn number(value: &str) -> Result<String, String> {
    match web_values::number_fault(value) {
        Some(reason) => Err(format!("the pattern {reason}")),
        None => Ok(value.to_owned()),
    }
}

/// A text that carries no token of its own.
///
/// # Errors
/// Names a `${…}` that is no template word.
pub fn words(value: &str) -> Result<String, String> {
    let mut doc = Doc::new("--set", "");
    let given = At { value: value.to_owned(), span: 0..0 };
    template::check(&given, &mut doc);
    match doc.finish().into_iter().next() {
        Some(problem) => Err(problem.help.map_or(problem.message.clone(), |help| format!("{}; {help}", problem.message))),
        None => Ok(given.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_carry_a_token_and_know_the_words() {
        assert_eq!(text("Hello").unwrap(), "Hello\n\nReference: ${token}");
        assert_eq!(html("<p>${token}</p>").unwrap(), "<p>${token}</p>");
        assert_eq!(text("${tokn}").unwrap_err(), "unknown word `${tokn}`; did you mean `${token}`?");
        assert!(subject("a\nb").is_err() && subject("${nothing}").is_err() && subject("Ä ${run}").is_ok());
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        assert_eq!(address("help@desk.test").unwrap(), "help@desk.test");
        assert!(address("nonsense").unwrap_err().contains("no `@`"));
    }
}
