//! Which rows the overview shows, told by its address, and in which order: the worst first, healthy gateways folded.

use super::board::{Seat, Seats};
use super::state::{State, detail};
use crate::model::Verdict;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// So many probes stand open; with more, gateways whose probes are all well are one line each.
const OPEN: usize = 30;
/// So many lines stand on one page, so that it stays small whatever is broken.
const LINES: usize = 75;

/// The address's query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// `all`, `broken` (not ok now) or `recent` (not ok among the last runs).
    pub show: String,
    /// Only this gateway.
    pub gateway: String,
    /// Only this channel.
    pub channel: String,
    /// Part of the name, the owner or a tag.
    pub q: String,
    /// From 1.
    pub page: usize,
}

/// One line of the grid.
pub enum Row<'a> {
    /// A gateway whose probes follow.
    Gateway {
        /// Its name.
        name: &'a str,
        /// Channel and counts in words.
        said: String,
    },
    /// A gateway that is well, folded.
    Folded {
        /// Its name.
        name: &'a str,
        /// Counts in words.
        said: String,
    },
    /// A probe.
    Probe {
        /// What is known of it.
        seat: &'a Seat,
        /// How it stands.
        state: State,
        /// What stands beside the word.
        said: String,
    },
}

/// The lines of one page.
pub struct Listed<'a> {
    /// The lines.
    pub rows: Vec<Row<'a>>,
    /// Probes on later pages.
    pub more: usize,
    /// How many there are, in words.
    pub summary: String,
}

impl Filter {
    fn takes(&self, seat: &Seat, state: State) -> bool {
        let probe = &seat.probe;
        let within = |text: &str| text.to_lowercase().contains(&self.q.trim().to_lowercase());
        let bad = |s: State| !matches!(s, State::Ok | State::Resting);
        let shown = match self.show.as_str() {
            "broken" => bad(state),
            "recent" => bad(state) || seat.history.iter().any(|b| b.verdict != Some(Verdict::Pass)),
            _ => true,
        };
        shown
            && (self.gateway.is_empty() || probe.gateway == self.gateway)
            && (self.channel.is_empty() || probe.channel_name() == self.channel)
            && (self.q.trim().is_empty() || within(&probe.name) || within(&probe.owner) || probe.tags.iter().any(|t| within(t)))
    }

    /// The gateways with their probes that this filter takes, the worst first.
    fn groups<'a>(&self, seats: &'a Seats, now: Timestamp) -> Vec<(&'a str, Vec<(State, &'a Seat)>)> {
        let mut gateways: BTreeMap<&str, Vec<(State, &Seat)>> = BTreeMap::new();
        for seat in seats.values().map(|s| &**s) {
            let state = State::of(seat, now);
            if self.takes(seat, state) {
                gateways.entry(&seat.probe.gateway).or_default().push((state, seat));
            }
        }
        let mut groups: Vec<(&str, Vec<(State, &Seat)>)> = gateways.into_iter().collect();
        for (_, probes) in &mut groups {
            probes.sort_by_key(|(state, seat)| (*state, seat.probe.name.as_str()));
        }
        groups.sort_by_key(|(name, probes)| (probes.first().map(|p| p.0), *name));
        groups
    }

    /// Every line, nothing folded.
    pub fn all<'a>(&self, seats: &'a Seats, now: Timestamp) -> Vec<Row<'a>> {
        self.groups(seats, now).into_iter().flat_map(|(name, probes)| group(name, &probes, false, now)).collect()
    }

    /// The lines of the page that is asked for.
    pub fn rows<'a>(&self, seats: &'a Seats, now: Timestamp) -> Listed<'a> {
        let groups = self.groups(seats, now);
        let count: usize = groups.iter().map(|(_, probes)| probes.len()).sum();
        let fold = count > OPEN && self.gateway.is_empty();
        let all: Vec<Row<'a>> = groups.into_iter().flat_map(|(name, probes)| group(name, &probes, fold, now)).collect();
        let page = self.page.max(1);
        let (before, after) = ((page - 1).saturating_mul(LINES), page.saturating_mul(LINES));
        let is_probe = |row: &Row<'_>| matches!(row, Row::Probe { .. } | Row::Folded { .. });
        let more = all.iter().skip(after).filter(|r| is_probe(r)).count();
        let noun = if seats.len() == 1 { "reply path" } else { "reply paths" };
        let summary = if count == seats.len() { format!("{count} {noun}") } else { format!("{count} of {} {noun}", seats.len()) };
        Listed { rows: all.into_iter().skip(before).take(LINES).collect(), more, summary }
    }

    /// The query of the next page.
    pub fn next_page(&self) -> String {
        let parts = [("show", &self.show), ("gateway", &self.gateway), ("channel", &self.channel), ("q", &self.q)];
        let kept = parts.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={}&", encode(value)));
        format!("{}page={}", kept.collect::<String>(), self.page.max(1) + 1)
    }
}

fn group<'a>(name: &'a str, probes: &[(State, &'a Seat)], fold: bool, now: Timestamp) -> Vec<Row<'a>> {
    let well = probes.iter().filter(|(state, _)| *state == State::Ok).count();
    if fold && well == probes.len() {
        let noun = if well == 1 { "reply path is" } else { "reply paths are" };
        return vec![Row::Folded { name, said: format!("{well} {noun} ok") }];
    }
    let channel = probes.first().map_or("", |(_, seat)| seat.probe.channel_name());
    let said = format!("{channel}, {well} of {} ok", probes.len());
    let rows = probes.iter().map(|(state, seat)| Row::Probe { seat, state: *state, said: detail(seat, *state, now) });
    std::iter::once(Row::Gateway { name, said }).chain(rows).collect()
}

/// A value as part of a query (RFC 3986 section 2.1).
pub fn encode(value: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    value.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
