//! `report`: a period for those who lead support.

use super::exit::Exit;
use super::{Context, Ended, Failure, assemble, incidents, load, put};
use crate::check::hours;
use crate::config::Config;
use crate::engine::ports::Store;
use crate::model::Judged;
use crate::report::period::{Asked, Hours, Period, Table, csv, markdown};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Runs read at a time.
const PORTION: usize = 10_000;

/// Arguments of `report`.
#[derive(clap::Args)]
pub struct Args {
    /// How far back: 24h, 30d
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = super::runs::since)]
    since: SignedDuration,
    /// As Markdown, or one table of it as CSV
    #[arg(long, value_name = "FORM", default_value = "markdown")]
    form: Form,
    /// Which table, for CSV
    #[arg(long, value_name = "TABLE", default_value = "times")]
    table: Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Every table, to be read
    Markdown,
    /// One table, for spreadsheets
    Csv,
}

/// Reports on the time until now.
///
/// # Errors
/// When the configuration is faulty or the store cannot be read.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let store = assemble::store(&config, &context.clock).await?;
    let until = context.clock.now();
    let from = until.saturating_sub(args.since).unwrap_or(Timestamp::MIN);
    let period = period(store.as_ref(), &config, from, until).await?;
    put(&match args.form {
        Form::Markdown => markdown(&period),
        Form::Csv => csv(&period, args.table),
    });
    Ok(Exit::Passed)
}

async fn period(store: &dyn Store, config: &Config, from: Timestamp, until: Timestamp) -> Result<Period, Failure> {
    let mut period = Period::new(from, until);
    let mut begin = from;
    loop {
        let lines = store.history(begin, until, PORTION).await?;
        let Some(last) = lines.last().map(|line| line.finished) else { break };
        // Runs that ended at the same moment as the last one may lie behind the portion: they come with the next one.
        let whole = lines.len() < PORTION || last == begin;
        for line in lines.iter().filter(|line| whole || line.finished < last) {
            period.count(line, asked(line, config));
        }
        if lines.len() < PORTION {
            break;
        }
        begin = if last == begin { crate::clock::after(last, Duration::from_micros(1)) } else { last };
    }
    period.close(incidents::of_store(store, config.probes.values(), from).await?);
    Ok(period)
}

/// When the request was written, by the calendar that the probe has now.
fn asked(run: &Judged, config: &Config) -> Asked {
    let Some(calendar) = config.probes.get(&run.probe).and_then(|p| p.calendar.as_ref()) else {
        return Asked { hours: Hours::Any, answered_open: None };
    };
    let second = crate::clock::after(run.started, Duration::from_secs(1));
    let open = !hours::open_between(calendar, run.started, second).is_zero();
    let came = run.clocks.answered.filter(|s| *s >= 0.0).map(|s| crate::clock::after(run.started, Duration::from_secs_f64(s)));
    Asked {
        hours: if open { Hours::Open } else { Hours::Closed },
        answered_open: came.map(|came| hours::open_between(calendar, run.started, came).as_secs_f64()),
    }
}
