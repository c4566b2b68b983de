//! Between domain types and rows: serialised outside the writer's thread, read back outside it too.

use super::history;
use crate::clock::after;
use crate::engine::ports::{Claimed, StoreError};
use crate::model::{Delivery, Observation, Phase, Run, RunId, Verdict};
use jiff::Timestamp;
use std::borrow::Cow;
use std::time::Duration;

/// Longest text of an observation, in bytes; `Observation::raw` cuts at 16,000 and adds a mark.
const LONGEST_RAW: usize = 16_100;

/// The columns of a run by which it is found, and its JSON.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: RunId,
    pub(super) probe: String,
    pub(super) desk: Option<String>,
    pub(super) gateway: String,
    pub(super) account: String,
    pub(super) trigger: &'static str,
    pub(super) phase: &'static str,
    pub(super) verdict: Option<&'static str>,
    pub(super) stage: Option<&'static str>,
    pub(super) fault: Option<String>,
    pub(super) started: i64,
    pub(super) finished: Option<i64>,
    /// Time, UIDVALIDITY, next UID.
    pub(super) position: Option<(i64, u32, u32)>,
    pub(super) tokens: Vec<String>,
    pub(super) message_ids: Vec<String>,
    pub(super) json: String,
    /// How many observations the run has.
    pub(super) observations: i64,
    /// The first observation in `texts`.
    pub(super) kept: i64,
    /// What stays of the run in the history, once it has its verdict.
    pub(super) line: Option<String>,
    /// JSON of the observations from `kept` on.
    pub(super) texts: Vec<String>,
}

impl Row {
    /// Serialises `run` without its probe, leaving out its first `kept` observations.
    pub(super) fn of(run: &Run, kept: usize) -> Result<Row, StoreError> {
        let unstorable =
            |e: serde_json::Error| StoreError::Failed(format!("run {} cannot be stored: {e}; this is a defect of replypath", run.id));
        let diagnosis = run.diagnosis.as_ref();
        let texts = run.observations.iter().skip(kept).map(observation_json).collect::<Result<_, _>>().map_err(unstorable)?;
        Ok(Row {
            id: run.id.clone(),
            probe: run.probe.name.clone(),
            desk: run.probe.desk.clone(),
            gateway: run.probe.gateway.clone(),
            account: run.probe.account.clone(),
            trigger: run.trigger.as_str(),
            phase: phase(run.phase),
            verdict: diagnosis.map(|d| Verdict::as_str(d.verdict)),
            stage: diagnosis.and_then(|d| d.stage).map(|s| s.as_str()),
            fault: diagnosis.and_then(|d| d.fault.clone()),
            started: micros(run.started),
            finished: run.finished.map(micros),
            position: run.position.map(|p| (micros(p.at), p.uidvalidity, p.uid_next)),
            tokens: run.messages.iter().map(|m| m.token.0.clone()).collect(),
            message_ids: run.all_ids(),
            json: serde_json::to_string(run).map_err(unstorable)?,
            observations: count(run.observations.len()),
            kept: count(kept),
            line: history::line(run).map_err(unstorable)?,
            texts,
        })
    }

    /// The probe of a new run, to be stored once.
    pub(super) fn snapshot(run: &Run) -> Result<Snapshot, StoreError> {
        serde_json::to_string(&run.probe)
            .map(Snapshot::of)
            .map_err(|e| StoreError::Failed(format!("the probe of run {} cannot be stored: {e}; this is a defect of replypath", run.id)))
    }

    /// How many tokens and message ids the run has; they are only ever added.
    pub(super) fn marks(&self) -> i64 {
        count(self.tokens.len() + self.message_ids.len())
    }
}

/// A probe as it was when runs began: stored once for all runs that had the same, told apart by its hash.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// SHA-256 of `json`.
    pub(super) hash: Vec<u8>,
    pub(super) json: String,
}

impl Snapshot {
    pub(super) fn of(json: String) -> Snapshot {
        let hash = ring::digest::digest(&ring::digest::SHA256, json.as_bytes()).as_ref().to_vec();
        Snapshot { hash, json }
    }
}

/// Puts the probe back into a run's JSON, which is an object with other members.
/// None: an old run that could not be parted from its probe.
pub(super) fn whole<'a>(probe: Option<&str>, json: &'a str) -> Cow<'a, str> {
    match (probe, json.strip_prefix('{')) {
        (Some(probe), Some(rest)) => Cow::Owned(format!("{{\"probe\":{probe},{rest}")),
        _ => Cow::Borrowed(json),
    }
}

/// A run as it stands in the tables.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) probe: Option<String>,
    pub(super) json: String,
    pub(super) observations: Vec<String>,
}

impl Stored {
    /// The run with its observations.
    pub(super) fn parse(&self) -> Result<Run, StoreError> {
        let unreadable = |e: serde_json::Error| {
            StoreError::Failed(format!("run {} in the store cannot be read: {e}. Was it written by another version of replypath?", self.id))
        };
        let mut run: Run = serde_json::from_str(&whole(self.probe.as_deref(), &self.json)).map_err(unreadable)?;
        run.observations = self.observations.iter().map(|o| serde_json::from_str(o)).collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(run)
    }
}

/// A claimed run as it stands in the tables.
#[derive(Debug)]
pub(super) struct StoredClaim {
    pub(super) stored: Stored,
    pub(super) epoch: i64,
    pub(super) taken_over: bool,
    pub(super) deliveries: Vec<(i64, String)>,
}

impl StoredClaim {
    /// The run in hand.
    pub(super) fn parse(&self) -> Result<Claimed, StoreError> {
        let run = self.stored.parse()?;
        let mut deliveries = Vec::with_capacity(self.deliveries.len());
        for (number, json) in &self.deliveries {
            let delivery: Delivery = serde_json::from_str(json)
                .map_err(|e| StoreError::Failed(format!("a mail kept for run {} cannot be read: {e}", self.stored.id)))?;
            deliveries.push((*number, delivery));
        }
        Ok(Claimed { run, epoch: self.epoch.unsigned_abs(), deliveries, taken_over: self.taken_over })
    }
}

fn observation_json(observation: &Observation) -> serde_json::Result<String> {
    match &observation.raw {
        Some(raw) if raw.len() > LONGEST_RAW => {
            let mut short = observation.clone();
            let raw = short.raw.take().unwrap_or_default();
            serde_json::to_string(&short.raw(raw))
        }
        _ => serde_json::to_string(observation),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Active => "active",
        Phase::Inquiring => "inquiring",
        Phase::Settling => "settling",
        Phase::CleaningUp => "cleaning_up",
        Phase::Finished => "finished",
    }
}

/// A number of things as it is stored.
pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time as it is stored: UTC microseconds.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A stored time.
pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `at` and a duration later, as stored.
pub(super) fn micros_after(at: Timestamp, by: Duration) -> i64 {
    micros(after(at, by))
}

/// `at` and a duration earlier, as stored.
pub(super) fn micros_before(at: Timestamp, by: Duration) -> i64 {
    micros(at).saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}
