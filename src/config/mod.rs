//! The configuration of one installation: `replypath.toml`, `probes/*.toml`, `desks/*.toml`.

mod accounts;
mod budget;
mod canaries;
mod catalog;
mod collections;
pub mod given;
mod hours;
mod init;
mod intakes;
mod load;
mod probes;
mod rates;
mod read;
mod schema;
mod secrets;
mod shape;
mod stages;
mod template;
mod times;
mod users;
mod values;
mod variants;
mod ways;
mod web_values;

pub use catalog::{ChatLimit, DeskCatalog, DeskDefinition, DeskFiles, ParamProblem};
pub use init::{InitError, init};
pub use load::{load, load_from};
pub use schema::{markdown, reference, schema};

use crate::model::{Account, Budget, Calendar, Intake, Probe};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Series that a probe has on `/metrics` at most: what `max_probes` is about.
pub const SERIES_OF_PROBE: usize = 106;

/// A loaded configuration: every reference resolved, nothing half valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds `replypath.toml`.
    pub dir: PathBuf,
    /// The daemon's settings.
    pub daemon: Daemon,
    /// Who may see what on the status page.
    pub page: PageAccess,
    /// Where Chromium is.
    pub browser: BrowserPrograms,
    /// Accounts by key.
    pub accounts: BTreeMap<String, Account>,
    /// Desks by key.
    pub desks: BTreeMap<String, DeskSettings>,
    /// Intake mailboxes of desks by key.
    pub intakes: BTreeMap<String, Intake>,
    /// Business hours by key.
    pub calendars: BTreeMap<String, Calendar>,
    /// Probes by name.
    pub probes: BTreeMap<String, Probe>,
    /// The keys of desks whose definitions were never tried on the real product.
    pub unproven: BTreeSet<String>,
    /// Remarks that refuse nothing (an unproven desk, an inline secret in a readable file).
    pub warnings: Vec<String>,
}

/// Settings of the daemon and of all runs.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where the status page and `/metrics` are served.
    pub listen: SocketAddr,
    /// The folder of the store (absolute).
    pub state: PathBuf,
    /// How many runs may work (not: wait) at once.
    pub workers: usize,
    /// How long passed runs are kept.
    pub keep_passed: Duration,
    /// How long failed and unknown runs are kept.
    pub keep_failed: Duration,
    /// How long a probe may be unknown before that is an alert of its own.
    pub blind_after: Duration,
    /// At most so many probes.
    pub max_probes: usize,
    /// How many browsers may be open at once.
    pub browsers: usize,
    /// The name server to ask; none: those of the system.
    pub resolver: Option<SocketAddr>,
    /// A PEM file with the only authorities by which exchangers' certificates are judged (absolute); none: the system's.
    pub exchanger_ca: Option<PathBuf>,
}

/// Who may see what on the status page. Without a token and users nobody starts runs from the page, and evidence is shown on
/// this machine alone.
#[derive(Debug, Clone, Default)]
pub struct PageAccess {
    /// The operators' token.
    pub token: Option<SecretString>,
    /// Operators who sign in by name: the bcrypt hashes of their passwords.
    pub users: BTreeMap<String, SecretString>,
    /// Verdicts without evidence are for everybody, though operators sign in.
    pub public: bool,
}

/// The programs of the browser; none: looked for in the `PATH`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrowserPrograms {
    /// Chromium (absolute).
    pub chromium: Option<PathBuf>,
    /// Its WebDriver (absolute).
    pub driver: Option<PathBuf>,
}

/// One desk.
#[derive(Debug, Clone)]
pub struct DeskSettings {
    /// The desk's key.
    pub name: String,
    /// The definition's id: a built-in one or a file in `desks/`.
    pub definition: String,
    /// The definition's text and where it came from (for messages).
    pub source: DeskSource,
    /// Values for the definition's params.
    pub params: BTreeMap<String, ParamValue>,
    /// How many messages all probes together may send to this desk.
    pub budget: Budget,
    /// A PEM file with the only authorities to trust; none: the system's.
    pub ca: Option<PathBuf>,
    /// How long one API call may take.
    pub timeout: Duration,
}

/// Where a desk definition comes from.
#[derive(Debug, Clone)]
pub struct DeskSource {
    /// Path of the file, or `built-in:ID`.
    pub origin: String,
    /// The TOML text.
    pub text: String,
}

/// A value for a desk's param.
#[derive(Debug, Clone)]
pub enum ParamValue {
    /// Plain.
    Plain(toml::Value),
    /// Secret.
    Secret(SecretString),
}
