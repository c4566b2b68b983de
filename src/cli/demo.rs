//! `demo`: the built-in desk, the probes of `probes/`, the live view and `/metrics`, with nothing to set up.

use super::exit::Exit;
use super::live::Progress;
use super::reports::Reports;
use super::run::conclude;
use super::serve::Daemon;
use super::session::{Session, Stops};
use super::{Context, Ended, Failure, load, playground, say};
use crate::config::Config;
use crate::engine::ports::RunEvent;
use crate::model::{Run, RunReport, Verdict};
use crate::report::human::{self, Around};
use crate::report::{self, Wanted, look};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// Arguments of `demo`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  replypath demo
  replypath demo --fault return-in-spam
  replypath demo --once --fault default-queue-instead; echo $?
`replypath sandbox --list` shows the faults that it can show.")]
pub struct Args {
    /// Break the desk on purpose; ID@QUEUE for one queue only; may be repeated
    #[arg(long, value_name = "ID")]
    fault: Vec<String>,
    /// Another desk with other wording, numbers and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run each probe once and end with the exit code of `run`
    #[arg(long)]
    once: bool,
    /// Where /metrics is served; a free port of the loopback interface otherwise
    #[arg(long, value_name = "ADDR", conflicts_with = "once")]
    listen: Option<SocketAddr>,
    /// human, json, ndjson or junit, with --once; may be repeated
    #[arg(long, value_name = "FORMAT[=FILE]", requires = "once")]
    report: Vec<Wanted>,
    /// Lines instead of a redrawn block, also on a terminal
    #[arg(long)]
    no_progress: bool,
}

/// Runs the demo.
///
/// # Errors
/// Exit 4 for a fault that the sandbox cannot show.
pub async fn run(args: Args, context: &Context) -> Ended {
    let wanted = report::plan(args.report.clone(), false).map_err(|message| Failure::new(Exit::Usage, message))?;
    playground::check_for_demo(&args.fault)?;
    let sandbox = playground::start(&args.fault, args.seed).await?;
    let scratch = playground::Scratch::new()?;
    playground::write(&sandbox, scratch.path())?;
    let context = Context { dir: scratch.path().to_owned(), look: context.look, clock: context.clock.clone() };
    let config = load(&context.dir)?;
    let names = config.probes.keys().cloned();
    let mut progress = Progress::new(names, context.look, false, args.no_progress);
    let ended = if args.once {
        say(&playground::headline(&sandbox, None, &args.fault));
        once(&config, &context, &mut progress, Reports::open(wanted)?).await
    } else {
        let address = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let failed = |e: std::io::Error| Failure::ours(format!("{address} cannot be listened on: {e}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let shown = listener.local_addr().map_err(failed)?.to_string();
        say(&playground::headline(&sandbox, Some(&shown), &args.fault));
        again_and_again(config, &context, &mut progress, listener).await
    };
    sandbox.shutdown().await;
    ended
}

async fn once(config: &Config, context: &Context, progress: &mut Progress, mut reports: Reports) -> Ended {
    let probes: Vec<_> = config.probes.values().cloned().collect();
    let mut session = Session::start(config, context).await?;
    let began = context.clock.now();
    let finished = session.run_once(config, &probes, None, progress, &mut reports).await;
    progress.clear();
    let seconds = (context.clock.now().as_microsecond() - began.as_microsecond()) as f64 / 1e6;
    conclude(finished?, session, reports, seconds, context, config, None).await
}

/// The daemon with a live view, until a signal ends it.
async fn again_and_again(config: Config, context: &Context, progress: &mut Progress, listener: TcpListener) -> Ended {
    let mut stops = Stops::new()?;
    let (stop, stopped) = watch::channel(false);
    let (tap, mut events) = mpsc::unbounded_channel();
    // Nobody reloads a demo; the sender lives so that the receiver waits.
    let (_reload, reloads) = mpsc::channel(1);
    let daemon = Daemon { dir: context.dir.clone(), clock: context.clock.clone(), tap: Some(tap), stopped, reloads };
    let mut serving = tokio::spawn(daemon.serve(config, listener));
    let mut redraw = tokio::time::interval(Duration::from_millis(200));
    let began = context.clock.now();
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    loop {
        tokio::select! {
            Some(event) = events.recv() => {
                if let RunEvent::Finished(run) = &event && told.insert(cause(run)) {
                    explain(run, progress, context);
                }
                progress.observe(&event);
            }
            _ = redraw.tick() => {
                let passed = (context.clock.now().as_microsecond() - began.as_microsecond()) as f64 / 1e6;
                progress.draw(context.clock.now(), &format!("{}  Ctrl-C ends the demo", look::duration(passed)));
            }
            () = stops.next() => break,
            ended = &mut serving => return joined(ended),
        }
    }
    stop.send_replace(true);
    joined(serving.await)
}

fn joined(ended: Result<Result<(), Failure>, tokio::task::JoinError>) -> Ended {
    match ended {
        Ok(ended) => ended.map(|()| Exit::Passed),
        Err(error) => Err(Failure::ours(format!("the daemon broke: {error}"))),
    }
}

fn cause(run: &Run) -> (String, String) {
    let fault = run.diagnosis.as_ref().map(|d| d.fault.clone().unwrap_or_else(|| d.candidates.join(" "))).unwrap_or_default();
    (run.probe.name.clone(), fault)
}

/// Prints what broke, above the live view, the first time that a probe breaks so.
fn explain(run: &Run, progress: &mut Progress, context: &Context) {
    if run.diagnosis.as_ref().is_none_or(|d| d.verdict == Verdict::Pass) {
        return;
    }
    let fault = run.diagnosis.as_ref().and_then(|d| d.fault.as_deref());
    let title = fault.and_then(super::assemble::fault).map(|f| f.title);
    let around = Around { title, ..Around::default() };
    progress.clear();
    say(&format!("{}\n", human::block(&RunReport::of(run), &around, context.look)));
}
