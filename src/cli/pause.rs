//! `pause` and `resume`: whether a probe is started by its schedule. The daemon notices within a second.

use super::exit::Exit;
use super::select::unknown_probe;
use super::{Context, Ended, assemble, load, put};

/// Arguments of `pause` and `resume`.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["probe", "all"]))]
pub struct Args {
    /// The probe's name
    #[arg(value_name = "PROBE")]
    probe: Option<String>,
    /// Every probe
    #[arg(long)]
    all: bool,
}

/// Pauses or resumes.
///
/// # Errors
/// Exit 4 for a name that no probe has.
pub async fn run(args: &Args, pause: bool, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    if let Some(name) = args.probe.as_ref().filter(|name| !config.probes.contains_key(*name)) {
        return Err(unknown_probe(&config, name));
    }
    let store = assemble::store(&config, &context.clock).await?;
    store.set_paused(args.probe.as_deref(), pause, context.clock.now()).await?;
    let which = args.probe.as_deref().unwrap_or("every probe");
    let still = !pause && args.probe.is_some() && store.paused().await?.iter().any(|p| p == "*");
    put(&match (pause, still) {
        (true, _) => format!("{which} is paused; runs under way go on, `replypath run` still works\n"),
        (false, false) => format!("{which} runs by schedule again\n"),
        (false, true) => format!("{which} is no longer paused by itself, but all probes are: replypath resume --all\n"),
    });
    Ok(Exit::Passed)
}
