//! The daemon's pages: overview, probes, runs, badges, the JSON API and the stream of events. Made on the server and whole
//! without a script.
//!
//! All links are relative, so the pages work below any path of a proxy that ends with a slash there. Nothing is asked from
//! another host, nothing is inline, and no HTML of a received mail is ever rendered: `maud` escapes every text.

mod act;
mod api;
mod asked;
mod assets;
mod badge;
pub mod board;
mod brief;
mod filter;
mod frame;
pub mod guard;
mod live;
mod news;
mod openapi;
mod overview;
mod picture;
mod probe;
mod routes;
mod run;
mod sign;
mod state;
mod strip;
mod text;

pub use news::News;
pub use routes::router;

use crate::clock::{Clock, after};
use crate::config::Config;
use crate::daemon::{Driver, Due, Watcher};
use crate::engine::ports::{RunEvent, Store, StoreError};
use crate::incident::Incident;
use crate::model::{Account, Run, Trigger, Verdict};
use crate::web::{Pulse, READY_WITHIN};
use board::{Board, HISTORY, Seats};
use guard::{Guard, Rules};
use jiff::Timestamp;
use live::Live;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How often runs of other programs are looked for.
const RECALL: Duration = Duration::from_secs(30);

/// So many runs without a pass are looked at for incidents.
const MOST_TROUBLES: usize = 10_000;

/// What starts runs: of the configuration at work.
struct Turn {
    driver: Arc<dyn Driver>,
    accounts: BTreeMap<String, Account>,
}

/// Everything that the pages are made from.
pub struct Pages {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pulse: Arc<Pulse>,
    board: Board,
    live: Arc<Live>,
    guard: Guard,
    turn: RwLock<Option<Turn>>,
    starts: Mutex<act::Starts>,
    /// The incidents of these seats.
    known: Mutex<Option<(Seats, Vec<Incident>)>>,
    /// The store's folder: pictures lie below it.
    state: PathBuf,
    born: Timestamp,
}

impl Pages {
    /// Pages of a daemon that listens there, with nothing on them yet.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        pulse: Arc<Pulse>,
        listens: SocketAddr,
        state: PathBuf,
    ) -> Result<Arc<Pages>, String> {
        Ok(Arc::new(Pages {
            live: Arc::new(Live::new(clock.clone())),
            guard: Guard::new(listens)?,
            born: clock.now(),
            store,
            clock,
            pulse,
            board: Board::default(),
            turn: RwLock::default(),
            starts: Mutex::default(),
            known: Mutex::default(),
            state,
        }))
    }

    /// Takes a configuration and what the store knows of its probes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn configure(&self, config: &Config) -> Result<(), StoreError> {
        let unproven = |probe: &crate::model::Probe| probe.desk.as_ref().is_some_and(|d| config.unproven.contains(d));
        self.guard.configure(Rules { token: config.page.token.clone(), users: config.page.users.clone(), public: config.page.public });
        self.board.configure(config.probes.values().map(|p| (p, unproven(p))));
        self.board.restore(&self.store.standings().await?);
        self.live.changed();
        Ok(())
    }

    /// Reads the last runs of every probe, for the strips; then again and again those of probes without a schedule, which
    /// other programs run, and of what seems to be under way. With many probes this takes a while, so the pages do not wait for it. Never returns.
    pub async fn keep_up(&self) {
        let seats = self.board.seats();
        self.recall(seats.keys()).await;
        self.recall_roots().await;
        self.live.changed();
        loop {
            self.clock.sleep_until(after(self.clock.now(), RECALL)).await;
            let seats = self.board.seats();
            let others = seats.iter().filter(|(_, seat)| seat.probe.schedule.is_none() || !seat.running.is_empty());
            self.recall(others.map(|(name, _)| name)).await;
        }
    }

    /// Reads what the troubles that last began with.
    pub async fn recall_roots(&self) {
        match self.store.troubles(self.clock.now(), MOST_TROUBLES).await {
            Ok(troubles) => self.board.recall_roots(troubles),
            Err(error) => tracing::error!(%error, "the begin of what is broken cannot be read"),
        }
    }

    /// Reads the last runs of these probes.
    pub async fn recall(&self, probes: impl Iterator<Item = &String>) {
        for name in probes {
            if let Err(error) = self.recall_one(name).await {
                return tracing::error!(%error, "the history of the status page cannot be read");
            }
        }
    }

    /// Reads the last runs of a probe, in short as far as that is enough.
    async fn recall_one(&self, probe: &str) -> Result<(), StoreError> {
        let briefs = self.store.briefs(probe, HISTORY).await?;
        let mut whole = Vec::new();
        for id in self.board.wanting(probe, &briefs) {
            whole.extend(self.store.run(&id).await?);
        }
        self.board.recall(probe, briefs, &whole);
        Ok(())
    }

    /// Runs can be started from now on, by this driver.
    pub fn open(&self, driver: Arc<dyn Driver>, config: &Config) {
        *self.turn.write().unwrap_or_else(PoisonError::into_inner) = Some(Turn { driver, accounts: config.accounts.clone() });
    }

    /// No run can be started until the next [`Pages::open`].
    pub fn shut(&self) {
        *self.turn.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends the streams: the daemon stops.
    pub fn close(&self) {
        self.live.close();
    }

    /// Everybody who reaches the address reads verdicts.
    pub fn is_open(&self) -> bool {
        self.guard.is_open()
    }

    /// The news of this moment.
    pub fn news(&self) -> News {
        let (now, seats) = (self.clock.now(), self.board.seats());
        News::of(&seats, self.incidents(&seats), self.stuck(now), now)
    }

    /// What lasts, worked out anew only after something happened.
    fn incidents(&self, seats: &Seats) -> Vec<Incident> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, incidents)) if Arc::ptr_eq(of, seats) => incidents.clone(),
            _ => {
                let incidents = news::lasting(seats);
                *known = Some((seats.clone(), incidents.clone()));
                incidents
            }
        }
    }

    /// For how long the scheduler has not looked for due probes, where that is too long.
    fn stuck(&self, now: Timestamp) -> Option<Duration> {
        let since_birth = Duration::from_secs_f64(brief::seconds(self.born, now));
        Some(self.pulse.age(now).unwrap_or(since_birth)).filter(|age| *age >= READY_WITHIN)
    }

    /// The last run before that one that passed, with its evidence.
    async fn last_good(&self, run: &Run) -> Result<Option<Run>, StoreError> {
        let seats = self.board.seats();
        let before = seats.get(&run.probe.name).and_then(|seat| {
            let passed = seat.history.iter().rev().filter(|b| b.verdict == Some(Verdict::Pass));
            passed.filter(|b| b.started < run.started).map(|b| b.id.clone()).next()
        });
        if let Some(id) = before {
            return self.store.run(&id).await;
        }
        let last = self.store.last_with(&run.probe.name, Verdict::Pass, Some(&run.id)).await?;
        Ok(last.filter(|good| good.started < run.started && good.trigger != Trigger::Control))
    }
}

impl Watcher for Pages {
    fn observe(&self, event: &RunEvent) {
        self.board.observe(event);
        self.live.observe(event);
    }

    fn due(&self, probe: &str, due: Due) {
        if self.board.due(probe, due) {
            self.live.changed();
        }
    }
}
