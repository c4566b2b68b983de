//! Every metric name and label of replypath, and how run events move them.
//!
//! Verdict gauges come from scheduled runs only and are restored from the store after a restart; runs started
//! by hand move counters with `trigger="manual"` and nothing else. Every counter exists from the start with 0.
//! What a probe's labels are is fixed when it is configured: an event of a probe that is not is counted nowhere.

mod certificates;
mod known;
mod process;
mod security;
mod series;

pub use certificates::Certificates;
pub use known::schedule_text;

use crate::engine::ports::{ProbeStanding, RunEvent};
use crate::model::{Outcome, Probe, Run, Stage, Trigger, Verdict};
use jiff::Timestamp;
use known::Known;
use process::Process;
use prometheus::core::Collector;
use prometheus::{Counter, CounterVec, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder};
use series::{add, between, bump, drop_series, flag, seconds, set, touch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

/// The Content-Type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why a scheduled run was not started: the closed list of `replypath_runs_skipped_total{reason}`.
pub const SKIP_REASONS: [&str; 5] = ["overlap", "maintenance", "paused", "budget", "error"];

const PROBE: [&str; 4] = ["probe", "desk", "channel", "gateway"];
const PROBE_STAGE: [&str; 5] = ["probe", "desk", "channel", "gateway", "stage"];
const TRIGGERS: [&str; 2] = ["scheduled", "manual"];
const BUCKETS: [f64; 14] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
/// The `stage` of an unknown run that names none.
const NO_STAGE: &str = "none";

/// All metrics of one process.
pub struct Metrics {
    registry: Registry,
    probe_info: GaugeVec,
    success: GaugeVec,
    unknown: GaugeVec,
    duration: GaugeVec,
    consecutive: GaugeVec,
    last_run: GaugeVec,
    last_success: GaugeVec,
    expected: GaugeVec,
    paused: GaugeVec,
    running: GaugeVec,
    stage_success: GaugeVec,
    stage_last: GaugeVec,
    stage_limit: GaugeVec,
    runs: CounterVec,
    failures: CounterVec,
    unknowns: CounterVec,
    skipped: CounterVec,
    stage_seconds: HistogramVec,
    late: CounterVec,
    security: GaugeVec,
    security_faults: CounterVec,
    leftovers: GaugeVec,
    desk_up: GaugeVec,
    mailbox_up: GaugeVec,
    /// The ends of certificates.
    pub certificates: Certificates,
    tick: Gauge,
    in_progress: Gauge,
    reload_ok: Gauge,
    reload_at: Gauge,
    store_errors: Counter,
    process: Process,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    probes: BTreeMap<String, Known>,
    desks: BTreeSet<String>,
    accounts: BTreeSet<String>,
    /// Runs under way, with their probe.
    open: BTreeMap<String, String>,
    /// Faults of runs under way that were counted already.
    exposed: BTreeSet<(String, String)>,
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

impl Metrics {
    /// Registers every metric. Nothing is exposed for probes before [`Metrics::configure`].
    ///
    /// # Errors
    /// Only for a name or label that Prometheus does not allow.
    #[rustfmt::skip]
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        let gauge = |name: &str, help: &str| registered(r, Gauge::new(format!("replypath_{name}"), help)?);
        let gauges = |name: &str, labels: &[&str], help: &str| registered(r, GaugeVec::new(Opts::new(format!("replypath_{name}"), help), labels)?);
        let counters = |name: &str, labels: &[&str], help: &str| registered(r, CounterVec::new(Opts::new(format!("replypath_{name}"), help), labels)?);
        let build = gauges("build_info", &["version", "revision"], "A constant 1 with the version as labels.")?;
        set(&build, &[env!("CARGO_PKG_VERSION"), option_env!("REPLYPATH_REVISION").unwrap_or("unknown")], 1.0);
        let histogram = HistogramOpts::new("replypath_stage_duration_seconds", "How long stages took in passed scheduled runs.").buckets(BUCKETS.to_vec());
        Ok(Metrics {
            probe_info: gauges("probe_info", &["probe", "desk", "channel", "gateway", "queue", "owner", "schedule"], "A constant 1 for each configured probe, with what describes it.")?,
            success: gauges("probe_success", &PROBE, "Verdict of the last scheduled run that passed or failed: 1 all stages passed, 0 not.")?,
            unknown: gauges("probe_unknown", &PROBE, "1 if the last scheduled run could not tell, for a reason of our own.")?,
            duration: gauges("probe_duration_seconds", &PROBE, "How long the last scheduled run that passed or failed took, start to verdict.")?,
            consecutive: gauges("probe_consecutive_failures", &PROBE, "Scheduled runs that failed since the last one that passed.")?,
            last_run: gauges("probe_last_run_timestamp_seconds", &PROBE, "When the last scheduled run finished; 0 before the first.")?,
            last_success: gauges("probe_last_success_timestamp_seconds", &PROBE, "When the last scheduled run that passed finished; 0 before the first.")?,
            expected: gauges("probe_expected_timestamp_seconds", &PROBE, "When the next scheduled result is due at the latest; absent for a probe without a schedule.")?,
            paused: gauges("probe_paused", &PROBE, "1 while the probe is paused or in maintenance.")?,
            running: gauges("probe_running", &PROBE, "1 while a run of the probe is under way.")?,
            stage_success: gauges("stage_success", &PROBE_STAGE, "Verdict of a stage in the last scheduled run that passed or failed; absent if not reached.")?,
            stage_last: gauges("stage_last_duration_seconds", &PROBE_STAGE, "How long a stage took in the last scheduled run that passed or failed.")?,
            stage_limit: gauges("stage_limit_seconds", &PROBE_STAGE, "How long a stage may take before it fails.")?,
            runs: counters("runs_total", &["probe", "desk", "channel", "gateway", "trigger"], "Finished runs, whatever their verdict.")?,
            failures: counters("run_failures_total", &["probe", "desk", "channel", "gateway", "trigger", "stage"], "Finished runs that failed, by the earliest stage that failed.")?,
            unknowns: counters("run_unknowns_total", &["probe", "desk", "channel", "gateway", "trigger", "stage"], "Finished runs that could not tell, by the earliest stage that could not be judged.")?,
            skipped: counters("runs_skipped_total", &["probe", "desk", "channel", "gateway", "reason"], "Scheduled runs that were not started.")?,
            stage_seconds: registered(r, HistogramVec::new(histogram, &["desk", "channel", "gateway", "stage"])?)?,
            late: counters("late_arrivals_total", &["desk", "channel", "gateway"], "Test messages that arrived after their run had its verdict.")?,
            security: gauges("probe_security_fault", &["probe", "fault"], "1 while the last scheduled run that could tell showed that private content reached the wrong eyes; set before that run ends.")?,
            security_faults: counters("security_faults_total", &["probe", "fault"], "Runs that showed that private content reached the wrong eyes, however they were started.")?,
            leftovers: gauges("leftovers", &["desk"], "Tickets and mails that the last run of each probe could not remove.")?,
            desk_up: gauges("desk_up", &["desk"], "1 if the last call to the desk's API was answered.")?,
            mailbox_up: gauges("mailbox_up", &["account"], "1 if the last look into the mailbox worked.")?,
            certificates: Certificates::new(gauges("certificate_expiry_timestamp_seconds", &["of"], "When the certificate that a desk, form, chat or mail exchanger shows ends.")?),
            tick: gauge("scheduler_last_tick_timestamp_seconds", "When the scheduler last looked for due probes.")?,
            in_progress: gauge("runs_in_progress", "Runs under way.")?,
            reload_ok: gauge("config_last_reload_successful", "1 if the last reload of the configuration was accepted.")?,
            reload_at: gauge("config_last_reload_success_timestamp_seconds", "When the running configuration was loaded.")?,
            store_errors: registered(r, Counter::new("replypath_store_errors_total", "Steps that the store could not do.")?)?,
            process: Process::new(r)?,
            state: Mutex::default(),
            registry,
        })
    }

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
                    new.last = old.last.clone();
                    new.leftovers = old.leftovers;
                    new.security = old.security.clone();
                }
                _ => self.forget(old),
            }
        }
        for known in wanted.values() {
            self.introduce(known);
        }
        let gateways = |known: &BTreeMap<String, Known>| known.values().map(|k| k.gateway(None)).collect::<BTreeSet<_>>();
        for gone in gateways(&state.probes).difference(&gateways(&wanted)) {
            drop_series(&self.late, gone);
            for stage in Stage::ALL {
                let labels: Vec<String> = gone.iter().cloned().chain([stage.as_str().to_owned()]).collect();
                drop_series(&self.stage_seconds, &labels);
            }
        }
        let desks: BTreeSet<String> = desks.into_iter().map(str::to_owned).collect();
        for gone in state.desks.difference(&desks) {
            drop_series(&self.desk_up, &[gone]);
            drop_series(&self.leftovers, &[gone]);
        }
        let accounts: BTreeSet<String> = accounts.into_iter().map(str::to_owned).collect();
        for gone in state.accounts.difference(&accounts) {
            drop_series(&self.mailbox_up, &[gone]);
        }
        for new in desks.difference(&state.desks) {
            touch(&self.desk_up, &[new]);
        }
        for new in accounts.difference(&state.accounts) {
            touch(&self.mailbox_up, &[new]);
        }
        *state =
            State { probes: wanted, desks, accounts, open: std::mem::take(&mut state.open), exposed: std::mem::take(&mut state.exposed) };
        self.show_leftovers(&state);
        self.show_open(&state);
    }

    fn introduce(&self, known: &Known) {
        set(&self.probe_info, &known.with(&[&known.info[0], &known.info[1], &known.info[2]]), 1.0);
        for vec in [&self.unknown, &self.consecutive, &self.last_run, &self.last_success, &self.paused, &self.running] {
            touch(vec, &known.labels);
        }
        for reason in SKIP_REASONS {
            touch(&self.skipped, &known.with(&[reason]));
        }
        for fault in security::faults() {
            touch(&self.security, &[&known.labels[0], fault]);
            touch(&self.security_faults, &[&known.labels[0], fault]);
        }
        for trigger in TRIGGERS {
            touch(&self.runs, &known.with(&[trigger]));
            touch(&self.unknowns, &known.with(&[trigger, NO_STAGE]));
            for stage in &known.stages {
                touch(&self.unknowns, &known.with(&[trigger, stage.as_str()]));
                if *stage != Stage::CleanUp {
                    touch(&self.failures, &known.with(&[trigger, stage.as_str()]));
                }
            }
        }
        for (stage, limit) in &known.limits {
            set(&self.stage_limit, &known.with(&[stage.as_str()]), *limit);
            touch(&self.stage_seconds, &known.gateway(Some(*stage)));
        }
        touch(&self.late, &known.gateway(None));
    }

    fn forget(&self, known: &Known) {
        drop_series(&self.probe_info, &known.with(&[&known.info[0], &known.info[1], &known.info[2]]));
        let flat = [&self.success, &self.duration, &self.unknown, &self.consecutive, &self.last_run, &self.last_success];
        for vec in flat.into_iter().chain([&self.expected, &self.paused, &self.running]) {
            drop_series(vec, &known.labels);
        }
        for reason in SKIP_REASONS {
            drop_series(&self.skipped, &known.with(&[reason]));
        }
        for fault in security::faults() {
            drop_series(&self.security, &[&known.labels[0], fault]);
            drop_series(&self.security_faults, &[&known.labels[0], fault]);
        }
        for stage in Stage::ALL.map(Stage::as_str) {
            for vec in [&self.stage_success, &self.stage_last, &self.stage_limit] {
                drop_series(vec, &known.with(&[stage]));
            }
        }
        for trigger in TRIGGERS {
            drop_series(&self.runs, &known.with(&[trigger]));
            for stage in Stage::ALL.map(Stage::as_str).into_iter().chain([NO_STAGE]) {
                drop_series(&self.unknowns, &known.with(&[trigger, stage]));
                drop_series(&self.failures, &known.with(&[trigger, stage]));
            }
        }
    }

    /// Sets the verdict gauges to what the store remembers.
    pub fn restore(&self, standings: &[ProbeStanding]) {
        let mut state = self.state();
        for standing in standings {
            let Some(known) = state.probes.get_mut(&standing.probe) else { continue };
            if let Some(run) = &standing.last_judged {
                self.show_judged(known, run);
                self.show_security(known, run, true);
            }
            if let Some((run, verdict)) = standing.last.as_ref().and_then(|r| r.diagnosis.as_ref().map(|d| (r, d.verdict))) {
                set(&self.last_run, &known.labels, seconds(run.finished));
                set(&self.unknown, &known.labels, flag(verdict == Verdict::Unknown));
                known.last = Some((run.id.0.clone(), verdict));
                known.leftovers = run.leftovers.len();
            }
            set(&self.last_success, &known.labels, seconds(standing.last_pass));
            set(&self.consecutive, &known.labels, f64::from(standing.failures_in_a_row));
        }
        self.show_leftovers(&state);
    }

    /// Says which runs were under way when this process began.
    pub fn resume(&self, open: &[Run]) {
        let mut state = self.state();
        state.open.extend(open.iter().map(|r| (r.id.0.clone(), r.probe.name.clone())));
        self.show_open(&state);
    }

    /// Takes in what happened in a run.
    pub fn observe(&self, event: &RunEvent) {
        let mut state = self.state();
        if let RunEvent::Stage(run, _) | RunEvent::Finished(run) | RunEvent::Late(run) = event {
            self.security_of(&mut state, run);
        }
        match event {
            RunEvent::Started(run) | RunEvent::Stage(run, _) => {
                if run.finished.is_none() {
                    state.open.insert(run.id.0.clone(), run.probe.name.clone());
                }
            }
            RunEvent::Finished(run) => {
                state.open.remove(&run.id.0);
                state.exposed.retain(|(id, _)| *id != run.id.0);
                if let Some(known) = state.probes.get_mut(&run.probe.name) {
                    self.finished(known, run);
                }
                self.show_leftovers(&state);
            }
            RunEvent::Late(run) => {
                if let Some(known) = state.probes.get_mut(&run.probe.name) {
                    add(&self.late, &known.gateway(None));
                    self.turned(known, run);
                }
            }
        }
        self.show_open(&state);
    }

    fn finished(&self, known: &mut Known, run: &Run) {
        let Some(diagnosis) = &run.diagnosis else { return };
        let stage = diagnosis.stage.filter(|s| known.stages.contains(s)).map_or(NO_STAGE, Stage::as_str);
        let trigger = run.trigger.as_str();
        add(&self.runs, &known.with(&[trigger]));
        match diagnosis.verdict {
            Verdict::Pass => {}
            Verdict::Fail => add(&self.failures, &known.with(&[trigger, stage])),
            Verdict::Unknown => add(&self.unknowns, &known.with(&[trigger, stage])),
        }
        known.leftovers = run.leftovers.len();
        if run.trigger != Trigger::Scheduled {
            return;
        }
        known.last = Some((run.id.0.clone(), diagnosis.verdict));
        set(&self.last_run, &known.labels, seconds(run.finished));
        set(&self.unknown, &known.labels, flag(diagnosis.verdict == Verdict::Unknown));
        match diagnosis.verdict {
            Verdict::Unknown => return,
            Verdict::Fail => bump(&self.consecutive, &known.labels),
            Verdict::Pass => {
                set(&self.consecutive, &known.labels, 0.0);
                set(&self.last_success, &known.labels, seconds(run.finished));
                for (stage, took) in
                    run.stages.iter().filter_map(|(s, r)| Some((*s, r.opened?, r.closed?))).map(|(s, a, b)| (s, between(a, b)))
                {
                    if let Ok(histogram) = self.stage_seconds.get_metric_with_label_values(&known.gateway(Some(stage))) {
                        histogram.observe(took);
                    }
                }
            }
        }
        self.show_judged(known, run);
    }

    /// A pass that a late finding turned into a failure.
    fn turned(&self, known: &mut Known, run: &Run) {
        let Some(d) = run.diagnosis.as_ref().filter(|d| d.verdict == Verdict::Fail) else { return };
        if known.last.as_ref().is_none_or(|(id, verdict)| *id != run.id.0 || *verdict != Verdict::Pass) {
            return;
        }
        known.last = Some((run.id.0.clone(), Verdict::Fail));
        let stage = d.stage.filter(|s| known.stages.contains(s)).map_or(NO_STAGE, Stage::as_str);
        add(&self.failures, &known.with(&[run.trigger.as_str(), stage]));
        bump(&self.consecutive, &known.labels);
        self.show_judged(known, run);
    }

    fn show_judged(&self, known: &Known, run: &Run) {
        let Some(diagnosis) = &run.diagnosis else { return };
        set(&self.success, &known.labels, flag(diagnosis.verdict == Verdict::Pass));
        set(&self.duration, &known.labels, between(run.started, run.finished.unwrap_or(run.started)));
        for stage in Stage::ALL {
            let labels = known.with(&[stage.as_str()]);
            let record = run.stages.get(&stage).cloned().unwrap_or_default();
            match record.outcome {
                Some(Outcome::Pass) => set(&self.stage_success, &labels, 1.0),
                Some(Outcome::Fail) => set(&self.stage_success, &labels, 0.0),
                _ => drop_series(&self.stage_success, &labels),
            }
            match record.opened.zip(record.closed) {
                Some((from, to)) => set(&self.stage_last, &labels, between(from, to)),
                None => drop_series(&self.stage_last, &labels),
            }
        }
    }

    fn show_leftovers(&self, state: &State) {
        for desk in &state.desks {
            let sum: usize = state.probes.values().filter(|k| k.labels[1] == *desk).map(|k| k.leftovers).sum();
            set(&self.leftovers, &[desk], sum as f64);
        }
    }

    fn show_open(&self, state: &State) {
        self.in_progress.set(state.open.len() as f64);
        for (name, known) in &state.probes {
            set(&self.running, &known.labels, flag(state.open.values().any(|probe| probe == name)));
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
        self.on_probe(probe, |known| add(&self.skipped, &known.with(&[reason])));
    }

    /// Whether the probe is paused or in maintenance.
    pub fn paused(&self, probe: &str, paused: bool) {
        self.on_probe(probe, |known| set(&self.paused, &known.labels, flag(paused)));
    }

    /// When the next result is due at the latest; none: nothing is scheduled.
    pub fn expected(&self, probe: &str, at: Option<Timestamp>) {
        self.on_probe(probe, |known| match at {
            Some(_) => set(&self.expected, &known.labels, seconds(at)),
            None => drop_series(&self.expected, &known.labels),
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

    /// The store could not do a step.
    pub fn store_error(&self) {
        self.store_errors.inc();
    }

    /// Whether the last call to a desk's API was answered.
    pub fn desk_up(&self, desk: &str, up: bool) {
        if self.state().desks.contains(desk) {
            set(&self.desk_up, &[desk], flag(up));
        }
    }

    /// Whether the last look into an account's mailbox worked.
    pub fn mailbox_up(&self, account: &str, up: bool) {
        if self.state().accounts.contains(account) {
            set(&self.mailbox_up, &[account], flag(up));
        }
    }

    /// The exposition in text format 0.0.4.
    ///
    /// # Errors
    /// When a family cannot be written.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.process.refresh();
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
