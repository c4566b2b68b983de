//! The families of metrics, and which series of them exist from the start.

use super::certificates::Certificates;
use super::family::Family;
use super::known::Known;
use super::process::Process;
use super::series::touch;
use super::{Metrics, NO_STAGE, SKIP_REASONS, security};
use crate::diagnosis::catalogue;
use crate::model::Stage;
use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{Counter, Gauge, HistogramOpts, HistogramVec, Registry};
use std::cell::RefCell;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

const PROBE: [&str; 4] = ["probe", "desk", "channel", "gateway"];
const PROBE_STAGE: [&str; 5] = ["probe", "desk", "channel", "gateway", "stage"];
const TRIGGERS: [&str; 2] = ["scheduled", "manual"];
const BUCKETS: [f64; 14] = [0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
/// Clocks of people: in a chat answers come after seconds, elsewhere after minutes, hours and weekends.
const CLOCK: [f64; 19] = [
    0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0,
    604_800.0,
];

pub(super) fn registered<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
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
        let families = RefCell::new(Vec::new());
        let family = |kind: MetricType, name: &str, labels: &[&str], help: &str| {
            let family = Arc::new(Family::new(kind, &format!("replypath_{name}"), labels, help)?);
            families.borrow_mut().push(Arc::clone(&family));
            Ok::<_, prometheus::Error>(family)
        };
        let gauges = |name: &str, labels: &[&str], help: &str| family(MetricType::GAUGE, name, labels, help);
        let counters = |name: &str, labels: &[&str], help: &str| family(MetricType::COUNTER, name, labels, help);
        let build = gauges("build_info", &["version", "revision"], "A constant 1 with the version as labels.")?;
        build.set(&[env!("CARGO_PKG_VERSION"), option_env!("REPLYPATH_REVISION").unwrap_or("unknown")], 1.0);
        let titles = gauges("fault_info", &["fault", "title"], "A constant 1 for each fault that can be named, with its title.")?;
        for fault in catalogue::all() {
            titles.set(&[&fault.id, &fault.title], 1.0);
        }
        let histogram = HistogramOpts::new("replypath_stage_duration_seconds", "How long stages took in passed scheduled runs.").buckets(BUCKETS.to_vec());
        let clock = |name: &str, help: &str| {
            let options = HistogramOpts::new(format!("replypath_{name}"), help).buckets(CLOCK.to_vec());
            registered(r, HistogramVec::new(options, &["desk", "channel", "gateway"])?)
        };
        Ok(Metrics {
            probe_info: gauges("probe_info", &["probe", "desk", "channel", "gateway", "queue", "owner", "schedule"], "A constant 1 for each configured probe, with what describes it.")?,
            success: gauges("probe_success", &PROBE, "Verdict of the last scheduled run that passed or failed: 1 all stages passed, 0 not.")?,
            unknown: gauges("probe_unknown", &PROBE, "1 if the last scheduled run could not tell, for a reason of our own.")?,
            duration: gauges("probe_duration_seconds", &PROBE, "How long the last scheduled run that passed or failed took, start to verdict.")?,
            consecutive: gauges("probe_consecutive_failures", &PROBE, "Scheduled runs that failed since the last one that passed.")?,
            failing_since: gauges("probe_failing_since_timestamp_seconds", &PROBE, "When the first of the scheduled runs began that failed since the last one that passed; 0 if none did.")?,
            unknown_since: gauges("probe_unknown_since_timestamp_seconds", &PROBE, "When the first of the last scheduled runs ended that could not tell; 0 if the last one could.")?,
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
            landing: clock("landing_seconds", "From the customer's request to its ticket, in scheduled runs in which it landed.")?,
            acknowledgement: clock("acknowledgement_seconds", "From the customer's request to its acknowledgement, in scheduled runs in which it came.")?,
            human_answer: clock("human_answer_seconds", "From the customer's request to the answer of a person, in scheduled runs in which it came.")?,
            fault: gauges("probe_fault", &["probe", "stage", "fault", "blame"], "1 while the last scheduled run did not pass: where, by which fault, on whose side; a failure stays beside a later run that could not tell.")?,
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
            blind_after: gauge("watch_blind_after_seconds", "How long a probe may be unknown before that is an alert of its own.")?,
            process: Process::new(r)?,
            state: Mutex::default(),
            length: AtomicUsize::new(0),
            families: families.take(),
            registry,
        })
    }

    /// Makes every series of a probe exist that can.
    pub(super) fn introduce(&self, known: &Known) {
        self.probe_info.set(&known.with(&[&known.info[0], &known.info[1], &known.info[2]]), 1.0);
        let since = [&self.failing_since, &self.unknown_since];
        let others = [&self.unknown, &self.consecutive, &self.last_run, &self.last_success, &self.paused, &self.running];
        for vec in since.into_iter().chain(others) {
            vec.touch(&known.labels);
        }
        for reason in SKIP_REASONS {
            self.skipped.touch(&known.with(&[reason]));
        }
        for fault in security::faults() {
            self.security.touch(&[&known.labels[0], fault]);
            self.security_faults.touch(&[&known.labels[0], fault]);
        }
        for trigger in TRIGGERS {
            self.runs.touch(&known.with(&[trigger]));
            self.unknowns.touch(&known.with(&[trigger, NO_STAGE]));
            self.failures.touch(&known.with(&[trigger, NO_STAGE]));
            for stage in &known.stages {
                self.unknowns.touch(&known.with(&[trigger, stage.as_str()]));
                if *stage != Stage::CleanUp {
                    self.failures.touch(&known.with(&[trigger, stage.as_str()]));
                }
            }
        }
        for (stage, limit) in &known.limits {
            self.stage_limit.set(&known.with(&[stage.as_str()]), *limit);
            touch(&self.stage_seconds, &known.gateway(Some(*stage)));
        }
        self.late.touch(&known.gateway(None));
        for (clock, counted) in self.clocks().into_iter().zip(known.clocks) {
            if counted {
                touch(clock, &known.gateway(None));
            }
        }
    }

    /// Removes every series of a probe.
    pub(super) fn forget(&self, known: &Known) {
        self.probe_info.remove(&known.with(&[&known.info[0], &known.info[1], &known.info[2]]));
        let flat = [&self.success, &self.duration, &self.unknown, &self.consecutive, &self.last_run, &self.last_success];
        for vec in flat.into_iter().chain([&self.failing_since, &self.unknown_since, &self.expected, &self.paused, &self.running]) {
            vec.remove(&known.labels);
        }
        for named in &known.named {
            self.fault.remove(&named.labels(&known.labels[0]));
        }
        for reason in SKIP_REASONS {
            self.skipped.remove(&known.with(&[reason]));
        }
        for fault in security::faults() {
            self.security.remove(&[&known.labels[0], fault]);
            self.security_faults.remove(&[&known.labels[0], fault]);
        }
        for stage in Stage::ALL.map(Stage::as_str) {
            for vec in [&self.stage_success, &self.stage_last, &self.stage_limit] {
                vec.remove(&known.with(&[stage]));
            }
        }
        for trigger in TRIGGERS {
            self.runs.remove(&known.with(&[trigger]));
            for stage in Stage::ALL.map(Stage::as_str).into_iter().chain([NO_STAGE]) {
                self.unknowns.remove(&known.with(&[trigger, stage]));
                self.failures.remove(&known.with(&[trigger, stage]));
            }
        }
    }

    /// The clocks, in the order of [`Known::clocks`].
    pub(super) fn clocks(&self) -> [&HistogramVec; 3] {
        [&self.landing, &self.acknowledgement, &self.human_answer]
    }
}
