//! Whatever evidence is missing or malformed: the diagnosis answers, it never says pass where something failed or nothing
//! was proved, and it never blames the desk for what was not looked at.

use crate::anything::{any_run, blind, outcome, recorded, unseen};
use proptest::prelude::*;
use proptest::sample::Index;
use replypath::diagnosis::{catalogue, diagnose};
use replypath::model::{Blame, Context, Diagnosis, Outcome, Run, Stage, Verdict};
use serde_json::Value;

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) }
}

fn ended(run: &Run, stage: Stage) -> Option<Outcome> {
    run.stages.get(&stage).and_then(|r| r.outcome)
}

fn first(run: &Run, outcome: Outcome) -> Option<Stage> {
    Stage::ALL.into_iter().find(|s| ended(run, *s) == Some(outcome))
}

/// The stages of the journey that this run should have taken.
fn taken(run: &Run) -> impl Iterator<Item = Stage> {
    Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp && run.probe.takes(*s) && run.until.is_none_or(|until| *s <= until))
}

/// What holds of every answer.
fn sound(run: &Run, said: &Diagnosis) {
    let failed = first(run, Outcome::Fail);
    match said.verdict {
        Verdict::Pass => {
            assert_eq!(failed, None, "pass although a stage failed");
            assert!(!run.interrupted, "pass of an interrupted run");
            assert!(taken(run).all(|s| matches!(ended(run, s), Some(Outcome::Pass | Outcome::Skipped))), "pass of what was not seen");
            assert!(first(run, Outcome::Pass).is_some_and(|s| s != Stage::CleanUp), "pass although nothing was proved");
            assert_eq!((said.stage, said.blame, said.severity, &said.fault, said.security), (None, None, None, &None, false));
            assert!(said.candidates.is_empty());
        }
        Verdict::Fail => {
            assert_eq!(said.stage, failed, "not the earliest stage that failed");
            assert!(failed.is_some() && said.blame.is_some() && said.severity.is_some());
            let ours = said.fault.as_deref().and_then(catalogue::fault).is_some_and(|f| f.blame == Blame::Monitor);
            assert!(!ours, "our own side's fault as a fail");
        }
        Verdict::Unknown => {
            assert!(matches!(said.blame, Some(Blame::Monitor | Blame::Provider)), "{:?} is blamed for what is unknown", said.blame);
            assert!(!said.security && !said.candidates.is_empty());
        }
    }
    assert_eq!(said.fault.as_ref(), Some(&said.candidates).filter(|c| c.len() == 1).and_then(|c| c.first()));
    assert!(!said.summary.is_empty());
    assert!(run.notes.iter().all(|n| said.notes.contains(n)));
    assert!(run.leftovers.iter().all(|l| said.notes.iter().any(|n| n.contains(&l.what))));
}

/// The run as the store gives it back: its probe lies beside it.
fn stored(run: &Run) -> Run {
    let mut value = serde_json::to_value(run).expect("JSON");
    value["probe"] = serde_json::to_value(&run.probe).expect("JSON");
    serde_json::from_str(&value.to_string()).expect("a run")
}

/// Takes away, empties or confuses one thing anywhere below a value; `at` says where.
fn spoil(value: &mut Value, at: &[Index], how: usize) {
    let children = match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    let Some((index, deeper)) = at.split_first().filter(|_| children > 0) else {
        *value = [Value::Null, Value::from(-1), Value::from("\u{0}"), Value::Array(Vec::new()), Value::from(true)][how % 5].clone();
        return;
    };
    let child = index.index(children);
    match value {
        Value::Object(map) if deeper.is_empty() && how.is_multiple_of(2) => {
            let key = map.keys().nth(child).cloned().expect("a key");
            map.remove(&key);
        }
        Value::Array(list) if deeper.is_empty() && how.is_multiple_of(2) => {
            list.remove(child);
        }
        Value::Object(map) => spoil(map.values_mut().nth(child).expect("a value"), deeper, how),
        Value::Array(list) => spoil(&mut list[child], deeper, how),
        _ => {}
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_evidence_gets_a_sound_answer(run in any_run(outcome())) {
        sound(&run, &diagnose(&run));
    }

    /// The same rules give the same answer of a stored run, at any time.
    #[test]
    fn a_stored_run_gets_the_same_answer_again(run in any_run(outcome())) {
        let said = diagnose(&run);
        let again = Run { diagnosis: Some(said.clone()), ..run };
        let stored = stored(&again);
        prop_assert_eq!(stored.diagnosis.as_ref(), Some(&said));
        prop_assert_eq!(diagnose(&stored), said);
    }

    /// Where nothing could be looked at, whatever was guessed and whatever others saw, the desk is not to blame.
    #[test]
    fn what_was_not_looked_at_is_unknown_and_nobody_elses_fault(run in any_run(unseen())) {
        let said = diagnose(&run);
        sound(&run, &said);
        prop_assert_eq!(said.verdict, Verdict::Unknown);
    }

    /// A look that could not be made separates nothing: it is as if it had not been tried.
    #[test]
    fn looks_that_could_not_be_made_change_no_answer(run in any_run(outcome()), blind in blind()) {
        let alone = Run { context: Context::default(), ..run.clone() };
        prop_assert_eq!(diagnose(&Run { context: blind, ..run }), diagnose(&alone));
    }

    /// A run that was recorded on real parts and lost the outcome of one stage never looks better for it.
    #[test]
    fn what_is_lost_makes_no_run_better(run in recorded(), which in any::<Index>(), how in 0..4) {
        let mut worse = run.clone();
        let stages: Vec<Stage> = taken(&run).collect();
        let stage = stages[which.index(stages.len())];
        match how {
            0 => drop(worse.stages.remove(&stage)),
            1 => worse.stages.entry(stage).or_default().outcome = None,
            2 => worse.stages.entry(stage).or_default().outcome = Some(Outcome::NotReached),
            _ => worse.stages.entry(stage).or_default().outcome = Some(Outcome::Unknown),
        }
        let said = diagnose(&worse);
        sound(&worse, &said);
        prop_assert_ne!(said.verdict, Verdict::Pass);
    }

    /// A damaged record is refused or judged, never taken for a good one.
    #[test]
    fn a_damaged_record_is_refused_or_judged_soundly(run in recorded(), at in proptest::collection::vec(any::<Index>(), 1..6), how in 0_usize..10) {
        let mut value = serde_json::to_value(&run).expect("JSON");
        value["probe"] = serde_json::to_value(&run.probe).expect("JSON");
        spoil(&mut value, &at, how);
        if let Ok(run) = serde_json::from_value::<Run>(value) {
            sound(&run, &diagnose(&run));
        }
    }
}
