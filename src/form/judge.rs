//! From the answer to a submission to thanks or a [`Stop`].
//!
//! A 5xx is what customers meet, so it fails, though the request may have been taken. A refusal in words or by 4xx
//! certainly took nothing. A bare 403 may be a filter that stops only us, so it proves nothing.

use super::fetch::{Answer, place};
use super::page::{Page, plain};
use super::stops;
use super::thanks::{Before, Says, read};
use super::walls;
use crate::engine::ways::Stop;
use crate::model::ResultClass;

/// Reads the answer: the words of thanks, or why it is none.
pub(super) fn judge(answer: &Answer, page: &Page, before: &Before, expected: Option<&str>) -> Result<String, Box<Stop>> {
    // Behind a redirect the request itself was answered before.
    let settle = |stop: Stop| if answer.redirects > 0 { stop.uncertain() } else { stop };
    let bare = page.forms.is_empty();
    if let Some(service) = walls::bot_protection(answer, bare) {
        return Err(Box::new(settle(stops::bot_protection(service, &place(&answer.url)))));
    }
    let here = place(&answer.url);
    match answer.status {
        // A redirect that names no place is shown as a page.
        200..=399 => {}
        500.. => return Err(Box::new(server_error(answer, &here))),
        429 => return Err(Box::new(settle(stops::throttled(answer)))),
        _ if answer.redirects > 0 => {
            let found = format!("the submission was answered with a redirect to {here}, which answers {}", answer.status);
            return Err(Box::new(Stop::failed("form-thanks-missing", ResultClass::BrokenContract, found).uncertain()));
        }
        413 => return Err(Box::new(refused_by(format!("{here} answered 413: the request with its files is too large")))),
        404 | 405 | 410 => return Err(Box::new(refused_by(format!("the form is submitted to {here}, which answers {}", answer.status)))),
        _ => return Err(Box::new(refused_with(answer.status, &here, page, before))),
    }
    match read(page, before, expected) {
        Says::Thanks(words) => Ok(words),
        Says::Refused(why) => Err(Box::new(settle(refusal(&why, before)))),
        Says::OtherWords(words) => {
            let wanted = expected.unwrap_or_default();
            let found = format!("the answer does not hold “{wanted}”; it says {}", start(&words));
            Err(Box::new(Stop::failed("form-thanks-missing", ResultClass::BrokenContract, found).uncertain()))
        }
        Says::Nothing(_) if super::choose::wants_login(page) => {
            Err(Box::new(settle(stops::login_wall(&format!("the submission led to a login at {here}")))))
        }
        Says::Nothing(words) => {
            let found = format!("the answer at {here} neither thanks nor complains; new on the page is {}", start(&words));
            let stop = Stop::unknown("form-thanks-missing", ResultClass::BrokenContract, found).uncertain();
            Err(Box::new(
                stop.advice("put the words of the thank-you into `thanks` of the probe; if a script shows them, set `browser = true`"),
            ))
        }
    }
}

fn start(words: &str) -> String {
    if words.is_empty() { "nothing".to_owned() } else { format!("“{}”", super::labels::shortened(&words.replace('\n', " "), 200)) }
}

fn server_error(answer: &Answer, here: &str) -> Stop {
    let status = answer.status;
    if answer.redirects > 0 {
        let found = format!("the submission was answered with a redirect to {here}, which answers {status}");
        return Stop::failed("form-thanks-missing", ResultClass::Unavailable, found).uncertain();
    }
    Stop::failed("form-submit-500", ResultClass::Unavailable, format!("submitting the form was answered with {status}")).uncertain()
}

fn refused_by(found: String) -> Stop {
    Stop::failed("form-submit-refused", ResultClass::BrokenContract, found)
}

