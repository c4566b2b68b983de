//! The report for people: a verdict line with the chain of stages for each run, then what broke and why.

use super::look::{self, FAINT, Look, STRONG, paint, style_of};
use crate::model::{CheckReport, ContextReport, RunReport, StageReport};
use std::path::PathBuf;

/// So many runs of the same minutes are shown; `show` has all.
const NEIGHBOURS: usize = 3;

/// What the report says beside the run itself.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The fault's title in the catalogue.
    pub title: Option<String>,
    /// The last passed run: its id and when it ended, for people.
    pub last_good: Option<(String, String)>,
    /// What to type to see the evidence.
    pub evidence: String,
    /// The folder of the store: pictures lie below it.
    pub state: Option<PathBuf>,
    /// The definition of the run's desk was never tried on the real product.
    pub unproven: bool,
}

impl Around {
    /// Where a picture of the evidence lies.
    pub fn picture(&self, name: &str) -> String {
        self.state.as_ref().map_or_else(|| name.to_owned(), |state| state.join(name).display().to_string())
    }
}

/// The word of a verdict at the head of a line.
pub fn verdict_word(verdict: Option<&str>) -> &'static str {
    match verdict {
        Some("pass") => "ok",
        Some("fail") => "FAIL",
        Some("unknown") => "UNKNOWN",
        _ => "running",
    }
}

/// Verdict, probe, time, and the chain of stages below.
pub fn line(run: &RunReport, name_width: usize, look: Look) -> String {
    let verdict = run.verdict.as_deref();
    let style = style_of(verdict.unwrap_or_default());
    let head = format!(
        "{} {} {:>6}",
        paint(style, format!("{:<7}", verdict_word(verdict))),
        paint(STRONG, format!("{:<name_width$}", run.probe)),
        look::duration(run.duration_seconds),
    );
    let indent = 8 + name_width + 1 + 6 + 2;
    format!("{head}  {}\n", chain(run, indent, look))
}

/// The stages that were taken, with their times, wrapped at the look's width.
fn chain(run: &RunReport, indent: usize, look: Look) -> String {
    let mut out = String::new();
    let mut used = indent;
    let mut first = true;
    for stage in run.stages.iter().filter(|s| s.outcome != "skipped" && s.outcome != "not_reached") {
        let (plain, painted) = link(stage);
        let arrow = if first { String::new() } else { format!(" {} ", look.arrow()) };
        let wide = look::columns(&arrow) + look::columns(&plain);
        if !first && used + wide > look.width {
            out.push_str(&format!(" {}\n{}", paint(FAINT, look.arrow()), " ".repeat(indent)));
            used = indent + look::columns(&plain);
        } else {
            out.push_str(&paint(FAINT, &arrow));
            used += wide;
        }
        out.push_str(&painted);
        first = false;
    }
    out
}

fn link(stage: &StageReport) -> (String, String) {
    let seconds = stage.duration_seconds.map(look::duration).unwrap_or_default();
    match stage.outcome.as_str() {
        "pass" => {
            let plain = format!("{} {seconds}", stage.stage);
            (plain.trim_end().to_owned(), format!("{} {}", stage.stage, paint(FAINT, &seconds)))
        }
        other => {
            let plain = format!("{} {} {seconds}", stage.stage, other.to_uppercase());
            (plain.clone(), paint(style_of(other), plain))
        }
    }
}

