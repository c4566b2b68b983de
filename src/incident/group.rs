//! Troubles of several probes that are one incident.

use super::spell::Spell;
use super::{Affected, Incident, RUNS_NAMED};
use crate::model::{RunId, Stage, Verdict};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Where spells can meet. Verdicts have no order, so the flag says whether it is a failure.
type Place = (bool, String, Option<Stage>, Option<String>);

/// Spells that overlap, as one.
struct Group {
    since: Timestamp,
    /// `Timestamp::MAX` while any of them lasts.
    until: Timestamp,
    spells: Vec<Spell>,
}

impl Group {
    fn of(spell: Spell) -> Group {
        Group { since: spell.since, until: ends(&spell), spells: vec![spell] }
    }

    fn take(&mut self, other: Group) {
        (self.since, self.until) = (self.since.min(other.since), self.until.max(other.until));
        self.spells.extend(other.spells);
    }
}

fn ends(spell: &Spell) -> Timestamp {
    spell.until.map_or(Timestamp::MAX, |u| u.0)
}

fn place(spell: &Spell, fault: Option<&str>) -> Place {
    let newest = &spell.newest;
    (newest.verdict == Verdict::Fail, newest.gateway.clone(), newest.stage, fault.map(str::to_owned))
}

/// The incidents of all spells.
pub(super) fn of(mut spells: Vec<Spell>) -> Vec<Incident> {
    spells.sort_by(|a, b| (a.since, &a.first_run).cmp(&(b.since, &b.first_run)));
    let (sure, unsure): (Vec<Spell>, Vec<Spell>) = spells.into_iter().partition(|s| s.newest.fault.is_some());
    let mut groups: BTreeMap<Place, Vec<Group>> = BTreeMap::new();
    for spell in sure {
        let place = place(&spell, spell.newest.fault.as_deref());
        join(groups.entry(place).or_default(), spell);
    }
    // What has several candidates belongs to a neighbour that could single one of them out.
    let mut alone: BTreeMap<Place, Vec<Group>> = BTreeMap::new();
    for spell in unsure {
        let candidates = spell.newest.candidates.iter();
        let found =
            candidates.map(|fault| place(&spell, Some(fault))).find(|p| groups.get(p).is_some_and(|of| meets(of, &spell).is_some()));
        match found {
            Some(place) => join(groups.entry(place).or_default(), spell),
            None => join(alone.entry(place(&spell, spell.newest.likeliest())).or_default(), spell),
        }
    }
    groups.into_values().chain(alone.into_values()).flatten().filter_map(incident).collect()
}

/// The group whose time overlaps with the spell's. The groups of one place lie apart, in the order of time.
fn meets(groups: &[Group], spell: &Spell) -> Option<usize> {
    let at = groups.partition_point(|g| g.until < spell.since);
    groups.get(at).filter(|g| g.since <= ends(spell)).map(|_| at)
}

fn join(groups: &mut Vec<Group>, spell: Spell) {
    let Some(at) = meets(groups, &spell) else {
        // Spells come in the order of their begin.
        groups.push(Group::of(spell));
        return;
    };
    groups[at].take(Group::of(spell));
    // It may have closed the gap to the next one.
    while groups.get(at + 1).is_some_and(|next| next.since <= groups[at].until) {
        let next = groups.remove(at + 1);
        groups[at].take(next);
    }
}

fn incident(group: Group) -> Option<Incident> {
    let mut spells = group.spells;
    spells.sort_by(|a, b| (a.since, &a.first_run).cmp(&(b.since, &b.first_run)));
    let first = spells.first()?;
    // What is known now: the newest run of a spell that singled the fault out, if one did.
    let newest = spells.iter().map(|s| &s.newest).max_by_key(|n| (n.fault.is_some(), n.finished))?;
    let mut runs: Vec<(Timestamp, RunId)> = spells.iter().flat_map(|s| s.runs.iter().cloned()).collect();
    runs.sort_by(|a, b| b.cmp(a));
    runs.truncate(RUNS_NAMED);
    let owners: BTreeSet<&str> = spells.iter().map(|s| s.newest.owner.as_str()).filter(|o| !o.is_empty()).collect();
    let open = spells.iter().any(|s| s.until.is_none());
    let last = spells.iter().filter_map(|s| s.until).max().filter(|_| !open);
    Some(Incident {
        id: first.first_run.clone(),
        verdict: newest.verdict,
        gateway: newest.gateway.clone(),
        channel: newest.channel.clone(),
        stage: newest.stage,
        fault: newest.fault.clone(),
        candidates: newest.candidates.clone(),
        blame: newest.blame,
        severity: spells.iter().filter_map(|s| s.newest.severity).max(),
        security: spells.iter().any(|s| s.newest.security),
        since: first.since,
        until: last.map(|u| u.0),
        end: last.map(|u| u.1),
        // A probe that it hit later may have passed while it lasted already: that says nothing of when it began.
        last_good: spells.iter().filter_map(|s| s.last_good).filter(|at| *at <= first.since).max(),
        last_seen: spells.iter().map(|s| s.newest.finished).max()?,
        probes: spells.iter().map(affected).collect(),
        behind: 0,
        runs: runs.into_iter().map(|r| r.1).collect(),
        count: spells.iter().map(|s| s.count).sum(),
        owner: owners.into_iter().collect::<Vec<_>>().join(", "),
    })
}

fn affected(spell: &Spell) -> Affected {
    Affected {
        probe: spell.newest.probe.clone(),
        owner: spell.newest.owner.clone(),
        since: spell.since,
        until: spell.until.map(|u| u.0),
        last_good: spell.last_good,
        last_seen: spell.newest.finished,
        first_run: spell.first_run.clone(),
        last_run: spell.newest.run.clone(),
        count: spell.count,
    }
}
