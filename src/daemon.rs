//! The daemon's scheduler: looks every second which probes are due, and starts them or records why not.
//!
//! What makes a probe due is in the store (`last_start`), so a restart neither repeats nor forgets a run.

use crate::clock::{self, Clock};
use crate::config::Config;
use crate::engine::ports::{RunEvent, RunFilter, Store, StoreError};
use crate::metrics::Metrics;
use crate::model::{Account, Phase, Probe, Run, RunId, Source, Stage, Trigger};
use crate::web::Pulse;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often the scheduler looks.
const LOOK: Duration = Duration::from_secs(1);
/// How often maintenance windows are compared with the time for the gauge of a probe that is not due.
const MAINTENANCE_EVERY: u64 = 15;

/// What the shell asks of the engine.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Stores a new run, due at once.
    async fn start_run(&self, probe: &Probe, account: &Account, trigger: Trigger, until: Option<Stage>) -> Result<RunId, StoreError>;
    /// Asks a run to clean up and end. False when another instance holds it at this moment.
    async fn interrupt(&self, run: &RunId) -> Result<bool, StoreError>;
    /// Works until `stop` is true; steps in hand are finished, waiting runs stay in the store.
    async fn run_until_stopped(&self, stop: watch::Receiver<bool>) -> Result<(), StoreError>;
}

/// When probes run. Functions, so that tests of the scheduler need no cron.
#[derive(Clone, Copy)]
pub struct Timetable {
    /// The next start of a probe that was last started at `.1`; `.2` is now. None: never.
    pub next_start: fn(&Probe, Option<Timestamp>, Timestamp) -> Option<Timestamp>,
    /// Whether the probe is in maintenance at that time.
    pub in_maintenance: fn(&Probe, Timestamp) -> bool,
    /// When the result of a run that starts then must be there at the latest.
    pub expected_by: fn(&Probe, Timestamp) -> Timestamp,
}

/// When a probe is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// The next start.
    pub next: Option<Timestamp>,
    /// When the next result is there at the latest.
    pub expected: Option<Timestamp>,
    /// Paused or in maintenance.
    pub resting: bool,
}

/// Who is told what the scheduler does and hears, beside the metrics: the status page.
pub trait Watcher: Send + Sync {
    /// Something happened in a run.
    fn observe(&self, event: &RunEvent);
    /// When the probe is due; told at every look.
    fn due(&self, probe: &str, due: Due);
}

/// One probe with a schedule.
struct Planned {
    probe: Probe,
    account: Account,
    next: Option<Timestamp>,
    /// The run that is under way must have its verdict by then.
    awaited: Option<Timestamp>,
    /// What the metrics show: an unwanted skip leaves it where it was, so that it becomes overdue.
    expected: Option<Timestamp>,
    resting: bool,
}

/// The scheduler.
pub struct Scheduler {
    store: Arc<dyn Store>,
    driver: Arc<dyn Driver>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    watcher: Option<Arc<dyn Watcher>>,
    pulse: Arc<Pulse>,
    timetable: Timetable,
    planned: BTreeMap<String, Planned>,
    looks: u64,
    /// Failures of the store are logged when they begin, not every second.
    store_fails: bool,
}

/// What the scheduler works with.
pub struct SchedulerParts {
    /// Runs and starts.
    pub store: Arc<dyn Store>,
    /// The engine.
    pub driver: Arc<dyn Driver>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where results show.
    pub metrics: Arc<Metrics>,
    /// Who is told too.
    pub watcher: Option<Arc<dyn Watcher>>,
    /// Where `/readyz` looks.
    pub pulse: Arc<Pulse>,
    /// When probes run.
    pub timetable: Timetable,
}

