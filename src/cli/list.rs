//! `list`: the probes with schedule, last verdict and next start.

use super::exit::Exit;
use super::{Context, Ended, assemble, load, put};
use crate::config::Config;
use crate::engine::ports::{ProbeStanding, Store};
use crate::metrics::schedule_text;
use crate::model::{Probe, Run, Verdict};
use crate::report::human::verdict_word;
use crate::report::look::{self, FAINT, STRONG, UNSURE, style_of};
use anstyle::Style;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Arguments of `list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only probes that have this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// Lists the probes.
///
/// # Errors
/// Exit 4 when no probe has the tag.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let tags: Vec<String> = args.tag.iter().cloned().collect();
    let probes =
        super::select::select(&config, &super::select::Selection { names: &[], tags: &tags, all: args.tag.is_none(), variants: false })?;
    let store = assemble::store(&config, &context.clock).await?;
    put(&table(&probes, &config, store.as_ref(), context).await?);
    Ok(Exit::Passed)
}

async fn table(probes: &[Probe], config: &Config, store: &dyn Store, context: &Context) -> Result<String, super::Failure> {
    let now = context.clock.now();
    let standings = store.standings().await?;
    let standings: BTreeMap<&str, &ProbeStanding> = standings.iter().map(|s| (s.probe.as_str(), s)).collect();
    let paused = store.paused().await?;
    let head = ["PROBE", "BY", "DESK", "GATEWAY", "SCHEDULE", "LAST VERDICT", "NEXT START", "TAGS"].map(|h| (FAINT, h.to_owned())).to_vec();
    let mut rows = vec![head];
    for probe in probes {
        let standing = standings.get(probe.name.as_str()).copied();
        let next = next(probe, store.last_start(&probe.name).await?, &paused, now);
        rows.push(vec![
            (STRONG, probe.name.clone()),
            (Style::new(), probe.channel_name().to_owned()),
            desk(probe, config),
            (FAINT, probe.gateway.clone()),
            (Style::new(), schedule_text(probe.schedule.as_ref())),
            verdict(standing, now),
            next,
            (FAINT, probe.tags.join(" ")),
        ]);
    }
    // The gateway mostly is that of the desk.
    let mut text = look::table_within(rows, &[3, 7, 2], context.look);
    if config.probes.len() > probes.len() {
        text.push_str(&format!("{} of {} probes\n", probes.len(), config.probes.len()));
    }
    Ok(text)
}

fn desk(probe: &Probe, config: &Config) -> (Style, String) {
    match &probe.desk {
        Some(desk) if config.unproven.contains(desk) => (UNSURE, format!("{desk} (unproven)")),
        Some(desk) => (Style::new(), desk.clone()),
        None => (Style::new(), "-".to_owned()),
    }
}

/// Unknown is shown over the older verdict: that one is no longer known to hold.
fn verdict(standing: Option<&ProbeStanding>, now: Timestamp) -> (Style, String) {
    let Some(last) = standing.and_then(|s| s.last.as_ref()) else { return (FAINT, "never ran by schedule".to_owned()) };
    let verdict = last.diagnosis.as_ref().map(|d| d.verdict);
    let age = |run: &Run| {
        let ended = run.finished.unwrap_or(run.started);
        look::duration((now.as_microsecond() - ended.as_microsecond()) as f64 / 1e6)
    };
    let word = verdict_word(verdict.map(Verdict::as_str));
    let stage = last.diagnosis.as_ref().and_then(|d| d.stage).map(|s| format!(" at {s}")).unwrap_or_default();
    let before = standing.and_then(|s| s.last_judged.as_ref()).filter(|_| verdict == Some(Verdict::Unknown));
    let before = before
        .and_then(|r| r.diagnosis.as_ref().map(|d| format!(", before that {}", verdict_word(Some(d.verdict.as_str())))))
        .unwrap_or_default();
    (style_of(verdict.map_or("", Verdict::as_str)), format!("{word}{stage}, {} ago{before}", age(last)))
}

fn next(probe: &Probe, last: Option<Timestamp>, paused: &[String], now: Timestamp) -> (Style, String) {
    if paused.iter().any(|p| p == "*" || *p == probe.name) {
        return (UNSURE, "paused".to_owned());
    }
    let timetable = assemble::timetable();
    match (timetable.next_start)(probe, last, now) {
        None => (FAINT, "-".to_owned()),
        Some(at) if at <= now => (Style::new(), "due".to_owned()),
        Some(at) => (Style::new(), format!("in {}", look::duration((at.as_microsecond() - now.as_microsecond()) as f64 / 1e6))),
    }
}
