//! `incidents`: what is broken now, since when and on whose side, and what was broken lately.

use super::exit::Exit;
use super::{Context, Ended, Failure, assemble, load, put};
use crate::engine::ports::{ProbeStanding, Store};
use crate::incident::report::{IncidentReport, IncidentsReport};
use crate::incident::{Incident, incidents, span};
use crate::model::{Probe, Severity, Verdict};
use crate::report::human::verdict_word;
use crate::report::look::{self, FAINT, Look, STRONG, UNSURE, paint, style_of};
use anstyle::Style;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Failed and unknown runs that are looked at, the newest: more would be the trouble of years.
const MOST_RUNS: usize = 100_000;

/// Arguments of `incidents`.
#[derive(clap::Args)]
pub struct Args {
    /// Those that ended within this time too: 24h, 30d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = super::runs::since)]
    since: jiff::SignedDuration,
    /// human or json
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    report: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people
    Human,
    /// One JSON document (`replypath schema incidents`)
    Json,
}

/// Lists incidents.
///
/// # Errors
/// When the configuration is faulty or the store cannot be read.
pub async fn run(args: &Args, context: &Context) -> Ended {
    let config = load(&context.dir)?;
    let store = assemble::store(&config, &context.clock).await?;
    let now = context.clock.now();
    let since = now.saturating_sub(args.since).unwrap_or(Timestamp::MIN);
    let found = of_store(store.as_ref(), config.probes.values(), since).await?;
    let standings = store.standings().await?;
    let newest = standings.iter().filter_map(|s| s.last.as_ref()?.finished).max();
    put(&match args.report {
        Form::Json => document(&found, now, since, newest)?,
        Form::Human => human(&found, &seen(config.probes.values(), &standings, now), now, context.look),
    });
    Ok(Exit::Passed)
}

/// The incidents that last or ended since `since`.
///
/// # Errors
/// When the store cannot be read.
pub async fn of_store<'a>(
    store: &dyn Store,
    probes: impl IntoIterator<Item = &'a Probe>,
    since: Timestamp,
) -> Result<Vec<Incident>, Failure> {
    let troubles = store.troubles(since, MOST_RUNS).await?;
    if troubles.len() >= MOST_RUNS {
        super::say(&format!("{}: only the newest {MOST_RUNS} runs without a pass are looked at\n", paint(UNSURE, "warning")));
    }
    Ok(incidents(probes, troubles).into_iter().filter(|i| i.until.is_none_or(|until| until >= since)).collect())
}

fn document(found: &[Incident], now: Timestamp, since: Timestamp, newest: Option<Timestamp>) -> Result<String, Failure> {
    let document = IncidentsReport {
        schema: 1,
        at: now.to_string(),
        since: since.to_string(),
        newest_verdict: newest.map(|at| at.to_string()),
        incidents: found.iter().map(|i| IncidentReport::of(i, now)).collect(),
    };
    let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::ours(format!("the JSON report: {e}")))?;
    Ok(format!("{text}\n"))
}

/// What all this stands on: no incident is good news only where somebody looked.
fn seen<'a>(probes: impl IntoIterator<Item = &'a Probe>, standings: &[ProbeStanding], now: Timestamp) -> String {
    let ended: BTreeMap<&str, Timestamp> = standings.iter().filter_map(|s| Some((s.probe.as_str(), s.last.as_ref()?.finished?))).collect();
    let (mut of, mut last) = (0, Vec::new());
    for probe in probes {
        of += 1;
        last.extend(ended.get(probe.name.as_str()));
    }
    match last.iter().max() {
        None => format!("none of {of} probes has a verdict by schedule yet; `replypath serve` gives them"),
        Some(newest) => format!("{} of {of} probes have verdicts by schedule, the newest {} ago", last.len(), span(*newest, now)),
    }
}

fn human(found: &[Incident], seen: &str, now: Timestamp, look: Look) -> String {
    let (open, over): (Vec<&Incident>, Vec<&Incident>) = found.iter().partition(|i| i.is_open());
    let mut text: String = open.iter().map(|incident| block(incident, now, look)).collect();
    if !over.is_empty() {
        text.push_str(&format!("{}\n{}\n", paint(STRONG, "Over"), table(&over, look)));
    }
    if open.is_empty() {
        // Not in green: how much it is worth stands beside it.
        text.push_str(&format!("{}: ", paint(STRONG, "nothing known to be broken")));
    }
    text.push_str(&format!("{}\n", paint(FAINT, seen)));
    text
}

fn block(incident: &Incident, now: Timestamp, look: Look) -> String {
    let word = incident.verdict.as_str();
    let mut text = format!("{}  {}\n", paint(style_of(word), verdict_word(Some(word))), look::safe(&incident.sentence(now)));
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&crate::report::human::entry(name, value, look));
        }
    };
    let severity = incident.severity.map(Severity::as_str);
    let whose = [Some(incident.whose()), severity, incident.security.then_some("private content exposed")];
    row("whose", &whose.into_iter().flatten().collect::<Vec<_>>().join(", "));
    if !incident.is_confirmed() && incident.verdict == Verdict::Fail {
        row("seen", "once; the next run tells whether it was chance");
    }
    let newest = incident.runs.first().map(|run| format!("{}, the newest: replypath show {run}", incident.count));
    row("runs", &newest.unwrap_or_default());
    row("about", &incident.likeliest().map(|fault| format!("replypath faults {fault}")).unwrap_or_default());
    row("owner", &look::safe(&incident.owner));
    if incident.probes.len() > 1 {
        let names: Vec<&str> = incident.probes.iter().map(|p| p.probe.as_str()).collect();
        row("probes", &names.join(", "));
    }
    text.push('\n');
    text
}

