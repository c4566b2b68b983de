//! `serve`: the daemon. Scheduler, engine, status page and metrics, reloaded on SIGHUP, ended by SIGTERM or SIGINT.

use super::exit::Exit;
use super::session::{Stops, engine_ended};
use super::{Context, Ended, Failure, assemble, certificates, load};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::{Driver, Scheduler, SchedulerParts, Watcher};
use crate::engine::ports::{Desks, Mailboxes, Retention, RunEvent, RunFilter, Store, StoreError};
use crate::metrics::Metrics;
use crate::model::Phase;
use crate::page::{self, Pages};
use crate::watched::{WatchedDesks, WatchedMailboxes, WatchedStore};
use crate::web::{self, Pulse, Site};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// Places that no run visits are visited as `doctor` does, so that their gauges tell the truth.
const VISIT_EVERY: Duration = Duration::from_secs(300);
/// Evidence texts of passed runs are worth little after a few days.
const PASSED_EVIDENCE: Duration = Duration::from_secs(3 * 86_400);

/// Arguments of `serve`.
#[derive(clap::Args)]
#[command(after_help = "\
Signals:
  SIGHUP             reads the configuration again; a faulty one is refused and the old one stays
  SIGTERM or SIGINT  finishes the acts in hand and ends; waiting runs stay in the store for the next start")]
pub struct Args {
    /// Where the status page and /metrics are served, instead of `listen` in replypath.toml
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Serves until a signal ends it.
///
/// # Errors
/// Exit 3 for a faulty configuration, 5 when the port or the store cannot be used.
pub async fn run(args: Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let address = args.listen.unwrap_or(config.daemon.listen);
    let listener = TcpListener::bind(address)
        .await
        .map_err(|e| Failure::ours(format!("{address} cannot be listened on: {e}; --listen names another address")))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|e| Failure::ours(format!("signals cannot be received: {e}")))?;
    let mut stops = Stops::new()?;
    let (stop, stopped) = watch::channel(false);
    let (reload, reloads) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stops.next() => drop(stop.send_replace(true)),
                // A reload that waits already is enough.
                Some(()) = hangup.recv() => drop(reload.try_send(())),
            }
        }
    });
    let daemon = Daemon { dir: context.dir.clone(), clock: context.clock.clone(), tap: traces()?, stopped, reloads };
    daemon.serve(config, listener).await?;
    Ok(Exit::Passed)
}

/// Who sends finished runs to a collector of traces, where the environment names one.
#[cfg(feature = "otel")]
fn traces() -> Result<Option<mpsc::UnboundedSender<RunEvent>>, Failure> {
    let named = crate::traces::Collector::from_env(|name| std::env::var(name).ok()).and_then(|c| c.map(|c| c.listen()).transpose());
    named.map_err(|e| Failure::new(Exit::Usage, e))
}

/// Built without traces.
#[cfg(not(feature = "otel"))]
fn traces() -> Result<Option<mpsc::UnboundedSender<RunEvent>>, Failure> {
    Ok(None)
}

/// What the daemon is driven by.
pub struct Daemon {
    /// The configuration's folder, for reloads.
    pub dir: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Hears every event too, for a live view.
    pub tap: Option<mpsc::UnboundedSender<RunEvent>>,
    /// Becomes true at the end.
    pub stopped: watch::Receiver<bool>,
    /// Asks for a reload.
    pub reloads: mpsc::Receiver<()>,
}

/// Where results show.
struct Shown<'a> {
    metrics: &'a Arc<Metrics>,
    pulse: &'a Arc<Pulse>,
    pages: &'a Arc<Pages>,
}

/// One configuration at work.
struct Turn {
    stop: watch::Sender<bool>,
    engine: JoinHandle<Result<(), StoreError>>,
    scheduler: JoinHandle<mpsc::UnboundedReceiver<RunEvent>>,
    chores: [JoinHandle<()>; 4],
}

