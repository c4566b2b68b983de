//! The built-in sandbox: a customer's mail provider and a support desk on loopback, in one process and in memory.
//!
//! Its protocol code is its own: nothing here is shared with the side that probes, so neither can hide the other's mistakes.

mod admin;
mod chat;
mod desk;
mod dns;
mod faults;
mod habits;
mod imap;
mod mailbox;
mod marks;
mod mime;
mod net;
mod plant;
mod provider;
mod recode;
mod smtp;
mod style;
#[cfg(test)]
mod tests;
mod tls;
mod tongue;
mod web;
mod world;

pub use desk::{Author, Channel, Event, Message, Place, Received, Status, StoredFile, Ticket};
pub use faults::faults;

use crate::clock::{Clock, SystemClock};
use mailbox::Mailboxes;
use smtp::server::Door;
use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use style::Rng;
use tls::Certificates;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use world::{AgentRule, Names, Places, Reader, Setup, World};

/// What a sandbox is to be like.
#[derive(Clone)]
pub struct Options {
    /// Published addresses end so: `support@DOMAIN`; the desk's own addresses lie under `in.DOMAIN`.
    pub domain: String,
    /// The domain of the customers' provider.
    pub customer_domain: String,
    /// Draws wording, numbers, threading habits, delays and passwords.
    pub seed: u64,
    /// Switches that are on from the start: ids of [`faults`], or `ID@QUEUE`.
    pub faults: Vec<String>,
    /// The customers, each with a mailbox.
    pub accounts: Vec<NewAccount>,
    /// How many times as fast as usual all delays pass (1: tens to hundreds of milliseconds).
    pub speed: f64,
    /// True: an agent answers new tickets by himself after a while.
    pub agent: bool,
    /// The queues that the agent looks after; empty: all.
    pub agent_queues: Vec<String>,
    /// He takes so long; none: less than a second at usual speed.
    pub agent_after: Option<Duration>,
    /// True: a bot answers visitors of the chat first, and hands over when they ask for a person.
    pub bot: bool,
    /// Ports on 127.0.0.1; 0: a free one.
    pub ports: Ports,
    /// The clock whose time stands in mails and tickets.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Options {
        let account = |name: &str, display: &str| NewAccount { name: name.to_owned(), display_name: display.to_owned() };
        Options {
            domain: "desk.test".to_owned(),
            customer_domain: "customers.test".to_owned(),
            seed: 1,
            faults: Vec::new(),
            accounts: vec![account("alice", "Alice Example"), account("bob", "Bob Example")],
            speed: 1.0,
            agent: false,
            agent_queues: Vec::new(),
            agent_after: None,
            bot: false,
            ports: Ports::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// A customer to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The part of the address before the `@`.
    pub name: String,
    /// The name beside the address.
    pub display_name: String,
}

/// Ports on 127.0.0.1; 0: a free one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// The customers' submission server.
    pub smtp: u16,
    /// The customers' (and the intake mailboxes') IMAP server.
    pub imap: u16,
    /// The desk's JSON API.
    pub api: u16,
    /// The switchboard.
    pub admin: u16,
}

/// A customer with his login, for SMTP and IMAP alike. The password is a throw-away one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The part of the address before the `@`.
    pub name: String,
    /// The name beside the address.
    pub display_name: String,
    /// The address.
    pub address: String,
    /// The login name (the address).
    pub user: String,
    /// The password.
    pub password: String,
}

/// A queue of the desk with its addresses and its intake mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name: Support, Billing, Sales.
    pub name: String,
    /// The published address; the desk's mail exchanger forwards it to the next one.
    pub address: String,
    /// The desk's own address, which is also the login of the intake mailbox on the IMAP server.
    pub system_address: String,
    /// The password of the desk's own login at the intake mailbox.
    pub password: String,
    /// A login that may only look into the intake mailbox.
    pub reader: String,
    /// Its password.
    pub reader_password: String,
}

/// Why a sandbox could not be started or told something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port could not be taken.
    #[error("the sandbox cannot listen on 127.0.0.1:{port} ({source}); choose another port, or 0 for a free one")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such switch.
    #[error(
        "the sandbox has no fault or queue `{0}`; `replypath sandbox --list` shows the faults, and the queues are Support, Billing and Sales"
    )]
    NoSuchFault(String),
    /// What the switch breaks serves every queue.
    #[error("the fault {0} is one of the whole desk or provider; leave out the @ and the queue")]
    NotOneQueue(String),
    /// No certificates could be made.
    #[error("the sandbox cannot make certificates: the system gives no random numbers")]
    Certificates,
    /// There is no such account.
    #[error("the sandbox has no account {0}")]
    NoSuchAccount(String),
    /// What was waited for did not come.
    #[error("the sandbox did not come to the state that was waited for within {0:?}")]
    Late(Duration),
}

