//! Every metric name and label of replypath, and how run events move them.
//!
//! Verdict gauges come from scheduled runs only and are restored from the store after a restart; runs started
//! by hand move counters with `trigger="manual"` and nothing else, controls move nothing. Every counter exists from the
//! start with 0. What a probe's labels are is fixed when it is configured: an event of a probe that is not is counted
//! nowhere, and a fault that is not in the catalogue is `unclear`.
//!
//! How many series there are at most:
//!
//! ```text
//! 106 x probes + 237 x gateways + 2 x desks + accounts + certificates + faults of the catalogue + 14
//! ```
//!
//! (A gateway that serves two desks or channels counts as two.) The configuration refuses more than `max_probes` probes; a
//! test holds the numbers against what is exposed.

mod certificates;
mod families;
mod family;
mod faults;
mod known;
mod process;
pub mod rules;
mod security;
mod series;
mod verdicts;

pub use certificates::Certificates;
pub use known::schedule_text;

use crate::engine::ports::RunEvent;
use crate::model::{Probe, Run, Stage};
use family::Family;
use jiff::Timestamp;
use known::Known;
use process::Process;
use prometheus::{Counter, Gauge, HistogramVec, Registry, TextEncoder};
use series::{drop_series, flag, seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The Content-Type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why a scheduled run was not started: the closed list of `replypath_runs_skipped_total{reason}`.
pub const SKIP_REASONS: [&str; 5] = ["overlap", "maintenance", "paused", "budget", "error"];

/// Series of each pair of gateway, desk and channel, at most; see the head of this module.
#[cfg(test)]
const SERIES_OF_GATEWAY: usize = 237;

/// The `stage` of a run without a pass that names none.
const NO_STAGE: &str = "none";

/// All metrics of one process.
pub struct Metrics {
    /// What has no labels, and histograms.
    registry: Registry,
    /// All gauges and counters with labels.
    families: Vec<Arc<Family>>,
    /// Bytes of the last exposition: the next one is about as long.
    length: AtomicUsize,
    probe_info: Arc<Family>,
    success: Arc<Family>,
    unknown: Arc<Family>,
    duration: Arc<Family>,
    consecutive: Arc<Family>,
    failing_since: Arc<Family>,
    unknown_since: Arc<Family>,
    last_run: Arc<Family>,
    last_success: Arc<Family>,
    expected: Arc<Family>,
    paused: Arc<Family>,
    running: Arc<Family>,
    stage_success: Arc<Family>,
    stage_last: Arc<Family>,
    stage_limit: Arc<Family>,
    runs: Arc<Family>,
    failures: Arc<Family>,
    unknowns: Arc<Family>,
    skipped: Arc<Family>,
    stage_seconds: HistogramVec,
    landing: HistogramVec,
    acknowledgement: HistogramVec,
    human_answer: HistogramVec,
    fault: Arc<Family>,
    late: Arc<Family>,
    security: Arc<Family>,
    security_faults: Arc<Family>,
    leftovers: Arc<Family>,
    desk_up: Arc<Family>,
    mailbox_up: Arc<Family>,
    /// The ends of certificates.
    pub certificates: Certificates,
    tick: Gauge,
    in_progress: Gauge,
    reload_ok: Gauge,
    reload_at: Gauge,
    store_errors: Counter,
    blind_after: Gauge,
    process: Process,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    probes: BTreeMap<String, Known>,
    desks: BTreeSet<String>,
    accounts: BTreeSet<String>,
    /// Runs under way, by probe.
    open: BTreeMap<String, BTreeSet<String>>,
    /// Faults of runs under way that were counted already.
    exposed: BTreeSet<(String, String)>,
}

impl Metrics {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Makes the configured probes, desks and accounts the exposed ones: series of others are removed,
    /// new ones begin with 0, and those of unchanged probes keep their values.
    pub fn configure<'a>(
        &self,
        probes: impl IntoIterator<Item = &'a Probe>,
        desks: impl IntoIterator<Item = &'a str>,
        accounts: impl IntoIterator<Item = &'a str>,
    ) {
        let mut state = self.state();
        let mut wanted: BTreeMap<String, Known> = probes.into_iter().map(|p| (p.name.clone(), Known::of(p))).collect();
        for (name, old) in &state.probes {
            match wanted.get_mut(name) {
                Some(new) if new.same(old) => {
                    new.keep(old);
                }
                _ => self.forget(old),
            }
        }
        for known in wanted.values() {
            self.introduce(known);
        }
        let gateways = |known: &BTreeMap<String, Known>| known.values().map(|k| k.gateway(None)).collect::<BTreeSet<_>>();
        for gone in gateways(&state.probes).difference(&gateways(&wanted)) {
            self.late.remove(gone);
            for clock in [&self.landing, &self.acknowledgement, &self.human_answer] {
                drop_series(clock, gone);
            }
            for stage in Stage::ALL {
                let labels: Vec<String> = gone.iter().cloned().chain([stage.as_str().to_owned()]).collect();
                drop_series(&self.stage_seconds, &labels);
            }
        }
        let desks: BTreeSet<String> = desks.into_iter().map(str::to_owned).collect();
        for gone in state.desks.difference(&desks) {
            self.desk_up.remove(&[gone]);
            self.leftovers.remove(&[gone]);
        }
        let accounts: BTreeSet<String> = accounts.into_iter().map(str::to_owned).collect();
        for gone in state.accounts.difference(&accounts) {
            self.mailbox_up.remove(&[gone]);
        }
        for new in desks.difference(&state.desks) {
            self.desk_up.touch(&[new]);
        }
        for new in accounts.difference(&state.accounts) {
            self.mailbox_up.touch(&[new]);
        }
        *state =
            State { probes: wanted, desks, accounts, open: std::mem::take(&mut state.open), exposed: std::mem::take(&mut state.exposed) };
        self.show_leftovers(&state);
        self.show_open(&state);
    }

    /// Says which runs were under way when this process began.
    pub fn resume(&self, open: &[Run]) {
        let mut state = self.state();
        for run in open {
            state.open.entry(run.probe.name.clone()).or_default().insert(run.id.0.clone());
        }
        self.show_open(&state);
    }

    /// Takes in what happened in a run.
    pub fn observe(&self, event: &RunEvent) {
        let mut state = self.state();
        if let RunEvent::Stage(run, _) | RunEvent::Finished(run) | RunEvent::Late(run) = event {
            self.security_of(&mut state, run);
        }
        let (id, probe) = (&event.run().id.0, &event.run().probe.name);
        match event {
            RunEvent::Started(run) | RunEvent::Stage(run, _) => {
                if run.finished.is_none() && state.open.entry(probe.clone()).or_default().insert(id.clone()) {
                    self.in_progress.inc();
                }
            }
            RunEvent::Finished(run) => {
                if state.open.get_mut(probe).is_some_and(|open| open.remove(id)) {
                    self.in_progress.dec();
                }
                state.exposed.retain(|(exposed, _)| exposed != id);
                if let Some(known) = state.probes.get_mut(probe) {
                    self.finished(known, run);
                }
            }
            RunEvent::Late(run) => {
                if let Some(known) = state.probes.get_mut(probe) {
                    self.late.add(&known.gateway(None), 1.0);
                    self.turned(known, run);
                }
            }
        }
        if let Some(known) = state.probes.get(probe) {
            self.running.set(&known.labels, flag(state.open.get(probe).is_some_and(|open| !open.is_empty())));
        }
    }

    fn show_open(&self, state: &State) {
        self.in_progress.set(state.open.values().map(BTreeSet::len).sum::<usize>() as f64);
        for (name, known) in &state.probes {
            self.running.set(&known.labels, flag(state.open.get(name).is_some_and(|open| !open.is_empty())));
        }
    }

    fn show_leftovers(&self, state: &State) {
        let mut sums: BTreeMap<&str, usize> = state.desks.iter().map(|desk| (desk.as_str(), 0)).collect();
        for known in state.probes.values() {
            if let Some(sum) = sums.get_mut(known.labels[1].as_str()) {
                *sum += known.leftovers;
            }
        }
        for (desk, sum) in sums {
            self.leftovers.set(&[desk], sum as f64);
        }
    }

    fn on_probe(&self, probe: &str, act: impl FnOnce(&Known)) {
        if let Some(known) = self.state().probes.get(probe) {
            act(known);
        }
    }

    /// A scheduled run was not started; `reason` is one of [`SKIP_REASONS`].
    pub fn skipped(&self, probe: &str, reason: &str) {
        let reason = SKIP_REASONS.into_iter().find(|known| *known == reason).unwrap_or("error");
        self.on_probe(probe, |known| self.skipped.add(&known.with(&[reason]), 1.0));
    }

    /// Whether the probe is paused or in maintenance.
    pub fn paused(&self, probe: &str, paused: bool) {
        self.on_probe(probe, |known| self.paused.set(&known.labels, flag(paused)));
    }

    /// When the next result is due at the latest; none: nothing is scheduled.
    pub fn expected(&self, probe: &str, at: Option<Timestamp>) {
        self.on_probe(probe, |known| match at {
            Some(_) => self.expected.set(&known.labels, seconds(at)),
            None => self.expected.remove(&known.labels),
        });
    }

    /// The scheduler looked for due probes.
    pub fn tick(&self, now: Timestamp) {
        self.tick.set(seconds(Some(now)));
    }

    /// The configuration was loaded (`Some`) or a reload was refused.
    pub fn reloaded(&self, loaded: Option<Timestamp>) {
        self.reload_ok.set(flag(loaded.is_some()));
        if loaded.is_some() {
            self.reload_at.set(seconds(loaded));
        }
    }

    /// How long a probe may be unknown before that is an alert of its own.
    pub fn blind_after(&self, time: Duration) {
        self.blind_after.set(time.as_secs_f64());
    }

    /// The store could not do a step.
    pub fn store_error(&self) {
        self.store_errors.inc();
    }

    /// Whether the last call to a desk's API was answered.
    pub fn desk_up(&self, desk: &str, up: bool) {
        if self.state().desks.contains(desk) {
            self.desk_up.set(&[desk], flag(up));
        }
    }

    /// Whether the last look into an account's mailbox worked.
    pub fn mailbox_up(&self, account: &str, up: bool) {
        if self.state().accounts.contains(account) {
            self.mailbox_up.set(&[account], flag(up));
        }
    }

    /// The exposition in text format 0.0.4.
    ///
    /// # Errors
    /// When a family cannot be written.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.process.refresh();
        let mut out = String::with_capacity(self.length.load(Ordering::Relaxed) + 4096);
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut out)?;
        for family in &self.families {
            family.encode(&mut out)?;
        }
        self.length.store(out.len(), Ordering::Relaxed);
        Ok(out)
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
