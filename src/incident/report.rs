//! The published form of incidents: the JSON document of `replypath incidents --report json` and of the API.

use super::{Affected, End, Incident};
use crate::model::{Blame, Severity, Stage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The document of `replypath incidents --report json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IncidentsReport {
    /// Always 1.
    pub schema: u32,
    /// When it was made, RFC 3339.
    pub at: String,
    /// Incidents that ended before are not listed, RFC 3339.
    pub since: String,
    /// When the newest scheduled verdict was given, RFC 3339; null when there is none. What happened after it nobody has seen.
    pub newest_verdict: Option<String>,
    /// Those that last first, the worst first; then the others, newest first.
    pub incidents: Vec<IncidentReport>,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IncidentReport {
    /// The id of its first run; stays the same while it lasts.
    pub incident: String,
    /// True while it lasts.
    pub open: bool,
    /// `fail`, or `unknown` for a time in which nobody could tell.
    pub verdict: String,
    /// One sentence: whom it hits, what, where, since when, last good. Times are UTC.
    pub sentence: String,
    /// The shared way in and out.
    pub gateway: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// The earliest stage that failed or could not be judged.
    pub stage: Option<String>,
    /// The fault that the evidence singles out.
    pub fault: Option<String>,
    /// Ranked fault ids.
    pub candidates: Vec<String>,
    /// `desk`, `channel`, `provider` or `monitor`.
    pub blame: Option<String>,
    /// `minor`, `major` or `critical`.
    pub severity: Option<String>,
    /// True when private content was exposed.
    pub security: bool,
    /// False for one failed run alone, which may be chance.
    pub confirmed: bool,
    /// Begin of the first run that met it, RFC 3339.
    pub since: String,
    /// When it ended, RFC 3339.
    pub until: Option<String>,
    /// How it ended: `passed`, `moved` (the next run failed at another stage), `told` (a run could tell again, and failed) or
    /// `removed` (its probe is no longer configured).
    pub end: Option<String>,
    /// When the last pass before it finished, RFC 3339.
    pub last_good: Option<String>,
    /// When it was last met, RFC 3339.
    pub last_seen: String,
    /// Whom it hits, the first one first.
    pub probes: Vec<AffectedReport>,
    /// How many probes are configured behind the gateway.
    pub probes_behind_gateway: usize,
    /// Its newest runs, newest first.
    pub runs: Vec<String>,
    /// How many runs met it.
    pub run_count: u64,
    /// Who looks after what it hits, comma-separated.
    pub owner: String,
}

/// One probe in an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AffectedReport {
    /// Its name.
    pub probe: String,
    /// Begin of its first run in this trouble, RFC 3339.
    pub since: String,
    /// When its trouble ended, RFC 3339.
    pub until: Option<String>,
    /// When its last pass before finished, RFC 3339.
    pub last_good: Option<String>,
    /// Its first run in this trouble.
    pub first_run: String,
    /// Its newest run in this trouble.
    pub last_run: String,
}

impl End {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Passed => "passed",
            End::Moved => "moved",
            End::Told => "told",
            End::Removed => "removed",
        }
    }
}

impl IncidentReport {
    /// The published form of `incident`, as of `now`.
    pub fn of(incident: &Incident, now: Timestamp) -> IncidentReport {
        let word = |text: &'static str| text.to_owned();
        IncidentReport {
            incident: incident.id.0.clone(),
            open: incident.is_open(),
            verdict: word(incident.verdict.as_str()),
            sentence: incident.sentence(now),
            gateway: incident.gateway.clone(),
            channel: incident.channel.clone(),
            stage: incident.stage.map(Stage::as_str).map(word),
            fault: incident.fault.clone(),
            candidates: incident.candidates.clone(),
            blame: incident.blame.map(Blame::as_str).map(word),
            severity: incident.severity.map(Severity::as_str).map(word),
            security: incident.security,
            confirmed: incident.is_confirmed(),
            since: incident.since.to_string(),
            until: time(incident.until),
            end: incident.end.map(End::as_str).map(word),
            last_good: time(incident.last_good),
            last_seen: incident.last_seen.to_string(),
            probes: incident.probes.iter().map(AffectedReport::of).collect(),
            probes_behind_gateway: incident.behind,
            runs: incident.runs.iter().map(|r| r.0.clone()).collect(),
            run_count: incident.count,
            owner: incident.owner.clone(),
        }
    }
}

impl AffectedReport {
    fn of(affected: &Affected) -> AffectedReport {
        AffectedReport {
            probe: affected.probe.clone(),
            since: affected.since.to_string(),
            until: time(affected.until),
            last_good: time(affected.last_good),
            first_run: affected.first_run.0.clone(),
            last_run: affected.last_run.0.clone(),
        }
    }
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// The JSON schema of the document.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<IncidentsReport>().to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), "replypath incidents".into());
    }
    schema
}
