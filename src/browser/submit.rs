//! Submitting a filled form, once, and reading what follows.

use super::fields::Fields;
use super::fill::unfit;
use super::form::Usable;
use super::look::{Console, State};
use super::trouble::{Broken, short};
use super::visit::Visit;
use super::words;
use crate::clock::after;
use crate::engine::ways::{FilledForm, FormOrder, Seen, Stop, Thanks};
use crate::model::ResultClass;
use async_trait::async_trait;
use regex::Regex;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use thirtyfour::WebElement;

/// How long people wait for an answer to their click.
const PATIENCE: Duration = Duration::from_secs(60);
/// After a sign of failure: time for the page to say it in words, or to thank after all.
const GRACE: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(150);
/// What is kept of a thank-you.
const MOST_TEXT: usize = 4_000;

/// A form that is filled in and waits.
pub(super) struct Filled {
    pub(super) visit: Visit,
    pub(super) order: FormOrder,
    pub(super) frame: Vec<String>,
    pub(super) usable: Usable,
}

#[async_trait]
impl FilledForm for Filled {
    fn seen(&self) -> &Seen {
        &self.visit.seen
    }

    async fn submit(mut self: Box<Self>) -> Result<Thanks, Stop> {
        let result = match self.send().await {
            Ok(mut thanks) => {
                let _ = self.visit.hear().await;
                thanks.seen = self.visit.seen.clone();
                Ok(thanks)
            }
            Err(stop) => Err(self.visit.stopped(stop, "accept").await),
        };
        self.visit.session.end().await;
        result
    }
}

/// What the form looked like before the click.
struct Before {
    state: State,
    fields: Vec<Value>,
}

/// One look at what followed.
pub(super) struct After {
    /// The page as it is now: the form's frame or, when that is gone, the page around it.
    pub(super) state: State,
    /// The form can still be seen.
    pub(super) there: bool,
    /// What the console said since the click.
    pub(super) console: Console,
    /// How long ago the click was.
    pub(super) waited: Duration,
}

impl Filled {
    async fn send(&mut self) -> Result<Thanks, Stop> {
        let button = self.button().await?;
        let before = Before {
            state: State::of(&self.visit.session).await?,
            fields: self
                .usable
                .fields
                .fields
                .iter()
                .filter(|f| f.group == self.usable.group && f.visible)
                .flat_map(|f| f.elements.clone())
                .collect(),
        };
        if let Some(loaded) = before.state.loaded.filter(|_| self.frame.is_empty()) {
            self.visit.fact("page_ms", loaded);
        }
        self.visit.hear().await?;
        self.visit.session.page("centre", &[button.to_json().map_err(Broken::from)?]).await?;
        let clicked = Instant::now();
        // From here on nobody knows, until the page says so.
        match self.visit.session.click(&button).await {
            // The driver found the button not fit to be clicked: nothing was pressed.
            Err(broken) if broken.passes() => return Err(unfit(format!("the button could not be pressed: {}", broken.words()))),
            other => other.map_err(|broken| Stop::from(broken).uncertain())?,
        }
        self.wait(&before, clicked).await
    }

    async fn button(&self) -> Result<WebElement, Stop> {
        let Fields { fields, .. } = &self.usable.fields;
        let first = fields.iter().find(|f| f.group == self.usable.group).and_then(|f| f.elements.first()).cloned().unwrap_or(Value::Null);
        let found = self.visit.session.page("button", &[first, json!(self.order.form.submit)]).await;
        let found = match found {
            Err(broken) if broken.passes() => return Err(unfit("the form was rebuilt by the page after it was filled in").passing()),
            other => other?,
        };
        self.visit.session.element(found)?.ok_or_else(|| match &self.order.form.submit {
            Some(text) => unfit(format!("the form has no button “{text}”")),
            None => unfit("the form has no button that can be seen"),
        })
    }

    async fn wait(&mut self, before: &Before, clicked: Instant) -> Result<Thanks, Stop> {
        // The configuration checks the pattern: one that cannot be read finds no number.
        let number = self.order.form.number.as_deref().and_then(|n| Regex::new(n).ok());
        let mut console = Console::default();
        let until = after(self.visit.session.limit.clock.now(), PATIENCE);
        loop {
            let now = self.look(before, &mut console, clicked).await.map_err(|broken| Stop::from(broken).uncertain())?;
            let over = self.visit.session.limit.clock.now() >= until;
            if let Some(end) = decide(&before.state, &now, self.order.form.thanks.as_deref(), over) {
                self.visit.fact("submit_ms", u64::try_from(now.waited.as_millis()).unwrap_or(u64::MAX));
                self.visit.fact("thanks_url", now.state.url.split(['?', '#']).next().unwrap_or_default());
                self.visit.seen.raw = Some(now.state.text.chars().take(MOST_TEXT).collect());
                return end.map(|text| Thanks { number: number.and_then(|n| number_in(&n, &now.state)), text, seen: Seen::default() });
            }
            self.visit.session.limit.pause(STEP).await.map_err(|broken| Stop::from(broken).uncertain())?;
        }
    }

