//! The arithmetic of budgets: what scheduled probes send in a rate's time against what it allows.

use super::times::Starts;
use super::values::show_period;
use crate::model::Rate;

/// A scheduled probe that sends.
#[derive(Debug, Clone)]
pub struct Load<'a> {
    /// Probe name.
    pub probe: &'a str,
    /// Messages a run.
    pub messages: u32,
    /// How often it starts.
    pub starts: &'a Starts,
}

/// Says in words by how much the probes go over a budget; none when they stay below. Message and help.
pub fn overdraft(who: &str, rate: Rate, loads: &[Load<'_>]) -> Option<(String, String)> {
    let (total, parts) = excess(rate, loads)?;
    let per = show_period(rate.per);
    let message = format!("{who} would send {total} messages per {per} by schedule, but the budget is {}", rate.count);
    Some((message, format!("{parts}; start probes less often or raise the budget")))
}

/// The same for what a desk allows: `what` is done, for instance `write in by recipe web`.
pub fn too_often(who: &str, what: &str, rate: Rate, loads: &[Load<'_>]) -> Option<(String, String)> {
    let (total, parts) = excess(rate, loads)?;
    let per = show_period(rate.per);
    let message = format!("{who} would {what} {total} times per {per} by schedule, but the desk allows {}", rate.count);
    Some((message, format!("{parts}; start probes less often")))
}

/// What the probes do within a rate's time, and its sum in words; none when they stay below.
fn excess(rate: Rate, loads: &[Load<'_>]) -> Option<(String, String)> {
    let sums: Vec<(&Load<'_>, f64)> = loads.iter().map(|l| (l, l.starts.within(rate.per))).collect();
    let total: f64 = sums.iter().map(|(l, runs)| f64::from(l.messages) * runs).sum();
    if total <= f64::from(rate.count) + 1e-6 {
        return None;
    }
    let mut largest = sums;
    largest.sort_by(|(a, x), (b, y)| (f64::from(b.messages) * y).total_cmp(&(f64::from(a.messages) * x)).then(a.probe.cmp(b.probe)));
    let mut parts: Vec<String> = largest
        .iter()
        .take(5)
        .map(|(l, runs)| {
            let plural = |n: f64| if (n - 1.0).abs() < 0.05 { "" } else { "s" };
            let (count, sum) = (f64::from(l.messages), f64::from(l.messages) * runs);
            format!("{}: {} run{} × {count} message{} = {}", l.probe, number(*runs), plural(*runs), plural(count), number(sum))
        })
        .collect();
    if largest.len() > 5 {
        parts.push(format!("and {} more probes", largest.len() - 5));
    }
    Some((number(total), parts.join("; ")))
}

fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if (tenths - tenths.round()).abs() < 1e-9 { format!("{}", tenths.round()) } else { format!("{tenths:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn probes_within_a_budget_pass_and_one_more_does_not() {
        let quarter = Starts::Every(Duration::from_secs(900));
        let load = |probe| Load { probe, messages: 2, starts: &quarter };
        let rate = Rate { count: 16, per: Duration::from_secs(3_600) };
        assert_eq!(overdraft("account `alice`", rate, &[load("a"), load("b")]), None);
        let (message, help) = overdraft("account `alice`", rate, &[load("a"), load("b"), load("c")]).unwrap();
        assert_eq!(message, "account `alice` would send 24 messages per 1h by schedule, but the budget is 16");
        assert!(help.starts_with("a: 4 runs × 2 messages = 8; b: 4 runs"), "{help}");
    }
}
