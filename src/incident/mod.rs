//! Incidents: what is broken, where, since when. Worked out from the verdicts of scheduled runs in this one place, for the
//! status page, the API, `replypath incidents` and the report.
//!
//! A probe is in trouble from the begin of the first run that failed until the end of the first one that passes again; an
//! unknown run neither ends trouble nor proves that it goes on. Probes behind one gateway that fail at the same stage with
//! the same fault in the same time are one incident. Runs that could not tell make incidents of their own, whose verdict is
//! `unknown`: they are about the monitor. Runs by hand make and end none.

mod group;
pub mod report;
mod spell;
mod words;

pub use words::span;

use crate::model::{Blame, Judged, Probe, RunId, Severity, Stage, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The newest runs that an incident names; it counts them all.
pub const RUNS_NAMED: usize = 20;

/// How trouble ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A run passed.
    Passed,
    /// The next run failed at another stage: whether this stage works again is not known.
    Moved,
    /// A run could tell again (only where it was unknown before), and it failed.
    Told,
    /// The probe is no longer configured: nobody looks any more.
    Removed,
}

/// One probe in an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Its name.
    pub probe: String,
    /// Who looks after it.
    pub owner: String,
    /// Begin of its first run in this trouble.
    pub since: Timestamp,
    /// When its trouble ended; none while it lasts.
    pub until: Option<Timestamp>,
    /// When its last pass before finished.
    pub last_good: Option<Timestamp>,
    /// When its newest run in this trouble finished.
    pub last_seen: Timestamp,
    /// Its first run in this trouble.
    pub first_run: RunId,
    /// Its newest run in this trouble.
    pub last_run: RunId,
    /// Its runs in this trouble, those that could not tell not among them (unless the incident is about these).
    pub count: u64,
}

/// Something broken behind one gateway, or a time in which nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Stays the same while the incident lasts: the id of its first run.
    pub id: RunId,
    /// `Fail`, or `Unknown` for a time in which nobody could tell.
    pub verdict: Verdict,
    /// The shared way in and out.
    pub gateway: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// The earliest stage that failed or could not be judged.
    pub stage: Option<Stage>,
    /// The fault that the newest evidence singles out.
    pub fault: Option<String>,
    /// Ranked fault ids of the newest run, for an incident without a fault.
    pub candidates: Vec<String>,
    /// Whose side.
    pub blame: Option<Blame>,
    /// How bad for the people who write in.
    pub severity: Option<Severity>,
    /// True when private content was exposed.
    pub security: bool,
    /// Begin of the first run that met it: a customer who wrote then was hit.
    pub since: Timestamp,
    /// When the last of its probes was out of it; none while it lasts.
    pub until: Option<Timestamp>,
    /// How it ended.
    pub end: Option<End>,
    /// When the last pass before it finished, of the probes that it hit; none: never seen to work.
    pub last_good: Option<Timestamp>,
    /// When it was last met.
    pub last_seen: Timestamp,
    /// Whom it hits, the first one first.
    pub probes: Vec<Affected>,
    /// How many probes are configured behind the gateway.
    pub behind: usize,
    /// Its newest runs, newest first; see [`RUNS_NAMED`].
    pub runs: Vec<RunId>,
    /// How many runs met it.
    pub count: u64,
    /// Who looks after what it hits, comma-separated.
    pub owner: String,
}

impl Incident {
    /// True while it lasts.
    pub fn is_open(&self) -> bool {
        self.until.is_none()
    }

    /// Two runs met it, or private content was exposed: one failed run alone pages nobody.
    pub fn is_confirmed(&self) -> bool {
        self.count > 1 || self.security
    }

    /// The fault that was singled out, else the likeliest one.
    pub fn likeliest(&self) -> Option<&str> {
        self.fault.as_deref().or_else(|| self.candidates.first().map(String::as_str))
    }
}

/// The incidents that the verdicts show: those that last first, the worst first; then the others, newest first.
///
/// `probes` are the configured ones: trouble of others is over. `judged` need not be in order, and may leave out passes
/// that follow a pass.
pub fn incidents<'a>(probes: impl IntoIterator<Item = &'a Probe>, judged: impl IntoIterator<Item = Judged>) -> Vec<Incident> {
    let mut of_probe: BTreeMap<String, Vec<Judged>> = BTreeMap::new();
    for look in judged {
        of_probe.entry(look.probe.clone()).or_default().push(look);
    }
    let mut behind: BTreeMap<&str, usize> = BTreeMap::new();
    let mut configured = std::collections::BTreeSet::new();
    for probe in probes {
        *behind.entry(probe.gateway.as_str()).or_default() += 1;
        configured.insert(probe.name.as_str());
    }
    let mut spells = Vec::new();
    for (probe, mut looks) in of_probe {
        looks.sort_by(|a, b| (a.finished, &a.run).cmp(&(b.finished, &b.run)));
        spells.extend(spell::of(looks, configured.contains(probe.as_str())));
    }
    let mut found: Vec<Incident> = group::of(spells);
    for incident in &mut found {
        incident.behind = behind.get(incident.gateway.as_str()).copied().unwrap_or(0);
    }
    found.sort_by_key(order);
    found
}

/// Open before closed; among open ones failures before unknowns, exposed content first, then by severity, reach and age;
/// closed ones by age.
fn order(incident: &Incident) -> impl Ord + use<> {
    let back = |n: i64| std::cmp::Reverse(n);
    let id = incident.id.clone();
    match incident.until {
        None => {
            let verdict = u8::from(incident.verdict != Verdict::Fail);
            let severity = incident.severity.map_or(0, |s| s as i64 + 1);
            let open = (verdict, !incident.security, back(severity), back(incident.probes.len() as i64), incident.since.as_microsecond());
            (0, Some(open), back(0), id)
        }
        Some(until) => (1, None, back(until.as_microsecond()), id),
    }
}

#[cfg(test)]
mod tests;
