//! The web form as a way in: what a probe says of it, and what was seen of the page.

use super::{OutgoingAttachment, millis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The request through a web form. `${token}`, `${run}`, `${customer}` and `${address}` may stand in every text;
/// `${subject}` and `${text}` in the values of fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormChannel {
    /// The page that the customer opens; with `recipe` the company's page on which the form stands (its origin is sent).
    pub page: Option<String>,
    /// How the form is filled in.
    pub by: FormBy,
    /// What the customer writes as subject; the ticket is compared with it.
    pub subject: String,
    /// What the customer writes; the ticket is compared with it.
    pub text: String,
    /// What goes where; fields that the form has and nothing here names are filled by what they ask for.
    pub fields: Vec<FormField>,
    /// Files.
    pub attachments: Vec<OutgoingAttachment>,
    /// The input that takes the files; none: the first of type `file`.
    pub attachments_in: Option<FieldBy>,
    /// Which form of the page: a CSS selector; none: the one that fits the fields best.
    pub form: Option<String>,
    /// The button by its text or value; none: the form's own.
    pub submit: Option<String>,
    /// Text that the thank-you must hold; none: what usually stands there.
    pub thanks: Option<String>,
    /// Where the ticket's number stands in the thank-you or the address it leads to: a pattern with one group.
    pub number: Option<String>,
    /// The time between the page and the submission, as a person takes it.
    #[serde(with = "millis")]
    pub dwell: Duration,
}

/// How a form is filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormBy {
    /// As a browser would, without one.
    Page,
    /// In Chromium.
    Browser {
        /// The frame in which the form is: CSS selectors from the page inwards, ` >>> ` steps into a shadow root.
        frame: Vec<String>,
        /// How long a run may use the browser.
        #[serde(with = "millis")]
        limit: Duration,
    },
    /// By the desk's own recipe: a `[[create]]` of its definition.
    Recipe(String),
}

/// One field and what is written there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormField {
    /// Which field.
    pub by: FieldBy,
    /// What happens to it.
    pub fill: Fill,
}

/// How a field is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldBy {
    /// By its label as people read it (also `aria-label` and placeholder), whatever the case; a part is enough when only
    /// one label holds it.
    Label(String),
    /// By its `name`.
    Name(String),
    /// By its `type` (`email`, `file`, `textarea`, `select`); the first one.
    Type(String),
    /// By its place among the visible fields, from 1.
    Order(u32),
}

/// What is done to a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Written.
    Write(String),
    /// The option with this text (of a list or of radio buttons) is chosen.
    Choose(String),
    /// Ticked, or not.
    Tick(bool),
}

/// What of a form should stay as it is from run to run: compared with the last good run's. Values that change with every
/// visit (tokens, hashed names) are left out by whoever makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormPrint {
    /// Visible fields as `label (type)`, with `*` when required and the options of a list, in order.
    pub fields: Vec<String>,
    /// Names of hidden inputs, sorted.
    pub hidden: Vec<String>,
    /// `POST https://host/path` with the way of encoding.
    pub target: String,
}

impl FormPrint {
    /// What is different now, for people: `field added: consent`, `hidden field gone: token`.
    pub fn changes(&self, now: &FormPrint) -> Vec<String> {
        let mut out = Vec::new();
        for (what, before, after) in [("field", &self.fields, &now.fields), ("hidden field", &self.hidden, &now.hidden)] {
            out.extend(after.iter().filter(|f| !before.contains(f)).map(|f| format!("{what} added: {f}")));
            out.extend(before.iter().filter(|f| !after.contains(f)).map(|f| format!("{what} gone: {f}")));
        }
        if self.target != now.target {
            out.push(format!("submitted to {} instead of {}", now.target, self.target));
        }
        out
    }
}

/// What a run must remember of its form, also in another process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormMemory {
    /// The form as it was in the last good run of the probe.
    pub before: Option<FormPrint>,
    /// What is different now.
    pub changes: Vec<String>,
    /// The ticket's number as the thank-you gave it.
    pub number: Option<String>,
}
