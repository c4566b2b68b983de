//! One desk of its own for one case: the sandbox with its switches, a configuration for it, and an engine that runs probes.

use crate::cli::session::engine_ended;
use crate::cli::{Failure, assemble, playground};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::Driver;
use crate::engine::ports::{RunEvent, Store, StoreError};
use crate::model::{Run, RunId, Trigger};
use crate::sandbox::{self, Options, Place, Sandbox, Status, Ticket};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The probes of the matrix; `{SYSTEM}` stands for the desk's own address of a queue, `{WEB}` for the sandbox's pages.
const FILES: [(&str, &[u8]); 10] = [
    ("probes/support.toml", include_bytes!("../../../tests/matrix/probes/support.toml")),
    ("probes/awaited.toml", include_bytes!("../../../tests/matrix/probes/awaited.toml")),
    ("probes/billing.toml", include_bytes!("../../../probes/billing.toml")),
    ("probes/sales.toml", include_bytes!("../../../tests/matrix/probes/sales.toml")),
    ("probes/contact-form.toml", include_bytes!("../../../probes/contact-form.toml")),
    ("probes/embedded-form.toml", include_bytes!("../../../tests/matrix/probes/embedded-form.toml")),
    ("probes/chat.toml", include_bytes!("../../../tests/matrix/probes/chat.toml")),
    ("probes/files/order.csv", include_bytes!("../../../probes/files/order.csv")),
    ("probes/files/invoice.csv", include_bytes!("../../../probes/files/invoice.csv")),
    ("probes/files/photo.png", include_bytes!("../../../probes/files/photo.png")),
];

/// No run of the matrix takes longer: every limit of its probes is far below.
const LONGEST: Duration = Duration::from_secs(240);

/// How often a mailbox is looked at beside the push, where a person is waited for.
const RARELY: Duration = Duration::from_secs(60);

/// How long a late ticket may take to be closed after the verdict.
const TIDY: Duration = Duration::from_secs(30);

/// What is to be played.
#[derive(Debug, Clone)]
pub struct Case {
    /// Switches.
    pub faults: Vec<String>,
    /// The probe that is judged, then those beside it.
    pub probes: Vec<String>,
    /// One good run of the judged probe first, then the switches.
    pub good_before: bool,
    /// The seed of the desk.
    pub seed: u64,
    /// How many times as fast as usual the desk is; 1 where nothing is said of it.
    pub speed: f64,
    /// A person answers in the queue Support, so long after a request.
    pub person_after: Option<Duration>,
    /// The operator grants a look into the desk's intake mailboxes.
    pub intake: bool,
    /// The desk must hold no open ticket of the runs when they have ended, unless a run says that it left one.
    pub tidy: bool,
}

impl Case {
    /// A desk with these switches and these probes, with nothing unusual.
    pub fn of(faults: &[&str], probes: Vec<String>, seed: u64) -> Case {
        let faults = faults.iter().map(|f| (*f).to_owned()).collect();
        Case { faults, probes, good_before: false, seed, speed: 1.0, person_after: None, intake: true, tidy: false }
    }
}

/// What came of a case.
#[derive(Debug)]
pub struct Played {
    /// The runs, in the order of the case's probes.
    pub runs: Vec<Run>,
    /// When the faults were there and could be met.
    pub began: Timestamp,
    /// Tickets of the runs that stay open at the desk and that no run tells of. Only of tidy cases.
    pub forgotten: Vec<String>,
}

/// A desk with probes.
pub struct Scene {
    sandbox: Sandbox,
    // Removed with the scene.
    _scratch: playground::Scratch,
    config: Config,
    store: Arc<dyn Store>,
    driver: Arc<dyn Driver>,
    events: mpsc::UnboundedReceiver<RunEvent>,
    stop: watch::Sender<bool>,
    working: JoinHandle<Result<(), StoreError>>,
}

/// Plays a case.
///
/// # Errors
/// In words, when the case could not be played or did not end.
pub async fn play(case: &Case, clock: &Arc<dyn Clock>) -> Result<Played, String> {
    let mut scene = Scene::start(case, clock).await?;
    let played = scene.play(case, clock).await;
    let ended = scene.end().await;
    let played = played?;
    ended.map(|()| played)
}

