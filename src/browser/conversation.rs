//! A conversation in a widget: the session that holds it, and a listener that looks at its lines.

use super::lines::{Came, Lines, Shown};
use super::session::Session;
use super::steps;
use super::trouble::{self, Broken};
use super::visit::Visit;
use crate::clock::{Clock, after};
use crate::engine::ports::MailEvent;
use crate::engine::ways::{ChatOrder, ChatView, Push, Saying, Seen, Stop};
use crate::model::{ResultClass, RunId, TokenKey, Widget, WidgetStep};
use jiff::Timestamp;
use serde_json::json;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two looks at the window: people notice a line within about a second.
const LOOKS: Duration = Duration::from_millis(300);
/// How long a line that was said may take until the window shows it, and old lines after a reload.
const SHOWN: Duration = Duration::from_secs(15);
/// A widget that opens by itself after a reload does so within this time; a click would close it again.
const BY_ITSELF: Duration = Duration::from_secs(2);
/// Between two looks into the stored conversation while nothing comes.
const STORED: Duration = Duration::from_secs(20);

/// A conversation.
pub(super) struct Conversation {
    pub(super) visit: Visit,
    widget: Widget,
    page: String,
    /// Where `say` and `close` begin: the frame in which `open` ended.
    open_frame: Vec<String>,
    window: Arc<Window>,
    tokens: TokenKey,
    /// The last look into the stored conversation.
    stored_at: Timestamp,
}

/// What is known of the window, for whoever asks without waiting.
pub(super) struct Window {
    lines: Mutex<Lines>,
    push: Mutex<Push>,
}

impl Window {
    /// Everything known.
    pub(super) fn view(&self) -> ChatView {
        let lines = self.lines.lock().unwrap_or_else(|e| e.into_inner()).lines.clone();
        let push = self.push.lock().unwrap_or_else(|e| e.into_inner()).clone();
        ChatView { lines, push, agents: Push::None, ended: false, seen: Seen::default() }
    }

    fn lines<T>(&self, work: impl FnOnce(&mut Lines) -> T) -> T {
        work(&mut self.lines.lock().unwrap_or_else(|e| e.into_inner()))
    }

    fn set_push(&self, push: Push) {
        *self.push.lock().unwrap_or_else(|e| e.into_inner()) = push;
    }
}

impl Conversation {
    pub(super) fn new(visit: Visit, widget: &Widget, page: String, tokens: TokenKey) -> Conversation {
        Conversation {
            visit,
            widget: widget.clone(),
            page,
            open_frame: steps::frame_after(&widget.open),
            window: Arc::new(Window { lines: Mutex::default(), push: Mutex::new(Push::None) }),
            tokens,
            stored_at: Timestamp::UNIX_EPOCH,
        }
    }

    pub(super) fn window(&self) -> Arc<Window> {
        self.window.clone()
    }

    fn now(&self) -> Timestamp {
        self.visit.session.limit.clock.now()
    }

    fn session(&self) -> &Session {
        &self.visit.session
    }

    /// Opens the page. The error says why customers see none, or that only we do.
    pub(super) async fn open_page(&mut self) -> Result<(), Stop> {
        let page = self.page.clone();
        let state = self.visit.open(&page).await.map_err(|no| no.stop("chat-widget-down", "chat-unreachable"))?;
        self.stored_at = self.now();
        match state.status {
            Some(429) => Err(Stop::unknown("chat-throttled", ResultClass::Throttled, "the page answered 429").passing()),
            Some(status @ 400..) => {
                Err(Stop::failed("chat-widget-down", ResultClass::Unavailable, format!("the chat's page answered {status}")))
            }
            _ => Ok(()),
        }
    }

    /// Waits for what a visitor clicks first. False: it does not come.
    pub(super) async fn is_offered(&mut self) -> Result<bool, Stop> {
        self.session().enter(&[]).await?;
        let widget = self.widget.clone();
        for step in &widget.open {
            let look = match step {
                WidgetStep::Click(path) | WidgetStep::Write { into: path, .. } | WidgetStep::Choose { of: path, .. } => {
                    WidgetStep::WaitFor(path.clone())
                }
                other => other.clone(),
            };
            match steps::one(self.session(), &look, "").await {
                Ok(()) if look != *step => break,
                Ok(()) => {}
                Err(broken) if broken.passes() => return self.not_offered().await,
                Err(broken) => return Err(broken.into()),
            }
        }
        self.visit.fact("usable_ms", self.visit.elapsed_ms());
        Ok(true)
    }

