//! The tables of a period as CSV (RFC 4180): times in seconds, moments in RFC 3339, a head line, lines end with CRLF.

use super::Period;
use crate::incident::Incident;
use crate::model::Stage;

/// One table: CSV holds no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    /// How long customers waited, by way in, queue and hours
    Times,
    /// How often each probe passed
    Probes,
    /// Promises of acknowledgements, kept and broken
    Promises,
    /// What was broken, and when nobody could tell
    Incidents,
}

/// The table, with a head line.
pub fn csv(period: &Period, table: Table) -> String {
    match table {
        Table::Times => times(period),
        Table::Probes => probes(period),
        Table::Promises => promises(period),
        Table::Incidents => incidents(period),
    }
}

fn line(out: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

/// A cell; what a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn times(period: &Period) -> String {
    let mut out = String::new();
    line(&mut out, &["channel", "queue", "what", "hours", "runs", "median_seconds", "p95_seconds", "longest_seconds"]);
    for (((channel, queue), span, hours), times) in &period.times {
        let [median, p95, longest] = [50, 95, 100].map(|p| times.percentile(p).map_or(String::new(), |s| format!("{s:.3}")));
        let runs = times.count().to_string();
        line(&mut out, &[channel, queue, span.as_str(), hours.as_str(), &runs, &median, &p95, &longest]);
    }
    out
}

fn probes(period: &Period) -> String {
    let mut out = String::new();
    line(&mut out, &["probe", "runs", "passed", "failed", "unknown", "broken_seconds"]);
    for (probe, v) in &period.probes {
        let numbers = [v.runs(), v.passed, v.failed, v.unknown].map(|n| n.to_string());
        let [runs, passed, failed, unknown] = &numbers;
        let broken = period.broken_seconds.get(probe).copied().unwrap_or(0).to_string();
        line(&mut out, &[probe, runs, passed, failed, unknown, &broken]);
    }
    out
}

fn promises(period: &Period) -> String {
    let mut out = String::new();
    line(&mut out, &["channel", "queue", "kept", "broken"]);
    for ((channel, queue), p) in &period.promises {
        line(&mut out, &[channel, queue, &p.kept.to_string(), &p.broken.to_string()]);
    }
    out
}

fn incidents(period: &Period) -> String {
    let mut out = String::new();
    let head = ["incident", "verdict", "since", "until", "seconds", "gateway", "channel", "stage", "fault", "candidates", "blame"];
    line(&mut out, &[&head[..], &["severity", "security", "confirmed", "runs", "last_good", "probes", "owner"]].concat());
    for incident in &period.incidents {
        let cells = incident_cells(incident, period);
        line(&mut out, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    out
}

fn incident_cells(incident: &Incident, period: &Period) -> Vec<String> {
    let end = incident.until.unwrap_or(period.until);
    let names: Vec<&str> = incident.probes.iter().map(|p| p.probe.as_str()).collect();
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    vec![
        incident.id.0.clone(),
        incident.verdict.as_str().to_owned(),
        incident.since.to_string(),
        time(incident.until),
        (end.as_second() - incident.since.as_second()).to_string(),
        incident.gateway.clone(),
        incident.channel.clone(),
        incident.stage.map(Stage::as_str).unwrap_or_default().to_owned(),
        incident.fault.clone().unwrap_or_default(),
        incident.candidates.join(" "),
        incident.blame.map(|b| b.as_str()).unwrap_or_default().to_owned(),
        incident.severity.map(|s| s.as_str()).unwrap_or_default().to_owned(),
        incident.security.to_string(),
        incident.is_confirmed().to_string(),
        incident.count.to_string(),
        time(incident.last_good),
        names.join(" "),
        incident.owner.clone(),
    ]
}
