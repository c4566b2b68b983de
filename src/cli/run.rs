//! `run`: probes now, by hand or in a pipeline.

use super::exit::Exit;
use super::live::Progress;
use super::reports::{Reports, around};
use super::select::{Selection, select};
use super::session::{Finished, Session};
use super::{Context, Ended, Failure, load, say, set};
use crate::config::Config;
use crate::model::{RunReport, Stage, Verdict};
use crate::report::{self, Wanted};
use std::time::Duration;

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("selection").required(true).multiple(true).args(["probes", "tag", "all"]),
    after_help = after_help()
)]
pub struct Args {
    /// Probes by name (the file's name without .toml); a variant is NAME.VARIANT
    #[arg(value_name = "PROBE")]
    probes: Vec<String>,
    /// Probes that have this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Every probe, with its variants
    #[arg(long)]
    all: bool,
    /// The variants of the named probes too
    #[arg(long, requires = "probes")]
    variants: bool,
    /// Stop after this stage, then clean up
    #[arg(long, value_name = "STAGE", value_parser = set::stage)]
    until: Option<Stage>,
    /// Another limit for a stage: return=30m; may be repeated
    #[arg(long = "limit", value_name = "STAGE=DURATION", value_parser = set::limit)]
    limits: Vec<(Stage, Duration)>,
    /// Another value for a key of the probes: expect.queue=Billing; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = set::pair)]
    overrides: Vec<(String, String)>,
    /// human, json, ndjson or junit, to standard output or to a file; may be repeated
    #[arg(long, value_name = "FORMAT[=FILE]")]
    report: Vec<Wanted>,
    /// Lines instead of a redrawn block, also on a terminal
    #[arg(long)]
    no_progress: bool,
    /// No progress, and no report unless --report asks for one
    #[arg(long, short)]
    quiet: bool,
}

fn after_help() -> String {
    let keys: String = set::KEYS.iter().map(|(key, value)| format!("  {key:<24} {value}\n")).collect();
    let examples = "\
Examples:
  replypath run billing
  replypath run billing --variants
  replypath run billing.no-subject
  replypath run --tag mail --limit return=30m
  replypath run billing --set email.to=help@staging.example --until land
  replypath run --all --report json > runs.json
  replypath run --all --report human --report junit=replypath.xml

Ctrl-C asks the runs to clean up and waits for that; a second Ctrl-C leaves at once.";
    format!(
        "{}\nKeys of --set (as in a probe's file; an empty value takes an optional one away):\n{keys}\n{examples}",
        super::exit::table()
    )
}

/// Runs the selected probes and reports.
///
/// # Errors
/// See the table of exit codes.
pub async fn run(args: Args, context: &Context) -> Ended {
    let wanted = report::plan(args.report, args.quiet).map_err(|message| Failure::new(Exit::Usage, message))?;
    let config = load(&context.dir)?;
    let mut probes = select(&config, &Selection { names: &args.probes, tags: &args.tag, all: args.all, variants: args.variants })?;
    for probe in &mut probes {
        set::set_limits(probe, &args.limits);
        for (key, value) in &args.overrides {
            set::apply(probe, key, value).map_err(|message| Failure::new(Exit::Usage, format!("--set {key}: {message}")))?;
        }
        if !config.accounts.contains_key(&probe.account) {
            let names: Vec<&str> = config.accounts.keys().map(String::as_str).collect();
            return Err(Failure::new(Exit::Usage, format!("no account is called `{}`; there are {}", probe.account, names.join(", "))));
        }
    }
    let mut reports = Reports::open(wanted)?;
    let mut progress = Progress::new(probes.iter().map(|p| p.name.clone()), context.look, args.quiet, args.no_progress);
    let mut session = Session::start(&config, context).await?;
    let began = context.clock.now();
    let finished = session.run_once(&config, &probes, args.until, &mut progress, &mut reports).await;
    progress.clear();
    let seconds = (context.clock.now().as_microsecond() - began.as_microsecond()) as f64 / 1e6;
    let at = if context.dir.as_os_str() == "." { String::new() } else { format!(" --config {}", context.dir.display()) };
    conclude(finished?, session, reports, seconds, context, &config, Some(&at)).await
}

/// Writes the reports, closes the session, and says what the command ends with. `evidence` is what `show` needs beside
/// the run's id; none when nothing will be left to show.
///
/// # Errors
/// When a report cannot be written or the engine ended badly.
pub async fn conclude(
    finished: Finished,
    session: Session,
    reports: Reports,
    seconds: f64,
    context: &Context,
    config: &Config,
    evidence: Option<&str>,
) -> Ended {
    let mut told = Vec::new();
    for run in &finished.runs {
        told.push((RunReport::of(run), around(run, session.store.as_ref(), config, evidence).await));
    }
    reports.finish(&told, seconds, context.look)?;
    if !finished.abandoned.is_empty() {
        let ids: Vec<&str> = finished.abandoned.iter().map(|id| id.as_str()).collect();
        // So that the next one need not wait until this instance is believed dead.
        session.store.sign_off().await?;
        say(&format!("left under way: {}; the next `replypath run` or `serve` cleans up after them\n", ids.join(", ")));
        return Ok(Exit::Interrupted);
    }
    session.close().await?;
    if finished.interrupted {
        let left: usize = finished.runs.iter().map(|run| run.leftovers.len()).sum();
        say(&match left {
            0 => "stopped; what had been begun is cleaned up\n".to_owned(),
            n => format!("stopped; {n} left over, `replypath sweep` tries again\n"),
        });
        return Ok(Exit::Interrupted);
    }
    // A run without a verdict is one that we could not judge.
    let verdict = |run: &crate::model::Run| run.diagnosis.as_ref().map_or(Verdict::Unknown, |d| d.verdict);
    Ok(Exit::of_verdicts(finished.runs.iter().map(verdict)))
}