    async fn look(&mut self, before: &Before, console: &mut Console, clicked: Instant) -> Result<After, Broken> {
        let new = self.visit.hear().await?;
        console.severe.extend(new.severe);
        let there = match self.visit.session.page("there", &[json!(before.fields)]).await {
            Ok(value) => value.as_bool().unwrap_or(false),
            Err(broken) if broken.passes() => false,
            Err(broken) => return Err(broken),
        };
        let state = match State::of(&self.visit.session).await {
            Ok(state) => state,
            // The frame went with its form: the page around it speaks.
            Err(broken) if broken.passes() => {
                self.visit.session.enter(&[]).await?;
                State::of(&self.visit.session).await?
            }
            Err(broken) => return Err(broken),
        };
        Ok(After { state, there, console: console.clone(), waited: clicked.elapsed() })
    }
}

/// The ticket's number, from the thank-you's words or its address.
fn number_in(pattern: &Regex, state: &State) -> Option<String> {
    let group = |text: &str| pattern.captures(text)?.get(1).map(|m| m.as_str().to_owned());
    group(&state.text).or_else(|| group(&state.url))
}

/// Lines of the page that were not there before the click.
fn new_lines(before: &str, now: &str) -> String {
    let old: std::collections::HashSet<&str> = before.lines().map(str::trim).collect();
    now.lines().map(str::trim).filter(|line| !line.is_empty() && !old.contains(line)).collect::<Vec<_>>().join("\n")
}

/// What followed: the thank-you's words, a stop, or nothing yet.
pub(super) fn decide(before: &State, now: &After, thanks: Option<&str>, over: bool) -> Option<Result<String, Stop>> {
    let new = new_lines(&before.text, &now.state.text);
    let thanked = match thanks {
        Some(words) => now.state.text.to_lowercase().contains(&words.to_lowercase()),
        None => words::thanks(&new) && !now.there,
    };
    let failed_document = now.state.status.filter(|status| *status >= 400 && now.state.url != before.url && !now.there);
    if thanked && failed_document.is_none() {
        return Some(Ok(if thanks.is_some() { now.state.text.clone() } else { new }.chars().take(MOST_TEXT).collect()));
    }
    if now.state.captcha && !before.captcha {
        return Some(Err(Stop::unknown("form-captcha", ResultClass::Denied, "a captcha came up after the click")
            .advice("exempt the probe's address from the captcha, or let the probe use another way in")
            .uncertain()));
    }
    if let Some(line) = now.console.cors() {
        let sent = !line.to_lowercase().contains("preflight");
        let stop = Stop::failed("form-cors-refused", ResultClass::BrokenContract, short(line, 300));
        return Some(Err(if sent { stop.uncertain() } else { stop }));
    }
    if now.waited < GRACE && !over {
        return None;
    }
    if let Some(status) = failed_document.or(now.console.status()) {
        let words = complaint(before, now).unwrap_or_else(|| short(&new, 300));
        return Some(Err(refused(status, &words)));
    }
    if let Some(words) = complaint(before, now) {
        return Some(Err(by_words(&words)));
    }
    // A form that vanished without an error, and a probe that expects no certain words: the page's new text is the answer.
    if over {
        let found = if now.there { "nothing followed the click" } else { "the form went, and no thank-you came" };
        let text = if new.is_empty() { String::new() } else { format!("; the page says: “{}”", short(&new, 200)) };
        return Some(Err(Stop::failed("form-thanks-missing", ResultClass::BrokenContract, format!("{found}{text}")).uncertain()));
    }
    None
}

/// The page's own complaint.
fn complaint(before: &State, now: &After) -> Option<String> {
    let fresh: Vec<&String> = now.state.errors.iter().filter(|e| !before.errors.contains(e)).collect();
    if !fresh.is_empty() {
        return Some(short(&fresh.into_iter().cloned().collect::<Vec<_>>().join("; "), 400));
    }
    if now.there && !now.state.invalid.is_empty() {
        return Some(short(&now.state.invalid.join("; "), 400));
    }
    None
}

fn refused(status: u16, words: &str) -> Stop {
    let said = if words.is_empty() { String::new() } else { format!(": “{words}”") };
    match status {
        429 => Stop::unknown("form-throttled", ResultClass::Throttled, format!("the form answered 429{said}")),
        400..=499 if words::of_captcha(words) || words::of_sender(words) => by_words(words),
        400..=499 => Stop::failed("form-submit-refused", ResultClass::Denied, format!("the form answered {status}{said}"))
            .or("form-contract-changed")
            .uncertain(),
        _ => Stop::failed("form-submit-500", ResultClass::Unavailable, format!("the form answered {status}{said}")).uncertain(),
    }
}

fn by_words(words: &str) -> Stop {
    if words::of_expired_captcha(words) {
        return Stop::failed("form-captcha-expired", ResultClass::Denied, format!("the form says: “{words}”"));
    }
    if words::of_captcha(words) {
        return Stop::unknown("form-captcha", ResultClass::Denied, format!("the form says: “{words}”"))
            .advice("exempt the probe's address from the captcha, or let the probe use another way in");
    }
    if words::of_sender(words) {
        return Stop::unknown("form-sender-refused", ResultClass::Denied, format!("the form says: “{words}”"))
            .advice("use an account whose domain takes mail");
    }
    Stop::failed("form-submit-refused", ResultClass::Denied, format!("the form says: “{words}”")).or("form-contract-changed").uncertain()
}
