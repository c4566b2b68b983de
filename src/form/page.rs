//! A page as plain data: its forms with their controls, and what people read on it.

use super::origin::Policy;
use encoding_rs::Encoding;
use reqwest::Url;

/// A page that was read.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Against what addresses on it are resolved.
    pub base: Url,
    /// How its forms are encoded.
    pub encoding: &'static Encoding,
    pub title: String,
    pub forms: Vec<Form>,
    /// What people read, line by line.
    pub lines: Vec<String>,
    /// Messages that look like errors.
    pub notices: Vec<Notice>,
    /// Marks of captchas.
    pub captchas: Vec<Captcha>,
    pub scripts: bool,
    /// Addresses of frames.
    pub frames: Vec<String>,
    pub policy: Policy,
}

/// A message of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub text: String,
    /// Marked as an error; otherwise only as something to be noticed.
    pub error: bool,
}

/// The mark of a captcha.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Captcha {
    /// Whose.
    pub name: &'static str,
    /// The form that it stands in; none: it stands elsewhere on the page.
    pub form: Option<usize>,
    /// A script that can bring one up anywhere.
    pub script: bool,
}

/// One form.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub action: Option<String>,
    pub method: String,
    pub enctype: String,
    pub accept_charset: String,
    /// Its id, name, class, role and action, for guessing what it is for.
    pub words: String,
    /// The selector of the probe is about it.
    pub chosen: bool,
    /// Its controls in order.
    pub controls: Vec<Control>,
}

/// One control of a form.
#[derive(Debug, Clone, Default)]
pub(super) struct Control {
    /// The type of an input, `textarea`, `select`, or `submit`, `reset`, `button`.
    pub kind: String,
    pub name: String,
    pub id: String,
    pub class: String,
    /// What stands in it.
    pub value: String,
    /// What people call it, the best first.
    pub labels: Vec<String>,
    /// What the group of a radio button or box is called.
    pub group: String,
    pub autocomplete: String,
    pub required: bool,
    pub disabled: bool,
    pub readonly: bool,
    pub multiple: bool,
    pub checked: bool,
    /// Why people do not see it.
    pub hidden: Option<&'static str>,
    /// The keyboard does not reach it (`tabindex="-1"`).
    pub untabbed: bool,
    pub options: Vec<Choice>,
    /// In UTF-16 units.
    pub max_length: Option<usize>,
    pub dirname: String,
    /// Of a button: action, method and encoding instead of the form's.
    pub form_action: Option<String>,
    pub form_method: Option<String>,
    pub form_enctype: Option<String>,
    /// Marked as wrong.
    pub invalid: bool,
}

/// An option of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub text: String,
    pub value: String,
    pub selected: bool,
    pub disabled: bool,
}

impl Control {
    /// What people call it; its name where they have no word for it.
    pub fn label(&self) -> &str {
        self.labels.first().map_or(if self.name.is_empty() { &self.kind } else { &self.name }, String::as_str)
    }

    /// Takes text.
    pub fn takes_text(&self) -> bool {
        matches!(self.kind.as_str(), "text" | "email" | "tel" | "url" | "search" | "number" | "textarea" | "password")
            || matches!(self.kind.as_str(), "date" | "time" | "month" | "week" | "datetime-local")
    }

    /// A button that submits.
    pub fn submits(&self) -> bool {
        matches!(self.kind.as_str(), "submit" | "image")
    }

    /// A button of any kind.
    pub fn is_button(&self) -> bool {
        self.submits() || matches!(self.kind.as_str(), "button" | "reset")
    }

    /// Something that people see and fill in.
    pub fn is_field(&self) -> bool {
        self.hidden.is_none() && self.kind != "hidden" && !self.is_button() && !self.disabled
    }

    /// A field for one of several: the rest of its group goes by the same name.
    pub fn same_group(&self, other: &Control) -> bool {
        self.kind == "radio" && other.kind == "radio" && self.name == other.name
    }
}

/// A label as it is compared: one blank between words, without marks around it, lower case.
pub(super) fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let mut text = text.as_str();
    loop {
        let before = text;
        for mark in ["*", ":", "(required)", "(optional)", "(pflichtfeld)", "(obligatoire)"] {
            text = text.trim().trim_start_matches('*').trim_end_matches(mark).trim();
        }
        if text == before {
            return text.to_owned();
        }
    }
}

impl Page {
    /// An answer that is no web page: its lines.
    pub fn of_text(text: &str, url: &Url, encoding: &'static Encoding) -> Page {
        Page {
            base: url.clone(),
            encoding,
            title: String::new(),
            forms: Vec::new(),
            lines: text.lines().map(str::trim).filter(|l| !l.is_empty()).take(200).map(super::labels::clipped).collect(),
            notices: Vec::new(),
            captchas: Vec::new(),
            scripts: false,
            frames: Vec::new(),
            policy: Policy::default(),
        }
    }
}
