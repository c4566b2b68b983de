use super::*;
use crate::report::sample;

/// A minute of the day of the samples.
fn minute(m: i64) -> Timestamp {
    sample::at(m * 60)
}

fn probe(name: &str) -> Probe {
    sample::probe(name)
}

/// A run of `probe` that began at that minute and has its verdict 30 s later.
fn look(name: &str, m: i64, verdict: Verdict) -> Judged {
    let mut run = match verdict {
        Verdict::Pass => sample::passed(),
        Verdict::Fail => sample::failed(),
        Verdict::Unknown => sample::unknown(),
    };
    run.probe = sample::probe(name);
    run.id = RunId(format!("r-{name}-{m:05}"));
    (run.started, run.finished) = (minute(m), Some(sample::at(m * 60 + 30)));
    Judged::of(&run).unwrap()
}

fn pass(name: &str, m: i64) -> Judged {
    look(name, m, Verdict::Pass)
}

fn fail(name: &str, m: i64) -> Judged {
    look(name, m, Verdict::Fail)
}

fn fails(name: &str, m: i64, stage: Stage, fault: Option<&str>, candidates: &[&str]) -> Judged {
    let candidates = candidates.iter().map(|c| (*c).to_owned()).collect();
    Judged { stage: Some(stage), fault: fault.map(str::to_owned), candidates, ..fail(name, m) }
}

fn of(probes: &[&str], looks: Vec<Judged>) -> Vec<Incident> {
    let probes: Vec<Probe> = probes.iter().map(|name| probe(name)).collect();
    incidents(&probes, looks)
}

fn ids(runs: &[RunId]) -> Vec<&str> {
    runs.iter().map(RunId::as_str).collect()
}

#[test]
fn trouble_lasts_from_the_begin_of_the_first_failed_run_to_the_end_of_the_first_pass() {
    let found = of(&["a"], vec![pass("a", 0), fail("a", 5), fail("a", 10), pass("a", 15), pass("a", 20)]);
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.since, one.until), (minute(5), Some(sample::at(15 * 60 + 30))));
    assert_eq!((one.last_good, one.end), (Some(sample::at(30)), Some(End::Passed)));
    assert_eq!((one.stage, one.fault.as_deref(), one.blame), (Some(Stage::Return), Some("return-in-spam"), Some(Blame::Desk)));
    assert_eq!((ids(&one.runs), one.count, one.owner.as_str()), (vec!["r-a-00010", "r-a-00005"], 2, "support"));
    assert_eq!(one.id.as_str(), "r-a-00005");
}

#[test]
fn passes_alone_are_no_incident_and_no_runs_are_none() {
    assert_eq!(of(&["a", "b"], vec![pass("a", 0), pass("a", 5)]), vec![]);
}

#[test]
fn one_failed_run_is_an_incident_that_is_not_confirmed() {
    let found = of(&["a"], vec![pass("a", 0), fail("a", 5)]);
    assert!(found[0].is_open() && !found[0].is_confirmed());
    assert!(of(&["a"], vec![fail("a", 5), fail("a", 10)])[0].is_confirmed());
    let leak = Judged { security: true, ..fail("a", 5) };
    assert!(of(&["a"], vec![leak])[0].is_confirmed());
}

#[test]
fn a_run_that_could_not_tell_neither_ends_trouble_nor_is_one_of_it() {
    let found = of(&["a"], vec![pass("a", 0), fail("a", 5), look("a", 10, Verdict::Unknown), fail("a", 15)]);
    let [broken, blind] = &found[..] else { panic!("{found:?}") };
    assert_eq!((broken.verdict, broken.since, broken.until, broken.count), (Verdict::Fail, minute(5), None, 2));
    assert_eq!((blind.verdict, blind.since, blind.end), (Verdict::Unknown, minute(10), Some(End::Told)));
    assert_eq!((blind.blame, ids(&blind.runs)), (Some(Blame::Monitor), vec!["r-a-00010"]));
    let found = of(&["a"], vec![pass("a", 0), look("a", 5, Verdict::Unknown)]);
    assert_eq!(found.iter().map(|i| (i.verdict, i.until)).collect::<Vec<_>>(), [(Verdict::Unknown, None)], "unknown is not broken");
}

