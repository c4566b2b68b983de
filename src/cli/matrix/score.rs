//! Holds what the runs said against what was expected. Pure: runs in, a sheet out.

use super::expected::{Harmless, Row};
use super::scene::Played;
use crate::model::{Diagnosis, Run, Stage, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Line {
    /// The fault.
    pub fault: String,
    /// The judged probe.
    pub probe: String,
    /// What was said.
    pub verdict: Option<Verdict>,
    /// Where.
    pub stage: Option<Stage>,
    /// Why, ranked.
    pub candidates: Vec<String>,
    /// The right verdict, or prevented.
    pub detected: bool,
    /// The right stage.
    pub stage_right: bool,
    /// An accepted cause is in the list.
    pub cause_listed: bool,
    /// The first accepted cause stands first.
    pub cause_first: bool,
    /// From the fault to the verdict, in units of the limit of the stage that it names.
    pub limits_taken: Option<f64>,
    /// Seconds from the fault to the verdict.
    pub seconds: Option<f64>,
    /// What is not as expected, in words.
    pub wrong: Vec<String>,
    /// What had to be said.
    #[serde(skip)]
    pub expected: String,
    /// What was said, with its line of evidence.
    #[serde(skip)]
    pub found: String,
}

impl Line {
    /// What is not as expected, by name.
    pub fn miss(&self) -> Miss {
        let (fault, expected, found) = (self.fault.clone(), self.expected.clone(), self.found.clone());
        Miss { fault, why: self.wrong.join("; "), expected, found }
    }
}

/// A miss, by name, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The fault or variation.
    pub fault: String,
    /// Why.
    pub why: String,
    /// What had to be said.
    pub expected: String,
    /// What was said, with its line of evidence.
    pub found: String,
}

impl Miss {
    /// For people, in one line.
    pub fn line(&self) -> String {
        format!("{}: {}; expected {}, found {}", self.fault, self.why, self.expected, self.found)
    }
}

/// The whole measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sheet {
    /// What the desks were drawn from.
    pub seed: u64,
    /// Rows of the catalogue.
    pub rows: usize,
    /// With the right verdict, or prevented.
    pub detected: usize,
    /// With the right stage.
    pub stage_right: usize,
    /// With an accepted cause in the list.
    pub cause_listed: usize,
    /// With it in the first place.
    pub cause_first: usize,
    /// How long the lists are, on average.
    pub mean_candidates: f64,
    /// Variations that must not alarm.
    pub harmless: usize,
    /// Alarms over them and over healthy runs.
    pub false_alarms: usize,
    /// Healthy runs.
    pub healthy_runs: usize,
    /// Every row and variation that is not as expected.
    pub misses: Vec<Miss>,
    /// Rows that were missed with many desks at once and played again with few: what was said at first.
    pub replayed: Vec<Miss>,
    /// Faults that are not drawn as pairs, with the reason. Only with pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<(String, String)>,
    /// Row by row.
    pub table: Vec<Line>,
    /// What was named instead of the expected cause: `[expected, named, times]`.
    pub confusion: Vec<(String, String, usize)>,
    /// What alarmed and should not, by name.
    #[serde(skip)]
    pub alarms: Vec<Miss>,
}

/// What must be reached at least.
pub struct Thresholds {
    /// Rows detected or prevented.
    pub detected: usize,
    /// Rows with the right stage.
    pub stage_right: usize,
    /// Rows with an accepted cause in the list.
    pub cause_listed: usize,
    /// Rows with it in the first place.
    pub cause_first: usize,
    /// The longest mean list.
    pub mean_candidates: f64,
}

/// What the judged run of a case said, or why it said nothing.
fn said(played: &Result<Played, String>) -> Result<(&Played, &Run, &Diagnosis), String> {
    let played = played.as_ref().map_err(Clone::clone)?;
    let run = played.runs.first().ok_or("no run")?;
    let said = run.diagnosis.as_ref().ok_or("the run has no verdict")?;
    Ok((played, run, said))
}

