//! What other runs saw of the same desk meanwhile: it narrows the causes of what is only known to be missing.

use super::journey::{Journey, Walk};
use crate::model::{Channel, Looked, Observation, Outcome, Run, Source, Stage};
use jiff::SignedDuration;

/// Other runs through the desk of this one, as far as a stage is concerned.
struct Neighbours {
    /// Probes for which the stage went well after this run began, with the mark that they wrote to the same address.
    good: Vec<(String, bool)>,
    /// Runs in which what is missing here is missing too.
    missing: Vec<Run>,
}

impl Journey<'_> {
    /// Looks at the runs of the last half hour. One that still waits, and has waited for half of its limit, counts as
    /// missing: runs that began together reach their limits together, and the first of them must not stand alone.
    async fn neighbours(&mut self, stage: Stage) -> Walk<Neighbours> {
        let since = Some(self.run.started - SignedDuration::from_mins(30));
        let filter = super::ports::RunFilter { since, limit: 200, ..super::ports::RunFilter::default() };
        let (now, began) = (self.now(), self.run.started);
        let others: Vec<Run> = self.parts.store.runs(&filter).await?;
        let mut found = Neighbours { good: Vec::new(), missing: Vec::new() };
        for other in others.into_iter().filter(|r| r.id != self.run.id && r.probe.desk == self.run.probe.desk) {
            let Some(record) = other.stages.get(&stage) else { continue };
            // Mail is fetched; what comes by form or chat needs nobody to fetch it.
            if stage == Stage::Land && is_mail(&self.run) && !is_mail(&other) {
                continue;
            }
            // A greeting in a chat says nothing of automatic mail, and the other way round.
            if stage == Stage::Acknowledge && is_chat(&other) != is_chat(&self.run) {
                continue;
            }
            let half = SignedDuration::try_from(other.probe.limit(stage) / 2).unwrap_or_default();
            let waits = record.outcome.is_none() && other.finished.is_none() && record.opened.is_some_and(|at| at + half <= now);
            match record.outcome {
                Some(Outcome::Pass) if record.closed.is_some_and(|at| at > began) => {
                    found.good.push((other.probe.name.clone(), same_address(&other, &self.run)));
                }
                Some(Outcome::Fail) => found.missing.push(other),
                _ if waits => found.missing.push(other),
                _ => {}
            }
        }
        let good = found.good.first().map(|(name, _)| name.clone());
        let looked = if good.is_some() { Looked::Found } else { Looked::Empty };
        self.observe(
            Observation::new(now, Some(stage), Source::Monitor, "other probes of this desk", format!("{stage} meanwhile"), looked)
                .fact("well", good.unwrap_or_default())
                .fact("missing", found.missing.len()),
        );
        Ok(found)
    }

    /// Causes of a request that is nowhere at the desk.
    pub(super) async fn causes_of_silence(&mut self) -> Walk<Vec<&'static str>> {
        let seen = self.neighbours(Stage::Land).await?;
        if let Some(named) = self.silence_of_way_in() {
            return Ok(match (seen.good.is_empty(), seen.missing.is_empty()) {
                (false, _) => named,
                (true, false) => [vec!["desk-worker-down"], named].concat(),
                (true, true) => [named, vec!["desk-worker-down"]].concat(),
            });
        }
        Ok(if seen.good.iter().any(|(_, same_address)| *same_address) {
            // The way in works: it is this mail, or chance.
            vec!["fetched-not-ticketed", "intake-junk-not-polled", "oversize-discarded"]
        } else if !seen.good.is_empty() {
            vec!["poller-hung", "forwarder-lost", "intake-oauth-expired"]
        } else if !seen.missing.is_empty() {
            vec!["desk-worker-down", "fetched-not-ticketed", "poller-hung"]
        } else {
            vec!["poller-hung", "desk-worker-down", "fetched-not-ticketed", "forwarder-lost", "intake-oauth-expired"]
        })
    }

    /// Causes of an acknowledgement that is in no folder.
    pub(super) async fn causes_without_acknowledgement(&mut self) -> Walk<Vec<&'static str>> {
        let seen = self.neighbours(Stage::Acknowledge).await?;
        match &self.run.probe.channel {
            Channel::Email(_) => {}
            Channel::Chat(_) if self.by_chat(Stage::Acknowledge) => return Ok(vec!["ack-condition-broken"]),
            Channel::Chat(_) | Channel::Form(_) if !seen.good.is_empty() => return Ok(vec!["form-confirmation-missing"]),
            Channel::Chat(_) | Channel::Form(_) if !seen.missing.is_empty() => {
                return Ok(vec!["ack-condition-broken", "form-confirmation-missing"]);
            }
            Channel::Chat(_) | Channel::Form(_) => return Ok(vec!["form-confirmation-missing", "ack-condition-broken"]),
        }
        let others = seen.missing.iter().any(|r| r.probe.account != self.run.probe.account);
        Ok(if seen.good.iter().any(|(_, same_address)| *same_address) {
            vec!["ack-suppressed-for-class", "ack-condition-broken"]
        } else if seen.good.is_empty() && others {
            // Nobody gets one, whoever writes: it is the rule, or the published address.
            vec!["ack-condition-broken", "ack-not-for-forwarded"]
        } else {
            vec!["ack-condition-broken", "ack-not-for-forwarded", "ack-suppressed-for-class"]
        })
    }
}

fn is_mail(run: &Run) -> bool {
    matches!(run.probe.channel, Channel::Email(_))
}

fn is_chat(run: &Run) -> bool {
    matches!(run.probe.channel, Channel::Chat(_))
}

fn same_address(a: &Run, b: &Run) -> bool {
    let (a_desk, b_desk) = (&a.probe.desk, &b.probe.desk);
    match (&a.probe.channel, &b.probe.channel) {
        (Channel::Email(a), Channel::Email(b)) => a.to.iter().any(|to| b.to.iter().any(|other| crate::check::same_address(to, other))),
        (Channel::Form(a), Channel::Form(b)) => a.page == b.page && a.by == b.by,
        (Channel::Chat(a), Channel::Chat(b)) => a.page == b.page && a.by == b.by && a_desk == b_desk,
        _ => false,
    }
}