#[test]
fn probes_behind_one_gateway_with_one_fault_in_one_time_are_one_incident() {
    let looks = vec![pass("a", 0), pass("b", 2), fail("a", 5), fail("b", 7), fail("a", 10), pass("b", 12)];
    let found = of(&["a", "b", "c"], looks.clone());
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.since, one.until, one.last_good), (minute(5), None, Some(sample::at(150))));
    assert_eq!((one.behind, one.count), (3, 3));
    let affected: Vec<_> = one.probes.iter().map(|p| (p.probe.as_str(), p.since, p.until.is_none())).collect();
    assert_eq!(affected, [("a", minute(5), true), ("b", minute(7), false)]);
    let elsewhere: Vec<Judged> =
        looks.into_iter().map(|l| if l.probe == "b" { Judged { gateway: "other".to_owned(), ..l } } else { l }).collect();
    assert_eq!(of(&["a", "b"], elsewhere).len(), 2, "another gateway is another incident");
}

#[test]
fn the_last_good_of_an_incident_lies_before_it() {
    let found = of(&["a", "b"], vec![pass("a", 0), fail("a", 5), pass("b", 6), fail("b", 8)]);
    assert_eq!((found.len(), found[0].last_good), (1, Some(sample::at(30))));
    let found = of(&["a", "b"], vec![fail("a", 5), pass("b", 2), fail("b", 8)]);
    assert_eq!(found[0].last_good, Some(sample::at(150)), "a never passed; b did before a broke");
}

#[test]
fn troubles_at_other_stages_with_other_faults_or_in_other_times_lie_apart() {
    let stages = vec![fails("a", 0, Stage::Return, Some("x"), &[]), fails("b", 1, Stage::Land, Some("x"), &[])];
    assert_eq!(of(&["a", "b"], stages).len(), 2);
    let faults = vec![fails("a", 0, Stage::Return, Some("x"), &[]), fails("b", 1, Stage::Return, Some("y"), &[])];
    assert_eq!(of(&["a", "b"], faults).len(), 2);
    let times = vec![fail("a", 0), pass("a", 5), fail("b", 10)];
    let found = of(&["a", "b"], times);
    assert_eq!(found.iter().map(Incident::is_open).collect::<Vec<_>>(), [true, false], "what lasts comes first");
}

#[test]
fn a_fault_that_is_singled_out_later_or_changes_is_the_same_incident() {
    let looks = vec![
        fails("a", 0, Stage::Land, None, &["x", "y"]),
        fails("a", 5, Stage::Land, Some("x"), &["x"]),
        fails("a", 10, Stage::Land, None, &["y", "x"]),
    ];
    let found = of(&["a"], looks.clone());
    assert_eq!((found.len(), found[0].fault.as_deref(), found[0].count), (1, Some("x"), 3));
    let found = of(&["a"], looks.into_iter().chain([fails("a", 15, Stage::Land, Some("z"), &[])]).collect());
    assert_eq!((found.len(), found[0].fault.as_deref(), found[0].since), (1, Some("z"), minute(0)));
}

#[test]
fn what_is_not_singled_out_joins_a_neighbour_that_singled_out_one_of_its_candidates() {
    let of_three = |candidates: &[&str]| {
        of(&["a", "b"], vec![fails("a", 2, Stage::Land, Some("y"), &["y"]), fails("b", 0, Stage::Land, None, candidates)])
    };
    let found = of_three(&["x", "y"]);
    assert_eq!((found.len(), found[0].fault.as_deref(), found[0].since), (1, Some("y"), minute(0)));
    assert_eq!(of_three(&["x", "z"]).len(), 2);
    let apart = vec![
        fails("a", 0, Stage::Land, Some("y"), &["y"]),
        pass("a", 2),
        fails("a", 10, Stage::Land, Some("y"), &["y"]),
        fails("b", 1, Stage::Land, None, &["y"]),
    ];
    let found = of(&["a", "b"], apart);
    assert_eq!((found.len(), found[0].count), (1, 3), "b failed through the gap between a's two troubles");
}

#[test]
fn another_stage_is_another_incident_and_the_first_is_not_said_to_be_well() {
    let found = of(&["a"], vec![pass("a", 0), fail("a", 5), fails("a", 10, Stage::Land, Some("x"), &[])]);
    let [now, before] = &found[..] else { panic!("{found:?}") };
    assert_eq!((now.stage, now.since, now.last_good), (Some(Stage::Land), minute(10), Some(sample::at(30))));
    assert_eq!((before.stage, before.until, before.end), (Some(Stage::Return), Some(minute(10)), Some(End::Moved)));
}

#[test]
fn trouble_of_a_probe_that_is_gone_is_over() {
    let found = of(&[], vec![fail("a", 5)]);
    assert_eq!((found[0].until, found[0].end), (Some(sample::at(330)), Some(End::Removed)));
}

#[test]
fn many_runs_are_counted_and_the_newest_are_named() {
    let found = of(&["a"], (0..100).map(|n| fail("a", n)).collect());
    assert_eq!((found[0].count, found[0].runs.len()), (100, RUNS_NAMED));
    assert_eq!((found[0].runs[0].as_str(), found[0].id.as_str()), ("r-a-00099", "r-a-00000"));
    assert_eq!(found[0].probes[0].first_run.as_str(), "r-a-00000");
}

