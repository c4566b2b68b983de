//! `desk`: the definitions by which desks are spoken to.

mod record;

use super::exit::Exit;
use super::{Context, Ended, Failure, assemble, put, say};
use crate::desk::Definition;
use crate::report::human::entry;
use crate::report::look::{self, FAINT, GOOD, STRONG, UNSURE, paint};
use anstyle::Style;
use std::path::{Path, PathBuf};

/// Arguments of `desk`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// The definitions that come with replypath and those in desks/
    List,
    /// What a definition can do, its params, and with --toml its text
    Show {
        /// The definition's id
        #[arg(value_name = "ID")]
        id: String,
        /// Print the definition's text, to begin an own one from
        #[arg(long)]
        toml: bool,
    },
    /// How to write a definition: every table, key, filter and variable, in Markdown
    Reference,
    /// Read a definition and report every problem; no network
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Play the recording in this folder: everything must be read as it was then
        #[arg(long, value_name = "DIR")]
        replay: Option<PathBuf>,
    },
    /// Write down what a live desk is asked and answers, without secrets and other people's requests
    Record(record::Args),
}

/// Lists, shows or checks definitions.
///
/// # Errors
/// Exit 4 for an unknown id, 3 for a faulty file or a replay that differs.
pub async fn run(args: &Args, context: &Context) -> Ended {
    match &args.command {
        Command::List => {
            put(&list(context)?);
            Ok(Exit::Passed)
        }
        Command::Show { id, toml } => {
            let all = assemble::definitions(&context.dir)?;
            let Some(found) = all.iter().find(|d| d.id == *id) else {
                let ids: Vec<&str> = all.iter().map(|d| d.id.as_str()).collect();
                let help = match assemble::nearest(id, &ids) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", ids.join(", ")),
                };
                return Err(Failure::new(Exit::Nothing, format!("no desk definition is called `{id}`; {help}")));
            };
            put(&if *toml { found.text.clone() } else { show(found, context) });
            Ok(Exit::Passed)
        }
        Command::Reference => {
            put(&assemble::desk_reference());
            Ok(Exit::Passed)
        }
        Command::Record(args) => record::run(args, context).await,
        Command::Check { file, replay } => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::new(Exit::Configuration, format!("{} cannot be read: {e}", file.display())))?;
            match Definition::parse(&file.display().to_string(), &text) {
                Ok(definition) => checked(definition, file, &text, replay.as_deref()).await,
                Err(problems) => {
                    say(&assemble::render_problems(&problems));
                    Ok(Exit::Configuration)
                }
            }
        }
    }
}

/// A definition without problems: what it can do, what it costs, and whether it reads a recording as before.
async fn checked(definition: Definition, file: &Path, text: &str, replay: Option<&Path>) -> Ended {
    let summary = assemble::check_definition(&file.display().to_string(), text).map(|d| d.summary()).unwrap_or_default();
    put(&format!("{}  {summary}\n", paint(GOOD, "ok")));
    let calls: Vec<String> = definition.calls().iter().map(|(operation, calls)| format!("{operation} {calls}")).collect();
    let limit = definition.limit().map(|l| format!("; the desk takes {l}")).unwrap_or_default();
    put(&format!("    calls at most: {}{limit}\n", calls.join(", ")));
    for recipe in definition.recipes() {
        if let Some(limit) = recipe.limit {
            put(&format!("    recipe {}: {limit}\n", recipe.id));
        }
    }
    let Some(folder) = replay else { return Ok(Exit::Passed) };
    let (told, same) = record::replayed(definition, folder).await?;
    put(&told);
    Ok(if same { Exit::Passed } else { Exit::Configuration })
}

fn list(context: &Context) -> Result<String, Failure> {
    let mut rows = vec![["ID", "PROVEN", "FROM", "CAN"].map(|h| (FAINT, h.to_owned())).to_vec()];
    for d in assemble::definitions(&context.dir)? {
        let proven = if d.unproven { (UNSURE, "unproven".to_owned()) } else { (GOOD, "yes".to_owned()) };
        rows.push(vec![(STRONG, d.id.clone()), proven, (FAINT, d.origin.clone()), (Style::new(), d.capabilities.join(" "))]);
    }
    Ok(look::table_within(rows, &[2], context.look))
}

fn show(d: &assemble::DefinitionText, context: &Context) -> String {
    let mut text = format!("{}  {}\n", paint(STRONG, &d.id), d.origin);
    if d.unproven {
        text.push_str(&entry("unproven", "never tried on the real product; what it reads may be wrong", context.look));
    }
    text.push_str(&entry("can", &d.capabilities.join(", "), context.look));
    text.push_str(&entry("views", &d.views.join(", "), context.look));
    for (name, about) in &d.params {
        text.push_str(&entry("param", &format!("{name}  {about}"), context.look));
    }
    text
}
