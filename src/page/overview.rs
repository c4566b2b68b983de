//! `/`: the sentence, the incidents, and the grid of probes and stages.

use super::board::{Seat, Seats};
use super::brief::{Cell, outcome_word};
use super::filter::{Filter, Row};
use super::frame::{Base, View, page};
use super::news::News;
use super::strip::strip;
use crate::diagnosis::catalogue;
use crate::incident::Incident;
use crate::model::{Outcome, Stage, Verdict};
use crate::report::look;
use jiff::Timestamp;
use maud::{Markup, html};

/// So many incidents are told above the grid; the API has all.
const INCIDENTS: usize = 8;

/// The page.
pub fn overview(view: View<'_>, news: &News, seats: &Seats, filter: &Filter) -> Markup {
    let listed = filter.rows(seats, view.now);
    let broken = news.counts.get(&super::state::State::Failing).copied().unwrap_or(0);
    let title = if broken > 0 { format!("({broken}) {}", news.sentence) } else { news.sentence.clone() };
    let main = html! {
        section.headline.(news.tone) aria-label="State" {
            h1 { (news.sentence) "." }
            (incidents(view, news))
        }
        (filters(seats, filter, &listed.summary))
        div.scroll { (grid(view, &listed.rows)) }
        @if listed.more > 0 {
            p.notice {
                (listed.more) " more reply paths are not on this page. "
                a href=(format!("{}?{}", view.base.to(""), filter.next_page())) { "Next page" }
            }
        }
    };
    page(view, &format!("{title} - replypath"), news.tone, &main)
}

fn incidents(view: View<'_>, news: &News) -> Markup {
    html! {
        @if news.incidents.len() > 1 || news.incidents.iter().any(|i| i.probes.len() > 1 || i.fault.is_some()) {
            ul.incidents {
                @for incident in news.incidents.iter().take(INCIDENTS) { li { (one(view, incident, !news.sentence.contains(&incident.sentence(view.now)))) } }
                @if news.incidents.len() > INCIDENTS { li { "and " (news.incidents.len() - INCIDENTS) " more" } }
            }
        }
    }
}

fn one(view: View<'_>, incident: &Incident, with_sentence: bool) -> Markup {
    let unknown = incident.verdict == Verdict::Unknown;
    html! {
        @if with_sentence {
            b.(if unknown { "unknown" } else { "broken" }) { (if unknown { "? " } else { "✕ " }) (incident.sentence(view.now)) } br;
        }
        "Side: " (incident.whose())
        @if incident.security { " · " b.broken { "private content was exposed" } }
        @if let Some(run) = incident.runs.first() { " · " a href=(view.base.run(run.as_str())) { "newest run" } }
        @if let [only] = &incident.probes[..] { " · " a href=(view.base.probe(&only.probe)) { (only.probe) } }
        @else { " · " a href=(format!("{}?gateway={}", view.base.to(""), super::filter::encode(&incident.gateway))) { "gateway " (incident.gateway) } }
        @if view.viewer.sees_evidence() && !incident.owner.is_empty() { " · looked after by " (incident.owner) }
        @if let Some(fault) = incident.likeliest().and_then(catalogue::fault) { " · " code { (fault.id) } }
    }
}

fn filters(seats: &Seats, filter: &Filter, summary: &str) -> Markup {
    let mut gateways: Vec<&str> = seats.values().map(|s| s.probe.gateway.as_str()).collect();
    gateways.sort_unstable();
    gateways.dedup();
    html! {
        form.filters method="get" role="search" aria-label="Filter" {
            label { "Show"
                select name="show" {
                    @for (value, text) in [("all", "all"), ("broken", "not ok"), ("recent", "not ok of late")] {
                        option value=(value) selected[filter.show == value] { (text) }
                    }
                }
            }
            label { "Gateway"
                select name="gateway" {
                    option value="" { "all" }
                    // A page stays small however many there are; a longer list is what the search is for.
                    @for gateway in gateways.iter().take(200) { option value=(gateway) selected[filter.gateway == **gateway] { (gateway) } }
                }
            }
            label { "Channel"
                select name="channel" {
                    option value="" { "all" }
                    @for channel in ["email", "form", "chat"] { option value=(channel) selected[filter.channel == channel] { (channel) } }
                }
            }
            label { "Name, owner or tag" input name="q" value=(filter.q) size="14" maxlength="60"; }
            button { "Filter" }
            span.faint { (summary) }
        }
    }
}