#[test]
fn the_order_of_the_verdicts_and_passes_between_passes_change_nothing() {
    let looks = vec![pass("a", 0), pass("a", 5), fail("a", 10), pass("a", 15), pass("a", 20), fail("a", 25)];
    let thin = vec![fail("a", 25), pass("a", 20), pass("a", 15), fail("a", 10), pass("a", 5)];
    assert_eq!(of(&["a"], looks), of(&["a"], thin));
}

#[test]
fn the_worst_that_lasts_comes_first() {
    let looks = vec![
        Judged { severity: Some(Severity::Minor), ..fails("a", 0, Stage::Format, Some("x"), &[]) },
        look("b", 0, Verdict::Unknown),
        fails("c", 9, Stage::Return, Some("y"), &[]),
        Judged { security: true, ..fails("d", 10, Stage::Reply, Some("note-leaks"), &[]) },
        fails("e", 1, Stage::Land, Some("z"), &[]),
        fails("f", 0, Stage::Land, Some("w"), &[]),
        pass("f", 20),
    ];
    let found = of(&["a", "b", "c", "d", "e", "f"], looks);
    assert_eq!(found.iter().map(|i| i.probes[0].probe.as_str()).collect::<Vec<_>>(), ["d", "e", "c", "a", "b", "f"]);
}

#[test]
fn runs_by_hand_and_runs_under_way_are_no_part_of_history() {
    let mut run = sample::failed();
    assert!(Judged::of(&run).is_some());
    run.trigger = crate::model::Trigger::Manual;
    assert_eq!(Judged::of(&run), None);
    run.trigger = crate::model::Trigger::Control;
    assert_eq!(Judged::of(&run), None);
    assert_eq!(Judged::of(&sample::running("r-1", "a")), None);
}

#[test]
fn an_incident_is_one_sentence() {
    let now = minute(22);
    let looks = vec![pass("billing", 0), fail("billing", 10)];
    let found = of(&["billing", "sales"], looks.clone());
    assert_eq!(
        found[0].sentence(now),
        "billing by mail: the answer landed in the customer's spam folder, at return, since 08:10 UTC (12 min), last good 08:00"
    );
    assert_eq!(found[0].whose(), "the desk or its settings");
    let both = of(&["billing", "sales"], looks.iter().cloned().chain([fail("sales", 12)]).collect());
    assert!(both[0].sentence(now).starts_with("all 2 probes behind rt-email: "), "{}", both[0].sentence(now));
    let some = of(&["billing", "sales", "orders"], looks.iter().cloned().chain([fail("sales", 12)]).collect());
    assert!(some[0].sentence(now).starts_with("2 of 3 probes behind rt-email: "), "{}", some[0].sentence(now));
    let over = of(&["billing"], looks.into_iter().chain([pass("billing", 15)]).collect());
    let tomorrow = minute(24 * 60);
    assert!(
        over[0]
            .sentence(tomorrow)
            .ends_with("at return, from 2026-11-25 08:10 to 2026-11-25 08:15 UTC (5 min), last good 2026-11-25 08:00"),
        "{}",
        over[0].sentence(tomorrow)
    );
}

#[test]
fn what_could_not_be_told_is_not_said_to_be_broken() {
    let found = of(&["a"], vec![look("a", 0, Verdict::Unknown)]);
    let sentence = found[0].sentence(minute(200));
    assert!(sentence.starts_with("a by mail: nobody can tell whether it works ("), "{sentence}");
    assert!(sentence.ends_with("at land, since 08:00 UTC (3 h 20 min), never seen to work before"), "{sentence}");
    assert_eq!(found[0].whose(), "the monitor, not the desk");
}

#[test]
fn several_candidates_are_said_to_be_such() {
    let what = |candidates: &[&str]| of(&["a"], vec![fails("a", 0, Stage::Land, None, candidates)])[0].what();
    assert_eq!(what(&[]), "no known fault explains it");
    assert_eq!(what(&["x"]), "probably x");
    assert_eq!(what(&["x", "y"]), "x, or y");
    assert_eq!(what(&["x", "y", "z"]), "x, or one of 2 other faults");
}

#[test]
fn spans_have_two_units() {
    let shown = [40, 720, 3_600, 11_100, 86_400, 187_200].map(|s| words::span(sample::at(0), sample::at(s)));
    assert_eq!(shown, ["40 s", "12 min", "1 h", "3 h 5 min", "1 d", "2 d 4 h"]);
}
