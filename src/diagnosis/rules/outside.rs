//! What looks from outside the run say of its causes: controls of the same minute, the desk's intake mailbox, what came
//! late. One small function a question; each gives the causes that remain, or none when it has nothing to say.

use crate::model::{Channel, Control, ControlKind, EmailChannel, IntakePlace, MailEncoding, Neighbour, Outcome, Run, Stage};
use jiff::SignedDuration;

/// Desks skip mail beyond about this size, in bytes; ten megabytes are usual.
pub(super) const LARGE: u64 = 8_000_000;
/// A visit sets going what comes within this time.
const SET_GOING: SignedDuration = SignedDuration::from_secs(60);
/// What one mailbox that is not fetched can have; only a look into that mailbox tells them apart.
const ONE_MAILBOX: [&str; 4] = ["poller-hung", "intake-oauth-expired", "fetched-not-ticketed", "intake-junk-not-polled"];

/// The causes that remain of `candidates` for a run that failed at `stage`.
pub(super) fn narrowed(run: &Run, stage: Stage, candidates: Vec<String>) -> Vec<String> {
    let remain = match stage {
        Stage::Land if (run.tickets.is_empty() || run.context.landed_late.is_some()) && mail(run).is_some() => nothing_landed(run),
        Stage::Accept if candidates.iter().any(|c| c == "mx-rejects-alias") => refused(run),
        Stage::Acknowledge if candidates.iter().any(|c| c.starts_with("ack-")) => unacknowledged(run, &candidates),
        _ => None,
    };
    remain.map_or(candidates, |causes| causes.into_iter().map(str::to_owned).collect())
}

fn mail(run: &Run) -> Option<&EmailChannel> {
    match &run.probe.channel {
        Channel::Email(email) => Some(email),
        Channel::Form(_) | Channel::Chat(_) => None,
    }
}

fn control<'r>(run: &'r Run, kind: &ControlKind) -> Option<&'r Control> {
    run.context.controls.iter().find(|c| c.kind == *kind && c.skipped.is_none())
}

/// How a stage of a control ended; none when it was not asked or is not decided.
fn of(run: &Run, kind: &ControlKind, stage: Stage) -> Option<Outcome> {
    control(run, kind)?.stages.get(&stage)?.outcome
}

/// How a plain mail to the same address fared: the built-in control, or the probe that this one is a variant of.
fn plain(run: &Run, stage: Stage) -> Option<Outcome> {
    let base = run.probe.variant_of.clone().map(ControlKind::Probe);
    [Some(ControlKind::Plain), base].into_iter().flatten().find_map(|kind| of(run, &kind, stage))
}

/// Nothing landed: this message, this address, this mailbox, or the whole desk?
fn nothing_landed(run: &Run) -> Option<Vec<&'static str>> {
    if control(run, &ControlKind::Loop).is_some_and(|c| !c.marks.is_empty()) {
        return Some(vec!["mon-probe-looks-automated"]);
    }
    if let Some(causes) = late(run).or_else(|| in_intake(run)).or_else(|| of_message(run)) {
        return Some(causes);
    }
    let system = of(run, &ControlKind::System, Stage::Land);
    if system == Some(Outcome::Pass) {
        return Some(vec!["forwarder-lost"]);
    }
    let outbound = of(run, &ControlKind::Outbound, Stage::Return);
    let others = run.context.neighbours.iter().any(|n| n.stages.get(&Stage::Land).is_some_and(|s| s.outcome == Some(Outcome::Pass)));
    match (outbound, system) {
        (Some(Outcome::Fail), _) if !others => Some(vec!["desk-worker-down"]),
        (Some(Outcome::Pass), Some(Outcome::Fail)) => Some(ONE_MAILBOX.to_vec()),
        _ => None,
    }
}

/// The ticket came after its limit: at once when an agent's page was opened, or by itself.
fn late(run: &Run) -> Option<Vec<&'static str>> {
    let landed = run.context.landed_late?;
    let visit = control(run, &ControlKind::Visit).filter(|v| v.asked <= landed && landed.duration_since(v.asked) <= SET_GOING);
    let Some(visit) = visit else { return Some(vec!["intake-backlog"]) };
    // The same mailbox was fetched without a visit: it may be chance.
    let alone = |n: &Neighbour| {
        let landed = n.stages.get(&Stage::Land).filter(|s| s.outcome == Some(Outcome::Pass)).and_then(|s| s.closed);
        n.same_way_in && landed.is_some_and(|at| at > run.started && at < visit.asked)
    };
    let by_chance = run.context.neighbours.iter().any(alone);
    Some(if by_chance { vec!["intake-backlog", "fetch-not-scheduled"] } else { vec!["fetch-not-scheduled"] })
}

