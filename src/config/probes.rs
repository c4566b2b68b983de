//! Checks one probe file and makes the probe from it.

use super::accounts::{is_slug, positive};
use super::canaries;
use super::catalog::DeskDefinition;
use super::read::{At, Doc};
use super::shape::{ExpectShape, FollowUpShape, LimitsShape, PolicyShape, ProbeShape, ReplyShape, WindowShape};
use super::stages::Journey;
use super::template;
use super::times::{cron, zone};
use super::values::{Address, Period, show_period};
use super::ways::{self, DeskOf, Way, attachments};
use crate::model::{
    AfterStage, Calendar, Capability, CleanUp, Controls, Expect, FollowUp, FollowUpTo, LimitMillis, Overlap, Policy, Probe, Reply,
    ReplyMode, Schedule, Stage, Window,
};
use crate::problem::suggest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What probes may refer to.
pub struct Known<'a> {
    /// Keys of accounts with their poll intervals.
    pub accounts: BTreeMap<&'a str, Duration>,
    /// Keys of desks with what their definitions can do, where that is known.
    pub desks: BTreeMap<&'a str, Option<&'a dyn DeskDefinition>>,
    /// Keys of intake mailboxes.
    pub intakes: BTreeMap<&'a str, ()>,
    /// Keys of calendars; none for one that is faulty.
    pub calendars: BTreeMap<&'a str, Option<&'a Calendar>>,
    /// False when `replypath.toml` could not be read: then no reference can be judged.
    pub complete: bool,
}

/// A probe, and what is to be said of it.
pub struct Built {
    /// The probe.
    pub probe: Probe,
    /// Remarks.
    pub warnings: Vec<String>,
}

/// Checks a probe file. None: problems were noted.
pub fn build(name: &str, folder: &Path, shape: &ProbeShape, known: &Known<'_>, doc: &mut Doc) -> Option<Built> {
    let desk = shape.desk.as_ref().and_then(|d| reference(d, "desk", &known.desks, known.complete, doc));
    let poll = shape.account.as_ref().and_then(|a| reference(a, "account", &known.accounts, known.complete, doc));
    let schedule = schedule(shape, doc);
    let maintenance = shape.maintenance.iter().flat_map(|m| &m.value.0).filter_map(|w| window(&w.value, &w.span, doc)).collect();
    let way = Way::of(shape);
    let of_desk = shape.desk.as_ref().zip(desk).map(|(key, facts)| DeskOf { key, facts });
    let channel = ways::channel(shape, folder, of_desk, doc);
    let reply = reply(shape.reply.as_ref().map(|r| &r.value), folder, doc);
    let follow_up = follow_up(shape.follow_up.as_ref().map(|f| &f.value), doc);
    let clean_up = clean_up(shape, doc);
    let journey = Journey {
        shape,
        desk: shape.desk.as_ref().map(|d| (d, desk.flatten())),
        mode: reply.mode,
        after: reply.after,
        follow_up_to: follow_up.to,
        after_close: follow_up.after_close,
        clean_up,
    };
    let stages = journey.stages(doc);
    let files = channel.as_ref().is_some_and(|c| !c.request().attachments.is_empty());
    let expect = expect(shape.expect.as_ref().map(|e| &e.value), desk.flatten(), files && stages.contains(&Stage::Format), doc);
    let given = limits(shape.limits.as_ref().map(|l| &l.value), doc);
    ways::refuse_senseless(shape, way, &stages, &given, doc);
    let settle = shape.settle.as_ref().map_or_else(|| way.settle(poll.unwrap_or(Duration::from_secs(30))), |s| s.value.0);
    let gateway = gateway(shape, doc);
    if let Some(intake) = &shape.intake {
        reference(intake, "intake", &known.intakes, known.complete, doc);
    }
    let calendar = shape.calendar.as_ref().and_then(|c| reference(c, "calendar", &known.calendars, known.complete, doc));
    let canaries = shape.canaries.as_ref().map(|c| canaries::canaries(&c.value, shape, desk.flatten(), known, doc));
    let channel = channel?;
    let desk_key = shape.desk.as_ref().map(|d| d.value.clone());
    let probe = Probe {
        variant_of: name.split_once('.').map(|(base, _)| base.to_owned()),
        controls: controls(name, shape, known, doc),
        intake: shape.intake.as_ref().map(|i| i.value.clone()),
        canaries: canaries.unwrap_or_default(),
        calendar: calendar.flatten().cloned(),
        name: name.to_owned(),
        description: text(&shape.description),
        owner: text(&shape.owner),
        tags: tags(shape, doc),
        gateway: gateway.unwrap_or_else(|| format!("{}-{}", desk_key.clone().unwrap_or_else(|| ways::place_of(&channel)), way.word())),
        desk: desk_key,
        account: shape.account.as_ref()?.value.clone(),
        schedule,
        overlap: shape.overlap.as_ref().map_or(Overlap::Skip, |o| o.value),
        maintenance,
        stages,
        channel,
        expect,
        reply,
        follow_up,
        limits: way.limits(given),
        policy: policy(shape.policy.as_ref().map(|p| &p.value)),
        mark: shape.mark.as_ref().map(|m| m.value.clone()),
        clean_up,
        settle,
        watch_after: shape.watch_after.as_ref().map_or(Duration::from_secs(3_600), |w| w.value.0),
    };
    let warnings = slow_probe(&probe, shape, doc).into_iter().collect();
    Some(Built { probe, warnings })
}

