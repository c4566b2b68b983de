//! An engine beside a command: starts runs by hand and waits for their verdicts.

use super::live::Progress;
use super::reports::Reports;
use super::{Context, Failure, assemble, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::Driver;
use crate::engine::ports::{RunEvent, Store, StoreError};
use crate::model::{Phase, Probe, Run, RunId, Stage, Trigger};
use crate::report::look;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// An engine at work.
pub struct Session {
    /// The store.
    pub store: Arc<dyn Store>,
    driver: Arc<dyn Driver>,
    clock: Arc<dyn Clock>,
    events: mpsc::UnboundedReceiver<RunEvent>,
    stop: watch::Sender<bool>,
    /// Runs of commands that died, which end here.
    orphans: BTreeSet<RunId>,
    working: JoinHandle<Result<(), StoreError>>,
}

/// What became of the runs.
pub struct Finished {
    /// The finished runs with their observations, in the order in which they ended.
    pub runs: Vec<Run>,
    /// The user asked to stop.
    pub interrupted: bool,
    /// Runs that were left under way, because the user asked twice.
    pub abandoned: Vec<RunId>,
}

impl Finished {
    /// Keeps a run that has ended, once.
    fn take(&mut self, event: RunEvent, open: &mut BTreeMap<RunId, String>) {
        if let RunEvent::Finished(run) = event
            && open.remove(&run.id).is_some()
        {
            self.runs.push(*run);
        }
    }
}

/// SIGINT and SIGTERM.
pub struct Stops {
    int: Signal,
    term: Signal,
}

impl Stops {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn new() -> Result<Stops, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::ours(format!("signals cannot be received: {e}")));
        Ok(Stops { int: listen(SignalKind::interrupt())?, term: listen(SignalKind::terminate())? })
    }

    /// Returns at the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}

impl Session {
    /// Opens the store and puts an engine to work.
    ///
    /// # Errors
    /// When a part cannot be made.
    pub async fn start(config: &Config, context: &Context) -> Result<Session, Failure> {
        let store = assemble::store(config, &context.clock).await?;
        let (observer, events) = mpsc::unbounded_channel();
        let driver = assemble::driver(config, store.clone(), &context.clock, observer, false, |parts| parts).await?;
        let (stop, stopped) = watch::channel(false);
        let working = tokio::spawn({
            let driver = driver.clone();
            async move { driver.run_until_stopped(stopped).await }
        });
        Ok(Session { store, driver, clock: context.clock.clone(), events, stop, orphans: BTreeSet::new(), working })
    }

    /// Runs each probe once and waits for the verdicts. At the first signal every run is asked to clean up and end;
    /// at the second it leaves at once. What commands that died have left under way cleans up beside them.
    ///
    /// # Errors
    /// When the store or the engine fails.
    pub async fn run_once(
        &mut self,
        config: &Config,
        probes: &[Probe],
        until: Option<Stage>,
        progress: &mut Progress,
        reports: &mut Reports,
    ) -> Result<Finished, Failure> {
        let mut stops = Stops::new()?;
        let mut open: BTreeMap<RunId, String> = BTreeMap::new();
        let mut finished = Finished { runs: Vec::new(), interrupted: false, abandoned: Vec::new() };
        for probe in probes {
            let account = config.accounts.get(&probe.account).ok_or_else(|| Failure::ours(format!("no account `{}`", probe.account)))?;
            open.insert(self.driver.start_run(probe, account, Trigger::Manual, until).await?, probe.name.clone());
            // Of thousands of probes the first are long at work before the last is started; their news must not pile up.
            while let Ok(event) = self.events.try_recv() {
                progress.observe(&event);
                reports.event(&event, self.clock.now())?;
                finished.take(event, &mut open);
            }
        }
        let ours: BTreeSet<RunId> = open.keys().cloned().collect();
        let began = self.clock.now();
        let mut redraw = tokio::time::interval(Duration::from_millis(200));
        let mut ask = tokio::time::interval(Duration::from_secs(2));
        let mut not_asked: Vec<RunId> = Vec::new();
        // Before anything is waited for: runs as short as theirs may have ended by now.
        self.adopt(progress).await?;
        while !open.is_empty() || !self.orphans.is_empty() {
            tokio::select! {
                Some(event) = self.events.recv() => {
                    if !ours.contains(&event.run().id) {
                        if let RunEvent::Finished(run) = &event {
                            self.orphans.remove(&run.id);
                        }
                        continue;
                    }
                    progress.observe(&event);
                    reports.event(&event, self.clock.now())?;
                    finished.take(event, &mut open);
                }
                _ = redraw.tick() => {
                    let passed = (self.clock.now().as_microsecond() - began.as_microsecond()) as f64 / 1e6;
                    let hint = if finished.interrupted { "cleaning up; Ctrl-C again leaves at once" } else { "Ctrl-C stops and cleans up" };
                    progress.draw(self.clock.now(), &format!("{}  {hint}", look::duration(passed)));
                }
                _ = ask.tick() => {
                    self.interrupt(&mut not_asked).await?;
                    self.fetch_finished(&mut open, &mut finished.runs).await?;
                    self.adopt(progress).await?;
                }
                () = stops.next() => {
                    if std::mem::replace(&mut finished.interrupted, true) {
                        finished.abandoned = open.into_keys().chain(std::mem::take(&mut self.orphans)).collect();
                        break;
                    }
                    if matches!(progress, Progress::Lines) {
                        say("stopping: the runs clean up; once more leaves at once\n");
                    }
                    not_asked = open.keys().cloned().collect();
                    self.interrupt(&mut not_asked).await?;
                }
                ended = &mut self.working => return Err(engine_ended(ended)),
            }
        }
        progress.clear();
        self.tell_of_others(progress).await?;
        self.complete(&mut finished.runs).await?;
        Ok(finished)
    }