/// What broke in a run, with what was expected and found. Empty for a pass without remarks.
pub fn block(run: &RunReport, around: &Around, look: Look) -> String {
    let verdict = run.verdict.as_deref();
    let cause = run.fault.clone().or_else(|| (!run.candidates.is_empty()).then(|| run.candidates.join(" or ")));
    let (label, what) = match verdict {
        Some("fail") => ("error", "failed"),
        Some("unknown") => ("unknown", "could not be judged"),
        _ => return notes(run, look),
    };
    let at = run.stage.as_ref().map(|s| format!(" at {s}")).unwrap_or_default();
    let cause = cause.map(|c| format!(": {c}")).unwrap_or_default();
    let style = style_of(verdict.unwrap_or_default());
    let mut out = format!("{}: {}\n", paint(style, label), paint(STRONG, format!("{} {what}{at}{cause}", run.probe)));
    let mut row = |name: &str, text: &str| out.push_str(&entry(name, text, look));
    let failed: Vec<&CheckReport> = bad_checks(run);
    // The checks say in full what the summary says in one line.
    if failed.is_empty() {
        row("", &run.summary);
    }
    for check in &failed {
        let name = if failed.len() > 1 { format!(" ({})", check.check) } else { String::new() };
        row("expected", &format!("{}{name}", check.expected));
        row("found", &check.found);
    }
    if let Some(title) = &around.title {
        row("fault", title);
        if let Some(id) = run.fault.as_ref().or(run.candidates.first()) {
            row("runbook", &format!("replypath faults {id}"));
        }
    }
    if run.fault.is_some() && run.candidates.len() > 1 {
        row("or", &run.candidates[1..].join(", "));
    }
    let blame = [run.blame.as_deref(), run.severity.as_deref(), run.security.then_some("private content exposed")];
    row("blame", &blame.into_iter().flatten().collect::<Vec<_>>().join(", "));
    if let Some(ticket) = &run.ticket {
        row("ticket", ticket);
    }
    match &around.last_good {
        Some((id, at)) => row("last good", &format!("{at}  {id}")),
        None if verdict == Some("fail") => row("last good", "none on record"),
        None => {}
    }
    for fact in run.context.iter().filter(|f| f.kind != "neighbour") {
        row(&fact.kind, &said(fact));
    }
    let mut beside = run.context.iter().filter(|f| f.kind == "neighbour");
    for fact in beside.by_ref().take(NEIGHBOURS) {
        row("beside", &said(fact));
    }
    match beside.count() {
        0 => {}
        more => row("", &format!("and {more} more runs of the same minutes")),
    }
    for note in &run.notes {
        row("note", note);
    }
    if around.unproven {
        row("unproven", "the desk's definition was never tried on the real product: it may be the one that is wrong");
    }
    if let Some(picture) = screenshot(run) {
        row("picture", &around.picture(picture));
    }
    row("evidence", &around.evidence);
    out
}

/// A fact from outside the run in one line.
pub fn said(fact: &ContextReport) -> String {
    let run = fact.run.as_ref().map(|r| format!("  {r}")).unwrap_or_default();
    format!("{} {}{run}", fact.about, fact.found)
}

/// The last picture of the browser, of the stage at which it went wrong if there is one.
fn screenshot(run: &RunReport) -> Option<&str> {
    fn of(stage: &StageReport) -> Option<&serde_json::Value> {
        stage.evidence.iter().rev().find_map(|e| e.facts.get("screenshot"))
    }
    let at = run.stages.iter().find(|s| Some(&s.stage) == run.stage.as_ref());
    at.and_then(of).or_else(|| run.stages.iter().rev().find_map(of)).and_then(|p| p.as_str())
}

fn bad_checks(run: &RunReport) -> Vec<&CheckReport> {
    let stage = run.stages.iter().find(|s| Some(&s.stage) == run.stage.as_ref());
    stage.map(|s| s.checks.iter().filter(|c| c.outcome == "fail" || c.outcome == "unknown").collect()).unwrap_or_default()
}

fn notes(run: &RunReport, look: Look) -> String {
    let text = |note: &str| look::wrapped(&look::safe(note), look.width.saturating_sub(7 + look::columns(&run.probe)), look).join("\n  ");
    run.notes.iter().map(|n| format!("{} {}: {}\n", paint(FAINT, "note"), run.probe, text(n))).collect()
}

/// One labelled line of a block; further lines of the text are set below it.
pub fn entry(name: &str, text: &str, look: Look) -> String {
    entry_at(2, name, text, look)
}

/// The same with so many spaces before it.
pub fn entry_at(indent: usize, name: &str, text: &str, look: Look) -> String {
    if text.is_empty() {
        return String::new();
    }
    let bar = format!("{}{}", " ".repeat(indent), paint(FAINT, look.bar()));
    let text = look::safe(text.trim_end());
    // The bar, the name in nine columns, and a space before each.
    let lines = look::wrapped(&text, look.width.saturating_sub(indent + 12), look);
    let mut out = String::new();
    for (n, line) in lines.iter().enumerate() {
        let name = paint(FAINT, format!("{:<9}", if n == 0 { name } else { "" }));
        out.push_str(&if line.is_empty() { format!("{bar}\n") } else { format!("{bar} {name} {line}\n") });
    }
    out
}

/// The last line: how many runs ended how.
pub fn summary(runs: &[RunReport], seconds: f64) -> String {
    let count = |verdict: &str| runs.iter().filter(|r| r.verdict.as_deref() == Some(verdict)).count();
    let part = |n: usize, word: &str, verdict: &str| (n > 0).then(|| paint(style_of(verdict), format!("{n} {word}")));
    let parts: Vec<String> =
        [part(count("pass"), "passed", "pass"), part(count("fail"), "failed", "fail"), part(count("unknown"), "unknown", "unknown")]
            .into_iter()
            .flatten()
            .collect();
    let noun = if runs.len() == 1 { "run" } else { "runs" };
    format!("{} {noun}: {} in {}\n", runs.len(), parts.join(", "), look::duration(seconds))
}

