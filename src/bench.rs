//! Round trips for measuring: the same engine, store, listener and submission as in service, without a desk.
//!
//! Each run writes from a mailbox to itself, waits for the mail, and removes it.

use crate::clock::{Clock, SystemClock};
use crate::engine::ports::{Desk, Desks, RunEvent, Store};
use crate::engine::{Budgets, Engine, EngineParts};
use crate::mail::mailbox::ImapMailboxes;
use crate::mail::submit::SmtpSubmission;
use crate::model::{
    Account, AfterStage, AuthMethod, Budget, Channel, CleanUp, EmailChannel, Expect, FollowUp, FollowUpTo, MailboxSettings, Overlap,
    Policy, Probe, Reply, ReplyMode, ServerSettings, Stage, SubmissionSettings, TlsMode, Trigger, Verdict,
};
use crate::store::SqliteStore;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Round trips in all.
    pub count: usize,
    /// Mailboxes used at once, one run each; with `hold` the runs are spread over them.
    pub concurrency: usize,
    /// Submission server, implicit TLS when `ca` is given, else plain.
    pub smtp: SocketAddr,
    /// IMAP server, likewise.
    pub imap: SocketAddr,
    /// The authority to trust.
    pub ca: Option<PathBuf>,
    /// Login name and address, `{}` stands for the number of the mailbox.
    pub user: String,
    /// Password of all mailboxes.
    pub password: String,
    /// Write to this address instead, whose mail never comes back, and stop when all runs wait.
    pub hold: Option<String>,
    /// An empty folder for the store.
    pub state: PathBuf,
}

struct NoDesks;

impl Desks for NoDesks {
    fn desk(&self, _: &str) -> Option<Arc<dyn Desk>> {
        None
    }
}

/// Runs the bench; prints `seen USER UNIXTIME` for each mail noticed, and a last line of totals.
///
/// # Errors
/// In words, when something of our own does not work.
pub async fn run(bench: Bench) -> Result<(), String> {
    let accounts: BTreeMap<String, Account> = (1..=bench.concurrency).map(|k| (format!("mailbox{k}"), account(&bench, k))).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = SqliteStore::open(&bench.state, "bench", clock.clone()).map_err(|e| e.to_string())?;
    let tokens = store.token_key().await.map_err(|e| e.to_string())?;
    let (events_in, events) = mpsc::channel(1024);
    let (observer, mut heard) = mpsc::unbounded_channel();
    let mailboxes = Arc::new(ImapMailboxes::new(accounts.clone(), tokens, clock.clone(), events_in.clone()));
    let engine = Engine::new(EngineParts {
        store: store.clone(),
        mailboxes: mailboxes.clone(),
        submission: Arc::new(SmtpSubmission::new(&accounts)),
        desks: Arc::new(NoDesks),
        forms: Arc::new(crate::engine::ways::OnlyMail),
        chats: Arc::new(crate::engine::ways::OnlyMail),
        intakes: Arc::new(crate::engine::ports::NoIntakes),
        directory: Arc::new(crate::engine::ports::FixedDirectory::default()),
        clock,
        events_in,
        events,
        budgets: Budgets::default(),
        workers: bench.concurrency.min(64),
        adopt: false,
        observer,
    })
    .await
    .map_err(|e| e.to_string())?;
    let (stop, stopped) = watch::channel(false);
    let loop_ = tokio::spawn({
        let engine = engine.clone();
        async move { engine.run_until_stopped(stopped).await }
    });
    let result = drive(&bench, &engine, &accounts, &mut heard).await;
    let _ = stop.send(true);
    let _ = loop_.await;
    mailboxes.shutdown().await;
    result
}

