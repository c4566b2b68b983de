//! `replypath bench`: round trips for measuring. Not shown in the help; `tests/bench` calls it.

use super::exit::Exit;
use super::{Context, Ended, Failure};
use crate::bench::{self, Bench};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What to measure, and where.
#[derive(clap::Args)]
pub struct Args {
    /// Round trips in all
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = at_least_one)]
    count: usize,
    /// Mailboxes used side by side
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    concurrency: usize,
    /// The submission server; implicit TLS with --ca, else plain
    #[arg(long, value_name = "ADDR:PORT")]
    smtp: SocketAddr,
    /// The IMAP server, likewise
    #[arg(long, value_name = "ADDR:PORT")]
    imap: SocketAddr,
    /// Login name and address; {} stands for the number of the mailbox
    #[arg(long, value_name = "USER")]
    user: String,
    /// The password of all the mailboxes
    #[arg(long, value_name = "PASSWORD")]
    password: String,
    /// The authority whose certificates are trusted
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Write here, from where nothing comes back, and end when all runs wait
    #[arg(long, value_name = "ADDRESS")]
    hold: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("a whole number is expected".to_owned()),
    }
}

/// Measures; the store is made in a folder of its own, which is removed at the end.
pub async fn run(args: Args, _: &Context) -> Ended {
    let state = std::env::temp_dir().join(format!("replypath-bench-{}", std::process::id()));
    let measured = bench::run(Bench {
        count: args.count,
        concurrency: args.concurrency,
        smtp: args.smtp,
        imap: args.imap,
        ca: args.ca,
        user: args.user,
        password: args.password,
        hold: args.hold,
        state: state.clone(),
    })
    .await;
    let removed = std::fs::remove_dir_all(&state);
    measured.map_err(Failure::ours)?;
    removed.map_err(|e| Failure::ours(format!("the folder {} of the bench cannot be removed: {e}", state.display())))?;
    Ok(Exit::Passed)
}
