//! The published form of what a run's diagnosis used from outside it: one line of sense for each fact, the same for people
//! and for programs.

use super::{Context, Control, ControlKind, IntakePlace, IntakeSight, Neighbour, Outcome, Stage, StageSight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A fact from outside the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ContextReport {
    /// `control`, `intake`, `neighbour`, `exchanger` or `late`.
    pub kind: String,
    /// What was asked or looked at: `plain mail to the same address`, a probe's name, a host.
    pub about: String,
    /// `pass`, `fail` or `unknown` as far as it was decided; null where nothing was judged.
    pub outcome: Option<String>,
    /// What was seen, for people.
    pub found: String,
    /// The run that saw it.
    pub run: Option<String>,
}

impl ContextReport {
    /// Every fact: controls first, since they were asked for this run alone.
    pub fn of(context: &Context) -> Vec<ContextReport> {
        let controls = context.controls.iter().map(control);
        let late = context.landed_late.iter().map(|at| fact("late", "the ticket", None, format!("appeared at {at:.0}, after the limit")));
        let all = controls.chain(context.intake.iter().map(intake)).chain(late);
        all.chain(context.neighbours.iter().map(neighbour)).collect()
    }
}

fn fact(kind: &str, about: &str, outcome: Option<Outcome>, found: String) -> ContextReport {
    let outcome = outcome.map(|o| o.as_str().to_owned());
    ContextReport { kind: kind.to_owned(), about: about.to_owned(), outcome, found, run: None }
}

fn control(control: &Control) -> ContextReport {
    let about = match &control.kind {
        ControlKind::Plain => "plain mail to the same address",
        ControlKind::System => "plain mail to the desk's own address",
        ControlKind::Account => "the same from a second account",
        ControlKind::Outbound => "a ticket made and answered at the desk",
        ControlKind::Loop => "mail from the account to itself",
        ControlKind::Visit => "one visit of the agents' page",
        ControlKind::Probe(name) => name,
    };
    let (outcome, seen) = told(&control.stages);
    let found = match &control.skipped {
        Some(why) => format!("not run: {why}"),
        None if control.stages.is_empty() && control.run.is_none() => if control.ended { "done" } else { "under way" }.to_owned(),
        None if control.ended => seen,
        None => format!("{seen}; still under way"),
    };
    let marks = if control.marks.is_empty() { String::new() } else { format!("; came back with {}", control.marks.join(", ")) };
    let run = control.run.as_ref().map(|r| r.0.clone());
    ContextReport { run, ..fact("control", about, outcome.filter(|_| control.skipped.is_none()), format!("{found}{marks}")) }
}

fn neighbour(neighbour: &Neighbour) -> ContextReport {
    let (outcome, seen) = told(&neighbour.stages);
    let way = if neighbour.same_way_in { ", in by the same way" } else { "" };
    let found = format!("{seen} (by {}, from {}{way})", neighbour.channel, neighbour.account);
    ContextReport { run: Some(neighbour.run.0.clone()), ..fact("neighbour", &neighbour.probe, outcome, found) }
}

fn intake(sight: &IntakeSight) -> ContextReport {
    let about = "the desk's intake mailbox";
    let place = match sight.place {
        None if sight.shared_login_refused => "refuses the desk's own login".to_owned(),
        None => "could not be read".to_owned(),
        Some(IntakePlace::Nowhere) => "our mail is in no folder".to_owned(),
        Some(IntakePlace::Unread) => format!("our mail lies unread in {}", sight.folder),
        Some(IntakePlace::Read) => format!("our mail lies in {}, marked as read", sight.folder),
        Some(IntakePlace::Junk) => format!("our mail lies in {}, a junk folder", sight.folder),
        Some(IntakePlace::Filed) => format!("our mail was filed in {}", sight.folder),
    };
    let before = if sight.unread_before > 0 { format!("; {} unread before it", sight.unread_before) } else { String::new() };
    let trouble = sight.trouble.as_ref().map(|t| format!(": {t}")).unwrap_or_default();
    fact("intake", about, None, format!("{place}{before}{trouble}"))
}

/// What the stages of another run come to: the earliest that did not pass, else the last that did.
fn told(stages: &BTreeMap<Stage, StageSight>) -> (Option<Outcome>, String) {
    let decided = |sight: &StageSight| sight.outcome.filter(|o| !matches!(o, Outcome::Skipped | Outcome::NotReached));
    let bad = stages.iter().find_map(|(stage, sight)| Some((stage, sight, decided(sight).filter(|o| *o != Outcome::Pass)?)));
    if let Some((stage, sight, outcome)) = bad {
        let hint = sight.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
        let word = if outcome == Outcome::Fail { "failed" } else { "could not be judged" };
        return (Some(outcome), format!("{word} at {stage}{hint}"));
    }
    if let Some((stage, _)) = stages.iter().find(|(_, sight)| sight.overdue) {
        return (None, format!("waits at {stage} for longer than half of its limit"));
    }
    let Some((stage, sight)) = stages.iter().rev().find(|(stage, sight)| decided(sight).is_some() && **stage != Stage::CleanUp) else {
        return (None, "nothing decided yet".to_owned());
    };
    let word = match stage {
        Stage::Send => "was sent",
        Stage::Accept => "was taken over",
        Stage::Land | Stage::Queue | Stage::Format => "landed",
        Stage::Acknowledge => "was acknowledged",
        Stage::Reply => "was answered",
        Stage::Return => "came back",
        Stage::FollowUp | Stage::CleanUp => "went all the way",
    };
    // Where the last one is told by its landing, its landing's time counts.
    let timed = if word == "landed" { stages.get(&Stage::Land).and_then(|s| s.took_ms) } else { sight.took_ms };
    let took = timed.map(|ms| format!(" in {} s", ms.div_ceil(1_000))).unwrap_or_default();
    (Some(Outcome::Pass), format!("{word}{took}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn sight(outcome: Outcome, took_ms: Option<u64>) -> StageSight {
        StageSight { outcome: Some(outcome), overdue: false, closed: None, took_ms, hint: None }
    }

    fn asked(kind: ControlKind, stages: &[(Stage, StageSight)]) -> Control {
        let stages = stages.iter().cloned().collect();
        Control { kind, asked: Timestamp::UNIX_EPOCH, run: None, skipped: None, ended: true, stages, marks: Vec::new() }
    }

    #[test]
    fn a_control_says_how_far_it_came() {
        let told = |control: Control| ContextReport::of(&Context { controls: vec![control], ..Context::default() }).remove(0);
        let landed =
            told(asked(ControlKind::Plain, &[(Stage::Send, sight(Outcome::Pass, None)), (Stage::Land, sight(Outcome::Pass, Some(1_200)))]));
        assert_eq!((landed.about.as_str(), landed.found.as_str()), ("plain mail to the same address", "landed in 2 s"));
        assert_eq!(landed.outcome.as_deref(), Some("pass"));
        let mut lost = sight(Outcome::Fail, None);
        lost.hint = Some("poller-hung".to_owned());
        let lost = told(asked(ControlKind::System, &[(Stage::Send, sight(Outcome::Pass, None)), (Stage::Land, lost)]));
        assert_eq!((lost.found.as_str(), lost.outcome.as_deref()), ("failed at land (poller-hung)", Some("fail")));
        let skipped = told(Control { skipped: Some("no budget".to_owned()), ..asked(ControlKind::Account, &[]) });
        assert_eq!((skipped.found.as_str(), skipped.outcome), ("not run: no budget", None));
        let back = told(Control {
            marks: vec!["header Precedence".to_owned()],
            ..asked(ControlKind::Loop, &[(Stage::Return, sight(Outcome::Pass, Some(3_000)))])
        });
        assert_eq!(back.found, "came back in 3 s; came back with header Precedence");
    }

    #[test]
    fn what_could_not_be_seen_is_not_called_absent() {
        let look = |place, trouble: Option<&str>| {
            let (folder, trouble) = ("INBOX".to_owned(), trouble.map(str::to_owned));
            let sight = IntakeSight { at: Timestamp::UNIX_EPOCH, place, folder, unread_before: 3, shared_login_refused: false, trouble };
            intake(&sight).found
        };
        assert_eq!(look(None, Some("login refused")), "could not be read; 3 unread before it: login refused");
        assert_eq!(look(Some(IntakePlace::Unread), None), "our mail lies unread in INBOX; 3 unread before it");
    }
}
