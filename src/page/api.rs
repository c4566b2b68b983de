//! The published forms of the JSON API under `/api/v1`. What a viewer must not see is left out here, in one place.

use super::board::{Seat, Seats};
use super::brief::{Brief, Cell};
use super::guard::Viewer;
use super::news::News;
use super::state::{State, detail};
use crate::incident::Incident;
use crate::incident::report::IncidentReport;
use crate::metrics::schedule_text;
use crate::model::{Blame, Outcome, RunReport, Trigger, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Every error of the API.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// What is wrong, in words.
    pub error: String,
    /// The run that is in the way, for a start that was refused because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// `/api/v1/status`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusReport {
    /// Always 1.
    pub schema: u32,
    /// The moment, RFC 3339.
    pub now: String,
    /// `ok`, `broken` or `unknown`.
    pub state: String,
    /// The sentence of the overview.
    pub sentence: String,
    /// All probes.
    pub probes: usize,
    /// How many probes are in each state that occurs: `broken`, `unknown`, `overdue`, `never`, `paused`, `ok`.
    pub counts: BTreeMap<String, usize>,
    /// What lasts, the worst first.
    pub incidents: Vec<IncidentReport>,
}

/// The published form of an incident; the public does not read who looks after what.
pub fn incident(incident: &Incident, viewer: Viewer, now: Timestamp) -> IncidentReport {
    let report = IncidentReport::of(incident, now);
    if viewer.sees_evidence() { report } else { IncidentReport { owner: String::new(), ..report } }
}

/// A run without its evidence.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BriefReport {
    /// Run id.
    pub run: String,
    /// `scheduled` or `manual`.
    pub trigger: String,
    /// `pass`, `fail` or `unknown`; null while under way.
    pub verdict: Option<String>,
    /// The earliest stage that failed or could not be judged.
    pub stage: Option<String>,
    /// The fault, else its first candidate.
    pub fault: Option<String>,
    /// Whose side.
    pub blame: Option<String>,
    /// True when private content was exposed.
    pub security: bool,
    /// Begin, RFC 3339.
    pub started: String,
    /// End, RFC 3339.
    pub finished: Option<String>,
}

impl BriefReport {
    /// The published form.
    pub fn of(run: &Brief) -> BriefReport {
        BriefReport {
            run: run.id.0.clone(),
            trigger: Trigger::as_str(run.trigger).to_owned(),
            verdict: run.verdict.map(|v| Verdict::as_str(v).to_owned()),
            stage: run.stage.map(|s| s.as_str().to_owned()),
            fault: run.fault.clone(),
            blame: run.blame.map(|b| Blame::as_str(b).to_owned()),
            security: run.security,
            started: run.started.to_string(),
            finished: run.finished.map(|at| at.to_string()),
        }
    }
}

/// One stage of the last run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CellReport {
    /// Stage name.
    pub stage: String,
    /// `pass`, `fail`, `unknown`, `skipped`, `not_reached` or `waiting`.
    pub outcome: String,
    /// How long it took.
    pub duration_seconds: Option<f64>,
    /// How long it may take.
    pub limit_seconds: Option<f64>,
}

/// A probe.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProbeReport {
    /// Its name.
    pub probe: String,
    /// For people.
    pub description: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// The desk's key; empty without a desk.
    pub desk: String,
    /// The shared way in and out.
    pub gateway: String,
    /// Who looks after it; empty for the public.
    pub owner: String,
    /// `every 15m`, `cron …`, `on demand`.
    pub schedule: String,
    /// `broken`, `unknown`, `overdue`, `never`, `paused` or `ok`.
    pub state: String,
    /// What stands beside the state, in words.
    pub detail: String,
    /// The last finished run by which it is judged.
    pub last: Option<BriefReport>,
    /// The end of the last pass, RFC 3339.
    pub last_pass: Option<String>,
    /// Fails since that pass.
    pub failures_in_a_row: u32,
    /// Since when every run ended unknown, RFC 3339.
    pub unknown_since: Option<String>,
    /// The next start, RFC 3339.
    pub next_start: Option<String>,
    /// When the next result is there at the latest, RFC 3339.
    pub expected_by: Option<String>,
    /// Runs under way.
    pub running: Vec<String>,
    /// The stages of the last run.
    pub stages: Vec<CellReport>,
}

impl ProbeReport {
    /// The published form.
    pub fn of(seat: &Seat, viewer: Viewer, now: Timestamp) -> ProbeReport {
        let (probe, state) = (&seat.probe, State::of(seat, now));
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let cell = |c: &Cell| CellReport {
            stage: c.stage.as_str().to_owned(),
            outcome: c.outcome.map_or("waiting", Outcome::as_str).to_owned(),
            duration_seconds: c.seconds,
            limit_seconds: probe.takes(c.stage).then(|| probe.limit(c.stage).as_secs_f64()),
        };
        ProbeReport {
            probe: probe.name.clone(),
            description: probe.description.clone(),
            channel: probe.channel_name().to_owned(),
            desk: probe.desk.clone().unwrap_or_default(),
            gateway: probe.gateway.clone(),
            owner: if viewer.sees_evidence() { probe.owner.clone() } else { String::new() },
            schedule: schedule_text(probe.schedule.as_ref()),
            state: state.id().to_owned(),
            detail: detail(seat, state, now),
            last: seat.last.as_ref().map(|l| BriefReport::of(&l.run)),
            last_pass: time(seat.last_pass),
            failures_in_a_row: seat.failures,
            unknown_since: time(seat.unknown_since),
            next_start: time(seat.due.next),
            expected_by: time(seat.due.expected),
            running: seat.running.keys().map(|id| id.0.clone()).collect(),
            stages: seat.last.iter().flat_map(|l| l.cells.iter().map(cell)).collect(),
        }
    }
}

/// `/api/v1/probes`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProbesReport {
    /// Always 1.
    pub schema: u32,
    /// By name.
    pub probes: Vec<ProbeReport>,
}

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListedRun {
    /// Its probe.
    pub probe: String,
    /// The run.
    #[serde(flatten)]
    pub run: BriefReport,
}

/// `/api/v1/runs`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunsReport {
    /// Always 1.
    pub schema: u32,
    /// Newest first.
    pub runs: Vec<ListedRun>,
}

/// The answer to a start.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StartedReport {
    /// The run's id.
    pub run: String,
}

/// The news as the API tells them.
pub fn status(news: &News, viewer: Viewer, now: Timestamp) -> StatusReport {
    StatusReport {
        schema: 1,
        now: now.to_string(),
        state: news.tone.to_owned(),
        sentence: news.sentence.clone(),
        probes: news.total,
        counts: news.counts.iter().map(|(state, n)| (state.id().to_owned(), *n)).collect(),
        incidents: news.incidents.iter().map(|i| incident(i, viewer, now)).collect(),
    }
}

/// Every probe.
pub fn probes(seats: &Seats, viewer: Viewer, now: Timestamp) -> ProbesReport {
    ProbesReport { schema: 1, probes: seats.values().map(|seat| ProbeReport::of(seat, viewer, now)).collect() }
}

/// A run; for the public without what its evidence holds, and with the fault's title instead of the summary.
pub fn run(mut report: RunReport, viewer: Viewer) -> RunReport {
    if viewer.sees_evidence() {
        return report;
    }
    report.summary = report.fault.as_deref().map(super::text::title).unwrap_or_default().to_owned();
    (report.ticket, report.conversation) = (None, None);
    report.notes.clear();
    report.context.clear();
    for stage in &mut report.stages {
        stage.checks.clear();
        stage.evidence.clear();
    }
    report
}
