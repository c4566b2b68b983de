//! `matrix`: every fault of the catalogue and every harmless variation, each on a built-in desk of its own, many at once.

mod expected;
mod pairs;
mod print;
mod scene;
mod score;
#[cfg(test)]
mod tests;

use super::exit::Exit;
use super::{Context, Ended, Failure, say};
use crate::clock::Clock;
use crate::sandbox::Rng;
use expected::{Expected, Harmless, Row};
use pairs::Excluded;
use scene::{Case, Played};
use score::{Sheet, Thresholds};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What must be reached over the whole catalogue; what is missing stands by name in the sheet.
const LEAST: Thresholds = Thresholds { detected: 84, stage_right: 82, cause_listed: 80, cause_first: 76, mean_candidates: 1.5 };

/// The probes of one healthy desk.
const HEALTHY: [&str; 5] = ["support", "billing", "sales", "contact-form", "chat"];

/// So many missed rows are played again at most; more are no matter of chance.
const AGAIN: usize = 8;
/// So many of them at once.
const FEW: usize = 3;

/// How slow and how fast a healthy desk may be, as a part of the usual: its slowest ways take half of the probes' limits.
const SPEEDS: (f64, f64) = (0.1, 2.0);

/// Arguments of `matrix`.
#[derive(clap::Args)]
#[command(after_help = "\
Exit 1 when less than what must be reached is reached; standard error says what. With --only and --pairs nothing may be wrong.")]
pub struct Args {
    /// Draws the desks: wording, numbers, delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// human, json or markdown
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    report: print::Form,
    /// Only these rows and variations
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    only: Vec<String>,
    /// Without access to the desk's intake mailbox
    #[arg(long)]
    without_intake: bool,
    /// So many healthy runs beside
    #[arg(long, value_name = "N", default_value_t = 0)]
    healthy: usize,
    /// Two faults at once, so many pairs, instead of the rows
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "only")]
    pairs: usize,
    /// Keep the runs of every case in this folder, a JSON file each
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// So many desks at once
    #[arg(long, value_name = "N", default_value_t = 50)]
    at_once: usize,
}

/// What is played, and what for.
#[derive(Clone)]
enum Asked {
    Row(Row),
    Harmless(Harmless),
    Healthy,
    Pair(Box<(Row, Row)>),
}

/// Runs the matrix.
///
/// # Errors
/// When the expectations cannot be read, exit 4 for a row that there is not. Exit 1 below what must be reached.
pub async fn run(args: Args, context: &Context) -> Ended {
    let expected = expected::read().map_err(Failure::ours)?;
    let known = |id: &&String| expected.row.iter().any(|r| r.fault == **id) || expected.harmless.iter().any(|h| h.fault == **id);
    if let Some(id) = args.only.iter().find(|id| !known(id)) {
        return Err(Failure::new(Exit::Nothing, format!("tests/matrix/expected.toml has no row `{id}`")));
    }
    let excluded = pairs::read().map_err(Failure::ours)?;
    let cases = cases(&expected, &excluded, &args);
    let mut played = play_all(cases.clone(), args.at_once.max(1), &context.clock).await;
    let replayed = play_missed_again(&expected, &args, &cases, &mut played, &context.clock).await;
    if let Some(folder) = &args.keep {
        keep(folder, &played)?;
    }
    let mut sheet = Sheet { replayed, ..judge(&expected, &args, &played) };
    if args.pairs > 0 {
        sheet.excluded = excluded.told();
    }
    let text = print::sheet(&sheet, args.report).map_err(Failure::ours)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(|e| Failure::ours(format!("standard output: {e}")))?;
    let whole = args.only.is_empty() && args.pairs == 0;
    let below = if whole { sheet.below(&LEAST) } else { sheet.misses.iter().map(score::Miss::line).collect() };
    for line in &below {
        say(&format!("matrix: {line}\n"));
    }
    Ok(if below.is_empty() { Exit::Passed } else { Exit::Failed })
}

/// Many desks at once share one machine, and a fault that is told by times can be missed for want of it: a row that was
/// missed is played once more, with few beside it, and so is one whose fault was called by another name by the probe beside.
/// Gives the first answers of these rows. A false alarm over a variation or a healthy desk is never played again.
async fn play_missed_again(
    expected: &Expected,
    args: &Args,
    cases: &[(Asked, Case)],
    played: &mut [(Asked, Result<Played, String>)],
    clock: &Arc<dyn Clock>,
) -> Vec<score::Miss> {
    let first = judge(expected, args, played);
    let is_row = |asked: &Asked, fault: &str| matches!(asked, Asked::Row(_) | Asked::Pair(_)) && asked.name(0) == fault;
    let wrong = first.table.iter().filter(|line| !line.wrong.is_empty());
    let mut missed: Vec<score::Miss> = wrong.filter(|l| cases.iter().any(|(a, _)| is_row(a, &l.fault))).map(score::Line::miss).collect();
    for (asked, result) in played.iter() {
        if let Asked::Row(row) = asked {
            missed.extend(score::beside(row, result).into_iter().map(|miss| score::Miss { fault: row.fault.clone(), ..miss }));
        }
    }
    if missed.is_empty() || missed.len() > AGAIN {
        return Vec::new();
    }
    let again = cases.iter().filter(|(asked, _)| missed.iter().any(|m| is_row(asked, &m.fault))).cloned().collect();
    for (asked, result) in play_all(again, FEW, clock).await {
        let fault = asked.name(0);
        if let Some(place) = played.iter_mut().find(|(a, _)| is_row(a, &fault)) {
            place.1 = result;
        }
    }
    missed
}

