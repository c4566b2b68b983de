//! The one place where a configuration becomes working parts: store, mailboxes, submission, desks, engine.
//!
//! Commands know the parts by their traits only.

use super::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Driver, Timetable};
use crate::engine::ports::{Desks, Mailboxes, RunEvent, Store, Submission};
use crate::model::Blame;
use crate::problem::Problem;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The outside world of a configuration, without an engine: enough for `doctor`.
pub struct Outside {
    /// The customers' mailboxes.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Handing in mail.
    pub submission: Arc<dyn Submission>,
    /// The desks.
    pub desks: Arc<dyn Desks>,
}

/// What people read of a fault of the catalogue.
#[derive(Debug, Clone)]
pub struct FaultText {
    /// The id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Stage at which it shows.
    pub stage: String,
    /// Whose side.
    pub blame: Blame,
    /// Severity in words.
    pub severity: String,
    /// More to read.
    pub text: String,
}

fn missing(what: &str) -> Failure {
    Failure::ours(format!("{what} is not joined yet"))
}

/// Loads the configuration in `dir`.
///
/// # Errors
/// Every problem at once.
pub fn load(dir: &Path) -> Result<Config, Vec<Problem>> {
    let message = "the configuration loader is not joined yet".to_owned();
    Err(vec![Problem { file: dir.display().to_string(), text: None, span: None, message, help: None }])
}

/// Problems as text.
pub fn render_problems(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{}: {}\n", p.file, p.message)).collect()
}

/// The nearest of `names`, when one is near enough to be meant.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    names.iter().copied().find(|n| n.to_lowercase().starts_with(&lower) || lower.starts_with(&n.to_lowercase()))
}

/// Opens the store of the configuration.
///
/// # Errors
/// When the state folder cannot be used.
pub async fn store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Failure> {
    let _ = (config, clock);
    Err(missing("the store"))
}

/// Makes mailboxes, submission and desks for `doctor`.
///
/// # Errors
/// When a part cannot be made from its settings.
pub async fn outside(config: &Config, clock: &Arc<dyn Clock>) -> Result<Outside, Failure> {
    let _ = (config, clock);
    Err(missing("the outside"))
}

/// Makes an engine with everything that it needs. `wrap` may put itself round the parts that look outside.
///
/// # Errors
/// When a part cannot be made from its settings, or the store fails.
pub async fn driver(
    config: &Config,
    store: Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    observer: mpsc::UnboundedSender<RunEvent>,
    adopt: bool,
    wrap: impl FnOnce(Outside) -> Outside,
) -> Result<Arc<dyn Driver>, Failure> {
    let _ = (config, store, clock, observer, adopt, wrap);
    Err(missing("the engine"))
}

/// When probes run.
pub fn timetable() -> Timetable {
    Timetable { next_start: |_, _, _| None, in_maintenance: |_, _| false, expected_by: |_, at| at }
}

/// The fault of that id.
pub fn fault(id: &str) -> Option<FaultText> {
    faults().into_iter().find(|f| f.id == id)
}

/// Every fault that can be named.
pub fn faults() -> Vec<FaultText> {
    Vec::new()
}

/// A desk definition for people.
#[derive(Debug, Clone)]
pub struct DefinitionText {
    /// The id.
    pub id: String,
    /// `built-in` or the file.
    pub origin: String,
    /// Never tried on the real product.
    pub unproven: bool,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Where it can look.
    pub views: Vec<String>,
    /// Params with what they are.
    pub params: Vec<(String, String)>,
    /// The TOML text.
    pub text: String,
}

impl DefinitionText {
    /// One line.
    pub fn summary(&self) -> String {
        let proven = if self.unproven { ", unproven" } else { "" };
        format!("{}: can {}{proven}", self.id, self.capabilities.join(", "))
    }
}

/// The word of a capability in desk files.
pub fn capability_word(capability: &crate::model::Capability) -> String {
    serde_json::to_value(capability).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The schema of that kind of file.
pub fn schema(kind: &str) -> Option<serde_json::Value> {
    let _ = kind;
    None
}

/// Writes a configuration to begin with.
///
/// # Errors
/// When a file is there already or cannot be written.
pub fn init(dir: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let _ = dir;
    Err(missing("init"))
}

/// Built-in definitions and those in `desks/`.
///
/// # Errors
/// When a definition is faulty.
pub fn definitions(dir: &Path) -> Result<Vec<DefinitionText>, Failure> {
    let _ = dir;
    Err(missing("desk definitions"))
}

/// Reads a definition.
///
/// # Errors
/// Every problem at once.
pub fn check_definition(origin: &str, text: &str) -> Result<DefinitionText, Vec<Problem>> {
    let _ = (origin, text);
    Err(Vec::new())
}

/// Sweeps; gives what was done and what was left.
///
/// # Errors
/// When a part cannot be made or the store fails.
pub async fn sweep(
    config: &Config,
    store: Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    dry_run: bool,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let _ = (config, store, clock, dry_run);
    Err(missing("sweep"))
}