/// Judges the first run of a row's case. `played` is an error when the case could not be played.
pub fn row(row: &Row, played: &Result<Played, String>, with_intake: bool) -> Line {
    let mut line = Line { fault: row.fault.clone(), probe: row.probe.clone(), ..Line::default() };
    let (played, run, said) = match said(played) {
        Ok(found) => found,
        Err(why) => return Line { wrong: vec![why], ..line },
    };
    line.expected = words(row.verdict, row.stage, &row.causes, if row.prevented { &row.fault } else { "" });
    line.found = words(said.verdict, said.stage, &said.candidates, &said.summary);
    line.verdict = Some(said.verdict);
    line.stage = said.stage;
    line.candidates.clone_from(&said.candidates);
    line.detected = said.verdict == row.verdict;
    if !line.detected {
        line.wrong.push(format!("verdict {}, not {}", said.verdict.as_str(), row.verdict.as_str()));
    }
    took(&mut line, played.began, run, said);
    if row.prevented {
        let named = said.notes.iter().any(|n| n.contains(&row.fault));
        if !named {
            line.wrong.push("no note names the row".to_owned());
        }
        let right = line.detected && named;
        (line.detected, line.stage_right, line.cause_listed, line.cause_first) = (right, right, right, right);
        return line;
    }
    line.stage_right = said.stage == row.stage;
    let listed = |c: &String| row.causes.contains(c);
    let group = (!with_intake && !row.without_intake.is_empty()).then_some(&row.without_intake);
    match group {
        Some(group) => {
            let (mut have, mut want) = (said.candidates.clone(), group.clone());
            have.sort();
            want.sort();
            line.cause_listed = have == want;
            line.cause_first = line.cause_listed;
        }
        None => {
            line.cause_listed = said.candidates.iter().any(listed);
            line.cause_first = said.candidates.first().zip(row.causes.first()).is_some_and(|(have, want)| have == want);
        }
    }
    if !line.stage_right {
        line.wrong.push(format!("stage {:?}, not {:?}", said.stage.map(Stage::as_str), row.stage.map(Stage::as_str)));
    }
    if !line.cause_listed || !line.cause_first {
        line.wrong.push(format!("causes {:?}, not {:?}", said.candidates, group.unwrap_or(&row.causes)));
    }
    if said.blame != row.blame {
        line.wrong.push(format!("blame {:?}, not {:?}", said.blame, row.blame));
    }
    if row.security && !said.security {
        line.wrong.push("not told as a security fault".to_owned());
    }
    line
}

/// An answer in one line: `fail at land: poller-hung, fetched-not-ticketed (expected a ticket within 20s)`.
pub fn words(verdict: Verdict, stage: Option<Stage>, causes: &[String], more: &str) -> String {
    let stage = stage.map_or_else(String::new, |s| format!(" at {}", s.as_str()));
    let causes = if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) };
    let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
    format!("{}{stage}{causes}{more}", verdict.as_str())
}

