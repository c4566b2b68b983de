//! `matrix`: every fault of the catalogue and every harmless variation, each on a built-in desk of its own, many at once.

mod expected;
mod print;
mod scene;
mod score;
#[cfg(test)]
mod tests;

use super::exit::Exit;
use super::{Context, Ended, Failure, say};
use crate::clock::Clock;
use crate::model::{Run, Stage, Verdict};
use crate::sandbox::Rng;
use expected::{Expected, Harmless, Row};
use scene::Case;
use score::{Line, Miss, Thresholds};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What must be reached. The aim is 84, 82, 80, 76 and 1.5; what is missing stands by name in the sheet.
const LEAST: Thresholds = Thresholds { detected: 70, stage_right: 68, cause_listed: 68, cause_first: 67, mean_candidates: 1.5 };

/// How many probes run in one healthy case.
const HEALTHY: [&str; 5] = ["support", "billing", "sales", "contact-form", "chat"];

/// Arguments of `matrix`.
#[derive(clap::Args)]
pub struct Args {
    /// Draws the desks: wording, numbers, delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// human, json or markdown
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    report: print::Form,
    /// Only these rows and variations; the thresholds are not held then
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    only: Vec<String>,
    /// Without access to the desk's intake mailbox
    #[arg(long)]
    without_intake: bool,
    /// So many healthy runs beside
    #[arg(long, value_name = "N", default_value_t = 0)]
    healthy: usize,
    /// Two faults at once, so many pairs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pairs: usize,
    /// So many desks at once
    #[arg(long, value_name = "N", default_value_t = 50)]
    at_once: usize,
}

/// What is played, and what for.
enum Asked {
    Row(Row),
    Harmless(Harmless),
    Healthy,
    Pair(Row, Row),
}

/// Runs the matrix.
///
/// # Errors
/// When the expectations cannot be read. Exit 1 below the thresholds.
pub async fn run(args: Args, context: &Context) -> Ended {
    let expected = expected::read().map_err(Failure::ours)?;
    let wanted = |id: &str| args.only.is_empty() || args.only.iter().any(|o| o == id);
    let cases = cases(&expected, &args, &wanted);
    let played = play_all(cases, args.at_once.max(1), &context.clock).await;
    let mut table: Vec<Line> = expected.row.iter().filter(|r| !r.proved_by.is_empty() && wanted(&r.fault)).map(proved).collect();
    let (mut alarms, mut harmless, mut healthy) = (Vec::new(), 0, 0);
    for (asked, runs) in played {
        let first = runs.as_ref().map_err(Clone::clone).and_then(|r| r.first().cloned().ok_or_else(|| "no run".to_owned()));
        match asked {
            Asked::Row(row) => table.push(score::row(&row, &first, !args.without_intake)),
            Asked::Harmless(variation) => {
                harmless += 1;
                alarms.extend(score::alarm(&variation, &first));
            }
            Asked::Healthy => {
                let calm = |name: &str| Harmless { fault: "healthy".to_owned(), probe: name.to_owned(), verdict: vec![Verdict::Pass] };
                match runs {
                    Ok(runs) => {
                        healthy += runs.len();
                        alarms.extend(runs.into_iter().filter_map(|run| score::alarm(&calm(&run.probe.name.clone()), &Ok(run))));
                    }
                    Err(why) => alarms.push(Miss { fault: "healthy".to_owned(), why }),
                }
            }
            Asked::Pair(a, b) => table.extend(pair(&a, &b, &first)),
        }
    }
    let order = |fault: &str| expected.row.iter().position(|r| r.fault == fault).unwrap_or(usize::MAX);
    table.sort_by_key(|l| order(&l.fault));
    let sheet = score::sheet(table, harmless, alarms, healthy);
    let text = print::sheet(&sheet, args.report).map_err(Failure::ours)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(|e| Failure::ours(format!("standard output: {e}")))?;
    let below = if args.only.is_empty() && args.pairs == 0 { sheet.below(&LEAST) } else { Vec::new() };
    for line in &below {
        say(&format!("matrix: {line}\n"));
    }
    Ok(if below.is_empty() { Exit::Passed } else { Exit::Failed })
}

