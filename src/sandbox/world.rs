//! What all parts of the sandbox share, and the tasks they run in.

use super::chat::Chat;
use super::desk::Desk;
use super::faults::{Fault, Switches};
use super::habits;
use super::mailbox::{Mail, Mailbox, Mailboxes};
use super::marks::Marks;
use super::mime;
use super::smtp::server::Door;
use super::smtp::{Envelope, Reply};
use super::style::{Pace, Style};
use super::tls::Certificates;
use super::web::Web;
use super::{Account, Queue};
use crate::clock::Clock;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
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
    /// How long he takes; none: less than a second at usual speed.
    pub(crate) after: Option<Duration>,
}

/// A login that may only look.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) password: String,
    /// The intake mailbox.
    pub(crate) address: String,
}

/// Who signed in at the IMAP server.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) mailbox: Arc<Mailbox>,
    /// A customer, not one of the desk's logins.
    pub(crate) customer: bool,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// The desk's own login for this queue.
    pub(crate) desks_own: Option<usize>,
}

/// How long a new pair of sender and recipient is deferred, at usual speed: longer than the limits of most probes, or shorter.
const GREY_LONG: Duration = Duration::from_secs(30);
const GREY_SHORT: Duration = Duration::from_secs(3);

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
    /// Logins that may only look into an intake mailbox, by name (lower case).
    pub(crate) readers: HashMap<String, Reader>,
    pub(crate) certificates: Certificates,
    pub(crate) marks: Marks,
    /// How often somebody opened the page for agents.
    pub(crate) visits: watch::Sender<u64>,
    pub(crate) desk: Mutex<Desk>,
    pub(crate) agent: Option<AgentRule>,
    pub(crate) api_key: String,
    pub(crate) places: OnceLock<Places>,
    pub(crate) web: Web,
    pub(crate) chat: Chat,
    /// Calls of the API so far.
    pub(crate) calls: AtomicU64,
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
    pub(crate) readers: HashMap<String, Reader>,
    pub(crate) certificates: Certificates,
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
            readers: setup.readers,
            certificates: setup.certificates,
            marks: Marks::default(),
            visits: watch::Sender::new(0),
            agent: setup.agent,
            api_key: setup.api_key,
            places: OnceLock::new(),
            web: Web::new(setup.seed),
            chat: Chat::new(setup.seed, setup.bot),
            calls: AtomicU64::new(0),
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
        let down = self.switches.on(Fault::SubmissionDown) || self.switches.on(Fault::GreenWhenSendFails);
        if door == Door::Submission && down {
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
            (Door::Submission, _) if self.switches.on(Fault::OkProviderThrottle) => {
                let (code, words) = self.style.throttle;
                Reply::new(code, words)
            }
            _ => Reply::new(250, "2.1.0 Ok"),
        }
    }

    /// The certificate that the desk's mail server shows just now.
    pub(crate) fn certificate(&self) -> Arc<rustls::ServerConfig> {
        let all = &self.certificates;
        if self.switches.on(Fault::MxCertExpired) {
            all.expired.clone()
        } else if self.switches.on(Fault::OkCertRotated) {
            all.renewed.clone()
        } else {
            all.good.clone()
        }
    }

    /// Who signs in at the IMAP server so; none when the login is wrong or the switches refuse it.
    pub(crate) fn imap_login(&self, user: &str, password: &str) -> Option<Login> {
        let login = |mailbox: &Arc<Mailbox>| Login { mailbox: mailbox.clone(), customer: false, read_only: false, desks_own: None };
        let found = if let Some(mailbox) = self.customers.get(user) {
            (mailbox.password == password).then(|| Login { customer: true, ..login(mailbox) })?
        } else if let Some(reader) = self.readers.get(&user.to_ascii_lowercase()) {
            (reader.password == password).then(|| self.intake.get(&reader.address))?.map(|m| Login { read_only: true, ..login(m) })?
        } else {
            let mailbox = self.intake.get(user).filter(|m| m.password == password)?;
            let desks_own = self.queues.iter().position(|q| q.system_address.eq_ignore_ascii_case(user));
            Login { desks_own, ..login(mailbox) }
        };
        (!self.is_locked_out(&found)).then_some(found)
    }

    /// True when this login is refused just now.
    pub(crate) fn is_locked_out(&self, login: &Login) -> bool {
        (login.customer && self.switches.on(Fault::MailboxLoginRefused))
            || login.desks_own.is_some_and(|queue| self.switches.hits(Fault::IntakeOauthExpired, queue))
    }

    /// A pause between `from` and `to` milliseconds at speed 1; none where everything happens at once.
    pub(crate) fn pause(&self, from: u64, to: u64) -> Duration {
        if self.switches.on(Fault::TooFast) { Duration::ZERO } else { self.pace.between(from, to) }
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
                if let Some(wait) = self.greylists(queue)
                    && self.marks.defers(from, to, self.pace.scaled(wait))
                {
                    return Reply::new(451, "4.7.1 Greylisted, please try again later");
                }
                Reply::new(250, "2.1.5 Ok")
            }
        }
    }

    fn greylists(&self, queue: usize) -> Option<Duration> {
        let short = self.switches.hits(Fault::OkGreylisted, queue).then_some(GREY_SHORT);
        if self.switches.hits(Fault::MxGreylists, queue) { Some(GREY_LONG) } else { short }
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
                let raw = self.stamp(door, user.unwrap_or("client"), &id, habits::outgoing(self, raw));
                let from = envelope.from.clone();
                let before = self.customers.get(&from).map_or(0, |m| m.count());
                habits::written(self, &envelope, &raw);
                let waits = self.switches.on(Fault::TooFast) && envelope.to.iter().any(|to| self.queue_of(to).is_some());
                super::provider::enqueue(self, envelope, raw);
                if waits {
                    habits::wait_for_answer(self, &from, before).await;
                }
            }
            Door::ProviderMx => {
                let raw = self.stamp(door, &self.host(Door::DeskMx), &id, raw);
                let raw = habits::relayed(self, raw);
                for to in &envelope.to {
                    super::provider::deliver(self, &envelope.from, to, &raw);
                }
            }
            Door::DeskMx => {
                let raw = habits::relayed(self, self.stamp(door, &self.host(Door::Submission), &id, raw));
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
        let mail = Arc::new(Mail::new(raw, self.clock.now()));
        mailbox.change(|contents| {
            if contents.counts_delivery().is_multiple_of(3) && self.switches.on(Fault::MonUidvalidity) {
                contents.renumber();
            }
            contents.add(folder, mail, Vec::new())
        });
        self.touch();
        true
    }
}
