//! The stages of a run on one time axis: a bar for how long each took, ticks for the looks, a dashed line for its limit.

use crate::model::{Outcome, Run, Stage};
use crate::page::brief::{outcome_word, seconds};
use crate::page::frame::View;
use crate::report::look;
use maud::{Markup, html};

/// Ticks in one bar: more are a block anyway.
const TICKS: usize = 120;

/// The waterfall. Left-out stages are one line of words.
pub fn waterfall(view: View<'_>, run: &Run) -> Markup {
    let end = run.stages.values().filter_map(|r| r.closed).chain(run.finished).max().unwrap_or(run.started);
    let end = if run.finished.is_none() { end.max(view.now) } else { end };
    let axis = Axis { run, end, whole: seconds(run.started, end).max(0.001) };
    let left_out: Vec<&str> =
        Stage::ALL.into_iter().filter(|s| !run.probe.takes(*s) && !run.stages.contains_key(s)).map(Stage::as_str).collect();
    html! {
        div.scroll tabindex="0" { table.waterfall {
            thead { tr {
                th scope="col" { "Stage" } th scope="col" { "Outcome" } th scope="col" { "Took" } th scope="col" { "Limit" }
                th scope="col" { "0 to " (look::duration(axis.whole)) } th scope="col" { "Looks" }
            } }
            tbody {
                @for stage in Stage::ALL.into_iter().filter(|s| run.probe.takes(*s) || run.stages.contains_key(s)) { (axis.row(stage)) }
            }
        } }
        @if !left_out.is_empty() { p.faint { "Left out by the probe: " (left_out.join(", ")) } }
    }
}

struct Axis<'a> {
    run: &'a Run,
    end: jiff::Timestamp,
    whole: f64,
}

impl Axis<'_> {
    /// The place of a moment, in thousandths of the axis.
    fn x(&self, at: jiff::Timestamp) -> f64 {
        (seconds(self.run.started, at) / self.whole * 1_000.0).clamp(0.0, 1_000.0)
    }

    fn row(&self, stage: Stage) -> Markup {
        let record = self.run.stages.get(&stage);
        let opened = record.and_then(|r| r.opened);
        let closed = record.and_then(|r| r.closed);
        let outcome = record.and_then(|r| r.outcome);
        let waits = opened.is_some() && outcome.is_none() && self.run.finished.is_none();
        let outcome = if waits { None } else { Some(outcome.unwrap_or(Outcome::NotReached)) };
        let class = outcome.map_or("waiting", Outcome::as_str);
        let took = opened.zip(closed).map(|(a, b)| look::duration(seconds(a, b)));
        let looks: Vec<_> = self.run.observations.iter().filter(|o| o.stage == Some(stage)).collect();
        let count: u64 = looks.iter().map(|o| u64::from(o.times)).sum();
        let last = looks.iter().map(|o| o.last).max();
        html! {
            tr {
                th scope="row" { (stage) }
                td.(class) { (outcome_word(outcome)) }
                td { (took.unwrap_or_default()) }
                td.faint { @if self.run.probe.takes(stage) { (look::interval(self.run.probe.limit(stage))) } }
                td.wide {
                    @if let Some(opened) = opened {
                        svg.bar viewBox="0 0 1000 20" preserveAspectRatio="none" aria-hidden="true" {
                            @let x = self.x(opened);
                            @let to = self.x(closed.unwrap_or(self.end));
                            rect.took.(class) x=(format!("{x:.1}")) y="3" width=(format!("{:.1}", (to - x).max(3.0))) height="14" {}
                            @for at in looks.iter().flat_map(|o| [o.at, o.last]).take(TICKS) {
                                @let x = format!("{:.1}", self.x(at));
                                line.look x1=(x) x2=(x) y1="0" y2="20" {}
                            }
                            @if let Some(limit) = record.and_then(|r| r.deadline).filter(|at| *at <= self.end) {
                                @let x = format!("{:.1}", self.x(limit));
                                line.limit x1=(x) x2=(x) y1="0" y2="20" {}
                            }
                        }
                    }
                }
                td.faint { @if count > 0 { (count) @if let Some(last) = last { ", last " (look::offset(self.run.started, last)) } } }
            }
        }
    }
}
