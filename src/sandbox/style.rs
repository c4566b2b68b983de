//! What differs from one desk to the next without being a fault: wording, numbers, threading habits, delays.

use super::tongue::{Tongue, VACATIONS, Vacation};
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
    /// Where the other headers begin: their order is turned by so many places.
    pub(crate) header_turn: u64,
    /// Reply-To is a sub-address of the queue's that names the ticket.
    pub(crate) tagged_replies: bool,
    /// What looks automatic is suspended rather than dropped, where the desk minds.
    pub(crate) suspends_automated: bool,
    /// The mark that a provider of machines puts on mail.
    pub(crate) machine_mark: &'static str,
    /// How the customer's provider throttles.
    pub(crate) throttle: (u16, &'static str),
    pub(crate) tongue: Tongue,
    /// How the customers' provider says that somebody is away.
    pub(crate) vacation: Vacation,
    pub(crate) agent: &'static str,
    /// The colleague who tidies up.
    pub(crate) colleague: &'static str,
    /// Names of the rules that move and that acknowledge.
    pub(crate) rules: [&'static str; 2],
    /// Why a ticket is suspended: spam, authentication, loop, automatic.
    pub(crate) causes: [&'static str; 4],
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
            header_turn: rng.below(6),
            tagged_replies: rng.below(3) == 0,
            suspends_automated: rng.below(2) == 0,
            machine_mark: rng.pick(&["Precedence: bulk", "Auto-Submitted: auto-generated", "Precedence: list"]),
            throttle: rng.pick(&[
                (421, "4.7.0 Too many messages from this account, try again later"),
                (450, "4.7.1 Rate limited: slow down"),
                (451, "4.7.28 Our systems have detected an unusual rate of mail"),
            ]),
            tongue: Tongue::draw(&mut rng),
            vacation: rng.pick(&VACATIONS),
            agent: rng.pick(&["Robin", "Kim", "Sascha", "Noor"]),
            colleague: rng.pick(&["Lena Horn", "Petr Malý", "Ines Duarte"]),
            rules: [
                rng.pick(&["rule Key accounts", "rule Organisation owners", "rule Night shift"]),
                rng.pick(&["rule Acknowledge new requests", "trigger auto reply (new tickets)", "rule 3 First answer"]),
            ],
            causes: [
                rng.pick(&["detected as spam", "spam score 9.1 of 5"]),
                rng.pick(&["failed email authentication", "sender authentication (DMARC) failed"]),
                rng.pick(&["detected as email loop", "email loop: too many tickets of one sender"]),
                rng.pick(&["automated response mail", "email was marked as automatic or bulk"]),
            ],
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
