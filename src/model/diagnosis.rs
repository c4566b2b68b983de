//! What a finished run says: verdict, stage, fault, whose side.

use super::Stage;
use serde::{Deserialize, Serialize};

/// The one-word answer of a finished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every stage that the probe takes was seen to work.
    Pass,
    /// A reply path is broken.
    Fail,
    /// We could not tell; the cause is on our own side.
    Unknown,
}

impl Verdict {
    /// The name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Unknown => "unknown",
        }
    }
}

/// Whose side a fault is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The support desk or its configuration.
    Desk,
    /// The way between customer and desk: mail exchange, form, chat socket.
    Channel,
    /// The customer's mail provider.
    Provider,
    /// Replypath itself or its configuration.
    Monitor,
}

impl Blame {
    /// The name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Desk => "desk",
            Blame::Channel => "channel",
            Blame::Provider => "provider",
            Blame::Monitor => "monitor",
        }
    }
}

/// How bad a fault is for the people who write in. Ordered: the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nuisance or misleading data (1 in the catalogue).
    Minor,
    /// Wrong place, wrong text, duplicates or long delay (2).
    Major,
    /// Requests or answers lost, or private content exposed (3).
    Critical,
}

impl Severity {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Minor => "minor",
            Severity::Major => "major",
            Severity::Critical => "critical",
        }
    }
}

/// The answer of the diagnosis, stored with the run and never computed again under other rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The verdict.
    pub verdict: Verdict,
    /// The earliest stage that failed (or could not be judged); none for a pass.
    pub stage: Option<Stage>,
    /// The one fault that the evidence singles out; the first candidate otherwise none.
    pub fault: Option<String>,
    /// Ranked fault ids; holds `fault` first when there is one.
    pub candidates: Vec<String>,
    /// Whose side; none for a pass.
    pub blame: Option<Blame>,
    /// How bad; none for a pass.
    pub severity: Option<Severity>,
    /// True when private content was exposed or reached a stranger.
    pub security: bool,
    /// One line of evidence for people: what was expected and what was found.
    pub summary: String,
    /// Remarks that change no verdict: a greylisting delay, a late index, a restarted listener.
    pub notes: Vec<String>,
    /// The version of the rules that gave this answer.
    pub rules_version: u32,
}
