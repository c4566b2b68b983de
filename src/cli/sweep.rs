//! `sweep`: closes and removes what earlier runs left behind, guarded like the clean-up of a run.

use super::exit::Exit;
use super::{Context, Ended, assemble, load, put};
use crate::report::look::{FAINT, GOOD, UNSURE, paint};

/// Arguments of `sweep`.
#[derive(clap::Args)]
pub struct Args {
    /// Say what would be done, change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Sweeps. Only what carries the token of a stored run and the identity that it used is touched.
///
/// # Errors
/// When the store or a part cannot be used; exit 5 when something had to be left.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let store = assemble::store(&config, &context.clock).await?;
    let (done, left) = assemble::sweep(&config, store, &context.clock, args.dry_run).await?;
    let mut text = String::new();
    for line in &done {
        text.push_str(&format!(
            "{}  {line}\n",
            paint(if args.dry_run { FAINT } else { GOOD }, if args.dry_run { "would" } else { "done " })
        ));
    }
    for line in &left {
        text.push_str(&format!("{}  {line}\n", paint(UNSURE, "left ")));
    }
    if text.is_empty() {
        text.push_str("nothing was left behind\n");
    }
    put(&text);
    Ok(if left.is_empty() { Exit::Passed } else { Exit::Unknown })
}
