//! `faults`: the catalogue of what replypath can name.

use super::exit::Exit;
use super::{Context, Ended, Failure, assemble, put};
use crate::report::human::entry;
use crate::report::look::{self, FAINT, STRONG, paint};
use anstyle::Style;

/// Arguments of `faults`.
#[derive(clap::Args)]
pub struct Args {
    /// One fault, with all that is known of it
    #[arg(value_name = "ID")]
    id: Option<String>,
}

/// Lists the faults, or shows one.
///
/// # Errors
/// Exit 4 for an id that the catalogue does not have.
pub fn run(args: &Args, context: &Context) -> Ended {
    let all = assemble::faults();
    let Some(id) = &args.id else {
        let mut rows = vec![["ID", "STAGE", "BLAME", "SEVERITY", "WHAT IT IS"].map(|h| (FAINT, h.to_owned())).to_vec()];
        rows.extend(all.into_iter().map(|f| {
            vec![
                (STRONG, f.id),
                (Style::new(), f.stage),
                (Style::new(), f.blame.as_str().to_owned()),
                (Style::new(), f.severity),
                (Style::new(), f.title),
            ]
        }));
        put(&look::table_within(rows, &[2, 3], context.look));
        return Ok(Exit::Passed);
    };
    let Some(fault) = assemble::fault(id) else {
        let ids: Vec<&str> = all.iter().map(|f| f.id.as_str()).collect();
        let help = assemble::nearest(id, &ids).map_or("`replypath faults` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::new(Exit::Nothing, format!("no fault is called `{id}`; {help}")));
    };
    let mut text = format!("{}: {}\n", paint(STRONG, &fault.id), fault.title);
    text.push_str(&entry("stage", &fault.stage, context.look));
    text.push_str(&entry("blame", fault.blame.as_str(), context.look));
    text.push_str(&entry("severity", &fault.severity, context.look));
    for (name, about) in &fault.about {
        text.push_str(&entry("", &format!("\n{name}\n{about}"), context.look));
    }
    put(&text);
    Ok(Exit::Passed)
}
