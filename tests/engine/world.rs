//! A small world for the engine: one customer's mailbox, one desk, all in memory, with a clock that the test drives.
//!
//! It keeps count of everything that must not happen twice, and it can die at any call: a call that dies never
//! returns, before or after its effect, as when the process is killed there.

use async_trait::async_trait;
use jiff::Timestamp;
use replypath::clock::{Clock, ManualClock};
use replypath::engine::ports::*;
use replypath::engine::{Budgets, Engine, EngineParts};
use replypath::mail::{compose::compose, parse::parse_mail};
use replypath::model::*;
use replypath::store::SqliteStore;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

pub use crate::web::{ChatWeather, FormWeather};

/// What goes wrong in this world.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// The desk's API answers 503.
    pub desk_down: bool,
    /// The mailbox cannot be read.
    pub mailbox_down: bool,
    /// Mail to the desk vanishes.
    pub intake_dead: bool,
    /// Mail to the desk vanishes unless it is plain: text alone, with a subject, to one address.
    pub only_plain_lands: bool,
    /// Only mail to this address lands.
    pub only_lands_at: Option<String>,
    /// Only mail from this address lands.
    pub only_lands_from: Option<String>,
    /// Mail is fetched only when somebody opens the desk's page.
    pub fetches_on_visits: bool,
    /// Our provider writes this line into the header of our mail.
    pub provider_adds: Option<String>,
    /// Internal notes go to the requester, or to the other account.
    pub note_to_requester: bool,
    pub note_to_other: bool,
    /// Answers go to who wrote last.
    pub to_last_writer: bool,
    /// Mail of another than the requester opens a ticket of its own.
    pub others_open_tickets: bool,
    /// An answer to a ticket that was moved opens another.
    pub moved_splits: bool,
    /// An automatic answer closes the ticket.
    pub notice_closes: bool,
    /// Automatic mail is thrown away.
    pub drops_automatic: bool,
    /// Only what stands above a quote is kept of a mail.
    pub cuts_quotes: bool,
    /// No automatic reply.
    pub no_acknowledgement: bool,
    /// What the automatic reply says beside that it has the request.
    pub promise: String,
    /// Reading a ticket takes so long.
    pub slow_reads: Duration,
    /// Answers are kept as notes.
    pub internal: bool,
    /// Answers do not leave.
    pub no_answer_mail: bool,
    /// The mailbox of another account gets the answers as well.
    pub answer_elsewhere: bool,
    /// The submission server refuses the login.
    pub submission_refuses: bool,
    /// The connection breaks when an answer is posted: after the desk stored it (true) or before.
    pub reply_cut: Option<bool>,
    /// From this many answers on, tickets belong to somebody else.
    pub stranger: Option<usize>,
    /// From this many answers on, tickets no longer carry any text of ours.
    pub stripped: Option<usize>,
    /// The desk's mail names no thread.
    pub no_threading_id: bool,
    /// What goes wrong with forms.
    pub form: FormWeather,
    /// What goes wrong with chats.
    pub chat: ChatWeather,
    /// The call of this number (counted over all acts) dies before its effect.
    pub die_before: Option<usize>,
    /// The call of this number dies after its effect.
    pub die_after: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct FakeTicket {
    pub id: usize,
    pub subject: String,
    pub requester: String,
    pub queue: String,
    pub closed: bool,
    pub created: Timestamp,
    pub messages: Vec<TicketMessage>,
    /// The conversation that it is, for a chat.
    pub conversation: Option<String>,
    /// Who wrote, in order.
    pub writers: Vec<String>,
    /// A bot has it.
    pub bot: bool,
}