async fn drive(
    bench: &Bench,
    engine: &Engine,
    accounts: &BTreeMap<String, Account>,
    heard: &mut mpsc::UnboundedReceiver<RunEvent>,
) -> Result<(), String> {
    let names: Vec<&String> = accounts.keys().collect();
    let start = |n: usize| {
        let account = names.get(n % names.len().max(1)).and_then(|k| accounts.get(*k)).cloned();
        async move {
            let account = account.ok_or("no account")?;
            let probe = probe(&account, bench.hold.as_deref());
            engine.start_run(&probe, &account, Trigger::Manual, None).await.map_err(|e| e.to_string())
        }
    };
    let at_once = if bench.hold.is_some() { bench.count } else { bench.concurrency.min(bench.count) };
    for n in 0..at_once {
        start(n).await?;
    }
    let (mut started, mut done, mut failed, mut sent) = (at_once, 0, 0, 0);
    while let Some(event) = heard.recv().await {
        match event {
            RunEvent::Stage(_, Stage::Send) => {
                sent += 1;
                if bench.hold.is_some() && sent == bench.count {
                    println!("waiting {sent} runs on {} mailboxes, resident {} kB", accounts.len(), resident_kb());
                    return Ok(());
                }
            }
            RunEvent::Stage(run, Stage::Return) => {
                if let Some(seen) = run.mails.first() {
                    println!("seen {} {:.6}", run.address, seen.seen.as_microsecond() as f64 / 1e6);
                }
            }
            RunEvent::Finished(run) => {
                done += 1;
                let passed = run.diagnosis.as_ref().is_some_and(|d| d.verdict == Verdict::Pass);
                if !passed {
                    failed += 1;
                    eprintln!("{}: {}", run.id, run.diagnosis.as_ref().map(|d| d.summary.clone()).unwrap_or_default());
                }
                if started < bench.count {
                    let n = names.iter().position(|k| **k == run.probe.account).unwrap_or(0);
                    start(n).await?;
                    started += 1;
                }
                if done == bench.count {
                    println!("{done} round trips, {failed} failed, resident {} kB", resident_kb());
                    return if failed == 0 { Ok(()) } else { Err(format!("{failed} of {done} round trips failed")) };
                }
            }
            _ => {}
        }
    }
    Err("the engine stopped".to_owned())
}

fn account(bench: &Bench, k: usize) -> Account {
    let address = bench.user.replace("{}", &k.to_string());
    let server = |at: SocketAddr| ServerSettings {
        host: at.ip().to_string(),
        port: at.port(),
        tls: if bench.ca.is_some() { TlsMode::Implicit } else { TlsMode::None },
        ca: bench.ca.clone(),
        tls_name: Some("localhost".to_owned()),
        user: address.clone(),
        password: SecretString::from(bench.password.clone()),
        auth: AuthMethod::Plain,
    };
    Account {
        name: format!("mailbox{k}"),
        address: address.clone(),
        display_name: String::new(),
        aliases: Vec::new(),
        mailbox: MailboxSettings { server: server(bench.imap), poll: Duration::from_secs(30), junk_poll: Duration::from_secs(3600) },
        submission: SubmissionSettings { server: server(bench.smtp), timeout: Duration::from_secs(30) },
        budget: Budget::default(),
    }
}

fn probe(account: &Account, hold: Option<&str>) -> Probe {
    let mut probe = Probe {
        variant_of: None,
        controls: Default::default(),
        intake: None,
        canaries: Default::default(),
        calendar: None,
        name: account.name.clone(),
        description: String::new(),
        owner: String::new(),
        tags: Vec::new(),
        desk: None,
        account: account.name.clone(),
        gateway: "loop".to_owned(),
        schedule: None,
        overlap: Overlap::Allow,
        maintenance: Vec::new(),
        stages: BTreeSet::from([Stage::Send, Stage::Accept, Stage::Return, Stage::CleanUp]),
        channel: Channel::Email(EmailChannel {
            to: vec![hold.unwrap_or(&account.address).to_owned()],
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: "Where is my parcel? (${token})".to_owned(),
            text: "Hello,\n\nwhere is my parcel?\n\nReference: ${token}".to_owned(),
            html: None,
            attachments: Vec::new(),
            ..EmailChannel::default()
        }),
        expect: Expect::default(),
        reply: Reply { mode: ReplyMode::Post, after: AfterStage::Land, text: String::new(), html: None, attachments: Vec::new() },
        follow_up: FollowUp {
            after_move: None,
            quote: Default::default(),
            automatic: false,
            to: FollowUpTo::Agent,
            text: String::new(),
            after_close: false,
            reopens: true,
        },
        limits: BTreeMap::new(),
        policy: Policy::default(),
        mark: None,
        clean_up: CleanUp::Keep,
        settle: Duration::ZERO,
        watch_after: Duration::ZERO,
    };
    let limit = Duration::from_secs(if hold.is_some() { 3600 } else { 60 });
    for stage in [Stage::Send, Stage::Accept, Stage::Return] {
        probe.set_limit(stage, limit);
    }
    probe
}

/// Resident memory of this process in kB (`VmRSS`, proc(5)); 0 where there is no /proc.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|l| l.split_whitespace().next())
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}
