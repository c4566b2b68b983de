//! One desk of its own for one case: the sandbox with its switches, a configuration for it, and an engine that runs probes.

use crate::cli::{Failure, assemble, playground};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::Driver;
use crate::engine::ports::{RunEvent, Store};
use crate::model::{Run, RunId, Trigger};
use crate::sandbox::{self, Options, Sandbox};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The probes of the matrix; `{SYSTEM}` stands for the desk's own address of a queue, `{WEB}` for the sandbox's pages.
const FILES: [(&str, &[u8]); 9] = [
    ("probes/support.toml", include_bytes!("../../../tests/matrix/probes/support.toml")),
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
    working: JoinHandle<()>,
}

/// Plays a case; gives the runs in the order of its probes.
///
/// # Errors
/// In words, when the case could not be played or did not end.
pub async fn play(case: &Case, clock: &Arc<dyn Clock>) -> Result<Vec<Run>, String> {
    let at_once: &[String] = if case.good_before { &[] } else { &case.faults };
    let mut scene = Scene::start(at_once, case.seed, clock).await?;
    let played = scene.play(case).await;
    scene.end().await;
    played
}

impl Scene {
    async fn start(faults: &[String], seed: u64, clock: &Arc<dyn Clock>) -> Result<Scene, String> {
        let options = Options { seed, faults: faults.to_vec(), bot: true, clock: clock.clone(), ..Options::default() };
        let sandbox = sandbox::start(options).await.map_err(|e| e.to_string())?;
        let scratch = playground::Scratch::new().map_err(words)?;
        playground::write_files(&sandbox, scratch.path(), &FILES).map_err(words)?;
        let config = assemble::load(scratch.path()).map_err(|problems| assemble::render_problems(&problems))?;
        let store = assemble::store(&config, clock).await.map_err(words)?;
        let (observer, events) = mpsc::unbounded_channel();
        let driver = assemble::driver(&config, store.clone(), clock, observer, false, |parts| parts).await.map_err(words)?;
        let (stop, stopped) = watch::channel(false);
        let working = tokio::spawn({
            let driver = driver.clone();
            async move {
                if let Err(error) = driver.run_until_stopped(stopped).await {
                    tracing::error!(%error, "the engine of a case broke");
                }
            }
        });
        Ok(Scene { sandbox, _scratch: scratch, config, store, driver, events, stop, working })
    }

    async fn play(&mut self, case: &Case) -> Result<Vec<Run>, String> {
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
        self.run(&case.probes).await
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

    async fn end(self) {
        self.stop.send_replace(true);
        let _ = self.working.await;
        self.sandbox.shutdown().await;
    }
}

fn words(failure: Failure) -> String {
    failure.message
}