#[derive(Default)]
pub struct State {
    pub weather: Weather,
    pub calls: usize,
    pub submitted: Vec<OutgoingMail>,
    pub replies: Vec<String>,
    /// How often an answer was posted, stored or not.
    pub posted: usize,
    pub closes: usize,
    pub tickets: Vec<FakeTicket>,
    pub inbox: Vec<ReceivedMail>,
    pub next_uid: u32,
    /// Conversations by id.
    pub chats: BTreeMap<String, crate::web::FakeChat>,
    /// Mail that comes right after the next request by form.
    pub after_submission: Vec<Vec<u8>>,
    /// The visitors with whom conversations were begun.
    pub sealed_at_begin: Vec<Option<String>>,
    /// How often a form was submitted, a conversation begun, a line said, a window left.
    pub web: crate::web::Counts,
    pub events: Option<mpsc::Sender<MailEvent>>,
    /// What the configuration names besides.
    pub accounts: BTreeMap<String, Account>,
    pub probes: BTreeMap<String, Probe>,
    pub budgets: Budgets,
    /// How often a note was written.
    pub notes: usize,
    /// Mails of other accounts that were removed.
    pub removed_elsewhere: usize,
    /// How often a ticket was moved.
    pub moves: usize,
    /// How often the desk's page for agents was opened.
    pub visits: usize,
    /// What a look at the exchangers shows, and the looks.
    pub exchangers: Vec<ExchangerSight>,
    pub looks: Vec<String>,
    /// Mail that waits for a visit.
    pub unfetched: Vec<OutgoingMail>,
}

