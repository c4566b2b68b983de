//! Runs as no desk would make them: any outcome, hint, check and time of each stage, any context, things missing.

use crate::{recorded_rows, run};
use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use replypath::diagnosis::catalogue;
use replypath::model::{
    Check, Context, Control, ControlKind, IntakePlace, IntakeSight, Leftover, Neighbour, Outcome, Run, RunId, Stage, StageRecord,
    StageSight,
};

/// Some second of two hours, in no order.
fn time() -> impl Strategy<Value = Timestamp> {
    (-3600_i64..3600).prop_map(|s| Timestamp::from_second(1_795_593_600 + s).expect("a time"))
}

pub fn stage() -> impl Strategy<Value = Stage> {
    select(Stage::ALL.to_vec())
}

/// How a stage may have ended.
pub fn outcome() -> impl Strategy<Value = Outcome> + Clone {
    select(vec![Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::Skipped, Outcome::NotReached])
}

/// How a stage ends that could not be looked at.
pub fn unseen() -> impl Strategy<Value = Outcome> + Clone {
    select(vec![Outcome::Unknown, Outcome::Skipped, Outcome::NotReached])
}

/// A fault of the catalogue, or a name that is none.
fn hint() -> impl Strategy<Value = String> {
    let known: Vec<String> = catalogue::all().iter().map(|f| f.id.clone()).collect();
    prop_oneof![8 => select(known), 1 => "[a-z-]{0,12}", 1 => "\\PC{0,12}"]
}

fn check(outcome: impl Strategy<Value = Outcome>) -> impl Strategy<Value = Check> {
    let name = select(vec!["answer", "stored", "queue", "note", "", "attachment ä.pdf"]);
    (name, outcome, "\\PC{0,12}", "\\PC{0,12}").prop_map(|(check, outcome, expected, found)| Check {
        check: check.to_owned(),
        outcome,
        expected,
        found,
    })
}

/// A stage's record with such outcomes, or without one.
pub fn record<S: Strategy<Value = Outcome> + Clone>(outcome: S) -> impl Strategy<Value = StageRecord> {
    (option::of(time()), option::of(time()), option::of(time()), option::of(outcome.clone()), vec(check(outcome), 0..3), vec(hint(), 0..5))
        .prop_map(|(opened, deadline, closed, outcome, checks, hints)| StageRecord { opened, deadline, closed, outcome, checks, hints })
}

fn sight(outcome: impl Strategy<Value = Option<Outcome>>, overdue: impl Strategy<Value = bool>) -> impl Strategy<Value = StageSight> {
    (outcome, overdue, option::of(time()), option::of(0_u64..1_000_000), option::of(hint()))
        .prop_map(|(outcome, overdue, closed, took_ms, hint)| StageSight { outcome, overdue, closed, took_ms, hint })
}

fn kind() -> impl Strategy<Value = ControlKind> {
    use ControlKind::{Account, Loop, Outbound, Plain, Probe, System, Visit};
    select(vec![Plain, System, Account, Outbound, Loop, Visit, Probe("case".to_owned()), Probe(String::new())])
}

fn neighbour(sight: impl Strategy<Value = StageSight>) -> impl Strategy<Value = Neighbour> {
    let channel = select(vec!["email", "form", "chat", "", "fax"]);
    (channel, select(vec!["customer", "bob", ""]), time(), any::<bool>(), btree_map(stage(), sight, 0..6)).prop_map(
        |(channel, account, started, same_way_in, stages)| Neighbour {
            run: RunId("r2".to_owned()),
            probe: "other".to_owned(),
            channel: channel.to_owned(),
            account: account.to_owned(),
            started,
            same_way_in,
            stages,
        },
    )
}

fn control(
    sight: impl Strategy<Value = StageSight>,
    skipped: impl Strategy<Value = Option<String>>,
    marks: std::ops::Range<usize>,
) -> impl Strategy<Value = Control> {
    (kind(), time(), skipped, any::<bool>(), btree_map(stage(), sight, 0..6), vec(hint(), marks))
        .prop_map(|(kind, asked, skipped, ended, stages, marks)| Control { kind, asked, run: None, skipped, ended, stages, marks })
}

fn intake(place: impl Strategy<Value = Option<IntakePlace>>, refused: impl Strategy<Value = bool>) -> impl Strategy<Value = IntakeSight> {
    (time(), place, any::<u64>(), refused, option::of(hint())).prop_map(|(at, place, unread_before, shared_login_refused, trouble)| {
        IntakeSight { at, place, folder: String::new(), unread_before, shared_login_refused, trouble }
    })
}

/// What other looks may say, contradictions among them.
pub fn context() -> impl Strategy<Value = Context> {
    let sight = || sight(option::of(outcome()), any::<bool>());
    let place = select(vec![IntakePlace::Nowhere, IntakePlace::Unread, IntakePlace::Read, IntakePlace::Junk, IntakePlace::Filed]);
    let skipped = option::of(Just("no budget".to_owned()));
    (
        vec(neighbour(sight()), 0..4),
        vec(control(sight(), skipped, 0..2), 0..5),
        option::of(intake(option::of(place), any::<bool>())),
        option::of(time()),
        any::<bool>(),
    )
        .prop_map(|(neighbours, controls, intake, landed_late, has_history)| Context {
            neighbours,
            controls,
            intake,
            landed_late,
            exchangers: Vec::new(),
            has_history,
        })
}

/// Looks of which none could be made; of a control that was skipped anything may be written down.
pub fn blind() -> impl Strategy<Value = Context> {
    let sight_of = |outcome| sight(option::of(outcome), Just(false));
    let unmade = prop_oneof![
        control(sight_of(outcome().boxed()), Just(Some("no second account".to_owned())), 0..2),
        control(sight_of(unseen().boxed()), Just(None), 0..1),
    ];
    let neighbours = vec(neighbour(sight_of(unseen().boxed())), 0..4);
    (neighbours, vec(unmade, 0..5), option::of(intake(Just(None), Just(false)))).prop_map(|(neighbours, controls, intake)| Context {
        neighbours,
        controls,
        intake,
        ..Context::default()
    })
}

/// A recorded run to begin with, whatever row it is of.
pub fn recorded() -> impl Strategy<Value = Run> {
    let all: Vec<Run> = recorded_rows().iter().map(|row| run(row)).collect();
    any::<Index>().prop_map(move |index| index.get(&all).clone())
}

/// A run whose stages ended in these ways, with any context, and much that is missing.
pub fn any_run<S: Strategy<Value = Outcome> + Clone>(outcome: S) -> impl Strategy<Value = Run> {
    let stages = btree_map(stage(), record(outcome), 0..=10);
    (recorded(), stages, context(), option::of(stage()), any::<[bool; 7]>()).prop_map(|(mut run, stages, context, until, keep)| {
        run.stages = stages;
        run.context = context;
        run.until = until;
        let [acts, mails, tickets, memory, messages, interrupted, left] = keep;
        if !acts {
            run.acts.clear();
        }
        if !mails {
            run.mails.clear();
        }
        if !tickets {
            (run.ticket, run.tickets) = (None, Vec::new());
        }
        if !memory {
            (run.chat, run.form) = (None, None);
        }
        if !messages {
            run.messages.clear();
        }
        run.interrupted = interrupted;
        if left {
            run.leftovers.push(Leftover { what: "ticket 12".to_owned(), why: "refused".to_owned() });
        }
        run.diagnosis = None;
        run
    })
}
