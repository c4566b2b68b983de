//! From what a run has seen to its verdict, stage, fault and blame. Pure: nothing is asked again.

pub mod catalogue;
mod rules;

use crate::model::{Blame, Channel, Check, Diagnosis, Outcome, Run, Severity, Stage, StageRecord, Verdict};

/// Goes up with every change that can change an answer.
pub const RULES_VERSION: u32 = 6;

/// The answer for a run whose stages are all decided.
pub fn diagnose(run: &Run) -> Diagnosis {
    let decided = |outcome: Outcome| Stage::ALL.into_iter().find(|s| run.stages.get(s).and_then(|r| r.outcome) == Some(outcome));
    // What clean-up left is reported, but it is no verdict on the reply path.
    let unknown = decided(Outcome::Unknown).filter(|s| *s != Stage::CleanUp);
    let (mut verdict, stage) = match (decided(Outcome::Fail), unknown) {
        (Some(stage), _) => (Verdict::Fail, Some(stage)),
        (None, Some(stage)) => (Verdict::Unknown, Some(cause_of_unknown(run, stage))),
        (None, None) if run.interrupted => (Verdict::Unknown, None),
        (None, None) if nothing_proved(run) => (Verdict::Unknown, None),
        (None, None) => match undecided(run) {
            Some(stage) => (Verdict::Unknown, Some(stage)),
            None => (Verdict::Pass, None),
        },
    };
    let record = stage.and_then(|s| run.stages.get(&s));
    let mut candidates = record.map(|r| r.hints.clone()).unwrap_or_default();
    if verdict == Verdict::Unknown && candidates.is_empty() {
        candidates.push(if run.interrupted { "interrupted" } else { "cannot-tell" }.to_owned());
    }
    if verdict == Verdict::Fail {
        narrow(run, stage, &mut candidates);
        if let Some(stage) = stage {
            candidates = rules::narrowed(run, stage, candidates);
        }
        // What is singled out as our own side's is no verdict on the desk.
        let first = candidates.first().and_then(|c| catalogue::fault(c));
        if candidates.len() == 1 && first.is_some_and(|f| f.blame == Blame::Monitor) {
            verdict = Verdict::Unknown;
        }
    }
    let fault = (candidates.len() == 1).then(|| candidates.first().cloned()).flatten();
    let known: Vec<&catalogue::Fault> = candidates.iter().filter_map(|c| catalogue::fault(c)).collect();
    let first = known.first();
    Diagnosis {
        verdict,
        stage,
        blame: match verdict {
            Verdict::Pass => None,
            Verdict::Fail => Some(first.map_or(Blame::Desk, |f| f.blame)),
            // Whatever kept us from looking, it proves nothing against the desk.
            Verdict::Unknown => {
                Some(first.map_or(Blame::Monitor, |f| if f.blame == Blame::Provider { Blame::Provider } else { Blame::Monitor }))
            }
        },
        severity: (verdict != Verdict::Pass).then(|| known.iter().map(|f| f.severity).max().unwrap_or(Severity::Major)),
        security: verdict == Verdict::Fail && first_hints(run).any(|h| catalogue::fault(h).is_some_and(|f| f.security)),
        summary: summary(run, verdict, stage, record, &candidates),
        notes: notes(run),
        rules_version: RULES_VERSION,
        fault,
        candidates,
    }
}

/// What the evidence of each failed stage points to first. A fault that is only possible besides is no reason for an alarm
/// about privacy.
fn first_hints(run: &Run) -> impl Iterator<Item = &String> {
    run.stages.values().filter(|r| r.outcome == Some(Outcome::Fail)).filter_map(|r| r.hints.first())
}

/// `accept` is unknown when nothing else could be judged either: the stage that says why names the cause.
fn cause_of_unknown(run: &Run, first: Stage) -> Stage {
    let with_hint = |s: &Stage| run.stages.get(s).is_some_and(|r| r.outcome == Some(Outcome::Unknown) && !r.hints.is_empty());
    Stage::ALL.into_iter().find(with_hint).unwrap_or(first)
}

