//! What the pages stand on: for each configured probe its last verdicts, its short history and what is under way. Kept in
//! memory and moved by the engine's events, so that a page asks the store for nothing but the run that it shows.

use super::brief::{Brief, Cell, cells};
use crate::daemon::Due;
use crate::engine::ports::{ProbeStanding, RunEvent};
use crate::model::{Diagnosis, Judged, Probe, Run, RunId, Trigger, Verdict};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many of a probe's last runs stand in its strip.
pub const HISTORY: usize = 40;

/// So many roots of trouble are kept of a probe.
const ROOTS: usize = 8;

/// A run that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// The run.
    pub run: Brief,
    /// Its stages so far.
    pub cells: Vec<Cell>,
}

/// The last finished run with what the grid shows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Last {
    /// The run.
    pub run: Brief,
    /// Its stages.
    pub cells: Vec<Cell>,
    /// One line of its evidence; not for the public.
    pub summary: String,
}

impl Last {
    fn of(run: &Run) -> Last {
        let summary = run.diagnosis.as_ref().map(|d: &Diagnosis| d.summary.clone()).unwrap_or_default();
        Last { run: Brief::of(run), cells: cells(run), summary }
    }
}

/// Everything that is known of one probe.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The probe as configured now.
    pub probe: Arc<Probe>,
    /// Its desk's definition was never tried on the real product.
    pub unproven: bool,
    /// The last finished scheduled run; for a probe without a schedule the last finished run by hand.
    pub last: Option<Last>,
    /// The last of them that passed or failed.
    pub last_judged: Option<Brief>,
    /// When the last pass ended.
    pub last_pass: Option<Timestamp>,
    /// Fails since that pass.
    pub failures: u32,
    /// Since when every run ended unknown.
    pub unknown_since: Option<Timestamp>,
    /// The last finished runs, oldest first, those by hand too.
    pub history: VecDeque<Brief>,
    /// Of the runs before the history what the trouble that lasts began with: its last pass and where each stage failed first.
    pub roots: Vec<Arc<Judged>>,
    /// Runs under way.
    pub running: BTreeMap<RunId, UnderWay>,
    /// When it is due.
    pub due: Due,
}

impl Seat {
    fn new(probe: &Probe, unproven: bool) -> Seat {
        Seat {
            probe: Arc::new(probe.clone()),
            unproven,
            last: None,
            last_judged: None,
            last_pass: None,
            failures: 0,
            unknown_since: None,
            history: VecDeque::new(),
            roots: Vec::new(),
            running: BTreeMap::new(),
            due: Due::default(),
        }
    }

    /// True for a run by which the probe is judged: scheduled ones, and for a probe without a schedule any.
    fn judges(&self, trigger: Trigger) -> bool {
        match trigger {
            Trigger::Scheduled => true,
            Trigger::Manual => self.probe.schedule.is_none(),
            Trigger::Control => false,
        }
    }

    fn restore(&mut self, standing: &ProbeStanding) {
        self.last = standing.last.as_ref().map(Last::of);
        self.last_judged = standing.last_judged.as_ref().map(Brief::of);
        self.last_pass = standing.last_pass;
        self.failures = standing.failures_in_a_row;
        self.unknown_since = standing.unknown_since;
    }

    /// Puts a finished run into the history; one that is there already is replaced (a pass may turn into a fail).
    fn remember(&mut self, run: Brief) {
        match self.history.iter().rposition(|b| b.id == run.id) {
            Some(place) => {
                self.history[place] = run;
                self.recall_plain_passes(place);
            }
            None => {
                let place = self.history.partition_point(|b| b.at() <= run.at());
                self.history.insert(place, run);
                self.forget_plain_pass(place);
            }
        }
        while self.history.len() > HISTORY {
            let gone = self.history.pop_front().and_then(|b| b.judged);
            gone.into_iter().for_each(|judged| self.root(judged));
        }
    }

    /// Of passes in a row incidents need the last one alone; most probes mostly pass.
    fn forget_plain_pass(&mut self, place: usize) {
        let passed = |b: &Brief| b.trigger == Trigger::Scheduled && b.verdict == Some(Verdict::Pass);
        let [earlier, later] = self.beside(place);
        for (first, second) in [(earlier, Some(place)), (Some(place), later)] {
            if let Some((first, second)) = first.zip(second)
                && passed(&self.history[first])
                && passed(&self.history[second])
            {
                self.history[first].judged = None;
            }
        }
    }

