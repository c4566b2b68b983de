//! Names what an answer means: exactly one of the seven result classes.

use super::definition::{Answer, Fail, OutcomeRules, Rule, Step};
use super::http::Reply;
use super::path::{Json, Path, json, null, scalar, string};
use crate::engine::ports::Trouble;
use crate::model::ResultClass;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Longest piece of a desk's own words in a message.
const MAX_WORDS: usize = 200;

/// Why an operation did not end as ok or empty.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub class: ResultClass,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// The call certainly changed nothing at the desk.
    pub no_effect: bool,
    /// The desk says that what was asked for does not exist (any more).
    pub gone: bool,
}

impl Failure {
    /// A failure of the contract, before anything was sent.
    pub fn contract(message: impl Into<String>) -> Failure {
        Failure { class: ResultClass::BrokenContract, message: message.into(), retry_after: None, no_effect: true, gone: false }
    }

    /// The same, after something may have been changed.
    #[must_use]
    pub fn after_effect(mut self) -> Failure {
        self.no_effect = false;
        self
    }

    /// As the engine's word.
    pub fn trouble(self) -> Trouble {
        let (fault, next) = match self.class {
            ResultClass::Throttled => ("desk-throttled", "ask less often"),
            ResultClass::Unauthorised => ("desk-login-refused", "check the desk's credentials"),
            ResultClass::Denied => ("desk-denied", "check the rights of the desk's account"),
            ResultClass::BrokenContract => ("desk-contract-broken", "compare the desk's version with the desk file"),
            ResultClass::Unavailable | ResultClass::Ok | ResultClass::Empty => {
                ("desk-api-down", "check that the desk's API can be reached")
            }
        };
        Trouble { class: self.class, fault, message: format!("{}; {next}", self.message), retry_after: self.retry_after }
    }
}

/// What an answer means.
#[derive(Debug)]
pub(crate) enum Judged {
    /// A success, with its content.
    Ok(Json),
    /// Asked properly; nothing there.
    Empty,
}

/// Judges an answer by the step's and the desk's rules.
pub(crate) fn judge(step: &Step, rules: &OutcomeRules, reply: &Reply, now: Timestamp) -> Result<Judged, Failure> {
    let status = reply.status.as_u16();
    if step.empty_status.contains(&status) {
        return Ok(Judged::Empty);
    }
    let success = if step.status.is_empty() { reply.status.is_success() } else { step.status.contains(&status) };
    let content = content(step, reply);
    let body = content.as_ref().map_or_else(|_| null(), Clone::clone);
    let told = || words(rules.message.as_ref(), &body, reply);
    let failure = |class, text: String, no_effect| Failure { class, message: text, retry_after: None, no_effect, gone: false };

    if let Some(class) = named_by_body(rules, &body)? {
        let gone = class.1;
        let no_effect = matches!(class.0, ResultClass::Throttled | ResultClass::Unauthorised | ResultClass::Denied) || gone;
        let wait = wait(&reply.headers, rules, class.0, now);
        return Err(Failure { gone, retry_after: wait, ..failure(class.0, format!("{status}{}", told()), no_effect) });
    }
    if !success {
        let (class, gone) = named_by_status(rules, status);
        let text = format!("{}{}", reply.status, told());
        let wait = wait(&reply.headers, rules, class, now);
        return Err(Failure { gone, retry_after: wait, ..failure(class, text, (400..500).contains(&status)) });
    }
    let body = content.map_err(|m| failure(ResultClass::BrokenContract, format!("{status}, but {m}"), false))?;
    let broken = |m: String| failure(ResultClass::BrokenContract, m, false);
    for Fail { name, when, class } in step.fail.iter().chain(&rules.fail) {
        if when.holds(&body).map_err(broken)? {
            let no_effect = !matches!(class, ResultClass::Unavailable | ResultClass::BrokenContract);
            let wait = wait(&reply.headers, rules, *class, now);
            return Err(Failure {
                retry_after: wait,
                ..failure(*class, format!("the desk answered {status} with `{name}`{}", told()), no_effect)
            });
        }
    }
    if let Some(path) = &step.empty_if {
        if path.holds(&body).map_err(broken)? {
            return Ok(Judged::Empty);
        }
    }
    for check in step.check.iter().chain(&rules.check) {
        if !check.holds(&body).map_err(broken)? {
            return Err(broken(format!("the answer ({status}) does not hold `{}`{}", check.text(), told())));
        }
    }
    Ok(Judged::Ok(body))
}

