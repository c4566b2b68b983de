//! What all parts of the sandbox share, and the tasks they run in.

use super::chat::Chat;
use super::desk::Desk;
use super::faults::{Fault, Switches};
use super::mailbox::{Mail, Mailboxes};
use super::mime;
use super::smtp::server::Door;
use super::smtp::{Envelope, Reply};
use super::style::{Pace, Style};
use super::web::Web;
use super::{Account, Queue};
use crate::clock::Clock;
use std::collections::HashSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where the two mail exchangers listen, and how the API is reached.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) provider_mx: SocketAddr,
    pub(crate) desk_mx: SocketAddr,
    pub(crate) api: String,
    /// `http://127.0.0.1:PORT`: pages, form and chat lie below it.
    pub(crate) web: String,
}

/// The names that addresses and greetings are made of.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// Published addresses end so.
    pub(crate) desk: String,
    /// The desk's own addresses, to which the published ones are forwarded, end so.
    pub(crate) system: String,
    /// The customers' provider.
    pub(crate) customers: String,
}

/// The agent who answers by himself.
#[derive(Debug, Clone)]
pub(crate) struct AgentRule {
    /// Lower-case names of the queues he looks after; empty: all.
    pub(crate) queues: Vec<String>,
}

/// One sandbox.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) switches: Switches,
    pub(crate) style: Style,
    pub(crate) pace: Pace,
    pub(crate) names: Names,
    pub(crate) accounts: Vec<Account>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) customers: Mailboxes,
    pub(crate) intake: Mailboxes,
    pub(crate) desk: Mutex<Desk>,
    pub(crate) agent: Option<AgentRule>,
    pub(crate) api_key: String,
    pub(crate) places: OnceLock<Places>,
    pub(crate) web: Web,
    pub(crate) chat: Chat,
    /// Calls of the API so far.
    pub(crate) calls: AtomicU64,
    greylist: Mutex<HashSet<String>>,
    deliveries: AtomicU64,
    changed: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// The parts of a world that are chosen, not grown.
pub(crate) struct Setup {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: u64,
    pub(crate) speed: f64,
    pub(crate) names: Names,
    pub(crate) accounts: Vec<Account>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) customers: Mailboxes,
    pub(crate) intake: Mailboxes,
    pub(crate) agent: Option<AgentRule>,
    pub(crate) api_key: String,
    /// A bot has new conversations first.
    pub(crate) bot: bool,
}

impl World {
    pub(crate) fn new(setup: Setup) -> World {
        let style = Style::draw(setup.seed);
        World {
            clock: setup.clock,
            switches: Switches::new(),
            desk: Mutex::new(Desk::new(style.first_ticket)),
            style,
            pace: Pace::new(setup.seed, setup.speed),
            names: setup.names,
            accounts: setup.accounts,
            queues: setup.queues,
            customers: setup.customers,
            intake: setup.intake,
            agent: setup.agent,
            api_key: setup.api_key,
            places: OnceLock::new(),
            web: Web::new(setup.seed),
            chat: Chat::new(setup.seed, setup.bot),
            calls: AtomicU64::new(0),
            greylist: Mutex::new(HashSet::new()),
            deliveries: AtomicU64::new(0),
            changed: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            tasks: Mutex::new(Some(JoinSet::new())),
        }
    }

    /// Runs a task until it ends or the sandbox does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(tasks) = tasks.as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Ends every task; nothing can be started afterwards.
    pub(crate) fn stop(&self) -> Option<JoinSet<()>> {
        self.stopping.send_replace(true);
        let mut tasks = self.tasks.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(tasks) = tasks.as_mut() {
            tasks.abort_all();
        }
        tasks
    }

    /// Becomes true when the sandbox ends.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Tells those who inspect that something changed.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The desk's state, for one short look or change.
    pub(crate) fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The host name of a server.
    pub(crate) fn host(&self, door: Door) -> String {
        match door {
            Door::Submission => format!("smtp.{}", self.names.customers),
            Door::ProviderMx => format!("mx.{}", self.names.customers),
            Door::DeskMx => format!("mx.{}", self.names.desk),
        }
    }

    /// The greeting.
    pub(crate) fn greeting(&self, door: Door) -> Reply {
        if door == Door::Submission && self.switches.on(Fault::SubmissionDown) {
            return Reply::new(554, format!("5.3.2 {} is not accepting mail", self.host(door)));
        }
        Reply::new(220, format!("{} ESMTP", self.host(door)))
    }

    pub(crate) fn submission_login(&self, user: &str, password: &str) -> bool {
        self.customers.get(user).is_some_and(|m| m.password == password)
    }

