//! What a page says of itself, and what its console adds.

use super::session::Session;
use super::trouble::{Broken, short};
use serde::Deserialize;
use thirtyfour::BrowserLogEntry;

/// What `state` of `page.js` gives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) title: String,
    /// The text that can be seen, shadow roots too.
    pub(super) text: String,
    /// What is marked as an error.
    pub(super) errors: Vec<String>,
    /// Fields that the browser holds for wrong, with its words.
    pub(super) invalid: Vec<String>,
    /// The captcha that can be seen; empty: none.
    pub(super) captcha: String,
    /// A field for a password can be seen.
    pub(super) password: bool,
    /// The status with which the document came.
    pub(super) status: Option<u16>,
    /// Milliseconds from the start of the navigation to `load`.
    pub(super) loaded: Option<u64>,
    /// Milliseconds since the start of the navigation.
    pub(super) now: u64,
}

impl State {
    pub(super) async fn of(session: &Session) -> Result<State, Broken> {
        Ok(serde_json::from_value(session.page("state", &[]).await?).unwrap_or_default())
    }

    /// Chromium shows its own page instead: the name of the error.
    pub(super) fn no_page(&self) -> bool {
        self.url.starts_with("chrome-error:")
    }
}

/// What the console said: bounded, without what is only chatter.
#[derive(Debug, Clone, Default)]
pub(super) struct Console {
    /// Entries of level SEVERE.
    pub(super) severe: Vec<String>,
}

const MOST_ENTRIES: usize = 30;

impl Console {
    /// Adds new entries.
    pub(super) fn add(&mut self, entries: Vec<BrowserLogEntry>) {
        for entry in entries.into_iter().filter(|e| e.level == "SEVERE") {
            let line = masked(&short(&entry.message, 400));
            if self.severe.len() < MOST_ENTRIES && !self.severe.contains(&line) && !line.contains("/favicon.ico") {
                self.severe.push(line);
            }
        }
    }

    /// The request that failed, with its status, as Chromium tells it.
    pub(super) fn failed_request(&self) -> Option<String> {
        let failed = self.severe.iter().find(|line| line.contains("Failed to load resource") || line.contains("net::ERR_"));
        failed.map(|line| {
            let (url, rest) = line.split_once(" - ").unwrap_or(("", line));
            let status = rest.split_once("status of ").map(|(_, s)| s.chars().take_while(char::is_ascii_digit).collect::<String>());
            match status {
                Some(status) if !status.is_empty() => format!("{} answered {status}", without_query(url)),
                _ => format!("{}: {}", without_query(url), rest.trim()),
            }
        })
    }

    /// A request that the rules of cross-origin resource sharing kept from being sent or read.
    pub(super) fn cors(&self) -> Option<&str> {
        self.severe.iter().map(String::as_str).find(|line| line.contains("blocked by CORS policy"))
    }

    /// A frame that its server does not allow on this page.
    pub(super) fn frame_refused(&self) -> Option<&str> {
        self.severe.iter().map(String::as_str).find(|line| {
            (line.contains("Refused to display") || line.contains("Framing"))
                && (line.contains("X-Frame-Options") || line.contains("frame-ancestors"))
        })
    }

    /// The status of the server's answer to a failed request, where there was one.
    pub(super) fn status(&self) -> Option<u16> {
        let line = self.severe.iter().rev().find(|line| line.contains("status of "))?;
        line.split_once("status of ")?.1.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    }
}

/// A line of the console without the queries of its addresses: keys and tokens stand there.
fn masked(line: &str) -> String {
    let word = |word: &str| match word.split_once('?') {
        Some((before, _)) if before.contains("://") => format!("{before}?…"),
        _ => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// An address without what may be secret in it.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
