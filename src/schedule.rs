//! When probes run by themselves: pure functions of a schedule and a time, the same answer on every machine.
//!
//! Cron patterns follow `croner` (Vixie rules; `L`, `W`, `#` too). When clocks go forward, a start inside the
//! missing hour happens at the first moment after it; when they go back, a start at a fixed time happens once.

use crate::clock::after;
use crate::model::{AfterStage, Channel, Probe, Schedule, Stage, Window};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Added to every expected result: our own delays must not look like a missing one.
pub const GRACE: Duration = Duration::from_secs(60);

/// A remembered start further ahead than this was written by a wrong clock and counts for nothing.
const BELIEVABLE: Duration = Duration::from_secs(3600);

/// Starts that fall into maintenance windows before we say that there is none.
const LOOK_AHEAD: usize = 10_000;

/// Why a scheduled run was not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// The last run of the probe is still under way.
    Overlap,
    /// A maintenance window is open.
    Maintenance,
    /// Somebody paused the probe.
    Paused,
    /// The account or the desk has no message left in its budget.
    Budget,
    /// Too many runs are at work.
    Capacity,
    /// The run could not be made or stored.
    Error,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [SkipReason; 6] =
        [SkipReason::Overlap, SkipReason::Maintenance, SkipReason::Paused, SkipReason::Budget, SkipReason::Capacity, SkipReason::Error];

    /// The name in metrics, store and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::Overlap => "overlap",
            SkipReason::Maintenance => "maintenance",
            SkipReason::Paused => "paused",
            SkipReason::Budget => "budget",
            SkipReason::Capacity => "capacity",
            SkipReason::Error => "error",
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The next start of `probe`: not before `now` and later than `last`, the last start or skip.
///
/// Starts missed while nothing ran are not caught up. An interval lies on a fixed grid, moved by a hash of the
/// probe's name, so that many probes with one interval spread over it and a restart changes nothing; each start
/// on it is moved later by its own jitter. None: the pattern never matches again, or cannot be read.
pub fn next_start(schedule: &Schedule, last: Option<Timestamp>, now: Timestamp, probe: &str) -> Option<Timestamp> {
    let last = last.filter(|last| *last <= after(now, BELIEVABLE));
    match schedule {
        Schedule::Every { interval, jitter } => next_on_grid(*interval, *jitter, last, now, probe),
        Schedule::Cron { pattern, zone } => next_of_cron(pattern, zone, last, now),
    }
}

fn next_on_grid(interval: Duration, jitter: Duration, last: Option<Timestamp>, now: Timestamp, probe: &str) -> Option<Timestamp> {
    let interval = i64::try_from(interval.as_micros()).ok().filter(|i| *i > 0)?;
    // A longer jitter could turn the order of two starts around.
    let jitter = i64::try_from(jitter.as_micros()).unwrap_or(i64::MAX).min(interval);
    let offset = below(hash(probe, 0), interval);
    let earliest = now.as_microsecond();
    let mut step = earliest.checked_sub(offset)?.checked_sub(jitter)?.div_euclid(interval);
    loop {
        let base = step.checked_mul(interval)?.checked_add(offset)?;
        let at = base.checked_add(below(hash(probe, step.wrapping_add(1)), jitter.saturating_add(1)))?;
        let at = Timestamp::from_microsecond(at).ok()?;
        if at >= now && last.is_none_or(|last| at > last) {
            return Some(at);
        }
        step = step.checked_add(1)?;
    }
}

