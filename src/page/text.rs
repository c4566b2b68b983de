//! `/status.txt`: the overview for a terminal, and words that several faces share.

use super::board::Seats;
use super::filter::{Filter, Row};
use super::news::News;
use crate::diagnosis::catalogue;
use jiff::Timestamp;
use std::fmt::Write;

/// So many lines of probes; the first line counts them all.
const LINES: usize = 500;

/// What a fault is called, by its id.
pub fn title(fault: &str) -> &str {
    catalogue::fault(fault).map_or(fault, |f| f.title.as_str())
}

/// The text: the sentence first, then what is not ok, worst first, then the rest.
pub fn status(news: &News, seats: &Seats, now: Timestamp) -> String {
    let mut text = format!("{}.\nAs of {now:.0}\n\n", news.sentence);
    for incident in &news.incidents {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "* {}", incident.sentence(now));
    }
    if !news.incidents.is_empty() {
        text.push('\n');
    }
    for row in Filter::default().all(seats, now).iter().take(LINES) {
        if let Row::Probe { seat, state, said } = row {
            let _ = writeln!(text, "{:<9}  {:<40}  {said}", state.word(), seat.probe.name);
        }
    }
    if seats.len() > LINES {
        let _ = writeln!(text, "and more: {} in all", seats.len());
    }
    text
}
