//! Other runs of the same desk in the same minutes, and visits that other runs paid: copied into the run before its verdict.

use super::controls::sights;
use super::journey::{Journey, Walk};
use super::ports::RunFilter;
use crate::model::{ActKind, ActState, Channel, Control, ControlKind, Neighbour, Run, Trigger};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long before this run others may have begun.
const AROUND: SignedDuration = SignedDuration::from_mins(30);
/// So many are kept, the newest.
const MOST: usize = 40;

impl Journey<'_> {
    /// Copies what other runs saw of this desk into the run.
    pub(super) async fn look_at_neighbours(&mut self) -> Walk<()> {
        let (now, others) = (self.now(), self.others().await?);
        let sight = |other: &Run| Neighbour {
            run: other.id.clone(),
            probe: other.probe.name.clone(),
            channel: other.probe.channel.name().to_owned(),
            account: other.probe.account.clone(),
            started: other.started,
            same_way_in: same_way_in(other, &self.run),
            stages: sights(other, now),
        };
        let controls = |other: &&Run| other.trigger != Trigger::Control;
        self.run.context.neighbours = others.iter().filter(controls).map(sight).take(MOST).collect();
        Ok(())
    }

    /// A visit of another run that may have set fetching going since this run lost its request.
    pub(super) async fn take_in_visits(&mut self, landed: Timestamp) -> Walk<()> {
        if self.control(&ControlKind::Visit).is_some() {
            return Ok(());
        }
        let visit = |other: &Run| {
            let act = other.acts.iter().find(|a| a.kind == ActKind::Control && a.target == "visit")?;
            (act.state == ActState::Done && act.intent <= landed && act.intent >= self.run.started).then(|| (act.intent, other.id.clone()))
        };
        let last = self.others().await?.iter().filter_map(visit).max_by_key(|(at, _)| *at);
        if let Some((asked, run)) = last {
            let kind = ControlKind::Visit;
            self.run.context.controls.push(Control {
                kind,
                asked,
                run: Some(run),
                skipped: None,
                ended: true,
                stages: BTreeMap::new(),
                marks: Vec::new(),
            });
        }
        Ok(())
    }

    async fn others(&self) -> Walk<Vec<Run>> {
        let filter = RunFilter { since: Some(self.run.started - AROUND), limit: 200, ..RunFilter::default() };
        let mut runs = self.parts.store.runs(&filter).await?;
        runs.retain(|r| r.id != self.run.id && r.probe.desk == self.run.probe.desk);
        Ok(runs)
    }
}

fn same_way_in(a: &Run, b: &Run) -> bool {
    let same_desk = a.probe.desk == b.probe.desk;
    match (&a.probe.channel, &b.probe.channel) {
        (Channel::Email(a), Channel::Email(b)) => a.to.iter().any(|to| b.to.iter().any(|other| crate::check::same_address(to, other))),
        (Channel::Form(a), Channel::Form(b)) => a.page == b.page && a.by == b.by,
        (Channel::Chat(a), Channel::Chat(b)) => a.page == b.page && a.by == b.by && same_desk,
        _ => false,
    }
}
