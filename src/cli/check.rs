//! `check`: reads everything, asks nobody.

use super::{Context, Ended, load, put};
use crate::cli::exit::Exit;
use crate::config::Config;
use crate::report::look::{GOOD, UNSURE, paint};

/// Arguments of `check`.
#[derive(clap::Args)]
pub struct Args {}

/// Reports every problem of the configuration, or what it holds.
///
/// # Errors
/// Exit 3 when there is a problem.
pub fn run(_args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let mut text = String::new();
    for warning in &config.warnings {
        text.push_str(&format!("{}: {warning}\n", paint(UNSURE, "warning")));
    }
    let variants = config.probes.values().filter(|p| p.variant_of.is_some()).count();
    let scheduled = config.probes.values().filter(|p| p.schedule.is_some()).count();
    text.push_str(&format!(
        "{}  {}, {}{} ({}{scheduled} by schedule), {}\n",
        paint(GOOD, "ok"),
        counted(config.accounts.len(), "account"),
        counted(config.probes.len() - variants, "probe"),
        if variants == 0 { String::new() } else { format!(" with {}", counted(variants, "variant")) },
        ways(&config),
        counted(config.desks.len(), "desk"),
    ));
    put(&text);
    Ok(Exit::Passed)
}

/// How many probes write in which way, where there is more than mail: `2 by mail, 1 by form; `.
fn ways(config: &Config) -> String {
    let count = |way: &str| config.probes.values().filter(|p| p.channel_name() == way).count();
    let ways = [(count("email"), "by mail"), (count("form"), "through a form"), (count("chat"), "by chat")];
    if ways[1].0 + ways[2].0 == 0 {
        return String::new();
    }
    let parts: Vec<String> = ways.iter().filter(|(n, _)| *n > 0).map(|(n, way)| format!("{n} {way}")).collect();
    format!("{}; ", parts.join(", "))
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
