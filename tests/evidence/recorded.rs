//! What real parts once showed is judged as it was then, and as the fault matrix wants.

use crate::rows::{Row, expected};
use crate::{path, recorded_rows, run, text};
use replypath::diagnosis::{RULES_VERSION, diagnose};
use replypath::model::{Diagnosis, Run, Stage};

/// Small enough to be read.
const MOST_BYTES: usize = 15_000;

#[test]
fn recorded_evidence_is_judged_as_it_was_on_the_real_parts() {
    for row in recorded_rows() {
        let run = run(&row);
        let then = run.diagnosis.clone().expect("a diagnosis");
        let now = diagnose(&run);
        let answer = |d: &Diagnosis| (d.verdict, d.stage, d.fault.clone(), d.candidates.clone(), d.blame, d.severity, d.security);
        assert_eq!(answer(&now), answer(&then), "{row}");
        if then.rules_version == RULES_VERSION {
            assert_eq!(now, then, "{row}: the same rules");
        }
    }
}

#[test]
fn recorded_evidence_is_judged_as_the_matrix_wants() {
    let (faults, harmless) = expected();
    for row in recorded_rows() {
        let wanted: &Row = faults.iter().chain(&harmless).find(|r| r.fault == row).unwrap_or_else(|| panic!("no row {row}"));
        let run = run(&row);
        let said = diagnose(&run);
        let verdicts: Vec<&str> = match &wanted.verdict {
            toml::Value::Array(several) => several.iter().filter_map(toml::Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let about = format!("{row}: {said:#?}");
        assert!(verdicts.contains(&said.verdict.as_str()), "{about}");
        assert_eq!(said.stage.map(Stage::as_str), wanted.stage.as_deref(), "{about}");
        assert_eq!(said.blame.map(|b| b.as_str()), wanted.blame.as_deref(), "{about}");
        assert_eq!(said.candidates.is_empty(), wanted.causes.is_empty(), "{about}");
        assert!(wanted.causes.is_empty() || said.candidates.iter().any(|c| wanted.causes.contains(c)), "{about}");
        assert!(!wanted.prevented || said.notes.iter().any(|n| n.contains(&row)), "no note names the row: {about}");
    }
}

#[test]
fn recorded_evidence_is_small_and_holds_no_place_of_a_machine() {
    for row in recorded_rows() {
        let text = text(&row);
        assert!(text.len() < MOST_BYTES, "{row}: {} bytes", text.len());
        for place in ["/tmp", "/var/", "/home/", "/root", "-pass\"", "\"secret\""] {
            assert!(!text.contains(place), "{row}: {place}");
        }
        let run: Run = serde_json::from_str(&text).expect("a run");
        assert!(run.mails.iter().all(|m| m.mail.text.is_empty() && m.mail.headers.is_empty()), "{row}: what stood in a mail");
    }
    assert!(path("tests/golden/evidence").is_dir());
}