/// A run in which no stage of the journey was judged proves nothing.
fn nothing_proved(run: &Run) -> bool {
    !Stage::ALL.into_iter().any(|s| s != Stage::CleanUp && run.stages.get(&s).and_then(|r| r.outcome) == Some(Outcome::Pass))
}

/// A stage that the run should have taken and that was never decided: it was not seen to work.
fn undecided(run: &Run) -> Option<Stage> {
    let taken = |s: &Stage| *s != Stage::CleanUp && run.probe.takes(*s) && run.until.is_none_or(|until| *s <= until);
    let decided = |s: &Stage| run.stages.get(s).is_some_and(|r| !matches!(r.outcome, None | Some(Outcome::NotReached)));
    Stage::ALL.into_iter().find(|s| taken(s) && !decided(s))
}

/// What the other stages of the same run rule out or make likely.
fn narrow(run: &Run, stage: Option<Stage>, candidates: &mut Vec<String>) {
    let outcome = |s: Stage| run.stages.get(&s).and_then(|r| r.outcome);
    let refused = |r: &StageRecord| r.outcome == Some(Outcome::Fail) && r.hints.first().is_some_and(|h| h == "reply-fails-unnoticed");
    let answer_is_missing = (outcome(Stage::Return) == Some(Outcome::Fail) && run.stages.get(&Stage::Return).is_some_and(missing_mail))
        || run.stages.get(&Stage::Reply).is_some_and(refused);
    // A form that was taken without mail, and no mail of any kind since: perhaps nothing runs in the background.
    let no_word = matches!(run.probe.channel, Channel::Form(_)) && outcome(Stage::Acknowledge) == Some(Outcome::Unknown);
    if no_word && stage == Some(Stage::Return) && answer_is_missing {
        *candidates = vec!["reply-fails-unnoticed".to_owned(), "desk-worker-down".to_owned()];
    }
    let rule = ["ack-condition-broken", "form-confirmation-missing"].into_iter().find(|r| candidates.iter().any(|c| c == r));
    if let Some(rule) = rule.filter(|_| stage == Some(Stage::Acknowledge) && answer_is_missing && !by_chat(run)) {
        // Nothing leaves the desk, so it need not be the rule.
        *candidates = vec!["reply-fails-unnoticed".to_owned(), rule.to_owned()];
    }
}

/// The answer comes into a chat window: what is missing there says nothing of mail.
fn by_chat(run: &Run) -> bool {
    run.chat.as_ref().is_some_and(|c| !c.offline)
}

fn missing_mail(record: &StageRecord) -> bool {
    record.checks.iter().any(|c| c.check == "answer" && c.outcome == Outcome::Fail)
}

fn summary(run: &Run, verdict: Verdict, stage: Option<Stage>, record: Option<&StageRecord>, candidates: &[String]) -> String {
    let Some(stage) = stage else {
        return match verdict {
            Verdict::Pass => "every stage was seen to work".to_owned(),
            _ if run.interrupted => "interrupted before the journey was over".to_owned(),
            _ => "nothing could be judged".to_owned(),
        };
    };
    let wanted = if verdict == Verdict::Fail { Outcome::Fail } else { Outcome::Unknown };
    let checks: Vec<&Check> = record.map(|r| r.checks.iter().filter(|c| c.outcome == wanted).collect()).unwrap_or_default();
    let titles: Vec<&str> = candidates.iter().map(|c| catalogue::fault(c).map_or(c.as_str(), |f| f.title.as_str())).collect();
    let cause = titles.join(", or ");
    match checks.first() {
        Some(check) => format!("{stage}: {}: expected {}, found {} ({cause})", check.check, check.expected, check.found),
        None => format!("{stage}: {cause}"),
    }
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes = run.notes.clone();
    for leftover in &run.leftovers {
        notes.push(format!("left over: {}: {}", leftover.what, leftover.why));
    }
    notes
}
