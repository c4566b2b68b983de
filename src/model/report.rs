//! The published form of a run: the JSON document of `--report json` and of the API.

use super::{Blame, ChatLine, ChatMemory, ContextReport, Outcome, Run, Severity, Stage, Verdict};
use serde::{Deserialize, Serialize};

/// The document of `--report json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// Always 1.
    pub schema: u32,
    /// The runs, in the order in which they ended.
    pub runs: Vec<RunReport>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunReport {
    /// Run id.
    pub run: String,
    /// Probe name.
    pub probe: String,
    /// Desk key; empty for a probe without a desk.
    pub desk: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// The shared way in and out.
    pub gateway: String,
    /// The probe that this one is a variant of.
    #[serde(default)]
    pub variant_of: Option<String>,
    /// `scheduled`, `manual` or `control`.
    pub trigger: String,
    /// The run for which this one, a control, was started.
    #[serde(default)]
    pub parent: Option<String>,
    /// `pass`, `fail` or `unknown`; null while under way.
    pub verdict: Option<String>,
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
    /// One sentence: what was expected and what was found.
    pub summary: String,
    /// Remarks that change no verdict.
    pub notes: Vec<String>,
    /// What the diagnosis used from outside the run: controls, the intake mailbox, other runs of the same minutes.
    #[serde(default)]
    pub context: Vec<ContextReport>,
    /// The ticket's number at the desk.
    pub ticket: Option<String>,
    /// The conversation of a run that chats.
    #[serde(default)]
    pub conversation: Option<ConversationReport>,
    /// Begin, RFC 3339.
    pub started: String,
    /// The verdict's time, RFC 3339; null while under way.
    #[serde(default)]
    pub finished: Option<String>,
    /// Begin to verdict.
    pub duration_seconds: f64,
    /// All ten stages in order.
    pub stages: Vec<StageReport>,
}

/// A conversation by live chat, as the visitor's side has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConversationReport {
    /// Its id at the desk.
    pub conversation: Option<String>,
    /// The visitor's id at the desk.
    pub visitor: Option<String>,
    /// No chat was offered, so a message was left.
    pub offline: bool,
    /// How often a bot was asked for a person.
    pub turns: u32,
    /// The window was reloaded.
    pub reloaded: bool,
    /// The lines that were seen.
    pub lines: Vec<LineReport>,
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LineReport {
    /// `visitor`, `agent`, `bot` or `system`; null when the desk does not say.
    pub speaker: Option<String>,
    /// What.
    pub text: String,
    /// When it was pushed to the visitor, RFC 3339.
    pub pushed: Option<String>,
    /// When it was first seen in the stored conversation, RFC 3339.
    pub stored: Option<String>,
    /// When the desk told the agents of it, RFC 3339.
    pub shown: Option<String>,
    /// Names of its files.
    pub files: Vec<String>,
}

