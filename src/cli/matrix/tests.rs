//! The expectations themselves, and that a wrong answer is noticed.

use super::scene::Played;
use super::score::Sheet;
use super::{expected, pairs, score};
use crate::diagnosis::catalogue;
use crate::model::{Blame, Diagnosis, Run, Severity, Stage, Verdict};
use crate::sandbox::Rng;
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
        score::row(row, &Ok(played(vec![run.clone()])), true).wrong.len()
    };
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "mojibake", Blame::Desk)), 0);
    assert_eq!(judge(said(Verdict::Unknown, Stage::Format, "mojibake", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Queue, "mojibake", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "format-differs", Blame::Desk)), 1);
    assert_eq!(judge(said(Verdict::Fail, Stage::Format, "mojibake", Blame::Provider)), 1);
    assert_eq!(score::row(row, &Err("not played".to_owned()), true).wrong, ["not played"]);
}

fn played(runs: Vec<Run>) -> Played {
    Played { runs, began: jiff::Timestamp::UNIX_EPOCH, forgotten: Vec::new() }
}

fn run_that_says(verdict: Verdict, stage: Option<Stage>, causes: &[&str]) -> Run {
    let mut run = crate::report::sample::running("r1", "support");
    run.diagnosis = Some(Diagnosis {
        verdict,
        stage,
        fault: None,
        candidates: causes.iter().map(|c| (*c).to_owned()).collect(),
        blame: None,
        severity: None,
        security: false,
        summary: String::new(),
        notes: Vec::new(),
        rules_version: 1,
    });
    run
}

fn row(fault: &str) -> expected::Row {
    expected::read().unwrap().row.into_iter().find(|r| r.fault == fault).unwrap()
}

#[test]
fn without_the_intake_mailbox_the_whole_group_and_nothing_else_must_be_named() {
    let row = row("poller-hung");
    let listed = |causes: &[&str], with| {
        let run = run_that_says(Verdict::Fail, Some(Stage::Land), causes);
        score::row(&row, &Ok(played(vec![run])), with).cause_listed
    };
    let group = ["intake-oauth-expired", "poller-hung", "intake-junk-not-polled", "fetched-not-ticketed"];
    assert!(listed(&group, false));
    assert!(!listed(&group[..3], false), "one is missing");
    assert!(!listed(&[&group[..], &["forwarder-lost"]].concat(), false), "one too many");
    assert!(listed(&["poller-hung"], true));
}

#[test]
fn a_run_beside_is_quiet_when_it_passes_or_says_the_same_and_alarms_otherwise() {
    let row = row("poller-hung");
    let beside = |run: Run| {
        let judged = run_that_says(Verdict::Fail, Some(Stage::Land), &["poller-hung"]);
        score::beside(&row, &Ok(played(vec![judged, run]))).len()
    };
    assert_eq!(beside(run_that_says(Verdict::Pass, None, &[])), 0);
    assert_eq!(beside(run_that_says(Verdict::Fail, Some(Stage::Land), &["poller-hung"])), 0);
    assert_eq!(beside(run_that_says(Verdict::Fail, Some(Stage::Return), &["return-in-spam"])), 1);
    assert_eq!(beside(run_that_says(Verdict::Unknown, None, &[])), 1);
}

#[test]
fn a_healthy_desk_may_neither_alarm_nor_keep_an_open_ticket() {
    let calm = played(vec![run_that_says(Verdict::Pass, None, &[])]);
    assert_eq!(score::healthy(&Ok(calm)).len(), 0);
    let mut left = played(vec![run_that_says(Verdict::Pass, None, &[])]);
    left.forgotten.push("SB-7".to_owned());
    assert_eq!(score::healthy(&Ok(left)).len(), 1);
    assert_eq!(score::healthy(&Ok(played(vec![run_that_says(Verdict::Unknown, None, &[])]))).len(), 1);
    assert_eq!(score::healthy(&Err("it broke".to_owned())).len(), 1);
}

#[test]
fn of_two_faults_the_earlier_one_must_be_named_by_its_stage() {
    let (early, late) = (row("mojibake"), row("return-in-spam"));
    let wrong = |verdict, stage| {
        let run = run_that_says(verdict, stage, &["mojibake"]);
        pairs::judge(&late, &early, &Ok(played(vec![run]))).wrong.len()
    };
    assert_eq!(wrong(Verdict::Fail, Some(Stage::Format)), 0);
    assert_eq!(wrong(Verdict::Fail, Some(Stage::Return)), 1);
    assert_eq!(wrong(Verdict::Pass, None), 1);
}

#[test]
fn pairs_are_drawn_by_the_seed_and_keep_to_what_is_excluded() {
    let (rows, excluded) = (expected::read().unwrap().row, pairs::read().unwrap());
    for named in excluded.alone.iter().map(|a| &a.fault).chain(excluded.apart.iter().flat_map(|p| p.with.iter().chain([&p.fault]))) {
        assert!(rows.iter().any(|r| r.fault == *named), "{named}");
    }
    assert!(excluded.told().iter().all(|(_, why)| !why.trim().is_empty()));
    let draw = |seed| -> Vec<String> {
        let drawn = excluded.draw(&rows, 40, &mut Rng::new(seed));
        assert!(drawn.iter().all(|(a, b, case)| excluded.compatible(a, b) && case.tidy && case.faults.len() == 2));
        drawn.iter().map(|(a, b, _)| pairs::name(a, b)).collect()
    };
    let first = draw(1);
    assert_eq!((first.len(), first.iter().collect::<BTreeSet<_>>().len()), (40, 40));
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
}

#[test]
fn less_than_what_must_be_reached_is_told_figure_by_figure() {
    let least = score::Thresholds { detected: 84, stage_right: 82, cause_listed: 80, cause_first: 76, mean_candidates: 1.5 };
    let full = Sheet { detected: 84, stage_right: 82, cause_listed: 80, cause_first: 76, mean_candidates: 1.5, ..Sheet::default() };
    assert!(full.below(&least).is_empty());
    let below = |change: fn(&mut Sheet)| {
        let mut sheet = full.clone();
        change(&mut sheet);
        sheet.below(&least).len()
    };
    assert_eq!(below(|s| s.detected = 83), 1);
    assert_eq!(below(|s| s.stage_right = 81), 1);
    assert_eq!(below(|s| s.cause_listed = 79), 1);
    assert_eq!(below(|s| s.cause_first = 75), 1);
    assert_eq!(below(|s| s.mean_candidates = 1.51), 1);
    assert_eq!(below(|s| s.false_alarms = 1), 1);
}
