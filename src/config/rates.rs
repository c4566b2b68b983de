//! Compares what probes do by schedule with the budgets of accounts and desks, and with what desks allow.

use super::budget::{Load, overdraft, too_often};
use super::catalog::ChatLimit;
use super::collections::OneOrMany;
use super::load::entries;
use super::probes::{Built, Known};
use super::read::{At, Doc};
use super::shape::ConfigShape;
use super::times::Starts;
use super::values::RateText;
use crate::desk::{Limit, LimitScope, Recipe};
use crate::model::{Channel, ChatBy, FormBy, Probe, Rate, Schedule, Stage, Visitor};
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
                writes(desk, &recipe, limit, probes, doc);
            }
        }
        if let Some(limit) = facts.chat_limit() {
            chats(desk, limit, probes, doc);
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

/// What a desk refuses because it came too often says nothing of its reply path.
fn writes(desk: &At<String>, recipe: &Recipe, limit: Limit, probes: &[Built], doc: &mut Doc) {
    let uses = |p: &Probe| matches!(&p.channel, Channel::Form(form) if form.by == FormBy::Recipe(recipe.id.clone()));
    // Each customer counts by itself where the desk counts by their addresses.
    let group = |p: &Probe| if limit.scope == LimitScope::Address { format!("account `{}`", p.account) } else { String::new() };
    let rate = Rate { count: u32::try_from(limit.count).unwrap_or(u32::MAX), per: limit.per };
    allowed(desk, &format!("write in by recipe `{}`", recipe.id), rate, (&uses, &group), probes, doc);
}

fn chats(desk: &At<String>, limit: ChatLimit, probes: &[Built], doc: &mut Doc) {
    // Somebody new in every run never goes over what each visitor may do.
    let uses = |p: &Probe| match &p.channel {
        Channel::Chat(chat) => chat.by == ChatBy::Desk && (!limit.by_visitor || chat.visitor == Visitor::Kept),
        _ => false,
    };
    let group = |p: &Probe| if limit.by_visitor { format!("the visitor of `{}`", p.name) } else { String::new() };
    allowed(desk, "begin a chat", limit.rate, (&uses, &group), probes, doc);
}

/// Which probes count towards a limit, and by what they are counted apart; empty: together.
type Counted<'a> = (&'a dyn Fn(&Probe) -> bool, &'a dyn Fn(&Probe) -> String);

fn allowed(desk: &At<String>, what: &str, rate: Rate, (uses, group): Counted<'_>, probes: &[Built], doc: &mut Doc) {
    let calendar = Calendar::of(probes);
    let mut groups: BTreeMap<String, Vec<Load<'_>>> = BTreeMap::new();
    let of_desk = probes.iter().map(|b| &b.probe).filter(|p| p.desk.as_deref() == Some(desk.value.as_str()));
    for probe in of_desk.filter(|p| uses(p)) {
        groups.entry(group(probe)).or_default().extend(calendar.load(probe, 1));
    }
    for (group, loads) in groups {
        let who = if group.is_empty() { format!("probes of desk `{}`", desk.value) } else { format!("{group} at desk `{}`", desk.value) };
        if let Some((message, help)) = too_often(&who, what, rate, &loads) {
            doc.problem(desk.span.clone(), message, help);
        }
    }
}
