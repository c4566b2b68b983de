//! The words of the product as plain data: what a probe is, what a run has seen, what a verdict says.
//!
//! Nothing here reads a clock, a file or the network, and nothing here imports another module of
//! this crate, so every other part may use it. What is stored is these types in JSON.

mod account;
mod asks;
mod brief;
mod chat;
mod context;
mod context_report;
mod diagnosis;
mod form;
mod judged;
mod mail;
mod observation;
mod probe;
mod report;
mod run;
mod stage;
mod ticket;
mod token;

pub use account::{Account, AuthMethod, Budget, Intake, MailboxSettings, Rate, ServerSettings, SubmissionSettings, TlsMode};
pub use asks::{Calendar, Canaries, Controls};
pub use brief::Brief;
pub use chat::{AnswerBy, ChatBy, ChatChannel, ChatLine, ChatMemory, Speaker, Visitor, WhenOffline, Widget, WidgetStep};
pub use context::{Context, Control, ControlKind, ExchangerSight, IntakePlace, IntakeSight, Neighbour, StageSight};
pub use context_report::ContextReport;
pub use diagnosis::{Blame, Diagnosis, Severity, Verdict};
pub use form::{FieldBy, Fill, FormBy, FormChannel, FormField, FormMemory, FormPrint};
pub use judged::{Clocks, Judged, PROMISE_CHECK};
pub use mail::{Attachment, AutoMark, Bounce, BounceAction, MailKey, OutgoingAttachment, OutgoingMail, Position, ReceivedMail};
pub use observation::{Looked, Observation, ResultClass, Source};
pub use probe::{
    AfterStage, Channel, CleanUp, ClosingNotice, EmailChannel, Expect, FollowUp, FollowUpTo, LimitMillis, MailEncoding, Overlap, Policy,
    Probe, QuoteStyle, Reply, ReplyMode, Request, Require, Schedule, Window,
};
pub use report::{CheckReport, EvidenceReport, Report, RunReport, StageReport};
pub use run::{
    Act, ActKind, ActState, Check, Delivery, Leftover, MailRole, Message, Party, Phase, Poll, Run, RunId, SeenMail, StageRecord, Trigger,
};
pub use stage::{Outcome, Stage};
pub use ticket::{Author, Capability, HistoryEntry, ReplyContent, ReplyReceipt, Ticket, TicketMessage, TicketRef, TicketStatus, View};
pub use token::{Token, TokenKey};

/// Bytes in stored JSON are base64 text; the lists of numbers that earlier versions wrote are read too.
pub mod base64_bytes {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    /// Writes bytes as base64 with padding (RFC 4648 section 4).
    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    /// Reads base64, or a list of numbers from 0 to 255.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        d.deserialize_any(Bytes)
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("base64 text or a list of bytes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
            BASE64_STANDARD.decode(text).map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::with_capacity(list.size_hint().unwrap_or(0));
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }

    #[cfg(test)]
    mod tests {
        use crate::model::OutgoingAttachment;

        #[test]
        fn files_are_stored_as_base64_and_read_in_the_old_form_too() {
            let file = OutgoingAttachment { name: "a.bin".into(), content_type: "x/y".into(), bytes: vec![0, 255, 13, 10, 7] };
            let json = serde_json::to_string(&file).unwrap();
            assert!(json.contains(r#""bytes":"AP8NCgc=""#), "{json}");
            assert_eq!(serde_json::from_str::<OutgoingAttachment>(&json).unwrap(), file);
            let old = json.replace(r#""AP8NCgc=""#, "[0,255,13,10,7]");
            assert_eq!(serde_json::from_str::<OutgoingAttachment>(&old).unwrap(), file);
            assert!(serde_json::from_str::<OutgoingAttachment>(&json.replace("AP8", "*")).is_err());
        }
    }
}

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
