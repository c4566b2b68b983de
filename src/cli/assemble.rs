//! The one place where a configuration becomes working parts: store, mailboxes, submission, desks, engine.
//!
//! Commands know the parts by their traits only.

use super::{Failure, channels};
use crate::clock::Clock;
use crate::config::{self, Config, DeskFiles};
use crate::daemon::{Driver, Timetable};
use crate::desk::{self, Definition, DeskSet};
use crate::diagnosis::catalogue;
use crate::engine::ports::{Desks, FixedDirectory, Intakes, Mailboxes, RunEvent, Store, StoreError, Submission};
use crate::engine::ways::{Chats, Forms};
use crate::engine::{Budgets, Engine, EngineParts};
use crate::mail::intake::ImapIntakes;
use crate::mail::mailbox::ImapMailboxes;
use crate::mail::submit::SmtpSubmission;
use crate::model::{Account, Blame, Probe, RunId, Stage, Trigger};
use crate::names::Names;
use crate::problem::{self, Problem};
use crate::schedule;
use crate::store::SqliteStore;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// How many mail events may wait to be stored; listeners wait beyond that.
const EVENTS: usize = 1024;

/// The outside world of a configuration, without an engine: enough for `doctor`.
pub struct Outside {
    /// The customers' mailboxes.
    pub mailboxes: Arc<dyn Mailboxes>,
    /// Handing in mail.
    pub submission: Arc<dyn Submission>,
    /// The desks.
    pub desks: Arc<dyn Desks>,
    /// Web forms.
    pub forms: Arc<dyn Forms>,
    /// The visitors' side of chats.
    pub chats: Arc<dyn Chats>,
    /// The desks' intake mailboxes.
    pub intakes: Arc<dyn Intakes>,
    /// Names and certificates.
    pub names: Arc<Names>,
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
    /// More to read: headings with their texts.
    pub about: [(&'static str, String); 4],
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Loads the configuration in `dir`.
///
/// # Errors
/// Every problem at once.
pub fn load(dir: &Path) -> Result<Config, Vec<Problem>> {
    config::load(dir, &environment, &DeskFiles)
}

/// Problems as text, in colour on a terminal.
pub fn render_problems(problems: &[Problem]) -> String {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    problem::render(problems, colour)
}

/// The nearest of `names`, when one is near enough to be meant.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    problem::nearest(name, names.iter().copied())
}

/// Opens the store of the configuration.
///
/// # Errors
/// When the state folder cannot be used.
pub async fn store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Failure> {
    let instance = format!("{}-{:08x}", std::process::id(), crate::engine::random() & 0xffff_ffff);
    let store = SqliteStore::open(&config.daemon.state, &instance, clock.clone())?;
    Ok(store)
}

/// The parts that the configuration names, with the handles that take a new configuration.
struct Named {
    mailboxes: Arc<ImapMailboxes>,
    submission: Arc<SmtpSubmission>,
    desks: Arc<DeskSet>,
    forms: Arc<dyn Forms>,
    chats: Arc<dyn Chats>,
    intakes: Arc<dyn Intakes>,
    names: Arc<Names>,
}

impl Named {
    fn outside(&self) -> Outside {
        Outside {
            mailboxes: self.mailboxes.clone(),
            submission: self.submission.clone(),
            desks: self.desks.clone(),
            forms: self.forms.clone(),
            chats: self.chats.clone(),
            intakes: self.intakes.clone(),
            names: self.names.clone(),
        }
    }
}

fn desk_set(config: &Config) -> Result<Arc<DeskSet>, Failure> {
    DeskSet::new(&config.desks).map(Arc::new).map_err(|problems| Failure::ours(problems.join("\n")))
}

async fn named(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    events: mpsc::Sender<crate::engine::ports::MailEvent>,
) -> Result<Named, Failure> {
    let tokens = store.token_key().await?;
    let desks = desk_set(config)?;
    let (forms, chats) = channels::all(config, &channels::Shared { desks: &desks, tokens: &tokens, clock, events: &events })?;
    Ok(Named {
        mailboxes: Arc::new(ImapMailboxes::new(config.accounts.clone(), tokens, clock.clone(), events)),
        submission: Arc::new(SmtpSubmission::new(&config.accounts)),
        desks,
        forms,
        chats,
        intakes: Arc::new(ImapIntakes::new(&config.intakes)),
        names: Arc::new(Names::new(config.daemon.resolver, config.daemon.exchanger_ca.clone())),
    })
}

/// Makes mailboxes, submission and desks for `doctor`.
///
/// # Errors
/// When a part cannot be made from its settings.
pub async fn outside(config: &Config, clock: &Arc<dyn Clock>) -> Result<Outside, Failure> {
    let store = store(config, clock).await?;
    let (events, mut unheard) = mpsc::channel(EVENTS);
    tokio::spawn(async move { while unheard.recv().await.is_some() {} });
    let named = named(config, &store, clock, events).await?;
    Ok(named.outside())
}

fn budgets(config: &Config) -> Budgets {
    Budgets {
        accounts: config.accounts.iter().map(|(k, a)| (k.clone(), a.budget.clone())).collect(),
        desks: config.desks.iter().map(|(k, d)| (k.clone(), d.budget.clone())).collect(),
    }
}

/// An engine with the listeners that end with it.
struct Working {
    engine: Engine,
    mailboxes: Arc<ImapMailboxes>,
}

#[async_trait::async_trait]
impl Driver for Working {
    async fn start_run(&self, probe: &Probe, account: &Account, trigger: Trigger, until: Option<Stage>) -> Result<RunId, StoreError> {
        self.engine.start_run(probe, account, trigger, until).await
    }
    async fn interrupt(&self, run: &RunId) -> Result<bool, StoreError> {
        self.engine.interrupt(run).await
    }
    async fn run_until_stopped(&self, stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        let result = self.engine.run_until_stopped(stop).await;
        self.mailboxes.shutdown().await;
        result
    }
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
    let (events_in, events) = mpsc::channel(EVENTS);
    let parts = named(config, &store, clock, events_in.clone()).await?;
    let outside = wrap(parts.outside());
    let engine = Engine::new(EngineParts {
        store,
        mailboxes: outside.mailboxes,
        submission: outside.submission,
        desks: outside.desks,
        forms: outside.forms,
        chats: outside.chats,
        intakes: outside.intakes,
        exchangers: outside.names,
        directory: Arc::new(directory(config)),
        clock: clock.clone(),
        events_in,
        events,
        budgets: budgets(config),
        workers: config.daemon.workers,
        adopt,
        observer,
    })
    .await?;
    Ok(Arc::new(Working { engine, mailboxes: parts.mailboxes }))
}

fn directory(config: &Config) -> FixedDirectory {
    FixedDirectory { accounts: config.accounts.clone(), probes: config.probes.clone() }
}

/// When probes run.
pub fn timetable() -> Timetable {
    Timetable {
        next_start: |probe, last, now| probe.schedule.as_ref().and_then(|s| schedule::next_start(s, last, now, &probe.name)),
        in_maintenance: |probe, at| schedule::in_maintenance(&probe.maintenance, at),
        expected_by: |probe, start| crate::clock::after(start, schedule::longest_run(probe) + std::time::Duration::from_secs(60)),
    }
}

fn fault_text(fault: &catalogue::Fault) -> FaultText {
    let about = [
        ("What the customer sees:", fault.customer_sees.clone()),
        ("Usual cause:", fault.usual_cause.clone()),
        ("What to look at:", fault.look_at.clone()),
        ("What tells it from its look-alikes:", fault.separates.clone()),
    ];
    FaultText {
        id: fault.id.clone(),
        title: fault.title.clone(),
        stage: fault.stage.as_str().to_owned(),
        blame: fault.blame,
        severity: fault.severity.as_str().to_owned(),
        about,
    }
}

/// The fault of that id.
pub fn fault(id: &str) -> Option<FaultText> {
    catalogue::fault(id).map(fault_text)
}

/// Every fault that can be named.
pub fn faults() -> Vec<FaultText> {
    catalogue::all().iter().map(fault_text).collect()
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

/// The schema of that kind of file, or of the JSON report.
pub fn schema(kind: &str) -> Option<serde_json::Value> {
    match kind {
        "report" => serde_json::to_value(schemars::schema_for!(crate::model::Report)).ok(),
        "desk" => Some(desk::schema()),
        _ => config::schema(kind),
    }
}

/// The reference of the desk language, in Markdown.
pub fn desk_reference() -> String {
    desk::reference()
}

/// A schema as tables for people.
pub fn reference(schema: &serde_json::Value) -> String {
    config::markdown(schema)
}

/// Writes a configuration to begin with.
///
/// # Errors
/// When a file is there already or cannot be written.
pub fn init(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    config::init(dir).map_err(|e| Failure::new(super::exit::Exit::Configuration, e.to_string()))
}

fn definition_text(definition: &Definition, origin: &str, text: &str) -> DefinitionText {
    let params = definition.params().iter().map(|p| {
        let need = if p.required { "required" } else { "optional" };
        let secret = if p.secret { ", secret" } else { "" };
        (p.name.clone(), format!("{} ({need}{secret})", p.doc))
    });
    DefinitionText {
        id: definition.id.clone(),
        origin: origin.to_owned(),
        unproven: definition.unproven(),
        capabilities: definition.capabilities().iter().map(capability_word).collect(),
        views: definition.views().iter().map(|v| v.as_str().to_owned()).collect(),
        params: params.collect(),
        text: text.to_owned(),
    }
}

/// Built-in definitions and those in `desks/`; one of the same id there stands in for the built-in one.
///
/// # Errors
/// When a definition is faulty.
pub fn definitions(dir: &Path) -> Result<Vec<DefinitionText>, Failure> {
    let mut all = BTreeMap::new();
    for (id, text) in desk::built_in() {
        let definition = check_definition(&format!("built-in:{id}"), text)
            .map_err(|p| Failure::new(super::exit::Exit::Configuration, render_problems(&p)))?;
        all.insert((*id).to_owned(), definition);
    }
    let mut problems = Vec::new();
    for path in toml_files(&dir.join("desks")) {
        let origin = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        let Ok(text) = std::fs::read_to_string(&path) else {
            problems.push(Problem::of_file(origin, "the file cannot be read", None));
            continue;
        };
        match check_definition(&origin, &text) {
            Ok(mut definition) => {
                // `use` names the file, whatever `id` stands in it.
                definition.id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                all.insert(definition.id.clone(), definition);
            }
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() {
        Ok(all.into_values().collect())
    } else {
        Err(Failure::new(super::exit::Exit::Configuration, render_problems(&problems)))
    }
}

fn toml_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

/// Reads a definition.
///
/// # Errors
/// Every problem at once.
pub fn check_definition(origin: &str, text: &str) -> Result<DefinitionText, Vec<Problem>> {
    Definition::parse(origin, text).map(|d| definition_text(&d, origin, text))
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
    let (events_in, events) = mpsc::channel(EVENTS);
    let (observer, _unheard) = mpsc::unbounded_channel();
    let parts = named(config, &store, clock, events_in.clone()).await?;
    let engine = Engine::new(EngineParts {
        store,
        mailboxes: parts.mailboxes.clone(),
        submission: parts.submission,
        desks: parts.desks,
        forms: parts.forms,
        chats: parts.chats,
        intakes: parts.intakes,
        exchangers: parts.names,
        directory: Arc::new(directory(config)),
        clock: clock.clone(),
        events_in,
        events,
        budgets: budgets(config),
        workers: 1,
        adopt: false,
        observer,
    })
    .await?;
    let intake = engine.start_intake();
    let swept = engine.sweep(dry_run).await;
    parts.mailboxes.shutdown().await;
    intake.abort();
    let swept = swept?;
    Ok((swept.done, swept.left))
}
