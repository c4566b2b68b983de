//! Forms and chats as the configuration names them: the part of [`super::assemble`] that knows every way in but mail.

use super::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::desk::chat::DeskChats;
use crate::desk::{DeskSet, RecipeForms};
use crate::engine::ports::MailEvent;
use crate::engine::ways::{Chats, Forms};
use crate::form::PageForms;
use crate::model::TokenKey;
use crate::seal::Seal;
use crate::ways::{AllChats, AllForms};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What forms and chats share.
pub struct Shared<'a> {
    /// The desks.
    pub desks: &'a Arc<DeskSet>,
    /// Tokens of this installation.
    pub tokens: &'a TokenKey,
    /// Time.
    pub clock: &'a Arc<dyn Clock>,
    /// Where chats tell that they have moved on.
    pub events: &'a mpsc::Sender<MailEvent>,
}

/// Every form and every chat.
pub type Ways = (Arc<dyn Forms>, Arc<dyn Chats>);

/// Forms and chats in every way that this build knows. Opens no connection and starts no browser.
///
/// # Errors
/// When the key for kept visitors cannot be read, or a chat cannot be made from its desk's settings.
pub fn all(config: &Config, shared: &Shared<'_>) -> Result<Ways, Failure> {
    let seal = Seal::open(&config.daemon.state).map_err(Failure::ours)?;
    let chats = DeskChats::new(&config.desks, seal, shared.tokens.clone(), shared.clock.clone(), shared.events.clone());
    let chats = chats.map_err(|problems| Failure::ours(problems.join("\n")))?;
    let browsers = browsers(config, shared);
    let forms = AllForms {
        page: Arc::new(PageForms::new(shared.clock.clone())),
        recipe: Arc::new(RecipeForms::new(shared.desks.clone())),
        browser: browsers.clone().map(|b| b as Arc<dyn Forms>),
    };
    let chats = AllChats { desk: Arc::new(chats), widget: browsers.map(|b| b as Arc<dyn Chats>) };
    Ok((Arc::new(forms), Arc::new(chats)))
}

#[cfg(feature = "browser")]
fn browsers(config: &Config, shared: &Shared<'_>) -> Option<Arc<crate::browser::Browsers>> {
    let settings = crate::browser::BrowserSettings {
        chromium: config.browser.chromium.clone(),
        driver: config.browser.driver.clone(),
        at_once: config.daemon.browsers,
        evidence: config.daemon.state.clone(),
    };
    let browsers = crate::browser::Browsers::new(settings, shared.tokens.clone(), shared.clock.clone(), shared.events.clone());
    Some(Arc::new(browsers))
}

#[cfg(not(feature = "browser"))]
fn browsers(_: &Config, _: &Shared<'_>) -> Option<Arc<crate::engine::ways::OnlyMail>> {
    None
}
