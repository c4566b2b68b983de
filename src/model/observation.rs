//! Evidence: what was looked at, and what was seen there. Looks that found nothing are recorded too.

use super::Stage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Our own submission server's answers.
    Submission,
    /// The customer's mailbox.
    Mailbox,
    /// The desk's API.
    Desk,
    /// The web page of a form.
    Page,
    /// The visitor's side of a chat.
    Chat,
    /// The DNS, and certificates of servers that we otherwise do not speak to.
    Names,
    /// Replypath itself: restarts, budgets, self-tests.
    Monitor,
}

/// What a look gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// What was looked for was there.
    Found,
    /// Properly asked, and nothing there.
    Empty,
    /// It could not be asked: this never proves absence.
    CouldNotLook,
}

/// The seven ways in which a call to a desk (or a server) can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultClass {
    /// It worked.
    Ok,
    /// Asked properly; nothing there.
    Empty,
    /// Too many requests: wait.
    Throttled,
    /// Our login was refused.
    Unauthorised,
    /// Network, time-out, 5xx.
    Unavailable,
    /// Policy: captcha, limit of open tickets, missing right.
    Denied,
    /// Status or shape not as declared.
    BrokenContract,
}

impl ResultClass {
    /// The name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            ResultClass::Ok => "ok",
            ResultClass::Empty => "empty",
            ResultClass::Throttled => "throttled",
            ResultClass::Unauthorised => "unauthorised",
            ResultClass::Unavailable => "unavailable",
            ResultClass::Denied => "denied",
            ResultClass::BrokenContract => "broken_contract",
        }
    }
}

/// One look at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// The stage for which it was made.
    pub stage: Option<Stage>,
    /// Who was asked.
    pub source: Source,
    /// The place, in words that need no other context: `INBOX`, `view suspended`, `ticket 12`.
    pub place: String,
    /// What was looked for: a token, a message id, a field.
    pub looked_for: String,
    /// What the look gave.
    pub result: Looked,
    /// How the call ended.
    pub class: Option<ResultClass>,
    /// How many looks in a row gave this same answer; the first is at `at`, the last at `last`.
    pub times: u32,
    /// When the last look of that row was made.
    pub last: Timestamp,
    /// Facts for the diagnosis, by name.
    pub facts: Map<String, Value>,
    /// Text for people (headers, an answer's start); capped, secrets masked, nothing of strangers.
    pub raw: Option<String>,
}

impl Observation {
    /// An observation of one look, without facts.
    pub fn new(
        at: Timestamp,
        stage: Option<Stage>,
        source: Source,
        place: impl Into<String>,
        looked_for: impl Into<String>,
        result: Looked,
    ) -> Self {
        Observation {
            at,
            stage,
            source,
            place: place.into(),
            looked_for: looked_for.into(),
            result,
            class: None,
            times: 1,
            last: at,
            facts: Map::new(),
            raw: None,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Sets how the call ended.
    #[must_use]
    pub fn class(mut self, class: ResultClass) -> Self {
        self.class = Some(class);
        self
    }

    /// Sets the text for people, cut at 16 kB.
    #[must_use]
    pub fn raw(mut self, raw: impl Into<String>) -> Self {
        let mut text: String = raw.into();
        if text.len() > 16_000 {
            let mut end = 16_000;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("\n[cut]");
        }
        self.raw = Some(text);
        self
    }
}
