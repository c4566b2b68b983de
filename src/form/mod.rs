//! Web forms as a browser would fill them in and submit them, without one.
//!
//! The way of a form: `fetch` loads the page with cookies and redirects, `dom` and `read` make plain data of it, `choose`
//! finds the form, `fill` fills it in, `encode` and `send` submit it, `thanks` and `judge` read the answer. What stands in
//! the way (`captcha`, `walls`) is named and never fought; `stops` says whose trouble each thing is.

mod captcha;
mod choose;
mod controls;
mod decode;
mod doctor;
mod dom;
mod encode;
mod fetch;
mod fill;
mod find;
mod judge;
mod labels;
mod origin;
mod page;
mod print;
mod read;
mod roles;
mod send;
mod stops;
mod styles;
mod thanks;
mod walls;

pub use fetch::Limits;

/// What is read in the same way whether a form is filled in with a browser or without one.
#[cfg(feature = "browser")]
pub(crate) mod common {
    pub(crate) use super::judge::by_words;
    pub(crate) use super::print::steady;
    pub(crate) use super::stops::{bot_protection, captcha, login_wall};
    pub(crate) use super::thanks::{refuses, sentences, thanks};
    pub(crate) use super::walls::marked;
}

use crate::clock::{Clock, after};
use crate::engine::ways::{FilledForm, FormOrder, Forms, Seen, Stop};
use crate::model::ResultClass;
use async_trait::async_trait;
use fetch::{Answer, Browser, Visit, place};
use jiff::Timestamp;
use origin::Policy;
use page::Page;
use reqwest::{Certificate, Method, Url};
use scraper::Selector;
use send::{Ready, Target};
use std::sync::Arc;
use thanks::Before;

/// Plain web forms: [`crate::model::FormBy::Page`].
pub struct PageForms {
    clock: Arc<dyn Clock>,
    limits: Limits,
    roots: Vec<Certificate>,
}

/// A page that was loaded, with its form found.
struct Opened {
    browser: Browser,
    url: Url,
    page: Page,
    form: usize,
    seen: Seen,
    began: Timestamp,
}

impl PageForms {
    /// Forms that take their time by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> PageForms {
        PageForms { clock, limits: Limits::default(), roots: Vec::new() }
    }

    /// Other limits than the usual ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> PageForms {
        self.limits = limits;
        self
    }

    /// Trusts the certificates of a PEM text beside the system's.
    ///
    /// # Errors
    /// In words, when the text holds none.
    pub fn trusting(mut self, pem: &[u8]) -> Result<PageForms, String> {
        self.roots = Certificate::from_pem_bundle(pem).map_err(|e| format!("these are no PEM certificates: {e}"))?;
        if self.roots.is_empty() { Err("these are no PEM certificates".to_owned()) } else { Ok(self) }
    }

    /// Loads the page and finds the form.
    async fn open(&self, order: &FormOrder) -> Result<Opened, Stop> {
        let unfit = |gap: String| stops::incomplete(&[gap]);
        let address = order.form.page.as_deref().ok_or_else(|| unfit("the probe names no `page`".to_owned()))?;
        let url = Url::parse(address).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| unfit("`page` is no web address".to_owned()))?;
        let selector = order.form.form.as_deref().map(Selector::parse).transpose();
        let selector = selector.map_err(|e| unfit(format!("`form` is no CSS selector: {e}")))?;
        let browser = Browser::new(&url, &self.limits, &self.roots)
            .map_err(|e| Stop::unknown("form-page-unreachable", ResultClass::Unavailable, e))?;
        let mut seen = Seen::default();
        seen.facts.insert("page".to_owned(), place(&url).into());
        let began = self.clock.now();
        let visit = Visit { method: Method::GET, url, from: None, body: None, acts: false };
        let answer = browser.go(visit, self.limits.load).await.map_err(|lost| stops::with(stops::not_loaded(&lost), &seen))?;
        for (name, value) in [
            ("page_ms", millis_since(began, self.clock.now()).into()),
            ("status", serde_json::Value::from(answer.status)),
            ("url", place(&answer.url).into()),
            ("redirects", answer.redirects.into()),
            ("page_bytes", answer.body.len().into()),
        ] {
            seen.facts.insert(name.to_owned(), value);
        }
        let (page, form) = self.find(&answer, order, selector, &mut seen).await.map_err(|stop| stops::with(stop, &seen))?;
        Ok(Opened { browser, url: answer.url, page, form, seen, began })
    }

    async fn find(&self, answer: &Answer, order: &FormOrder, selector: Option<Selector>, seen: &mut Seen) -> Result<(Page, usize), Stop> {
        let here = place(&answer.url);
        if let Some(service) = walls::bot_protection(answer, false) {
            return Err(stops::bot_protection(service, &here));
        }
        if let Some(stop) = stops::bad_page(answer) {
            seen.raw = Some(labels::shortened(&String::from_utf8_lossy(&answer.body[..answer.body.len().min(2_000)]), 2_000));
            return Err(stop);
        }
        let kind = decode::media_type(&answer.headers);
        if !matches!(kind.as_str(), "" | "text/html" | "application/xhtml+xml") {
            return Err(stops::no_page(answer, &kind));
        }
        let page = read_page(answer, selector).await.map_err(|why| stops::unreadable(&here, why))?;
        if let Some(form) = choose::form(&page, &order.form) {
            return Ok((page, form));
        }
        seen.raw = Some(labels::shortened(&page.lines.join("\n"), 2_000));
        if let Some(service) = walls::bot_protection(answer, true) {
            return Err(stops::bot_protection(service, &here));
        }
        if choose::wants_login(&page) {
            return Err(stops::login_wall(&format!("{here} shows a login and no form to write in with")));
        }
        if let Some(captcha) = page.captchas.first().filter(|_| page.forms.is_empty()) {
            return Err(stops::captcha(captcha.name));
        }
        Err(stops::no_form(&here, page.scripts || !page.frames.is_empty(), order.form.form.as_deref()))
    }
}