/// A running sandbox. Everything ends when it is dropped.
pub struct Sandbox {
    /// The seed it was drawn from.
    pub seed: u64,
    /// The customers' submission server (plain TCP, AUTH PLAIN or LOGIN).
    pub smtp: SocketAddr,
    /// The IMAP server (plain TCP).
    pub imap: SocketAddr,
    /// The desk's mail exchanger.
    pub desk_mx: SocketAddr,
    /// The desk's mail exchanger by name, `HOST:PORT`; the name server below knows where it is.
    pub exchanger: String,
    /// The name server that knows the exchangers and mail policies of its domains (UDP).
    pub dns: SocketAddr,
    /// The base address of the desk's API: `http://127.0.0.1:PORT/api/v1`.
    pub api: String,
    /// Where customers' pages, form and chat are: `http://127.0.0.1:PORT`.
    pub web: String,
    /// The API's key.
    pub api_key: String,
    /// The authority, in PEM, whose certificate the desk's mail exchanger shows after STARTTLS.
    pub authority: String,
    /// The switchboard: `POST /admin/faults`.
    pub admin: SocketAddr,
    /// The customers.
    pub accounts: Vec<Account>,
    /// The queues.
    pub queues: Vec<Queue>,
    world: Arc<World>,
    servers: Vec<JoinHandle<()>>,
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Starts a sandbox.
///
/// # Errors
/// When a port is taken or a switch does not exist.
pub async fn start(options: Options) -> Result<Sandbox, Error> {
    let world = Arc::new(build(&options)?);
    for id in &options.faults {
        world.set_fault(id, true)?;
    }
    let (submission, smtp) = listen(options.ports.smtp).await?;
    let (imap_listener, imap) = listen(options.ports.imap).await?;
    let (api_listener, api) = listen(options.ports.api).await?;
    let (admin_listener, admin) = listen(options.ports.admin).await?;
    let (provider_listener, provider_mx) = listen(0).await?;
    let (desk_listener, desk_mx) = listen(0).await?;
    let (names, dns) = dns::bind().await?;
    let web = format!("http://{api}");
    let api = format!("{web}/api/v1");
    let _ = world.places.set(Places { provider_mx, desk_mx, api: api.clone(), web: web.clone() });
    world.spawn(smtp::server::serve(world.clone(), Door::Submission, submission));
    world.spawn(smtp::server::serve(world.clone(), Door::ProviderMx, provider_listener));
    world.spawn(smtp::server::serve(world.clone(), Door::DeskMx, desk_listener));
    world.spawn(dns::serve(world.clone(), names));
    world.spawn(imap::serve(world.clone(), imap_listener));
    for queue in 0..world.queues.len() {
        world.spawn(desk::intake::poll(world.clone(), queue));
    }
    let servers = vec![
        serve_http(
            &world,
            api_listener,
            desk::api::router(world.clone()).merge(web::router(world.clone())).merge(chat::router(world.clone())),
        ),
        serve_http(&world, admin_listener, admin::router(world.clone())),
    ];
    Ok(Sandbox {
        seed: options.seed,
        smtp,
        imap,
        desk_mx,
        exchanger: format!("{}:{}", world.host(Door::DeskMx), desk_mx.port()),
        dns,
        api,
        web,
        api_key: world.api_key.clone(),
        authority: world.certificates.authority.clone(),
        admin,
        accounts: world.accounts.clone(),
        queues: world.queues.clone(),
        world,
        servers,
    })
}

fn build(options: &Options) -> Result<World, Error> {
    let mut rng = Rng::new(options.seed ^ 0x7EA5);
    let mut word = |length: usize| -> String { (0..length).map(|_| char::from(rng.pick(b"abcdefghijkmnpqrstuvwxyz23456789"))).collect() };
    let domain = options.domain.to_ascii_lowercase();
    let customers_domain = options.customer_domain.to_ascii_lowercase();
    let names = Names { system: format!("in.{domain}"), desk: domain.clone(), customers: customers_domain.clone() };
    let (mut customers, mut intake) = (Mailboxes::default(), Mailboxes::default());
    let mut accounts = Vec::new();
    for new in &options.accounts {
        let address = format!("{}@{customers_domain}", new.name);
        let password = word(16);
        customers.insert(&address, &password, 1_000 + u32::try_from(options.seed % 1_000_000).unwrap_or(0));
        let (name, display_name) = (new.name.clone(), new.display_name.clone());
        accounts.push(Account { name, display_name, user: address.clone(), address, password });
    }
    let (mut queues, mut readers) = (Vec::new(), HashMap::new());
    for name in ["Support", "Billing", "Sales"] {
        let local = name.to_ascii_lowercase();
        let system_address = format!("{local}@{}", names.system);
        let password = word(16);
        intake.insert(&system_address, &password, 1);
        let (reader, reader_password) = (format!("look-{local}@{}", names.system), word(16));
        readers.insert(reader.clone(), Reader { password: reader_password.clone(), address: system_address.clone() });
        let address = format!("{local}@{domain}");
        queues.push(Queue { name: name.to_owned(), address, system_address, password, reader, reader_password });
    }
    let agent_queues = options.agent_queues.iter().map(|q| q.to_ascii_lowercase()).collect();
    let certificates = Certificates::new(&format!("mx.{}", names.desk), options.clock.now())?;
    Ok(World::new(Setup {
        clock: options.clock.clone(),
        seed: options.seed,
        speed: options.speed,
        names,
        accounts,
        queues,
        customers,
        intake,
        readers,
        certificates,
        agent: options.agent.then_some(AgentRule { queues: agent_queues, after: options.agent_after }),
        api_key: word(32),
        bot: options.bot,
    }))
}

fn serve_http(world: &Arc<World>, listener: TcpListener, router: axum::Router) -> JoinHandle<()> {
    let mut stopping = world.stopping();
    tokio::spawn(async move {
        let stop = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        // Serving ends only by the signal; errors of single connections stay with them.
        let _ = axum::serve(listener, router).with_graceful_shutdown(stop).await;
    })
}

impl Sandbox {
    /// Turns a switch: an id of [`faults`], or `ID@QUEUE` for one queue.
    ///
    /// # Errors
    /// When there is no such switch or queue.
    pub fn set_fault(&self, id: &str, on: bool) -> Result<(), Error> {
        self.world.set_fault(id, on)
    }