fn text(value: &Option<At<String>>) -> String {
    value.as_ref().map(|v| v.value.clone()).unwrap_or_default()
}

/// Looks a name up; an unknown one is noted with the nearest.
pub fn reference<T: Copy>(name: &At<String>, what: &str, names: &BTreeMap<&str, T>, complete: bool, doc: &mut Doc) -> Option<T> {
    let found = names.get(name.value.as_str()).copied();
    if found.is_none() && complete {
        let list: Vec<&str> = names.keys().copied().collect();
        let help = format!("{} (tables [{what}s.KEY] of replypath.toml)", suggest(&name.value, &list, &format!("{what}s")));
        doc.problem(name.span.clone(), format!("there is no {what} `{}`", name.value), help);
    }
    found
}

/// What may be asked when the probe fails. A variant asks the probe that it is a variant of.
fn controls(name: &str, shape: &ProbeShape, known: &Known<'_>, doc: &mut Doc) -> Controls {
    let base = name.split_once('.').map(|(base, _)| base.to_owned());
    let named = shape.controls.iter().flat_map(|c| &c.value.0).map(|c| c.value.clone());
    if let Some(second) = &shape.second_account {
        reference(second, "account", &known.accounts, known.complete, doc);
        if shape.account.as_ref().is_some_and(|a| a.value == second.value) {
            doc.problem(second.span.clone(), "the second account is the probe's own", "name another [accounts.KEY]".to_owned());
        }
    }
    Controls {
        // What a variant has from its probe may name the variant itself.
        probes: base.into_iter().chain(named.filter(|n| n != name)).collect(),
        built_in: shape.built_in_controls.as_ref().is_none_or(|b| b.value),
        account: shape.second_account.as_ref().map(|a| a.value.clone()),
    }
}

fn tags(shape: &ProbeShape, doc: &mut Doc) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in shape.tags.iter().flat_map(|t| &t.value.0) {
        if tag.value.is_empty() || tag.value.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',') {
            let help = "a tag is one word, without spaces and commas".to_owned();
            doc.problem(tag.span.clone(), format!("`{}` cannot be a tag", tag.value), help);
        } else if tags.contains(&tag.value) {
            doc.problem(tag.span.clone(), format!("the tag `{}` stands twice", tag.value), None);
        } else {
            tags.push(tag.value.clone());
        }
    }
    tags
}

fn gateway(shape: &ProbeShape, doc: &mut Doc) -> Option<String> {
    let gateway = shape.gateway.as_ref()?;
    if !is_slug(&gateway.value, 60) {
        let help = "use at most 60 of a-z, 0-9, `-` and `_`: it becomes a label of metrics".to_owned();
        doc.problem(gateway.span.clone(), format!("`{}` cannot be a gateway", gateway.value), help);
    }
    Some(gateway.value.clone())
}

