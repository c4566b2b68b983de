//! Privacy canaries: texts with tokens of their own that must not reach a customer or a stranger.
//!
//! An internal note must be in no mail and in no chat line; a second customer writes into the conversation and an account
//! stands in Cc, and their mailboxes are watched like ours. What reaches the wrong eyes is said at once.

use super::journey::{Journey, Walk};
use super::ports::{Acted, BudgetAnswer, Desk, Submitted};
use crate::clock::after;
use crate::mail::compose;
use crate::model::{
    ActKind, ActState, Author, Capability, Channel, Delivery, Looked, MailKey, MailRole, Message, Observation, Outcome, OutgoingMail,
    Party, Phase, Position, QuoteStyle, ResultClass, Source, Stage, Token, View,
};
use jiff::Timestamp;
use std::time::Duration;

/// The turn of the note and of the second customer's mail among the messages of `reply`.
const NOTE_TURN: u32 = 1;
const SECOND_TURN: u32 = 2;
/// So often is it tried to write the note.
const NOTE_TRIES: u32 = 6;
/// How long the answer waits for the second customer's mail to be at the desk.
const JOIN: Duration = Duration::from_secs(60);

const NOTE: &str = "canary note";
const SECOND: &str = "canary second";
const STRANGER: &str = "canary stranger";
const POSITION: &str = "position of the mailbox";
const SECRET: &str = "an internal note stays with the agents";
const NOTE_TEXT: &str = "Checked with the warehouse.\n\nInternal reference: ${token}";
const SECOND_TEXT: &str = "Hello,\n\nI am waiting for this as well.\n\nReference: ${token}";

