//! The report of a period as Markdown.

use super::{Period, Span, Times, Verdicts};
use crate::incident::{End, span};
use crate::report::look;
use jiff::Timestamp;

/// The report, with a final line feed.
pub fn markdown(period: &Period) -> String {
    let mut text = format!("# Support reply paths, {} to {} (UTC)\n\n{}\n", day(period.from), day(period.until), summary(period));
    if period.first.is_none() {
        return text;
    }
    section(&mut text, "Reply paths", reply_paths(period));
    section(&mut text, "First answers", times(period, |span| !matches!(span, Span::Stage(_))));
    text.push_str(
        "\n“There and back” is the way of an answer that the probe itself gave through the desk: it shows the desk, not its people. \
         Hours are those in which the request was written.\n",
    );
    section(&mut text, "Stages that passed", times(period, |span| matches!(span, Span::Stage(_))));
    section(&mut text, "Promises of acknowledgements", promises(period));
    section(&mut text, "Incidents", incidents(period));
    text
}

/// What happened, in some sentences: with what was looked at, because nothing is known of the rest.
fn summary(period: &Period) -> String {
    let (Some(first), Some(last)) = (period.first, period.last) else {
        return "No scheduled run ended in this time, so nothing is known of it.".to_owned();
    };
    let all = period.verdicts();
    let broken = period.incidents.iter().filter(|i| i.verdict == crate::model::Verdict::Fail).count();
    format!(
        "{} scheduled runs of {} probes between {} and {}: {} passed, {} failed, {} could not tell. {} of those that could tell passed. \
         Incidents: {broken}.",
        all.runs(),
        period.probes.len(),
        minute(first),
        minute(last),
        all.passed,
        all.failed,
        all.unknown,
        percent(all)
    )
}

fn section(text: &mut String, title: &str, table: Vec<Vec<String>>) {
    text.push_str(&format!("\n## {title}\n\n"));
    let [head, rows @ ..] = &table[..] else { return };
    if rows.is_empty() {
        text.push_str("None.\n");
        return;
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(" | "));
    text.push_str(&line(head));
    text.push_str(&format!("|{}\n", " --- |".repeat(head.len())));
    rows.iter().for_each(|row| text.push_str(&line(row)));
}

/// A cell's text: what would end it or begin markup is escaped.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn reply_paths(period: &Period) -> Vec<Vec<String>> {
    let mut rows = vec![row(["probe", "runs", "passed", "failed", "unknown", "passed of those that could tell", "broken for"])];
    for (probe, verdicts) in &period.probes {
        let broken = period.broken_seconds.get(probe).copied().unwrap_or(0);
        let length = Timestamp::from_second(broken).map_or(String::new(), |end| span(Timestamp::UNIX_EPOCH, end));
        let numbers = [verdicts.runs(), verdicts.passed, verdicts.failed, verdicts.unknown].map(|n| n.to_string());
        let mut cells = vec![probe.clone()];
        cells.extend(numbers);
        cells.extend([percent(*verdicts), if broken == 0 { "-".to_owned() } else { length }]);
        rows.push(cells);
    }
    rows
}

fn times(period: &Period, wanted: impl Fn(Span) -> bool) -> Vec<Vec<String>> {
    let mut rows = vec![row(["way in", "queue", "what", "hours", "runs", "half within", "95 % within", "longest"])];
    for (((channel, queue), span, hours), times) in period.times.iter().filter(|((_, span, _), _)| wanted(*span)) {
        let mut cells = row([channel, name(queue), span.as_str(), hours.as_str()]);
        cells.push(times.count().to_string());
        cells.extend([50, 95, 100].map(|percent| length(times, percent)));
        rows.push(cells);
    }
    rows
}

fn promises(period: &Period) -> Vec<Vec<String>> {
    let mut rows = vec![row(["way in", "queue", "kept", "broken", "kept of all"])];
    for ((channel, queue), promises) in &period.promises {
        let of_all = promises.kept as f64 * 100.0 / (promises.kept + promises.broken).max(1) as f64;
        let mut cells = row([channel, name(queue)]);
        cells.extend([promises.kept.to_string(), promises.broken.to_string(), format!("{of_all:.1} %")]);
        rows.push(cells);
    }
    rows
}

fn incidents(period: &Period) -> Vec<Vec<String>> {
    let mut rows = vec![row(["from", "until", "lasted", "whom", "stage", "what", "whose", "runs", "owner"])];
    for incident in &period.incidents {
        let until = match (incident.until, incident.end) {
            (None, _) => "it lasts".to_owned(),
            (Some(until), Some(End::Moved)) => format!("{}, then another stage", minute(until)),
            (Some(until), Some(End::Removed)) => format!("{}, then no longer watched", minute(until)),
            (Some(until), _) => minute(until),
        };
        rows.push(vec![
            minute(incident.since),
            until,
            span(incident.since, incident.until.unwrap_or(period.until)),
            incident.whom(),
            incident.stage.map(|s| s.to_string()).unwrap_or_default(),
            incident.what(),
            incident.whose().to_owned(),
            incident.count.to_string(),
            incident.owner.clone(),
        ]);
    }
    rows
}

fn name(queue: &str) -> &str {
    if queue.is_empty() { "-" } else { queue }
}

fn length(times: &Times, percent: usize) -> String {
    times.percentile(percent).map_or("-".to_owned(), look::duration)
}

fn percent(verdicts: Verdicts) -> String {
    // Rounded down: 99.99 % is not all.
    verdicts.passed_of_hundred().map_or("-".to_owned(), |p| format!("{:.2} %", (p * 100.0).floor() / 100.0))
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
