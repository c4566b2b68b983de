//! The words of the product as plain data: what a probe is, what a run has seen, what a verdict says.
//!
//! Nothing here reads a clock, a file or the network, and nothing here imports another module of
//! this crate, so every other part may use it. What is stored is these types in JSON.

mod account;
mod diagnosis;
mod mail;
mod observation;
mod probe;
mod report;
mod run;
mod stage;
mod ticket;
mod token;

pub use account::{Account, AuthMethod, Budget, MailboxSettings, Rate, ServerSettings, SubmissionSettings, TlsMode};
pub use diagnosis::{Blame, Diagnosis, Severity, Verdict};
pub use mail::{Attachment, AutoMark, Bounce, BounceAction, MailKey, OutgoingAttachment, OutgoingMail, Position, ReceivedMail};
pub use observation::{Looked, Observation, ResultClass, Source};
pub use probe::{
    AfterStage, Channel, CleanUp, ClosingNotice, EmailChannel, Expect, FollowUp, FollowUpTo, LimitMillis, Overlap, Policy, Probe, Reply,
    ReplyMode, Require, Schedule, Window,
};
pub use report::{CheckReport, EvidenceReport, Report, RunReport, StageReport};
pub use run::{
    Act, ActKind, ActState, Check, Delivery, Leftover, MailRole, Message, Party, Phase, Poll, Run, RunId, SeenMail, StageRecord, Trigger,
};
pub use stage::{Outcome, Stage};
pub use ticket::{Author, Capability, HistoryEntry, ReplyContent, ReplyReceipt, Ticket, TicketMessage, TicketRef, TicketStatus, View};
pub use token::{Token, TokenKey};

/// Durations in stored JSON are whole milliseconds.
pub mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    /// Writes a duration as whole milliseconds.
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads whole milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(d)?))
    }
}