/// A hash that stays the same for ever (FNV-1a with a final mix), unlike the standard library's.
fn hash(name: &str, number: i64) -> u64 {
    let bytes = name.bytes().chain(number.to_le_bytes());
    let mut h = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// A number from 0 to `limit - 1`; `limit` is positive.
fn below(hash: u64, limit: i64) -> i64 {
    i64::try_from(hash % limit.unsigned_abs().max(1)).unwrap_or(0)
}

fn next_of_cron(pattern: &str, zone: &str, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let (cron, zone) = parse(pattern, zone).ok()?;
    // Patterns know whole seconds: round up, or a start that is just over would be found again.
    let mut from = now.as_microsecond().div_euclid(1_000_000) + i64::from(now.as_microsecond().rem_euclid(1_000_000) > 0);
    if let Some(last) = last {
        from = from.max(last.as_microsecond().div_euclid(1_000_000) + 1);
    }
    let from = Timestamp::from_second(from).ok()?.to_zoned(zone);
    Some(cron.find_next_occurrence(&from, true).ok()?.timestamp())
}

/// Says what is wrong with a cron pattern or a zone's name, for `check`; the message has no final period.
///
/// # Errors
/// When the pattern is not five or six cron fields, never matches, or the zone is not in the IANA database.
pub fn check_cron(pattern: &str, zone: &str) -> Result<(), String> {
    let (cron, zone) = parse(pattern, zone)?;
    let some_day = Zoned::new(Timestamp::UNIX_EPOCH, zone);
    cron.find_next_occurrence(&some_day, true).map(|_| ()).map_err(|_| format!("the cron pattern `{pattern}` never matches any day"))
}

fn parse(pattern: &str, zone: &str) -> Result<(Cron, TimeZone), String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    let cron = parser.parse(pattern).map_err(|e| format!("`{pattern}` is no cron pattern: {e}"))?;
    let zone =
        TimeZone::get(zone).map_err(|_| format!("`{zone}` is no time zone; expected an IANA name such as `Europe/Vienna` or `UTC`"))?;
    Ok((cron, zone))
}

/// True when a maintenance window is open at `at`. A window's end is no longer part of it.
/// A window that cannot be read is never open: `check` refuses it, and a wrong one must not silence a probe.
pub fn in_maintenance(windows: &[Window], at: Timestamp) -> bool {
    windows.iter().any(|window| match window {
        Window::Once { from, until } => *from <= at && at < *until,
        Window::Repeating { start, zone, length } => last_begin(start, zone, at).is_some_and(|begin| at < after(begin, *length)),
    })
}

/// The latest begin of a repeating window that is not after `at`.
fn last_begin(pattern: &str, zone: &str, at: Timestamp) -> Option<Timestamp> {
    let (cron, zone) = parse(pattern, zone).ok()?;
    let second = Timestamp::from_second(at.as_microsecond().div_euclid(1_000_000)).ok()?;
    Some(cron.find_previous_occurrence(&second.to_zoned(zone), true).ok()?.timestamp())
}

/// When the next scheduled result of `probe` is there at the latest: its next start outside maintenance, plus the
/// longest that a run may take, plus [`GRACE`]. None: it has no schedule or none of its starts lies ahead.
pub fn expected_by(probe: &Probe, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let schedule = probe.schedule.as_ref()?;
    let mut start = next_start(schedule, last, now, &probe.name)?;
    for _ in 0..LOOK_AHEAD {
        if !in_maintenance(&probe.maintenance, start) {
            return Some(after(after(start, longest_run(probe)), GRACE));
        }
        start = next_start(schedule, Some(start), start, &probe.name)?;
    }
    None
}

