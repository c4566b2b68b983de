//! `show`: everything that is known of one run.

use super::exit::Exit;
use super::reports::around;
use super::{Context, Ended, Failure, assemble, load, put};
use crate::engine::ports::RunFilter;
use crate::model::{RunId, RunReport};
use crate::report::{Format, detail, json, junit};

/// Arguments of `show`.
#[derive(clap::Args)]
pub struct Args {
    /// The run's id, or enough of its end to be unique; `last` is the newest run
    #[arg(value_name = "RUN")]
    run: String,
    /// human, json or junit
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = format)]
    report: Format,
}

fn format(text: &str) -> Result<Format, String> {
    match Format::ALL.iter().find(|(name, format)| *name == text && *format != Format::Ndjson) {
        Some((_, format)) => Ok(*format),
        None => Err("there are human, json and junit".to_owned()),
    }
}

/// Shows a run.
///
/// # Errors
/// Exit 4 when no run, or more than one, has that id.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let store = assemble::store(&config, &context.clock).await?;
    let run = match store.run(&RunId(args.run.clone())).await? {
        Some(run) => run,
        None => {
            let all = store.runs(&RunFilter { limit: 10_000, ..RunFilter::default() }).await?;
            let found: Vec<_> = match args.run.as_str() {
                "last" => all.first().into_iter().collect(),
                end => all.iter().filter(|r| r.id.as_str().ends_with(end)).collect(),
            };
            let id = match found[..] {
                [one] => one.id.clone(),
                [] => return Err(Failure::new(Exit::Nothing, format!("there is no run `{}`; `replypath runs` lists them", args.run))),
                _ => return Err(Failure::new(Exit::Nothing, format!("{} runs end with `{}`; give more of the id", found.len(), args.run))),
            };
            store.run(&id).await?.ok_or_else(|| Failure::new(Exit::Nothing, format!("run {id} has just been removed")))?
        }
    };
    let reports = [RunReport::of(&run)];
    put(&match args.report {
        Format::Json => json::render(&reports).map_err(|e| Failure::ours(format!("the JSON report: {e}")))?,
        Format::Junit => junit::render(&reports).map_err(|e| Failure::ours(format!("the JUnit report: {e}")))?,
        _ => {
            let around = around(&run, store.as_ref(), &config, None).await;
            detail::render(&run, &around, context.look)
        }
    });
    Ok(Exit::Passed)
}