    /// Whether the chat is broken or just not there.
    async fn not_offered(&mut self) -> Result<bool, Stop> {
        self.visit.hear().await?;
        if let Some(line) = self.visit.console.frame_refused() {
            return Err(Stop::failed("chat-frame-refused", ResultClass::Denied, trouble::short(line, 300)));
        }
        if let Some(request) = self.visit.console.failed_request() {
            return Err(Stop::failed("chat-widget-down", ResultClass::Unavailable, format!("the chat did not appear; {request}")));
        }
        Ok(false)
    }

    /// Opens the chat and says the first line.
    pub(super) async fn begin(&mut self, first: &Saying) -> Result<(), Stop> {
        self.session().enter(&[]).await?;
        let widget = self.widget.clone();
        steps::walk(self.session(), &widget.open, "", false).await.map_err(steps::Stuck::stop)?;
        self.window.set_push(Push::Open(self.now()));
        // The greeting, before anything is said.
        let _ = self.take(Came::Pushed).await;
        self.say(first).await
    }

    /// Says a line, and waits until the window shows it.
    pub(super) async fn say(&mut self, line: &Saying) -> Result<(), Stop> {
        self.session().enter(&self.open_frame).await?;
        if !line.attachments.is_empty() {
            let input = steps::file_input(self.session()).await?.ok_or_else(|| {
                Stop::unknown("browser-confused", ResultClass::BrokenContract, "the widget has no input for files")
                    .advice("leave the files out of this probe, or chat by the desk's definition")
            })?;
            super::fill::upload(self.session(), &input, &line.attachments).await.map_err(Stop::uncertain)?;
        }
        self.window.lines(|lines| lines.saying(&line.text));
        let said = self.widget.say.clone();
        steps::walk(self.session(), &said, &line.text, true).await.map_err(steps::Stuck::stop)?;
        self.until_shown(&line.text).await
    }

    async fn until_shown(&mut self, text: &str) -> Result<(), Stop> {
        let until = after(self.now(), SHOWN);
        loop {
            match self.take(Came::Pushed).await {
                Ok(_) if self.window.lines(|lines| lines.has(text)) => return Ok(()),
                Ok(_) => {}
                Err(broken) if broken.passes() => {}
                Err(broken) => return Err(Stop::from(broken).uncertain()),
            }
            if self.now() >= until {
                return Err(Stop::unknown("act-uncertain", ResultClass::Empty, "the line was sent, and the window never showed it")
                    .advice("look at the screenshot, and whether the widget's `line` names every line")
                    .uncertain());
            }
            self.session().limit.pause(LOOKS).await.map_err(|broken| Stop::from(broken).uncertain())?;
        }
    }

    /// Looks at the window. True when there is something new.
    async fn take(&mut self, came: Came) -> Result<bool, Broken> {
        let shown = self.shown(came == Came::Stored).await?;
        let now = self.now();
        Ok(self.window.lines(|lines| lines.take(&shown, came, now, &self.tokens)))
    }

    async fn shown(&self, stored: bool) -> Result<Vec<Shown>, Broken> {
        self.session().enter(&self.widget.frame).await?;
        let args = vec![json!(self.widget.line), json!(self.widget.agent), json!(self.widget.bot), json!(stored)];
        let shown = self.session().script(include_str!("watch.js"), args).await?;
        Ok(serde_json::from_value(shown).unwrap_or_default())
    }

    /// Everything the visitor has; while nothing comes, also what the stored conversation holds, in a second window.
    pub(super) async fn look(&mut self) -> Result<ChatView, Stop> {
        let new = match self.take(Came::Pushed).await {
            Ok(new) => new,
            Err(broken) if broken.passes() => false,
            Err(broken) => return Err(broken.into()),
        };
        let now = self.now();
        self.window.lines(|lines| lines.looked_at(now));
        if new {
            self.stored_at = now;
        } else if now >= after(self.stored_at, STORED) {
            self.stored_at = now;
            self.look_aside().await?;
        }
        Ok(self.window.view())
    }

    async fn look_aside(&mut self) -> Result<(), Stop> {
        let tab = self.session().aside(&self.page).await?;
        let shown = self.reopen().await;
        self.session().back(tab).await?;
        match shown {
            Ok(shown) => {
                let now = self.now();
                self.window.lines(|lines| lines.take(&shown, Came::Stored, now, &self.tokens));
                Ok(())
            }
            Err(broken) if broken.passes() => Ok(()),
            Err(broken) => Err(broken.into()),
        }
    }

