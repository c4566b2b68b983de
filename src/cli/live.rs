//! The live view: probes × stages with the times that are waited, redrawn on a terminal, plain lines elsewhere.

use crate::engine::ports::RunEvent;
use crate::model::{Outcome, Phase, Run, Stage, Verdict};
use crate::report::look::{self, BAD, BUSY, FAINT, GOOD, Look, STRONG, UNSURE, paint};
use anstyle::Style;
use jiff::Timestamp;
use std::io::IsTerminal;

/// The height of a terminal that does not tell.
const HEIGHT: usize = 24;
/// The most runs that did not pass which are named below the grid.
const NAMED: usize = 5;
/// Column heads with their widths: together with a name of 16 a line of 80 columns.
const HEADS: [(&str, usize); 10] = [
    ("send", 5),
    ("accept", 6),
    ("land", 5),
    ("queue", 5),
    ("format", 6),
    ("ack", 5),
    ("reply", 5),
    ("return", 6),
    ("follow", 6),
    ("clean", 5),
];

/// What is known of the runs, one row a probe.
#[derive(Default)]
pub struct Board {
    rows: Vec<(String, Option<Box<Run>>)>,
    passed: u32,
    failed: u32,
    unknown: u32,
}

impl Board {
    /// A board with a row for each of these probes.
    pub fn new(probes: impl IntoIterator<Item = String>) -> Board {
        Board { rows: probes.into_iter().map(|p| (p, None)).collect(), ..Board::default() }
    }

    /// Takes in what happened.
    pub fn observe(&mut self, event: &RunEvent) {
        let (RunEvent::Started(run) | RunEvent::Stage(run, _) | RunEvent::Finished(run) | RunEvent::Late(run)) = event;
        if let (RunEvent::Finished(_), Some(d)) = (event, &run.diagnosis) {
            match d.verdict {
                Verdict::Pass => self.passed += 1,
                Verdict::Fail => self.failed += 1,
                Verdict::Unknown => self.unknown += 1,
            }
        }
        match self.rows.iter_mut().find(|(name, _)| *name == run.probe.name) {
            // An event of an older run must not hide a newer one.
            Some((_, Some(shown))) if shown.started > run.started => {}
            Some((_, slot)) => *slot = Some(run.clone()),
            None => self.rows.push((run.probe.name.clone(), Some(run.clone()))),
        }
    }

    /// The block as it stands at `now`, with `foot` as its last line, for a terminal of `height` lines: a block that is
    /// higher could not be redrawn.
    pub fn frame(&self, now: Timestamp, foot: &str, look: Look, height: usize) -> String {
        let bad: Vec<String> = self.rows.iter().filter_map(|(_, run)| run.as_deref().and_then(verdict_line)).collect();
        // Head, foot, the line that counts the rest, and the line on which the cursor stands.
        let room = height.saturating_sub(4);
        let named = bad.len().min(NAMED).min(room / 2);
        let shown = self.rows.len().min((room - named).max(1));
        let width = self.rows.iter().map(|(name, _)| look::columns(name)).max().unwrap_or(5).clamp(5, 16);
        let mut out = " ".repeat(width);
        for (head, column) in HEADS {
            out.push_str(&paint(FAINT, format!(" {head:<column$}")));
        }
        out.push('\n');
        for (name, run) in self.visible(shown) {
            out.push_str(&paint(STRONG, format!("{:<width$}", look::cut(name, width, look))));
            for (stage, (_, column)) in Stage::ALL.into_iter().zip(HEADS) {
                let (style, text) = cell(run.as_deref(), stage, now, look);
                out.push_str(&format!(" {}", paint(style, format!("{text:<column$}"))));
            }
            out.push('\n');
        }
        if self.rows.len() > shown {
            out.push_str(&format!("{}\n", paint(FAINT, format!("and {} more", self.rows.len() - shown))));
        }
        for line in bad.iter().take(named) {
            out.push_str(&format!("{line}\n"));
        }
        out.push_str(&self.counts(foot));
        out
    }

    /// The rows to draw: all, or those under way and those that did not pass before others.
    fn visible(&self, shown: usize) -> Vec<&(String, Option<Box<Run>>)> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        if rows.len() > shown {
            rows.sort_by_key(|(_, run)| match run {
                Some(run) if run.diagnosis.as_ref().is_some_and(|d| d.verdict != Verdict::Pass) => 0,
                Some(run) if run.phase != Phase::Finished => 1,
                Some(_) => 2,
                None => 3,
            });
            rows.truncate(shown);
        }
        rows
    }

    fn counts(&self, foot: &str) -> String {
        let running = self.rows.iter().filter(|(_, r)| r.as_ref().is_some_and(|r| r.phase != Phase::Finished)).count();
        let parts = [
            (running, "running", BUSY),
            (self.passed as usize, "passed", GOOD),
            (self.failed as usize, "failed", BAD),
            (self.unknown as usize, "unknown", UNSURE),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|(n, ..)| *n > 0).map(|(n, w, s)| paint(s, format!("{n} {w}"))).collect();
        format!("{}{}{}\n", parts.join(", "), if parts.is_empty() { "" } else { "  " }, paint(FAINT, foot))
    }
}

