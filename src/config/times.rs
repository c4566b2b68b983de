//! Cron patterns and time zones, and how often a schedule comes.

use super::read::{At, Doc};
use crate::model::Schedule;
use crate::problem::nearest;
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// A fixed Monday, so that the answer for a pattern never depends on the day of the check.
const MONDAY: Timestamp = Timestamp::constant(1_767_571_200, 0);
const LOOK_AHEAD: usize = 200;

/// Reads a cron pattern; one that never comes is refused too.
pub fn cron(key: &str, pattern: &At<String>, doc: &mut Doc) -> Option<Cron> {
    const HELP: &str = "five fields: minute hour day month weekday, for instance \"*/15 8-18 * * mon-fri\"";
    let cron: Cron = match pattern.value.parse() {
        Ok(cron) => cron,
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.rsplit(": ").next().unwrap_or_default().trim_end_matches('.').to_lowercase();
            let place = wrong_field(&pattern.value).map_or(pattern.span.clone(), |part| doc.inside(&pattern.span, &pattern.value, part));
            doc.problem(place, format!("`{key}` is not a cron pattern: {reason}"), HELP.to_owned());
            return None;
        }
    };
    let first = cron.find_next_occurrence(&MONDAY.to_zoned(TimeZone::UTC), true);
    if first.is_err() {
        doc.problem(pattern.span.clone(), format!("`{key}` never comes"), HELP.to_owned());
        return None;
    }
    Some(cron)
}

/// The first field that is wrong by itself.
fn wrong_field(pattern: &str) -> Option<std::ops::Range<usize>> {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    if !(5..=6).contains(&fields.len()) {
        return None;
    }
    let wrong = |at: usize| {
        let alone: Vec<&str> = fields.iter().enumerate().map(|(i, f)| if i == at { *f } else { "*" }).collect();
        alone.join(" ").parse::<Cron>().is_err()
    };
    let field = fields[(0..fields.len()).find(|at| wrong(*at))?];
    // The fields are parts of the pattern, so their places in memory tell their places in it.
    let start = field.as_ptr() as usize - pattern.as_ptr() as usize;
    Some(start..start + field.len())
}

/// Reads the name of a time zone; none given: UTC.
pub fn zone(name: Option<&At<String>>, doc: &mut Doc) -> Option<TimeZone> {
    let Some(name) = name else { return Some(TimeZone::UTC) };
    if name.value == "UTC" {
        return Some(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(&name.value) {
        return Some(zone);
    }
    let names: Vec<String> = jiff::tz::db().available().map(|n| n.as_str().to_owned()).collect();
    let help = match nearest(&name.value, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write an IANA name such as \"Europe/Vienna\" or \"UTC\"".to_owned(),
    };
    doc.problem(name.span.clone(), format!("unknown time zone `{}`", name.value), help);
    None
}

/// How often a schedule comes.
#[derive(Debug, Clone)]
pub enum Starts {
    /// Once an interval.
    Every(Duration),
    /// At these times, and so on.
    At(Vec<Timestamp>),
}

impl Starts {
    /// How often a checked schedule comes.
    pub fn of(schedule: &Schedule) -> Starts {
        match schedule {
            Schedule::Every { interval, .. } => Starts::Every(*interval),
            Schedule::Cron { pattern, zone } => match (pattern.parse(), TimeZone::get(zone)) {
                (Ok(cron), Ok(zone)) => Starts::of_cron(&cron, &zone),
                _ => Starts::At(Vec::new()),
            },
        }
    }

    /// The first times of a cron pattern.
    fn of_cron(cron: &Cron, zone: &TimeZone) -> Starts {
        let from: Zoned = MONDAY.to_zoned(zone.clone());
        Starts::At(cron.iter_from(from, croner::Direction::Forward).take(LOOK_AHEAD).map(|t| t.timestamp()).collect())
    }

    /// How many starts the busiest `window` holds: a fraction when it comes more rarely than that.
    pub fn within(&self, window: Duration) -> f64 {
        match self {
            Starts::Every(interval) => window.as_secs_f64() / interval.as_secs_f64().max(0.001),
            Starts::At(times) => busiest(times, window),
        }
    }
}

fn busiest(times: &[Timestamp], window: Duration) -> f64 {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return 0.0 };
    let seconds = |a: Timestamp, b: Timestamp| (b.as_millisecond() - a.as_millisecond()) as f64 / 1000.0;
    let covered = seconds(*first, *last);
    if times.len() >= LOOK_AHEAD && covered < window.as_secs_f64() {
        return (times.len() - 1) as f64 * window.as_secs_f64() / covered.max(1.0);
    }
    let mut most = 0;
    let mut begin = 0;
    for end in 0..times.len() {
        while seconds(times[begin], times[end]) >= window.as_secs_f64() {
            begin += 1;
        }
        most = most.max(end + 1 - begin);
    }
    most as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(pattern: &str, zone: &str) -> Starts {
        Starts::of_cron(&pattern.parse().unwrap(), &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn the_busiest_hour_of_a_pattern_is_counted() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(starts("*/15 8-18 * * mon-fri", "Europe/Vienna").within(hour), 4.0);
        assert_eq!(starts("0 8 * * *", "UTC").within(hour * 24), 1.0);
        assert_eq!(starts("0 8 1 7 *", "UTC").within(hour), 1.0);
        assert_eq!(Starts::Every(hour * 2).within(hour), 0.5);
        let minutes = starts("* * * * *", "UTC").within(hour * 24);
        assert!((minutes - 1_440.0).abs() < 0.01, "{minutes}");
    }
}