/// What the intake mailbox shows.
fn in_intake(run: &Run) -> Option<Vec<&'static str>> {
    let sight = run.context.intake.as_ref()?;
    if sight.shared_login_refused {
        return Some(vec!["intake-oauth-expired"]);
    }
    match sight.place? {
        IntakePlace::Junk => Some(vec!["intake-junk-not-polled"]),
        IntakePlace::Read | IntakePlace::Filed => of_message(run).or(Some(vec!["fetched-not-ticketed"])),
        IntakePlace::Unread if no_text(run) => Some(vec!["empty-body-jams-intake", "poller-hung"]),
        IntakePlace::Unread => {
            let outbound = of(run, &ControlKind::Outbound, Stage::Return);
            Some(if outbound == Some(Outcome::Fail) { vec!["desk-worker-down"] } else { vec!["poller-hung"] })
        }
        IntakePlace::Nowhere => None,
    }
}

/// Bytes of the files of a first message.
pub(super) fn size(email: &EmailChannel) -> u64 {
    email.attachments.iter().map(|a| a.bytes.len() as u64).sum::<u64>() + email.padding
}

fn no_text(run: &Run) -> bool {
    mail(run).is_some_and(|e| e.text.trim().is_empty())
}

/// A plain mail landed and this one did not: what is special about it is the cause.
fn of_message(run: &Run) -> Option<Vec<&'static str>> {
    let email = mail(run)?;
    let plain = plain(run, Stage::Land);
    if no_text(run) && plain == Some(Outcome::Fail) {
        // What came after it is stuck too.
        return Some(vec!["empty-body-jams-intake"]);
    }
    (plain == Some(Outcome::Pass)).then_some(())?;
    let special = [
        (email.encoding != MailEncoding::default(), "charset-crashes-import"),
        (email.subject.trim().is_empty(), "empty-subject-lost"),
        (no_text(run), "empty-body-jams-intake"),
        (size(email) > LARGE, "oversize-discarded"),
        (email.to.len() > 1 || !email.bcc.is_empty(), "alias-not-recognised"),
    ];
    let causes: Vec<&str> = special.into_iter().filter(|(is, _)| *is).map(|(_, cause)| cause).collect();
    (!causes.is_empty()).then_some(causes)
}

/// The desk's mail exchange refuses the published address: does its own address take mail?
fn refused(run: &Run) -> Option<Vec<&'static str>> {
    (of(run, &ControlKind::System, Stage::Land) == Some(Outcome::Pass)).then(|| vec!["mx-rejects-alias"])
}

