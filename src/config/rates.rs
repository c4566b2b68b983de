//! Compares what probes do by schedule with the budgets of accounts and desks, and with what desks allow.

use super::budget::{Load, overdraft, too_often};
use super::collections::OneOrMany;
use super::load::entries;
use super::probes::{Built, Known};
use super::read::{At, Doc};
use super::shape::ConfigShape;
use super::times::Starts;
use super::values::RateText;
use crate::desk::{Limit, LimitScope, Recipe};
use crate::model::{Channel, FormBy, Probe, Rate, Schedule, Stage};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How often schedules come: hundreds of probes share a few, and looking a pattern ahead is dear.
struct Calendar<'a>(BTreeMap<(&'a str, &'a str, Duration), Starts>);

impl<'a> Calendar<'a> {
    fn of(probes: &'a [Built]) -> Calendar<'a> {
        let mut starts = BTreeMap::new();
        for schedule in probes.iter().filter_map(|b| b.probe.schedule.as_ref()) {
            starts.entry(same(schedule)).or_insert_with(|| Starts::of(schedule));
        }
        Calendar(starts)
    }

    fn load(&self, probe: &'a Probe, messages: u32) -> Option<Load<'_>> {
        let starts = probe.schedule.as_ref().and_then(|s| self.0.get(&same(s)))?;
        Some(Load { probe: &probe.name, messages, starts })
    }
}

/// Schedules with the same key come equally often.
fn same(schedule: &Schedule) -> (&str, &str, Duration) {
    match schedule {
        Schedule::Every { interval, .. } => ("", "", *interval),
        Schedule::Cron { pattern, zone } => (pattern, zone, Duration::ZERO),
    }
}

/// Notes every rate that the schedules of all probes together go over.
pub fn check(shape: &ConfigShape, known: &Known<'_>, probes: &[Built], doc: &mut Doc) {
    budgets(shape, probes, doc);
    for (desk, _) in entries(&shape.desks) {
        let Some(facts) = known.desks.get(desk.value.as_str()).copied().flatten() else { continue };
        for recipe in facts.recipes() {
            if let Some(limit) = recipe.limit {
                allowed(desk, &recipe, limit, probes, doc);
            }
        }
    }
}

fn budgets(shape: &ConfigShape, probes: &[Built], doc: &mut Doc) {
    type Rates = Option<At<OneOrMany<RateText>>>;
    let accounts = entries(&shape.accounts).iter().map(|(k, v)| ("account", k, &v.value.budget));
    let desks = entries(&shape.desks).iter().map(|(k, v)| ("desk", k, &v.value.budget));
    let limited: Vec<(&str, &At<String>, &Rates)> = accounts.chain(desks).filter(|(_, _, rates)| rates.is_some()).collect();
    if limited.is_empty() {
        return;
    }
    let calendar = Calendar::of(probes);
    let mut loads: HashMap<(&str, &str), Vec<Load<'_>>> = HashMap::new();
    for Built { probe, .. } in probes {
        let Some(load) = calendar.load(probe, 1 + u32::from(probe.takes(Stage::FollowUp))) else { continue };
        loads.entry(("account", &probe.account)).or_default().push(load.clone());
        if let Some(desk) = &probe.desk {
            loads.entry(("desk", desk)).or_default().push(load);
        }
    }
    for (what, key, rates) in limited {
        let Some(loads) = loads.get(&(what, key.value.as_str())) else { continue };
        for rate in rates.iter().flat_map(|r| &r.value.0) {
            let who = if what == "desk" { format!("probes of desk `{}`", key.value) } else { format!("account `{}`", key.value) };
            if let Some((message, help)) = overdraft(&who, rate.value.0, loads) {
                doc.problem(rate.span.clone(), message, help);
            }
        }
    }
}

/// A desk that lets somebody write in so often would answer the rest with a refusal, which says nothing of its reply path.
fn allowed(desk: &At<String>, recipe: &Recipe, limit: Limit, probes: &[Built], doc: &mut Doc) {
    let uses = |p: &Probe| {
        let by = matches!(&p.channel, Channel::Form(form) if form.by == FormBy::Recipe(recipe.id.clone()));
        by && p.desk.as_deref() == Some(desk.value.as_str())
    };
    let calendar = Calendar::of(probes);
    let mut groups: BTreeMap<&str, Vec<Load<'_>>> = BTreeMap::new();
    for Built { probe, .. } in probes.iter().filter(|b| uses(&b.probe)) {
        // Each customer counts by itself where the desk counts by their addresses.
        let group = if limit.scope == LimitScope::Address { probe.account.as_str() } else { "" };
        groups.entry(group).or_default().extend(calendar.load(probe, 1));
    }
    let rate = Rate { count: u32::try_from(limit.count).unwrap_or(u32::MAX), per: limit.per };
    for (account, loads) in groups {
        let who = match account {
            "" => format!("probes of desk `{}`", desk.value),
            account => format!("account `{account}` at desk `{}`", desk.value),
        };
        if let Some((message, help)) = too_often(&who, &format!("write in by recipe `{}`", recipe.id), rate, &loads) {
            doc.problem(desk.span.clone(), message, help);
        }
    }
}