fn schedule(shape: &ProbeShape, doc: &mut Doc) -> Option<Schedule> {
    if let (Some(cron), Some(_)) = (&shape.cron, &shape.every) {
        doc.problem(cron.span.clone(), "`every` and `cron` stand together", "keep one of both".to_owned());
        return None;
    }
    if let (Some(jitter), None) = (&shape.jitter, &shape.every) {
        doc.problem(jitter.span.clone(), "`jitter` goes with `every`, which is not there", None);
    }
    if let (Some(zone), None) = (&shape.zone, &shape.cron) {
        doc.problem(zone.span.clone(), "`zone` goes with `cron`, which is not there", None);
    }
    if let Some(pattern) = &shape.cron {
        let (cron, zone) = (cron("cron", pattern, doc), zone(shape.zone.as_ref(), doc));
        cron.and(zone)?;
        let zone = shape.zone.as_ref().map_or("UTC", |z| z.value.as_str()).to_owned();
        return Some(Schedule::Cron { pattern: pattern.value.clone(), zone });
    }
    let interval = positive("every", shape.every.as_ref(), doc)?;
    let jitter = shape.jitter.as_ref().map_or(Duration::ZERO, |j| j.value.0);
    if let Some(place) = shape.jitter.as_ref().filter(|_| jitter > interval) {
        let message = format!("`jitter` ({}) is longer than `every` ({})", show_period(jitter), show_period(interval));
        doc.problem(place.span.clone(), message, "a tenth of `every` is usual".to_owned());
    }
    Some(Schedule::Every { interval, jitter })
}

fn window(shape: &WindowShape, span: &std::ops::Range<usize>, doc: &mut Doc) -> Option<Window> {
    const FORMS: &str = "write `start` and `length` for one that comes again, or `from` and `until` for a single one";
    match (&shape.start, &shape.length, &shape.from, &shape.until) {
        (Some(start), Some(_), None, None) => {
            let (pattern, zone) = (cron("start", start, doc), zone(shape.zone.as_ref(), doc));
            let length = positive("length", shape.length.as_ref(), doc)?;
            pattern.and(zone)?;
            let zone = shape.zone.as_ref().map_or("UTC", |z| z.value.as_str()).to_owned();
            Some(Window::Repeating { start: start.value.clone(), zone, length })
        }
        (None, None, Some(from), Some(until)) => {
            if let Some(zone) = &shape.zone {
                doc.problem(zone.span.clone(), "`zone` goes with `start`; `from` and `until` carry their own offsets", None);
            }
            if until.value.0 <= from.value.0 {
                doc.problem(until.span.clone(), format!("the window ends at {}, before it begins", until.value.0), None);
                return None;
            }
            Some(Window::Once { from: from.value.0, until: until.value.0 })
        }
        _ if doc.table_has_problem(span) => None,
        _ => {
            doc.problem(span.clone(), "a maintenance window needs a begin and an end of the same kind", FORMS.to_owned());
            None
        }
    }
}

fn reply(shape: Option<&ReplyShape>, folder: &Path, doc: &mut Doc) -> Reply {
    let empty = ReplyShape::default();
    let shape = shape.unwrap_or(&empty);
    for text in [&shape.text, &shape.html].into_iter().flatten() {
        template::check(text, doc);
    }
    let mode = shape.mode.as_ref().map_or(ReplyMode::Post, |m| m.value);
    if mode == ReplyMode::Await {
        let written =
            [shape.text.as_ref().map(|t| &t.span), shape.html.as_ref().map(|h| &h.span), shape.attachments.as_ref().map(|a| &a.span)];
        if let Some(place) = written.into_iter().flatten().next() {
            doc.problem(
                place.clone(),
                "with mode = \"await\" a person writes the answer, so it has no text of ours",
                "take it out, or write mode = \"post\"".to_owned(),
            );
        }
    }
    Reply {
        mode,
        after: shape.after.as_ref().map_or(AfterStage::Land, |a| a.value),
        text: template::with_token(shape.text.as_ref().map_or_else(|| template::REPLY.to_owned(), |t| t.value.clone())),
        html: shape.html.as_ref().map(|h| template::html_with_token(h.value.clone())),
        attachments: attachments(shape.attachments.as_ref().map(|a| a.value.0.as_slice()), folder, doc),
    }
}

