//! Badges: one for all probes and one for each, as SVG and in the form that shields.io reads (its "endpoint" schema).

use super::board::Seats;
use super::news::News;
use super::state::State;
use jiff::Timestamp;
use maud::html;
use serde_json::{Value, json};

/// A badge's texts.
pub struct Badge {
    label: String,
    message: String,
    /// What shields calls the colour, and the colour itself: dark enough for white letters.
    colour: (&'static str, &'static str),
}

const GREEN: (&str, &str) = ("brightgreen", "#1a7f37");
const RED: (&str, &str) = ("red", "#b3261e");
const AMBER: (&str, &str) = ("orange", "#8a5a00");
const GREY: (&str, &str) = ("lightgrey", "#5a6068");

impl Badge {
    /// Of all probes together.
    pub fn of_all(news: &News) -> Badge {
        let count = |state| news.counts.get(&state).copied().unwrap_or(0);
        let (message, colour) = match news.tone {
            "broken" => (format!("{} of {} broken", count(State::Failing), news.total), RED),
            "ok" => (format!("{} ok", count(State::Ok)), GREEN),
            _ => ("unknown".to_owned(), AMBER),
        };
        Badge { label: "reply paths".to_owned(), message, colour }
    }

    /// Of one probe; none when there is no such probe. `stuck`: the scheduler no longer looks, so nothing holds any more.
    pub fn of_probe(name: &str, seats: &Seats, stuck: bool, now: Timestamp) -> Option<Badge> {
        let seat = seats.get(name)?;
        let state = if stuck { State::Unknown } else { State::of(seat, now) };
        let colour = match state {
            State::Ok => GREEN,
            State::Failing => RED,
            State::Unknown | State::Overdue => AMBER,
            State::Never | State::Resting => GREY,
        };
        Some(Badge { label: name.to_owned(), message: state.word().to_owned(), colour })
    }

    /// For shields.io.
    pub fn json(&self) -> Value {
        json!({ "schemaVersion": 1, "label": self.label, "message": self.message, "color": self.colour.0 })
    }

    /// The picture, whose text says all that its colour does.
    pub fn svg(&self) -> String {
        // About the width of a letter of 11 pixels; the text is fitted to it whatever the font.
        let wide = |text: &str| text.chars().count() * 7 + 12;
        let (left, right) = (wide(&self.label), wide(&self.message));
        let text = |x: usize, width: usize, said: &str| {
            html! {
                text x=(x + width / 2) y="14" text-anchor="middle" textLength=(width - 12) lengthAdjust="spacingAndGlyphs" { (said) }
            }
        };
        let title = format!("{}: {}", self.label, self.message);
        html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(left + right) height="20" role="img" aria-label=(title) {
                title { (title) }
                rect width=(left + right) height="20" rx="3" fill="#3c4148" {}
                rect x=(left) width=(right) height="20" rx="3" fill=(self.colour.1) {}
                g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" {
                    (text(0, left, &self.label)) (text(left, right, &self.message))
                }
            }
        }
        .into_string()
    }
}
