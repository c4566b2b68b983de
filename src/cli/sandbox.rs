//! `sandbox`: only the built-in desk, for trying one's own configuration against it.

use super::exit::Exit;
use super::session::Stops;
use super::{Context, Ended, playground, put, say};
use std::path::PathBuf;

/// Arguments of `sandbox`.
#[derive(clap::Args)]
pub struct Args {
    /// Break the desk on purpose; ID@QUEUE for one queue only; may be repeated
    #[arg(long, value_name = "ID")]
    fault: Vec<String>,
    /// Another desk with other wording, numbers, delays and passwords
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write a ready configuration with probes into this folder
    #[arg(long, value_name = "DIR")]
    init: Option<PathBuf>,
    /// List the faults that it can show, and end
    #[arg(long)]
    list: bool,
}

/// Runs the sandbox until a signal ends it.
///
/// # Errors
/// Exit 4 for a fault that it cannot show, 3 when the configuration cannot be written.
pub async fn run(args: Args, context: &Context) -> Ended {
    if args.list {
        put(&playground::faults(context.look));
        return Ok(Exit::Passed);
    }
    let mut stops = Stops::new()?;
    let sandbox = playground::start(&args.fault, args.seed).await?;
    let mut text = playground::describe(&sandbox);
    if let Some(dir) = &args.init {
        playground::write(&sandbox, dir)?;
        let dir = dir.display();
        text.push_str(&format!(
            "\nconfiguration in {dir}; in another terminal:\n  replypath run --all --config {dir}\n  replypath serve --config {dir}\n"
        ));
    }
    put(&text);
    say("running; Ctrl-C ends it\n");
    stops.next().await;
    sandbox.shutdown().await;
    Ok(Exit::Passed)
}
