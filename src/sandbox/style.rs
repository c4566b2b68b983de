//! What differs from one desk to the next without being a fault: wording, numbers, threading habits, delays.

use std::sync::Mutex;
use std::time::Duration;

/// A small generator (SplitMix64): the same seed draws the same desk.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end` (which must not be zero; zero gives zero).
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// How the desk's mail refers to what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threading {
    /// In-Reply-To and References name the customer's mails.
    Classic,
    /// Answers name only an id of the ticket, which the acknowledgement names beside the customer's mail (as RT does).
    TicketId,
    /// Only In-Reply-To, the message answered last.
    ParentOnly,
}

/// How an answer shows the earlier mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quote {
    /// `On …, … wrote:` and lines with `> `.
    Marked,
    /// `-----Original Message-----` and the plain text.
    Original,
    /// `##- Please type your reply above this line -##` first, then the history.
    AboveLine,
}

/// The habits of one desk.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub(crate) first_ticket: u64,
    pub(crate) threading: Threading,
    pub(crate) quote: Quote,
    /// Subject tags as `[desk.test #12]` rather than `[SB-12]`.
    pub(crate) long_tag: bool,
    /// The acknowledgement repeats the customer's subject.
    pub(crate) ack_names_subject: bool,
    /// The acknowledgement repeats the customer's text.
    pub(crate) ack_quotes: bool,
    /// Headers of a human answer say `Precedence: bulk`.
    pub(crate) bulk_replies: bool,
    /// Bodies go out as base64 rather than quoted-printable.
    pub(crate) base64: bool,
    /// Message-ID and Date stand first.
    pub(crate) ids_first: bool,
    pub(crate) greeting: &'static str,
    pub(crate) thanks: &'static str,
    pub(crate) closing: &'static str,
    pub(crate) agent: &'static str,
}

impl Style {
    pub(crate) fn draw(seed: u64) -> Style {
        let mut rng = Rng::new(seed ^ 0x005E_ED0F_DE5C);
        Style {
            first_ticket: 1 + rng.below(9_000),
            threading: rng.pick(&[Threading::Classic, Threading::TicketId, Threading::ParentOnly]),
            quote: rng.pick(&[Quote::Marked, Quote::Original, Quote::AboveLine]),
            long_tag: rng.below(2) == 0,
            ack_names_subject: rng.below(3) > 0,
            ack_quotes: rng.below(3) == 0,
            bulk_replies: rng.below(3) == 0,
            base64: rng.below(3) == 0,
            ids_first: rng.below(2) == 0,
            greeting: rng.pick(&["Hello,", "Good day,", "Dear customer,", "Hi there,"]),
            thanks: rng.pick(&["Thank you for writing to us.", "We received your message.", "Your request has reached us."]),
            closing: rng.pick(&["Kind regards", "Best wishes", "Yours sincerely"]),
            agent: rng.pick(&["Robin", "Kim", "Sascha", "Noor"]),
        }
    }
}

/// Draws delays, scaled by the chosen speed.
#[derive(Debug)]
pub(crate) struct Pace {
    rng: Mutex<Rng>,
    speed: f64,
}

impl Pace {
    pub(crate) fn new(seed: u64, speed: f64) -> Pace {
        Pace { rng: Mutex::new(Rng::new(seed.wrapping_add(1))), speed: if speed > 0.0 { speed } else { 1.0 } }
    }

    /// A delay between `from` and `to` milliseconds at speed 1.
    pub(crate) fn between(&self, from: u64, to: u64) -> Duration {
        let drawn = from + self.lock().below(to.saturating_sub(from) + 1);
        self.scaled(Duration::from_millis(drawn))
    }

    /// A delay at speed 1, scaled.
    pub(crate) fn scaled(&self, delay: Duration) -> Duration {
        Duration::try_from_secs_f64(delay.as_secs_f64() / self.speed).unwrap_or(delay)
    }

    /// `count` lower-case hexadecimal digits.
    pub(crate) fn hex(&self, count: usize) -> String {
        let mut rng = self.lock();
        (0..count).map(|_| char::from_digit(rng.below(16) as u32, 16).unwrap_or('0')).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rng> {
        self.rng.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_draw_different_desks_and_the_same_seed_the_same() {
        let drawn: Vec<Style> = (0..60).map(Style::draw).collect();
        for threading in [Threading::Classic, Threading::TicketId, Threading::ParentOnly] {
            assert!(drawn.iter().any(|s| s.threading == threading));
        }
        for quote in [Quote::Marked, Quote::Original, Quote::AboveLine] {
            assert!(drawn.iter().any(|s| s.quote == quote));
        }
        assert_eq!(format!("{:?}", Style::draw(7)), format!("{:?}", Style::draw(7)));
        assert_ne!(Style::draw(7).first_ticket, Style::draw(8).first_ticket);
    }
}