impl Daemon {
    /// Works until `stopped` is true.
    ///
    /// # Errors
    /// When the store, a part or the listener fails for good.
    pub async fn serve(mut self, mut config: Config, listener: TcpListener) -> Result<(), Failure> {
        let metrics = Arc::new(Metrics::new().map_err(|e| Failure::ours(format!("the metrics cannot be made: {e}")))?);
        let pulse = Arc::new(Pulse::default());
        let inner = assemble::store(&config, &self.clock).await?;
        let store: Arc<dyn Store> = Arc::new(WatchedStore { inner, metrics: metrics.clone() });
        configure(&metrics, &config);
        metrics.restore(&store.standings().await?);
        metrics.resume(&unfinished(store.as_ref(), &config).await?);
        metrics.reloaded(Some(self.clock.now()));
        let address = listener.local_addr().map_err(|e| Failure::ours(format!("the listener has no address: {e}")))?;
        let pages = Pages::new(store.clone(), self.clock.clone(), pulse.clone(), address, config.daemon.state.clone())
            .map_err(|e| Failure::ours(format!("the status page cannot be made: {e}")))?;
        pages.configure(&config).await?;
        tracing::info!(%address, probes = config.probes.len(), page = %format_args!("http://{address}/"), "serving /metrics");
        warn_open(&pages, address);
        let site = Site { metrics: metrics.clone(), pulse: pulse.clone(), clock: self.clock.clone() };
        let routes = web::router(site).merge(page::router(pages.clone()));
        // The pages go last: whoever looks while the runs end still sees them.
        let (close, closed) = watch::channel(false);
        let mut http = tokio::spawn(web::serve(listener, routes, wait(closed)));
        loop {
            let turn = self.begin(&config, &store, &Shown { metrics: &metrics, pulse: &pulse, pages: &pages }).await?;
            let next = self.until_change(&config, &metrics, &pages, turn, &mut http).await?;
            match next {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(new) => {
                    config = *new;
                    configure(&metrics, &config);
                    metrics.restore(&store.standings().await?);
                    pages.configure(&config).await?;
                    metrics.reloaded(Some(self.clock.now()));
                    tracing::info!(probes = config.probes.len(), "the new configuration is at work");
                }
            }
        }
        pages.close();
        close.send_replace(true);
        // Answers in hand are finished; a reader that never ends is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(5), &mut http).await;
        tracing::info!("ended; waiting runs go on at the next start");
        Ok(())
    }

    async fn begin(&self, config: &Config, store: &Arc<dyn Store>, shown: &Shown<'_>) -> Result<Turn, Failure> {
        let Shown { metrics, pulse, pages } = *shown;
        let (observer, events) = mpsc::unbounded_channel();
        let mut visited: Option<(Arc<dyn Mailboxes>, Arc<dyn Desks>)> = None;
        let mut expiry = None;
        let driver = assemble::driver(config, store.clone(), &self.clock, observer, true, |parts| {
            let mailboxes: Arc<dyn Mailboxes> = Arc::new(WatchedMailboxes { inner: parts.mailboxes, metrics: metrics.clone() });
            let desks: Arc<dyn Desks> = Arc::new(WatchedDesks { inner: parts.desks, metrics: metrics.clone() });
            visited = Some((mailboxes.clone(), desks.clone()));
            expiry = Some(certificates::watch(config, parts.names.clone(), metrics.clone(), self.clock.clone()));
            assemble::Outside { mailboxes, desks, ..parts }
        })
        .await?;
        let (stop, stopped) = watch::channel(false);
        let parts = SchedulerParts {
            store: store.clone(),
            driver: driver.clone(),
            clock: self.clock.clone(),
            metrics: metrics.clone(),
            watcher: Some(pages.clone()),
            pulse: pulse.clone(),
            timetable: assemble::timetable(),
        };
        let scheduler = Scheduler::new(parts, config).await?;
        pages.open(driver.clone(), config);
        let engine = tokio::spawn(drive(driver, stopped.clone()));
        let scheduler = tokio::spawn(schedule(scheduler, stopped.clone(), events, self.tap.clone()));
        let accounts: Vec<String> = config.accounts.keys().cloned().collect();
        let desks: Vec<String> = config.desks.keys().cloned().collect();
        let visits = tokio::spawn(async move {
            if let Some((mailboxes, all)) = visited {
                visit(mailboxes, accounts, all, desks).await;
            }
        });
        let certificates = tokio::spawn(async move {
            if let Some(watch) = expiry {
                watch.await;
            }
        });
        let pruning = tokio::spawn(prune(store.clone(), self.clock.clone(), config.daemon.keep_passed, config.daemon.keep_failed));
        let pages = pages.clone();
        let history = tokio::spawn(async move { pages.keep_up().await });
        Ok(Turn { stop, engine, scheduler, chores: [visits, certificates, pruning, history] })
    }

