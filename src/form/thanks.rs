//! What the answer to a submission says: thanks, a refusal, or nothing that can be understood.

use super::page::{Notice, Page, plain};
use std::collections::HashSet;

/// What stood on the page before the submission: what stands there again says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    lines: HashSet<String>,
    notices: HashSet<String>,
    fields: HashSet<String>,
    /// Labels of visible fields that were sent empty.
    pub left_empty: Vec<String>,
}

impl Before {
    /// Remembers a page and its form, and what is sent: a thank-you that repeats it says nothing by that.
    pub fn of(page: &Page, form: usize, sent: &[&str]) -> Before {
        let sent = sent.iter().flat_map(|text| text.lines());
        Before {
            lines: page.lines.iter().map(String::as_str).chain(sent).map(plain).collect(),
            notices: page.notices.iter().map(|n| plain(&n.text)).collect(),
            fields: page.forms.get(form).map(fields).unwrap_or_default(),
            left_empty: Vec::new(),
        }
    }
}

fn fields(form: &super::page::Form) -> HashSet<String> {
    form.controls.iter().filter(|c| c.is_field()).map(|c| plain(c.label())).collect()
}

/// What the answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    /// It was taken; the words of it.
    Thanks(String),
    /// It was not taken; why, in the page's words.
    Refused(String),
    /// The text that the probe expects is not there.
    OtherWords(String),
    /// Neither; what is new on the page.
    Nothing(String),
}

/// Words with which sites say that a request was taken, in the languages that they are often written in.
const THANKS: [&str; 41] = [
    "thank",
    "thanks",
    "thx",
    "we have received",
    "we received",
    "has been received",
    "has been sent",
    "was sent",
    "has been submitted",
    "was submitted",
    "submitted successfully",
    "successfully sent",
    "successfully submitted",
    "has been created",
    "was created",
    "successfully created",
    "been registered",
    "message sent",
    "request received",
    "we will get back",
    "we'll get back",
    "will be in touch",
    "danke",
    "dank für",
    "vielen dank",
    "erfolgreich",
    "wurde gesendet",
    "wurde übermittelt",
    "eingegangen",
    "haben ihre",
    "merci",
    "bien été envoyé",
    "a été envoyé",
    "gracias",
    "ha sido enviado",
    "grazie",
    "inviato",
    "bedankt",
    "obrigado",
    "dziękujemy",
    "tack för",
];

/// Words that turn thanks into their opposite, and those of forms that failed without marking it.
const REFUSALS: [&str; 22] = [
    "not been sent",
    "could not be sent",
    "not sent",
    "was not submitted",
    "could not be submitted",
    "not been submitted",
    "failed to send",
    "there was an error",
    "an error occurred",
    "error occurred",
    "something went wrong",
    "please try again",
    "please correct",
    "is required",
    "are required",
    "invalid",
    "nicht gesendet",
    "ist ein fehler",
    "fehler aufgetreten",
    "bitte korrigieren",
    "une erreur",
    "ha ocurrido un error",
];

/// Lines of a page that says one thing only.
const SHORT: usize = 40;

/// Reads the answer. `expected`: the text that the probe's thank-you must hold.
pub(super) fn read(answer: &Page, before: &Before, expected: Option<&str>) -> Says {
    let new: Vec<&str> = answer.lines.iter().map(String::as_str).filter(|l| !before.lines.contains(&plain(l))).collect();
    let words = super::labels::shortened(&new.join("\n"), 2_000);
    let again = answer.forms.iter().any(|form| comes_again(&fields(form), &before.fields));
    let fresh = |n: &&Notice| !before.notices.contains(&plain(&n.text));
    let errors: Vec<&str> = answer.notices.iter().filter(fresh).filter(|n| n.error).map(|n| n.text.as_str()).collect();
    let wrong = || -> Vec<String> {
        let invalid = answer.forms.iter().flat_map(|f| &f.controls).filter(|c| c.invalid && c.is_field());
        invalid.map(|c| format!("the field `{}` is marked as wrong", c.label())).collect()
    };
    if let Some(expected) = expected {
        let wanted = plain(expected);
        // What stood there before is no thanks, unless the form itself is gone.
        let lines = if again { new.join(" ") } else { answer.lines.join(" ") };
        if plain(&lines).contains(&wanted) && (errors.is_empty() || !again) {
            return Says::Thanks(words);
        }
    }
    let in_error = |sentence: &str| errors.iter().any(|e| e.contains(sentence));
    let thanked = new.iter().flat_map(|l| sentences(l)).any(|s| thanks(s) && !in_error(s));
    // A form that is gone with words of thanks was taken, whatever else the page holds: templates of errors that styles of
    // other files hide, advice what to do on errors. One that is there again needs a second look.
    if expected.is_none() && thanked && !again {
        return Says::Thanks(words);
    }
    if !errors.is_empty() {
        return Says::Refused(quoted(&errors));
    }
    let wrong = if again { wrong() } else { Vec::new() };
    if !wrong.is_empty() {
        let alerts: Vec<&str> = answer.notices.iter().filter(fresh).map(|n| n.text.as_str()).collect();
        return Says::Refused(if alerts.is_empty() { wrong.join("; ") } else { quoted(&alerts) });
    }
    // A sentence that does both says nothing: “Thanks, but it could not be sent”.
    let refusing = |line: &str| sentences(line).any(|s| refuses(s) && !has_thanks(s));
    let refusals: Vec<&str> = new.iter().filter(|l| refusing(l)).copied().collect();
    if expected.is_none() && thanked && refusals.is_empty() {
        return Says::Thanks(words);
    }
    let alerts: Vec<&str> = answer.notices.iter().filter(fresh).filter(|n| !thanks(&n.text)).map(|n| n.text.as_str()).collect();
    if again && !alerts.is_empty() {
        return Says::Refused(quoted(&alerts));
    }
    if !refusals.is_empty() && !thanked && (again || new.len() <= SHORT) {
        return Says::Refused(quoted(&refusals));
    }
    if expected.is_some() { Says::OtherWords(words) } else { Says::Nothing(words) }
}

/// The sentences of a line.
pub(crate) fn sentences(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive(['.', '!', '?']).map(str::trim)
}

/// Most of the fields are there again.
fn comes_again(now: &HashSet<String>, before: &HashSet<String>) -> bool {
    !before.is_empty() && now.intersection(before).count() * 2 >= before.len()
}

/// The sentence thanks, and refuses nothing.
pub(crate) fn thanks(line: &str) -> bool {
    has_thanks(line) && !refuses(line)
}

fn has_thanks(line: &str) -> bool {
    let line = line.to_lowercase();
    THANKS.iter().any(|w| holds(&line, w))
}

/// The sentence says that something was not taken.
pub(crate) fn refuses(line: &str) -> bool {
    let line = line.to_lowercase();
    REFUSALS.iter().any(|w| holds(&line, w))
}

/// The words stand in the line, and their first one begins there.
fn holds(line: &str, words: &str) -> bool {
    line.match_indices(words).any(|(at, _)| !line[..at].ends_with(char::is_alphanumeric))
}

fn quoted(texts: &[&str]) -> String {
    let quotes: Vec<String> = texts.iter().take(4).map(|t| format!("“{t}”")).collect();
    quotes.join(", ")
}
