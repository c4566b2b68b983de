//! JUnit XML for pipelines: a suite is a gateway, a case a probe.
//!
//! A failed reply path is a `failure`; what is our own trouble is an `error`. `quick-junit` drops the
//! characters that XML 1.0 forbids.

use crate::model::RunReport;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::time::Duration;

/// The XML document.
///
/// # Errors
/// When the document cannot be written.
pub fn render(runs: &[RunReport]) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<&str, Vec<&RunReport>> = BTreeMap::new();
    for run in runs {
        suites.entry(&run.gateway).or_default().push(run);
    }
    let mut report = Report::new("replypath");
    for (gateway, runs) in suites {
        let mut suite = TestSuite::new(gateway);
        suite.set_time(runs.iter().map(|r| time(r)).sum());
        suite.add_test_cases(runs.into_iter().map(case));
        report.add_test_suite(suite);
    }
    let mut text = report.to_string()?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn time(run: &RunReport) -> Duration {
    Duration::try_from_secs_f64(run.duration_seconds).unwrap_or_default()
}

fn case(run: &RunReport) -> TestCase {
    let status = match run.verdict.as_deref() {
        Some("pass") => TestCaseStatus::success(),
        Some("fail") => bad(run, NonSuccessKind::Failure),
        _ => bad(run, NonSuccessKind::Error),
    };
    let mut case = TestCase::new(run.probe.as_str(), status);
    case.set_classname(run.gateway.as_str());
    case.set_time(time(run));
    for (name, value) in [
        ("run", Some(&run.run)),
        ("channel", Some(&run.channel)),
        ("desk", Some(&run.desk)),
        ("stage", run.stage.as_ref()),
        ("fault", run.fault.as_ref()),
        ("blame", run.blame.as_ref()),
        ("security", run.security.then(|| "private content exposed".to_owned()).as_ref()),
        ("ticket", run.ticket.as_ref()),
    ] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            case.add_property(Property::new(name, value.as_str()));
        }
    }
    case.set_system_out(stages(run));
    case
}

fn bad(run: &RunReport, kind: NonSuccessKind) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let cause = run.fault.as_deref().or(run.candidates.first().map(String::as_str)).unwrap_or("no verdict");
    status.set_type(cause);
    status.set_message(match &run.stage {
        Some(stage) => format!("{stage}: {cause}: {}", run.summary),
        None => format!("{cause}: {}", run.summary),
    });
    let checks = run.stages.iter().flat_map(|s| s.checks.iter().map(move |c| (s, c)));
    let lines: Vec<String> = checks
        .filter(|(_, c)| c.outcome != "pass" && c.outcome != "skipped")
        .map(|(s, c)| format!("{} {}: expected {}, found {}", s.stage, c.check, c.expected, c.found))
        .collect();
    let outside = run.context.iter().map(|fact| format!("{}: {}", fact.kind, super::human::said(fact)));
    let notes = run.notes.iter().map(|note| format!("note: {note}"));
    let lines: Vec<String> = lines.into_iter().chain(outside).chain(notes).collect();
    status.set_description(lines.join("\n"));
    status
}

fn stages(run: &RunReport) -> String {
    let line = |s: &crate::model::StageReport| match s.duration_seconds {
        Some(seconds) => format!("{} {} {seconds:.3}s", s.stage, s.outcome),
        None => format!("{} {}", s.stage, s.outcome),
    };
    run.stages.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::report::sample;

    #[test]
    fn the_desks_fault_is_a_failure_and_our_own_trouble_an_error() {
        let runs = [sample::passed(), sample::failed(), sample::unknown()].map(|r| sample::report(&r));
        let xml = super::render(&runs).unwrap();
        assert!(xml.contains(r#"<testsuites name="replypath" tests="3" skipped="0" failures="1" errors="1""#), "{xml}");
        assert!(xml.contains(r#"<failure message="return: return-in-spam: "#), "{xml}");
        assert!(xml.contains(r#"<error message="land: desk-api-down: "#), "{xml}");
        assert!(xml.contains(r#"<property name="run" value="r-failed"/>"#), "{xml}");
    }

    #[test]
    fn what_xml_forbids_does_not_come_through() {
        let mut run = sample::report(&sample::failed());
        run.summary = "a\u{1b}[1m <b> & \"c\"\u{0}".to_owned();
        let xml = super::render(&[run]).unwrap();
        assert!(!xml.contains(['\u{1b}', '\u{0}']));
        assert!(xml.contains("&lt;b&gt; &amp; &quot;c&quot;"), "{xml}");
    }
}
