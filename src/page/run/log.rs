//! Everything in the order of time: looks, acts, mails, remarks.

use super::evidence::{block, facts};
use crate::model::{ActState, Looked, Observation, Run, Stage};
use crate::page::frame::View;
use crate::report::look;
use jiff::Timestamp;
use maud::{Markup, html};

/// So many lines.
const LINES: usize = 400;

/// The log.
pub fn log(view: View<'_>, run: &Run) -> Markup {
    let mut lines: Vec<(Timestamp, Markup)> = run.observations.iter().map(|o| (o.at, seen(view, run, o))).collect();
    lines.extend(run.acts.iter().map(|act| (act.intent, done(run, act))));
    lines.extend(run.mails.iter().map(|m| {
        let text = html! { td {} td { "mailbox" } td { "mail" } td { (super::mail::role(m.role)) " in " (m.mail.key.folder) ": " (m.mail.subject) } };
        (m.seen, text)
    }));
    lines.sort_by_key(|(at, _)| *at);
    let left = lines.len().saturating_sub(LINES);
    html! {
        div.scroll tabindex="0" { table.log {
            thead { tr { th scope="col" { "When" } th scope="col" { "Stage" } th scope="col" { "Where" } th scope="col" { "Result" } th scope="col" { "What" } } }
            tbody { @for (at, line) in lines.iter().take(LINES) { tr { th scope="row" { (look::offset(run.started, *at)) } (line) } } }
        } }
        @if left > 0 { p.faint { "Truncated: " (left) " more lines; the JSON has all" } }
        @for left in &run.leftovers { p { b { "Left over: " } (left.what) ", " (left.why) } }
        @for note in &run.notes { p.faint { (note) } }
    }
}

fn seen(view: View<'_>, run: &Run, o: &Observation) -> Markup {
    let (class, word) = match o.result {
        Looked::Found => ("ok", "found"),
        Looked::Empty => ("never", "nothing"),
        Looked::CouldNotLook => ("unknown", "could not look"),
    };
    let source = serde_json::to_value(o.source).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    html! {
        td { (o.stage.map_or("", Stage::as_str)) }
        td { (source) }
        td.(class) { (word) }
        td {
            (o.place) ", " (o.looked_for)
            @if o.times > 1 { span.faint { " (" (o.times) " times, last " (look::offset(run.started, o.last)) ")" } }
            (facts(view, run, o))
            @if let Some(raw) = &o.raw { (block(raw)) }
        }
    }
}

fn done(run: &Run, act: &crate::model::Act) -> Markup {
    let kind = serde_json::to_value(act.kind).ok().and_then(|v| v.as_str().map(|s| s.replace('_', " "))).unwrap_or_default();
    let (class, state) = match &act.state {
        ActState::Intent => ("waiting", "begun".to_owned()),
        ActState::Done => ("ok", "done".to_owned()),
        ActState::Failed(why) => ("fail", format!("failed: {why}")),
        ActState::Uncertain => ("unknown", "uncertain: no answer came, never done again".to_owned()),
        ActState::FoundDone => ("ok", "found done later".to_owned()),
    };
    html! {
        td {} td { "we" } td.(class) { "act" }
        td { (kind) @if !act.target.is_empty() { " " (act.target) } ": " (state) @if let Some(at) = act.result { span.faint { " at " (look::offset(run.started, at)) } } }
    }
}
