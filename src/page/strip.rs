//! A probe's last runs as a strip: one mark each, told in words beside it.

use super::board::Seat;
use crate::model::Verdict;
use maud::{Markup, html};
use std::fmt::Write;

/// The strip: passes are short marks, failures fill the height, what could not be judged hangs from the top. Oldest first.
pub fn strip(seat: &Seat) -> Markup {
    let words = words(seat);
    if seat.history.is_empty() {
        return html! { span.faint { (words) } };
    }
    let [mut ok, mut fail, mut unknown] = [String::new(), String::new(), String::new()];
    for (n, run) in seat.history.iter().enumerate() {
        let x = n * 4 + 2;
        // Writing into a string cannot fail.
        let _ = match run.verdict {
            Some(Verdict::Pass) => write!(ok, "M{x} 14v6"),
            Some(Verdict::Fail) => write!(fail, "M{x} 2v18"),
            _ => write!(unknown, "M{x} 2v9"),
        };
    }
    html! {
        svg.strip viewBox="0 0 162 22" role="img" aria-label=(words) {
            title { (words) }
            @for (class, path) in [("s-ok", ok), ("s-fail", fail), ("s-unknown", unknown)] {
                @if !path.is_empty() { path class=(class) d=(path) {} }
            }
        }
    }
}

/// The strip in words.
pub fn words(seat: &Seat) -> String {
    let count = |verdict| seat.history.iter().filter(|b| b.verdict == Some(verdict)).count();
    let parts = [(count(Verdict::Fail), "failed"), (count(Verdict::Unknown), "unknown")];
    let parts: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    match (seat.history.len(), parts.is_empty()) {
        // The daemon has just started.
        (0, _) if seat.last.is_some() => "still being read".to_owned(),
        (0, _) => "no run yet".to_owned(),
        (n, true) => format!("all {n} passed"),
        (n, false) => format!("{} of {n}", parts.join(", ")),
    }
}
