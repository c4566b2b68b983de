//! The expectations themselves, and that a wrong answer is noticed.

use super::{expected, score};
use crate::diagnosis::catalogue;
use crate::model::{Blame, Diagnosis, Severity, Stage, Verdict};
use std::collections::BTreeSet;

#[test]
fn the_file_holds_every_fault_of_the_catalogue_once_and_each_variation() {
    let expected = expected::read().unwrap();
    assert_eq!((expected.row.len(), expected.harmless.len()), (84, 14));
    let ids: BTreeSet<&str> =
        expected.row.iter().map(|r| r.fault.as_str()).chain(expected.harmless.iter().map(|h| h.fault.as_str())).collect();
    assert_eq!(ids.len(), 98);
    for id in ids {
        assert!(catalogue::fault(id).is_some(), "{id}");
    }
    for row in &expected.row {
        for cause in row.causes.iter().chain(&row.without_intake) {
            assert!(catalogue::fault(cause).is_some(), "{}: {cause}", row.fault);
        }
        assert_eq!(
            row.verdict == Verdict::Fail && row.proved_by.is_empty(),
            !row.causes.is_empty() && row.verdict == Verdict::Fail,
            "{}",
            row.fault
        );
    }
}

#[test]
fn a_wrong_verdict_stage_cause_or_blame_is_a_miss_and_a_right_answer_is_none() {
    let expected = expected::read().unwrap();
    let row = expected.row.iter().find(|r| r.fault == "mojibake").unwrap();
    let mut run = crate::report::sample::running("r1", "support");
    let said = |verdict, stage, cause: &str, blame| Diagnosis {
        verdict,
        stage: Some(stage),
        fault: Some(cause.to_owned()),
        candidates: vec![cause.to_owned()],
        blame: Some(blame),
        severity: Some(Severity::Major),
        security: false,
        summary: String::new(),
        notes: Vec::new(),
        rules_version: 1,
    };
    let mut judge = |said: Diagnosis| {
        run.diagnosis = Some(said);
        score::row(row, &Ok(run.clone()), true).wrong.len()
    };
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "mojibake", Blame::Desk)), 0);
    assert_eq!(judge(said(Verdict::Unknown, Stage::Format, "mojibake", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Queue, "mojibake", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "format-differs", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "mojibake", Blame::Provider)), 1);
    assert_eq!(score::row(row, &Err("not played".to_owned()), true).wrong, ["not played"]);
}
