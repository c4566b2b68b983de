//! `schema`: JSON schemas for editors and for readers of reports.

use super::exit::Exit;
use super::{Ended, Failure, assemble, put};
use clap::ValueEnum;

/// Arguments of `schema`.
#[derive(clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_name = "KIND")]
    kind: Kind,
    /// The same as tables in Markdown, for reading
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// replypath.toml
    Config,
    /// probes/*.toml
    Probe,
    /// desks/*.toml
    Desk,
    /// The document of --report json
    Report,
    /// The document of incidents --report json
    Incidents,
}

/// Prints a schema.
///
/// # Errors
/// When the schema cannot be made.
pub fn run(args: &Args) -> Ended {
    let schema = match args.kind {
        Kind::Report => Some(crate::report::json::schema()),
        Kind::Incidents => Some(crate::incident::report::schema()),
        Kind::Config => assemble::schema("config"),
        Kind::Probe => assemble::schema("probe"),
        Kind::Desk => assemble::schema("desk"),
    };
    let schema = schema.ok_or_else(|| Failure::ours("there is no such schema"))?;
    put(&match (args.markdown, args.kind) {
        (false, _) => format!("{schema:#}\n"),
        (true, Kind::Desk) => crate::desk::reference(),
        (true, _) => assemble::reference(&schema),
    });
    Ok(Exit::Passed)
}