/// No acknowledgement: for this sender, for this address, or for nobody?
fn unacknowledged(run: &Run, candidates: &[String]) -> Option<Vec<&'static str>> {
    let missing = candidates.iter().any(|c| c == "ack-condition-broken");
    let ended = |kind| of(run, &kind, Stage::Acknowledge);
    let (account, system) = (ended(ControlKind::Account), ended(ControlKind::System));
    match (account, system) {
        _ if !missing => None,
        (Some(Outcome::Pass), _) => Some(vec!["ack-suppressed-for-class"]),
        (_, Some(Outcome::Pass)) => Some(vec!["ack-not-for-forwarded"]),
        (Some(Outcome::Fail), Some(Outcome::Fail)) => Some(vec!["ack-condition-broken"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IntakeSight, StageSight};
    use crate::report::sample;
    use std::collections::BTreeMap;

    const SILENCE: [&str; 3] = ["poller-hung", "forwarder-lost", "desk-worker-down"];

    fn run() -> Run {
        let mut run = sample::running("r1", "support");
        run.tickets.clear();
        run
    }

    fn asked(kind: ControlKind, stage: Stage, outcome: Outcome) -> Control {
        let sight = StageSight { outcome: Some(outcome), overdue: false, closed: None, took_ms: None, hint: None };
        let stages = BTreeMap::from([(stage, sight)]);
        Control { kind, asked: sample::at(30), run: None, skipped: None, ended: true, stages, marks: Vec::new() }
    }

    fn email(run: &mut Run, change: impl Fn(&mut EmailChannel)) {
        if let Channel::Email(email) = &mut run.probe.channel {
            email.attachments.clear();
            email.html = None;
            change(email);
        }
    }

    fn causes(run: &Run, stage: Stage, from: &[&str]) -> Vec<String> {
        narrowed(run, stage, from.iter().map(|c| (*c).to_owned()).collect())
    }

    #[test]
    fn without_a_look_from_outside_the_list_stays_as_it_is() {
        assert_eq!(causes(&run(), Stage::Land, &SILENCE), SILENCE);
        let mut skipped = run();
        skipped.context.controls =
            vec![Control { skipped: Some("no budget".to_owned()), ..asked(ControlKind::System, Stage::Land, Outcome::Pass) }];
        assert_eq!(causes(&skipped, Stage::Land, &SILENCE), SILENCE);
    }

    #[test]
    fn what_is_special_about_a_message_is_the_cause_only_when_a_plain_one_landed() {
        type Change = fn(&mut EmailChannel);
        let cases: [(&str, Change); 4] = [
            ("charset-crashes-import", |e| e.encoding = MailEncoding::Latin1),
            ("empty-subject-lost", |e| e.subject.clear()),
            ("oversize-discarded", |e| e.padding = 11_000_000),
            ("alias-not-recognised", |e| e.to = vec!["colleague@elsewhere.test".to_owned(), "support@desk.test".to_owned()]),
        ];
        for (cause, change) in cases {
            let mut run = run();
            email(&mut run, change);
            run.context.controls = vec![asked(ControlKind::Plain, Stage::Land, Outcome::Pass)];
            assert_eq!(causes(&run, Stage::Land, &SILENCE), [cause]);
            run.context.controls = vec![asked(ControlKind::Plain, Stage::Land, Outcome::Fail)];
            assert_eq!(causes(&run, Stage::Land, &SILENCE), SILENCE, "{cause}");
        }
        let mut empty = run();
        email(&mut empty, |e| e.text.clear());
        empty.context.controls = vec![asked(ControlKind::Plain, Stage::Land, Outcome::Fail)];
        assert_eq!(causes(&empty, Stage::Land, &SILENCE), ["empty-body-jams-intake"]);
    }

    #[test]
    fn the_desks_own_address_and_what_leaves_it_tell_forwarding_mailbox_and_worker_apart() {
        let mut run = run();
        run.context.controls = vec![asked(ControlKind::System, Stage::Land, Outcome::Pass)];
        assert_eq!(causes(&run, Stage::Land, &SILENCE), ["forwarder-lost"]);
        let outbound = |outcome| asked(ControlKind::Outbound, Stage::Return, outcome);
        run.context.controls = vec![asked(ControlKind::System, Stage::Land, Outcome::Fail), outbound(Outcome::Pass)];
        assert_eq!(causes(&run, Stage::Land, &SILENCE), ONE_MAILBOX);
        run.context.controls[1] = outbound(Outcome::Fail);
        assert_eq!(causes(&run, Stage::Land, &SILENCE), ["desk-worker-down"]);
    }

    #[test]
    fn the_intake_mailbox_tells_what_became_of_the_mail() {
        let sight = |place| IntakeSight {
            at: sample::at(40),
            place,
            folder: String::new(),
            unread_before: 0,
            shared_login_refused: false,
            trouble: None,
        };
        for (place, cause) in [
            (IntakePlace::Unread, "poller-hung"),
            (IntakePlace::Read, "fetched-not-ticketed"),
            (IntakePlace::Filed, "fetched-not-ticketed"),
            (IntakePlace::Junk, "intake-junk-not-polled"),
        ] {
            let mut run = run();
            run.context.intake = Some(sight(Some(place)));
            assert_eq!(causes(&run, Stage::Land, &SILENCE), [cause]);
        }
        let mut run = run();
        run.context.intake = Some(sight(Some(IntakePlace::Nowhere)));
        assert_eq!(causes(&run, Stage::Land, &SILENCE), SILENCE);
        run.context.intake = Some(IntakeSight { shared_login_refused: true, ..sight(None) });
        assert_eq!(causes(&run, Stage::Land, &SILENCE), ["intake-oauth-expired"]);
        run.context.intake = Some(IntakeSight { trouble: Some("no route".to_owned()), ..sight(None) });
        assert_eq!(causes(&run, Stage::Land, &SILENCE), SILENCE);
    }

    #[test]
    fn what_comes_late_is_late_and_not_lost() {
        let mut run = run();
        run.context.landed_late = Some(sample::at(50));
        assert_eq!(causes(&run, Stage::Land, &SILENCE), ["intake-backlog"]);
        run.context.controls = vec![asked(ControlKind::Visit, Stage::Land, Outcome::Pass)];
        assert_eq!(causes(&run, Stage::Land, &SILENCE)[0], "fetch-not-scheduled");
    }

    #[test]
    fn a_missing_acknowledgement_is_told_by_who_gets_one() {
        let list = ["ack-condition-broken", "ack-not-for-forwarded", "ack-suppressed-for-class"];
        let mut run = run();
        for (account, system, cause) in [
            (Outcome::Pass, Outcome::Fail, "ack-suppressed-for-class"),
            (Outcome::Fail, Outcome::Pass, "ack-not-for-forwarded"),
            (Outcome::Fail, Outcome::Fail, "ack-condition-broken"),
        ] {
            run.context.controls =
                vec![asked(ControlKind::Account, Stage::Acknowledge, account), asked(ControlKind::System, Stage::Acknowledge, system)];
            assert_eq!(causes(&run, Stage::Acknowledge, &list), [cause]);
        }
        assert_eq!(causes(&run, Stage::Acknowledge, &["ack-loop"]), ["ack-loop"]);
    }
}
