//! Names what an answer means: exactly one of the seven result classes.

use super::create::Means;
use super::definition::{Answer, Fail, OutcomeRules, Rule, Step};
use super::http::Reply;
use super::path::{Json, Path, json, null, scalar, string};
use super::secrets::Masks;
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
    /// What kind of failure it is, where a form's customers would see a difference.
    pub cause: Cause,
    /// The fault that the desk file names for it (`[chat]`).
    pub fault: Option<&'static str>,
}

/// Kinds of failures that mean different things to somebody who fills in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Found before anything was sent: the definition, its values, or a host that is not listed.
    Ours,
    /// No connection.
    NotSent,
    /// The request left, and no answer came.
    NoAnswer,
    /// The desk answered with this status.
    Status(u16),
    /// It answered, and the answer is not what the desk file says.
    Shape,
    /// A page to sign in came instead.
    LoginPage,
    /// A failure that the desk file names: its name, what it says of the form, and the desk's words.
    Named(String, Means, String),
    /// A browser would not let the page see the answer with this status, or not send the request at all.
    Origin(u16),
}

impl Failure {
    /// A failure of the contract, before anything was sent.
    pub fn contract(message: impl Into<String>) -> Failure {
        Failure::new(ResultClass::BrokenContract, Cause::Ours, message)
    }