fn follow_up(shape: Option<&FollowUpShape>, doc: &mut Doc) -> FollowUp {
    let empty = FollowUpShape::default();
    let shape = shape.unwrap_or(&empty);
    if let Some(text) = &shape.text {
        template::check(text, doc);
    }
    let after_close = shape.after_close.as_ref().is_some_and(|a| a.value);
    if let Some(reopens) = shape.reopens.as_ref().filter(|_| !after_close) {
        doc.problem(reopens.span.clone(), "`reopens` goes with after_close = true", "add it, or take `reopens` out".to_owned());
    }
    FollowUp {
        after_move: shape.after_move.as_ref().map(|m| m.value.clone()),
        quote: shape.quote.as_ref().map(|q| q.value).unwrap_or_default(),
        automatic: shape.automatic.as_ref().is_some_and(|a| a.value),
        to: shape.to.as_ref().map_or(FollowUpTo::Agent, |t| t.value),
        text: template::with_token(shape.text.as_ref().map_or_else(|| template::FOLLOW_UP.to_owned(), |t| t.value.clone())),
        after_close,
        reopens: shape.reopens.as_ref().is_none_or(|r| r.value),
    }
}

fn clean_up(shape: &ProbeShape, doc: &mut Doc) -> CleanUp {
    let Some(clean_up) = &shape.clean_up else {
        return if shape.desk.is_some() { CleanUp::Close } else { CleanUp::Keep };
    };
    if shape.desk.is_none() && clean_up.value != CleanUp::Keep {
        let help = "write clean_up = \"keep\" (our own mail is removed all the same), or name a `desk`".to_owned();
        doc.problem(clean_up.span.clone(), "without a `desk` no ticket can be closed or deleted", help);
    }
    clean_up.value
}

fn expect(shape: Option<&ExpectShape>, desk: Option<&dyn DeskDefinition>, files: bool, doc: &mut Doc) -> Expect {
    let empty = ExpectShape::default();
    let shape = shape.unwrap_or(&empty);
    let sees_files = desk.is_none_or(|d| d.capabilities().contains(&Capability::Files));
    if let Some(asked) = shape.attachments.as_ref().filter(|a| a.value && files && !sees_files) {
        let help = "write attachments = false, or use a definition that can".to_owned();
        doc.problem(asked.span.clone(), "this desk cannot give the bytes of files: its definition has no `files`", help);
    }
    untold(shape, desk, doc);
    let address = |a: &Option<At<Address>>| a.as_ref().map(|a| a.value.0.clone());
    let word = |s: &Option<At<String>>| s.as_ref().map(|s| s.value.clone());
    Expect {
        queue: word(&shape.queue),
        requester: address(&shape.requester),
        priority: shape.priority.as_ref().map(|p| p.value.0.clone()),
        tags: shape.tags.iter().flat_map(|t| &t.value.0).map(|t| t.value.clone()).collect(),
        fields: shape.fields.iter().flat_map(|f| &f.value.entries).map(|(k, v)| (k.value.clone(), v.value.0.clone())).collect(),
        channel: word(&shape.channel),
        attachments: shape.attachments.as_ref().map_or(sees_files, |a| a.value),
        created_within: positive("created_within", shape.created_within.as_ref(), doc).unwrap_or(Duration::from_secs(900)),
        acknowledge_text: word(&shape.acknowledge_text),
        return_links: shape.return_links.iter().flat_map(|l| &l.value.0).map(|l| l.value.clone()).collect(),
        from: address(&shape.from),
        reply_to: address(&shape.reply_to),
    }
}

/// An expectation on a field that the desk never tells could only end as unknown.
fn untold(shape: &ExpectShape, desk: Option<&dyn DeskDefinition>, doc: &mut Doc) {
    let untold = desk.map(DeskDefinition::untold).unwrap_or_default();
    let given = [
        ("queue", shape.queue.as_ref().map(|v| v.span.clone())),
        ("requester", shape.requester.as_ref().map(|v| v.span.clone())),
        ("priority", shape.priority.as_ref().map(|v| v.span.clone())),
        ("tags", shape.tags.as_ref().map(|v| v.span.clone())),
        ("channel", shape.channel.as_ref().map(|v| v.span.clone())),
        ("created_within", shape.created_within.as_ref().map(|v| v.span.clone())),
        ("fields", shape.fields.as_ref().map(|v| v.span.clone())),
    ];
    for (name, span) in given {
        if let Some(span) = span.filter(|_| untold.contains(&name)) {
            let message = format!("this desk never tells `{name}`: its definition does not map it");
            doc.problem(span, message, "take it out, or map the field under [record] in the desk file".to_owned());
        }
    }
}

