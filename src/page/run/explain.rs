//! What the fault of a run means and what to do about it, from the catalogue.

use crate::diagnosis::catalogue::{self, Fault};
use crate::model::{ContextReport, Run};
use crate::page::frame::View;
use maud::{Markup, html};

/// The fault that was singled out, explained; else the candidates, the likeliest first. Empty for a pass.
pub fn explain(view: View<'_>, run: &Run) -> Markup {
    let Some(d) = &run.diagnosis else { return html! {} };
    let ids = d.fault.iter().chain(&d.candidates);
    let mut found: Vec<&Fault> = Vec::new();
    for fault in ids.filter_map(|id| catalogue::fault(id)) {
        if !found.iter().any(|f| f.id == fault.id) {
            found.push(fault);
        }
    }
    let context = ContextReport::of(&run.context);
    html! {
        @if let Some((first, others)) = found.split_first() {
            h2 { @if d.fault.is_some() { "What broke: " } @else { "Most likely: " } (first.title) }
            dl.facts {
                dt { "Customers see" } dd { (with_code(&first.customer_sees)) }
                dt { "Usual cause" } dd { (with_code(&first.usual_cause)) }
                dt { "What to look at" } dd { (with_code(&first.look_at)) }
                dt { "Told apart by" } dd { (with_code(&first.separates)) }
                dt { "In the terminal" } dd { code { "replypath faults " (first.id) } }
            }
            @if !others.is_empty() {
                p { @if d.fault.is_some() { "Less likely:" } @else { "Or:" } }
                ul { @for fault in others { li { (fault.title) " " code { (fault.id) } } } }
            }
        }
        @if view.viewer.sees_evidence() && !context.is_empty() {
            // What separates causes stands open; runs beside it are many and rarely wanted.
            @let (others, asked): (Vec<_>, Vec<_>) = context.iter().take(60).partition(|fact| fact.kind == "neighbour");
            h2 { "Seen beside this run" }
            @if !asked.is_empty() { (beside(&asked, view)) }
            @if !others.is_empty() {
                details { summary { (others.len()) " other runs of the same minutes" } (beside(&others, view)) }
            }
        }
    }
}

/// The catalogue sets commands and settings between backticks.
fn with_code(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn beside(facts: &[&ContextReport], view: View<'_>) -> Markup {
    html! {
        div.scroll tabindex="0" { table.log {
            thead { tr { th scope="col" { "Kind" } th scope="col" { "About" } th scope="col" { "Outcome" } th scope="col" { "Found" } th scope="col" { "Run" } } }
            tbody { @for fact in facts { tr {
                td { (fact.kind) } td { (fact.about) } td.(fact.outcome.as_deref().unwrap_or("never")) { (fact.outcome.as_deref().unwrap_or("–")) } td { (fact.found) }
                td { @if let Some(run) = &fact.run { a href=(view.base.run(run)) { (run) } } }
            } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_all_of_it_is_escaped() {
        let shown = |text| with_code(text).into_string();
        assert_eq!(shown("Set `a < b`, then look."), "Set <code>a &lt; b</code>, then look.");
        assert_eq!(shown("<b>"), "&lt;b&gt;");
        let all = catalogue::all().iter().flat_map(|f| [&f.customer_sees, &f.usual_cause, &f.look_at, &f.separates]);
        assert!(all.into_iter().all(|text| text.matches('`').count() % 2 == 0), "a backtick without its other");
    }
}