impl Scene {
    async fn start(case: &Case, clock: &Arc<dyn Clock>) -> Result<Scene, String> {
        let faults = if case.good_before { Vec::new() } else { case.faults.clone() };
        let agent_queues = vec!["Support".to_owned()];
        let (agent, agent_after) = (case.person_after.is_some(), case.person_after);
        let (seed, speed, clock_of_desk) = (case.seed, case.speed, clock.clone());
        let options =
            Options { seed, speed, faults, bot: true, agent, agent_queues, agent_after, clock: clock_of_desk, ..Options::default() };
        let sandbox = sandbox::start(options).await.map_err(|e| e.to_string())?;
        let scratch = playground::Scratch::new().map_err(words)?;
        playground::write_files(&sandbox, scratch.path(), &FILES).map_err(words)?;
        let mut config = assemble::load(scratch.path()).map_err(|problems| assemble::render_problems(&problems))?;
        if case.person_after.is_some() {
            // Longer than any doubt about who is slow: the push or the look.
            for account in config.accounts.values_mut() {
                (account.mailbox.poll, account.mailbox.junk_poll) = (RARELY, RARELY);
            }
        }
        if !case.intake {
            config.intakes.clear();
            config.probes.values_mut().for_each(|probe| probe.intake = None);
        }
        let store = assemble::store(&config, clock).await.map_err(words)?;
        let (observer, events) = mpsc::unbounded_channel();
        let driver = assemble::driver(&config, store.clone(), clock, observer, false, |parts| parts).await.map_err(words)?;
        let (stop, stopped) = watch::channel(false);
        let working = tokio::spawn({
            let driver = driver.clone();
            async move { driver.run_until_stopped(stopped).await }
        });
        Ok(Scene { sandbox, _scratch: scratch, config, store, driver, events, stop, working })
    }

    async fn play(&mut self, case: &Case, clock: &Arc<dyn Clock>) -> Result<Played, String> {
        if case.good_before {
            let first = self.run(&case.probes[..1]).await?;
            let words = first.first().and_then(|r| r.diagnosis.as_ref()).map(|d| (d.verdict, d.summary.clone()));
            if words.as_ref().is_none_or(|(verdict, _)| *verdict != crate::model::Verdict::Pass) {
                return Err(format!("the run before the fault did not pass: {}", words.map(|w| w.1).unwrap_or_default()));
            }
            for fault in &case.faults {
                self.sandbox.set_fault(fault, true).map_err(|e| e.to_string())?;
            }
        }
        let began = clock.now();
        let runs = self.run(&case.probes).await?;
        let forgotten = if case.tidy { self.forgotten(&runs).await } else { Vec::new() };
        Ok(Played { runs, began, forgotten })
    }

    /// Tickets that hold a token of these runs, are open, and stand among no run's leftovers. What comes late is closed by
    /// the watch after the verdict, so it has a while.
    async fn forgotten(&self, runs: &[Run]) -> Vec<String> {
        let look = |sandbox: &Sandbox| -> Vec<String> {
            let open = sandbox.tickets().into_iter().filter(|t| t.status != Status::Closed && t.place != Place::Deleted);
            open.filter(|t| runs.iter().any(|run| is_of(t, run)) && !runs.iter().any(|run| tells_of(t, run))).map(|t| t.number()).collect()
        };
        match self.sandbox.wait(TIDY, |sandbox| look(sandbox).is_empty().then_some(())).await {
            Ok(()) => Vec::new(),
            Err(_) => look(&self.sandbox),
        }
    }

    async fn run(&mut self, probes: &[String]) -> Result<Vec<Run>, String> {
        let mut open: BTreeMap<RunId, usize> = BTreeMap::new();
        for (place, name) in probes.iter().enumerate() {
            let probe = self.config.probes.get(name).ok_or_else(|| format!("there is no probe `{name}`"))?;
            let account = self.config.accounts.get(&probe.account).ok_or_else(|| format!("no account `{}`", probe.account))?;
            let id = self.driver.start_run(probe, account, Trigger::Manual, None).await.map_err(|e| e.to_string())?;
            open.insert(id, place);
        }
        let mut runs: BTreeMap<usize, Run> = BTreeMap::new();
        let ending = async {
            while !open.is_empty() {
                let Some(event) = self.events.recv().await else { return Err("the engine is gone".to_owned()) };
                if let RunEvent::Finished(run) = event
                    && let Some(place) = open.remove(&run.id)
                {
                    let whole = self.store.run(&run.id).await.map_err(|e| e.to_string())?;
                    runs.insert(place, whole.unwrap_or(*run));
                }
            }
            Ok(())
        };
        match tokio::time::timeout(LONGEST, ending).await {
            Ok(ended) => ended.map(|()| runs.into_values().collect()),
            Err(_) => Err(format!("not ended after {} s", LONGEST.as_secs())),
        }
    }

    async fn end(self) -> Result<(), String> {
        self.stop.send_replace(true);
        let ended = self.working.await;
        self.sandbox.shutdown().await;
        match ended {
            Ok(Ok(())) => Ok(()),
            ended => Err(words(engine_ended(ended))),
        }
    }
}

/// A stranger's ticket into which a desk put our mail is not ours to close.
fn is_of(ticket: &Ticket, run: &Run) -> bool {
    if !ticket.requester.eq_ignore_ascii_case(&run.address) {
        return false;
    }
    let holds = |text: &str| run.messages.iter().any(|m| m.token.is_in(text));
    holds(&ticket.subject) || ticket.messages.iter().any(|m| holds(&m.text))
}

/// The run says that it left this ticket, and why.
fn tells_of(ticket: &Ticket, run: &Run) -> bool {
    run.leftovers.iter().any(|l| l.what == format!("ticket {}", ticket.number()) && !l.why.trim().is_empty())
}

fn words(failure: Failure) -> String {
    failure.message
}
