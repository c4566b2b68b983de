//! Business time: how long a desk was open between two moments, and when so much of it will have passed.

use crate::model::Calendar;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::time::Duration;

/// Days that are looked through at most: ten years. A calendar that is not open in them never is.
const LOOK_AHEAD_DAYS: usize = 3_660;

/// Reads a calendar in its zone. None: the zone is not known on this machine.
fn zone(calendar: &Calendar) -> Option<TimeZone> {
    if calendar.zone == "UTC" { Some(TimeZone::UTC) } else { TimeZone::get(&calendar.zone).ok() }
}

/// The open times of a day, first to last, as moments. Where a clock change leaves a time out, the next one counts.
fn open_times(calendar: &Calendar, zone: &TimeZone, day: Date) -> Vec<(Timestamp, Timestamp)> {
    if calendar.holidays.contains(&day) {
        return Vec::new();
    }
    let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
    let moment = |minutes: u16| {
        // 24:00 is the begin of the next day.
        let (day, minutes) = if minutes >= 1_440 { (day.tomorrow().ok()?, 0) } else { (day, minutes) };
        let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
        Some(day.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?.timestamp())
    };
    let hours = calendar.hours.get(weekday).map(Vec::as_slice).unwrap_or_default();
    let times = hours.iter().filter_map(|(begin, end)| Some((moment(*begin)?, moment(*end)?)));
    times.filter(|(begin, end)| begin < end).collect()
}

/// The days from that of `start` on, at most ten years of them.
fn days(zone: &TimeZone, start: Timestamp) -> impl Iterator<Item = Date> {
    let first = start.to_zoned(zone.clone()).date();
    std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(LOOK_AHEAD_DAYS)
}

fn length(begin: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(begin)).unwrap_or_default()
}

/// How long the desk was open between two moments; zero when `to` is not after `from`, and at most what ten years hold.
/// A calendar whose zone is not known counts every hour.
pub fn open_between(calendar: &Calendar, from: Timestamp, to: Timestamp) -> Duration {
    let Some(zone) = zone(calendar) else { return length(from, to) };
    let last = to.to_zoned(zone.clone()).date();
    let mut open = Duration::ZERO;
    for day in days(&zone, from).take_while(|day| *day <= last) {
        for (begin, end) in open_times(calendar, &zone, day) {
            open += length(begin.max(from), end.min(to));
        }
    }
    open
}

/// When `business` of open time will have passed since `start`. None: never within ten years, or the zone is not known.
pub fn deadline(calendar: &Calendar, start: Timestamp, business: Duration) -> Option<Timestamp> {
    let zone = zone(calendar)?;
    let mut left = business;
    for day in days(&zone, start) {
        for (begin, end) in open_times(calendar, &zone, day) {
            let begin = begin.max(start);
            let open = length(begin, end);
            if !open.is_zero() && open >= left {
                return begin.checked_add(SignedDuration::try_from(left).ok()?).ok();
            }
            left -= open.min(left);
        }
    }
    None
}

/// The end of the last open hour of the `count`-th business day after the day of `start`. A message that comes before the desk
/// opens belongs to that day, so the answer is the kindest one. None: never within ten years.
pub fn end_of_day(calendar: &Calendar, start: Timestamp, count: u32) -> Option<Timestamp> {
    let zone = zone(calendar)?;
    let open_days = days(&zone, start).skip(1).filter_map(|day| open_times(calendar, &zone, day).last().map(|(_, end)| *end));
    open_days.take(usize::try_from(count).ok()?).last().filter(|_| count > 0)
}

/// `start` and so many days of 24 hours.
pub fn days_after(start: Timestamp, count: u32) -> Option<Timestamp> {
    start.checked_add((i64::from(count) * 24).hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn office(zone: &str) -> Calendar {
        let mut hours: [Vec<(u16, u16)>; 7] = std::array::from_fn(|_| vec![(540, 720), (780, 1_020)]);
        (hours[5], hours[6]) = (Vec::new(), Vec::new());
        let holidays: BTreeSet<Date> = ["2026-12-25".parse().unwrap()].into();
        Calendar { name: "office".into(), zone: zone.into(), hours, holidays }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn nights_weekends_lunch_and_holidays_do_not_count() {
        let vienna = office("Europe/Vienna");
        // Thursday 16:00 in Vienna, one hour before closing; Friday is a holiday.
        let start = at("2026-12-24T15:00:00Z");
        assert_eq!(deadline(&vienna, start, HOUR), Some(at("2026-12-24T16:00:00Z")));
        assert_eq!(deadline(&vienna, start, HOUR * 2), Some(at("2026-12-28T09:00:00Z")));
        assert_eq!(deadline(&vienna, start, HOUR * 5), Some(at("2026-12-28T13:00:00Z")));
        assert_eq!(open_between(&vienna, start, at("2026-12-28T13:00:00Z")), HOUR * 5);
        assert_eq!(open_between(&vienna, start, start), Duration::ZERO);
        assert_eq!(open_between(&vienna, start, at("2026-12-20T00:00:00Z")), Duration::ZERO);
        assert_eq!(end_of_day(&vienna, start, 1), Some(at("2026-12-28T16:00:00Z")));
        assert_eq!(end_of_day(&vienna, at("2026-12-21T02:00:00Z"), 1), Some(at("2026-12-22T16:00:00Z")));
    }

    #[test]
    fn a_changed_clock_changes_no_business_hour_and_a_day_round_the_clock_has_23_or_25() {
        let vienna = office("Europe/Vienna");
        // Clocks go forward on Sunday 2026-03-29: nine o'clock is 07:00Z on Monday, and was 08:00Z on Friday.
        assert_eq!(deadline(&vienna, at("2026-03-27T16:00:00Z"), HOUR), Some(at("2026-03-30T08:00:00Z")));
        let mut always = vienna;
        always.hours = std::array::from_fn(|_| vec![(0, 1_440)]);
        let open = |from: &str, to: &str| open_between(&always, at(from), at(to)).as_secs() / 3_600;
        assert_eq!(open("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 23);
        assert_eq!(open("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), 25);
    }

    #[test]
    fn a_desk_that_never_opens_has_no_deadline() {
        let closed = Calendar { hours: Default::default(), ..office("UTC") };
        assert_eq!(deadline(&closed, at("2026-11-25T00:00:00Z"), HOUR), None);
        assert_eq!(end_of_day(&closed, at("2026-11-25T00:00:00Z"), 1), None);
        assert_eq!(open_between(&closed, at("2026-11-25T00:00:00Z"), at("2027-11-25T00:00:00Z")), Duration::ZERO);
        assert_eq!(deadline(&office("Nowhere/Town"), at("2026-11-25T00:00:00Z"), HOUR), None);
    }

    proptest! {
        #[test]
        fn until_the_deadline_just_so_much_was_open(start in 1_700_000_000i64..1_900_000_000, minutes in 1u64..20_000, place in 0usize..4) {
            let calendar = office(["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe"][place]);
            let start = Timestamp::from_second(start).unwrap();
            let business = Duration::from_secs(minutes * 60);
            let end = deadline(&calendar, start, business).unwrap();
            prop_assert_eq!(open_between(&calendar, start, end), business);
            prop_assert!(open_between(&calendar, start, end - SignedDuration::from_secs(1)) < business);
        }
    }
}
