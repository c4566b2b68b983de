//! Everything that can keep a form from being sent or taken, as a [`Stop`]: whose trouble it is, and what to do.
//!
//! A page that cannot be reached at all is never a failure here: whether the site is down or our way to it is for the
//! engine to say, which has other looks. The fact `failed_at` tells how far it came. Once the page was loaded, our way
//! was shown to work: a submission that is refused a connection seconds later is what customers meet.

use super::fetch::{Answer, Lost, Why, place};
use crate::engine::ways::{Seen, Stop};
use crate::model::ResultClass;
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use std::time::Duration;

const ASK_FOR_BROWSER: &str = "set `browser = true` in `[form]`, or give the address of the frame that holds the form as `page`";
const ALLOW: &str = "allow the probe's address in the rules of that service for this page, or let the probe use another way in";

/// Adds what was seen.
pub(super) fn with(mut stop: Stop, seen: &Seen) -> Stop {
    let facts = std::mem::take(&mut stop.seen.facts);
    *stop.seen = seen.clone();
    stop.seen.facts.extend(facts);
    stop
}

fn fact(mut stop: Stop, name: &str, value: impl Into<serde_json::Value>) -> Stop {
    stop.seen.facts.insert(name.to_owned(), value.into());
    stop
}

/// The page did not come.
pub(super) fn not_loaded(lost: &Lost) -> Stop {
    let stop = match lost.why {
        Why::BadCertificate => Stop::failed("form-tls-broken", ResultClass::Unavailable, &lost.text),
        Why::Tls => Stop::unknown("form-tls-broken", ResultClass::Unavailable, &lost.text).or("form-page-unreachable").advice(
            "open the page in a browser: if it warns, repair the certificate and its chain; if not, look at proxies of this network",
        ),
        Why::TooLarge => Stop::unknown("form-page-oversize", ResultClass::BrokenContract, &lost.text)
            .advice("give the address of a page that holds the form alone"),
        Why::Astray => Stop::failed("form-does-not-load", ResultClass::BrokenContract, &lost.text),
        Why::Inside => Stop::unknown("form-page-unreachable", ResultClass::Denied, &lost.text)
            .advice("correct the redirect, or write the inner address as `page` if that is meant"),
        Why::Name | Why::Connect | Why::Late | Why::Broken => Stop::unknown("form-page-unreachable", ResultClass::Unavailable, &lost.text)
            .passing()
            .advice("open the page from another network to see whether the site or this machine's way to it is down"),
    };
    fact(stop, "failed_at", lost.why.word())
}

/// The page came with a status that is no page; none: it is one.
pub(super) fn bad_page(answer: &Answer) -> Option<Stop> {
    let found = format!("{} answered {}", place(&answer.url), answer.status);
    let stop = match answer.status {
        200..=299 => return None,
        401 if answer.headers.contains_key(WWW_AUTHENTICATE) => login_wall(&format!("{} asks for a password", place(&answer.url))),
        403 => Stop::unknown("form-bot-protection", ResultClass::Denied, found).or("form-does-not-load").advice(ALLOW),
        429 => throttled(answer),
        500.. => Stop::failed("form-does-not-load", ResultClass::Unavailable, found).passing(),
        _ => Stop::failed("form-does-not-load", ResultClass::BrokenContract, found),
    };
    Some(stop)
}

/// The page is of a kind that holds no form.
pub(super) fn no_page(answer: &Answer, kind: &str) -> Stop {
    let found = format!("{} is no web page but {kind}", place(&answer.url));
    Stop::failed("form-does-not-load", ResultClass::BrokenContract, found)
}

/// The page is beyond what is read.
pub(super) fn unreadable(url: &str, why: &str) -> Stop {
    let found = format!("the page {url} cannot be read: {why}");
    Stop::unknown("form-page-oversize", ResultClass::BrokenContract, found).advice("give the address of a page that holds the form alone")
}

/// The site asks to slow down.
pub(super) fn throttled(answer: &Answer) -> Stop {
    let found = format!("{} answered 429: too many requests", place(&answer.url));
    let mut stop = Stop::unknown("form-throttled", ResultClass::Throttled, found)
        .passing()
        .advice("run the probe less often, or exempt its address from the site's limit");
    let seconds = answer.headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    stop.retry_after = seconds.map(Duration::from_secs);
    stop
}

