//! The engine: a state machine over stored runs.
//!
//! A waiting run is a row in the store and a time at which it wants to be looked at again; nothing of it stays in
//! memory. When its time comes, or when a listener hands in a mail that carries one of its tokens, the run is claimed,
//! moved on by one [`advance`](advance::advance), stored, and given back. Every act that must not be done twice is
//! stored as an intent before it is done.
//!
//! `journey` is a run in hand; `channel` is what differs between mail, form and chat, `form` and `chat` are those two ways
//! in; `send`, `land`, `judge`, `mailbox`, `mail_judge`, `reply`, `follow_up`, `settle` and
//! `clean_up` are the stages; `neighbours` asks what other runs saw; `intake` sorts arriving mail to runs.

mod advance;
mod around;
mod automatic;
mod canary;
mod channel;
mod chat;
mod chat_judge;
mod chat_queue;
mod chat_say;
mod clean_up;
mod control_probe;
mod controls;
mod exchangers;
mod follow_up;
mod follow_up_before;
mod form;
mod inquiry;
mod intake;
mod journey;
mod judge;
mod land;
mod look_back;
mod mail_judge;
mod mailbox;
mod neighbours;
pub mod ports;
mod prevented;
mod promise;
mod reply;
mod send;
mod settle;
mod special;
mod stop;
pub mod sweep;
pub mod ways;
mod wind_up;

pub use journey::fill;
pub use special::text as first_text;

use crate::clock::Clock;
use crate::model::{Account, Budget, Probe, Run, RunId, Stage, TokenKey, Trigger};
use ports::{Desks, MailEvent, Mailboxes, RunEvent, Store, StoreError, Submission};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

/// How long the claims of an instance outlive its last sign of life.
const LEASE: Duration = Duration::from_secs(15);

/// Message budgets by key.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    /// By account.
    pub accounts: BTreeMap<String, Budget>,
    /// By desk.
    pub desks: BTreeMap<String, Budget>,
}

/// What an engine is made of.
pub struct EngineParts {
    /// Where runs live.
    pub store: Arc<dyn Store>,
    /// The customers' mailboxes.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Handing in mail.
    pub submission: Arc<dyn Submission>,
    /// The desks.
    pub desks: Arc<dyn Desks>,
    /// Web forms.
    pub forms: Arc<dyn ways::Forms>,
    /// The visitor's side of chats.
    pub chats: Arc<dyn ways::Chats>,
    /// The desks' intake mailboxes.
    pub intakes: Arc<dyn ports::Intakes>,
    /// Names and certificates.
    pub exchangers: Arc<dyn ports::Exchangers>,
    /// Accounts and probes by name.
    pub directory: Arc<dyn ports::Directory>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The sender whose receiver is `events`; the engine puts its own marks into the same queue.
    pub events_in: mpsc::Sender<MailEvent>,
    /// What the listeners report.
    pub events: mpsc::Receiver<MailEvent>,
    /// How many messages may be sent.
    pub budgets: Budgets,
    /// How many runs may be worked on at once (waiting runs do not count).
    pub workers: usize,
    /// Take over runs of instances that have died.
    pub adopt: bool,
    /// Hears what happens.
    pub observer: mpsc::UnboundedSender<RunEvent>,
}

/// What the stages use of the engine.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mailboxes: Arc<dyn Mailboxes>,
    pub(crate) submission: Arc<dyn Submission>,
    pub(crate) desks: Arc<dyn Desks>,
    pub(crate) forms: Arc<dyn ways::Forms>,
    pub(crate) chats: Arc<dyn ways::Chats>,
    pub(crate) intakes: Arc<dyn ports::Intakes>,
    pub(crate) exchangers: Arc<dyn ports::Exchangers>,
    pub(crate) directory: Arc<dyn ports::Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokens: TokenKey,
    pub(crate) budgets: Budgets,
    events_in: mpsc::Sender<MailEvent>,
    observer: mpsc::UnboundedSender<RunEvent>,
    wake: Notify,
    /// What listeners said of themselves lately.
    remarks: std::sync::Mutex<std::collections::VecDeque<prevented::Remark>>,
}

impl Parts {
    fn tell_stage(&self, run: &Run, stage: Stage) {
        self.tell(RunEvent::Stage(Box::new(run.clone()), stage));
    }

    /// Tells whoever listens. Controls move no gauge and stand in no display: what they saw is told with the run that asked.
    fn tell(&self, event: RunEvent) {
        if event.run().trigger == Trigger::Control {
            return;
        }
        // Nobody listening is no reason to stop.
        let _ = self.observer.send(event);
    }

    pub(crate) fn desk(&self, key: &str) -> Option<Arc<dyn ports::Desk>> {
        self.desks.desk(key)
    }

    /// Waits until every mail event queued before this call has been stored.
    pub(crate) async fn intake_barrier(&self) {
        let done = Arc::new(Notify::new());
        if self.events_in.send(MailEvent::Barrier(done.clone())).await.is_ok() {
            done.notified().await;
        }
    }
}

/// Drives runs from their first message to their verdict. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    events: Arc<tokio::sync::Mutex<mpsc::Receiver<MailEvent>>>,
    workers: usize,
    adopt: bool,
}

