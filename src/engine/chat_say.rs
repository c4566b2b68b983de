//! What the visitor does in a conversation that has begun: asks for a person, opens the window again, says the next line,
//! leaves.

use super::journey::{Journey, Walk};
use super::ways::{Begun, Saying};
use crate::model::{ActKind, ActState, AnswerBy, Looked, Outcome, Party, ResultClass, Stage};
use jiff::Timestamp;

const WINDOW: &str = "chat window opened again";
const LINE: &str = "visitor's line";

impl Journey<'_> {
    /// Says the customer's answer, after a reload of the window where the probe asks for one.
    pub(super) async fn say_follow_up(&mut self) -> Walk<Option<Timestamp>> {
        let reloads = self.chat().is_some_and(|c| c.reload);
        if reloads
            && !self.memory().reloaded
            && let Some(next) = self.reload_window().await?
        {
            return Ok(Some(next));
        }
        if let Some(wait) = self.take_budgets(Stage::FollowUp).await? {
            return Ok(Some(wait));
        }
        if self.outcome(Stage::FollowUp).is_some() {
            return Ok(None);
        }
        let token = self.new_message(Stage::FollowUp, Party::Customer, None, String::new());
        let saying = Saying { text: self.fill(&self.run.probe.follow_up.text, &token), token, attachments: Vec::new() };
        let Some(order) = self.chat_order() else { return Ok(None) };
        self.begin_act(ActKind::FollowUp, "").await?;
        match self.parts.chats.say(&order, &saying).await {
            Ok(()) => {
                self.check(Stage::FollowUp, "said", Outcome::Pass, "the next line is taken", "taken");
                self.finish_act(ActKind::FollowUp, "", ActState::Done).await?;
            }
            Err(stop) => {
                self.saw_stop(Stage::FollowUp, LINE, &stop);
                let state = if stop.no_effect { ActState::Failed(stop.found.clone()) } else { ActState::Uncertain };
                let again = self.try_again("follow_up", Stage::FollowUp, &stop);
                if again.is_none() && (stop.no_effect || stop.outcome == Outcome::Fail) {
                    let stop = self.weigh(stop).await;
                    self.stopped(Stage::FollowUp, "said", "the next line is taken", &stop);
                }
                self.finish_act(ActKind::FollowUp, "", state).await?;
                if again.is_some() {
                    return Ok(again);
                }
            }
        }
        Ok(Some(self.now()))
    }

    /// Opens the window again as the same visitor. Some: come back then, or it is decided.
    async fn reload_window(&mut self) -> Walk<Option<Timestamp>> {
        let Some(order) = self.chat_order() else { return Ok(None) };
        let begun = match self.parts.chats.reload(&order).await {
            Ok(begun) => begun,
            Err(stop) => {
                self.saw_stop(Stage::FollowUp, WINDOW, &stop);
                if let Some(next) = self.try_again("follow_up", Stage::FollowUp, &stop) {
                    return Ok(Some(next));
                }
                let stop = self.weigh(stop).await;
                self.stopped(Stage::FollowUp, "reload", "the window can be opened again", &stop);
                return Ok(Some(self.now()));
            }
        };
        self.saw(Stage::FollowUp, WINDOW, Looked::Found, ResultClass::Ok, &begun.seen);
        let Begun { conversation, sealed, in_second_window, .. } = begun;
        let memory = self.memory();
        memory.reloaded = true;
        memory.sealed = sealed.or(memory.sealed.take());
        let before = memory.conversation.clone();
        let expected = before.as_ref().map_or_else(|| "the same conversation".to_owned(), |id| format!("conversation {id}"));
        if before == conversation {
            self.check(Stage::FollowUp, "reload", Outcome::Pass, expected, conversation.unwrap_or_else(|| "the same".to_owned()));
            return Ok(None);
        }
        let found = conversation.map_or_else(|| "none".to_owned(), |id| format!("conversation {id}"));
        self.check(
            Stage::FollowUp,
            "reload",
            Outcome::Fail,
            expected,
            if in_second_window { format!("{found} in a second window") } else { found },
        );
        self.fail(Stage::FollowUp, &["chat-history-lost-on-return"]);
        Ok(Some(self.now()))
    }

    /// Ends the visitor's side, once. What cannot be ended is closed at the desk.
    pub(super) async fn leave_chat(&mut self) -> Walk<()> {
        if !self.has_window() || self.act(ActKind::Leave, "").is_some() {
            return Ok(());
        }
        let Some(order) = self.chat_order() else { return Ok(()) };
        self.begin_act(ActKind::Leave, "").await?;
        let state = match self.parts.chats.leave(&order).await {
            Ok(()) => ActState::Done,
            Err(stop) => {
                self.note(format!("the visitor could not leave the chat: {stop}"));
                if stop.no_effect { ActState::Failed(stop.found) } else { ActState::Uncertain }
            }
        };
        self.finish_act(ActKind::Leave, "", state).await
    }

    /// True while the agent's answer has to wait for something in the conversation.
    pub(super) fn answer_waits(&self) -> bool {
        let Some(chat) = self.chat().filter(|_| self.in_conversation()) else { return false };
        // The bot must have handed over by itself, and the greeting is seen only while the visitor is there. A bot that was still
        // there at the last look is judged first: an agent's answer would take the conversation from it.
        let with_bot = self.run.chat.as_ref().is_some_and(|c| c.with_bot);
        let asks = chat.hand_over.is_some() && self.is_open(Stage::Queue) && (with_bot || self.now() < self.deadline(Stage::Queue));
        asks || (chat.answer == AnswerBy::Email && self.is_open(Stage::Acknowledge))
    }

    /// An answer by mail comes once the visitor has gone.
    pub(super) async fn leave_before_answer(&mut self) -> Walk<()> {
        if self.chat().is_some_and(|c| c.answer == AnswerBy::Email) { self.leave_chat().await } else { Ok(()) }
    }
}