fn took(line: &mut Line, began: Timestamp, run: &Run, said: &Diagnosis) {
    let Some(finished) = run.finished else { return };
    let seconds = (finished.as_microsecond() - began.as_microsecond()) as f64 / 1e6;
    line.seconds = Some(round(seconds));
    line.limits_taken = said.stage.map(|stage| round(seconds / run.probe.limit(stage).as_secs_f64().max(0.001)));
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A row that a test proves: the test's file must be there.
pub fn proved(row: &Row, missing: &[String]) -> Line {
    let there = missing.is_empty();
    Line {
        fault: row.fault.clone(),
        probe: row.proved_by.join(" and "),
        detected: there,
        stage_right: there,
        cause_listed: there,
        cause_first: there,
        wrong: missing.iter().map(|m| format!("no test in {m}")).collect(),
        ..Line::default()
    }
}

/// The alarm of a run where only these verdicts are right; none: it does not alarm.
fn alarms(fault: &str, run: &Run, right: &[Verdict]) -> Option<Miss> {
    let found = match &run.diagnosis {
        Some(said) if right.contains(&said.verdict) => return None,
        Some(said) => words(said.verdict, said.stage, &said.candidates, &said.summary),
        None => "no verdict".to_owned(),
    };
    let expected = right.iter().map(|v| v.as_str()).collect::<Vec<_>>().join(" or ");
    Some(Miss { fault: fault.to_owned(), why: format!("{} alarms", run.probe.name), expected, found })
}

/// What kept a case from being judged.
fn unplayed(fault: &str, why: &str) -> Miss {
    Miss { fault: fault.to_owned(), why: why.to_owned(), expected: "a verdict".to_owned(), found: "none".to_owned() }
}

/// What stays open at the desk though no run says so.
fn forgotten(fault: &str, played: &Played) -> Option<Miss> {
    let numbers = (!played.forgotten.is_empty()).then(|| played.forgotten.join(", "))?;
    let why = format!("{numbers} left open and told by no run");
    Some(Miss { fault: fault.to_owned(), why, expected: "every ticket closed or told".to_owned(), found: numbers })
}

/// The alarm of a variation.
pub fn alarm(harmless: &Harmless, played: &Result<Played, String>) -> Option<Miss> {
    match said(played) {
        Ok((_, run, _)) => alarms(&harmless.fault, run, &harmless.verdict),
        Err(why) => Some(unplayed(&harmless.fault, &why)),
    }
}

/// Alarms of the runs beside a row's own: each passes, or says the row's cause too where the fault meets it as well.
pub fn beside(row: &Row, played: &Result<Played, String>) -> Vec<Miss> {
    let Ok(played) = played else { return Vec::new() };
    let right: &[Verdict] = if row.verdict == Verdict::Unknown { &[Verdict::Pass, Verdict::Unknown] } else { &[Verdict::Pass] };
    let meets =
        |run: &Run| run.diagnosis.as_ref().is_some_and(|d| d.candidates.iter().any(|c| row.causes.contains(c) || row.beside.contains(c)));
    let fault = format!("beside {}", row.fault);
    played.runs.iter().skip(1).filter(|run| !meets(run)).filter_map(|run| alarms(&fault, run, right)).collect()
}

/// Alarms of a healthy desk, and what was forgotten there.
pub fn healthy(played: &Result<Played, String>) -> Vec<Miss> {
    match played {
        Err(why) => vec![unplayed("healthy", why)],
        Ok(played) => {
            let loud = played.runs.iter().filter_map(|run| alarms("healthy", run, &[Verdict::Pass]));
            loud.chain(forgotten("healthy", played)).collect()
        }
    }
}

/// The misses of a pair beside its line's.
pub fn untidy(fault: &str, played: &Result<Played, String>) -> Option<Miss> {
    forgotten(fault, played.as_ref().ok()?)
}

impl Sheet {
    /// Adds up the table and the alarms.
    pub fn add_up(self) -> Sheet {
        let count = |is: fn(&Line) -> bool| self.table.iter().filter(|l| is(l)).count();
        let lists: Vec<usize> = self.table.iter().map(|l| l.candidates.len()).filter(|n| *n > 0).collect();
        let mut confusion: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in self.table.iter().filter(|l| !l.cause_first && l.verdict.is_some()) {
            let named = line.candidates.first().cloned().unwrap_or_else(|| "none".to_owned());
            *confusion.entry((line.fault.clone(), named)).or_default() += 1;
        }
        let misses = self.table.iter().filter(|l| !l.wrong.is_empty()).map(Line::miss);
        Sheet {
            rows: self.table.len(),
            detected: count(|l| l.detected),
            stage_right: count(|l| l.stage_right),
            cause_listed: count(|l| l.cause_listed),
            cause_first: count(|l| l.cause_first),
            mean_candidates: round(lists.iter().sum::<usize>() as f64 / lists.len().max(1) as f64),
            false_alarms: self.alarms.len(),
            misses: misses.chain(self.alarms.iter().cloned()).collect(),
            confusion: confusion.into_iter().map(|((expected, named), times)| (expected, named, times)).collect(),
            ..self
        }
    }

    /// What lies below the thresholds, in words.
    pub fn below(&self, least: &Thresholds) -> Vec<String> {
        let mut below = Vec::new();
        let figures = [
            ("detected", self.detected, least.detected),
            ("stage_right", self.stage_right, least.stage_right),
            ("cause_listed", self.cause_listed, least.cause_listed),
            ("cause_first", self.cause_first, least.cause_first),
        ];
        below.extend(
            figures.iter().filter(|(_, have, want)| have < want).map(|(name, have, want)| format!("{name} {have}, at least {want}")),
        );
        if self.mean_candidates > least.mean_candidates {
            below.push(format!("mean_candidates {}, at most {}", self.mean_candidates, least.mean_candidates));
        }
        if self.false_alarms > 0 {
            below.push(format!("false_alarms {}, none allowed", self.false_alarms));
        }
        below
    }
}