    /// A pass that turned into a failure parts the passes before and after it: incidents need both again.
    fn recall_plain_passes(&mut self, place: usize) {
        let Some(turned) = self.history[place].judged.clone().filter(|j| j.verdict != Verdict::Pass) else { return };
        for beside in self.beside(place).into_iter().flatten() {
            let brief = &mut self.history[beside];
            let Some(finished) = brief.finished.filter(|_| brief.judged.is_none() && brief.verdict == Some(Verdict::Pass)) else {
                continue;
            };
            brief.judged = Some(Arc::new(turned.passed(brief.id.clone(), brief.started, finished)));
        }
    }

    /// The scheduled runs before and after one.
    fn beside(&self, place: usize) -> [Option<usize>; 2] {
        let scheduled = |at: &usize| self.history[*at].trigger == Trigger::Scheduled;
        [(0..place).rev().find(scheduled), (place + 1..self.history.len()).find(scheduled)]
    }

    /// Keeps what is left of a run that leaves the history, if trouble that lasts began with it.
    fn root(&mut self, judged: Arc<Judged>) {
        let begins = match self.roots.last() {
            _ if judged.verdict == Verdict::Pass => {
                self.roots.clear();
                true
            }
            Some(last) => (last.verdict, last.stage) != (judged.verdict, judged.stage),
            None => true,
        };
        if begins && self.roots.len() < ROOTS {
            self.roots.push(judged);
        }
    }

    /// What incidents are made of, oldest first.
    pub fn judged(&self) -> impl Iterator<Item = Judged> {
        let recent = self.history.iter().filter_map(|b| b.judged.as_ref());
        self.roots.iter().chain(recent).map(|j| Judged::clone(j))
    }

    fn finished(&mut self, run: &Run) {
        self.running.remove(&run.id);
        if run.trigger == Trigger::Control || run.finished.is_none() {
            return;
        }
        let brief = Brief::of(run);
        let known = self.history.iter().any(|b| b.id == run.id);
        self.remember(brief.clone());
        let newest = self.last.as_ref().is_none_or(|l| l.run.id == run.id || l.run.at() <= brief.at());
        if !self.judges(run.trigger) || !newest {
            return;
        }
        // A late finding changes the verdict of a run that was counted: the counts are made again from the history.
        match (known, brief.verdict) {
            (true, _) => self.recount(),
            (false, Some(Verdict::Pass)) => (self.failures, self.unknown_since, self.last_pass) = (0, None, run.finished),
            (false, Some(Verdict::Fail)) => (self.failures, self.unknown_since) = (self.failures + 1, None),
            (false, _) => self.unknown_since = self.unknown_since.or(run.finished),
        }
        if brief.verdict.is_some_and(|v| v != Verdict::Unknown) {
            self.last_judged = Some(brief);
        }
        self.last = Some(Last::of(run));
    }

    fn recount(&mut self) {
        let of_probe = || self.history.iter().rev().filter(|b| self.judges(b.trigger));
        let since_pass = || of_probe().take_while(|b| b.verdict != Some(Verdict::Pass));
        let failures = since_pass().filter(|b| b.verdict == Some(Verdict::Fail)).count();
        let pass = of_probe().find(|b| b.verdict == Some(Verdict::Pass)).and_then(|b| b.finished);
        let unknown = of_probe().take_while(|b| b.verdict == Some(Verdict::Unknown)).last().and_then(|b| b.finished);
        self.failures = u32::try_from(failures).unwrap_or(u32::MAX);
        self.last_pass = pass.or(self.last_pass.filter(|_| self.history.len() >= HISTORY));
        self.unknown_since = unknown;
    }

    /// The runs by which the probe is judged, newest first.
    pub fn judging(&self) -> impl Iterator<Item = &Brief> {
        self.history.iter().rev().filter(|b| self.judges(b.trigger))
    }
}

/// All probes by name. A page takes the whole of it at one moment and reads at leisure.
pub type Seats = Arc<BTreeMap<String, Arc<Seat>>>;

