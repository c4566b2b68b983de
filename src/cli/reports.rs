//! Writing the reports of a command: each in its form to its place.

use super::exit::Exit;
use super::{Failure, assemble, put};
use crate::config::Config;
use crate::engine::ports::{RunEvent, RunFilter, Store};
use crate::model::{Outcome, Run, RunReport, Stage, Verdict};
use crate::report::human::Around;
use crate::report::look::{self, Look};
use crate::report::{Format, Wanted, human, json, junit, ndjson};
use jiff::Timestamp;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// The reports of one command, their files open.
pub struct Reports(Vec<(Format, Option<(File, PathBuf)>)>);

impl Reports {
    /// Creates the files, so that a wrong path is known before anything is sent.
    ///
    /// # Errors
    /// Exit 2 with the path and the reason.
    pub fn open(wanted: Vec<Wanted>) -> Result<Reports, Failure> {
        let open = |w: Wanted| match w.file {
            None => Ok((w.format, None)),
            Some(path) => match File::create(&path) {
                Ok(file) => Ok((w.format, Some((file, path)))),
                Err(error) => Err(Failure::new(Exit::Usage, format!("the report cannot be written to {}: {error}", path.display()))),
            },
        };
        Ok(Reports(wanted.into_iter().map(open).collect::<Result<_, _>>()?))
    }

    /// Takes in an event for the reports that are written as things happen.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn event(&mut self, event: &RunEvent, at: Timestamp) -> Result<(), Failure> {
        for (format, file) in &mut self.0 {
            if *format == Format::Ndjson {
                write(file, &format!("{}\n", ndjson::line(event, at)))?;
            }
        }
        Ok(())
    }

    /// Writes the reports that need the end.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self, runs: &[(RunReport, Around)], seconds: f64, look: Look) -> Result<(), Failure> {
        let reports: Vec<RunReport> = runs.iter().map(|(r, _)| r.clone()).collect();
        for (format, file) in &mut self.0 {
            let text = match format {
                Format::Ndjson => continue,
                Format::Human => human::render(runs, seconds, look),
                Format::Json => json::render(&reports).map_err(|e| Failure::ours(format!("the JSON report: {e}")))?,
                Format::Junit => junit::render(&reports).map_err(|e| Failure::ours(format!("the JUnit report: {e}")))?,
            };
            write(file, &text)?;
        }
        Ok(())
    }
}

fn write(file: &mut Option<(File, PathBuf)>, text: &str) -> Result<(), Failure> {
    match file {
        None => put(text),
        Some((file, path)) => {
            let text = anstream::adapter::strip_str(text).to_string();
            file.write_all(text.as_bytes())
                .map_err(|e| Failure::ours(format!("the report cannot be written to {}: {e}", path.display())))?;
        }
    }
    Ok(())
}

/// What stands round a run in the report for people: the fault's title, the last pass, how to see the evidence
/// (`evidence`: what `show` needs beside the id), and what the configuration knows of its desk.
pub async fn around(run: &Run, store: &dyn Store, config: &Config, evidence: Option<&str>) -> Around {
    let fault = run.diagnosis.as_ref().and_then(|d| d.fault.as_deref());
    let mut around = Around {
        title: fault.and_then(assemble::fault).map(|f| f.title),
        state: Some(config.daemon.state.clone()),
        unproven: run.probe.desk.as_ref().is_some_and(|desk| config.unproven.contains(desk)),
        last_good: None,
        evidence: evidence.map(|more| format!("replypath show {}{more}", run.id)).unwrap_or_default(),
    };
    if let Some(d) = run.diagnosis.as_ref().filter(|d| d.verdict == Verdict::Fail) {
        let filter = RunFilter { probe: Some(run.probe.name.clone()), limit: 200, ..RunFilter::default() };
        // The report is worth more than this line of it.
        let earlier = store.runs(&filter).await.unwrap_or_default();
        let good = earlier.into_iter().find(|r| r.id != run.id && went_well(r, d.stage));
        around.last_good = good.map(|r| (r.id.0, look::time(r.finished.unwrap_or(r.started))));
    }
    around
}

/// True when the run passed and this stage of it too: one that was asked to stop earlier says nothing about it.
fn went_well(run: &Run, stage: Option<Stage>) -> bool {
    let passed = run.diagnosis.as_ref().is_some_and(|d| d.verdict == Verdict::Pass);
    passed && stage.is_none_or(|s| run.stages.get(&s).is_some_and(|record| record.outcome == Some(Outcome::Pass)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_last_good_run_went_through_the_stage_that_failed() {
        let whole = sample::passed();
        let mut short = sample::passed();
        short.stages.remove(&Stage::Return);
        assert!(went_well(&whole, Some(Stage::Return)) && went_well(&short, Some(Stage::Land)) && went_well(&short, None));
        assert!(!went_well(&short, Some(Stage::Return)), "it was stopped before");
        assert!(!went_well(&sample::failed(), Some(Stage::Land)), "it did not pass");
    }
}
