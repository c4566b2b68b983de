//! What a failed call means for a form: whether customers meet it too, and what to do about it.

use super::recipe::Means;
use crate::desk::outcome::{Cause, Failure};
use crate::engine::ways::Stop;
use crate::model::ResultClass;

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
    let mut stop = match (&failure.cause, part) {
        (Cause::Origin, _) => Stop::failed("form-cors-refused", ResultClass::Denied, found),
        (Cause::Named(name, means, told), _) => named(name, *means, told, class, part),
        (Cause::LoginPage, _) => {
            Stop::unknown("form-login-wall", class, found).advice("let the probe in without signing in, or probe by mail")
        }
        _ if class == ResultClass::Throttled => Stop::unknown("desk-throttled", class, found)
            .passing()
            .advice("probe less often, or raise the desk's limit for the probe's address"),
        _ if class == ResultClass::Unauthorised && signed => {
            Stop::unknown("desk-login-refused", class, found).advice("check the desk's credentials")
        }
        (Cause::NotSent, _) => {
            Stop::unknown("desk-api-down", class, found).passing().advice("check that the desk can be reached from here")
        }
        (Cause::NoAnswer, _) => Stop::unknown("desk-api-down", class, found).passing().advice("check that the desk answers in time"),
        (Cause::Ours, _) => Stop::unknown("desk-contract-broken", class, found).advice("correct the desk file or the desk's params"),
        (Cause::Status(_) | Cause::Shape, Part::Ready) => Stop::failed("form-does-not-load", class, found).or("form-contract-changed"),
        (Cause::Status(500..=599), Part::Sent) => Stop::failed("form-submit-500", class, found),
        (Cause::Status(_) | Cause::Shape, Part::Sent) => Stop::failed("form-contract-changed", class, found)
            .advice("compare the fields with those of the last good run, and the desk's version with the desk file"),
    };
    stop.no_effect = failure.no_effect || part == Part::Ready;
    stop.passing &= stop.no_effect;
    stop.retry_after = failure.retry_after;
    if let Cause::Status(status) = failure.cause {
        stop.seen.facts.insert("status".to_owned(), status.into());
    }
    stop
}

fn named(name: &str, means: Means, told: &str, class: ResultClass, part: Part) -> Stop {
    let found = |text: &str| format!("{text} (`{name}`{told})");
    match means {
        Means::Rejected if part == Part::Ready => Stop::failed("form-does-not-load", class, found("the desk does not give the form")),
        Means::Rejected => Stop::failed("form-contract-changed", class, found("the desk rejected what was written")),
        Means::Disabled => Stop::failed("form-does-not-load", class, found("the desk has switched the form off")),
        Means::Expired => Stop::failed("form-captcha-expired", class, found("what came with the form ran out while it was filled in")),
        Means::Captcha => Stop::unknown("form-captcha", class, found("the desk asks for a captcha"))
            .advice("let the probe's address through, or probe a form without captcha"),
        Means::Mx => Stop::unknown("form-mx-check", class, found("the desk does not take the sender's address"))
            .advice("it looks for an MX record of the sender's domain: write from an address whose domain has one"),
    }
}
