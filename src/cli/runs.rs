//! `runs`: the latest runs as a table.

use super::exit::Exit;
use super::select::unknown_probe;
use super::{Context, Ended, assemble, load, put};
use crate::engine::ports::RunFilter;
use crate::model::{Run, RunReport};
use crate::report::human::verdict_word;
use crate::report::look::{self, FAINT, Look, STRONG, style_of};
use anstyle::Style;

/// Arguments of `runs`.
#[derive(clap::Args)]
pub struct Args {
    /// Only runs of this probe
    #[arg(value_name = "PROBE")]
    probe: Option<String>,
    /// Only finished runs that did not pass
    #[arg(long)]
    failed: bool,
    /// Only runs begun within this time: 24h, 7d
    #[arg(long, value_name = "DURATION", value_parser = since)]
    since: Option<jiff::SignedDuration>,
    /// At most so many
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 25)]
    limit: usize,
    /// As JSON, in the form of `replypath schema report`
    #[arg(long)]
    json: bool,
}

/// A time into the past, in days or any unit that durations have.
pub(super) fn since(text: &str) -> Result<jiff::SignedDuration, String> {
    // Days have 24 hours here; jiff leaves them to calendars.
    let days = text.strip_suffix('d').and_then(|d| d.trim().parse::<i64>().ok()).and_then(|d| d.checked_mul(24));
    match days {
        Some(hours) if hours < 1_000_000 => Ok(jiff::SignedDuration::from_hours(hours)),
        _ => text.parse().map_err(|_| format!("`{text}` is no duration; write for instance 90m, 24h, 7d")),
    }
}

/// Lists runs, newest first.
///
/// # Errors
/// Exit 4 for a probe that is neither configured nor stored.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let store = assemble::store(&config, &context.clock).await?;
    let filter = RunFilter {
        probe: args.probe.clone(),
        not_passed: args.failed,
        since: args.since.map(|s| context.clock.now().saturating_sub(s).unwrap_or(jiff::Timestamp::MIN)),
        limit: args.limit,
        ..RunFilter::default()
    };
    let runs = store.runs(&filter).await?;
    if let Some(name) = args.probe.as_ref().filter(|name| runs.is_empty() && !config.probes.contains_key(*name)) {
        return Err(unknown_probe(&config, name));
    }
    if args.json {
        let reports: Vec<RunReport> = runs.iter().map(RunReport::of).collect();
        put(&crate::report::json::render(&reports).map_err(|e| super::Failure::ours(format!("the JSON report: {e}")))?);
    } else if runs.is_empty() {
        put("no runs yet; `replypath run --all` makes some\n");
    } else {
        put(&table(&runs, context.look));
    }
    Ok(Exit::Passed)
}

fn table(runs: &[Run], look: Look) -> String {
    let head = ["RUN", "STARTED", "PROBE", "VERDICT", "TOOK", "BY", "STAGE", "FAULT"].map(|h| (FAINT, h.to_owned())).to_vec();
    let mut rows = vec![head];
    for run in runs {
        let report = RunReport::of(run);
        let verdict = report.verdict.as_deref();
        let started = look::time(run.started);
        let took = if verdict.is_some() { look::duration(report.duration_seconds) } else { String::new() };
        let fault = report.fault.unwrap_or_else(|| report.candidates.join(" or "));
        rows.push(vec![
            (STRONG, report.run),
            (FAINT, started),
            (Style::new(), report.probe),
            (style_of(verdict.unwrap_or_default()), verdict_word(verdict).to_owned()),
            (Style::new(), took),
            (FAINT, report.trigger),
            (Style::new(), report.stage.unwrap_or_default()),
            (Style::new(), fault),
        ]);
    }
    // By whom, then the stage, which the fault mostly implies, then the time.
    look::table_within(rows, &[5, 6, 4], look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_table_of_runs_has_one_line_a_run() {
        let text = table(&[sample::failed(), sample::passed(), sample::running("r-1", "x")], Look::PLAIN);
        let text = anstream::adapter::strip_str(&text).to_string();
        let expected = "\
RUN       STARTED               PROBE    VERDICT  TOOK  BY         STAGE   FAULT
r-failed  2026-11-25 08:00:00Z  returns  FAIL     34s   scheduled  return  return-in-spam
r-passed  2026-11-25 08:00:00Z  billing  ok       12s   scheduled
r-1       2026-11-25 08:00:00Z  x        running        scheduled
";
        assert_eq!(text, expected);
    }

    #[test]
    fn days_are_a_unit_of_time() {
        assert_eq!(since("7d").unwrap(), jiff::SignedDuration::from_hours(168));
        assert_eq!(since("90m").unwrap(), jiff::SignedDuration::from_mins(90));
        assert!(since("soon").is_err());
    }
}