fn table(over: &[&Incident], look: Look) -> String {
    let head = ["FROM", "LASTED", "VERDICT", "WHERE", "STAGE", "RUNS", "FAULT"].map(|h| (FAINT, h.to_owned())).to_vec();
    let mut rows = vec![head];
    for incident in over {
        let word = incident.verdict.as_str();
        rows.push(vec![
            (FAINT, look::time(incident.since)),
            (Style::new(), incident.until.map(|until| span(incident.since, until)).unwrap_or_default()),
            (style_of(word), verdict_word(Some(word)).to_owned()),
            (STRONG, incident.whom()),
            (Style::new(), incident.stage.map(|s| s.to_string()).unwrap_or_default()),
            (Style::new(), incident.count.to_string()),
            (Style::new(), incident.likeliest().unwrap_or_default().to_owned()),
        ]);
    }
    look::table_within(rows, &[5, 2], look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Judged;
    use crate::report::sample;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn found() -> Vec<Incident> {
        let mut healed = sample::failed();
        healed.probe = sample::probe("billing");
        let mut pass = sample::passed();
        pass.finished = Some(sample::at(700));
        let runs = [healed, pass, sample::failed(), sample::unknown()];
        let looks = runs.iter().filter_map(Judged::of);
        let mut probes = vec![sample::probe("billing"), sample::probe("returns"), sample::probe("shipping")];
        for probe in &mut probes {
            probe.gateway = format!("{}-gateway", probe.name);
        }
        let looks = looks.map(|l| Judged { gateway: format!("{}-gateway", l.probe), ..l });
        incidents(&probes, looks)
    }

    #[test]
    fn people_read_what_lasts_first_and_what_is_over_as_a_table() {
        let text = plain(&human(&found(), "3 of 3 probes", sample::at(720), Look::PLAIN));
        let expected = "\
FAIL  returns by mail: the answer landed in the customer's spam folder, at return, since 08:00 UTC (12 min), never seen to work before
  | whose     the desk or its settings, critical
  | seen      once; the next run tells whether it was chance
  | runs      1, the newest: replypath show r-failed
  | about     replypath faults return-in-spam
  | owner     support

UNKNOWN  shipping by mail: nobody can tell whether it works (the desk's API cannot be asked), at land, since 08:00 UTC (12 min), never seen to work before
  | whose     the monitor, not the desk, minor
  | runs      1, the newest: replypath show r-unknown
  | about     replypath faults desk-api-down
  | owner     support

Over
FROM                  LASTED  VERDICT  WHERE            STAGE   RUNS  FAULT
2026-11-25 08:00:00Z  11 min  FAIL     billing by mail  return  1     return-in-spam

3 of 3 probes
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_incident_is_said_with_what_it_stands_on() {
        let probes = [sample::probe("billing"), sample::probe("returns")];
        let standing = ProbeStanding { probe: "billing".to_owned(), last: Some(sample::passed()), ..ProbeStanding::default() };
        let words = |standings: &[ProbeStanding]| seen(&probes, standings, sample::at(132));
        assert_eq!(words(&[]), "none of 2 probes has a verdict by schedule yet; `replypath serve` gives them");
        assert_eq!(words(std::slice::from_ref(&standing)), "1 of 2 probes have verdicts by schedule, the newest 2 min ago");
        let strange = ProbeStanding { probe: "gone".to_owned(), ..standing };
        assert!(words(&[strange]).starts_with("none of 2"));
        let text = plain(&human(&[], "1 of 2 probes", sample::at(0), Look::PLAIN));
        assert_eq!(text, "nothing known to be broken: 1 of 2 probes\n");
    }

    #[test]
    fn the_document_has_every_incident_and_reads_back() {
        let text = document(&found(), sample::at(720), sample::at(0), Some(sample::at(700))).unwrap();
        let back: IncidentsReport = serde_json::from_str(&text).unwrap();
        assert_eq!((back.schema, back.incidents.len(), back.newest_verdict.as_deref()), (1, 3, Some("2026-11-25T08:11:40Z")));
        let [open, blind, over] = &back.incidents[..] else { panic!("{text}") };
        assert_eq!((open.open, open.verdict.as_str(), open.fault.as_deref()), (true, "fail", Some("return-in-spam")));
        assert_eq!((blind.verdict.as_str(), blind.blame.as_deref()), ("unknown", Some("monitor")));
        assert_eq!((over.end.as_deref(), over.until.as_deref()), (Some("passed"), Some("2026-11-25T08:11:40Z")));
        assert_eq!(over.probes[0].first_run, over.incident);
    }
}