fn cell(run: Option<&Run>, stage: Stage, now: Timestamp, look: Look) -> (Style, String) {
    let Some(run) = run else { return (FAINT, look.dot().to_owned()) };
    if !run.probe.takes(stage) {
        return (FAINT, "-".to_owned());
    }
    let record = run.stages.get(&stage).cloned().unwrap_or_default();
    let time = |from: Option<Timestamp>, to: Timestamp| from.map(|from| short(from, to)).unwrap_or_default();
    match record.outcome {
        Some(Outcome::Pass) => (GOOD, time(record.opened, record.closed.unwrap_or(now))),
        Some(Outcome::Fail) => (BAD, "FAIL".to_owned()),
        Some(Outcome::Unknown) => (UNSURE, "?".to_owned()),
        Some(Outcome::Skipped) => (FAINT, "-".to_owned()),
        None if record.opened.is_some() && run.phase != Phase::Finished => {
            (BUSY, format!("{}{}", time(record.opened, now), if look.unicode { "…" } else { "+" }))
        }
        Some(Outcome::NotReached) | None => (FAINT, look.dot().to_owned()),
    }
}

/// A time in at most four columns.
fn short(from: Timestamp, to: Timestamp) -> String {
    let seconds = (to.as_microsecond() - from.as_microsecond()) as f64 / 1e6;
    let text = look::duration(seconds);
    match text.find(['h', 'd']) {
        Some(unit) => text[..=unit].to_owned(),
        None => text,
    }
}

/// What a run that did not pass says below the grid.
fn verdict_line(run: &Run) -> Option<String> {
    let d = run.diagnosis.as_ref().filter(|d| d.verdict != Verdict::Pass)?;
    let (style, word) = if d.verdict == Verdict::Fail { (BAD, "FAIL") } else { (UNSURE, "UNKNOWN") };
    let cause = d.fault.clone().unwrap_or_else(|| d.candidates.join(" or "));
    let stage = d.stage.map(|s| format!(" at {s}")).unwrap_or_default();
    Some(format!("{} {}{stage}: {}", paint(style, word), run.probe.name, paint(STRONG, cause)))
}

/// One line for each thing that happened, for logs and pipes.
pub fn plain_line(event: &RunEvent) -> Option<String> {
    match event {
        RunEvent::Started(run) => Some(format!("{} started as {}\n", run.probe.name, run.id)),
        RunEvent::Stage(run, stage) => {
            let record = run.stages.get(stage)?;
            let outcome = record.outcome.filter(|o| !matches!(o, Outcome::Skipped | Outcome::NotReached))?;
            let took = record.opened.zip(record.closed).map(|(a, b)| format!(" {}", short(a, b))).unwrap_or_default();
            Some(format!("{} {stage} {}{took}\n", run.probe.name, outcome.as_str()))
        }
        RunEvent::Finished(run) => {
            let d = run.diagnosis.as_ref()?;
            let cause = d.fault.as_ref().or(d.candidates.first()).map(|f| format!(": {f}")).unwrap_or_default();
            Some(format!("{} ended: {}{cause}\n", run.probe.name, d.verdict.as_str()))
        }
        RunEvent::Late(run) => Some(format!("{}: a message came after the verdict of {}\n", run.probe.name, run.id)),
    }
}

/// How progress is shown on standard error.
pub enum Progress {
    /// A redrawn block.
    Block {
        /// What is drawn.
        board: Box<Board>,
        /// How many lines stand on the screen.
        drawn: usize,
        /// What the terminal can show.
        look: Look,
    },
    /// A line for each event.
    Lines,
    /// Nothing.
    Silent,
}

