//! What other runs of the same desk in the same minutes say of a cause.

use crate::model::{Channel, EmailChannel, Neighbour, Outcome, Run, Stage};

/// The causes that remain of `candidates`.
pub(super) fn narrowed(run: &Run, stage: Stage, candidates: Vec<String>) -> Vec<String> {
    let has = |id: &str| candidates.iter().any(|c| c == id);
    let remain = match (stage, &run.probe.channel) {
        (Stage::Land, Channel::Email(email)) if run.tickets.is_empty() && has("poller-hung") => silence(run, email),
        (Stage::Land, Channel::Form(_) | Channel::Chat(_)) if run.tickets.is_empty() && has("desk-worker-down") => {
            return silence_of_way_in(run, candidates);
        }
        (Stage::Acknowledge, Channel::Email(_)) if has("ack-not-for-forwarded") => unacknowledged(run),
        (Stage::Acknowledge, Channel::Form(_) | Channel::Chat(_)) if has("form-confirmation-missing") => unconfirmed(run),
        _ => None,
    };
    remain.map_or(candidates, |causes| causes.into_iter().map(str::to_owned).collect())
}

/// Those for which a stage went well after this run began.
fn good(run: &Run, stage: Stage, like: fn(&Run, &Neighbour) -> bool) -> impl Iterator<Item = &Neighbour> {
    let well = move |n: &&Neighbour| {
        n.stages.get(&stage).is_some_and(|s| s.outcome == Some(Outcome::Pass) && s.closed.is_some_and(|at| at > run.started))
    };
    run.context.neighbours.iter().filter(move |n| like(run, n)).filter(well)
}

/// Those that miss what is missing here, or wait for it for more than half of their limit.
fn missing(run: &Run, stage: Stage, like: fn(&Run, &Neighbour) -> bool) -> impl Iterator<Item = &Neighbour> {
    let lacks = move |n: &&Neighbour| n.stages.get(&stage).is_some_and(|s| s.outcome == Some(Outcome::Fail) || s.overdue);
    run.context.neighbours.iter().filter(move |n| like(run, n)).filter(lacks)
}

/// Mail is fetched; what comes by form or chat needs nobody to fetch it.
fn comes_alike(run: &Run, other: &Neighbour) -> bool {
    !matches!(run.probe.channel, Channel::Email(_)) || other.channel == "email"
}

/// A greeting in a chat says nothing of automatic mail, and the other way round.
fn speaks_alike(run: &Run, other: &Neighbour) -> bool {
    (other.channel == "chat") == matches!(run.probe.channel, Channel::Chat(_))
}

fn silence(run: &Run, email: &EmailChannel) -> Option<Vec<&'static str>> {
    if good(run, Stage::Land, comes_alike).any(|n| n.same_way_in) {
        // The way in works: it is this mail, or chance.
        let mut causes = vec!["fetched-not-ticketed", "intake-junk-not-polled"];
        causes.extend((super::outside::size(email) > super::outside::LARGE).then_some("oversize-discarded"));
        Some(causes)
    } else if good(run, Stage::Land, comes_alike).next().is_some() {
        Some(vec!["poller-hung", "forwarder-lost", "intake-oauth-expired"])
    } else if missing(run, Stage::Land, comes_alike).next().is_some() {
        Some(vec!["desk-worker-down", "fetched-not-ticketed", "poller-hung"])
    } else {
        None
    }
}

/// A form or chat took the request and it is nowhere: is it the way in, or does nothing in the desk's background work?
fn silence_of_way_in(run: &Run, candidates: Vec<String>) -> Vec<String> {
    let (worker, named): (Vec<String>, Vec<String>) = candidates.into_iter().partition(|c| c == "desk-worker-down");
    if good(run, Stage::Land, comes_alike).next().is_some() {
        named
    } else if missing(run, Stage::Land, comes_alike).next().is_some() {
        [worker, named].concat()
    } else {
        [named, worker].concat()
    }
}

fn unacknowledged(run: &Run) -> Option<Vec<&'static str>> {
    if good(run, Stage::Acknowledge, speaks_alike).any(|n| n.same_way_in) {
        return Some(vec!["ack-suppressed-for-class", "ack-condition-broken"]);
    }
    let others = missing(run, Stage::Acknowledge, speaks_alike).any(|n| n.account != run.probe.account);
    // Nobody gets one, whoever writes: it is the rule, or the published address.
    let nobody = others && good(run, Stage::Acknowledge, speaks_alike).next().is_none();
    nobody.then(|| vec!["ack-condition-broken", "ack-not-for-forwarded"])
}

