//! What differs between mail, form and chat, asked by the stages: where an answer comes, whose a ticket is, and which
//! causes a silence can have.

use super::journey::Journey;
use crate::check;
use crate::model::{
    ActKind, ActState, AnswerBy, Attachment, Author, Channel, ChatChannel, FormBy, Outcome, Stage, Ticket, TicketMessage, View,
};

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

    /// What proves `accept` and was never seen, since the act's answer is not known: forms and chats tell at once or never,
    /// where mail is taken over in silence.
    pub(super) fn unseen_acceptance(&self) -> Option<(&'static str, &'static str)> {
        if !matches!(self.act(ActKind::Send, ""), Some(ActState::Uncertain | ActState::FoundDone)) {
            return None;
        }
        match self.run.probe.channel {
            Channel::Email(_) => None,
            Channel::Form(_) => Some(("thank-you", "the form takes the request and says thank you")),
            Channel::Chat(_) => Some(("conversation", "a conversation begins")),
        }
    }

    // ------------------------------------------------------------------------------- the ticket

    /// The requester that the ticket should have is there, under one of the names that the desk may give him.
    pub(super) fn is_requester(&self, ticket: &Ticket, have: &str) -> bool {
        match &self.run.probe.expect.requester {
            Some(want) => check::same_address(have, want),
            None if self.chat().is_some() => self.run.asked_for(ticket),
            None => check::same_address(have, &self.run.address),
        }
    }

    /// The fault of a ticket that belongs to somebody else.
    pub(super) fn requester_fault(&self, have: &str) -> &'static str {
        if self.is_forms_own(have) { "form-replyto-ignored" } else { "requester-wrong" }
    }

    /// An address from which the form itself writes: nobody reads it, or it is of the site on which the form stands.
    pub(super) fn is_forms_own(&self, address: &str) -> bool {
        let Channel::Form(form) = &self.run.probe.channel else { return false };
        if check::is_noreply(address) || self.run.senders.contains(&address.to_ascii_lowercase()) {
            return true;
        }
        let domain = address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        let page = form.page.as_deref().filter(|_| !matches!(form.by, FormBy::Recipe(_)));
        let host = page.and_then(|p| p.split("://").nth(1)).and_then(|p| p.split(['/', ':', '?']).next()).unwrap_or_default();
        let host = host.to_ascii_lowercase();
        !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")) || domain.ends_with(&format!(".{host}")))
    }

    /// The files of the customer's request as the desk has them: some desks keep each file of a chat as a message of its own.
    pub(super) fn files_of_request(&self, first: &TicketMessage, messages: &[TicketMessage]) -> Vec<Attachment> {
        if self.chat().is_none() {
            return first.files.clone();
        }
        let customers = messages.iter().filter(|m| !matches!(m.author, Some(Author::Agent | Author::System)));
        customers.flat_map(|m| m.files.clone()).collect()
    }

    /// The fault of a file of the customer that agents do not have.
    pub(super) fn file_fault(&self) -> &'static str {
        if self.chat().is_some() { "chat-attachment-not-transferred" } else { "attachment-dropped-in" }
    }

    // ------------------------------------------------------------------------------- the desk's mail

    /// Remembers an address from which the desk writes, where its mail may name nothing else of ours.
    pub(super) fn knows_sender(&mut self, from: &str) {
        let from = from.trim().to_ascii_lowercase();
        let by_form = !matches!(self.run.probe.channel, Channel::Email(_));
        if by_form && !from.is_empty() && !check::same_address(&from, &self.run.address) && !self.run.senders.contains(&from) {
            self.run.senders.push(from);
        }
    }

    /// Remembers the ids that the desk gives for what it wrote in a ticket of this run.
    pub(super) fn knows_ids(&mut self, ticket: &Ticket, messages: &[TicketMessage]) {
        if matches!(self.run.probe.channel, Channel::Email(_)) || !self.run.asked_for(ticket) {
            return;
        }
        let of_desk = messages.iter().filter(|m| matches!(m.author, Some(Author::Agent | Author::System)));
        for id in of_desk.filter_map(|m| m.message_id.clone()).take(100) {
            if !self.run.desk_ids.contains(&id) {
                self.run.desk_ids.push(id);
            }
        }
    }

    /// An acknowledgement that names neither our token nor an id is recognised by its sender, and that is not known.
    pub(super) fn sender_is_unknown(&self) -> bool {
        !matches!(self.run.probe.channel, Channel::Email(_)) && !self.by_chat(Stage::Acknowledge) && self.run.senders.is_empty()
    }

    /// The answer will tell from where the desk writes, or a search by what it told is under way.
    pub(super) fn sender_may_yet_be_known(&self) -> bool {
        let answer_comes = self.takes(Stage::Return)
            && self.outcome(Stage::Return).is_none()
            && self.run.probe.reply.after == crate::model::AfterStage::Land
            && !self.answer_waits();
        let by_mail = !matches!(self.run.probe.channel, Channel::Email(_)) && !self.by_chat(Stage::Acknowledge);
        self.sender_is_unknown() && answer_comes || by_mail && self.looks_back()
    }

    /// No acknowledgement was recognised, and one without any mark of ours would not have been.
    pub(super) fn acknowledgement_unrecognised(&mut self) {
        let stage = Stage::Acknowledge;
        self.check(
            stage,
            "acknowledgement",
            Outcome::Unknown,
            "an automatic reply",
            "none that carries our token; from where the desk writes is not known yet, so one without it cannot be told from other mail; set `from` under `[expect]`",
        );
        self.unknown(stage, "cannot-tell");
    }

    // ------------------------------------------------------------------------------- causes

    /// Causes of a request that is nowhere at the desk although an automatic answer to it came.
    pub(super) fn causes_though_acknowledged(&self) -> Vec<&'static str> {
        match self.run.probe.channel {
            Channel::Email(_) => vec!["fetched-not-ticketed", "mon-index-lag"],
            Channel::Form(_) | Channel::Chat(_) => vec!["request-lost", "mon-index-lag"],
        }
    }

    /// Causes of a request that a form or chat took and that is nowhere at the desk, beside those of the whole desk; at most
    /// two. None: it came by mail.
    pub(super) fn silence_of_way_in(&self) -> Option<Vec<&'static str>> {
        let looks_at_spam = self.desk().is_some_and(|d| d.views().iter().any(|v| matches!(v, View::Spam | View::Suspended)));
        match self.run.probe.channel {
            Channel::Email(_) => None,
            Channel::Form(_) if looks_at_spam => Some(vec!["honeypot-false-success"]),
            Channel::Form(_) => Some(vec!["honeypot-false-success", "desk-spam-view"]),
            Channel::Chat(_) if self.in_conversation() => Some(vec!["request-lost"]),
            Channel::Chat(_) => Some(vec!["chat-offline-note-nowhere"]),
        }
    }

    /// Causes of a request that is nowhere at the desk; what other runs and controls saw narrows them.
    pub(super) fn causes_of_silence(&self) -> Vec<&'static str> {
        match self.silence_of_way_in() {
            Some(named) => [named, vec!["desk-worker-down"]].concat(),
            None => vec!["poller-hung", "desk-worker-down", "fetched-not-ticketed", "forwarder-lost", "intake-oauth-expired"],
        }
    }

    /// Causes of an acknowledgement that is in no folder; narrowed alike.
    pub(super) fn causes_without_acknowledgement(&self) -> Vec<&'static str> {
        match &self.run.probe.channel {
            Channel::Email(_) => vec!["ack-condition-broken", "ack-not-for-forwarded", "ack-suppressed-for-class"],
            Channel::Chat(_) if self.by_chat(Stage::Acknowledge) => vec!["ack-condition-broken"],
            Channel::Chat(_) | Channel::Form(_) => vec!["form-confirmation-missing", "ack-condition-broken"],
        }
    }

    /// Causes of a second ticket for the customer's answer.
    pub(super) fn causes_of_second_ticket(&self) -> Option<&'static [&'static str]> {
        self.by_chat(Stage::FollowUp).then_some(&["chat-history-lost-on-return"])
    }

    /// Causes of a customer's answer that is in no ticket.
    pub(super) fn causes_of_lost_follow_up(&self, after_close: bool) -> Vec<&'static str> {
        if self.by_chat(Stage::FollowUp) {
            return vec!["request-lost", "desk-worker-down"];
        }
        let first = if after_close { "closed-refuses" } else { "answer-quoted-out" };
        vec![first, "poller-hung", "fetched-not-ticketed"]
    }
}