    /// After the page was loaded anew: opens the chat only as far as needed to see its lines, and never answers questions
    /// again: that would begin another conversation.
    async fn reopen(&self) -> Result<Vec<Shown>, Broken> {
        self.session().enter(&[]).await?;
        self.session().limit.pause(BY_ITSELF).await?;
        let mut frame: Vec<String> = Vec::new();
        for step in &self.widget.open {
            if self.shown(true).await.is_ok_and(|shown| !shown.is_empty()) {
                break;
            }
            self.session().enter(&frame).await?;
            match step {
                WidgetStep::Write { .. } | WidgetStep::Choose { .. } | WidgetStep::Press(_) => break,
                step => steps::one(self.session(), step, "").await?,
            }
            frame = steps::frame_after(
                &[&frame.iter().cloned().map(WidgetStep::Frame).collect::<Vec<_>>()[..], std::slice::from_ref(step)].concat(),
            );
        }
        let until = after(self.now(), SHOWN);
        loop {
            let shown = self.shown(true).await;
            let back = shown.as_ref().is_ok_and(|shown| self.window.lines(|lines| lines.own_in(shown) >= lines.own().max(1)));
            match shown {
                Ok(shown) if back || self.now() >= until => return Ok(shown),
                Err(broken) if !broken.passes() || self.now() >= until => return Err(broken),
                _ => self.session().limit.pause(LOOKS).await?,
            }
        }
    }

    /// Loads the page anew in the same profile. The conversation must be there again.
    pub(super) async fn reload(&mut self) -> Result<(), Stop> {
        self.open_page().await?;
        let shown = match self.reopen().await {
            Ok(shown) => shown,
            Err(broken) if broken.passes() => Vec::new(),
            Err(broken) => return Err(broken.into()),
        };
        let now = self.now();
        let (own, said) = self.window.lines(|lines| (lines.own_in(&shown), lines.own()));
        self.window.lines(|lines| lines.take(&shown, Came::Stored, now, &self.tokens));
        // From here on what comes is pushed.
        let _ = self.take(Came::Pushed).await;
        self.window.set_push(Push::Open(now));
        if own == 0 && said > 0 {
            let found = format!("after a reload none of the visitor's {said} lines is in the window");
            return Err(Stop::failed("chat-history-lost-on-return", ResultClass::Empty, found));
        }
        self.visit.fact("lines_after_reload", shown.len());
        Ok(())
    }

    /// Does the steps that end the chat.
    pub(super) async fn leave(&mut self) -> Result<(), Stop> {
        if self.widget.close.is_empty() {
            return Ok(());
        }
        self.session().enter(&self.open_frame).await?;
        let close = self.widget.close.clone();
        steps::walk(self.session(), &close, "", true).await.map_err(steps::Stuck::stop)
    }

    /// Looks only: lines for people.
    pub(super) async fn doctor(&mut self) -> Result<Vec<String>, Stop> {
        self.open_page().await?;
        let offered = self.is_offered().await?;
        let chat = if offered {
            format!("the chat can be opened after {} ms", self.visit.elapsed_ms())
        } else {
            "the chat does not appear".to_owned()
        };
        Ok(vec![self.session().versions(), chat])
    }

    /// The address of a line's file.
    pub(super) fn file_url(&self, text: &str, name: &str) -> Option<String> {
        self.window.lines(|lines| lines.files.get(&(text.to_owned(), name.to_owned())).cloned())
    }
}

/// A conversation that others may use too, and its listener.
pub(super) type Shared = tokio::sync::Mutex<Conversation>;

/// Looks at the window again and again until the conversation is dropped or its browser is gone, and tells of what is new.
pub(super) async fn listen(conversation: Weak<Shared>, run: RunId, clock: Arc<dyn Clock>, events: mpsc::Sender<MailEvent>) {
    loop {
        clock.sleep_until(after(clock.now(), LOOKS)).await;
        let Some(shared) = conversation.upgrade() else { return };
        let looked = shared.lock().await.take(Came::Pushed).await;
        drop(shared);
        let (tell, over) = match looked {
            Ok(new) => (new, false),
            Err(broken) => (!broken.passes(), !broken.passes()),
        };
        if tell && events.send(MailEvent::Moved { run: run.clone() }).await.is_err() || over {
            return;
        }
    }
}

/// What a chat's order says of the widget.
pub(super) fn widget(order: &ChatOrder) -> Result<(&Widget, String), Stop> {
    match (&order.chat.by, &order.chat.page) {
        (crate::model::ChatBy::Widget(widget), Some(page)) => Ok((widget, page.clone())),
        _ => Err(Stop::unknown("mon-no-such-way", ResultClass::BrokenContract, "this chat is not for a browser, or has no page")),
    }
}
