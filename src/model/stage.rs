//! The ten legs of a journey and how each may end.

use serde::{Deserialize, Serialize};

/// One leg of a run, in the order in which it is reported.
///
/// Stages are reported in this order but awaited side by side: `reply` needs only `land`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The customer's own provider took the message.
    Send,
    /// The desk's side took it over: its 250, a ticket or an acknowledgement; a bounce fails it.
    Accept,
    /// A ticket exists in a view that agents use.
    Land,
    /// It lies in the right queue.
    Queue,
    /// The agent sees what the customer wrote.
    Format,
    /// The automatic reply reached the customer, once.
    Acknowledge,
    /// The agent's answer is stored as public and handed to the outbound path.
    Reply,
    /// The answer is in the customer's mailbox, whole and in the right place.
    Return,
    /// The customer's answer joined the same ticket.
    FollowUp,
    /// The ticket is closed or deleted and the run's own mail removed.
    CleanUp,
}

impl Stage {
    /// Every stage, in the order of the report.
    pub const ALL: [Stage; 10] = [
        Stage::Send,
        Stage::Accept,
        Stage::Land,
        Stage::Queue,
        Stage::Format,
        Stage::Acknowledge,
        Stage::Reply,
        Stage::Return,
        Stage::FollowUp,
        Stage::CleanUp,
    ];

    /// The name in configuration, metrics, pages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Send => "send",
            Stage::Accept => "accept",
            Stage::Land => "land",
            Stage::Queue => "queue",
            Stage::Format => "format",
            Stage::Acknowledge => "acknowledge",
            Stage::Reply => "reply",
            Stage::Return => "return",
            Stage::FollowUp => "follow_up",
            Stage::CleanUp => "clean_up",
        }
    }

    /// The stage of that name.
    pub fn parse(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a stage or a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Looked at, and as expected.
    Pass,
    /// Looked at, and not as expected.
    Fail,
    /// Could not be looked at, or the sight proves nothing.
    Unknown,
    /// The probe leaves this stage out.
    Skipped,
    /// The run ended before this stage could begin.
    NotReached,
}

impl Outcome {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Unknown => "unknown",
            Outcome::Skipped => "skipped",
            Outcome::NotReached => "not_reached",
        }
    }
}
