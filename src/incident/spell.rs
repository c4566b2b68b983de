//! The times in which one probe was in trouble.

use super::End;
use crate::model::{Judged, RunId, Verdict};
use jiff::Timestamp;

/// A row of runs of one probe that met the same trouble.
pub(super) struct Spell {
    /// The newest run that met it; its fault is the newest that was singled out.
    pub(super) newest: Judged,
    pub(super) first_run: RunId,
    pub(super) since: Timestamp,
    pub(super) until: Option<(Timestamp, End)>,
    pub(super) last_good: Option<Timestamp>,
    /// The newest runs, oldest first, with their ends.
    pub(super) runs: Vec<(Timestamp, RunId)>,
    pub(super) count: u64,
}

impl Spell {
    fn begin(look: Judged, last_good: Option<Timestamp>) -> Spell {
        Spell {
            first_run: look.run.clone(),
            since: look.started,
            until: None,
            last_good,
            runs: vec![(look.finished, look.run.clone())],
            count: 1,
            newest: look,
        }
    }

    fn take(&mut self, mut look: Judged) {
        if self.runs.len() == super::RUNS_NAMED {
            self.runs.remove(0);
        }
        self.runs.push((look.finished, look.run.clone()));
        self.count += 1;
        // A later run that cannot single the fault out does not unsay the one that could.
        if look.fault.is_none() && self.newest.fault.is_some() {
            look.fault = self.newest.fault.take();
            (look.blame, look.severity) = (self.newest.blame, self.newest.severity);
        }
        look.security |= self.newest.security;
        self.newest = look;
    }
}

/// What is open while the runs of a probe are read, oldest first.
#[derive(Default)]
struct Reading {
    last_good: Option<Timestamp>,
    failing: Option<Spell>,
    blind: Option<Spell>,
    ended: Vec<Spell>,
}

impl Reading {
    fn end(ended: &mut Vec<Spell>, spell: &mut Option<Spell>, at: Timestamp, end: End) {
        if let Some(mut spell) = spell.take() {
            spell.until = Some((at, end));
            ended.push(spell);
        }
    }

    fn look(&mut self, look: Judged) {
        let (at, begun) = (look.finished, look.started);
        match look.verdict {
            Verdict::Pass => {
                Reading::end(&mut self.ended, &mut self.failing, at, End::Passed);
                Reading::end(&mut self.ended, &mut self.blind, at, End::Passed);
                self.last_good = Some(at);
            }
            Verdict::Fail => {
                Reading::end(&mut self.ended, &mut self.blind, at, End::Told);
                match &mut self.failing {
                    Some(spell) if spell.newest.stage == look.stage => spell.take(look),
                    open => {
                        Reading::end(&mut self.ended, open, begun, End::Moved);
                        *open = Some(Spell::begin(look, self.last_good));
                    }
                }
            }
            Verdict::Unknown => match &mut self.blind {
                Some(spell) => spell.take(look),
                open => *open = Some(Spell::begin(look, self.last_good)),
            },
        }
    }
}

/// The troubles that the runs of one probe, oldest first, show. Those of a probe that is no longer configured are over.
pub(super) fn of(looks: Vec<Judged>, configured: bool) -> Vec<Spell> {
    let mut reading = Reading::default();
    for look in looks {
        reading.look(look);
    }
    let Reading { failing, blind, mut ended, .. } = reading;
    ended.extend([failing, blind].into_iter().flatten().map(|mut spell| {
        spell.until = (!configured).then_some((spell.newest.finished, End::Removed));
        spell
    }));
    ended
}
