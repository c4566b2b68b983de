//! The alerting rules with the thresholds of one's own probes: how long a slow stage must last so that two runs have met it,
//! and over which windows failed runs are held against the error budget.
//!
//! They are made from `dashboards/replypath.rules.yml`, which serves probes that run every few minutes as it is.

use crate::clock::after;
use crate::model::{Probe, Schedule};
use crate::schedule;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The example that everything is made from.
const SHIPPED: &str = include_str!("../../dashboards/replypath.rules.yml");

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// Starts of a cron pattern that are looked at for its longest gap; beyond a week at most.
const STARTS: usize = 2_100;
/// Few lengths, so that a change of one probe's schedule does not write every rule anew.
const LADDER: [u64; 12] =
    [10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY, 2 * DAY, 4 * DAY, 8 * DAY, 16 * DAY];

/// What an error budget of 1 % is counted over. A short window that holds less than three runs says nothing of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Budget {
    long: &'static str,
    long_words: &'static str,
    short: &'static str,
    short_seconds: u64,
    /// How many times too fast, as a number and in words; a hundredth of it is the share of failed runs.
    burn: (u64, &'static str),
}

/// From the fastest to the slowest probes.
const BUDGETS: [Budget; 3] = [
    Budget { long: "6h", long_words: "6 hours", short: "30m", short_seconds: 30 * MINUTE, burn: (6, "six") },
    Budget { long: "1d", long_words: "a day", short: "2h", short_seconds: 2 * HOUR, burn: (3, "three") },
    Budget { long: "3d", long_words: "3 days", short: "12h", short_seconds: 12 * HOUR, burn: (2, "two") },
];

/// The shipped rules lack something that the thresholds go into: a defect of this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules that come with this program have no `{0}`; please report this")]
pub struct Lacking(String);

/// What the rules are written for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The job under which Prometheus scrapes replypath.
    pub job: &'a str,
    /// Where people reach the status page, without a slash at the end; none: the address that Prometheus scrapes.
    pub url: Option<&'a str>,
    /// Now: the gaps of cron patterns are counted from here.
    pub now: Timestamp,
}

/// The rules for these probes.
///
/// # Errors
/// Only for a build whose shipped rules do not fit this function.
pub fn rules<'a>(probes: impl IntoIterator<Item = &'a Probe>, target: Target<'_>) -> Result<String, Lacking> {
    let rhythms: Vec<Rhythm> = probes.into_iter().filter_map(|p| Rhythm::of(p, target.now)).collect();
    let mut text = Items::of(SHIPPED);
    if !rhythms.is_empty() {
        text.change("alert: ReplypathStageSlow", |item| slow(item, &rhythms))?;
        let budgets = budgets(&rhythms);
        for record in ["record: gateway:replypath_runs:increase6h", "record: gateway:replypath_run_failures:increase6h"] {
            text.change(record, |item| over(item, budgets.keys().copied(), "6h", |b| b.long))?;
        }
        let record = "record: gateway:replypath_run_failures:increase30m";
        text.change(record, |item| over(item, budgets.keys().copied(), "30m", |b| b.short))?;
        text.change("alert: ReplypathErrorBudgetBurn", |item| burn(item, &budgets))?;
    }
    let mut out = text.join();
    out = replaced(&out, "job=\"replypath\"", &format!("job=\"{}\"", quoted(target.job)))?;
    if let Some(url) = target.url {
        out = replaced(&out, "http://{{ . | first | label \"instance\" }}", &url.replace('\'', "%27"))?;
    }
    Ok(format!("{}{out}", head(&rhythms)))
}

fn head(rhythms: &[Rhythm]) -> String {
    if rhythms.is_empty() {
        return "# Made by `replypath rules`. No probe has a schedule: the thresholds are those for probes that run every few minutes.\n"
            .to_owned();
    }
    let longest = rhythms.iter().map(|r| r.gap).max().unwrap_or_default();
    format!(
        "# Made by `replypath rules` for {} scheduled probes, the slowest of which runs at least every {}. Make it again when schedules change.\n",
        rhythms.len(),
        crate::report::look::interval(longest)
    )
}

/// How often a probe runs.
struct Rhythm {
    probe: String,
    gateway: String,
    /// The longest time between two starts.
    gap: Duration,
    /// Two runs of it take as long as that at most.
    twice: Duration,
    per_hour: f64,
}

