//! Chat bubbles in Chromium: one conversation, one browser, from the first look to the visitor's leaving.

use super::conversation::{Conversation, Shared, Window, listen, widget};
use super::{Browsers, trouble};
use crate::engine::ways::{Begun, ChatOrder, ChatView, Chats, Offer, Saying, Stop};
use crate::model::{Attachment, Channel, ChatBy, ChatLine, OutgoingAttachment, Probe, ResultClass, RunId};
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The conversations of this process, by run.
pub(super) type Open = Mutex<HashMap<RunId, Entry>>;

/// One of them.
pub(super) struct Entry {
    conversation: Arc<Shared>,
    window: Arc<Window>,
}

/// The largest file of a line that is fetched.
const MOST_BYTES: usize = 12 * 1024 * 1024;
/// Fetches a file as the page would, and gives its type and bytes.
const FETCH: &str = "const [url, most, done] = arguments;
fetch(url, { credentials: 'include' }).then(async answer => {
  if (!answer.ok) return done({ error: 'the file answered ' + answer.status });
  const blob = await answer.blob();
  if (blob.size > most) return done({ error: 'the file has ' + blob.size + ' bytes, more than is fetched' });
  const reader = new FileReader();
  reader.onload = () => done({ type: blob.type, data: String(reader.result).split(',')[1] || '' });
  reader.readAsDataURL(blob);
}).catch(error => done({ error: String(error).slice(0, 200) }));";

impl Browsers {
    fn open(&self, run: &RunId) -> Option<Arc<Shared>> {
        self.conversations.lock().unwrap_or_else(|e| e.into_inner()).get(run).map(|entry| entry.conversation.clone())
    }

    /// The conversation of a run that has begun.
    fn conversation(&self, order: &ChatOrder) -> Result<Arc<Shared>, Stop> {
        self.open(&order.run).ok_or_else(trouble::session_gone)
    }

    /// The run's conversation; its page is opened where there is none yet.
    async fn opened(&self, order: &ChatOrder) -> Result<Arc<Shared>, Stop> {
        if let Some(conversation) = self.open(&order.run) {
            return Ok(conversation);
        }
        let (widget, page) = widget(order)?;
        let visit = self.visit(&order.run, widget.limit).await?;
        let mut conversation = Conversation::new(visit, widget, page, self.tokens.clone());
        if let Err(stop) = conversation.open_page().await {
            let stop = conversation.visit.stopped(stop, "send").await;
            conversation.visit.session.end().await;
            return Err(stop);
        }
        let window = conversation.window();
        let conversation = Arc::new(tokio::sync::Mutex::new(conversation));
        let entry = Entry { conversation: conversation.clone(), window };
        self.conversations.lock().unwrap_or_else(|e| e.into_inner()).insert(order.run.clone(), entry);
        let (weak, open, run) = (Arc::downgrade(&conversation), self.conversations.clone(), order.run.clone());
        let (clock, events) = (self.clock.clone(), self.events.clone());
        tokio::spawn(async move {
            listen(weak, run.clone(), clock, events).await;
            // Its browser is gone: the place is free for others.
            open.lock().unwrap_or_else(|e| e.into_inner()).remove(&run);
        });
        Ok(conversation)
    }

    /// Closes the window.
    async fn close(&self, run: &RunId) {
        let entry = self.conversations.lock().unwrap_or_else(|e| e.into_inner()).remove(run);
        let Some(Entry { conversation, .. }) = entry else { return };
        if let Some(conversation) = Arc::into_inner(conversation) {
            conversation.into_inner().visit.session.end().await;
        }
    }
}

async fn stopped(conversation: &mut Conversation, result: Result<(), Stop>, stage: &str) -> Result<(), Stop> {
    match result {
        Ok(()) => Ok(()),
        Err(stop) => Err(conversation.visit.stopped(stop, stage).await),
    }
}

#[async_trait]
impl Chats for Browsers {
    async fn offer(&self, order: &ChatOrder) -> Result<Offer, Stop> {
        let shared = self.opened(order).await?;
        let mut conversation = shared.lock().await;
        let result = match conversation.is_offered().await {
            Ok(offered) => Ok(Offer { offered: Some(offered), seen: conversation.visit.seen.clone() }),
            Err(stop) => Err(conversation.visit.stopped(stop, "send").await),
        };
        drop(conversation);
        drop(shared);
        if !result.as_ref().is_ok_and(|offer| offer.offered == Some(true)) {
            self.close(&order.run).await;
        }
        result
    }

