//! `tests/matrix/expected.toml`: what must be said of every row of the fault catalogue.

use crate::model::{Blame, Stage, Verdict};
use serde::Deserialize;

/// The file, part of the program.
pub const TEXT: &str = include_str!("../../../tests/matrix/expected.toml");

/// Everything that is expected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The faults.
    pub row: Vec<Row>,
    /// The variations that must not alarm.
    pub harmless: Vec<Harmless>,
}

/// One fault of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its id, which is the switch too.
    pub fault: String,
    /// The probe whose run is judged.
    pub probe: String,
    /// What the verdict may rest on.
    #[allow(dead_code, reason = "for readers of the file")]
    pub points: Vec<String>,
    /// The right verdict.
    pub verdict: Verdict,
    /// The earliest stage that broke.
    pub stage: Option<Stage>,
    /// Accepted causes; the first must stand first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Whose side.
    pub blame: Option<Blame>,
    /// It must be told as a security fault.
    #[serde(default)]
    pub security: bool,
    /// The run is as without the fault, and its notes name the row.
    #[serde(default)]
    pub prevented: bool,
    /// The switch is turned after a first good run.
    #[serde(default)]
    pub good_before: bool,
    /// What the probe beside may say, where the fault meets it in another way.
    #[serde(default)]
    pub beside: Vec<String>,
    /// A person answers at the desk, so many seconds after the request.
    #[serde(default)]
    pub person_after: Option<u64>,
    /// The look-alikes that must be given without access to the intake mailbox.
    #[serde(default)]
    pub without_intake: Vec<String>,
    /// The tests that prove what lies outside one run.
    #[serde(default)]
    pub proved_by: Vec<String>,
    /// Which choice of the operator makes it a fault.
    #[serde(default)]
    #[allow(dead_code, reason = "for readers of the file")]
    pub policy: Option<String>,
}

/// One variation that must not alarm.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harmless {
    /// Its id, which is the switch too.
    pub fault: String,
    /// The probe whose run is judged.
    pub probe: String,
    /// Right verdicts.
    pub verdict: Vec<Verdict>,
}

/// Reads the file.
///
/// # Errors
/// When it is not as it should be; the text says where.
pub fn read() -> Result<Expected, String> {
    toml::from_str(TEXT).map_err(|e| format!("tests/matrix/expected.toml: {e}"))
}