    /// Lets a turn work until the end or until another configuration was accepted.
    async fn until_change(
        &mut self,
        config: &Config,
        metrics: &Metrics,
        pages: &Pages,
        mut turn: Turn,
        http: &mut JoinHandle<std::io::Result<()>>,
    ) -> Result<ControlFlow<(), Box<Config>>, Failure> {
        let next = loop {
            tokio::select! {
                () = wait(self.stopped.clone()) => break ControlFlow::Break(()),
                Some(()) = self.reloads.recv() => match self.reload(config, metrics) {
                    Some(new) => break ControlFlow::Continue(new),
                    None => continue,
                },
                ended = &mut turn.engine => return Err(engine_ended(ended)),
                ended = &mut *http => return Err(Failure::ours(format!("the status page and /metrics are no longer served: {ended:?}"))),
            }
        };
        pages.shut();
        turn.stop.send_replace(true);
        turn.chores.iter().for_each(JoinHandle::abort);
        match turn.engine.await {
            Ok(Ok(())) => {}
            ended => return Err(engine_ended(ended)),
        }
        // What the engine reported while it ended is counted too.
        if let Ok(mut events) = turn.scheduler.await {
            while let Ok(event) = events.try_recv() {
                metrics.observe(&event);
                pages.observe(&event);
            }
        }
        Ok(next)
    }

    fn reload(&self, old: &Config, metrics: &Metrics) -> Option<Box<Config>> {
        match assemble::load(&self.dir) {
            Ok(new) => {
                if new.daemon.state != old.daemon.state || new.daemon.listen != old.daemon.listen {
                    tracing::warn!("another `state` or `listen` counts only after a restart");
                }
                Some(Box::new(new))
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!(file = %problem.file, help = problem.help.as_deref(), "{}", problem.message);
                }
                tracing::error!(
                    problems = problems.len(),
                    "the new configuration is refused; the old one stays (replypath check shows the places)"
                );
                // Last, so that whoever is called by the metric finds the reason in the log.
                metrics.reloaded(None);
                None
            }
        }
    }
}

/// Says plainly who can read what, where that is more than this machine.
fn warn_open(pages: &Pages, address: SocketAddr) {
    if !address.ip().is_loopback() && pages.is_open() {
        tracing::warn!(
            %address,
            "the status page is open for reading to everybody who reaches this address: verdicts, stages and times; evidence is shown only \
             to operators"
        );
    }
}

async fn drive(driver: Arc<dyn Driver>, stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    driver.run_until_stopped(stop).await
}

/// Runs the scheduler on the engine's events, which a live view may hear too, and gives the rest of them back.
async fn schedule(
    scheduler: Scheduler,
    stop: watch::Receiver<bool>,
    mut events: mpsc::UnboundedReceiver<RunEvent>,
    tap: Option<mpsc::UnboundedSender<RunEvent>>,
) -> mpsc::UnboundedReceiver<RunEvent> {
    scheduler.run(stop, &mut events, tap.as_ref()).await;
    events
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that nobody can stop us any more, which is an end too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

fn configure(metrics: &Metrics, config: &Config) {
    metrics.blind_after(config.daemon.blind_after);
    metrics.configure(config.probes.values(), config.desks.keys().map(String::as_str), config.accounts.keys().map(String::as_str));
}

async fn unfinished(store: &dyn Store, config: &Config) -> Result<Vec<crate::model::Run>, StoreError> {
    let mut open = Vec::new();
    for name in config.probes.keys() {
        if store.has_unfinished(name).await? {
            let filter = RunFilter { probe: Some(name.clone()), limit: 20, ..RunFilter::default() };
            open.extend(store.runs(&filter).await?.into_iter().filter(|r| r.phase != Phase::Finished));
        }
    }
    Ok(open)
}

async fn prune(store: Arc<dyn Store>, clock: Arc<dyn Clock>, passed: Duration, failed: Duration) {
    let retention = Retention { passed, failed, passed_evidence: passed.min(PASSED_EVIDENCE) };
    loop {
        match store.prune(&retention, clock.now()).await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "old runs were removed"),
            Err(error) => tracing::error!(%error, "old runs cannot be removed"),
        }
        clock.sleep_until(crate::clock::after(clock.now(), PRUNE_EVERY)).await;
    }
}

async fn visit(mailboxes: Arc<dyn Mailboxes>, accounts: Vec<String>, desks: Arc<dyn Desks>, keys: Vec<String>) {
    let mut every = tokio::time::interval(VISIT_EVERY);
    loop {
        every.tick().await;
        for key in &keys {
            if let Some(desk) = desks.desk(key)
                && let Err(trouble) = desk.health().await
            {
                tracing::warn!(desk = %key, fault = trouble.fault, "{}", trouble.message);
            }
        }
        for account in &accounts {
            if let Err(trouble) = mailboxes.doctor(account).await {
                tracing::warn!(%account, fault = trouble.fault, "{}", trouble.message);
            }
        }
    }
}
