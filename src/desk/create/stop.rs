//! What a failed call means for a form: whether customers meet it too, and what to do about it.

use super::recipe::Means;
use crate::desk::outcome::{Cause, Failure};
use crate::engine::ways::Stop;
use crate::model::ResultClass;

const ALLOW: &str = "try by hand from another network: if it works there, a filter stops the probe; allow its address";
const REACH: &str = "try from another network to see whether the desk or this machine's way to it is down";

/// Where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// While the form was got ready: nothing was written.
    Ready,
    /// While it was sent.
    Sent,
}

/// The failure as a stop. `signed`: the calls carry credentials of ours.
pub(crate) fn stop(failure: Failure, part: Part, signed: bool) -> Stop {
    let class = failure.class;
    let found = failure.message.clone();
    let mut stop = match &failure.cause {
        Cause::Named(name, means, told) => named(name, *means, told, class, part),
        Cause::LoginPage => Stop::unknown("form-login-wall", class, found)
            .advice("open the form to guests if it is meant for them, or let the probe use another way in"),
        _ if class == ResultClass::Throttled => Stop::unknown("form-throttled", class, found)
            .passing()
            .advice("run the probe less often, or exempt its address from the desk's limit"),
        _ if class == ResultClass::Unauthorised && signed => {
            Stop::unknown("desk-login-refused", class, found).advice("check the desk's credentials")
        }
        Cause::Origin(500..) => Stop::failed("form-cors-refused", ResultClass::Denied, found).or("form-submit-500"),
        Cause::Origin(_) => Stop::failed("form-cors-refused", ResultClass::Denied, found),
        cause if part == Part::Ready => not_ready(cause, class, found),
        cause => not_sent(cause, class, found),
    };
    stop.no_effect = failure.no_effect || part == Part::Ready;
    stop.passing &= stop.no_effect;
    stop.retry_after = failure.retry_after;
    if let Cause::Status(status @ 1..) | Cause::Origin(status @ 1..) = failure.cause {
        stop.seen.facts.insert("status".to_owned(), status.into());
    }
    stop
}

fn not_ready(cause: &Cause, class: ResultClass, found: String) -> Stop {
    match cause {
        Cause::NotSent | Cause::NoAnswer => Stop::unknown("form-page-unreachable", class, found).passing().advice(REACH),
        Cause::Status(403) => Stop::unknown("form-bot-protection", class, found).or("form-does-not-load").advice(ALLOW),
        Cause::Status(500..) => Stop::failed("form-does-not-load", class, found).passing(),
        Cause::Ours => Stop::unknown("desk-contract-broken", class, found).advice("correct the desk file or the desk's params"),
        _ => Stop::failed("form-does-not-load", class, found).or("form-contract-changed"),
    }
}

fn not_sent(cause: &Cause, class: ResultClass, found: String) -> Stop {
    match cause {
        // The form was there a moment ago, so it is not our own way that is down.
        Cause::NotSent => Stop::failed("form-submit-refused", class, found).passing(),
        Cause::NoAnswer => Stop::unknown("act-uncertain", class, found).or("form-submit-500"),
        Cause::Status(403) => Stop::unknown("form-bot-protection", class, found).or("form-contract-changed").advice(ALLOW),
        Cause::Status(500..) => Stop::failed("form-submit-500", class, found),
        Cause::Status(400 | 401 | 409 | 419 | 422) => Stop::failed("form-contract-changed", class, found).or("form-submit-refused"),
        Cause::Status(300..) => Stop::failed("form-submit-refused", class, found),
        Cause::Ours => Stop::unknown("form-submit-refused", class, found)
            .advice("if the form is meant to be sent there, add the host to `hosts` of the desk file; else correct the form"),
        _ => Stop::failed("form-thanks-missing", class, found).or("form-contract-changed"),
    }
}

fn named(name: &str, means: Means, told: &str, class: ResultClass, part: Part) -> Stop {
    let found = |text: &str| format!("{text} (`{name}`{told})");
    match means {
        Means::Rejected if part == Part::Ready => Stop::failed("form-does-not-load", class, found("the desk does not give the form")),
        Means::Rejected => {
            Stop::failed("form-contract-changed", class, found("the desk rejected what was written")).or("form-submit-refused")
        }
        Means::Disabled => Stop::failed("form-does-not-load", class, found("the desk has switched the form off")),
        Means::Expired => Stop::failed("form-captcha-expired", class, found("what came with the form ran out while it was filled in")),
        Means::Captcha => Stop::unknown("form-captcha", class, found("the desk asks for a captcha"))
            .advice("exempt the probe from the captcha, use the captcha's test key, or let the probe use another way in"),
        Means::Mx => Stop::unknown("form-sender-refused", class, found("the desk does not take the sender's address"))
            .advice("it looks for an MX record of the sender's domain: use an account whose domain has one"),
    }
}