impl Rhythm {
    /// None for a probe without a schedule.
    fn of(probe: &Probe, now: Timestamp) -> Option<Rhythm> {
        let (gap, per_hour) = match probe.schedule.as_ref()? {
            Schedule::Every { interval, jitter } => (interval.saturating_add(*jitter), 3_600.0 / interval.as_secs_f64().max(1.0)),
            cron @ Schedule::Cron { .. } => cron_rhythm(cron, now)?,
        };
        let twice = gap.saturating_mul(2).saturating_add(schedule::longest_run(probe));
        Some(Rhythm { probe: probe.name.clone(), gateway: probe.gateway.clone(), gap, twice, per_hour })
    }
}

/// The longest gap between the starts of a week (or the next two, where they lie further apart), and starts an hour.
fn cron_rhythm(cron: &Schedule, now: Timestamp) -> Option<(Duration, f64)> {
    let mut last = schedule::next_start(cron, None, now, "")?;
    let (first, mut longest, mut count) = (last, Duration::ZERO, 0_u32);
    for _ in 0..STARTS {
        let Some(next) = schedule::next_start(cron, Some(last), last, "") else { break };
        longest = longest.max(Duration::try_from(next.duration_since(last)).unwrap_or_default());
        (last, count) = (next, count + 1);
        if last > after(first, Duration::from_secs(WEEK)) && count > 1 {
            break;
        }
    }
    let hours = last.duration_since(first).as_secs_f64() / HOUR as f64;
    Some((longest, f64::from(count) / hours.max(1.0 / HOUR as f64)))
}

/// One alert for each length that two runs take.
fn slow(item: &str, rhythms: &[Rhythm]) -> Result<String, Lacking> {
    let mut lengths: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for rhythm in rhythms {
        let least = rhythm.twice.as_secs();
        let step = LADDER.into_iter().find(|step| *step >= least).unwrap_or(least.div_ceil(DAY) * DAY);
        lengths.entry(step).or_default().insert(&rhythm.probe);
    }
    let mut out = String::new();
    for (seconds, probes) in &lengths {
        let series = "probe_stage:replypath_stage_last_duration_seconds:max";
        let one = match lengths.len() {
            1 => item.to_owned(),
            _ => {
                let only = replaced(item, series, &format!("{series}{{{}}}", chosen("probe", probes)))?;
                with_label(&only, "lasting", &prometheus(*seconds))?
            }
        };
        out.push_str(&line_replaced(&one, "        for: ", &prometheus(*seconds))?);
    }
    Ok(out)
}

/// The windows for the gateways, by how often their probes run together. None for gateways that are too slow for a budget.
fn budgets(rhythms: &[Rhythm]) -> BTreeMap<Option<Budget>, BTreeSet<&str>> {
    let mut rates: BTreeMap<&str, f64> = BTreeMap::new();
    for rhythm in rhythms {
        *rates.entry(rhythm.gateway.as_str()).or_default() += rhythm.per_hour;
    }
    let mut found: BTreeMap<Option<Budget>, BTreeSet<&str>> = BTreeMap::new();
    for (gateway, per_hour) in rates {
        let runs = |budget: &Budget| per_hour * budget.short_seconds as f64 / HOUR as f64;
        found.entry(BUDGETS.into_iter().find(|budget| runs(budget) >= 2.99)).or_default().insert(gateway);
    }
    found
}

/// A recording rule for each window that a budget needs.
fn over(
    item: &str,
    budgets: impl Iterator<Item = Option<Budget>>,
    window: &str,
    wanted: fn(Budget) -> &'static str,
) -> Result<String, Lacking> {
    let windows: BTreeSet<&str> = budgets.flatten().map(wanted).collect();
    windows.into_iter().map(|other| replaced(item, window, other)).collect()
}

/// One alert for each budget.
fn burn(item: &str, budgets: &BTreeMap<Option<Budget>, BTreeSet<&str>>) -> Result<String, Lacking> {
    let mut out = String::new();
    for (budget, gateways) in budgets {
        let Some(budget) = budget else {
            let names = gateways.iter().copied().collect::<Vec<_>>().join(", ");
            out.push_str(&format!("      # Too few runs for an error budget: {names}. Failed runs in a row page as everywhere.\n"));
            continue;
        };
        let mut one = item.to_owned();
        if budgets.len() > 1 {
            let series = "gateway:replypath_run_failures:increase6h /";
            let only = format!("gateway:replypath_run_failures:increase6h{{{}}} /", chosen("gateway", gateways));
            one = with_label(&replaced(&one, series, &only)?, "window", budget.long)?;
        }
        for (from, to) in [
            ("within 6 hours", format!("within {}", budget.long_words)),
            ("increase6h", format!("increase{}", budget.long)),
            ("increase30m", format!("increase{}", budget.short)),
            ("> 0.06", format!("> 0.0{}", budget.burn.0)),
            ("six times", format!("{} times", budget.burn.1)),
        ] {
            one = replaced(&one, from, &to)?;
        }
        out.push_str(&one);
    }
    Ok(out)
}

