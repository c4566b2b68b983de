//! A run's page: what broke, in one sentence with what was expected and what was found; the waterfall of its stages; the
//! fault explained; and the evidence, one view at a time, for operators.

mod compare;
mod diff;
mod evidence;
mod explain;
mod hops;
mod log;
mod mail;
mod waterfall;

use super::brief::{Brief, outcome_word, verdict_word};
use super::frame::{View, moment, page};
use crate::model::{Outcome, Run, Stage, Trigger, Verdict};
use crate::report::look;
use maud::{Markup, html};

/// The views of a run's evidence: name in the address, and title.
const TABS: [(&str, &str); 8] = [
    ("checks", "Expected and found"),
    ("sent", "As sent"),
    ("ticket", "Ticket"),
    ("answer", "Answers"),
    ("hops", "Hops"),
    ("differences", "Differences"),
    ("compare", "Last good run"),
    ("log", "Log"),
];

/// What the page needs beside the run.
pub struct Around {
    /// The last passed run before it, with its evidence.
    pub good: Option<Run>,
    /// The run before and the one after it, by id.
    pub beside: [Option<Brief>; 2],
}

/// The page. `tab` is the name of a view; an unknown one is the first.
pub fn run_page(view: View<'_>, run: &Run, around: &Around, tab: &str) -> Markup {
    let verdict = run.diagnosis.as_ref().map(|d| d.verdict);
    let tone = match verdict {
        Some(Verdict::Pass) => "ok",
        Some(Verdict::Fail) => "broken",
        _ => "unknown",
    };
    let at = run.diagnosis.as_ref().and_then(|d| d.stage).map(|s| format!(" at {s}")).unwrap_or_default();
    let title = format!("{}{at}: {}", verdict_word(verdict), run.probe.name);
    let main = html! {
        section.headline.(tone) aria-label="Verdict" {
            h1 { (title) }
            (story(view, run))
        }
        (facts(view, run, around))
        h2 { "Stages" }
        (waterfall::waterfall(view, run))
        (explain::explain(view, run))
        @if view.viewer.sees_evidence() { (tabs(view, run, around, tab)) }
        @else { p.notice { "Evidence is shown only to operators. " a href=(view.base.to("login")) { "Sign in" } } }
    };
    page(view, &format!("{title} - run {} - replypath", run.id), tone, &main)
}

/// Expected against found in one sentence. The public reads the fault's title: the evidence may hold addresses.
fn story(view: View<'_>, run: &Run) -> Markup {
    let Some(d) = &run.diagnosis else {
        let stage = run.stages.iter().find(|(_, r)| r.opened.is_some() && r.outcome.is_none());
        return html! { p { "Under way" @if let Some((stage, _)) = stage { ", waits at " (stage) } " for " (super::state::ago(run.started, view.now)) "." } };
    };
    if !view.viewer.sees_evidence() {
        let title = d.fault.as_deref().and_then(crate::diagnosis::catalogue::fault).map(|f| f.title.as_str());
        return html! { @if let Some(title) = title { p { (title) "." } } };
    }
    let record = d.stage.and_then(|s| run.stages.get(&s));
    let wrong = record
        .and_then(|r| r.checks.iter().find(|c| c.outcome == Outcome::Fail).or(r.checks.iter().find(|c| c.outcome == Outcome::Unknown)));
    html! {
        @match wrong {
            Some(check) if d.verdict != Verdict::Pass => p { "Expected " b { (short(&check.expected)) } "; found " b { (short(&check.found)) } "." },
            // The check says in full what the summary says in one line.
            _ => p { (d.summary) },
        }
        @for note in &d.notes { p.faint { "Note: " (note) } }
    }
}

/// The start of a text, for a sentence; the whole stands below.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "nothing".to_owned(),
        None => line,
    }
}

