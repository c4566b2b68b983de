//! From a filled form to the request that a browser makes of it, and the request to its end.

use super::encode::{entries, multipart, plain, urlencoded};
use super::fetch::{Browser, Limits, Visit, place};
use super::fill::Sheet;
use super::judge::judge;
use super::origin::leads_inside;
use super::page::{Form, Page};
use super::stops;
use super::thanks::Before;
use crate::clock::Clock;
use crate::engine::ways::{FilledForm, Seen, Stop, Thanks};
use crate::model::ResultClass;
use async_trait::async_trait;
use encoding_rs::{Encoding, UTF_8};
use regex::Regex;
use reqwest::{Method, Url};
use std::sync::Arc;

/// Where and how a form is sent: the form's own word, or that of the button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub method: Method,
    pub url: Url,
    pub enctype: &'static str,
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const PLAIN: &str = "text/plain";

/// Where the form goes when `button` is pressed. The error says why a browser's scripts would be needed.
pub(super) fn target(page: &Page, here: &Url, form: &Form, button: Option<usize>) -> Result<Target, String> {
    let button = button.and_then(|at| form.controls.get(at));
    let method = button.and_then(|b| b.form_method.as_deref()).unwrap_or(&form.method);
    let method = match method {
        "post" => Method::POST,
        "dialog" => return Err("the form is one of a dialogue, which only a script sends".to_owned()),
        _ => Method::GET,
    };
    let enctype = match button.and_then(|b| b.form_enctype.as_deref()).unwrap_or(&form.enctype) {
        _ if method == Method::GET => URLENCODED,
        MULTIPART => MULTIPART,
        PLAIN => PLAIN,
        _ => URLENCODED,
    };
    let action = button.and_then(|b| b.form_action.as_deref()).or(form.action.as_deref()).unwrap_or_default().trim();
    // Without an action the form goes to its own page, not to the base.
    let url = if action.is_empty() {
        here.clone()
    } else {
        page.base.join(action).map_err(|e| format!("the form's action is no address: {e}"))?
    };
    match url.scheme() {
        "http" | "https" => Ok(Target { method, url, enctype }),
        "mailto" => Err("the form opens the visitor's mail program instead of being sent".to_owned()),
        other => Err(format!("the form is sent by a script (its action is `{other}:`)")),
    }
}

/// The request.
pub(super) fn request(page: &Page, here: &Url, form: &Form, sheet: &Sheet, target: &Target) -> Result<Visit, String> {
    let encoding = encoding_of(form, page.encoding);
    let entries = entries(sheet, encoding);
    let mut url = target.url.clone();
    let body = if target.method == Method::GET {
        url.set_query(Some(&urlencoded(&entries, encoding)));
        None
    } else {
        Some(match target.enctype {
            MULTIPART => multipart(&entries, encoding)?,
            PLAIN => (PLAIN.to_owned(), plain(&entries, encoding)),
            _ => (URLENCODED.to_owned(), urlencoded(&entries, encoding).into_bytes()),
        })
    };
    Ok(Visit { method: target.method.clone(), url, from: Some((here.clone(), page.policy)), body, acts: true })
}

/// The first encoding of `accept-charset` that is one; else the page's.
fn encoding_of(form: &Form, page: &'static Encoding) -> &'static Encoding {
    let words = form.accept_charset.split([' ', ',']).filter(|w| !w.is_empty());
    let chosen = words.filter_map(|w| Encoding::for_label(w.as_bytes())).map(Encoding::output_encoding).next();
    chosen.unwrap_or(if page.can_encode_everything() { UTF_8 } else { page })
}

/// A form that waits for its button to be pressed.
pub(super) struct Ready {
    pub browser: Browser,
    pub clock: Arc<dyn Clock>,
    pub limits: Limits,
    pub visit: Visit,
    pub before: Before,
    pub thanks: Option<String>,
    pub number: Option<Regex>,
    pub seen: Seen,
}

#[async_trait]
impl FilledForm for Ready {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    async fn submit(self: Box<Self>) -> Result<Thanks, Stop> {
        let ready = *self;
        let mut seen = ready.seen.clone();
        if let Some((from, _)) = ready.visit.from.as_ref().filter(|(from, _)| leads_inside(from, &ready.visit.url)) {
            let text = format!("{} is submitted to {}, inside our own network", place(from), place(&ready.visit.url));
            return Err(stops::with(stops::inside(&text), &seen));
        }
        let pressed = ready.clock.now();
        let answer = ready.browser.go(ready.visit.clone(), ready.limits.submit).await;
        let took = super::millis_since(pressed, ready.clock.now());
        seen.facts.insert("submit_ms".to_owned(), took.into());
        let answer = answer.map_err(|lost| stops::with(stops::not_answered(&lost), &seen))?;
        seen.facts.insert("submit_status".to_owned(), answer.status.into());
        seen.facts.insert("answer_url".to_owned(), place(&answer.url).into());
        let read = super::read_page(&answer, None).await;
        let page = read.map_err(|why| {
            let found = format!("the answer at {} cannot be read: {why}", place(&answer.url));
            stops::with(Stop::unknown("form-thanks-missing", ResultClass::BrokenContract, found).uncertain(), &seen)
        })?;
        seen.raw = Some(super::labels::shortened(&page.lines.join("\n"), 4_000));
        let text = judge(&answer, &page, &ready.before, ready.thanks.as_deref()).map_err(|stop| stops::with(*stop, &seen))?;
        let number = ready.number.and_then(|pattern| number(&pattern, &page, &answer.url));
        Ok(Thanks { text, number, seen })
    }
}

/// The ticket's number from the text of the page, else from its address.
fn number(pattern: &Regex, page: &Page, url: &Url) -> Option<String> {
    let text = format!("{}\n{}", page.title, page.lines.join("\n"));
    let group = |text: &str| pattern.captures(text).and_then(|c| c.get(1).or_else(|| c.get(0)).map(|m| m.as_str().trim().to_owned()));
    group(&text).or_else(|| group(url.as_str())).filter(|n| !n.is_empty())
}