impl Journey<'_> {
    /// The address of a canary's account.
    pub(super) fn canary_address(&self, account: Option<&String>) -> Option<String> {
        account.and_then(|key| self.parts.directory.account(key)).map(|a| a.address)
    }

    fn canary_accounts(&self) -> Vec<String> {
        let canaries = &self.run.probe.canaries;
        canaries.second.iter().chain(&canaries.cc).filter(|a| **a != self.run.probe.account).cloned().collect()
    }

    fn canary_token(&self, turn: u32) -> Option<Token> {
        self.run.messages.iter().find(|m| m.stage == Stage::Reply && m.turn == turn).map(|m| m.token.clone())
    }

    // --------------------------------------------------------------------------------- mailboxes

    /// Notes where the mailboxes of the others stand before anything is sent, so that only newer mail counts.
    pub(super) async fn take_canary_positions(&mut self) {
        for account in self.canary_accounts() {
            if self.canary_position(&account).is_some() {
                continue;
            }
            match self.parts.mailboxes.position(&account).await {
                Ok(position) => {
                    let seen = Observation::new(self.now(), Some(Stage::Reply), Source::Mailbox, place(&account), POSITION, Looked::Found)
                        .class(ResultClass::Ok)
                        .fact("position", serde_json::to_value(position).unwrap_or_default());
                    self.observe(seen);
                }
                Err(trouble) => self.note(format!("the mailbox of account {account} could not be opened: {}", trouble.message)),
            }
        }
    }

    fn canary_position(&self, account: &str) -> Option<Position> {
        let place = place(account);
        let seen = self.run.observations.iter().find(|o| o.looked_for == POSITION && o.place == place)?;
        seen.facts.get("position").and_then(|p| serde_json::from_value(p.clone()).ok())
    }

    /// Keeps the mailboxes of the others watched while the run is under way; asked again at each step, also after a restart.
    pub(super) fn watch_canaries(&self) {
        for account in self.canary_accounts() {
            if let Some(position) = self.canary_position(&account) {
                let until = after(self.now(), Duration::from_secs(600));
                self.parts.mailboxes.watch(&account, position, until, self.run.phase == Phase::Active);
            }
        }
    }

    /// A mail of this run in the mailbox of another account. Of its text nothing is kept.
    pub(super) fn canary_elsewhere(&mut self, delivery: &Delivery) {
        if !self.canary_accounts().contains(&delivery.account) {
            return;
        }
        let mail = &delivery.mail;
        let own = self.tokens().into_iter().any(|t| mail.tokens.contains(&t));
        let seen = Observation::new(delivery.seen, Some(Stage::Reply), Source::Mailbox, place(&delivery.account), "canary", Looked::Found)
            .class(ResultClass::Ok)
            .fact("key", serde_json::to_value(&mail.key).unwrap_or_default())
            .fact("ours", own)
            .fact("sha256", mail.sha256.clone());
        self.observe(seen);
        if self.canary_token(NOTE_TURN).is_some_and(|note| mail.tokens.contains(&note)) {
            self.leaked(&format!("in a mail to account {}", delivery.account));
        }
    }

    /// Removes from the mailboxes of the others what carries a token of this run.
    pub(super) async fn remove_canary_mails(&mut self) {
        for account in self.canary_accounts() {
            let place = place(&account);
            let of_account = |o: &&Observation| o.looked_for == "canary" && o.place == place && o.facts.get("ours") == Some(&true.into());
            let seen = self.run.observations.iter().filter(of_account);
            let keys: Vec<MailKey> = seen.filter_map(|o| o.facts.get("key").and_then(|k| serde_json::from_value(k.clone()).ok())).collect();
            if keys.is_empty() {
                continue;
            }
            if let Err(trouble) = self.parts.mailboxes.remove(&account, &keys).await {
                self.note(format!("{} mails were left in the mailbox of account {account}: {}", keys.len(), trouble.message));
            }
        }
    }

    // --------------------------------------------------------------------------------- stranger

    /// After the conversation somebody who was never there opens the window: he must see none of its lines. A look only,
    /// taken once.
    pub(super) async fn stranger_looks(&mut self) {
        let over = [Stage::Return, Stage::FollowUp].into_iter().all(|s| !self.takes(s) || self.outcome(s).is_some());
        let ended = over && self.run.chat.as_ref().is_some_and(|c| c.conversation.is_some() && !c.offline);
        if !self.run.probe.canaries.fresh_visitor || !ended || self.run.polls.contains_key(STRANGER) {
            return;
        }
        let Some(order) = self.chat_order() else { return };
        self.poll_after(STRANGER, true, Duration::ZERO);
        let lines = match self.parts.chats.as_stranger(&order).await {
            Ok(Some(lines)) => lines,
            Ok(None) => return self.note("this chat cannot be opened as a stranger"),
            Err(stop) => return self.note(format!("the window could not be opened as a stranger: {}", stop.found)),
        };
        let tokens = self.tokens();
        let seen = lines.iter().filter(|l| tokens.iter().any(|t| t.is_in(&l.text))).count();
        let looked = if seen > 0 { Looked::Found } else { Looked::Empty };
        self.observe(
            Observation::new(self.now(), Some(Stage::Return), Source::Chat, "a stranger's window", "lines of this run", looked)
                .class(if seen > 0 { ResultClass::Ok } else { ResultClass::Empty })
                .fact("lines", seen),
        );
        let wanted = "a stranger sees none of the conversation";
        if seen > 0 {
            self.check(Stage::Return, "stranger", Outcome::Fail, wanted, format!("{seen} of its lines"));
            self.fail_first(Stage::Return, "chat-shown-to-stranger");
        } else {
            self.check(Stage::Return, "stranger", Outcome::Pass, wanted, "none");
        }
    }

    // ------------------------------------------------------------------------------------ leaks

    /// Looks for the note's token wherever the customer reads. A late find turns the verdict.
    pub(super) fn judge_canaries(&mut self) {
        let Some(note) = self.canary_token(NOTE_TURN) else { return };
        let mail = self.run.mails.iter().find(|m| m.role != MailRole::Own && m.mail.tokens.contains(&note));
        if let Some(found) = mail.map(|m| format!("in a mail to the customer, in {}", m.mail.key.folder)) {
            self.leaked(&found);
        }
        let line = self.run.chat.as_ref().is_some_and(|c| c.lines.iter().any(|l| note.is_in(&l.text)));
        let heard = || self.parts.chats.heard(&self.run.id).is_some_and(|v| v.lines.iter().any(|l| note.is_in(&l.text)));
        if line || self.run.chat.is_some() && heard() {
            self.leaked("in a line of the visitor's chat");
        }
    }

    fn leaked(&mut self, found: &str) {
        self.check(Stage::Reply, "note", Outcome::Fail, SECRET, found);
        self.fail_first(Stage::Reply, "note-leaks");
        if self.run.phase == Phase::Finished && self.run.diagnosis.as_ref().is_some_and(|d| !d.candidates.iter().any(|c| c == "note-leaks"))
        {
            self.run.diagnosis = Some(crate::diagnosis::diagnose(&self.run));
            self.note("the verdict was changed by an internal note that a customer got after it");
        }
    }

    // ------------------------------------------------------------------------------------- acts

    /// Writes the note and the second customer's mail, each once. Gives the time of the next try.
    pub(super) async fn canaries(&mut self) -> Walk<Option<Timestamp>> {
        self.watch_canaries();
        let landed = self.outcome(Stage::Land) == Some(Outcome::Pass) || self.landed_with_duplicates();
        let Some(desk) = self.desk().filter(|_| landed && self.takes(Stage::Reply) && self.outcome(Stage::Reply).is_none()) else {
            return Ok(None);
        };
        let note = self.leave_note(&*desk).await?;
        let second = self.second_writes(&*desk).await?;
        Ok(note.into_iter().chain(second).min())
    }

    /// True while the answer waits for a canary: what must not leak has to be there before it.
    pub(super) fn canary_waits(&self) -> bool {
        self.note_waits() || self.second_waits()
    }

    fn note_waits(&self) -> bool {
        self.run.probe.canaries.note && self.act(ActKind::Note, "").is_none() && self.poll_count(NOTE) < NOTE_TRIES
    }

    async fn leave_note(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        if !self.note_waits() {
            return Ok(None);
        }
        if !self.poll_due(NOTE) {
            return Ok(Some(self.poll_next(NOTE)));
        }
        let Some(reference) = self.run.ticket.clone() else { return Ok(None) };
        if !desk.capabilities().contains(&Capability::Note) {
            return self.no_note("the desk's definition has no [note]".to_owned());
        }
        let ticket = match self.guarded_ticket(desk, &reference).await {
            Ok(ticket) => ticket,
            Err(unread) => {
                self.poll_after(NOTE, false, Duration::from_secs(5));
                if self.poll_count(NOTE) >= NOTE_TRIES {
                    self.note(format!("no internal note was written: {}", unread.why));
                }
                return Ok(Some(self.poll_next(NOTE)));
            }
        };
        let token = self.canary_message(NOTE_TURN, "note", Party::Agent, None, String::new());
        let text = self.fill(NOTE_TEXT, &token);
        self.begin_act(ActKind::Note, "").await?;
        let state = match desk.note(&ticket, &text).await {
            Ok(()) => ActState::Done,
            Err(acted) => {
                self.note(format!("the internal note was not taken: {}", acted.trouble().message));
                if matches!(acted, Acted::Uncertain(_)) { ActState::Uncertain } else { ActState::Failed(acted.to_string()) }
            }
        };
        self.finish_act(ActKind::Note, "", state).await?;
        Ok(Some(self.now()))
    }

    fn no_note(&mut self, why: String) -> Walk<Option<Timestamp>> {
        while self.poll_count(NOTE) < NOTE_TRIES {
            self.poll_after(NOTE, false, Duration::ZERO);
        }
        self.note(format!("no internal note was written: {why}"));
        Ok(Some(self.now()))
    }

    fn canary_message(&mut self, turn: u32, word: &str, party: Party, message_id: Option<String>, subject: String) -> Token {
        let token = self.parts.tokens.token(self.run.id.as_str(), word);
        if self.canary_token(turn).is_none() {
            self.run.messages.push(Message { stage: Stage::Reply, turn, party, token: token.clone(), message_id, subject });
        }
        token
    }

    // ---------------------------------------------------------------------------------- second

    fn second_waits(&self) -> bool {
        let Channel::Email(_) = self.run.probe.channel else { return false };
        if self.run.probe.canaries.second.is_none() || self.run.polls.contains_key(SECOND) {
            return false;
        }
        match super::ports::act(&self.run, ActKind::Second, "") {
            None => true,
            Some(act) => !matches!(act.state, ActState::Failed(_)) && self.now() < after(act.intent, JOIN),
        }
    }

    /// The second customer writes into the conversation before the agent answers.
    async fn second_writes(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        // What he answers is the acknowledgement, where one comes.
        if !self.second_waits() || self.is_open(Stage::Acknowledge) {
            return Ok(None);
        }
        if self.act(ActKind::Second, "").is_some() {
            return self.look_for_second(desk).await;
        }
        let Some(key) = self.run.probe.canaries.second.clone() else { return Ok(None) };
        let Some(account) = self.parts.directory.account(&key) else {
            return self.no_second(&format!("no account `{key}` is configured"));
        };
        if self.canary_position(&key).is_none() {
            return self.no_second("his mailbox could not be opened");
        }
        if let Some(limit) = self.second_budget(&key).await? {
            return self.no_second(&format!("used up: {limit}"));
        }
        let mail = self.second_mail((&account.address, &account.display_name));
        self.begin_act(ActKind::Second, "").await?;
        let state = match self.parts.submission.submit(&key, &mail).await {
            Ok(Submitted::Accepted(_)) => ActState::Done,
            Ok(Submitted::Uncertain(_)) => ActState::Uncertain,
            Ok(Submitted::Refused { text, .. } | Submitted::Deferred { text, .. }) => ActState::Failed(text),
            Err(trouble) => ActState::Failed(trouble.message),
        };
        if let ActState::Failed(why) = &state {
            self.note(format!("the second customer's mail was not sent: {why}"));
        }
        self.finish_act(ActKind::Second, "", state).await?;
        Ok(Some(after(self.now(), Duration::from_secs(1))))
    }

    fn no_second(&mut self, why: &str) -> Walk<Option<Timestamp>> {
        self.note(format!("the second customer wrote nothing: {why}"));
        self.poll_after(SECOND, false, Duration::ZERO);
        Ok(Some(self.now()))
    }

    async fn second_budget(&self, account: &str) -> Walk<Option<String>> {
        let Some(budget) = self.parts.budgets.accounts.get(account).filter(|b| !b.0.is_empty()) else { return Ok(None) };
        Ok(match self.parts.store.budget_take(&format!("account {account}"), budget, self.now()).await? {
            BudgetAnswer::Taken => None,
            BudgetAnswer::Wait { limit, .. } => Some(limit),
        })
    }

    /// An answer to the acknowledgement (or to our own mail) without our token: a ticket that it opens is not taken for ours.
    fn second_mail(&mut self, from: (&str, &str)) -> OutgoingMail {
        let now = self.now();
        let domain = from.0.rsplit('@').next().unwrap_or("localhost").to_owned();
        let id = compose::message_id(super::random(), now, &domain);
        let token = self.canary_message(SECOND_TURN, "second", Party::Customer, Some(id.clone()), String::new());
        let text = self.fill(SECOND_TEXT, &token).replace("${customer}", from.1);
        let first = self.first_mail_again();
        let mut mail = match self.first_of(MailRole::Acknowledgement) {
            Some(acknowledgement) => compose::answer(&acknowledgement.mail, from, &text, id, now),
            None => compose::answer_own(&first, &text, id, now),
        };
        compose::quote_as(&mut mail, &text, QuoteStyle::None);
        from.0.clone_into(&mut mail.from);
        from.1.clone_into(&mut mail.from_name);
        for token in self.tokens() {
            mail.subject = mail.subject.replace(&format!("({token})"), "").replace(token.as_str(), "").trim().to_owned();
        }
        mail
    }

    async fn look_for_second(&mut self, desk: &dyn Desk) -> Walk<Option<Timestamp>> {
        let Some(token) = self.canary_token(SECOND_TURN) else { return Ok(None) };
        let joined = match self.read_messages(desk).await {
            Ok((_, messages)) => messages.iter().any(|m| token.is_in(&m.text) && m.author != Some(Author::Agent)),
            Err(_) => false,
        };
        if joined || self.end_seconds_ticket(desk, &token).await? {
            let looked = if joined { Looked::Found } else { Looked::Empty };
            let seen = Observation::new(self.now(), Some(Stage::Reply), Source::Desk, "the run's ticket", "second customer's mail", looked);
            self.observe(seen.class(ResultClass::Ok));
            self.poll_after(SECOND, true, Duration::ZERO);
            return Ok(Some(self.now()));
        }
        Ok(Some(after(self.now(), Duration::from_secs(2))))
    }

    /// A ticket of his own that the second customer's mail opened is closed: it carries his token and is his.
    async fn end_seconds_ticket(&mut self, desk: &dyn Desk, token: &Token) -> Walk<bool> {
        let address = self.canary_address(self.run.probe.canaries.second.as_ref()).unwrap_or_default();
        let found = desk.find(&self.needle(token), View::Normal).await.unwrap_or_default();
        let Some(other) = found.into_iter().find(|f| !self.run.tickets.contains(&f.reference)) else { return Ok(false) };
        let Ok(Some(ticket)) = desk.read(&other.reference).await else { return Ok(false) };
        if !ticket.requester.as_deref().is_some_and(|r| r.trim().eq_ignore_ascii_case(&address)) {
            return Ok(false);
        }
        self.note(format!("the second customer's mail opened ticket {}", other.reference.number));
        if self.act(ActKind::Close, &other.reference.id).is_none() {
            self.begin_act(ActKind::Close, &other.reference.id).await?;
            let state = match desk.close(&ticket).await {
                Ok(()) => ActState::Done,
                Err(acted) => {
                    self.left_over(format!("ticket {}", other.reference.number), &acted.trouble().message);
                    if matches!(acted, Acted::Uncertain(_)) { ActState::Uncertain } else { ActState::Failed(acted.to_string()) }
                }
            };
            self.finish_act(ActKind::Close, &other.reference.id, state).await?;
        }
        Ok(true)
    }
}

fn place(account: &str) -> String {
    format!("mailbox of canary {account}")
}