/// The whole report: lines, blocks, summary.
pub fn render(runs: &[(RunReport, Around)], seconds: f64, look: Look) -> String {
    let width = runs.iter().map(|(r, _)| look::columns(&r.probe)).max().unwrap_or(0).min(40);
    let mut out: String = runs.iter().map(|(run, _)| line(run, width, look)).collect();
    for (run, around) in runs {
        let block = block(run, around, look);
        if !block.is_empty() {
            out.push('\n');
            out.push_str(&block);
        }
    }
    out.push('\n');
    let reports: Vec<RunReport> = runs.iter().map(|(r, _)| r.clone()).collect();
    out.push_str(&summary(&reports, seconds));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_report_names_stage_fault_and_evidence_in_words() {
        let runs: Vec<_> = [sample::passed(), sample::failed(), sample::unknown()]
            .iter()
            .map(|run| {
                let around = Around {
                    state: Some(PathBuf::from("/srv/state")),
                    unproven: run.probe.name == "shipping",
                    title: (run.probe.name == "returns").then(|| "the answer is delivered to the spam folder".to_owned()),
                    last_good: (run.probe.name == "returns").then(|| ("r-good".to_owned(), "2026-11-25T07:45:00Z".to_owned())),
                    evidence: format!("replypath show {}", run.id),
                };
                (sample::report(run), around)
            })
            .collect();
        let expected = "\
ok      billing     12s  send 1.0s > accept 1.0s > land 1.0s > queue 1.0s > format 1.0s >
                         acknowledge 1.0s > reply 1.0s > return 1.0s > follow_up 1.0s >
                         clean_up 1.0s
FAIL    returns     34s  send 1.0s > accept 1.0s > land 1.0s > queue 1.0s > format 1.0s >
                         acknowledge 1.0s > reply 1.0s > return FAIL 30s > clean_up 1.0s
UNKNOWN shipping   1m03  send 1.0s > accept 1.0s > land UNKNOWN 1m00

error: returns failed at return: return-in-spam
  | expected  INBOX
  | found     in Junk after 3 s
  | fault     the answer is delivered to the spam folder
  | runbook   replypath faults return-in-spam
  | blame     desk, critical
  | ticket    12
  | last good 2026-11-25T07:45:00Z  r-good
  | note      the desk's MX was slow
  | evidence  replypath show r-failed

unknown: shipping could not be judged at land: desk-api-down
  |           the desk's API did not answer
  | blame     monitor, minor
  | ticket    12
  | unproven  the desk's definition was never tried on the real product: it may be the one that is wrong
  | evidence  replypath show r-unknown

3 runs: 1 passed, 1 failed, 1 unknown in 1m49
";
        assert_eq!(plain(&render(&runs, 109.0, Look::PLAIN)), expected);
    }

    #[test]
    fn a_picture_is_named_by_its_whole_path() {
        let around = Around { state: Some(PathBuf::from("/srv/state")), ..Around::default() };
        let text = plain(&block(&sample::report(&sample::submitted()), &around, Look::PLAIN));
        assert!(text.contains("  | picture   /srv/state/screenshots/r-failed-send.png\n"), "{text}");
    }

    #[test]
    fn what_was_used_from_outside_is_told_everywhere() {
        let run = sample::with_context(sample::failed());
        let report = sample::report(&run);
        let text = plain(&block(&report, &Around::default(), Look::PLAIN));
        assert!(text.contains("  | control   plain mail to the same address landed in 2 s  r-control\n"), "{text}");
        assert!(text.contains("  | intake    the desk's intake mailbox our mail lies unread in INBOX\n"), "{text}");
        assert!(text.matches("  | beside    orders").count() == 3 && text.contains("and 2 more runs of the same minutes\n"), "{text}");
        let shown = plain(&crate::report::detail::render(&run, &Around::default(), Look::PLAIN));
        assert!(shown.contains("\nFrom outside the run\n  pass  control    plain mail to the same address"), "{shown}");
        assert_eq!(shown.matches("  neighbour  orders").count(), 5, "{shown}");
        let xml = crate::report::junit::render(std::slice::from_ref(&report)).unwrap();
        assert!(xml.contains("control: plain mail to the same address landed in 2 s"), "{xml}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["context"][0]["kind"], &json["context"][0]["run"]), (&"control".into(), &"r-control".into()));
    }

    #[test]
    fn several_failed_checks_are_told_apart() {
        let mut run = sample::report(&sample::failed());
        let stage = run.stages.iter_mut().find(|s| s.stage == "return").unwrap();
        let mut second = stage.checks[0].clone();
        second.check = "sender".to_owned();
        stage.checks.push(second);
        let text = plain(&block(&run, &Around::default(), Look::PLAIN));
        assert!(text.contains("expected  INBOX (folder)") && text.contains("expected  INBOX (sender)"), "{text}");
    }
}
