//! What stays of a scheduled run when its evidence is gone: the verdict and the times that history is made of.

use super::{Blame, MailRole, Outcome, Phase, ReplyMode, Run, RunId, Severity, Stage, Trigger, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the check that holds an answer against the promise of the acknowledgement.
pub const PROMISE_CHECK: &str = "promise";

/// A finished scheduled run in short. Only these runs make and end incidents: what is started by hand says nothing about the
/// time between two looks. Many are stored for long, so what is not there is not written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The run.
    pub run: RunId,
    /// Its probe's name.
    pub probe: String,
    /// The shared way in and out.
    pub gateway: String,
    /// The desk's key; empty for a probe without a desk.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub desk: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// The queue that was expected; empty when it was not asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queue: String,
    /// Who looks after the path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Begin.
    pub started: Timestamp,
    /// The verdict's time.
    pub finished: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// The earliest stage that failed or could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The fault that the evidence singles out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Ranked fault ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Whose side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blame>,
    /// How bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// True when private content was exposed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub security: bool,
    /// How long stages took that passed, in seconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub took: BTreeMap<Stage, f64>,
    /// What the customer waited for.
    #[serde(default)]
    pub clocks: Clocks,
    /// True when a person writes the answer, false when the run does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub human: bool,
    /// Whether the promise of the acknowledgement was kept; none when it made none that can be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<bool>,
}

impl Judged {
    /// What stays of the run; none while it has no verdict, and for a run that no schedule started.
    pub fn of(run: &Run) -> Option<Judged> {
        let (diagnosis, finished) = run.diagnosis.as_ref().zip(run.finished)?;
        if run.trigger != Trigger::Scheduled || run.phase != Phase::Finished {
            return None;
        }
        let passed = run.stages.iter().filter(|(_, r)| r.outcome == Some(Outcome::Pass));
        let took = passed.filter_map(|(stage, r)| Some((*stage, seconds(r.opened?, r.closed?)))).collect();
        let returned = run.stages.get(&Stage::Return);
        let promise = returned.and_then(|r| r.checks.iter().find(|c| c.check == PROMISE_CHECK));
        Some(Judged {
            run: run.id.clone(),
            probe: run.probe.name.clone(),
            gateway: run.probe.gateway.clone(),
            desk: run.probe.desk.clone().unwrap_or_default(),
            channel: run.probe.channel_name().to_owned(),
            queue: run.probe.expect.queue.clone().unwrap_or_default(),
            owner: run.probe.owner.clone(),
            started: run.started,
            finished,
            verdict: diagnosis.verdict,
            stage: diagnosis.stage,
            fault: diagnosis.fault.clone(),
            candidates: diagnosis.candidates.clone(),
            blame: diagnosis.blame,
            severity: diagnosis.severity,
            security: diagnosis.security,
            took,
            clocks: Clocks::of(run),
            human: run.probe.reply.mode == ReplyMode::Await,
            promise: promise.and_then(|c| match c.outcome {
                Outcome::Pass => Some(true),
                Outcome::Fail => Some(false),
                _ => None,
            }),
        })
    }

    /// What stays of a run of the same probe that passed, without its times.
    pub fn passed(&self, run: RunId, started: Timestamp, finished: Timestamp) -> Judged {
        let (stage, fault, blame, severity, promise) = (None, None, None, None, None);
        let (candidates, security, took, clocks) = (Vec::new(), false, BTreeMap::new(), Clocks::default());
        let verdict = Verdict::Pass;
        Judged {
            run,
            started,
            finished,
            verdict,
            stage,
            fault,
            candidates,
            blame,
            severity,
            security,
            took,
            clocks,
            promise,
            ..self.clone()
        }
    }

    /// The fault that was singled out, else the likeliest one.
    pub fn likeliest(&self) -> Option<&str> {
        self.fault.as_deref().or_else(|| self.candidates.first().map(String::as_str))
    }
}

/// What a customer waits for: seconds from the moment at which the request was handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// Until there was a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed: Option<f64>,
    /// Until the acknowledgement was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<f64>,
    /// Until the answer was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<f64>,
}

impl Clocks {
    /// The clocks of the stages that passed.
    pub fn of(run: &Run) -> Clocks {
        let passed = |stage: Stage| run.stages.get(&stage).filter(|r| r.outcome == Some(Outcome::Pass));
        let sent = passed(Stage::Send).and_then(|r| r.closed).unwrap_or(run.started);
        // The mailbox's own time of arrival; a look may come later.
        let mail = |role: MailRole| {
            run.mails.iter().filter(|m| m.role == role).map(|m| m.mail.received.map_or(m.seen, |received| received.min(m.seen))).min()
        };
        let until = |stage: Stage, seen: Option<Timestamp>| {
            let closed = passed(stage)?.closed?;
            // Clocks of two machines: an answer before its request came at once.
            Some(seconds(sent, seen.map_or(closed, |seen| seen.min(closed))).max(0.0))
        };
        Clocks {
            landed: until(Stage::Land, None),
            acknowledged: until(Stage::Acknowledge, mail(MailRole::Acknowledgement)),
            answered: until(Stage::Return, mail(MailRole::Answer)),
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_microsecond() - from.as_microsecond()) as f64 / 1e6
}
