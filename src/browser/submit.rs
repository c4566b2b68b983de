//! Submitting a filled form, once, and reading what follows.

use super::fields::Fields;
use super::fill::unfit;
use super::form::Usable;
use super::look::{Console, State};
use super::trouble::{Broken, short};
use super::visit::Visit;
use crate::clock::after;
use crate::engine::ways::{FilledForm, FormOrder, Seen, Stop, Thanks};
use crate::form::common::{by_words, captcha, refuses, sentences, thanks};
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
        let mut state = State::of(&self.visit.session).await?;
        // A page that repeats what was written says nothing by it.
        state.text.extend(["\n", self.order.form.subject.as_str(), "\n", self.order.form.text.as_str()]);
        let before = Before {
            state,
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
pub(super) fn decide(before: &State, now: &After, expected: Option<&str>, over: bool) -> Option<Result<String, Stop>> {
    let new = new_lines(&before.text, &now.state.text);
    let document = now.state.status.filter(|status| *status >= 400 && now.state.url != before.url && !now.there);
    let complaint = complaint(before, now);
    // What stood there before is no thanks, unless the form itself is gone.
    let text = if now.there { &new } else { &now.state.text };
    let thanked = match expected {
        Some(words) => text.to_lowercase().contains(&words.to_lowercase()),
        None => new.lines().flat_map(sentences).any(thanks),
    };
    // A form that is still there may yet complain.
    let sure = !now.there || (now.waited >= GRACE && complaint.is_none() && !new.lines().flat_map(sentences).any(refuses));
    if thanked && document.is_none() && sure {
        let words = if expected.is_some() { text } else { &new };
        return Some(Ok(words.chars().take(MOST_TEXT).collect()));
    }
    if now.state.captcha != before.captcha && !now.state.captcha.is_empty() {
        return Some(Err(captcha(&now.state.captcha).uncertain()));
    }
    if let Some(line) = now.console.cors() {
        let stop = Stop::failed("form-cors-refused", ResultClass::BrokenContract, short(line, 300));
        // What the preflight refuses is never sent.
        return Some(Err(if line.to_lowercase().contains("preflight") { stop } else { stop.uncertain() }));
    }
    if now.waited < GRACE && !over {
        return None;
    }
    if let Some(status) = document.or(now.console.status()) {
        return Some(Err(refused(status, &complaint.unwrap_or_else(|| short(&new, 300)))));
    }
    if let Some(words) = complaint {
        let found = format!("the form says: “{words}”");
        return Some(Err(by_words(&words, &found, &[])
            .unwrap_or_else(|| Stop::failed("form-submit-refused", ResultClass::BrokenContract, found).or("form-contract-changed"))));
    }
    over.then(|| Err(no_thanks(now, &new, expected)))
}

/// Time is over, and nothing told what became of it.
fn no_thanks(now: &After, new: &str, expected: Option<&str>) -> Stop {
    let what = if now.there { "the form is still there, and no thank-you came" } else { "the form went, and no thank-you came" };
    let said = if new.is_empty() { "nothing".to_owned() } else { format!("“{}”", short(new, 200)) };
    let found = format!("{what}; new on the page is {said}");
    match expected {
        Some(_) => Stop::failed("form-thanks-missing", ResultClass::BrokenContract, found),
        None => Stop::unknown("form-thanks-missing", ResultClass::BrokenContract, found)
            .advice("put the words of the thank-you into `thanks` of the probe"),
    }
    .uncertain()
}

/// The page's own complaint.
fn complaint(before: &State, now: &After) -> Option<String> {
    let fresh: Vec<&str> = now.state.errors.iter().filter(|e| !before.errors.contains(e) && !thanks(e)).map(String::as_str).collect();
    let wrong = now.state.invalid.iter().filter(|_| now.there).map(String::as_str);
    let all: Vec<&str> = wrong.chain(fresh).collect();
    (!all.is_empty()).then(|| short(&all.join("; "), 400))
}

fn refused(status: u16, words: &str) -> Stop {
    let found = if words.is_empty() { format!("the form answered {status}") } else { format!("the form answered {status}: “{words}”") };
    match status {
        429 => Stop::unknown("form-throttled", ResultClass::Throttled, found).advice("run the probe less often"),
        403 => by_words(words, &found, &[]).unwrap_or_else(|| {
            Stop::unknown("form-bot-protection", ResultClass::Denied, found)
                .or("form-contract-changed")
                .advice("submit by hand from another network: if it is taken there, a filter stops the probe; allow its address")
        }),
        400..=499 => by_words(words, &found, &[])
            .unwrap_or_else(|| Stop::failed("form-submit-refused", ResultClass::BrokenContract, found).or("form-contract-changed")),
        _ => Stop::failed("form-submit-500", ResultClass::Unavailable, found).uncertain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    fn state(text: &str) -> State {
        State { url: "http://x/contact".to_owned(), text: text.to_owned(), status: Some(200), ..State::default() }
    }

    fn after(text: &str, there: bool, seconds: u64) -> After {
        After { state: state(text), there, console: Console::default(), waited: Duration::from_secs(seconds) }
    }

    fn fault(end: Option<Result<String, Stop>>) -> (Outcome, &'static str, bool) {
        let stop = end.expect("an end").expect_err("a stop");
        (stop.outcome, stop.faults[0], stop.no_effect)
    }

    #[test]
    fn thanks_count_at_once_when_the_form_is_gone_and_later_when_it_stays() {
        let before = state("Contact us\nThank you for visiting");
        assert!(decide(&before, &after("Thank you for visiting", false, 1), None, false).is_none(), "that stood there before");
        assert_eq!(decide(&before, &after("Thanks, we received it", false, 0), None, false), Some(Ok("Thanks, we received it".to_owned())));
        let stays = "Contact us\nThank you for visiting\nYour message has been sent.";
        assert!(decide(&before, &after(stays, true, 1), None, false).is_none(), "it may yet complain");
        assert!(decide(&before, &after(stays, true, 4), None, false).is_some_and(|end| end.is_ok()));
    }

    #[test]
    fn a_complaint_beats_words_of_thanks_and_its_cause_is_told() {
        let before = state("Contact us");
        let mut now = after("Contact us\nThank you! But not yet.", true, 4);
        now.state.errors = vec!["Please solve the captcha".to_owned()];
        assert_eq!(fault(decide(&before, &now, None, false)), (Outcome::Unknown, "form-captcha", true));
        now.state.errors = vec!["Order numbers have ten digits".to_owned()];
        assert_eq!(fault(decide(&before, &now, None, false)), (Outcome::Fail, "form-submit-refused", true));
        // It stood there before: it says nothing of this submission.
        assert!(decide(&State { errors: now.state.errors.clone(), ..before }, &now, None, false).is_some_and(|end| end.is_ok()));
    }

    #[test]
    fn a_server_error_leaves_open_whether_it_was_taken_and_silence_is_no_failure_by_itself() {
        let before = state("Contact us");
        let mut now = after("Internal error", false, 4);
        (now.state.status, now.state.url) = (Some(502), "http://x/send".to_owned());
        assert_eq!(fault(decide(&before, &now, None, false)), (Outcome::Fail, "form-submit-500", false));
        let silent = after("Contact us", true, 60);
        assert!(decide(&before, &silent, None, false).is_none());
        assert_eq!(fault(decide(&before, &silent, None, true)), (Outcome::Unknown, "form-thanks-missing", false));
        assert_eq!(fault(decide(&before, &silent, Some("Your number is"), true)), (Outcome::Fail, "form-thanks-missing", false));
    }

    #[test]
    fn what_the_preflight_refuses_was_never_sent() {
        for (line, no_effect) in [
            (
                "http://x - Access to fetch at 'http://y' from origin 'http://x' has been blocked by CORS policy: Response to preflight request",
                true,
            ),
            ("http://x - Access to fetch at 'http://y' from origin 'http://x' has been blocked by CORS policy: No header", false),
        ] {
            let mut now = after("Contact us", true, 0);
            now.console.severe = vec![line.to_owned()];
            assert_eq!(fault(decide(&state("Contact us"), &now, None, false)), (Outcome::Fail, "form-cors-refused", no_effect));
        }
    }
}