impl Engine {
    /// Builds an engine.
    ///
    /// # Errors
    /// When the store cannot give the token key.
    pub async fn new(parts: EngineParts) -> Result<Engine, StoreError> {
        let tokens = parts.store.token_key().await?;
        Ok(Engine {
            parts: Arc::new(Parts {
                store: parts.store,
                mailboxes: parts.mailboxes,
                submission: parts.submission,
                desks: parts.desks,
                forms: parts.forms,
                chats: parts.chats,
                intakes: parts.intakes,
                exchangers: parts.exchangers,
                directory: parts.directory,
                clock: parts.clock,
                tokens,
                budgets: parts.budgets,
                events_in: parts.events_in,
                observer: parts.observer,
                wake: Notify::new(),
                remarks: std::sync::Mutex::default(),
            }),
            events: Arc::new(tokio::sync::Mutex::new(parts.events)),
            workers: parts.workers.max(1),
            adopt: parts.adopt,
        })
    }

    /// Stores a new run, due at once.
    ///
    /// # Errors
    /// When the store fails; nothing was sent then.
    pub async fn start_run(&self, probe: &Probe, account: &Account, trigger: Trigger, until: Option<Stage>) -> Result<RunId, StoreError> {
        let now = self.parts.clock.now();
        let id = RunId::new(now, random());
        let (address, display_name) = (account.address.as_str(), account.display_name.as_str());
        let start = send::Start { probe, address, display_name, trigger, parent: None, until };
        send::begin(&self.parts, &id, &start).await?;
        Ok(id)
    }

    /// Asks a run to stop: it cleans up and ends as unknown, unless a fault was already found.
    /// False when another instance holds it at this moment.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn interrupt(&self, id: &RunId) -> Result<bool, StoreError> {
        let Some(claimed) = self.parts.store.claim(id).await? else { return Ok(false) };
        let mut journey = journey::Journey::new(&self.parts, claimed);
        journey.run.interrupted = true;
        let now = journey.now();
        journey.commit(Some(now), false, false).await?;
        self.parts.wake.notify_one();
        Ok(true)
    }

    /// Starts taking in mail events; `run_until_stopped` does this by itself.
    pub fn start_intake(&self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(intake::take_in(self.parts.clone(), self.events.clone()))
    }

    /// Moves on every run whose time has come, one after another, and gives their number. For tests that drive the
    /// clock; the intake must have been started.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        self.parts.intake_barrier().await;
        let claimed = self.parts.store.claim_due(self.parts.clock.now(), usize::MAX >> 1, self.adopt).await?;
        let count = claimed.len();
        for claim in claimed {
            advance::advance(&self.parts, claim).await;
        }
        self.parts.intake_barrier().await;
        Ok(count)
    }

    /// Works until `stop` becomes true. Steps in hand are finished, waiting runs stay in the store.
    ///
    /// # Errors
    /// When the store fails for good.
    pub async fn run_until_stopped(&self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        self.parts.store.heartbeat(LEASE).await?;
        let intake = self.start_intake();
        let pulse = tokio::spawn(pulse(self.parts.clone()));
        intake::watch_again(&self.parts).await?;
        let slots = Arc::new(Semaphore::new(self.workers));
        let result = self.claim_and_spawn(&mut stop, &slots).await;
        // Every step in hand gives its slot back when it is stored.
        let _ = slots.acquire_many(u32::try_from(self.workers).unwrap_or(u32::MAX)).await;
        intake.abort();
        pulse.abort();
        let signed_off = self.parts.store.sign_off().await;
        result.and(signed_off)
    }

    async fn claim_and_spawn(&self, stop: &mut watch::Receiver<bool>, slots: &Arc<Semaphore>) -> Result<(), StoreError> {
        let now = || self.parts.clock.now();
        // Runs of dead instances, and mail that another instance took in, have no due time here: look now and then.
        let mut look_at = now();
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let free = slots.available_permits();
            if free == 0 {
                tokio::select! {
                    () = self.parts.wake.notified() => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            let until = self.parts.store.next_due().await?.map_or(look_at, |due| due.min(look_at));
            if until > now() {
                tokio::select! {
                    () = self.parts.clock.sleep_until(until) => {}
                    () = self.parts.wake.notified() => {}
                    _ = stop.changed() => {}
                }
                continue;
            }
            let claimed = self.parts.store.claim_due(now(), free, self.adopt).await?;
            look_at = crate::clock::after(now(), LEASE / 3);
            for claim in claimed {
                let Ok(slot) = slots.clone().acquire_owned().await else { return Ok(()) };
                let parts = self.parts.clone();
                tokio::spawn(async move {
                    advance::advance(&parts, claim).await;
                    drop(slot);
                    parts.wake.notify_one();
                });
            }
        }
    }
}

/// Says again and again that this instance lives.
async fn pulse(parts: Arc<Parts>) {
    loop {
        let next = crate::clock::after(parts.clock.now(), LEASE / 3);
        parts.clock.sleep_until(next).await;
        if let Err(error) = parts.store.heartbeat(LEASE).await {
            tracing::error!(%error, "the store did not take a sign of life; another instance may take over the runs");
        }
    }
}

/// Random bits for ids.
pub(crate) fn random() -> u64 {
    u64::from_le_bytes(crate::random::bytes().unwrap_or_default())
}
