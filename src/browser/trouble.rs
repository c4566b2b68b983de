//! What stops a browser: mostly our own trouble, said as such.

use crate::engine::ways::Stop;
use crate::model::ResultClass;
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, no_such_element};

/// The Debian packages that a machine needs.
pub(super) const PACKAGES: &str = "install Debian's packages `chromium` and `chromium-driver` (of the same version), or say where they are";

/// Why a call to the browser gave nothing.
#[derive(Debug)]
pub(super) enum Broken {
    /// The run's time with the browser is over.
    Limit,
    /// The browser, its tab or its driver is gone.
    Gone(String),
    /// The driver could not do this.
    Refused(WebDriverError),
}

impl Broken {
    /// Something is not there (yet).
    pub(super) fn nothing(what: impl Into<String>) -> Broken {
        Broken::Refused(no_such_element(what.into()))
    }

    /// True when the element was not there, not visible or replaced meanwhile: looking again may help.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Broken::Refused(error) if matches!(**error,
            WebDriverErrorInner::NoSuchElement(_)
                | WebDriverErrorInner::NoSuchFrame(_)
                | WebDriverErrorInner::NoSuchWindow(_)
                | WebDriverErrorInner::StaleElementReference(_)
                | WebDriverErrorInner::ElementNotInteractable(_)
                | WebDriverErrorInner::ElementClickIntercepted(_)
                | WebDriverErrorInner::InvalidElementState(_)
                | WebDriverErrorInner::MoveTargetOutOfBounds(_)
                | WebDriverErrorInner::JavascriptError(_)))
    }

    /// The driver's words, on one line.
    pub(super) fn words(&self) -> String {
        match self {
            Broken::Limit => "its time was over".to_owned(),
            Broken::Gone(text) => text.clone(),
            Broken::Refused(error) => said(error),
        }
    }
}

impl From<WebDriverError> for Broken {
    fn from(error: WebDriverError) -> Broken {
        let words = said(&error);
        let dead = ["crashed", "disconnected", "not reachable", "not connected", "target window already closed", "DevTools"];
        match *error {
            WebDriverErrorInner::HttpError(_)
            | WebDriverErrorInner::InvalidSessionId(_)
            | WebDriverErrorInner::SessionNotCreated(_)
            | WebDriverErrorInner::RequestFailed(_) => Broken::Gone(words),
            // The driver's code `tab crashed` is none of the standard's: it stands behind the first line.
            _ if dead.iter().any(|word| error.to_string().contains(word)) => Broken::Gone(words),
            _ => Broken::Refused(error),
        }
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Stop {
        match broken {
            Broken::Limit => limit(),
            Broken::Gone(text) => crashed(text),
            Broken::Refused(error) => Stop::unknown(
                "browser-confused",
                ResultClass::BrokenContract,
                format!("Chromium's driver could not do what was asked: {}", said(&error)),
            )
            .advice("look at the screenshot; if the page looks right, check the selectors and steps of the probe"),
        }
    }
}

/// An error's first line, without the driver's stack.
fn said(error: &WebDriverError) -> String {
    let text = match &**error {
        WebDriverErrorInner::NoSuchElement(info) => info.value.message.clone(),
        other => other.to_string(),
    };
    short(text.lines().next().unwrap_or_default(), 300)
}

/// The start of a text on one line.
pub(super) fn short(text: &str, most: usize) -> String {
    let mut out: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if out.chars().count() > most {
        out = out.chars().take(most).chain(['…']).collect();
    }
    out
}

/// There is no browser on this machine.
pub(super) fn missing(what: &str) -> Stop {
    Stop::unknown("browser-missing", ResultClass::Unavailable, format!("{what} was not found on this machine")).advice(PACKAGES)
}

/// All places were taken until the run's time was over.
pub(super) fn busy(at_once: usize) -> Stop {
    Stop::unknown(
        "browser-busy",
        ResultClass::Throttled,
        format!("all {at_once} browsers were in use by other runs until this run's time was over"),
    )
    .advice("spread the probes that need a browser over time, or raise `browsers` where memory allows (about 300 MB each)")
}

/// The browser died.
pub(super) fn crashed(text: impl Into<String>) -> Stop {
    Stop::unknown("browser-crashed", ResultClass::Unavailable, format!("the browser stopped: {}", text.into()))
        .advice("look for the out-of-memory killer in the kernel's log, and whether chromium and chromium-driver have the same version")
}

/// The run's time with the browser was over.
pub(super) fn limit() -> Stop {
    Stop::unknown("browser-limit-reached", ResultClass::Unavailable, "the run's time with the browser was over")
        .advice("raise the probe's limit for the browser, or look on the screenshot for what it waited for")
}

/// The browser that had the conversation is gone.
pub(super) fn session_gone() -> Stop {
    Stop::unknown(
        "browser-session-gone",
        ResultClass::Unavailable,
        "the browser that held this conversation is gone, and a fresh profile cannot come back to it",
    )
    .advice("start another run; a conversation in a browser does not outlive replypath or its limit")
}