    async fn begin(&self, order: &ChatOrder, first: &Saying) -> Result<Begun, Stop> {
        let shared = self.opened(order).await?;
        let mut conversation = shared.lock().await;
        let result = conversation.begin(first).await;
        stopped(&mut conversation, result, "send").await?;
        Ok(Begun { seen: conversation.visit.seen.clone(), ..Begun::default() })
    }

    async fn leave_message(&self, _: &ChatOrder, _: &Saying) -> Result<Begun, Stop> {
        Err(Stop::unknown("mon-no-such-way", ResultClass::BrokenContract, "the steps of a widget leave no offline message")
            .advice("set `when_offline` to `fail` or `unknown`, or send the message with a probe of the form"))
    }

    async fn say(&self, order: &ChatOrder, line: &Saying) -> Result<(), Stop> {
        let shared = self.conversation(order)?;
        let mut conversation = shared.lock().await;
        let result = conversation.say(line).await;
        stopped(&mut conversation, result, "follow_up").await
    }

    async fn look(&self, order: &ChatOrder) -> Result<ChatView, Stop> {
        let shared = self.conversation(order)?;
        let mut conversation = shared.lock().await;
        match conversation.look().await {
            Ok(view) => Ok(view),
            Err(stop) => Err(conversation.visit.stopped(stop, "return").await),
        }
    }

    fn heard(&self, run: &RunId) -> Option<ChatView> {
        self.conversations.lock().unwrap_or_else(|e| e.into_inner()).get(run).map(|entry| entry.window.view())
    }

    /// The browser listens from the first look to the visitor's leaving, at most until its own limit.
    fn listen(&self, _: &ChatOrder, _: Timestamp) {}

    async fn reload(&self, order: &ChatOrder) -> Result<Begun, Stop> {
        let shared = self.conversation(order)?;
        let mut conversation = shared.lock().await;
        let result = conversation.reload().await;
        stopped(&mut conversation, result, "follow_up").await?;
        Ok(Begun { conversation: order.conversation.clone(), seen: conversation.visit.seen.clone(), ..Begun::default() })
    }

    async fn leave(&self, order: &ChatOrder) -> Result<(), Stop> {
        let Some(shared) = self.open(&order.run) else { return Ok(()) };
        let mut conversation = shared.lock().await;
        let result = conversation.leave().await;
        let result = stopped(&mut conversation, result, "clean_up").await;
        drop(conversation);
        drop(shared);
        self.close(&order.run).await;
        result
    }

    async fn file(&self, order: &ChatOrder, line: &ChatLine, name: &str) -> Result<Attachment, Stop> {
        let shared = self.conversation(order)?;
        let conversation = shared.lock().await;
        let lost = |found: String| Stop::failed("chat-attachment-not-transferred", ResultClass::Empty, found);
        let url = conversation.file_url(&line.text, name).ok_or_else(|| lost(format!("the line has no link to a file `{name}`")))?;
        let got = conversation.visit.session.script_later(FETCH, vec![json!(url), json!(MOST_BYTES)]).await?;
        if let Some(error) = got.get("error").and_then(serde_json::Value::as_str) {
            return Err(lost(format!("the file `{name}` cannot be fetched: {error}")));
        }
        let text = |key: &str| got.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let bytes = BASE64.decode(text("data")).map_err(|e| lost(format!("the file `{name}` cannot be read: {e}")))?;
        let content_type = text("type").split(';').next().unwrap_or_default().to_lowercase();
        Ok(OutgoingAttachment { name: name.to_owned(), content_type, bytes }.expected())
    }

    async fn doctor(&self, probe: &Probe) -> Result<Vec<String>, Stop> {
        let not_ours = || Stop::unknown("mon-no-such-way", ResultClass::BrokenContract, "this probe has no widget to be looked at");
        let Channel::Chat(chat) = &probe.channel else { return Err(not_ours()) };
        let (ChatBy::Widget(widget), Some(page)) = (&chat.by, &chat.page) else { return Err(not_ours()) };
        let run = RunId(format!("doctor-{}", probe.name));
        let visit = self.visit(&run, widget.limit).await?;
        let mut conversation = Conversation::new(visit, widget, page.clone(), self.tokens.clone());
        let result = conversation.doctor().await;
        let result = match result {
            Ok(lines) => Ok(lines),
            Err(stop) => Err(conversation.visit.stopped(stop, "doctor").await),
        };
        conversation.visit.session.end().await;
        result
    }
}