/// What a desk keeps that cuts at the first line of a quote.
fn above_quote(text: &str) -> String {
    let quoted = |l: &&str| !l.starts_with('>') && !l.trim_end().ends_with("wrote:");
    text.lines().take_while(quoted).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// True for what a person's mail program makes of a few words.
fn is_plain(mail: &OutgoingMail) -> bool {
    mail.html.is_none() && mail.attachments.is_empty() && mail.to.len() == 1 && !mail.subject.trim().is_empty()
}

pub struct World {
    pub clock: ManualClock,
    pub state: Mutex<State>,
    key: TokenKey,
}

const MONITOR: &str = "alice@customers.test";

impl World {
    pub fn new(key: TokenKey) -> Arc<World> {
        let start = "2026-11-25T08:00:00Z".parse().unwrap();
        Arc::new(World { clock: ManualClock::new(start), state: Mutex::new(State { next_uid: 1, ..State::default() }), key })
    }

    pub fn weather(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.state.lock().unwrap().weather);
    }

    pub fn key(&self) -> &TokenKey {
        &self.key
    }

    /// Counts an act; true when it shall die before (or after) its effect.
    fn dies(&self, before: bool) -> bool {
        let mut state = self.state.lock().unwrap();
        if before {
            state.calls += 1;
        }
        let at = if before { state.weather.die_before } else { state.weather.die_after };
        at == Some(state.calls)
    }

    pub async fn mortal<T>(&self, effect: impl FnOnce() -> T) -> T {
        if self.dies(true) {
            std::future::pending::<()>().await;
        }
        let result = effect();
        if self.dies(false) {
            std::future::pending::<()>().await;
        }
        result
    }

    /// Puts a raw mail into the inbox and tells the listener's queue.
    pub fn deliver(&self, raw: &[u8]) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let key = MailKey { folder: "INBOX".into(), uidvalidity: 7, uid: state.next_uid };
        state.next_uid += 1;
        let mail = parse_mail(raw, key, false, Some(now), &self.key);
        state.inbox.push(mail.clone());
        if let Some(events) = &state.events {
            events.try_send(MailEvent::Arrived { account: "alice".into(), mail: Box::new(mail) }).expect("the queue is large enough");
        }
    }

    /// A mail in the mailbox of another account, under the same number as one of ours might have.
    fn deliver_elsewhere(&self, raw: &[u8]) {
        let state = self.state.lock().unwrap();
        let key = MailKey { folder: "INBOX".into(), uidvalidity: 7, uid: state.next_uid };
        let mail = parse_mail(raw, key, false, None, &self.key);
        if let Some(events) = &state.events {
            events.try_send(MailEvent::Arrived { account: "bob".into(), mail: Box::new(mail) }).expect("the queue is large enough");
        }
    }

    pub fn desk_mail(&self, ticket: &FakeTicket, text: &str, automatic: bool) -> Vec<u8> {
        let auto = if automatic { "Auto-Submitted: auto-replied\r\n" } else { "" };
        let (serial, threads) = {
            let state = self.state.lock().unwrap();
            (state.next_uid, !state.weather.no_threading_id)
        };
        let references = if threads { format!("References: <ticket-{}@desk.test>\r\n", ticket.id) } else { String::new() };
        format!(
            "From: Support <support@desk.test>\r\nTo: {MONITOR}\r\nSubject: [desk #{}] {}\r\nMessage-ID: <d{serial}.{}@desk.test>\r\n{references}Date: Wed, 25 Nov 2026 08:00:00 +0000\r\n{auto}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n",
            ticket.id, ticket.subject, ticket.id
        )
        .into_bytes()
    }

    fn accept(&self, mail: &OutgoingMail) {
        let raw = compose(mail).unwrap();
        let weather = {
            let mut state = self.state.lock().unwrap();
            state.submitted.push(mail.clone());
            state.weather.clone()
        };
        if mail.to.iter().any(|to| to.ends_with("@customers.test")) {
            self.deliver(&self.as_delivered(raw));
            return;
        }
        let kept_out = |only: &Option<String>, have: &[String]| only.as_ref().is_some_and(|only| !have.contains(only));
        let lost = weather.only_plain_lands && !is_plain(mail)
            || kept_out(&weather.only_lands_at, &mail.to)
            || kept_out(&weather.only_lands_from, std::slice::from_ref(&mail.from));
        if weather.intake_dead || lost {
            return;
        }
        if weather.fetches_on_visits {
            self.state.lock().unwrap().unfetched.push(mail.clone());
            return;
        }
        self.import(mail, &weather);
    }

    /// What our provider makes of a mail on its way.
    fn as_delivered(&self, raw: Vec<u8>) -> Vec<u8> {
        match &self.state.lock().unwrap().weather.provider_adds {
            Some(line) => [format!("{line}\r\n").into_bytes(), raw].concat(),
            None => raw,
        }
    }

    /// The desk takes a mail in.
    pub fn import(&self, mail: &OutgoingMail, weather: &Weather) {
        let now = self.clock.now();
        let raw = compose(mail).unwrap();
        let parsed = parse_mail(&raw, MailKey { folder: "x".into(), uidvalidity: 1, uid: 1 }, false, None, &self.key);
        let message = TicketMessage {
            id: format!("m{}", mail.message_id),
            public: Some(true),
            author: Some(Author::Customer),
            text: if weather.cuts_quotes { above_quote(&parsed.text) } else { parsed.text.clone() },
            html: None,
            at: Some(now),
            files: parsed.attachments.clone(),
            message_id: Some(mail.message_id.clone()),
            delivery: None,
        };
        if mail.automatic && weather.drops_automatic {
            return;
        }
        let known = {
            let mut state = self.state.lock().unwrap();
            let splits =
                |t: &FakeTicket| weather.moved_splits && t.queue != "Support" || weather.others_open_tickets && t.requester != mail.from;
            let known = state.tickets.iter_mut().find(|t| mail.subject.contains(&format!("[desk #{}]", t.id)) && !splits(t));
            known.map(|ticket| {
                ticket.messages.push(message.clone());
                ticket.writers.push(mail.from.clone());
                ticket.closed = if mail.automatic { ticket.closed || weather.notice_closes } else { false };
            })
        };
        if known.is_none() {
            let ticket = self.open_ticket(&mail.subject, &mail.from, message, None);
            if !weather.no_acknowledgement {
                let raw = self.desk_mail(&ticket, &format!("We have your request. {}", weather.promise), true);
                if mail.from.starts_with("bob@") {
                    self.deliver_elsewhere(&raw);
                } else {
                    self.deliver(&raw);
                }
            }
        }
    }

    pub fn open_ticket(&self, subject: &str, requester: &str, message: TicketMessage, conversation: Option<String>) -> FakeTicket {
        let mut state = self.state.lock().unwrap();
        let ticket = FakeTicket {
            id: state.tickets.len() + 1,
            subject: subject.into(),
            requester: requester.into(),
            queue: "Support".into(),
            closed: false,
            created: self.clock.now(),
            messages: vec![message],
            bot: conversation.is_some() && state.weather.chat.bot_turns.is_some(),
            conversation,
            writers: vec![requester.into()],
        };
        state.tickets.push(ticket.clone());
        ticket
    }

    pub async fn engine(self: &Arc<World>, dir: &Path, instance: &str) -> (Engine, Arc<SqliteStore>, mpsc::UnboundedReceiver<RunEvent>) {
        let store = SqliteStore::open(dir, instance, Arc::new(self.clock.clone())).unwrap();
        let (events_in, events) = mpsc::channel(1000);
        self.state.lock().unwrap().events = Some(events_in.clone());
        let (observer, heard) = mpsc::unbounded_channel();
        let (directory, budgets) = {
            let state = self.state.lock().unwrap();
            (FixedDirectory { accounts: state.accounts.clone(), probes: state.probes.clone() }, state.budgets.clone())
        };
        let engine = Engine::new(EngineParts {
            store: store.clone(),
            mailboxes: self.clone(),
            submission: self.clone(),
            desks: Arc::new(FakeDesks(self.clone())),
            forms: Arc::new(crate::web::Web(self.clone())),
            chats: Arc::new(crate::web::Web(self.clone())),
            intakes: Arc::new(replypath::engine::ports::NoIntakes),
            exchangers: self.clone(),
            directory: Arc::new(directory),
            clock: Arc::new(self.clock.clone()),
            events_in,
            events,
            budgets,
            workers: 4,
            adopt: true,
            observer,
        })
        .await
        .unwrap();
        store.heartbeat(Duration::from_secs(15)).await.unwrap();
        (engine, store, heard)
    }
}

