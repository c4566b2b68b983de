//! `fill DIR TEMPLATES RUNS SECONDS BROKEN`: fills the store of the configuration in DIR with so many finished scheduled runs of
//! so many last seconds, through the store's own steps. They are copies of the runs in the store folder TEMPLATES, one passed
//! and one failed, under names and times of their own. The probes of the first BROKEN gateways fail since their last three
//! runs; elsewhere one run in a hundred failed, and the newest passed. Of passed runs the texts are gone, as they are after three
//! days.

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use replypath::clock::{Clock, SystemClock};
use replypath::config::{self, DeskFiles};
use replypath::engine::ports::{RunFilter, Step, Store, StoreError};
use replypath::model::{Phase, Probe, Run, RunId, Trigger, Verdict};
use replypath::store::SqliteStore;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Steps that share a transaction, as the store lets them.
const AT_ONCE: usize = 64;
/// So many runs of a broken probe failed in a row.
const FAILED: usize = 3;

/// One run of each kind.
struct Templates {
    passed: Run,
    failed: Run,
}

impl Templates {
    async fn read(dir: &Path, clock: Arc<dyn Clock>) -> Result<Templates, Box<dyn Error>> {
        let store = SqliteStore::open(dir, "fill-templates", clock)?;
        let listed = store.runs(&RunFilter { limit: 100, ..RunFilter::default() }).await?;
        let mut found = Vec::new();
        for verdict in [Verdict::Pass, Verdict::Fail] {
            let of_kind = listed.iter().find(|r| r.diagnosis.as_ref().is_some_and(|d| d.verdict == verdict));
            let id =
                of_kind.map(|r| r.id.clone()).ok_or_else(|| format!("no run with the verdict {} among the templates", verdict.as_str()))?;
            found.extend(store.run(&id).await?);
        }
        let [mut passed, failed] = <[Run; 2]>::try_from(found).map_err(|_| "a template went while it was read")?;
        for mail in passed.mails.iter_mut().map(|seen| &mut seen.mail) {
            (mail.text, mail.new_text, mail.html, mail.headers) = Default::default();
        }
        passed.observations.iter_mut().for_each(|seen| seen.raw = None);
        Ok(Templates { passed, failed })
    }
}

/// A copy of the template as a run of that probe that ended then.
fn copy(template: &Run, probe: &Probe, name: &str, ended: Timestamp) -> Run {
    let mut run = template.clone();
    let by = template.finished.map_or(SignedDuration::ZERO, |at| ended.duration_since(at));
    let later = |at: Timestamp| at.saturating_add(by).unwrap_or(at);
    run.id = RunId(format!("r{name}"));
    run.probe = probe.clone();
    run.trigger = Trigger::Scheduled;
    (run.started, run.finished) = (later(run.started), run.finished.map(later));
    for record in run.stages.values_mut() {
        (record.opened, record.closed) = (record.opened.map(later), record.closed.map(later));
    }
    for (n, message) in run.messages.iter_mut().enumerate() {
        message.token.0 = format!("rp{name}x{n}");
        message.message_id = message.message_id.as_ref().map(|_| format!("{name}.{n}@bench.test"));
    }
    for (n, seen) in run.mails.iter_mut().enumerate() {
        seen.seen = later(seen.seen);
        seen.mail.received = seen.mail.received.map(later);
        seen.mail.message_id = seen.mail.message_id.as_ref().map(|_| format!("{name}.in{n}@bench.test"));
    }
    run
}

async fn store_run(store: &SqliteStore, run: Run) -> Result<(), StoreError> {
    let begun = Run {
        finished: None,
        diagnosis: None,
        phase: Phase::Active,
        stages: Default::default(),
        mails: Vec::new(),
        observations: Vec::new(),
        ..run.clone()
    };
    store.create_run(&begun).await?;
    let step = Step { run: &run, epoch: 1, due: None, hold: false, taken: &[], observations_kept: 0, durable: false };
    store.commit(step).await.map(|_| ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [dir, templates, runs, seconds, broken] = &given[..] else { return Err("fill DIR TEMPLATES RUNS SECONDS BROKEN".into()) };
    let (dir, runs, broken): (PathBuf, usize, usize) = (dir.into(), runs.parse()?, broken.parse()?);
    let spread = SignedDuration::from_secs(seconds.parse()?);
    let config = config::load(&dir, &|name| std::env::var(name).ok(), &DeskFiles)
        .map_err(|problems| problems.iter().map(|p| p.message.clone()).collect::<Vec<_>>().join("\n"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let templates = Templates::read(Path::new(templates), clock.clone()).await?;
    let store = SqliteStore::open(&config.daemon.state, "fill", clock.clone())?;
    let gateways: BTreeSet<&str> = config.probes.values().map(|p| p.gateway.as_str()).collect();
    let broken: BTreeSet<&str> = gateways.into_iter().take(broken).collect();
    let probes: Vec<&Probe> = config.probes.values().collect();
    let rounds = runs / probes.len();
    let now = clock.now();
    let life = format!("{:x}", now.as_microsecond());
    let run = |number: usize| {
        let (round, probe) = (number / probes.len(), probes[number % probes.len()]);
        let left = spread.mul_f64((rounds * probes.len() - number) as f64 / (rounds * probes.len()) as f64);
        let fails = match broken.contains(probe.gateway.as_str()) {
            true => round + FAILED >= rounds,
            false => round + 1 < rounds && number.is_multiple_of(101),
        };
        copy(if fails { &templates.failed } else { &templates.passed }, probe, &format!("{life}{number:07x}"), now - left)
    };
    let numbers: Vec<usize> = (0..rounds * probes.len()).collect();
    for portion in numbers.chunks(AT_ONCE) {
        for stored in join_all(portion.iter().map(|n| store_run(&store, run(*n)))).await {
            stored?;
        }
    }
    // Nobody's lease is left behind.
    store.sign_off().await?;
    Ok(())
}
