//! Forms and chat widgets in a real browser: Chromium, headless, by WebDriver (<https://www.w3.org/TR/webdriver2/>).
//!
//! Nothing starts unless a probe asks for it. Each run gets a driver and a Chromium of its own with a fresh profile; so many
//! at once as the settings say, the rest waits in order. The whole process tree is killed when the run is done with it and at
//! the latest at its limit. Trouble of the browser itself is never a failure of the desk.

mod conversation;
mod fields;
mod fill;
mod form;
mod lines;
mod look;
mod session;
mod steps;
mod submit;
mod tree;
mod trouble;
mod visit;
mod widget;

use crate::clock::{self, Clock};
use crate::engine::ports::MailEvent;
use crate::engine::ways::{FilledForm, FormOrder, Forms, Stop};
use crate::model::{FormBy, ResultClass, RunId, TokenKey};
use async_trait::async_trait;
use session::{Limit, Programs, Session};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use visit::Visit;

/// What the browsers need to know.
#[derive(Debug, Clone)]
pub struct BrowserSettings {
    /// Chromium; none: `chromium` in `PATH`.
    pub chromium: Option<PathBuf>,
    /// Its driver; none: `chromedriver` in `PATH`.
    pub driver: Option<PathBuf>,
    /// How many browsers may run at the same time (at least one). Each takes about 300 MB.
    pub at_once: usize,
    /// The state folder: screenshots go into `screenshots` there.
    pub evidence: PathBuf,
}

/// All browsers of this process.
pub struct Browsers {
    settings: BrowserSettings,
    /// Fair: who waits first is served first.
    places: Arc<Semaphore>,
    conversations: Arc<widget::Open>,
    tokens: TokenKey,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<MailEvent>,
}

impl Browsers {
    /// Starts nothing.
    pub fn new(settings: BrowserSettings, tokens: TokenKey, clock: Arc<dyn Clock>, events: mpsc::Sender<MailEvent>) -> Browsers {
        let places = Arc::new(Semaphore::new(settings.at_once.max(1)));
        Browsers { settings, places, conversations: Arc::default(), tokens, clock, events }
    }

    /// A browser for a run: waits for its turn, at most for the run's time.
    async fn visit(&self, run: &RunId, limit: Duration) -> Result<Visit, Stop> {
        let programs = Programs::find(self.settings.chromium.as_deref(), self.settings.driver.as_deref())?;
        let limit = Limit { clock: self.clock.clone(), until: clock::after(self.clock.now(), limit) };
        let place = match limit.within(self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => return Err(trouble::busy(self.settings.at_once.max(1))),
        };
        let session = Session::start(&programs, limit, place).await?;
        Ok(Visit::new(session, run.clone(), self.settings.evidence.clone()))
    }
}

/// What of a form's way in concerns the browser.
fn in_browser(order: &FormOrder) -> Result<(&[String], Duration), Stop> {
    match &order.form.by {
        FormBy::Browser { frame, limit } => Ok((frame, *limit)),
        FormBy::Page | FormBy::Recipe(_) => {
            Err(Stop::unknown("mon-no-such-way", ResultClass::BrokenContract, "this form is not for a browser"))
        }
    }
}

#[async_trait]
impl Forms for Browsers {
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        let (frame, limit) = in_browser(order)?;
        let visit = self.visit(&order.run, limit).await?;
        Ok(Box::new(form::prepare(visit, order, frame).await?))
    }

    async fn doctor(&self, order: &FormOrder) -> Result<Vec<String>, Stop> {
        let (frame, limit) = in_browser(order)?;
        form::doctor(self.visit(&order.run, limit).await?, order, frame).await
    }
}
