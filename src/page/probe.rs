//! A probe's page: how it stands, its stage times against their limits, and its last runs.

use super::board::Seat;
use super::brief::{Brief, outcome_word};
use super::frame::{View, moment, page};
use super::state::{State, ago, detail};
use super::strip::{strip, words};
use crate::metrics::schedule_text;
use crate::model::{Outcome, Run, Stage, Trigger, Verdict};
use crate::report::look;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// What passed runs took at a stage.
struct Times {
    median: f64,
    worst: f64,
    count: usize,
}

/// The page. `runs` are the last finished runs, without evidence, newest first.
pub fn probe_page(view: View<'_>, seat: &Seat, runs: &[Run]) -> Markup {
    let (probe, state) = (&seat.probe, State::of(seat, view.now));
    let tone = match state {
        State::Ok => "ok",
        State::Failing => "broken",
        _ => "unknown",
    };
    let said = detail(seat, state, view.now);
    let main = html! {
        section.headline.(tone) aria-label="State" {
            h1 { (probe.name) ": " (state.sign()) " " (state.word()) }
            p { (said) (super::overview::under_way(view.base, seat, view.now)) }
            @if let Some(last) = &seat.last {
                @if view.viewer.sees_evidence() && last.run.verdict != Some(Verdict::Pass) { p { (last.summary) } }
                p { a href=(view.base.run(last.run.id.as_str())) { "The last run: " (last.run.words()) } ", " (ago(last.run.at(), view.now)) " ago" }
            }
        }
        (facts(view, seat))
        h2 { "Stage times against limits" }
        (times(seat, runs))
        h2 { "Last runs" }
        (strip(seat))
        p { (words(seat)) }
        (list(view, seat))
    };
    page(view, &format!("{}: {} {said} - replypath", probe.name, state.word()), tone, &main)
}

fn facts(view: View<'_>, seat: &Seat) -> Markup {
    let probe = &seat.probe;
    html! {
        dl.facts {
            @if !probe.description.is_empty() { dt { "About" } dd { (probe.description) } }
            dt { "Way" } dd {
                (probe.channel_name()) " through "
                a href=(format!("{}?gateway={}", view.base.to(""), super::filter::encode(&probe.gateway))) { (probe.gateway) }
            }
            @if let Some(desk) = &probe.desk { dt { "Desk" } dd { (desk) @if seat.unproven { " (its definition was never tried on the real product)" } } }
            @if view.viewer.sees_evidence() && !probe.owner.is_empty() { dt { "Looked after by" } dd { (probe.owner) } }
            dt { "Schedule" } dd {
                (schedule_text(probe.schedule.as_ref()))
                @if seat.due.resting { ", paused or in maintenance" }
                @else if let Some(next) = seat.due.next { ", next start " @if next > view.now { "in " (ago(view.now, next)) } @else { "is due" } }
            }
            @if let Some(expected) = seat.due.expected { dt { "Next result" } dd { "at the latest " (moment(expected)) } }
            dt { "Last good" } dd { @match seat.last_pass {
                Some(at) => { a href=(view.base.to(&format!("probes/{}/last-good", probe.name))) { (moment(at)) } },
                None => "never seen to pass",
            } }
            @if seat.history.iter().any(|b| b.verdict == Some(Verdict::Fail)) {
                dt { "Last failure" } dd { a href=(view.base.to(&format!("probes/{}/last-failure", probe.name))) { "its run" } }
            }
            dt { "Badge" } dd { a href=(view.base.to(&format!("badge/{}.svg", probe.name))) { "SVG" } " · " a href=(view.base.to(&format!("badge/{}.json", probe.name))) { "JSON for shields" } }
        }
        @if view.viewer.may_start() { (super::overview::start(view, &probe.name)) }
    }
}

fn took(runs: &[Run]) -> BTreeMap<Stage, Times> {
    let mut all: BTreeMap<Stage, Vec<f64>> = BTreeMap::new();
    for run in runs.iter().filter(|r| r.trigger != Trigger::Control) {
        let passed = super::brief::cells(run).into_iter().filter(|c| c.outcome == Some(Outcome::Pass));
        passed.for_each(|c| all.entry(c.stage).or_default().extend(c.seconds));
    }
    let sum = |(stage, mut seconds): (Stage, Vec<f64>)| {
        seconds.sort_by(f64::total_cmp);
        let (median, worst) = (*seconds.get(seconds.len() / 2)?, *seconds.last()?);
        Some((stage, Times { median, worst, count: seconds.len() }))
    };
    all.into_iter().filter_map(sum).collect()
}

fn times(seat: &Seat, runs: &[Run]) -> Markup {
    let known = took(runs);
    let probe = &seat.probe;
    html! {
        div.scroll tabindex="0" { table.log {
            thead { tr {
                th scope="col" { "Stage" } th scope="col" { "Last run" } th scope="col" { "Median" } th scope="col" { "Longest" } th scope="col" { "Limit" }
                th scope="col" { "Longest against limit" }
            } }
            tbody { @for stage in Stage::ALL.into_iter().filter(|s| probe.takes(*s)) {
                @let limit = probe.limit(stage);
                @let cell = seat.last.as_ref().and_then(|l| l.cells.iter().find(|c| c.stage == stage));
                tr {
                    th scope="row" { (stage) }
                    td.(cell.map_or("never", |c| c.outcome.map_or("waiting", Outcome::as_str))) {
                        @match cell {
                            Some(cell) => { (outcome_word(cell.outcome)) @if let Some(s) = cell.seconds { " " (look::duration(s)) } },
                            None => "never ran",
                        }
                    }
                    @match known.get(&stage) {
                        Some(t) => { td { (look::duration(t.median)) } td { (look::duration(t.worst)) " of " (t.count) } },
                        None => { td {} td {} },
                    }
                    td { (look::interval(limit)) }
                    td { @if let Some(t) = known.get(&stage) { (meter(t.worst / limit.as_secs_f64().max(0.001))) } }
                }
            } }
        } }
        p.faint { "Times of the runs below, where the stage passed." }
    }
}

/// A share of a limit, with its words.
fn meter(share: f64) -> Markup {
    let (class, word) = if share >= 1.0 {
        ("over", " over the limit")
    } else if share >= 0.8 {
        ("near", " near the limit")
    } else {
        ("well", "")
    };
    html! {
        svg.meter.(class) viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" { rect x="0" y="0" height="10" width=(format!("{:.1}", share.min(1.0) * 100.0)) {} }
        " " (format!("{:.0} %", share * 100.0)) (word)
    }
}

fn list(view: View<'_>, seat: &Seat) -> Markup {
    html! {
        @if !seat.history.is_empty() { div.scroll tabindex="0" { table.log {
            thead { tr { th scope="col" { "Ended" } th scope="col" { "Verdict" } th scope="col" { "Fault" } th scope="col" { "Took" } th scope="col" { "Started" } } }
            tbody { @for run in seat.history.iter().rev() { (line(view, run)) } }
        } } }
    }
}

fn line(view: View<'_>, run: &Brief) -> Markup {
    let class = run.verdict.map_or("waiting", Verdict::as_str);
    html! {
        tr {
            th scope="row" { a href=(view.base.run(run.id.as_str())) { (moment(run.at())) } }
            td.(if class == "pass" { "ok" } else { class }) { (run.words()) }
            td { @if let Some(fault) = &run.fault { (super::text::title(fault)) } }
            td { @if let Some(at) = run.finished { (look::duration(super::brief::seconds(run.started, at))) } }
            td { (run.trigger.as_str()) }
        }
    }
}