pub struct FakeDesks(pub Arc<World>);

impl Desks for FakeDesks {
    fn desk(&self, _: &str) -> Option<Arc<dyn Desk>> {
        Some(Arc::new(FakeDesk(self.0.clone())))
    }
}

fn down() -> Trouble {
    Trouble::new(ResultClass::Unavailable, "desk-api-down", "the desk answered 503")
}

struct FakeDesk(Arc<World>);

impl FakeDesk {
    fn up(&self) -> Result<std::sync::MutexGuard<'_, State>, Trouble> {
        let state = self.0.state.lock().unwrap();
        if state.weather.desk_down { Err(down()) } else { Ok(state) }
    }
}

#[async_trait]
impl Desk for FakeDesk {
    fn capabilities(&self) -> &[Capability] {
        use Capability::*;
        &[Find, Read, Messages, Reply, Close, Move, Note, Health, Files]
    }
    fn views(&self) -> &[View] {
        &[View::Normal]
    }
    fn unproven(&self) -> bool {
        false
    }
    async fn find(&self, needle: &Needle, _: View) -> Result<Vec<FoundTicket>, Trouble> {
        let state = self.up()?;
        if state.weather.chat.found_by_id && needle.conversation.is_none() {
            return Err(Trouble::new(ResultClass::BrokenContract, "desk-contract-broken", "a value for `${conversation}` is missing"));
        }
        let hit = |t: &&FakeTicket| needle.token.is_in(&t.subject) || t.messages.iter().any(|m| needle.token.is_in(&m.text));
        Ok(state
            .tickets
            .iter()
            .filter(hit)
            .map(|t| FoundTicket {
                reference: TicketRef { id: t.id.to_string(), number: t.id.to_string() },
                view: View::Normal,
                strategy: "all".into(),
                missed_by: None,
                page: 1,
                hold_cause: None,
            })
            .collect())
    }
    async fn read(&self, id: &TicketRef) -> Result<Option<Ticket>, Trouble> {
        let state = self.up()?;
        self.0.clock.advance(state.weather.slow_reads);
        let now = |from: Option<usize>| from.is_some_and(|n| state.replies.len() >= n);
        let (stranger, stripped) = (now(state.weather.stranger), now(state.weather.stripped));
        Ok(state.tickets.iter().find(|t| t.id.to_string() == id.id).map(|t| Ticket {
            reference: id.clone(),
            subject: Some(if stripped { "Parcel".to_owned() } else { t.subject.clone() }),
            queue: Some(t.queue.clone()),
            status: Some(match (t.closed, t.bot) {
                (true, _) => TicketStatus::Closed,
                (false, true) => TicketStatus::Bot,
                (false, false) => TicketStatus::Open,
            }),
            status_text: None,
            requester: Some(if stranger { "eve@elsewhere.test".to_owned() } else { t.requester.clone() }),
            priority: None,
            tags: None,
            channel: None,
            created: Some(t.created),
            hold_cause: None,
            fields: t.conversation.iter().map(|c| ("conversation".to_owned(), c.clone())).collect(),
        }))
    }
    async fn messages(&self, ticket: &Ticket) -> Result<Vec<TicketMessage>, Trouble> {
        let state = self.up()?;
        let stripped = state.weather.stripped.is_some_and(|n| state.replies.len() >= n);
        let ticket = state.tickets.iter().find(|t| t.id.to_string() == ticket.reference.id);
        Ok(ticket.filter(|_| !stripped).map(|t| t.messages.clone()).unwrap_or_default())
    }
    async fn history(&self, _: &TicketRef) -> Result<Vec<HistoryEntry>, Trouble> {
        Ok(Vec::new())
    }
    async fn reply(&self, ticket: &Ticket, content: &ReplyContent) -> Result<ReplyReceipt, Acted> {
        self.up().map(drop).map_err(Acted::NotDone)?;
        let world = &self.0;
        let cut = {
            let mut state = world.state.lock().unwrap();
            state.posted += 1;
            state.weather.reply_cut
        };
        let broken = || Acted::Uncertain(Trouble::new(ResultClass::Unavailable, "desk-api-down", "no answer in time"));
        if cut == Some(false) {
            return Err(broken());
        }
        world
            .mortal(|| {
                let (ticket, weather) = {
                    let mut state = world.state.lock().unwrap();
                    let weather = state.weather.clone();
                    state.replies.push(content.text.clone());
                    let found = state.tickets.iter_mut().find(|t| t.id.to_string() == ticket.reference.id).unwrap();
                    // Whoever answers has it.
                    found.bot = false;
                    found.messages.push(TicketMessage {
                        id: "r".into(),
                        public: Some(!weather.internal),
                        author: Some(Author::Agent),
                        text: content.text.clone(),
                        html: None,
                        at: None,
                        files: Vec::new(),
                        message_id: None,
                        delivery: None,
                    });
                    (found.clone(), weather)
                };
                if let Some(conversation) = &ticket.conversation
                    && !ticket.closed
                    && !weather.internal
                {
                    world.agent_says(conversation, content);
                    return;
                }
                if !weather.internal && !weather.no_answer_mail {
                    let raw = world.desk_mail(&ticket, &content.text, false);
                    let to_other = weather.to_last_writer && ticket.writers.last().is_some_and(|w| w.starts_with("bob@"));
                    if to_other { world.deliver_elsewhere(&raw) } else { world.deliver(&raw) }
                }
                if weather.answer_elsewhere {
                    world.deliver_elsewhere(&world.desk_mail(&ticket, &content.text, false));
                }
            })
            .await;
        if cut.is_some() { Err(broken()) } else { Ok(ReplyReceipt::default()) }
    }
    async fn close(&self, ticket: &Ticket) -> Result<(), Acted> {
        self.up().map(drop).map_err(Acted::NotDone)?;
        self.0
            .mortal(|| {
                let mut state = self.0.state.lock().unwrap();
                state.closes += 1;
                if let Some(t) = state.tickets.iter_mut().find(|t| t.id.to_string() == ticket.reference.id) {
                    t.closed = true;
                }
            })
            .await;
        Ok(())
    }
    async fn delete(&self, _: &Ticket) -> Result<(), Acted> {
        Err(Acted::NotDone(down()))
    }
    async fn mark(&self, _: &Ticket, _: &str) -> Result<(), Acted> {
        Err(Acted::NotDone(down()))
    }
    async fn move_to(&self, ticket: &Ticket, queue: &str) -> Result<(), Acted> {
        self.up().map(drop).map_err(Acted::NotDone)?;
        self.0
            .mortal(|| {
                let mut state = self.0.state.lock().unwrap();
                state.moves += 1;
                if let Some(t) = state.tickets.iter_mut().find(|t| t.id.to_string() == ticket.reference.id) {
                    t.queue = queue.to_owned();
                }
            })
            .await;
        Ok(())
    }
    async fn note(&self, ticket: &Ticket, text: &str) -> Result<(), Acted> {
        self.up().map(drop).map_err(Acted::NotDone)?;
        let world = &self.0;
        world
            .mortal(|| {
                let (ticket, weather) = {
                    let mut state = world.state.lock().unwrap();
                    state.notes += 1;
                    let weather = state.weather.clone();
                    let found = state.tickets.iter_mut().find(|t| t.id.to_string() == ticket.reference.id).unwrap();
                    found.messages.push(TicketMessage {
                        id: "n".into(),
                        public: Some(false),
                        author: Some(Author::Agent),
                        text: text.into(),
                        html: None,
                        at: None,
                        files: Vec::new(),
                        message_id: None,
                        delivery: None,
                    });
                    (found.clone(), weather)
                };
                let raw = world.desk_mail(&ticket, text, false);
                if weather.note_to_requester {
                    world.deliver(&raw);
                }
                if weather.note_to_other {
                    world.deliver_elsewhere(&raw);
                }
            })
            .await;
        Ok(())
    }
    fn creates(&self) -> Option<String> {
        Some("form".into())
    }
    async fn visit(&self) -> Result<bool, Trouble> {
        let (waiting, weather) = {
            let mut state = self.up()?;
            state.visits += 1;
            (std::mem::take(&mut state.unfetched), state.weather.clone())
        };
        for mail in &waiting {
            self.0.import(mail, &weather);
        }
        Ok(true)
    }
    async fn agents_available(&self) -> Result<Option<bool>, Trouble> {
        Ok(self.up()?.weather.chat.agents)
    }
    async fn health(&self) -> Result<Vec<String>, Trouble> {
        self.up().map(|_| vec!["up".into()])
    }
}