/// A further label: two alerts of one name with the same labels count as a mistake.
fn with_label(item: &str, name: &str, value: &str) -> Result<String, Lacking> {
    let (begin, end) = ("        labels: {severity: warning, ", format!("{name}: \"{value}\", "));
    replaced(item, begin, &format!("{begin}{end}"))
}

/// A matcher for exactly these values.
fn chosen(label: &str, values: &BTreeSet<&str>) -> String {
    let escaped = |c: char| if "\\.+*?()|[]{}^$".contains(c) { vec!['\\', c] } else { vec![c] };
    let patterns: Vec<String> = values.iter().map(|v| quoted(&v.chars().flat_map(escaped).collect::<String>())).collect();
    format!("{label}=~\"{}\"", patterns.join("|"))
}

/// Text inside a PromQL string.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A length as Prometheus reads it.
fn prometheus(seconds: u64) -> String {
    match seconds {
        s if s.is_multiple_of(DAY) => format!("{}d", s / DAY),
        s if s.is_multiple_of(HOUR) => format!("{}h", s / HOUR),
        s => format!("{}m", s.div_ceil(MINUTE)),
    }
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String, Lacking> {
    if text.contains(from) { Ok(text.replace(from, to)) } else { Err(Lacking(from.to_owned())) }
}

/// The rest of the line that begins so, replaced.
fn line_replaced(text: &str, begin: &str, to: &str) -> Result<String, Lacking> {
    let line = text.lines().find(|line| line.starts_with(begin)).ok_or_else(|| Lacking(begin.trim().to_owned()))?;
    replaced(text, line, &format!("{begin}{to}"))
}

/// The rules as pieces of text: each rule is one, and so is what stands between them.
struct Items(Vec<String>);

impl Items {
    fn of(text: &str) -> Items {
        let mut items: Vec<String> = vec![String::new()];
        for line in text.lines() {
            // A comment or a group's head ends the rule before it.
            if line.starts_with("      - ") || !line.starts_with("        ") {
                items.push(String::new());
            }
            if let Some(item) = items.last_mut() {
                item.push_str(line);
                item.push('\n');
            }
        }
        Items(items)
    }

    fn change(&mut self, head: &str, change: impl FnOnce(&str) -> Result<String, Lacking>) -> Result<(), Lacking> {
        let begin = format!("      - {head}\n");
        let item = self.0.iter_mut().find(|item| item.starts_with(&begin)).ok_or_else(|| Lacking(head.to_owned()))?;
        *item = change(item)?;
        Ok(())
    }

    fn join(self) -> String {
        self.0.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn every(name: &str, gateway: &str, seconds: u64) -> Probe {
        let interval = Duration::from_secs(seconds);
        let schedule = Some(Schedule::Every { interval, jitter: Duration::ZERO });
        let mut probe = Probe { schedule, gateway: gateway.to_owned(), ..sample::probe(name) };
        for stage in crate::model::Stage::ALL {
            probe.set_limit(stage, Duration::from_secs(10));
        }
        probe
    }

    fn made(probes: &[Probe]) -> String {
        rules(probes, Target { job: "replypath", url: None, now: sample::at(0) }).unwrap()
    }

    /// The pieces that begin so.
    fn items(text: &str, head: &str) -> Vec<String> {
        Items::of(text).0.into_iter().filter(|item| item.starts_with(&format!("      - {head}"))).collect()
    }

    #[test]
    fn probes_that_run_every_few_minutes_have_the_shipped_rules() {
        let probes: Vec<Probe> = (0..3).map(|n| every(&format!("p{n}"), "mx", 900)).collect();
        let text = made(&probes);
        assert_eq!(text.split_once('\n').unwrap().1, SHIPPED);
        assert!(
            text.starts_with("# Made by `replypath rules` for 3 scheduled probes, the slowest of which runs at least every 15m."),
            "{text}"
        );
        let by_hand = Probe { schedule: None, ..every("p", "mx", 1) };
        assert_eq!(made(&[by_hand]).split_once('\n').unwrap().1, SHIPPED);
    }

    #[test]
    fn a_slow_stage_lasts_for_two_runs_of_its_own_probe() {
        let text = made(&[every("fast", "mx", 60), every("hourly", "mx", 3_600), every("daily", "mx", 86_400), every("a.b", "mx", 3_700)]);
        let slow = items(&text, "alert: ReplypathStageSlow");
        let found: Vec<(&str, &str)> = slow
            .iter()
            .map(|item| {
                let value = |begin: &str| item.lines().find_map(|l| l.trim().strip_prefix(begin)).unwrap();
                let probes = item.split("duration_seconds:max{probe=~\"").nth(1).unwrap().split('"').next().unwrap();
                (probes, value("for: "))
            })
            .collect();
        assert_eq!(found, [("fast", "10m"), ("a\\\\.b|hourly", "4h"), ("daily", "4d")]);
        assert!(slow[1].contains("labels: {severity: warning, lasting: \"4h\", scope: probe}"), "{}", slow[1]);
    }

    #[test]
    fn failed_runs_are_counted_over_windows_that_hold_runs() {
        let text = made(&[every("a", "fast", 300), every("b", "slow", 1_800), every("c", "rare", 86_400)]);
        let records: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("      - record: gateway:replypath_run")).collect();
        assert_eq!(
            records,
            [
                "s:increase1d",
                "s:increase6h",
                "_failures:increase1d",
                "_failures:increase6h",
                "_failures:increase2h",
                "_failures:increase30m"
            ]
        );
        let burns = items(&text, "alert: ReplypathErrorBudgetBurn");
        let has = |n: usize, part: &str| assert!(burns[n].contains(part), "{part}\n{}", burns[n]);
        assert_eq!(burns.len(), 2);
        let slow = burns.iter().position(|b| b.contains("\"slow\"")).unwrap();
        has(slow, "gateway:replypath_run_failures:increase1d{gateway=~\"slow\"} / gateway:replypath_runs:increase1d > 0.03");
        has(slow, "gateway:replypath_run_failures:increase2h > 0.5");
        has(slow, "three times too fast");
        has(slow, "severity: warning, window: \"1d\", ");
        has(1 - slow, "increase6h{gateway=~\"fast\"} / gateway:replypath_runs:increase6h > 0.06");
        assert!(text.contains("# Too few runs for an error budget: rare."), "{text}");
    }

    #[test]
    fn no_two_windows_are_recorded_under_one_name() {
        let windows: BTreeSet<&str> = BUDGETS.iter().flat_map(|b| [b.long, b.short]).collect();
        assert_eq!(windows.len(), 2 * BUDGETS.len());
    }

    #[test]
    fn many_slow_probes_of_one_gateway_are_fast_together() {
        let probes: Vec<Probe> = (0..12).map(|n| every(&format!("p{n}"), "mx", 3_600)).collect();
        let text = made(&probes);
        assert_eq!(items(&text, "alert: ReplypathErrorBudgetBurn").len(), 1);
        assert!(text.contains("increase30m > 0.5") && !text.contains("gateway=~\"mx\""), "{text}");
    }

    #[test]
    fn a_night_or_a_weekend_without_runs_is_a_gap() {
        let cron = |pattern: &str| {
            let schedule = Schedule::Cron { pattern: pattern.to_owned(), zone: "UTC".to_owned() };
            cron_rhythm(&schedule, sample::at(0)).unwrap()
        };
        let (gap, per_hour) = cron("0 9-17 * * MON-FRI");
        assert_eq!(gap, Duration::from_secs(64 * HOUR));
        assert!((per_hour - 45.0 / 168.0).abs() < 0.03, "{per_hour}");
        assert_eq!(cron("*/5 * * * *").0, Duration::from_secs(300));
        assert_eq!(cron("0 3 1 * *").0, Duration::from_secs(31 * DAY));
    }

    #[test]
    fn job_and_address_are_those_of_the_user() {
        let target = Target { job: "desk-watch", url: Some("https://watch.example/desk"), now: sample::at(0) };
        let text = rules(&[every("a", "mx", 900)], target).unwrap();
        assert!(text.contains("absent(up{job=\"desk-watch\"})") && !text.contains("up{job=\"replypath\"}"), "{text}");
        assert!(text.contains("https://watch.example/desk/probes/{{ $labels.probe }}/last-failure"), "{text}");
        assert!(!text.contains("label \"instance\""));
    }
}
