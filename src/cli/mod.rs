//! The command line: one file per command, the exit codes in one table, the joining of parts in [`assemble`].

pub mod assemble;
mod bench;
mod certificates;
mod channels;
mod check;
mod demo;
mod desk;
mod doctor;
pub mod exit;
mod faults;
mod incidents;
mod init;
mod list;
pub mod live;
mod matrix;
mod pause;
mod playground;
mod report;
mod reports;
mod rules;
mod run;
mod runs;
mod sandbox;
mod schema;
mod select;
mod serve;
mod session;
mod set;
mod show;
mod sweep;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::ports::StoreError;
use crate::report::look::{self, BAD, Look, paint};
use clap::{Parser, Subcommand, ValueEnum};
use exit::Exit;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// A mystery shopper for customer-support desks: writes in as a customer, follows the request through the desk
/// and back, and names the stage and the fault when something breaks.
#[derive(Parser)]
#[command(
    name = "replypath",
    version,
    after_help = after_help(),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    /// The folder that holds replypath.toml, probes/ and desks/
    #[arg(long, global = true, value_name = "DIR", default_value = ".", help_heading = "Everywhere")]
    config: PathBuf,
    /// When to use colours; NO_COLOR is obeyed too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Everywhere")]
    color: Colour,
    /// The form of log lines on standard error; RUST_LOG says which ones
    #[arg(long, global = true, value_name = "FORM", default_value = "text", help_heading = "Everywhere")]
    log: LogForm,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal
    Auto,
    /// Even into a pipe
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogForm {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

// The order is that in which a newcomer needs them.
#[derive(Subcommand)]
enum Command {
    /// Start a built-in support desk and watch probes pass against it, or break it on purpose
    Demo(demo::Args),
    #[command(hide = true)]
    /// Hold replypath against every fault of the catalogue, on the built-in desk
    Matrix(matrix::Args),
    /// Start only the built-in support desk and print its addresses, accounts and API key
    Sandbox(sandbox::Args),
    /// Write a commented configuration into a folder
    Init(init::Args),
    /// Read the whole configuration and report every problem; no network
    Check(check::Args),
    /// Sign in to each mailbox, submission server and desk and say what each can do; sends nothing
    Doctor(doctor::Args),
    /// Run probes now
    Run(run::Args),
    /// Run probes by their schedule and serve /metrics
    Serve(serve::Args),
    /// Stop starting a probe (or all) by its schedule
    Pause(pause::Args),
    /// Start a paused probe (or all) again
    Resume(pause::Args),
    /// The probes with schedule, last verdict and next start
    List(list::Args),
    /// What is broken now, since when and on whose side, and what was broken lately
    Incidents(incidents::Args),
    /// A period for those who lead support: waiting times by queue and hours, promises kept, incidents
    Report(report::Args),
    /// The latest runs
    Runs(runs::Args),
    /// Everything that is known of one run
    Show(show::Args),
    /// The alerting rules for Prometheus, with the thresholds of your own probes
    Rules(rules::Args),
    /// Close and remove what earlier runs left behind
    Sweep(sweep::Args),
    /// The faults that replypath can name
    Faults(faults::Args),
    /// Desk definitions: list, show, check
    Desk(desk::Args),
    /// JSON schemas for editors and readers
    Schema(schema::Args),
    /// Round trips for measuring
    #[command(hide = true)]
    Bench(bench::Args),
}

fn after_help() -> String {
    let examples = "\
Examples:
  replypath demo                         watch it work, nothing to set up
  replypath demo --fault return-in-spam  see it name a fault
  replypath init desk-watch              begin a configuration of your own
  replypath run billing --until land     only: does a ticket appear?
  replypath run --all --report junit=out.xml
  replypath serve                        by schedule, with /metrics";
    format!("{}\n{examples}", exit::table())
}

/// What every command is handed.
pub struct Context {
    /// The configuration's folder.
    pub dir: PathBuf,
    /// What the terminal can show.
    pub look: Look,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why a command could not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the program ends with.
    pub exit: Exit,
    /// What, where, and what to do next; may hold several lines. Empty: everything was said already.
    pub message: String,
}

impl Failure {
    /// A failure with this exit.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// Trouble of our own.
    pub fn ours(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Unknown, message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        Failure::ours(if text.starts_with("the store") { text } else { format!("the store: {text}") })
    }
}

/// What a command ends with.
pub type Ended = Result<Exit, Failure>;

/// The program. Reads its arguments, does one command, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and end well; clap knows which.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    colours(cli.color);
    logs(cli.log, matches!(cli.command, Command::Serve(_)));
    let columns = look::terminal(std::io::stdout()).map(|(columns, _)| columns);
    let look = Look::from_env(|name| std::env::var(name).ok(), columns);
    let context = Context { dir: cli.config, look, clock: Arc::new(SystemClock) };
    // TLS needs its one crypto library named once in the process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return finish(Err(Failure::ours(format!("the program's threads cannot be started: {error}")))),
    };
    let ended = runtime.block_on(dispatch(cli.command, &context));
    // Threads that wait in a server's silence must not keep a finished program alive.
    runtime.shutdown_background();
    finish(ended)
}

async fn dispatch(command: Command, context: &Context) -> Ended {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Matrix(args) => matrix::run(args, context).await,
        Command::Sandbox(args) => sandbox::run(args, context).await,
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Run(args) => run::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Pause(args) => pause::run(&args, true, context).await,
        Command::Resume(args) => pause::run(&args, false, context).await,
        Command::List(args) => list::run(&args, context).await,
        Command::Incidents(args) => incidents::run(&args, context).await,
        Command::Report(args) => report::run(&args, context).await,
        Command::Rules(args) => rules::run(&args, context),
        Command::Runs(args) => runs::run(&args, context).await,
        Command::Show(args) => show::run(&args, context).await,
        Command::Sweep(args) => sweep::run(&args, context).await,
        Command::Faults(args) => faults::run(&args, context),
        Command::Desk(args) => desk::run(&args, context).await,
        Command::Schema(args) => schema::run(&args),
        Command::Bench(args) => bench::run(args, context).await,
    }
}

fn finish(ended: Ended) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                say(&format!("{}: {}\n", paint(BAD, "error"), failure.message.trim_end()));
            }
            failure.exit.into()
        }
    }
}

fn colours(when: Colour) {
    let choice = match when {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

fn logs(form: LogForm, daemon: bool) {
    use tracing_subscriber::EnvFilter;
    let usual = if daemon { "info" } else { "error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).with_ansi(ansi);
    match form {
        LogForm::Text => builder.init(),
        LogForm::Json => builder.json().flatten_event(true).init(),
    }
}

/// Writes results to standard output. A reader that has gone away is no error of ours.
pub fn put(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes progress and messages to standard error.
pub fn say(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Loads the configuration, or says every problem at once.
///
/// # Errors
/// Exit 3 with the rendered problems.
pub fn load(dir: &Path) -> Result<Config, Failure> {
    assemble::load(dir).map_err(|problems| {
        say(&assemble::render_problems(&problems));
        Failure::new(Exit::Configuration, format!("the configuration in {} is faulty; nothing was done", dir.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