fn facts(view: View<'_>, run: &Run, around: &Around) -> Markup {
    let d = run.diagnosis.as_ref();
    let took = run.finished.map(|at| look::duration(super::brief::seconds(run.started, at)));
    let link = |run: &Brief| html! { a href=(view.base.run(run.id.as_str())) { (run.words()) " of " (moment(run.at())) } };
    html! {
        dl.facts {
            dt { "Reply path" } dd { a href=(view.base.probe(&run.probe.name)) { (run.probe.name) } " by " (run.probe.channel_name()) " through " (run.probe.gateway) }
            dt { "Run" } dd { code { (run.id) } " " (trigger(run.trigger)) }
            dt { "Started" } dd { (moment(run.started)) @if let Some(took) = took { ", took " (took) } }
            @if let Some(blame) = d.and_then(|d| d.blame) { dt { "Whose side" } dd { (blame.as_str()) @if let Some(s) = d.and_then(|d| d.severity) { ", " (s.as_str()) } } }
            @if d.is_some_and(|d| d.security) { dt { "Privacy" } dd { b.broken { "private content was exposed" } } }
            @if let Some(ticket) = run.ticket.as_ref().filter(|_| view.viewer.sees_evidence()) { dt { "Ticket" } dd { (ticket.number) } }
            @if d.is_some_and(|d| d.verdict != Verdict::Pass) {
                dt { "Last good" }
                dd { @match &around.good { Some(good) => (link(&Brief::of(good))), None => { "none on record" } } }
            }
            @if let Some(before) = &around.beside[0] { dt { "Run before" } dd { (link(before)) } }
            @if let Some(after) = &around.beside[1] { dt { "Run after" } dd { (link(after)) } }
            @if view.viewer.sees_evidence() {
                dt { "Raw" } dd { a href=(view.base.to(&format!("api/v1/runs/{}", run.id))) { "JSON" } " · " code { "replypath show " (run.id) } }
            }
        }
        @if view.viewer.may_start() { (super::overview::start(view, &run.probe.name)) }
    }
}

fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Scheduled => "by schedule",
        Trigger::Manual => "by hand: it changes no verdict",
        Trigger::Control => "as a control of another run",
    }
}

fn tabs(view: View<'_>, run: &Run, around: &Around, tab: &str) -> Markup {
    let (chosen, title) = TABS.into_iter().find(|(name, _)| *name == tab).unwrap_or(TABS[0]);
    html! {
        nav aria-label="Evidence" {
            ul.tabs {
                @for (name, text) in TABS {
                    li { a href=(format!("?view={name}#evidence")) aria-current=[(name == chosen).then_some("page")] { (text) } }
                }
            }
        }
        section #evidence aria-label=(title) tabindex="-1" {
            h2 { (title) }
            @match chosen {
                "sent" => (evidence::sent(run)),
                "ticket" => (evidence::ticket(view, run)),
                "answer" => (mail::answers(run)),
                "hops" => (hops::hops(run)),
                "differences" => (evidence::differences(run)),
                "compare" => (compare::compare(view, run, around.good.as_ref())),
                "log" => (log::log(view, run)),
                _ => (checks(run)),
            }
        }
    }
}

/// Every check of every stage, what is wrong first.
fn checks(run: &Run) -> Markup {
    let mut all: Vec<(Stage, &crate::model::Check)> = run.stages.iter().flat_map(|(s, r)| r.checks.iter().map(move |c| (*s, c))).collect();
    all.sort_by_key(|(stage, c)| (!matches!(c.outcome, Outcome::Fail | Outcome::Unknown), *stage));
    html! {
        @if all.is_empty() { p.faint { "No check was made." } }
        @else {
            div.scroll tabindex="0" { table.log {
                thead { tr { th scope="col" { "Stage" } th scope="col" { "Check" } th scope="col" { "Outcome" } th scope="col" { "Expected" } th scope="col" { "Found" } } }
                tbody { @for (stage, check) in all { tr {
                    td { (stage) } td { (check.check) } td.(check.outcome.as_str()) { (outcome_word(Some(check.outcome))) }
                    td data-label="Expected" { (evidence::text(&check.expected)) } td data-label="Found" { (evidence::text(&check.found)) }
                } } }
            } }
        }
    }
}