fn mailbox_down() -> Trouble {
    Trouble::new(ResultClass::Unauthorised, "mailbox-login-refused", "the mailbox refused the login")
}

#[async_trait]
impl Mailboxes for World {
    async fn position(&self, _: &str) -> Result<Position, Trouble> {
        let state = self.state.lock().unwrap();
        if state.weather.mailbox_down {
            return Err(mailbox_down());
        }
        Ok(Position { uidvalidity: 7, uid_next: state.next_uid, at: self.clock.now() })
    }
    fn watch(&self, account: &str, from: Position, _: Timestamp, _: bool) {
        // A listener that is opened again reports again what is newer; the store keeps each mail once.
        let state = self.state.lock().unwrap();
        let Some(events) = state.events.as_ref().filter(|_| account == "alice") else { return };
        for mail in state.inbox.iter().filter(|m| m.key.uid >= from.uid_next) {
            let _ = events.try_send(MailEvent::Arrived { account: account.into(), mail: Box::new(mail.clone()) });
        }
    }
    async fn check_now(&self, _: &str) -> Result<(), Trouble> {
        if self.state.lock().unwrap().weather.mailbox_down { Err(mailbox_down()) } else { Ok(()) }
    }
    async fn search_everywhere(&self, _: &str, since: Position, tokens: &[Token], ids: &[String]) -> Result<Vec<ReceivedMail>, Trouble> {
        let state = self.state.lock().unwrap();
        if state.weather.mailbox_down {
            return Err(mailbox_down());
        }
        let ours = |m: &&ReceivedMail| {
            let named = || m.in_reply_to.iter().chain(&m.message_id).any(|i| ids.contains(i)) || m.marks().iter().any(|i| ids.contains(i));
            m.key.uid >= since.uid_next && (m.tokens.iter().any(|t| tokens.contains(t)) || named())
        };
        Ok(state.inbox.iter().filter(ours).cloned().collect())
    }
    async fn remove(&self, account: &str, mails: &[MailKey]) -> Result<Removed, Trouble> {
        if account != "alice" {
            self.state.lock().unwrap().removed_elsewhere += mails.len();
            return Ok(Removed { removed: mails.to_vec(), left: Vec::new() });
        }
        self.state.lock().unwrap().inbox.retain(|m| !mails.contains(&m.key));
        Ok(Removed { removed: mails.to_vec(), left: Vec::new() })
    }
    async fn doctor(&self, _: &str) -> Result<Vec<String>, Trouble> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Submission for World {
    async fn submit(&self, _: &str, mail: &OutgoingMail) -> Result<Submitted, Trouble> {
        if self.state.lock().unwrap().weather.submission_refuses {
            return Err(Trouble::new(ResultClass::Unauthorised, "submission-login-refused", "535 authentication failed"));
        }
        self.mortal(|| self.accept(mail)).await;
        Ok(Submitted::Accepted("250 2.0.0 Ok: queued".into()))
    }
    async fn doctor(&self, _: &str) -> Result<Vec<String>, Trouble> {
        Ok(Vec::new())
    }
}