impl Progress {
    /// A block on a terminal, lines elsewhere; `quiet` for neither, `plain` for lines in any case.
    pub fn new(probes: impl IntoIterator<Item = String>, look: Look, quiet: bool, plain: bool) -> Progress {
        let terminal = std::io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|t| t != "dumb");
        match (quiet, plain || !terminal) {
            (true, _) => Progress::Silent,
            (false, true) => Progress::Lines,
            (false, false) => Progress::Block { board: Box::new(Board::new(probes)), drawn: 0, look },
        }
    }

    /// Takes in and shows what happened.
    pub fn observe(&mut self, event: &RunEvent) {
        match self {
            Progress::Block { board, .. } => board.observe(event),
            Progress::Lines => super::say(&plain_line(event).unwrap_or_default()),
            Progress::Silent => {}
        }
    }

    /// Draws the block anew.
    pub fn draw(&mut self, now: Timestamp, foot: &str) {
        if let Progress::Block { board, drawn, look } = self {
            // Asked each time: the window may have changed.
            let height = look::terminal(std::io::stderr()).map_or(HEIGHT, |(_, rows)| rows);
            let frame = board.frame(now, foot, *look, height);
            super::say(&redraw(&frame, *drawn));
            *drawn = frame.lines().count();
        }
    }

    /// Says something beside the runs.
    pub fn note(&mut self, text: &str) {
        if !matches!(self, Progress::Silent) {
            self.clear();
            super::say(&format!("{text}\n"));
        }
    }

    /// Removes the block, to make room for results.
    pub fn clear(&mut self) {
        if let Progress::Block { drawn, .. } = self
            && *drawn > 0
        {
            super::say(&redraw("", *drawn));
            *drawn = 0;
        }
    }
}

/// The bytes that put `frame` in the place of the `drawn` lines before. Line wrap is off meanwhile (DECAWM), so
/// that a narrow terminal cuts lines instead of breaking the count.
fn redraw(frame: &str, drawn: usize) -> String {
    let mut out = String::from("\x1b[?7l");
    if drawn > 0 {
        out.push_str(&format!("\x1b[{drawn}A"));
    }
    for line in frame.lines() {
        out.push_str(&format!("\r{line}\x1b[K\n"));
    }
    out.push_str("\r\x1b[J\x1b[?7h");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn board() -> Board {
        let mut board = Board::new(["billing", "returns", "waiting-for-a-long-name"].map(str::to_owned));
        board.observe(&RunEvent::Finished(Box::new(sample::failed())));
        let mut run = sample::running("r-1", "billing");
        run.probe.stages.remove(&Stage::FollowUp);
        run.stages.entry(Stage::Land).or_default().opened = Some(sample::at(2));
        board.observe(&RunEvent::Stage(Box::new(run), Stage::Accept));
        board
    }

    #[test]
    fn the_block_shows_where_each_run_is_and_how_long_it_waits() {
        let frame = board().frame(sample::at(14), "14s", Look::PLAIN, 24);
        let frame = anstream::adapter::strip_str(&frame).to_string();
        let expected = [
            "                 send  accept land  queue format ack   reply return follow clean",
            "billing          1.0s  1.0s   12s+  .     .      .     .     .      -      .",
            "returns          1.0s  1.0s   1.0s  1.0s  1.0s   1.0s  1.0s  FAIL   .      1.0s",
            "waiting-for-a... .     .      .     .     .      .     .     .      .      .",
            "FAIL returns at return: return-in-spam",
            "1 running, 1 failed  14s",
        ];
        assert_eq!(frame.lines().map(str::trim_end).collect::<Vec<_>>(), expected);
        assert!(frame.lines().all(|l| l.chars().count() <= 80), "fits a terminal of 80 columns");
    }

    #[test]
    fn many_probes_do_not_outgrow_the_terminal() {
        let mut board = Board::new((0..60).map(|i| format!("probe-{i}")));
        for n in 0..20 {
            let mut run = sample::failed();
            run.probe.name = format!("broken-{n}");
            board.observe(&RunEvent::Finished(Box::new(run)));
        }
        for height in [10, 24, 50] {
            let frame = anstream::adapter::strip_str(&board.frame(sample::at(0), "", Look::PLAIN, height)).to_string();
            assert!(frame.lines().count() < height, "{height}:\n{frame}");
            assert!(frame.contains("\nbroken-0 ") && frame.contains(" more\n") && frame.contains("FAIL broken-0 at return"), "{frame}");
        }
        let frame = anstream::adapter::strip_str(&board.frame(sample::at(0), "", Look::PLAIN, 200)).to_string();
        assert!(frame.contains("\nprobe-59 ") && !frame.contains(" more\n"), "{frame}");
    }

    #[test]
    fn an_older_runs_event_does_not_hide_a_newer_run() {
        let mut board = board();
        let mut old = sample::passed();
        old.started = sample::at(-60);
        board.observe(&RunEvent::Late(Box::new(old)));
        let frame = board.frame(sample::at(14), "", Look::PLAIN, 24);
        assert!(frame.contains("12s+"), "{frame}");
    }

    #[test]
    fn lines_name_probe_stage_and_cause() {
        let line = |event| plain_line(&event).unwrap();
        assert_eq!(line(RunEvent::Stage(Box::new(sample::failed()), Stage::Return)), "returns return fail 30s\n");
        assert_eq!(line(RunEvent::Finished(Box::new(sample::failed()))), "returns ended: fail: return-in-spam\n");
    }
}
