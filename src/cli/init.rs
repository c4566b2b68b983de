//! `init`: a commented configuration to begin with.

use super::exit::Exit;
use super::{Ended, assemble, put};
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(clap::Args)]
pub struct Args {
    /// The folder; made when it is not there, never overwritten
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Writes the files.
///
/// # Errors
/// When a file is there already or cannot be written.
pub fn run(args: &Args) -> Ended {
    let written = assemble::init(&args.dir)?;
    let mut text = String::new();
    for path in &written {
        text.push_str(&format!("wrote {}\n", path.display()));
    }
    let dir = args.dir.display();
    text.push_str(&format!(
        "\nNow fill in accounts and desks, then:\n  replypath check --config {dir}\n  replypath doctor --config {dir}\n  replypath run --all --config {dir}\n"
    ));
    put(&text);
    Ok(Exit::Passed)
}