fn unconfirmed(run: &Run) -> Option<Vec<&'static str>> {
    if good(run, Stage::Acknowledge, speaks_alike).next().is_some() {
        Some(vec!["form-confirmation-missing"])
    } else if missing(run, Stage::Acknowledge, speaks_alike).next().is_some() {
        Some(vec!["ack-condition-broken", "form-confirmation-missing"])
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, StageSight};
    use crate::report::sample;
    use std::collections::BTreeMap;

    const BROAD: [&str; 5] = ["poller-hung", "desk-worker-down", "fetched-not-ticketed", "forwarder-lost", "intake-oauth-expired"];

    fn run() -> Run {
        let mut run = sample::running("r1", "support");
        run.tickets.clear();
        run
    }

    fn beside(channel: &str, same_way_in: bool, stage: Stage, outcome: Option<Outcome>) -> Neighbour {
        let sight = StageSight { outcome, overdue: outcome.is_none(), closed: Some(sample::at(500)), took_ms: None, hint: None };
        Neighbour {
            run: RunId("r2".to_owned()),
            probe: "billing".to_owned(),
            channel: channel.to_owned(),
            account: "bob".to_owned(),
            started: sample::at(0),
            same_way_in,
            stages: BTreeMap::from([(stage, sight)]),
        }
    }

    fn causes(run: &Run, stage: Stage, from: &[&str]) -> Vec<String> {
        narrowed(run, stage, from.iter().map(|c| (*c).to_owned()).collect())
    }

    #[test]
    fn what_landed_beside_a_lost_mail_tells_message_mailbox_and_desk_apart() {
        let mut run = run();
        assert_eq!(causes(&run, Stage::Land, &BROAD), BROAD);
        let mut first = |n: Neighbour| {
            run.context.neighbours = vec![n];
            causes(&run, Stage::Land, &BROAD)[0].clone()
        };
        assert_eq!(first(beside("email", true, Stage::Land, Some(Outcome::Pass))), "fetched-not-ticketed");
        assert_eq!(first(beside("email", false, Stage::Land, Some(Outcome::Pass))), "poller-hung");
        assert_eq!(first(beside("email", false, Stage::Land, Some(Outcome::Fail))), "desk-worker-down");
        assert_eq!(first(beside("email", false, Stage::Land, None)), "desk-worker-down", "it waits in vain too");
        assert_eq!(first(beside("form", false, Stage::Land, Some(Outcome::Pass))), BROAD[0], "nobody fetches a form");
    }

    #[test]
    fn what_went_well_before_this_run_began_says_nothing() {
        let mut run = run();
        let mut old = beside("email", true, Stage::Land, Some(Outcome::Pass));
        if let Some(sight) = old.stages.get_mut(&Stage::Land) {
            sight.closed = Some(run.started);
        }
        run.context.neighbours = vec![old];
        assert_eq!(causes(&run, Stage::Land, &BROAD), BROAD);
    }

    #[test]
    fn who_else_is_acknowledged_tells_rule_and_sender_apart() {
        let list = ["ack-condition-broken", "ack-not-for-forwarded", "ack-suppressed-for-class"];
        let mut run = run();
        run.context.neighbours = vec![beside("email", true, Stage::Acknowledge, Some(Outcome::Pass))];
        assert_eq!(causes(&run, Stage::Acknowledge, &list)[0], "ack-suppressed-for-class");
        run.context.neighbours = vec![beside("email", false, Stage::Acknowledge, Some(Outcome::Fail))];
        assert_eq!(causes(&run, Stage::Acknowledge, &list), ["ack-condition-broken", "ack-not-for-forwarded"]);
        run.context.neighbours = vec![beside("chat", false, Stage::Acknowledge, Some(Outcome::Fail))];
        assert_eq!(causes(&run, Stage::Acknowledge, &list), list, "a chat's greeting is no mail");
    }

    #[test]
    fn a_form_is_told_from_the_desk_by_what_lands_otherwise() {
        let mut run = run();
        run.probe.channel = Channel::Form(sample::form());
        let list = ["honeypot-false-success", "desk-worker-down"];
        run.context.neighbours = vec![beside("email", false, Stage::Land, Some(Outcome::Pass))];
        assert_eq!(causes(&run, Stage::Land, &list), ["honeypot-false-success"]);
        run.context.neighbours = vec![beside("email", false, Stage::Land, Some(Outcome::Fail))];
        assert_eq!(causes(&run, Stage::Land, &list), ["desk-worker-down", "honeypot-false-success"]);
    }
}
