//! The request by live chat: offered, begun with its first line, and then listened to and looked at until it ends.

use super::journey::{Journey, Walk};
use super::stop::filled;
use super::ways::{Begun, ChatOrder, ChatView, Push, Saying, Stop};
use crate::diagnosis::catalogue;
use crate::model::{
    ActKind, ActState, ChatLine, ChatMemory, Looked, Observation, Outcome, ResultClass, Source, Stage, Visitor, WhenOffline,
};
use jiff::Timestamp;
use std::time::Duration;

/// The name of the looks at the stored conversation.
pub(super) const LOOKS: &str = "chat";
const OFFER: &str = "chat as visitors find it";
const CONVERSATION: &str = "conversation";
/// So many lines of a conversation are remembered.
const MOST_LINES: usize = 500;

impl Journey<'_> {
    /// The conversation with every text filled in.
    pub(super) fn chat_order(&self) -> Option<ChatOrder> {
        let token = self.token(Stage::Send)?;
        let mut chat = self.chat()?.clone();
        let files = std::mem::take(&mut chat.attachments);
        let mut chat = filled(chat, &|t| self.fill(t, &token));
        chat.attachments = files;
        let memory = self.run.chat.clone().unwrap_or_default();
        Some(ChatOrder {
            run: self.run.id.clone(),
            probe: self.run.probe.name.clone(),
            desk: self.run.probe.desk.clone(),
            customer: self.customer(),
            chat,
            conversation: memory.conversation,
            sealed: memory.sealed,
            since: self.run.started,
        })
    }

    /// What the run remembers of its conversation.
    pub(super) fn memory(&mut self) -> &mut ChatMemory {
        self.run.chat.get_or_insert_with(ChatMemory::default)
    }

    fn kept_name(&self) -> String {
        format!("visitor {}", self.run.probe.name)
    }

    /// Sees whether chat is offered, and begins a conversation, or leaves a message where the probe says so.
    pub(super) async fn send_chat(&mut self) -> Walk<Option<Timestamp>> {
        if self.run.chat.is_none() {
            self.remember_last_pass().await?;
            let keeps = self.chat().is_some_and(|c| c.visitor == Visitor::Kept);
            let sealed = if keeps { self.parts.store.kept(&self.kept_name()).await? } else { None };
            self.memory().sealed = sealed;
        }
        let Some(order) = self.chat_order() else { return Ok(None) };
        let offer = match self.parts.chats.offer(&order).await {
            Ok(offer) => offer,
            Err(stop) => return self.not_offered(stop).await,
        };
        self.saw(Stage::Send, OFFER, Looked::Found, ResultClass::Ok, &offer.seen);
        let offered = offer.offered;
        if offered == Some(false) && order.chat.when_offline != WhenOffline::Message {
            return Ok(self.closed(order.chat.when_offline));
        }
        if offered == Some(false)
            && let Err(trouble) = self.take_position().await
        {
            return self.send_later(Source::Mailbox, "INBOX", &trouble);
        }
        if let Some(wait) = self.take_budgets(Stage::Send).await? {
            return Ok(Some(wait));
        }
        if self.outcome(Stage::Send).is_some() {
            return Ok(None);
        }
        let Some(token) = self.token(Stage::Send) else { return Ok(None) };
        let first = Saying { text: order.chat.text.clone(), token, attachments: order.chat.attachments.clone() };
        self.memory().offline = offered == Some(false);
        self.begin_act(ActKind::Send, "").await?;
        let begun = if offered == Some(false) {
            self.parts.chats.leave_message(&order, &first).await
        } else {
            self.parts.chats.begin(&order, &first).await
        };
        match begun {
            Ok(begun) => self.begun(begun, offered).await,
            Err(stop) => self.not_begun(stop).await,
        }
    }

    async fn not_offered(&mut self, stop: Stop) -> Walk<Option<Timestamp>> {
        self.saw_stop(Stage::Send, OFFER, &stop);
        if self.forget_visitor(&stop).await? {
            return Ok(Some(self.now()));
        }
        if let Some(next) = self.try_again("send", Stage::Send, &stop) {
            return Ok(Some(next));
        }
        let stop = self.weigh(stop).await;
        self.stopped(Stage::Send, "opened", "visitors can open the chat", &stop);
        Ok(None)
    }

    /// No chat is offered, and the probe leaves no message.
    fn closed(&mut self, when: WhenOffline) -> Option<Timestamp> {
        let outcome = if when == WhenOffline::Fail { Outcome::Fail } else { Outcome::Unknown };
        self.check(Stage::Send, "offered", outcome, "chat is offered to visitors", "it is not offered");
        if outcome == Outcome::Fail {
            self.fail(Stage::Send, &["chat-not-offered"]);
        } else {
            self.unknown(Stage::Send, "chat-not-offered");
        }
        None
    }

    async fn begun(&mut self, begun: Begun, offered: Option<bool>) -> Walk<Option<Timestamp>> {
        let offline = self.memory().offline;
        self.saw(Stage::Accept, CONVERSATION, Looked::Found, ResultClass::Ok, &begun.seen);
        let found = match (&begun.conversation, offline) {
            (Some(id), _) => format!("conversation {id}"),
            (None, true) => "the message was taken".to_owned(),
            (None, false) => "the first line was taken".to_owned(),
        };
        self.remember_visitor(begun).await?;
        self.check(Stage::Send, "first line", Outcome::Pass, "the first line is taken", "taken");
        self.sent();
        self.check(Stage::Accept, "conversation", Outcome::Pass, "a conversation begins", found);
        if offered == Some(true) {
            self.judge_presence().await;
        }
        self.close(Stage::Accept, Outcome::Pass);
        self.finish_act(ActKind::Send, "", ActState::Done).await?;
        Ok(Some(self.now()))
    }

    async fn remember_visitor(&mut self, begun: Begun) -> Walk<()> {
        let memory = self.memory();
        memory.conversation = begun.conversation.or(memory.conversation.take());
        memory.visitor = begun.visitor.or(memory.visitor.take());
        memory.sealed = begun.sealed.or(memory.sealed.take());
        let sealed = memory.sealed.clone();
        if self.chat().is_some_and(|c| c.visitor == Visitor::Kept) && sealed.is_some() {
            self.parts.store.keep(&self.kept_name(), sealed.as_deref()).await?;
        }
        Ok(())
    }

    /// A conversation that begins although nobody is there to answer it.
    async fn judge_presence(&mut self) {
        let Some(desk) = self.desk() else { return };
        let place = "agents available for chat";
        let now = self.now();
        match desk.agents_available().await {
            Ok(None) => {}
            Ok(Some(true)) => {
                self.check(Stage::Accept, "agents", Outcome::Pass, "an agent is available", "yes");
            }
            Ok(Some(false)) => {
                self.observe(Observation::new(now, Some(Stage::Accept), Source::Desk, place, "agents", Looked::Empty));
                // The last agent may have left just now: the page must know it too.
                let still = match self.chat_order() {
                    Some(order) => self.parts.chats.offer(&order).await.is_ok_and(|o| o.offered == Some(true)),
                    None => false,
                };
                if !still {
                    self.note("the last agent left while the conversation began, and chat is offered no longer");
                    return;
                }
                self.check(
                    Stage::Accept,
                    "agents",
                    Outcome::Fail,
                    "chat is offered only while an agent is available",
                    "it was offered and begun, and is still offered, while the desk says that no agent is available",
                );
                self.fail(Stage::Accept, &["chat-offered-with-no-agent"]);
            }
            Err(trouble) => self.trouble(Stage::Accept, Source::Desk, place, "agents", &trouble),
        }
    }

    async fn not_begun(&mut self, stop: Stop) -> Walk<Option<Timestamp>> {
        self.saw_stop(Stage::Accept, CONVERSATION, &stop);
        let state = if stop.no_effect { ActState::Failed(stop.found.clone()) } else { ActState::Uncertain };
        let again = if self.forget_visitor(&stop).await? { Some(self.now()) } else { self.try_again("send", Stage::Send, &stop) };
        if let Some(next) = again {
            self.finish_act(ActKind::Send, "", state).await?;
            return Ok(Some(next));
        }
        let stop = self.weigh(stop).await;
        let at_send = stop.faults.first().and_then(|f| catalogue::fault(f)).is_none_or(|f| f.stage == Stage::Send);
        if at_send && (stop.no_effect || stop.outcome == Outcome::Fail) {
            self.stopped(Stage::Send, "first line", "the first line is taken", &stop);
        } else {
            if stop.no_effect || stop.outcome == Outcome::Fail {
                self.close(Stage::Send, Outcome::Pass);
            }
            self.open_after_send();
            self.stopped(Stage::Accept, "conversation", "a conversation begins", &stop);
        }
        self.finish_act(ActKind::Send, "", state).await?;
        Ok(Some(self.now()))
    }

    /// A kept visitor whom the desk does not know any more begins anew, once. True when that was the trouble.
    async fn forget_visitor(&mut self, stop: &Stop) -> Walk<bool> {
        let refused = stop.faults.first().is_some_and(|f| ["chat-visitor-refused", "chat-visitor-lost"].contains(f));
        if !refused || !stop.no_effect || self.memory().sealed.take().is_none() {
            return Ok(false);
        }
        self.note("the desk does not know the kept visitor any more; a new one was made");
        self.parts.store.keep(&self.kept_name(), None).await?;
        Ok(true)
    }

    // ------------------------------------------------------------------------------- the conversation

    /// Takes in what was pushed, which costs nothing, and looks at the stored conversation when that is due.
    pub(super) async fn follow_chat(&mut self) -> Walk<Option<Timestamp>> {
        let Some(until) = self.listens_until() else { return Ok(None) };
        let Some(order) = self.chat_order() else { return Ok(None) };
        self.parts.chats.listen(&order, until);
        let heard = self.parts.chats.heard(&self.run.id).is_some_and(|view| self.take_view(view));
        // What was pushed must be stored as well: look soon after it.
        if !heard && !self.poll_due(LOOKS) {
            return Ok(Some(self.poll_next(LOOKS)));
        }
        // What keeps it from being looked at is judged at the end of a stage's limit.
        let _ = self.look_at_chat(&order).await;
        Ok(Some(self.poll_next(LOOKS)))
    }

    /// Until when something is expected in the chat window.
    fn listens_until(&self) -> Option<Timestamp> {
        let waits = [Stage::Queue, Stage::Acknowledge, Stage::Return, Stage::FollowUp];
        let open = waits.into_iter().filter(|s| self.is_open(*s)).map(|s| self.grace(s)).max();
        open.filter(|_| self.has_window() && self.act(ActKind::Leave, "").is_none())
    }

    /// The visitor can be opened again. The window of a conversation whose beginning was never answered is lost.
    pub(super) fn has_window(&self) -> bool {
        let known = self.run.chat.as_ref().is_some_and(|c| c.conversation.is_some());
        self.in_conversation() && (known || self.act(ActKind::Send, "") == Some(&ActState::Done))
    }

    /// Reads the stored conversation now.
    pub(super) async fn look_at_chat(&mut self, order: &ChatOrder) -> Result<(), Stop> {
        let stage = [Stage::Return, Stage::FollowUp, Stage::Acknowledge].into_iter().find(|s| self.is_open(*s)).unwrap_or(Stage::Queue);
        match self.parts.chats.look(order).await {
            Ok(view) => {
                let pushes = matches!(view.push, Push::Open(_));
                let fresh = self.take_view(view);
                self.saw_lines(stage);
                // New lines are pushed and wake the run; further looks are only for what was not.
                let patience = (self.run.probe.limit(stage) / 12).min(Duration::from_secs(30));
                self.poll_again(LOOKS, stage, true, (pushes && !fresh).then_some(patience));
                Ok(())
            }
            Err(stop) => {
                self.saw_stop(stage, CONVERSATION, &stop);
                self.poll_again(LOOKS, stage, false, stop.retry_after);
                Err(stop)
            }
        }
    }

    /// Records what a look at the conversation gave: what it was made for, or nothing.
    fn saw_lines(&mut self, stage: Stage) {
        let answer = self.token(Stage::Reply).map_or_else(|| "agent's answer".to_owned(), |t| t.0);
        let (looked_for, found) = match stage {
            Stage::Return => (answer, self.answer_line().cloned()),
            Stage::Acknowledge => ("greeting".to_owned(), self.greetings().first().map(|l| (*l).clone())),
            _ => ("lines".to_owned(), self.lines().last().cloned()),
        };
        let (result, class) = if found.is_some() { (Looked::Found, ResultClass::Ok) } else { (Looked::Empty, ResultClass::Empty) };
        let mut seen = Observation::new(self.now(), Some(stage), Source::Chat, CONVERSATION, looked_for, result).class(class);
        if let Some(line) = found {
            let times = [("said", line.at), ("pushed", line.pushed), ("stored", line.stored)];
            for (name, at) in times.into_iter().filter_map(|(name, at)| Some((name, at?))) {
                seen = seen.fact(name, at.to_string());
            }
            seen = seen.raw(line.text);
        }
        self.observe(seen);
    }

    /// Merges what the visitor has with what the run remembers. True when there is anything new.
    pub(super) fn take_view(&mut self, view: ChatView) -> bool {
        let ChatView { lines, push, agents, ended, seen: _ } = view;
        self.pushes = Some((push, agents));
        let since = self.run.started - jiff::SignedDuration::from_mins(10);
        let own = self.tokens();
        let memory = self.run.chat.get_or_insert_with(ChatMemory::default);
        let mut fresh = false;
        for line in lines {
            // A kept visitor's conversation may hold what was said in earlier runs.
            if line.at.is_some_and(|at| at < since) && !own.iter().any(|t| t.is_in(&line.text)) {
                continue;
            }
            match memory.lines.iter().position(|known| is_same(known, &line)) {
                Some(place) => fresh |= renew(&mut memory.lines[place], line),
                None if memory.lines.len() < MOST_LINES => {
                    memory.lines.push(line);
                    fresh = true;
                }
                None => {}
            }
        }
        if ended {
            self.note("the desk ended the conversation");
        }
        fresh
    }
}

/// The same line, by the desk's id, or where one of them has none by what was said by whom.
fn is_same(a: &ChatLine, b: &ChatLine) -> bool {
    match (&a.id, &b.id) {
        (Some(a), Some(b)) => a == b,
        _ => a.text == b.text && (a.speaker == b.speaker || a.speaker.is_none() || b.speaker.is_none()),
    }
}

/// Adds to a line what is known of it now. True when it is more than before.
fn renew(known: &mut ChatLine, now: ChatLine) -> bool {
    let before = (known.pushed.is_some(), known.stored.is_some(), known.shown.is_some(), known.files.len());
    known.id = now.id.or(known.id.take());
    known.speaker = now.speaker.or(known.speaker);
    known.at = known.at.or(now.at);
    known.pushed = known.pushed.or(now.pushed);
    known.stored = known.stored.or(now.stored);
    known.shown = known.shown.or(now.shown);
    if now.files.len() >= known.files.len() {
        known.files = now.files;
    }
    before != (known.pushed.is_some(), known.stored.is_some(), known.shown.is_some(), known.files.len())
}