/// The board.
#[derive(Default)]
pub struct Board(Mutex<Seats>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known at this moment.
    pub fn seats(&self) -> Seats {
        self.lock().clone()
    }

    fn change(&self, probe: &str, change: impl FnOnce(&mut Seat)) {
        let mut seats = self.lock();
        if let Some(seat) = Arc::make_mut(&mut seats).get_mut(probe) {
            change(Arc::make_mut(seat));
        }
    }

    /// Takes the probes of a configuration; what is known of those that stay is kept.
    pub fn configure<'a>(&self, probes: impl Iterator<Item = (&'a Probe, bool)>) {
        let mut seats = self.lock();
        let mut new = BTreeMap::new();
        for (probe, unproven) in probes {
            let seat = match seats.get(&probe.name) {
                Some(old) => Seat { probe: Arc::new(probe.clone()), unproven, ..Seat::clone(old) },
                None => Seat::new(probe, unproven),
            };
            new.insert(probe.name.clone(), Arc::new(seat));
        }
        *seats = Arc::new(new);
    }

    /// Takes the standings of the store.
    pub fn restore(&self, standings: &[ProbeStanding]) {
        for standing in standings {
            self.change(&standing.probe, |seat| seat.restore(standing));
        }
    }

    /// The runs among the last ones of a probe of which more is shown than that they were: those that are under way, and for a
    /// probe without a schedule, which has no standing in the store, the newest one that is not known yet.
    pub fn wanting(&self, probe: &str, briefs: &[Brief]) -> Vec<RunId> {
        let Some(seat) = self.seats().get(probe).cloned() else { return Vec::new() };
        let under_way = briefs.iter().filter(|b| b.finished.is_none());
        let newest = briefs.iter().filter(|b| b.finished.is_some() && seat.probe.schedule.is_none() && seat.judges(b.trigger));
        let newest = newest.max_by_key(|b| b.finished).filter(|b| seat.last.as_ref().is_none_or(|l| l.run != **b));
        under_way.chain(newest).map(|b| b.id.clone()).collect()
    }

    /// Takes the last runs of a probe from the store, those of other programs on the same store among them; `whole` are those
    /// that [`Board::wanting`] named.
    pub fn recall(&self, probe: &str, briefs: Vec<Brief>, whole: &[Run]) {
        self.change(probe, |seat| {
            for brief in briefs.into_iter().filter(|b| b.trigger != Trigger::Control && b.finished.is_some()) {
                seat.running.remove(&brief.id);
                seat.remember(brief);
            }
            for run in whole.iter().filter(|r| r.trigger != Trigger::Control) {
                // Its end may have been told while the store was read.
                if run.finished.is_none() && !seat.history.iter().any(|b| b.id == run.id) {
                    seat.running.insert(run.id.clone(), UnderWay { run: Brief::of(run), cells: cells(run) });
                }
            }
            if seat.probe.schedule.is_some() {
                return;
            }
            let newest = whole.iter().filter(|r| r.finished.is_some() && seat.judges(r.trigger)).max_by_key(|r| r.finished);
            if let Some(newest) = newest.filter(|r| seat.last.as_ref().is_none_or(|l| l.run.finished <= r.finished)) {
                seat.last = Some(Last::of(newest));
                let judged = seat.judging().find(|b| b.verdict != Some(Verdict::Unknown)).cloned();
                seat.last_judged = judged;
                seat.recount();
            }
        });
    }

    /// Takes what trouble that lasts began with, for the probes whose history does not reach back so far.
    pub fn recall_roots(&self, mut troubles: Vec<Judged>) {
        troubles.sort_by_key(|j| j.finished);
        for judged in troubles {
            let probe = judged.probe.clone();
            self.change(&probe, |seat| {
                if seat.history.front().is_some_and(|oldest| judged.finished < oldest.at()) {
                    seat.root(Arc::new(judged));
                }
            });
        }
    }

    /// Takes in what happened in a run.
    pub fn observe(&self, event: &RunEvent) {
        let run = event.run();
        self.change(&run.probe.name, |seat| match event {
            RunEvent::Started(run) | RunEvent::Stage(run, _) if run.trigger != Trigger::Control && run.finished.is_none() => {
                drop(seat.running.insert(run.id.clone(), UnderWay { run: Brief::of(run), cells: cells(run) }));
            }
            RunEvent::Started(_) | RunEvent::Stage(..) => {}
            RunEvent::Finished(run) | RunEvent::Late(run) => seat.finished(run),
        });
    }

    /// Takes over when a probe is due. True when a pause began or ended: what else changes comes with a run.
    pub fn due(&self, probe: &str, due: Due) -> bool {
        // Told at every look for every probe: only a change is worth a copy.
        let Some(was) = self.lock().get(probe).map(|seat| seat.due).filter(|was| *was != due) else { return false };
        self.change(probe, |seat| seat.due = due);
        was.resting != due.resting
    }
}
