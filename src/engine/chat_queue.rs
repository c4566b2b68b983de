//! A conversation in the right place: people see it among their open ones, and are told of it when it begins.

use super::chat_judge::is_pushed;
use super::journey::{Journey, Walk};
use super::ways::{Push, Saying};
use crate::clock::after;
use crate::model::{ActKind, ActState, Message, Outcome, Party, Speaker, Stage, Ticket, TicketStatus};
use jiff::Timestamp;

impl Journey<'_> {
    /// True while the place of a conversation cannot be judged yet, or when it is decided here: a bot has it, or agents
    /// were not told of it.
    pub(super) async fn waits_for_person(&mut self, ticket: &Ticket, final_look: bool) -> Walk<bool> {
        if !self.in_conversation() {
            return Ok(false);
        }
        self.memory().with_bot = ticket.status == Some(TicketStatus::Bot);
        if self.memory().with_bot {
            self.held_by_bot(final_look).await?;
            return Ok(true);
        }
        Ok(self.not_shown(final_look))
    }

    async fn held_by_bot(&mut self, final_look: bool) -> Walk<()> {
        const CHECK: &str = "a person";
        let Some(phrase) = self.chat_order().and_then(|o| o.chat.hand_over) else {
            if final_look {
                let found = "a bot has it; set `hand_over` in `[chat]` to the words that reach a person";
                self.check(Stage::Queue, CHECK, Outcome::Unknown, "people see it among their open ones", found);
                self.unknown(Stage::Queue, "cannot-tell");
            }
            return Ok(());
        };
        let turns = self.memory().turns;
        if self.has_window() && self.shall_ask() && (turns == 0 || !final_look) {
            self.ask_for_person(&phrase).await?;
        } else if final_look && self.patience_is_over() {
            let asked = self.run.acts.iter().filter(|a| a.kind == ActKind::HandOver && a.state == ActState::Done).count();
            let found = format!("a bot still has it; a person was asked for {asked} times");
            if asked > 0 {
                self.check(Stage::Queue, CHECK, Outcome::Fail, "people see it once a person was asked for", found);
                self.fail(Stage::Queue, &["bot-never-hands-over"]);
            } else {
                self.check(Stage::Queue, CHECK, Outcome::Unknown, "people see it once a person was asked for", found);
                self.unknown(Stage::Queue, "act-uncertain");
            }
        }
        Ok(())
    }

    /// A person is asked for at once, and again when the bot has answered, or has been silent for its share of the limit.
    fn shall_ask(&self) -> bool {
        let (turns, most) = (self.run.chat.as_ref().map_or(0, |c| c.turns), self.chat().map_or(0, |c| c.bot_turns));
        if turns >= most {
            return false;
        }
        let spoke = self.lines().iter().rposition(|l| l.speaker == Some(Speaker::Bot));
        let own = self.lines().iter().rposition(|l| l.speaker == Some(Speaker::Visitor));
        turns == 0 || spoke > own || self.patience_is_over()
    }

    /// The last request for a person had its share of the limit.
    fn patience_is_over(&self) -> bool {
        let asked = self.run.acts.iter().filter(|a| a.kind == ActKind::HandOver).map(|a| a.intent).max();
        let share = self.run.probe.limit(Stage::Queue) / (self.chat().map_or(0, |c| c.bot_turns) + 1);
        asked.is_none_or(|at| self.now() >= after(at, share))
    }

    async fn ask_for_person(&mut self, phrase: &str) -> Walk<()> {
        let Some(order) = self.chat_order() else { return Ok(()) };
        let turn = self.memory().turns + 1;
        let target = turn.to_string();
        let token = self.parts.tokens.token(self.run.id.as_str(), &format!("hand_over {turn}"));
        if !self.run.messages.iter().any(|m| m.token == token) {
            let message = Message {
                stage: Stage::Acknowledge,
                turn,
                party: Party::Customer,
                token: token.clone(),
                message_id: None,
                subject: String::new(),
            };
            self.run.messages.push(message);
        }
        self.memory().turns = turn;
        self.begin_act(ActKind::HandOver, &target).await?;
        let saying = Saying { text: phrase.to_owned(), token, attachments: Vec::new() };
        let state = match self.parts.chats.say(&order, &saying).await {
            Ok(()) => ActState::Done,
            Err(stop) => {
                self.saw_stop(Stage::Queue, "asking for a person", &stop);
                if stop.no_effect { ActState::Failed(stop.found) } else { ActState::Uncertain }
            }
        };
        self.finish_act(ActKind::HandOver, &target, state).await
    }

    /// Agents whose screens are listened to must be told of the conversation.
    fn not_shown(&mut self, final_look: bool) -> bool {
        const CHECK: &str = "shown to agents";
        const EXPECTED: &str = "agents are told of the conversation when it begins";
        let Some(Push::Open(since)) = self.pushes.as_ref().map(|p| p.1.clone()) else { return false };
        let Some(token) = self.token(Stage::Send) else { return false };
        let first = self.lines().iter().find(|l| token.is_in(&l.text) && l.speaker != Some(Speaker::Agent)).cloned();
        let Some(first) = first else { return !final_look };
        if let Some(at) = first.shown {
            let seen = format!("told {:.0}", Timestamp::max(at, since));
            self.check(Stage::Queue, CHECK, Outcome::Pass, EXPECTED, seen);
            return false;
        }
        let said = super::ports::act(&self.run, ActKind::Send, "").map(|a| a.intent);
        if said.or(first.at).is_none_or(|at| at < since) {
            self.note("agents' screens were not listened to when the conversation began, so whether they were told of it is not known");
            return false;
        }
        if !final_look {
            return true;
        }
        self.shown_to_nobody(CHECK, EXPECTED)
    }

    /// Nobody was told: only agents, or nobody on either side, which the answer's way back will show.
    fn shown_to_nobody(&mut self, check: &str, expected: &str) -> bool {
        let told_visitor = self.lines().iter().any(is_pushed);
        let awaited = self.by_chat(Stage::Return) && self.takes(Stage::Return);
        let found = "no event came to the agents' side";
        if told_visitor {
            self.check(Stage::Queue, check, Outcome::Fail, expected, found);
            self.fail(Stage::Queue, &["chat-waiting-not-shown"]);
        } else if awaited && self.outcome(Stage::Return).is_none() {
            // Still open: the answer's way tells which of the two it is.
        } else if awaited && self.outcome(Stage::Return) == Some(Outcome::Fail) {
            self.check(Stage::Queue, check, Outcome::Unknown, expected, format!("{found}, nor to the visitor: that stands at `return`"));
            self.unknown(Stage::Queue, "chat-connected-no-fanout");
        } else {
            self.check(Stage::Queue, check, Outcome::Fail, expected, found);
            self.fail(Stage::Queue, &["chat-waiting-not-shown", "chat-connected-no-fanout"]);
        }
        true
    }
}