    /// Asks runs to end; those that are held at this moment stay in the list.
    async fn interrupt(&self, runs: &mut Vec<RunId>) -> Result<(), Failure> {
        let mut held = Vec::new();
        for run in runs.drain(..) {
            if !self.driver.interrupt(&run).await? {
                held.push(run);
            }
        }
        *runs = held;
        Ok(())
    }

    /// Stops the runs of commands that died: they clean up here and end as unknown.
    async fn adopt(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        for (run, dead) in self.store.others_by_hand().await? {
            if dead && !self.orphans.contains(&run) && self.driver.interrupt(&run).await? {
                progress.note(&format!("run {run} was left under way by a command that died; it cleans up now and ends as unknown"));
                self.orphans.insert(run);
            }
        }
        for run in self.orphans.clone() {
            if self.store.run(&run).await?.is_none_or(|r| r.phase == Phase::Finished) {
                self.orphans.remove(&run);
            }
        }
        Ok(())
    }

    /// A command that died only just now cannot be told from one that works.
    async fn tell_of_others(&self, progress: &mut Progress) -> Result<(), Failure> {
        for (run, _) in self.store.others_by_hand().await? {
            progress.note(&format!("run {run} of another command is under way; should that one be dead, the next run or serve sees to it"));
        }
        Ok(())
    }

    /// Takes verdicts from the store, for runs that another instance has finished.
    async fn fetch_finished(&self, open: &mut BTreeMap<RunId, String>, runs: &mut Vec<Run>) -> Result<(), Failure> {
        let waiting: Vec<RunId> = open.keys().cloned().collect();
        for id in self.store.finished_among(&waiting).await? {
            if let Some(run) = self.store.run(&id).await?.filter(|r| r.phase == Phase::Finished) {
                open.remove(&id);
                runs.push(run);
            }
        }
        Ok(())
    }

    /// Reads the runs again, so that the reports hold all evidence.
    async fn complete(&self, runs: &mut [Run]) -> Result<(), Failure> {
        for run in runs {
            if let Some(whole) = self.store.run(&run.id).await? {
                *run = whole;
            }
        }
        Ok(())
    }

    /// Stops the engine; steps in hand are finished.
    ///
    /// # Errors
    /// When the engine ended badly.
    pub async fn close(self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        match self.working.await {
            Ok(Ok(())) => Ok(()),
            ended => Err(engine_ended(ended)),
        }
    }
}

/// What to say when the engine is gone.
pub fn engine_ended(ended: Result<Result<(), StoreError>, tokio::task::JoinError>) -> Failure {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => Failure::ours("the engine stopped by itself"),
        Err(error) => Failure::ours(format!("the engine broke: {error}")),
    }
}