impl Opened {
    /// Where the form goes, and its print.
    fn aim(&mut self, button: Option<usize>) -> Result<Target, Box<Stop>> {
        let form = &self.page.forms[self.form];
        let target = send::target(&self.page, &self.url, form, button)
            .map_err(|why| Box::new(stops::with(stops::needs_browser(&why), &self.seen)))?;
        self.seen.print = Some(print::of(form, &target.method, &target.url, target.enctype));
        if !origin::same_origin(&self.url, &target.url) {
            self.seen.facts.insert("submitted_elsewhere".to_owned(), place(&target.url).into());
        }
        Ok(target)
    }
}

#[async_trait]
impl Forms for PageForms {
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        let pattern = order.form.number.as_deref().map(|p| regex::RegexBuilder::new(p).size_limit(1 << 20).build()).transpose();
        let number = pattern.map_err(|e| stops::incomplete(&[format!("`number` is no pattern: {e}")]))?;
        let mut opened = self.open(order).await?;
        let form = opened.page.forms[opened.form].clone();
        let sheet = fill::fill(&form, order);
        let target = opened.aim(sheet.button).map_err(|stop| *stop)?;
        if let Some(name) = captcha::guarding(&opened.page, opened.form) {
            return Err(stops::with(stops::captcha(name), &opened.seen));
        }
        if !sheet.gaps.is_empty() {
            return Err(stops::with(stops::incomplete(&sheet.gaps), &opened.seen));
        }
        if sheet.button.is_none() {
            return Err(stops::with(stops::needs_browser("the form has no button that submits it; a script does"), &opened.seen));
        }
        let visit = send::request(&opened.page, &opened.url, &form, &sheet, &target)
            .map_err(|e| stops::with(Stop::unknown("form-page-unreachable", ResultClass::Unavailable, e), &opened.seen))?;
        let mut before = Before::of(&opened.page, opened.form, &[&order.form.subject, &order.form.text, &order.customer.name]);
        let empty = |c: &&page::Control| c.is_field() && c.takes_text() && c.value.trim().is_empty();
        before.left_empty = sheet.controls.iter().filter(empty).map(|c| c.label().to_owned()).collect();
        opened.seen.facts.insert("usable_ms".to_owned(), millis_since(opened.began, self.clock.now()).into());
        self.clock.sleep_until(after(self.clock.now(), order.form.dwell)).await;
        Ok(Box::new(Ready {
            browser: opened.browser,
            clock: Arc::clone(&self.clock),
            limits: self.limits,
            visit,
            before,
            thanks: order.form.thanks.clone(),
            number,
            seen: opened.seen,
        }))
    }

    async fn doctor(&self, order: &FormOrder) -> Result<Vec<String>, Stop> {
        let mut opened = self.open(order).await?;
        let sheet = fill::fill(&opened.page.forms[opened.form], order);
        let target = opened.aim(sheet.button).map_err(|stop| *stop)?;
        Ok(doctor::lines(&opened.page, opened.form, &sheet, &target))
    }
}

/// Reads an answer as a page. The error is the rest of a sentence.
async fn read_page(answer: &Answer, selector: Option<Selector>) -> Result<Page, &'static str> {
    let (text, encoding) = decode::text(&answer.body, &answer.headers);
    let html = matches!(decode::media_type(&answer.headers).as_str(), "" | "text/html" | "application/xhtml+xml");
    let url = answer.url.clone();
    let policy = answer.headers.get("referrer-policy").and_then(|v| v.to_str().ok()).and_then(Policy::read).unwrap_or_default();
    let reading = move || {
        if !html {
            return Ok(Page::of_text(&text, &url, encoding));
        }
        let tree = dom::parse(&text)?;
        Ok(read::read(&tree, &url, encoding, policy, selector))
    };
    // A page of megabytes takes a moment: other runs go on meanwhile.
    tokio::task::spawn_blocking(reading).await.unwrap_or(Err("reading it failed"))
}

fn millis_since(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