    /// A failure that had no effect, as far as is known here.
    pub fn new(class: ResultClass, cause: Cause, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), retry_after: None, no_effect: true, gone: false, cause, fault: None }
    }

    /// True when an answer came, and says so.
    pub fn answered(&self) -> bool {
        !matches!(self.cause, Cause::Ours | Cause::NotSent | Cause::NoAnswer)
    }

    /// The same, found in an answer: something may have been changed.
    #[must_use]
    pub fn after_effect(mut self) -> Failure {
        self.no_effect = false;
        if self.cause == Cause::Ours {
            self.cause = Cause::Shape;
        }
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
pub(crate) fn judge(step: &Step, rules: &OutcomeRules, reply: &Reply, now: Timestamp, masks: &Masks) -> Result<Judged, Failure> {
    let status = reply.status.as_u16();
    let content = content(step, reply);
    // An API says in its own way that something is not there; a page says that nobody knows the API here.
    let page = step.answer == Answer::Json && is_page(reply);
    if step.empty_status.contains(&status) && !page {
        return Ok(Judged::Empty);
    }
    let success = if step.status.is_empty() { reply.status.is_success() } else { step.status.contains(&status) };
    let body = content.as_ref().map_or_else(|_| null(), Clone::clone);
    let told = || words(rules.message.as_ref(), &body, reply, masks);
    let failure = |class, text: String, no_effect| {
        let retry_after = wait(&reply.headers, rules, class, now);
        Failure { retry_after, no_effect, ..Failure::new(class, Cause::Status(status), text) }
    };

    match named_by_body(rules, &body) {
        Ok(Some((class, gone))) => {
            let no_effect = gone || matches!(class, ResultClass::Throttled | ResultClass::Unauthorised | ResultClass::Denied);
            return Err(Failure { gone, ..failure(class, format!("{status}{}", told()), no_effect) });
        }
        // A rule that does not fit the body of a failure says nothing about it.
        Err(broken) if success && content.is_ok() => return Err(broken),
        _ => {}
    }
    if !success {
        let (class, gone) = named_by_status(rules, status);
        let gone = gone && (!page || rules.gone.status.contains(&status));
        // A proxy may give up waiting (408) after the desk has begun.
        let no_effect = (400..500).contains(&status) && status != 408;
        return Err(Failure { gone, ..failure(class, format!("{}{}", reply.status, told()), no_effect) });
    }
    if step.answer != Answer::Text && is_login_page(reply) {
        let text = format!("{status}, but the answer is a page to sign in{}", title(reply));
        return Err(Failure { cause: Cause::LoginPage, ..failure(ResultClass::Unauthorised, text, false) });
    }
    let body = content.map_err(|m| failure(ResultClass::BrokenContract, format!("{status}, but {m}"), false))?;
    let broken = |m: String| failure(ResultClass::BrokenContract, m, false);
    for Fail { name, when, class, means, fault } in step.fail.iter().chain(&rules.fail) {
        let found = when.eval(&body).map_err(broken)?;
        if found.is_truthy() {
            let no_effect = !matches!(class, ResultClass::Unavailable | ResultClass::BrokenContract);
            let told = Some(told()).filter(|t| !t.is_empty()).unwrap_or_else(|| listed(&found, masks));
            let cause = Cause::Named(name.clone(), *means, told.clone());
            return Err(Failure {
                cause,
                fault: *fault,
                ..failure(*class, format!("the desk answered {status} with `{name}`{told}"), no_effect)
            });
        }
    }
    if let Some(path) = &step.empty_if
        && path.holds(&body).map_err(broken)?
    {
        return Ok(Judged::Empty);
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
    let failure = |class, message: String| {
        let retry_after = wait(&reply.headers, rules, class, now);
        Failure { retry_after, ..Failure::new(class, Cause::Status(reply.status.as_u16()), message) }
    };
    if reply.status.is_success() {
        // Its hash would say that the file was changed on its way.
        return match is_login_page(reply) {
            true => Err(failure(ResultClass::Unauthorised, format!("a page to sign in came instead of the file{}", title(reply)))),
            false => Ok(true),
        };
    }
    match named_by_status(rules, reply.status.as_u16()) {
        (_, true) if !is_page(reply) => Ok(false),
        (class, _) => Err(failure(class, reply.status.to_string())),
    }
}

fn content(step: &Step, reply: &Reply) -> Result<Json, String> {
    if step.answer == Answer::Ignored {
        return Ok(null());
    }
    let text = String::from_utf8_lossy(&reply.body);
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    let text = text.trim_start_matches('\u{feff}').trim();
    match step.answer {
        Answer::Text => Ok(string(text)),
        Answer::Html => Ok(super::page::elements(text, &step.select)),
        _ if text.is_empty() => Ok(null()),
        _ if is_page(reply) => Err(format!("the answer is an HTML page, not JSON{}", title(reply))),
        // Letters put in place of broken ones would be taken for what the desk has stored.
        _ if lossy => Err("the answer is not UTF-8".to_owned()),
        _ => json(text).map_err(|e| format!("the answer is no JSON ({e})")),
    }
}

/// The first of a body, in small letters: enough to tell a page.
fn begin(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body[..reply.body.len().min(64 * 1024)]).to_lowercase();
    text.trim_start_matches('\u{feff}').trim_start().to_owned()
}

fn is_page(reply: &Reply) -> bool {
    let begin = begin(reply);
    ["<!doctype html", "<html", "<head", "<body", "<!--"].iter().any(|tag| begin.starts_with(tag))
}

/// A page with a field for a password: what desks send, with status 200, to whoever they do not know.
fn is_login_page(reply: &Reply) -> bool {
    let begin = begin(reply);
    let field = ["type=\"password\"", "type='password'", "type=password"].iter().any(|field| begin.contains(field));
    field && is_page(reply)
}

/// A page's title, as the tail of a sentence.
fn title(reply: &Reply) -> String {
    let begin = begin(reply);
    let inner = begin.split_once("<title").and_then(|(_, t)| t.split_once('>')).and_then(|(_, t)| t.split_once('<')).map(|(t, _)| t);
    let words: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
    let text: String = words.join(" ").chars().take(60).collect();
    if text.is_empty() { text } else { format!(" (its title: {text})") }
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
fn words(path: Option<&Path>, body: &Json, reply: &Reply, masks: &Masks) -> String {
    let found = path.and_then(|p| p.eval(body).ok()).and_then(|j| scalar(&j));
    let text = match found {
        Some(text) => text,
        // A short plain-text answer usually is the reason; a page is not.
        None if body.is_null() && !reply.body.starts_with(b"<") => String::from_utf8_lossy(&reply.body).into_owned(),
        None => body.as_string().cloned().filter(|s| !s.starts_with('<')).unwrap_or_default(),
    };
    tail(&text, masks)
}

/// What a named failure found, as the tail of a sentence: `: email: invalid; title: required`.
fn listed(found: &Json, masks: &Masks) -> String {
    let one = |value: &Json| match value.as_array() {
        Some(items) => items.iter().filter_map(scalar).collect::<Vec<_>>().join(", "),
        None => scalar(value).unwrap_or_else(|| "…".to_owned()),
    };
    let text = match (found.as_object(), found.is_boolean()) {
        (_, true) => String::new(),
        (Some(entries), _) => entries.iter().map(|(name, value)| format!("{name}: {}", one(value))).collect::<Vec<_>>().join("; "),
        (None, _) => one(found),
    };
    tail(&text, masks)
}

/// A desk's words as the tail of a sentence.
fn tail(text: &str, masks: &Masks) -> String {
    // Before it is cut: half a secret would not be known as one.
    let text: String = masks.mask(text).split_whitespace().collect::<Vec<_>>().join(" ");
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