    /// Puts `count` newsletters and strangers' mails into an account's INBOX (by name or address).
    ///
    /// # Errors
    /// When there is no such account.
    pub fn plant_foreign(&self, account: &str, count: usize) -> Result<(), Error> {
        plant::mails(&self.world, &self.account(account)?.address, count);
        Ok(())
    }

    /// Makes `count` tickets of strangers, open and closed, in all queues.
    pub fn plant_foreign_tickets(&self, count: usize) {
        plant::tickets(&self.world, &mut self.world.desk(), count);
        self.world.touch();
    }

    fn account(&self, name: &str) -> Result<&Account, Error> {
        let found = self.accounts.iter().find(|a| a.name == name || a.address.eq_ignore_ascii_case(name));
        found.ok_or_else(|| Error::NoSuchAccount(name.to_owned()))
    }

    /// Every ticket, deleted ones too, oldest first.
    pub fn tickets(&self) -> Vec<Ticket> {
        self.world.desk().tickets.values().cloned().collect()
    }

    /// Every folder of an account's mailbox (by name or address) with the raw mails in it, oldest first.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn mailbox(&self, account: &str) -> Result<BTreeMap<String, Vec<Vec<u8>>>, Error> {
        let address = &self.account(account)?.address;
        self.world.customers.get(address).map(|m| m.dump()).ok_or_else(|| Error::NoSuchAccount(account.to_owned()))
    }

    /// Every message that the desk's mail exchanger took over, oldest first.
    pub fn received_by_mx(&self) -> Vec<Received> {
        self.world.desk().received.iter().cloned().collect()
    }

    /// Waits until `look` gives something, asked anew after every change in the sandbox.
    ///
    /// # Errors
    /// When that takes longer than `limit`.
    pub async fn wait<T>(&self, limit: Duration, look: impl Fn(&Sandbox) -> Option<T>) -> Result<T, Error> {
        let mut changes = self.world.changes();
        let looking = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = look(self) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout(limit, looking).await.ok().flatten().ok_or(Error::Late(limit))
    }

    /// Ends everything and waits until it has ended.
    pub async fn shutdown(mut self) {
        if let Some(mut tasks) = self.world.stop() {
            while tasks.join_next().await.is_some() {}
        }
        for mut server in std::mem::take(&mut self.servers) {
            // An open connection to the API may finish its answer, not more.
            if tokio::time::timeout(Duration::from_secs(2), &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.world.stop());
    }
}

impl World {
    fn set_fault(&self, id: &str, on: bool) -> Result<(), Error> {
        let names: Vec<&str> = self.queues.iter().map(|q| q.name.as_str()).collect();
        let fault = self.switches.set(id, on, &names)?;
        if fault == faults::Fault::MonUidvalidity && on {
            self.customers.all().for_each(|m| m.change(mailbox::Contents::renumber));
        }
        if fault == faults::Fault::OkForeignMail && on {
            self.accounts.iter().for_each(|account| plant::mails(self, &account.address, 5));
        }
        self.marks.begin_anew(fault);
        self.touch();
        Ok(())
    }
}
