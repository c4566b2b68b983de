//! Every way of filling in a form and of chatting behind one port each: which part does it is said by the probe.

use crate::engine::ways::{Begun, ChatOrder, ChatView, Chats, FilledForm, FormOrder, Forms, Offer, Saying, Stop};
use crate::model::{Attachment, Channel, ChatBy, ChatLine, FormBy, Probe, ResultClass, RunId};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;

/// Web forms: plain, by a desk's recipe, in a browser.
pub struct AllForms {
    /// As a browser would, without one.
    pub page: Arc<dyn Forms>,
    /// By a desk's recipe.
    pub recipe: Arc<dyn Forms>,
    /// In Chromium; none in a build without the feature `browser`.
    pub browser: Option<Arc<dyn Forms>>,
}

/// Chats: by a desk's definition, as a widget in a browser.
pub struct AllChats {
    /// By a desk's definition.
    pub desk: Arc<dyn Chats>,
    /// In Chromium; none in a build without the feature `browser`.
    pub widget: Option<Arc<dyn Chats>>,
}

fn no_browser() -> Stop {
    Stop::unknown("browser-missing", ResultClass::BrokenContract, "this replypath was built without its browser part")
        .advice("use a build with the feature `browser`, or a probe without `browser = true`")
}

impl AllForms {
    fn of(&self, order: &FormOrder) -> Result<&dyn Forms, Stop> {
        match order.form.by {
            FormBy::Page => Ok(&*self.page),
            FormBy::Recipe(_) => Ok(&*self.recipe),
            FormBy::Browser { .. } => self.browser.as_deref().ok_or_else(no_browser),
        }
    }
}

#[async_trait]
impl Forms for AllForms {
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        self.of(order)?.fill_in(order).await
    }
    async fn doctor(&self, order: &FormOrder) -> Result<Vec<String>, Stop> {
        self.of(order)?.doctor(order).await
    }
}

impl AllChats {
    fn by(&self, by: &ChatBy) -> Result<&dyn Chats, Stop> {
        match by {
            ChatBy::Desk => Ok(&*self.desk),
            ChatBy::Widget(_) => self.widget.as_deref().ok_or_else(no_browser),
        }
    }

    fn of(&self, order: &ChatOrder) -> Result<&dyn Chats, Stop> {
        self.by(&order.chat.by)
    }
}

#[async_trait]
impl Chats for AllChats {
    async fn offer(&self, order: &ChatOrder) -> Result<Offer, Stop> {
        self.of(order)?.offer(order).await
    }
    async fn begin(&self, order: &ChatOrder, first: &Saying) -> Result<Begun, Stop> {
        self.of(order)?.begin(order, first).await
    }
    async fn leave_message(&self, order: &ChatOrder, message: &Saying) -> Result<Begun, Stop> {
        self.of(order)?.leave_message(order, message).await
    }
    async fn say(&self, order: &ChatOrder, line: &Saying) -> Result<(), Stop> {
        self.of(order)?.say(order, line).await
    }
    async fn look(&self, order: &ChatOrder) -> Result<ChatView, Stop> {
        self.of(order)?.look(order).await
    }
    fn heard(&self, run: &RunId) -> Option<ChatView> {
        self.desk.heard(run).or_else(|| self.widget.as_ref()?.heard(run))
    }
    fn listen(&self, order: &ChatOrder, until: Timestamp) {
        if let Ok(chats) = self.of(order) {
            chats.listen(order, until);
        }
    }
    async fn reload(&self, order: &ChatOrder) -> Result<Begun, Stop> {
        self.of(order)?.reload(order).await
    }
    async fn as_stranger(&self, order: &ChatOrder) -> Result<Option<Vec<ChatLine>>, Stop> {
        self.of(order)?.as_stranger(order).await
    }
    async fn leave(&self, order: &ChatOrder) -> Result<(), Stop> {
        self.of(order)?.leave(order).await
    }
    async fn file(&self, order: &ChatOrder, line: &ChatLine, name: &str) -> Result<Attachment, Stop> {
        self.of(order)?.file(order, line, name).await
    }
    async fn doctor(&self, probe: &Probe) -> Result<Vec<String>, Stop> {
        match &probe.channel {
            Channel::Chat(chat) => self.by(&chat.by)?.doctor(probe).await,
            Channel::Email(_) | Channel::Form(_) => Ok(Vec::new()),
        }
    }
}