impl ConversationReport {
    fn of(chat: &ChatMemory) -> ConversationReport {
        let time = |at: &Option<jiff::Timestamp>| at.map(|at| at.to_string());
        let line = |l: &ChatLine| LineReport {
            speaker: l.speaker.as_ref().map(word),
            text: l.text.clone(),
            pushed: time(&l.pushed),
            stored: time(&l.stored),
            shown: time(&l.shown),
            files: l.files.iter().map(|f| f.name.clone()).collect(),
        };
        ConversationReport {
            conversation: chat.conversation.clone(),
            visitor: chat.visitor.clone(),
            offline: chat.offline,
            turns: chat.turns,
            reloaded: chat.reloaded,
            lines: chat.lines.iter().map(line).collect(),
        }
    }
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StageReport {
    /// Stage name.
    pub stage: String,
    /// `pass`, `fail`, `unknown`, `skipped` or `not_reached`.
    pub outcome: String,
    /// When it could begin, RFC 3339.
    pub started: Option<String>,
    /// How long it took.
    pub duration_seconds: Option<f64>,
    /// Its checks.
    pub checks: Vec<CheckReport>,
    /// What was looked at.
    pub evidence: Vec<EvidenceReport>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckReport {
    /// Its name.
    pub check: String,
    /// How it ended.
    pub outcome: String,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EvidenceReport {
    /// When first, RFC 3339.
    pub at: String,
    /// When last, RFC 3339.
    pub last: String,
    /// How many looks in a row gave this answer.
    pub times: u32,
    /// `submission`, `mailbox`, `desk`, `page`, `chat` or `monitor`.
    pub source: String,
    /// The place.
    pub place: String,
    /// What was looked for.
    pub looked_for: String,
    /// `found`, `empty` or `could_not_look`.
    pub result: String,
    /// How the call ended.
    pub class: Option<String>,
    /// Facts by name.
    pub facts: serde_json::Map<String, serde_json::Value>,
    /// Text for people.
    pub raw: Option<String>,
}

impl RunReport {
    /// The published form of `run`.
    pub fn of(run: &Run) -> RunReport {
        let d = run.diagnosis.as_ref();
        let end = run.finished.unwrap_or(run.started);
        RunReport {
            run: run.id.0.clone(),
            probe: run.probe.name.clone(),
            desk: run.probe.desk.clone().unwrap_or_default(),
            channel: run.probe.channel_name().to_owned(),
            gateway: run.probe.gateway.clone(),
            variant_of: run.probe.variant_of.clone(),
            trigger: run.trigger.as_str().to_owned(),
            parent: run.parent.as_ref().map(|p| p.0.clone()),
            verdict: d.map(|d| Verdict::as_str(d.verdict).to_owned()),
            stage: d.and_then(|d| d.stage).map(|s| s.as_str().to_owned()),
            fault: d.and_then(|d| d.fault.clone()),
            candidates: d.map(|d| d.candidates.clone()).unwrap_or_default(),
            blame: d.and_then(|d| d.blame).map(|b| Blame::as_str(b).to_owned()),
            severity: d.and_then(|d| d.severity).map(|s| Severity::as_str(s).to_owned()),
            security: d.is_some_and(|d| d.security),
            summary: d.map(|d| d.summary.clone()).unwrap_or_default(),
            notes: d.map_or_else(|| run.notes.clone(), |d| d.notes.clone()),
            context: ContextReport::of(&run.context),
            ticket: run.ticket.as_ref().map(|t| t.number.clone()),
            conversation: run.chat.as_ref().map(ConversationReport::of),
            started: run.started.to_string(),
            finished: run.finished.map(|at| at.to_string()),
            duration_seconds: seconds(run.started, end),
            stages: Stage::ALL.into_iter().map(|s| stage_report(run, s)).collect(),
        }
    }
}

fn seconds(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    (to.as_microsecond() - from.as_microsecond()) as f64 / 1e6
}

fn stage_report(run: &Run, stage: Stage) -> StageReport {
    let record = run.stages.get(&stage).cloned().unwrap_or_default();
    let outcome = record.outcome.unwrap_or(if run.probe.takes(stage) { Outcome::NotReached } else { Outcome::Skipped });
    StageReport {
        stage: stage.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        started: record.opened.map(|t| t.to_string()),
        duration_seconds: record.opened.zip(record.closed).map(|(a, b)| seconds(a, b)),
        checks: record
            .checks
            .iter()
            .map(|c| CheckReport {
                check: c.check.clone(),
                outcome: c.outcome.as_str().to_owned(),
                expected: c.expected.clone(),
                found: c.found.clone(),
            })
            .collect(),
        evidence: run
            .observations
            .iter()
            .filter(|o| o.stage == Some(stage))
            .map(|o| EvidenceReport {
                at: o.at.to_string(),
                last: o.last.to_string(),
                times: o.times,
                source: word(&o.source),
                place: o.place.clone(),
                looked_for: o.looked_for.clone(),
                result: word(&o.result),
                class: o.class.map(|c| c.as_str().to_owned()),
                facts: o.facts.clone(),
                raw: o.raw.clone(),
            })
            .collect(),
    }
}

fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