/// Judges the answer to a file's URL: true for a success, false when the desk says that it does not exist.
pub(crate) fn judge_file(rules: &OutcomeRules, reply: &Reply, now: Timestamp) -> Result<bool, Failure> {
    if reply.status.is_success() {
        return Ok(true);
    }
    let status = reply.status.as_u16();
    match named_by_status(rules, status) {
        (_, true) => Ok(false),
        (class, false) => {
            let retry_after = wait(&reply.headers, rules, class, now);
            Err(Failure { class, message: reply.status.to_string(), retry_after, no_effect: true, gone: false })
        }
    }
}

fn content(step: &Step, reply: &Reply) -> Result<Json, String> {
    let text = String::from_utf8_lossy(&reply.body);
    let text = text.trim_start_matches('\u{feff}').trim();
    match step.answer {
        Answer::Ignored => Ok(null()),
        Answer::Text => Ok(string(text)),
        Answer::Json if text.is_empty() => Ok(null()),
        Answer::Json => json(text).map_err(|e| format!("the answer is no JSON ({e})")),
    }
}

/// The class that a rule finds in the body; true with it when it means "gone".
fn named_by_body(rules: &OutcomeRules, body: &Json) -> Result<Option<(ResultClass, bool)>, Failure> {
    for (rule, class, gone) in classes(rules) {
        if let Some(path) = &rule.when {
            let holds = path.holds(body).map_err(|m| Failure::contract(m).after_effect())?;
            if holds {
                return Ok(Some((class, gone)));
            }
        }
    }
    Ok(None)
}

fn classes(rules: &OutcomeRules) -> [(&Rule, ResultClass, bool); 5] {
    [
        (&rules.unauthorised, ResultClass::Unauthorised, false),
        (&rules.throttled, ResultClass::Throttled, false),
        (&rules.denied, ResultClass::Denied, false),
        // Gone is a proper answer to "read"; everywhere else it is not what the contract says.
        (&rules.gone, ResultClass::BrokenContract, true),
        (&rules.unavailable, ResultClass::Unavailable, false),
    ]
}

fn named_by_status(rules: &OutcomeRules, status: u16) -> (ResultClass, bool) {
    for (rule, class, gone) in classes(rules) {
        if rule.status.contains(&status) {
            return (class, gone);
        }
    }
    match status {
        401 => (ResultClass::Unauthorised, false),
        403 => (ResultClass::Denied, false),
        429 => (ResultClass::Throttled, false),
        404 | 410 => (ResultClass::BrokenContract, true),
        408 | 500..=599 => (ResultClass::Unavailable, false),
        _ => (ResultClass::BrokenContract, false),
    }
}

/// The desk's own words on what is wrong, as the tail of a sentence.
fn words(path: Option<&Path>, body: &Json, reply: &Reply) -> String {
    let found = path.and_then(|p| p.eval(body).ok()).and_then(|j| scalar(&j));
    let text = match found {
        Some(text) => text,
        // A short plain-text answer usually is the reason; a page is not.
        None if body.is_null() && !reply.body.starts_with(b"<") => String::from_utf8_lossy(&reply.body).into_owned(),
        None => body.as_string().cloned().filter(|s| !s.starts_with('<')).unwrap_or_default(),
    };
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return String::new();
    }
    let short: String = text.chars().take(MAX_WORDS).collect();
    format!(": {short}{}", if short.len() < text.len() { "…" } else { "" })
}

/// Retry-After (RFC 9110 section 10.2.3): seconds or a date; else what the desk file says for throttled answers.
fn wait(headers: &HeaderMap, rules: &OutcomeRules, class: ResultClass, now: Timestamp) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::trim).and_then(|text| match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
        }
    });
    match class {
        ResultClass::Throttled => asked.or(rules.wait),
        ResultClass::Unavailable => asked,
        _ => None,
    }
}