impl Scheduler {
    /// A scheduler for the probes of `config`, with the last starts as the store knows them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn new(parts: SchedulerParts, config: &Config) -> Result<Scheduler, StoreError> {
        let SchedulerParts { store, driver, clock, metrics, watcher, pulse, timetable } = parts;
        let mut scheduler =
            Scheduler { store, driver, clock, metrics, watcher, pulse, timetable, planned: BTreeMap::new(), looks: 0, store_fails: false };
        for probe in config.probes.values() {
            scheduler.metrics.expected(&probe.name, None);
            if let (true, Some(account)) = (probe.schedule.is_some(), config.accounts.get(&probe.account)) {
                scheduler.plan(probe, account).await?;
            }
        }
        Ok(scheduler)
    }

    async fn plan(&mut self, probe: &Probe, account: &Account) -> Result<(), StoreError> {
        let last = self.store.last_start(&probe.name).await?;
        let under_way = self.store.has_unfinished(&probe.name).await?;
        let mut planned = Planned {
            expected: None,
            next: (self.timetable.next_start)(probe, last, self.clock.now()),
            awaited: last.filter(|_| under_way).map(|at| (self.timetable.expected_by)(probe, at)),
            probe: probe.clone(),
            account: account.clone(),
            resting: false,
        };
        self.show_expected(&mut planned);
        self.planned.insert(probe.name.clone(), planned);
        Ok(())
    }

    fn show_expected(&self, planned: &mut Planned) {
        let next = planned.next.map(|at| (self.timetable.expected_by)(&planned.probe, at));
        planned.expected = planned.awaited.or(next);
        self.metrics.expected(&planned.probe.name, planned.expected);
        self.show_due(planned);
    }

    fn show_due(&self, planned: &Planned) {
        if let Some(watcher) = &self.watcher {
            watcher.due(&planned.probe.name, Due { next: planned.next, expected: planned.expected, resting: planned.resting });
        }
    }

    /// Looks for due probes every second and takes in what the engine reports, until `stop` is true.
    /// `tap` hears the events too.
    pub async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
        events: &mut mpsc::UnboundedReceiver<RunEvent>,
        tap: Option<&mpsc::UnboundedSender<RunEvent>>,
    ) {
        let mut look_at = self.clock.now();
        while !*stop.borrow() {
            tokio::select! {
                () = self.clock.sleep_until(look_at) => {
                    self.look().await;
                    look_at = clock::after(self.clock.now(), LOOK);
                }
                Some(event) = events.recv() => {
                    self.observe(&event);
                    // A view that has gone away is no reason to stop.
                    let _ = tap.map(|tap| tap.send(event));
                }
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes in what happened in a run.
    pub fn observe(&mut self, event: &RunEvent) {
        self.metrics.observe(event);
        if let Some(watcher) = &self.watcher {
            watcher.observe(event);
        }
        if let RunEvent::Finished(run) = event {
            log_verdict(run);
            if run.trigger == Trigger::Scheduled
                && let Some(mut planned) = self.planned.remove(&run.probe.name)
            {
                planned.awaited = None;
                self.show_expected(&mut planned);
                self.planned.insert(run.probe.name.clone(), planned);
            }
        }
    }

    /// One look: starts what is due, or records why not.
    pub async fn look(&mut self) {
        let now = self.clock.now();
        let paused: BTreeSet<String> = match self.store.paused().await {
            Ok(paused) => {
                self.store_fails = false;
                paused.into_iter().collect()
            }
            Err(error) => {
                self.trouble("the paused probes cannot be read, so nothing is started", &error);
                return;
            }
        };
        self.looks += 1;
        let names: Vec<String> = self.planned.keys().cloned().collect();
        for name in names {
            let Some(mut planned) = self.planned.remove(&name) else { continue };
            let is_paused = paused.contains(&name) || paused.contains("*");
            self.look_at(&mut planned, is_paused, now).await;
            self.planned.insert(name, planned);
        }
        self.pulse.beat(now);
        self.metrics.tick(now);
    }

    async fn look_at(&mut self, planned: &mut Planned, paused: bool, now: Timestamp) {
        let due = planned.next.is_some_and(|next| next <= now);
        let resting = if due || self.looks % MAINTENANCE_EVERY == 1 {
            paused || (self.timetable.in_maintenance)(&planned.probe, now)
        } else {
            // Between the slow looks only the pause may change what was found.
            paused || planned.resting && !planned.probe.maintenance.is_empty()
        };
        planned.resting = resting;
        self.metrics.paused(&planned.probe.name, resting);
        if !due {
            self.show_due(planned);
            return;
        }
        let skip = match (paused, resting) {
            (true, _) => Some("paused"),
            (false, true) => Some("maintenance"),
            _ => self.obstacle(planned).await,
        };
        let begun = match skip {
            Some(reason) => {
                self.skip(planned, reason, now).await;
                false
            }
            None => self.start(planned, now).await,
        };
        planned.next = (self.timetable.next_start)(&planned.probe, Some(now), now);
        if begun {
            planned.awaited = Some((self.timetable.expected_by)(&planned.probe, now));
        }
        // A skip that nobody asked for leaves the expected time where it was, so that it becomes overdue.
        if begun || resting {
            self.show_expected(planned);
        } else {
            self.show_due(planned);
        }
    }

    /// Why a probe that is due cannot be started, beside pauses and maintenance.
    async fn obstacle(&mut self, planned: &Planned) -> Option<&'static str> {
        if planned.probe.overlap == crate::model::Overlap::Allow {
            return None;
        }
        match self.store.has_unfinished(&planned.probe.name).await {
            Ok(false) => None,
            Ok(true) if self.waits_for_budget(&planned.probe.name).await => Some("budget"),
            Ok(true) => Some("overlap"),
            Err(error) => {
                self.trouble("the store cannot say whether a run is under way", &error);
                Some("error")
            }
        }
    }

    /// True when the run under way has not sent anything because a message budget is used up.
    async fn waits_for_budget(&self, probe: &str) -> bool {
        let filter = RunFilter { probe: Some(probe.to_owned()), limit: 1, ..RunFilter::default() };
        let Some(newest) = self.store.runs(&filter).await.ok().and_then(|mut runs| runs.pop()) else { return false };
        let Ok(Some(run)) = self.store.run(&newest.id).await else { return false };
        let last = run.observations.iter().max_by_key(|o| o.last);
        run.phase == Phase::Active && run.acts.is_empty() && last.is_some_and(|o| o.source == Source::Monitor && o.place == "budget")
    }

    async fn skip(&mut self, planned: &Planned, reason: &'static str, now: Timestamp) {
        let name = &planned.probe.name;
        tracing::info!(probe = %name, reason, "not started");
        self.metrics.skipped(name, reason);
        if let Err(error) = self.store.record_skip(name, reason, now).await {
            self.trouble("a skipped start cannot be recorded", &error);
        }
    }

    async fn start(&mut self, planned: &Planned, now: Timestamp) -> bool {
        match self.driver.start_run(&planned.probe, &planned.account, Trigger::Scheduled, None).await {
            Ok(run) => {
                tracing::info!(probe = %planned.probe.name, %run, "started");
                true
            }
            Err(error) => {
                self.trouble("a run cannot be stored, so nothing was sent", &error);
                self.skip(planned, "error", now).await;
                false
            }
        }
    }

    fn trouble(&mut self, what: &str, error: &StoreError) {
        if !std::mem::replace(&mut self.store_fails, true) {
            tracing::error!(%error, "{what}");
        }
    }
}

fn log_verdict(run: &Run) {
    let Some(d) = &run.diagnosis else { return };
    let (stage, fault) = (d.stage.map_or("", Stage::as_str), d.fault.as_deref().unwrap_or_default());
    let (probe, run, verdict) = (run.probe.name.as_str(), run.id.as_str(), d.verdict.as_str());
    match d.verdict {
        crate::model::Verdict::Pass => tracing::info!(probe, run, verdict, "finished"),
        _ => tracing::warn!(probe, run, verdict, stage, fault, "finished: {}", d.summary),
    }
}