    /// MAIL FROM.
    pub(crate) fn takes_sender(&self, door: Door, user: Option<&str>, from: &str) -> Reply {
        match (door, user) {
            (Door::Submission, Some(user)) if !user.eq_ignore_ascii_case(from) => {
                Reply::new(553, format!("5.7.1 <{from}>: Sender address rejected: not owned by user {user}"))
            }
            _ => Reply::new(250, "2.1.0 Ok"),
        }
    }

    /// RCPT TO.
    pub(crate) fn takes_recipient(&self, door: Door, from: &str, to: &str) -> Reply {
        let unknown = || Reply::new(550, format!("5.1.1 <{to}>: Recipient address rejected: User unknown"));
        match door {
            Door::Submission => Reply::new(250, "2.1.5 Ok"),
            Door::ProviderMx if self.customers.get(to).is_some() => Reply::new(250, "2.1.5 Ok"),
            Door::ProviderMx => unknown(),
            Door::DeskMx => {
                let Some((queue, published)) = self.queue_of(to) else { return unknown() };
                let tagged = to.contains('+') && self.switches.hits(Fault::PlusTagLost, queue);
                if tagged || (published && self.switches.hits(Fault::MxRejectsAlias, queue)) {
                    return unknown();
                }
                if self.switches.hits(Fault::MxGreylists, queue) && self.is_first_attempt(from, to) {
                    return Reply::new(451, "4.7.1 Greylisted, please try again later");
                }
                Reply::new(250, "2.1.5 Ok")
            }
        }
    }

    fn is_first_attempt(&self, from: &str, to: &str) -> bool {
        let mut seen = self.greylist.lock().unwrap_or_else(|e| e.into_inner());
        if seen.len() > 10_000 {
            seen.clear();
        }
        seen.insert(format!("{from} {to}").to_ascii_lowercase())
    }

    /// The queue of an address of the desk, and whether it is the published one. Sub-addresses (`support+x@`) count.
    pub(crate) fn queue_of(&self, address: &str) -> Option<(usize, bool)> {
        let address = address.to_ascii_lowercase();
        let (local, domain) = address.rsplit_once('@')?;
        let plain = format!("{}@{domain}", local.split('+').next().unwrap_or(local));
        self.queues.iter().enumerate().find_map(|(at, queue)| {
            let published = queue.address.eq_ignore_ascii_case(&plain);
            (published || queue.system_address.eq_ignore_ascii_case(&plain)).then_some((at, published))
        })
    }

    /// The end of DATA.
    pub(crate) async fn takes_message(self: &Arc<Self>, door: Door, user: Option<&str>, envelope: Envelope, raw: Vec<u8>) -> Reply {
        let id = self.pace.hex(10).to_ascii_uppercase();
        match door {
            Door::Submission if self.switches.on(Fault::MonSendQuota) => {
                return Reply::new(550, "5.4.5 Daily user sending limit exceeded. Try again tomorrow");
            }
            Door::Submission => {
                let raw = self.stamp(door, user.unwrap_or("client"), &id, raw);
                super::provider::enqueue(self, envelope, raw);
            }
            Door::ProviderMx => {
                let raw = self.stamp(door, &self.host(Door::DeskMx), &id, raw);
                for to in &envelope.to {
                    super::provider::deliver(self, &envelope.from, to, &raw);
                }
            }
            Door::DeskMx => {
                let raw = self.stamp(door, &self.host(Door::Submission), &id, raw);
                super::desk::intake::take_over(self, &envelope, &raw);
            }
        }
        Reply::new(250, format!("2.0.0 Ok: queued as {id}"))
    }

    /// Adds the trace header (RFC 5321 section 4.4).
    fn stamp(&self, door: Door, from: &str, id: &str, raw: Vec<u8>) -> Vec<u8> {
        let line = format!("from {from} by {} with ESMTP id {id}; {}", self.host(door), mime::date(self.clock.now()));
        let mut stamped = mime::fold("Received", &line).into_bytes();
        stamped.extend_from_slice(&raw);
        stamped
    }

    /// Puts a message into a customer's folder, with the peculiarities of the provider.
    pub(crate) fn file_customer_mail(&self, address: &str, folder: &str, raw: Vec<u8>) -> bool {
        let Some(mailbox) = self.customers.get(address) else { return false };
        let count = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let mail = Arc::new(Mail::new(raw, self.clock.now()));
        mailbox.change(|contents| {
            if self.switches.on(Fault::MonUidvalidity) && count.is_multiple_of(3) {
                contents.renumber();
            }
            contents.add(folder, mail, Vec::new())
        });
        self.touch();
        true
    }
}