fn cases(expected: &Expected, args: &Args, wanted: &dyn Fn(&str) -> bool) -> Vec<(Asked, Case)> {
    let mut rng = Rng::new(args.seed);
    let mut seed = move || rng.next() % 1_000_000;
    let mut cases = Vec::new();
    if args.pairs > 0 {
        return pairs(expected, args, &mut seed);
    }
    for row in expected.row.iter().filter(|r| wanted(&r.fault) && r.proved_by.is_empty()) {
        let case = Case { faults: vec![row.fault.clone()], probes: together(&row.probe), good_before: row.good_before, seed: seed() };
        cases.push((Asked::Row(row.clone()), case));
    }
    for variation in expected.harmless.iter().filter(|h| wanted(&h.fault)) {
        let probes = vec![variation.probe.clone()];
        let case = Case { faults: vec![variation.fault.clone()], probes, good_before: false, seed: seed() };
        cases.push((Asked::Harmless(variation.clone()), case));
    }
    for _ in 0..args.healthy.div_ceil(HEALTHY.len()) {
        let probes = HEALTHY.iter().map(|p| (*p).to_owned()).collect();
        cases.push((Asked::Healthy, Case { faults: Vec::new(), probes, good_before: false, seed: seed() }));
    }
    cases
}

/// The judged probe and one beside it, as an operator would have: a variant's own probe, or one of another queue.
fn together(probe: &str) -> Vec<String> {
    let beside = match probe.split_once('.') {
        Some((base, _)) => base,
        None if probe == "support" => "billing",
        None => "support",
    };
    vec![probe.to_owned(), beside.to_owned()]
}

/// Pairs of faults that one probe meets.
fn pairs(expected: &Expected, args: &Args, seed: &mut dyn FnMut() -> u64) -> Vec<(Asked, Case)> {
    let fit = |r: &&Row| r.verdict == Verdict::Fail && r.proved_by.is_empty() && !r.good_before && r.stage.is_some();
    let rows: Vec<&Row> = expected.row.iter().filter(fit).collect();
    let mut cases = Vec::new();
    // Bounded: a draw of two faults of different probes is drawn again.
    for _ in 0..args.pairs * 1000 {
        if cases.len() >= args.pairs || rows.is_empty() {
            break;
        }
        let mut draw = || rows[usize::try_from(seed()).unwrap_or(0) % rows.len()];
        let (a, b) = (draw(), draw());
        if a.fault == b.fault || a.probe != b.probe {
            continue;
        }
        let faults = vec![a.fault.clone(), b.fault.clone()];
        let case = Case { faults, probes: vec![a.probe.clone()], good_before: false, seed: seed() };
        cases.push((Asked::Pair(a.clone(), b.clone()), case));
    }
    cases
}

/// Of two faults the stage of the earlier one is named, and whatever the run made is cleaned up or told.
fn pair(a: &Row, b: &Row, run: &Result<Run, String>) -> Option<Line> {
    let place = |stage: Option<Stage>| stage.and_then(|s| Stage::ALL.into_iter().position(|o| o == s));
    let earlier = if place(a.stage) <= place(b.stage) { a } else { b };
    let mut line =
        score::row(&Row { causes: vec![a.causes.first()?.clone(), b.causes.first()?.clone()], blame: None, ..earlier.clone() }, run, true);
    line.fault = format!("{} + {}", a.fault, b.fault);
    line.wrong.retain(|w| !w.starts_with("blame"));
    Some(line)
}

fn proved(row: &Row) -> Line {
    let holds = |file: &String| {
        std::fs::read_to_string(Path::new(file))
            .is_ok_and(|text| text.contains("#[test]") || text.contains("tokio::test") || text.contains(&row.fault))
    };
    let missing: Vec<String> = row.proved_by.iter().filter(|f| !holds(f)).cloned().collect();
    score::proved(row, &missing)
}

async fn play_all(cases: Vec<(Asked, Case)>, at_once: usize, clock: &Arc<dyn Clock>) -> Vec<(Asked, Result<Vec<Run>, String>)> {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut playing = JoinSet::new();
    for (asked, case) in cases {
        let (slots, clock) = (slots.clone(), clock.clone());
        playing.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let runs = scene::play(&case, &clock).await;
            (asked, runs)
        });
    }
    playing.join_all().await
}