/// A 4xx: its words tell more than its number.
fn refused_with(status: u16, here: &str, page: &Page, before: &Before) -> Stop {
    let why = match read(page, before, None) {
        Says::Refused(why) => why,
        Says::Thanks(words) | Says::Nothing(words) | Says::OtherWords(words) => start(&words),
    };
    let found = format!("submitting the form was answered with {status}: {why}");
    if let Some(stop) = by_words(&why, &found, &before.left_empty) {
        return stop;
    }
    match status {
        403 => Stop::unknown("form-bot-protection", ResultClass::Denied, found)
            .or("form-contract-changed")
            .advice("submit by hand from another network: if it is taken there, a filter stops the probe; allow its address"),
        400 | 401 | 409 | 419 | 422 => Stop::failed("form-contract-changed", ResultClass::BrokenContract, found).or("form-submit-refused"),
        _ => refused_by(format!("{here} refused the form: {found}")),
    }
}

/// A page of errors.
fn refusal(why: &str, before: &Before) -> Stop {
    let found = format!("the form was refused: {why}");
    by_words(why, &found, &before.left_empty).unwrap_or_else(|| refused_by(found))
}

/// What an error's words tell of its cause. `left_empty`: labels of visible fields that were sent empty.
pub(crate) fn by_words(why: &str, found: &str, left_empty: &[String]) -> Option<Stop> {
    let text = plain(why);
    let any = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if any(&["captcha", "not a robot", "human verification", "turnstile", "verify you are human", "verify that you are human"]) {
        let expired = any(&["expired", "timeout", "timed out", "time-out", "abgelaufen", "too old", "expiré", "caducado"]);
        return Some(if expired {
            Stop::failed("form-captcha-expired", ResultClass::Denied, found)
        } else {
            let advice = "exempt the probe from the captcha, use the captcha's test key, or let the probe use another way in";
            Stop::unknown("form-captcha", ResultClass::Denied, found).advice(advice)
        });
    }
    if any(&[
        "csrf",
        "authenticity token",
        "invalid token",
        "session has expired",
        "session expired",
        "request forgery",
        "token mismatch",
        "page expired",
    ]) {
        return Some(Stop::failed("form-contract-changed", ResultClass::BrokenContract, found));
    }
    if any(&["spam", "blocked", "blacklist", "blocklist", "banned"]) && !any(&["e-mail", "email", "mail address"]) {
        let advice = "exempt the probe's account and address from the form's spam filter";
        return Some(Stop::unknown("mon-desk-blocks-probe", ResultClass::Denied, found).advice(advice));
    }
    if any(&["too many", "too often", "wait before", "rate limit", "limit exceeded", "slow down"]) {
        let advice = "run the probe less often, or exempt its address from the site's limit";
        return Some(Stop::unknown("form-throttled", ResultClass::Throttled, found).advice(advice).passing());
    }
    if any(&["mx record", "mx-record", "no mx", "disposable", "throwaway", "temporary e-mail", "temporary email"])
        || about_the_address(&text)
    {
        let advice = "use an account whose domain has an MX record and is on no block list";
        return Some(Stop::unknown("form-sender-refused", ResultClass::Denied, found).or("form-submit-refused").advice(advice));
    }
    let required = any(&[
        "required",
        "must not be empty",
        "can't be blank",
        "cannot be blank",
        "pflichtfeld",
        "may not be blank",
        "fill in",
        "fill out",
    ]);
    if required && !left_empty.is_empty() {
        let empty: Vec<String> = left_empty.iter().take(6).map(|l| format!("`{l}`")).collect();
        let advice = format!("the probe leaves {} empty; say in `[[form.fields]]` what a customer would put there", empty.join(", "));
        let stop = Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, found);
        return Some(stop.or("form-contract-changed").advice(advice));
    }
    if required {
        return Some(Stop::failed("form-contract-changed", ResultClass::BrokenContract, found).or("form-submit-refused"));
    }
    None
}

/// The error finds fault with the customer's address or its domain.
fn about_the_address(text: &str) -> bool {
    let address = ["e-mail", "email", "mail address", "sender", "domain"].iter().any(|w| text.contains(w));
    let fault = [
        "valid",
        "not exist",
        "unreachable",
        "not reachable",
        "not allowed",
        "not accepted",
        "deliver",
        "gültig",
        "not resolve",
        "blocked",
    ];
    address && fault.iter().any(|w| text.contains(w))
}
