//! What differs between mail, form and chat, asked by the stages: where an answer comes, and whose a ticket is.

use super::journey::Journey;
use crate::model::{AnswerBy, Channel, ChatChannel, Stage};

impl Journey<'_> {
    /// The chat of the probe, if it is one.
    pub(super) fn chat(&self) -> Option<&ChatChannel> {
        match &self.run.probe.channel {
            Channel::Chat(chat) => Some(chat),
            Channel::Email(_) | Channel::Form(_) => None,
        }
    }

    /// True while the run has a conversation: a message left instead is answered by mail.
    pub(super) fn in_conversation(&self) -> bool {
        self.chat().is_some() && self.run.chat.as_ref().is_some_and(|c| !c.offline)
    }

    /// True when what a stage waits for comes into the chat window.
    pub(super) fn by_chat(&self, stage: Stage) -> bool {
        let answer = self.chat().map(|c| c.answer);
        match stage {
            Stage::Acknowledge => self.in_conversation(),
            Stage::Return | Stage::FollowUp => self.in_conversation() && answer == Some(AnswerBy::Chat),
            _ => false,
        }
    }

    /// True when the journey cannot be judged without the customer's mailbox.
    pub(super) fn needs_mailbox(&self) -> bool {
        self.chat().is_none_or(|c| c.answer == AnswerBy::Email)
    }
}