/// Bot protection answered in the site's place.
pub(crate) fn bot_protection(service: &str, url: &str) -> Stop {
    let found = format!("the bot protection of {service} stands before {url}");
    fact(Stop::unknown("form-bot-protection", ResultClass::Denied, found).advice(ALLOW), "bot_protection", service)
}

/// Only people with a login get there.
pub(crate) fn login_wall(found: &str) -> Stop {
    Stop::unknown("form-login-wall", ResultClass::Denied, found)
        .advice("open the form to guests if it is meant for them, or let the probe use another way in")
}

/// A captcha guards the form.
pub(crate) fn captcha(name: &str) -> Stop {
    let found = format!("the form is guarded by a captcha ({name})");
    let stop = Stop::unknown("form-captcha", ResultClass::Denied, found)
        .advice("exempt the probe from the captcha, use the captcha's test key, or let the probe use another way in");
    fact(stop, "captcha", name)
}

/// The page holds no form to write in with. `built`: a script or a frame may bring one.
pub(super) fn no_form(url: &str, built: bool, wanted: Option<&str>) -> Stop {
    let found = match wanted {
        Some(selector) => format!("nothing on {url} is the form `{selector}`"),
        None => format!("no form to write in with stands on {url}"),
    };
    if built {
        let found = format!("{found}; scripts or frames of the page may bring one");
        return Stop::unknown("form-needs-browser", ResultClass::BrokenContract, found).or("form-does-not-load").advice(ASK_FOR_BROWSER);
    }
    if wanted.is_some() {
        return Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, found)
            .or("form-does-not-load")
            .advice("correct `form` in `[form]`; `replypath doctor` shows what is on the page");
    }
    Stop::failed("form-does-not-load", ResultClass::Empty, found)
}

/// The form sends nothing by itself.
pub(super) fn needs_browser(why: &str) -> Stop {
    Stop::unknown("form-needs-browser", ResultClass::BrokenContract, why).advice(ASK_FOR_BROWSER)
}

/// The probe does not fill what the form asks for, or names what it does not have. Where the last good run saw another
/// form, the form changed: the engine compares the prints.
pub(super) fn incomplete(gaps: &[String]) -> Stop {
    let mut found = gaps.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
    if gaps.len() > 3 {
        found.push_str(&format!("; and {} more", gaps.len() - 3));
    }
    let mut stop = Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, found)
        .or("form-contract-changed")
        .advice("say in `[[form.fields]]` of the probe what a customer would put there; `replypath doctor` shows the form");
    stop.seen.facts.insert("gaps".to_owned(), gaps.iter().take(50).cloned().collect::<Vec<_>>().into());
    stop
}

/// The submission got no answer, or none that could be read.
pub(super) fn not_answered(lost: &Lost) -> Stop {
    let text = &lost.text;
    let stop = match (lost.sent, lost.why) {
        (false, Why::BadCertificate) => Stop::failed("form-tls-broken", ResultClass::Unavailable, text),
        (false, Why::Tls) => Stop::unknown("form-tls-broken", ResultClass::Unavailable, text)
            .advice("open the form's target in a browser: if it warns, repair the certificate and its chain"),
        (false, Why::Inside) => inside(text),
        (false, _) => {
            Stop::failed("form-submit-refused", ResultClass::Unavailable, format!("the form cannot be submitted: {text}")).passing()
        }
        // Customers go round in the same circle, though the request may have been taken.
        (true, Why::Astray) => Stop::failed("form-thanks-missing", ResultClass::BrokenContract, text).uncertain(),
        (true, Why::TooLarge | Why::Inside) => Stop::unknown("form-thanks-missing", ResultClass::BrokenContract, text).uncertain(),
        (true, _) => Stop::unknown("act-uncertain", ResultClass::Unavailable, format!("the form was submitted, but {text}"))
            .or("form-submit-500")
            .uncertain(),
    };
    fact(stop, "failed_at", lost.why.word())
}

/// The form would lead a browser into a private network.
pub(super) fn inside(text: &str) -> Stop {
    Stop::unknown("form-submit-refused", ResultClass::Denied, text)
        .advice("the form's target is an address of a private network; correct the form, or write its page with that address too")
}