fn grid(view: View<'_>, rows: &[Row<'_>]) -> Markup {
    html! {
        table.grid {
            thead { tr {
                th scope="col" { "Reply path" }
                th scope="col" { "State" }
                @for stage in Stage::ALL { th scope="col" { (stage) } }
                th scope="col" { "Last " (super::board::HISTORY) " runs" }
                @if view.viewer.may_start() { th scope="col" { "Run" } }
            } }
            tbody {
                @for row in rows {
                    @match row {
                        Row::Gateway { name, said } => tr.gateway { th colspan="14" scope="rowgroup" { (name) " " span.faint { (said) } } },
                        Row::Folded { name, said } => tr.gateway {
                            th colspan="14" scope="rowgroup" {
                                a href=(format!("{}?gateway={}", view.base.to(""), super::filter::encode(name))) { (name) } " " span.ok { "✓ " (said) }
                            }
                        },
                        Row::Probe { seat, state, said } => (probe(view, seat, *state, said)),
                    }
                }
            }
        }
        @if rows.is_empty() { p.notice { "Nothing matches. " a href=(view.base.to("")) { "Show all" } } }
    }
}

fn probe(view: View<'_>, seat: &Seat, state: super::state::State, said: &str) -> Markup {
    let name = seat.probe.name.as_str();
    let last = seat.last.as_ref();
    html! {
        tr {
            th.probe scope="row" {
                a href=(view.base.probe(name)) { (name) }
                @if seat.unproven { " " span.faint title="The desk's definition was never tried on the real product" { "(unproven desk)" } }
            }
            td.state {
                b.(state.id()) { (state.sign()) " " (state.word()) } " " span.faint { (said) }
                (under_way(view.base, seat, view.now))
            }
            @match last {
                Some(last) => { @for cell in &last.cells { (cell_of(cell)) } },
                None => { @for stage in Stage::ALL { td.cell.never data-stage=(stage) { span.faint { "–" } } } },
            }
            td { (strip(seat)) }
            @if view.viewer.may_start() { td { (start(view, name)) } }
        }
    }
}

fn cell_of(cell: &Cell) -> Markup {
    let word = outcome_word(cell.outcome);
    let class = cell.outcome.map_or("waiting", Outcome::as_str);
    html! {
        td.cell.(class) data-stage=(cell.stage) {
            @match cell.outcome {
                Some(Outcome::Skipped) => span title="left out" { "–" },
                Some(Outcome::NotReached) => span title="not reached" { "·" },
                _ => { (word) @if let Some(seconds) = cell.seconds { " " span.faint { (look::duration(seconds)) } } },
            }
        }
    }
}

/// What is under way now.
pub fn under_way(base: Base, seat: &Seat, now: Timestamp) -> Markup {
    html! {
        @for run in seat.running.values().take(2) {
            br;
            a.waiting href=(base.run(run.run.id.as_str())) {
                "running "
                @if let Some(cell) = run.cells.iter().find(|c| c.outcome.is_none()) { "at " (cell.stage) " " }
                "for " (super::state::ago(run.run.started, now))
            }
        }
    }
}

/// The form that starts a run.
pub fn start(view: View<'_>, probe: &str) -> Markup {
    html! {
        form.inline method="post" action=(view.base.to(&format!("probes/{probe}/run"))) {
            input type="hidden" name="csrf" value=(view.csrf);
            button aria-label=(format!("Run now: {probe}")) { "Run now" }
        }
    }
}