fn limits(shape: Option<&LimitsShape>, doc: &mut Doc) -> BTreeMap<Stage, LimitMillis> {
    let Some(s) = shape else { return BTreeMap::new() };
    let given: [(Stage, &Option<At<Period>>); 10] = [
        (Stage::Send, &s.send),
        (Stage::Accept, &s.accept),
        (Stage::Land, &s.land),
        (Stage::Queue, &s.queue),
        (Stage::Format, &s.format),
        (Stage::Acknowledge, &s.acknowledge),
        (Stage::Reply, &s.reply),
        (Stage::Return, &s.r#return),
        (Stage::FollowUp, &s.follow_up),
        (Stage::CleanUp, &s.clean_up),
    ];
    let mut limit =
        |(stage, value): (Stage, &Option<At<Period>>)| positive(stage.as_str(), value.as_ref(), doc).map(|d| (stage, LimitMillis(d)));
    given.into_iter().filter_map(&mut limit).collect()
}

fn policy(shape: Option<&PolicyShape>) -> Policy {
    let default = Policy::default();
    let Some(s) = shape else { return default };
    Policy {
        threading: s.threading.as_ref().map_or(default.threading, |t| t.value),
        noreply_allowed: s.noreply_allowed.as_ref().map_or(default.noreply_allowed, |n| n.value),
        closing_notice: s.closing_notice.as_ref().map_or(default.closing_notice, |c| c.value),
        automatic_reply_allowed: s.automatic_reply_allowed.as_ref().map_or(default.automatic_reply_allowed, |a| a.value),
        duplicates_allowed: s.duplicates_allowed.as_ref().map_or(default.duplicates_allowed, |d| d.value),
    }
}

/// A remark when a run that uses up its limits lasts longer than the interval, so that starts are skipped.
fn slow_probe(probe: &Probe, shape: &ProbeShape, doc: &Doc) -> Option<String> {
    let limits = shape.limits.as_ref()?;
    let Some(Schedule::Every { interval, .. }) = &probe.schedule else { return None };
    let (total, path) = longest(probe);
    if probe.limits.is_empty() || total <= *interval || probe.overlap == Overlap::Allow {
        return None;
    }
    Some(format!(
        "{}:{}: a run may take {} ({path}), longer than every = \"{}\": starts are skipped meanwhile",
        doc.name,
        doc.line(&limits.span),
        show_period(total),
        show_period(*interval)
    ))
}

/// The longest that a run may take. Stages are awaited side by side, so this is the longest way through, not the sum of all.
fn longest(probe: &Probe) -> (Duration, String) {
    let taken: BTreeSet<Stage> = probe.stages.clone();
    let slowest = |stages: &[Stage]| stages.iter().filter(|s| taken.contains(s)).map(|s| (probe.limit(*s), *s)).max();
    let acknowledged = probe.reply.after == AfterStage::Acknowledge;
    let first: &[Stage] = if acknowledged { &[Stage::Accept, Stage::Land, Stage::Acknowledge] } else { &[Stage::Accept, Stage::Land] };
    let legs = [
        slowest(&[Stage::Send]),
        slowest(first),
        slowest(&[Stage::Reply]),
        slowest(&[Stage::Return]),
        slowest(&[Stage::FollowUp]),
        slowest(&[Stage::CleanUp]),
    ];
    let legs: Vec<(Duration, Stage)> = legs.into_iter().flatten().collect();
    let total = legs.iter().map(|(limit, _)| *limit).sum::<Duration>() + probe.settle;
    let mut words: Vec<String> = legs.iter().map(|(limit, stage)| format!("{stage} {}", show_period(*limit))).collect();
    words.push(format!("settle {}", show_period(probe.settle)));
    (total, words.join(" + "))
}