/// The longest that a run of `probe` may take by its limits, from begin to verdict.
pub fn longest_run(probe: &Probe) -> Duration {
    let limit = |stage| if probe.takes(stage) { probe.limit(stage) } else { Duration::ZERO };
    let sum = |stages: &[Stage]| stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(limit(*stage)));
    // A bot may have to be asked for a person before anybody answers.
    let asks = matches!(&probe.channel, Channel::Chat(chat) if chat.hand_over.is_some());
    let before_reply = match probe.reply.after {
        AfterStage::Land if !asks => sum(&[Stage::Send, Stage::Land]),
        AfterStage::Land | AfterStage::Acknowledge => sum(&[Stage::Send, Stage::Land, Stage::Acknowledge]),
    };
    let journey = [
        before_reply.saturating_add(sum(&[Stage::Reply, Stage::Return, Stage::FollowUp])),
        sum(&[Stage::Send, Stage::Accept]),
        sum(&[Stage::Send, Stage::Acknowledge, Stage::FollowUp]),
        sum(&[Stage::Send, Stage::Land, Stage::Queue]),
        sum(&[Stage::Send, Stage::Land, Stage::Format]),
    ];
    let longest = journey.into_iter().max().unwrap_or_default();
    // Clean-up runs whatever the probe takes.
    longest.saturating_add(probe.settle).saturating_add(probe.limit(Stage::CleanUp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(interval: u64, jitter: u64) -> Schedule {
        Schedule::Every { interval: Duration::from_secs(interval), jitter: Duration::from_secs(jitter) }
    }

    fn cron(pattern: &str, zone: &str) -> Schedule {
        Schedule::Cron { pattern: pattern.to_owned(), zone: zone.to_owned() }
    }

    /// The starts of a probe from `from` on, as a daemon that is never away sees them.
    fn starts(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
        let mut last = None;
        let mut now = at(from);
        let mut found = Vec::new();
        while found.len() < count {
            let Some(next) = next_start(schedule, last, now, "mail") else { break };
            found.push(next.to_string());
            (last, now) = (Some(next), next);
        }
        found
    }

    #[test]
    fn many_probes_with_one_interval_spread_over_all_of_it() {
        let now = at("2026-03-01T12:00:00Z");
        let quarters: Vec<i64> = (0..200)
            .map(|n| next_start(&every(900, 0), None, now, &format!("probe-{n}")).unwrap().as_second() - now.as_second())
            .map(|seconds| seconds / 225)
            .collect();
        for quarter in 0..4 {
            let there = quarters.iter().filter(|q| **q == quarter).count();
            assert!((25..=75).contains(&there), "quarter {quarter} has {there} of 200");
        }
        assert_eq!(quarters.iter().collect::<BTreeSet<_>>().len(), 4, "and none lies beyond the interval");
    }

    #[test]
    fn a_restart_neither_repeats_nor_moves_a_start() {
        let schedule = every(900, 60);
        let first = next_start(&schedule, None, at("2026-03-01T12:00:00Z"), "mail").unwrap();
        let second = next_start(&schedule, Some(first), first, "mail").unwrap();
        for seconds in [0, 1, 100, 500] {
            let now = after(first, Duration::from_secs(seconds));
            assert_eq!(next_start(&schedule, Some(first), now, "mail"), Some(second), "restart after {seconds} s");
        }
    }

    #[test]
    fn missed_starts_are_not_caught_up() {
        let long_ago = at("2026-01-01T00:00:00Z");
        let now = at("2026-03-01T12:00:00.000001Z");
        let next = next_start(&every(900, 0), Some(long_ago), now, "mail").unwrap();
        assert!(next >= now && next < after(now, Duration::from_secs(900)));
        assert_ne!(next_start(&every(900, 0), Some(next), next, "mail").unwrap(), next);
        assert_eq!(next_start(&cron("0 3 * * *", "UTC"), Some(long_ago), now, "mail"), Some(at("2026-03-02T03:00:00Z")));
    }

    #[test]
    fn a_start_remembered_from_a_wrong_clock_does_not_silence_the_probe() {
        let now = at("2026-03-01T12:00:00Z");
        for schedule in [every(60, 0), cron("* * * * *", "UTC")] {
            let next = next_start(&schedule, Some(at("2031-01-01T00:00:00Z")), now, "mail").unwrap();
            assert!(next <= after(now, Duration::from_secs(60)), "{schedule:?} {next}");
            // A clock set back by seconds must not start the same run twice.
            let just_started = after(now, Duration::from_secs(2));
            assert!(next_start(&schedule, Some(just_started), now, "mail").unwrap() > just_started);
        }
    }

    #[test]
    fn no_interval_at_all_means_no_start() {
        assert_eq!(next_start(&every(0, 0), None, at("2026-03-01T12:00:00Z"), "mail"), None);
    }

    proptest! {
        #[test]
        fn starts_move_on_and_each_stays_within_its_jitter(
            name in "[a-z]{1,12}", interval in 1u64..100_000, jitter in 0u64..200_000, begin in 0i64..4_000_000_000_000_000,
        ) {
            let schedule = every(interval, jitter);
            let jitter = jitter.min(interval);
            let mut now = Timestamp::from_microsecond(begin).unwrap();
            let offset = below(hash(&name, 0), interval as i64 * 1_000_000);
            let mut last = None;
            for _ in 0..20 {
                let next = next_start(&schedule, last, now, &name).unwrap();
                prop_assert!(next >= now && last.is_none_or(|l| next > l));
                // On the grid, or at most the jitter behind a point of it.
                let behind = (next.as_microsecond() - offset).rem_euclid(interval as i64 * 1_000_000);
                prop_assert!(behind <= jitter as i64 * 1_000_000 || jitter == interval, "{behind}");
                if let Some(last) = last {
                    let apart = next.duration_since(last).as_micros();
                    prop_assert!(apart <= (interval + jitter) as i128 * 1_000_000);
                    prop_assert!(jitter == interval || apart >= (interval - jitter) as i128 * 1_000_000);
                }
                prop_assert_eq!(next_start(&schedule, last, now, &name).unwrap(), next);
                (last, now) = (Some(next), next);
            }
        }

        #[test]
        fn no_start_lies_between_now_and_the_next_one(interval in 1u64..100_000, jitter in 0u64..1000, begin in 0i64..4_000_000_000) {
            let schedule = every(interval, jitter);
            let now = Timestamp::from_second(begin).unwrap();
            let next = next_start(&schedule, None, now, "mail").unwrap();
            for part in 1..8 {
                let between = Timestamp::from_microsecond(now.as_microsecond() + (next.as_microsecond() - now.as_microsecond()) / 8 * part).unwrap();
                prop_assert_eq!(next_start(&schedule, None, between, "mail").unwrap(), next);
            }
        }

        #[test]
        fn cron_starts_move_on_in_every_zone_through_every_change_of_clocks(
            begin in 1_700_000_000i64..1_900_000_000, zone in prop::sample::select(vec!["Europe/Vienna", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
            pattern in prop::sample::select(vec!["30 2 * * *", "*/15 * * * *", "0 0 29 2 *", "30 1 * * SUN", "0 12 L * *"]),
        ) {
            let schedule = cron(pattern, zone);
            let mut now = Timestamp::from_second(begin).unwrap();
            let mut last = None;
            for _ in 0..10 {
                let next = next_start(&schedule, last, now, "mail").unwrap();
                prop_assert!(next >= now && last.is_none_or(|l| next > l), "{:?} {} {}", last, now, next);
                (last, now) = (Some(next), next);
            }
        }
    }

    #[test]
    fn the_day_without_half_past_two_starts_once_after_the_gap() {
        let daily = cron("30 2 * * *", "Europe/Vienna");
        assert_eq!(starts(&daily, "2026-03-28T00:00:00Z", 3), ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn the_day_with_half_past_two_twice_starts_once_and_quarters_go_on_through_both_hours() {
        let daily = cron("30 2 * * *", "Europe/Vienna");
        assert_eq!(starts(&daily, "2026-10-24T00:00:00Z", 3), ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let half_hours = cron("*/30 * * * *", "Europe/Vienna");
        assert_eq!(
            starts(&half_hours, "2026-10-25T00:00:00Z", 5),
            ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"]
        );
    }

    #[test]
    fn the_leap_day_comes_every_four_years() {
        let leap = cron("0 6 29 2 *", "Europe/Vienna");
        assert_eq!(starts(&leap, "2026-03-01T00:00:00Z", 2), ["2028-02-29T05:00:00Z", "2032-02-29T05:00:00Z"]);
    }

    #[test]
    fn six_fields_have_seconds_and_a_pattern_that_cannot_be_read_has_no_start() {
        assert_eq!(starts(&cron("*/20 * * * * *", "UTC"), "2026-03-01T12:00:00.5Z", 2), ["2026-03-01T12:00:20Z", "2026-03-01T12:00:40Z"]);
        for (pattern, zone, words) in [
            ("61 * * * *", "UTC", "no cron pattern"),
            ("* * *", "UTC", "no cron pattern"),
            ("0 0 0 1 1 * 2030", "UTC", "no cron pattern"),
            ("0 0 30 2 *", "UTC", "never matches"),
            ("0 0 * * *", "Europe/Wien", "no time zone"),
        ] {
            assert_eq!(next_start(&cron(pattern, zone), None, at("2026-03-01T12:00:00Z"), "mail"), None);
            let error = check_cron(pattern, zone).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        check_cron("0 7-19 * * MON-FRI", "Europe/Vienna").unwrap();
    }

    #[test]
    fn windows_open_with_their_begin_and_are_closed_at_their_end() {
        let once = Window::Once { from: at("2026-03-01T10:00:00Z"), until: at("2026-03-01T11:00:00Z") };
        // Sundays from two at night for four hours, through the change of clocks.
        let weekly =
            Window::Repeating { start: "0 1 * * SUN".to_owned(), zone: "Europe/Vienna".to_owned(), length: Duration::from_secs(4 * 3600) };
        let both = [once, weekly];
        for (time, open) in [
            ("2026-03-01T09:59:59.999999Z", false),
            ("2026-03-01T10:00:00Z", true),
            ("2026-03-01T10:59:59.999999Z", true),
            ("2026-03-01T11:00:00Z", false),
            ("2026-03-28T23:59:59Z", false),
            ("2026-03-29T00:00:00Z", true),
            ("2026-03-29T03:59:59.5Z", true),
            ("2026-03-29T04:00:00Z", false),
            ("2026-03-30T01:00:00Z", false),
        ] {
            assert_eq!(in_maintenance(&both, at(time)), open, "{time}");
        }
        assert!(!in_maintenance(&[], at("2026-03-01T10:30:00Z")));
        let broken = Window::Repeating { start: "no".to_owned(), zone: "UTC".to_owned(), length: Duration::MAX };
        assert!(!in_maintenance(&[broken], at("2026-03-01T10:30:00Z")));
    }

    fn probe() -> Probe {
        let mut probe = crate::store::tests::probe("mail");
        for (stage, seconds) in Stage::ALL.into_iter().zip([1, 10, 100, 1_000, 2_000, 10_000, 5, 50, 500, 7]) {
            probe.set_limit(stage, Duration::from_secs(seconds));
        }
        probe.settle = Duration::from_secs(3);
        probe
    }

    #[test]
    fn the_longest_run_is_the_longest_way_through_the_stages_taken() {
        let mut probe = probe();
        probe.set_limit(Stage::Acknowledge, Duration::ZERO);
        // send + land + format outlasts the answer's way; settle and clean-up follow.
        assert_eq!(longest_run(&probe), Duration::from_secs(1 + 100 + 2_000 + 3 + 7));
        probe.stages = BTreeSet::from([Stage::Send, Stage::Land, Stage::Reply, Stage::Return, Stage::FollowUp]);
        assert_eq!(longest_run(&probe), Duration::from_secs(1 + 100 + 5 + 50 + 500 + 3 + 7));
        probe.set_limit(Stage::Acknowledge, Duration::from_secs(10_000));
        probe.stages.insert(Stage::Acknowledge);
        assert_eq!(longest_run(&probe), Duration::from_secs(1 + 10_000 + 500 + 3 + 7));
        probe.reply.after = AfterStage::Acknowledge;
        assert_eq!(longest_run(&probe), Duration::from_secs(1 + 100 + 10_000 + 5 + 50 + 500 + 3 + 7));
    }

    #[test]
    fn a_chat_with_a_bot_may_take_as_long_as_the_bot() {
        let mut probe = probe();
        probe.stages = BTreeSet::from([Stage::Send, Stage::Land, Stage::Acknowledge, Stage::Reply]);
        probe.set_limit(Stage::Acknowledge, Duration::from_secs(1_000));
        let mut chat = crate::report::sample::chat();
        let with = |chat| Probe { channel: Channel::Chat(Box::new(chat)), ..probe.clone() };
        assert_eq!(longest_run(&with(chat.clone())), Duration::from_secs(1 + 100 + 1_000 + 5 + 3 + 7));
        chat.hand_over = None;
        assert_eq!(longest_run(&with(chat)), Duration::from_secs(1 + 1_000 + 3 + 7));
    }

    #[test]
    fn a_result_is_expected_after_the_next_start_that_maintenance_allows() {
        let mut probe = probe();
        let now = at("2026-03-01T12:00:00Z");
        assert_eq!(expected_by(&probe, None, now), None, "no schedule");
        probe.schedule = Some(cron("0 * * * *", "UTC"));
        probe.stages = BTreeSet::from([Stage::Send]);
        let run = Duration::from_secs(1 + 3 + 7 + 60);
        assert_eq!(expected_by(&probe, Some(now), now), Some(after(at("2026-03-01T13:00:00Z"), run)));
        probe.maintenance = vec![Window::Once { from: now, until: at("2026-03-01T15:30:00Z") }];
        assert_eq!(expected_by(&probe, Some(now), now), Some(after(at("2026-03-01T16:00:00Z"), run)));
        probe.maintenance = vec![Window::Once { from: now, until: Timestamp::MAX }];
        assert_eq!(expected_by(&probe, Some(now), now), None);
    }

    #[test]
    fn reasons_have_the_words_of_the_metrics() {
        let words: Vec<String> = SkipReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["overlap", "maintenance", "paused", "budget", "capacity", "error"]);
    }
}