/// Writes the runs of every case, the judged one first.
fn keep(folder: &Path, played: &[(Asked, Result<Played, String>)]) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| Failure::ours(format!("{}: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    for (place, (asked, played)) in played.iter().enumerate() {
        let Ok(played) = played else { continue };
        let text = serde_json::to_string_pretty(&played.runs).map_err(|e| Failure::ours(e.to_string()))?;
        std::fs::write(folder.join(format!("{}.json", asked.name(place))), text).map_err(wrong)?;
    }
    Ok(())
}

impl Asked {
    fn name(&self, place: usize) -> String {
        match self {
            Asked::Row(row) => row.fault.clone(),
            Asked::Harmless(variation) => variation.fault.clone(),
            Asked::Healthy => format!("healthy-{place}"),
            Asked::Pair(pair) => pairs::name(&pair.0, &pair.1),
        }
    }
}

impl Args {
    fn wants(&self, fault: &str) -> bool {
        self.pairs == 0 && (self.only.is_empty() || self.only.iter().any(|o| o == fault))
    }
}

fn cases(expected: &Expected, excluded: &Excluded, args: &Args) -> Vec<(Asked, Case)> {
    // A desk of its own for each, whatever else is played: so one of them can be played again.
    let seed_of = |fault: &str| fault.bytes().fold(args.seed, |seed, byte| Rng::new(seed ^ u64::from(byte)).below(u64::MAX)) % 1_000_000;
    let mut rng = Rng::new(args.seed);
    let mut cases = Vec::new();
    for row in expected.row.iter().filter(|r| args.wants(&r.fault) && r.proved_by.is_empty()) {
        let case = Case::of(&[&row.fault], together(row), seed_of(&row.fault));
        cases.push((
            Asked::Row(row.clone()),
            Case { good_before: row.good_before, person_after: row.person_after.map(Duration::from_secs), ..case },
        ));
    }
    for variation in expected.harmless.iter().filter(|h| args.wants(&h.fault)) {
        let case = Case::of(&[&variation.fault], vec![variation.probe.clone()], seed_of(&variation.fault));
        cases.push((Asked::Harmless(variation.clone()), case));
    }
    for (a, b, case) in excluded.draw(&expected.row, args.pairs, &mut rng) {
        cases.push((Asked::Pair(Box::new((a, b))), case));
    }
    for _ in 0..args.healthy.div_ceil(HEALTHY.len()) {
        let case = Case::of(&[], HEALTHY.map(str::to_owned).to_vec(), rng.below(1_000_000));
        cases.push((Asked::Healthy, Case { speed: speed(&mut rng), tidy: true, ..case }));
    }
    for (_, case) in &mut cases {
        case.intake = !args.without_intake;
    }
    cases
}

/// Every order of magnitude is as likely as any other.
fn speed(rng: &mut Rng) -> f64 {
    let (slow, fast) = SPEEDS;
    slow * (fast / slow).powf(rng.below(1000) as f64 / 1000.0)
}

/// The judged probe and one beside it, as an operator would have: a variant's own probe, or one of another queue.
fn together(row: &Row) -> Vec<String> {
    let probe = row.probe.as_str();
    let beside = match probe.split_once('.') {
        Some((base, _)) => base,
        // The person would answer the probe of the queue Support too.
        None if probe == "support" || row.person_after.is_some() => "billing",
        None => "support",
    };
    vec![probe.to_owned(), beside.to_owned()]
}

fn judge(expected: &Expected, args: &Args, played: &[(Asked, Result<Played, String>)]) -> Sheet {
    let proved = expected.row.iter().filter(|r| !r.proved_by.is_empty() && args.wants(&r.fault));
    let mut sheet = Sheet { seed: args.seed, table: proved.map(proved_by).collect(), ..Sheet::default() };
    for (asked, played) in played {
        match asked {
            Asked::Row(row) => {
                sheet.table.push(score::row(row, played, !args.without_intake));
                sheet.alarms.extend(score::beside(row, played));
            }
            Asked::Harmless(variation) => {
                sheet.harmless += 1;
                sheet.alarms.extend(score::alarm(variation, played));
            }
            Asked::Healthy => {
                sheet.healthy_runs += played.as_ref().map_or(0, |p| p.runs.len());
                sheet.alarms.extend(score::healthy(played));
            }
            Asked::Pair(pair) => {
                let (a, b) = &**pair;
                sheet.table.push(pairs::judge(a, b, played));
                sheet.alarms.extend(score::untidy(&pairs::name(a, b), played));
            }
        }
    }
    let order = |fault: &str| expected.row.iter().position(|r| r.fault == fault).unwrap_or(usize::MAX);
    sheet.table.sort_by_key(|l| order(&l.fault));
    sheet.add_up()
}

/// A row that lives outside one run: the files of its tests must be there and hold tests.
fn proved_by(row: &Row) -> score::Line {
    let holds = |file: &String| {
        let tests = ["#[test]", "#[tokio::test", "alert_rule_test:", "promql_expr_test:"];
        std::fs::read_to_string(Path::new(file)).is_ok_and(|text| tests.iter().any(|t| text.contains(t)))
    };
    let missing: Vec<String> = row.proved_by.iter().filter(|f| !holds(f)).cloned().collect();
    score::proved(row, &missing)
}

async fn play_all(cases: Vec<(Asked, Case)>, at_once: usize, clock: &Arc<dyn Clock>) -> Vec<(Asked, Result<Played, String>)> {
    let slots = Arc::new(Semaphore::new(at_once));
    let mut playing = JoinSet::new();
    for (asked, case) in cases {
        let (slots, clock) = (slots.clone(), clock.clone());
        playing.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let played = scene::play(&case, &clock).await;
            (asked, played)
        });
    }
    playing.join_all().await
}
