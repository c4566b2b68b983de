//! Controls: small runs of our own that separate look-alikes by what still works in the same minute.
//!
//! What is asked is a pure function of the run. A control's intent is stored with the id under which it will run, and the
//! store takes an id once: a crash between the two never starts it twice. Runs that fail together share a control.

use super::control_probe::{self, Ask};
use super::journey::{Journey, Walk};
use super::ports::{Desk, RunFilter, StoreError};
use super::send;
use crate::clock::after;
use crate::model::{
    ActKind, ActState, Channel, Control, ControlKind, EmailChannel, MailEncoding, Outcome, Phase, Probe, Run, RunId, Stage, StageSight,
    Token, Trigger, View,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many controls one run may ask for.
const MOST: usize = 8;
/// Runs that fail within so many seconds share one control even when both ask at the same instant.
const TOGETHER_SECONDS: i64 = 10;
/// How long after the sum of its limits a control is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The controls that can change what is said of a run, in the order in which they are asked. Empty for a run that did not
/// fail, and for a control.
pub(super) fn wanted(run: &Run) -> Vec<ControlKind> {
    if run.trigger == Trigger::Control || run.interrupted {
        return Vec::new();
    }
    let failed = |s: &Stage| run.stages.get(s).is_some_and(|r| r.outcome == Some(Outcome::Fail));
    let mut kinds: Vec<ControlKind> = Vec::new();
    let stage = Stage::ALL.into_iter().filter(|s| *s != Stage::CleanUp).find(failed);
    if stage.is_some() {
        kinds.extend(run.probe.controls.probes.iter().filter(|p| **p != run.probe.name).cloned().map(ControlKind::Probe));
    }
    if run.probe.controls.built_in {
        kinds.extend(stage.map(|stage| built_in(run, stage)).unwrap_or_default());
        if looks_automated(run) && by_mail(run) {
            kinds.push(ControlKind::Loop);
        }
    }
    let mut once: Vec<ControlKind> = Vec::new();
    for kind in kinds {
        if !once.contains(&kind) {
            once.push(kind);
        }
    }
    once.truncate(MOST);
    once
}

fn built_in(run: &Run, stage: Stage) -> Vec<ControlKind> {
    use ControlKind::{Account, Loop, Outbound, Plain, System, Visit};
    let email = match &run.probe.channel {
        Channel::Email(email) => Some(email),
        Channel::Form(_) | Channel::Chat(_) => None,
    };
    let can = |kind: &ControlKind| match kind {
        Plain => email.is_some_and(|e| is_special(run, e)),
        System => email.is_some_and(|e| e.system.as_ref().is_some_and(|s| !e.to.contains(s))),
        Account => email.is_some() && run.probe.controls.account.as_ref().is_some_and(|a| *a != run.probe.account),
        Loop => email.is_some(),
        Outbound | Visit => run.probe.desk.is_some(),
        ControlKind::Probe(_) => false,
    };
    // What came after its limit was lost when the controls were asked.
    let lost = run.tickets.is_empty() || run.context.landed_late.is_some();
    let of_stage = match stage {
        Stage::Accept => vec![Plain, System],
        Stage::Land if lost && email.is_some() => vec![Plain, System, Account, Loop, Outbound, Visit],
        Stage::Land if lost => vec![Visit],
        // Held back: by the way that it came, perhaps.
        Stage::Land if is_held_back(run) => vec![System],
        Stage::Acknowledge => vec![Account, System, Plain, Loop],
        Stage::Reply | Stage::Return if answer_is_missing(run) => vec![Outbound, Loop],
        _ => Vec::new(),
    };
    of_stage.into_iter().filter(can).collect()
}

/// The ticket lies in a view that nobody opens.
fn is_held_back(run: &Run) -> bool {
    let hints = run.stages.get(&Stage::Land).map(|r| r.hints.as_slice()).unwrap_or_default();
    hints.iter().any(|h| h == "dmarc-fail-suspended" || h == "desk-spam-view")
}

/// The message has something that a plain one has not.
fn is_special(run: &Run, email: &EmailChannel) -> bool {
    run.probe.variant_of.is_some()
        || email.padding > 0
        || email.encoding != MailEncoding::default()
        || email.subject.trim().is_empty()
        || email.text.trim().is_empty()
        || email.to.len() > 1
        || email.html.is_some()
        || !email.attachments.is_empty()
}

fn by_mail(run: &Run) -> bool {
    matches!(run.probe.channel, Channel::Email(_))
}

fn looks_automated(run: &Run) -> bool {
    run.stages.values().any(|r| r.outcome != Some(Outcome::Pass) && r.hints.iter().any(|h| h == "mon-probe-looks-automated"))
}

/// The answer was to come by mail, and did not.
fn answer_is_missing(run: &Run) -> bool {
    if run.chat.as_ref().is_some_and(|chat| !chat.offline) {
        return false;
    }
    let record = run.stages.get(&Stage::Return);
    record.is_some_and(|r| r.outcome == Some(Outcome::Fail) && r.checks.iter().any(|c| c.check == "answer" && c.outcome == Outcome::Fail))
}

/// The stages of a run as another run sees them.
pub(super) fn sights(run: &Run, now: Timestamp) -> BTreeMap<Stage, StageSight> {
    let sight = |stage: &Stage| {
        let record = run.stages.get(stage)?;
        let opened = record.opened;
        let half = run.probe.limit(*stage) / 2;
        let took = opened.zip(record.closed).filter(|_| record.outcome == Some(Outcome::Pass));
        Some(StageSight {
            outcome: record.outcome,
            overdue: record.outcome.is_none() && opened.is_some_and(|at| after(at, half) <= now),
            closed: record.closed,
            took_ms: took.and_then(|(from, to)| u64::try_from(to.duration_since(from).as_millis()).ok()),
            hint: record.hints.first().cloned(),
        })
    };
    Stage::ALL.into_iter().filter_map(|s| sight(&s).map(|sight| (s, sight))).collect()
}

impl Journey<'_> {
    /// Asks the controls that can change the answer, and takes in what they saw. Gives the time of the next look; none
    /// when nothing more can be learnt.
    pub(super) async fn controls(&mut self) -> Walk<Option<Timestamp>> {
        for kind in wanted(&self.run) {
            match self.control(&kind) {
                None if kind == ControlKind::Visit => {}
                None => self.ask(kind).await?,
                Some(_) => self.take_up(&kind).await?,
            }
        }
        let next = self.hear_controls().await?;
        if next.is_some() || !wanted(&self.run).contains(&ControlKind::Visit) {
            return Ok(next);
        }
        // Last: a visit may set going what the others were to find standing still.
        self.visit().await
    }

    /// The run that asked for this control wants to know at once how it ended; it also looks by itself.
    pub(super) async fn wake_parent(&self) -> Walk<()> {
        if let Some(parent) = &self.run.parent {
            self.parts.store.wake(parent).await?;
            self.parts.wake.notify_one();
        }
        Ok(())
    }

    pub(super) fn control(&self, kind: &ControlKind) -> Option<&Control> {
        self.run.context.controls.iter().find(|c| c.kind == *kind)
    }

    pub(super) fn control_mut(&mut self, kind: &ControlKind) -> Option<&mut Control> {
        self.run.context.controls.iter_mut().find(|c| c.kind == *kind)
    }

    pub(super) fn add_control(&mut self, kind: ControlKind, run: Option<RunId>, skipped: Option<String>) {
        let (asked, ended) = (self.now(), skipped.is_some());
        self.run.context.controls.push(Control { kind, asked, run, skipped, ended, stages: BTreeMap::new(), marks: Vec::new() });
    }

    /// Starts a control, or joins one that another run asked for since this one began.
    async fn ask(&mut self, kind: ControlKind) -> Walk<()> {
        let ask = match self.plan_control(&kind) {
            Ok(ask) => ask,
            Err(why) => {
                self.add_control(kind, None, Some(why));
                return Ok(());
            }
        };
        if let Some(shared) = self.shared_control(&ask.probe.name).await? {
            self.add_control(kind, Some(shared), None);
            return Ok(());
        }
        let id = self.control_id(&ask.probe.name).await?;
        let target = control_probe::word(&kind);
        self.add_control(kind, Some(id.clone()), None);
        self.begin_act(ActKind::Control, &target).await?;
        self.start_control(&id, &ask).await?;
        self.finish_act(ActKind::Control, &target, ActState::Done).await
    }

    /// A control whose start is not known to have happened: the store knows. Where it has no run of that id nothing was
    /// sent, and the start is made up for under the same id, which it takes only once.
    async fn take_up(&mut self, kind: &ControlKind) -> Walk<()> {
        let target = control_probe::word(kind);
        if !matches!(self.act(ActKind::Control, &target), Some(ActState::Intent | ActState::Uncertain)) {
            return Ok(());
        }
        let Some(id) = self.control(kind).and_then(|c| c.run.clone()) else { return Ok(()) };
        if self.parts.store.run(&id).await?.is_some() {
            self.set_act(ActKind::Control, &target, ActState::FoundDone);
            return Ok(());
        }
        match self.plan_control(kind) {
            Ok(ask) => {
                self.start_control(&id, &ask).await?;
                self.finish_act(ActKind::Control, &target, ActState::Done).await
            }
            Err(why) => {
                self.set_act(ActKind::Control, &target, ActState::Failed(why.clone()));
                if let Some(control) = self.control_mut(kind) {
                    (control.run, control.skipped, control.ended) = (None, Some(why), true);
                }
                Ok(())
            }
        }
    }

    async fn start_control(&mut self, id: &RunId, ask: &Ask) -> Walk<()> {
        let start = send::Start {
            probe: &ask.probe,
            address: &ask.address,
            display_name: &ask.display_name,
            trigger: Trigger::Control,
            parent: Some(&self.run.id),
            until: None,
        };
        match send::begin(self.parts, id, &start).await {
            // Another run that fails at the same moment was faster; its control is ours too.
            Err(StoreError::Failed(_)) if self.parts.store.run(id).await?.is_some() => Ok(()),
            other => other,
        }
    }

    /// A control of that name that was begun after this run was, and so saw the same minutes.
    async fn shared_control(&self, name: &str) -> Walk<Option<RunId>> {
        let filter = RunFilter { probe: Some(name.to_owned()), since: Some(self.run.started), limit: 1, controls: true, not_passed: false };
        let found = self.parts.store.runs(&filter).await?;
        Ok(found.into_iter().find(|r| r.id != self.run.id).map(|r| r.id))
    }

    /// The id of a control: the same for all who ask within a few seconds, so that the store takes one of them.
    async fn control_id(&self, name: &str) -> Walk<RunId> {
        let second = self.now().as_second();
        let begin = Timestamp::from_second(second - second.rem_euclid(TOGETHER_SECONDS)).unwrap_or(self.now());
        let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let random = hash.as_ref().iter().take(8).fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
        let id = RunId::new(begin, random);
        // One that is there and was not found by name is older than this run, or another's.
        Ok(if self.parts.store.run(&id).await?.is_some() { RunId::new(self.now(), super::random()) } else { id })
    }

    /// Takes in the controls that have ended or whose time is over.
    async fn hear_controls(&mut self) -> Walk<Option<Timestamp>> {
        let now = self.now();
        let open: Vec<(ControlKind, RunId, Timestamp)> = self
            .run
            .context
            .controls
            .iter()
            .filter(|c| !c.ended)
            .filter_map(|c| c.run.clone().map(|run| (c.kind.clone(), run, c.asked)))
            .collect();
        let mut waits = false;
        for (kind, id, asked) in open {
            let child = self.parts.store.run(&id).await?;
            match child {
                Some(child) if child.phase != Phase::Finished && now < after(asked, patience(&child.probe)) => waits = true,
                Some(child) => self.heard(&kind, &child),
                None => {
                    if let Some(control) = self.control_mut(&kind) {
                        (control.ended, control.skipped) = (true, Some("it is no longer in the store".to_owned()));
                    }
                }
            }
        }
        let wait = (self.run.probe.limit(Stage::Land) / 30).clamp(Duration::from_secs(1), Duration::from_secs(10));
        Ok(waits.then(|| after(now, wait)))
    }

    fn heard(&mut self, kind: &ControlKind, child: &Run) {
        let stages = sights(child, self.now());
        let marks = if *kind == ControlKind::Loop { marks(child) } else { Vec::new() };
        let unsent = child.stages.get(&Stage::Send).filter(|r| r.hints.iter().any(|h| h == "budget-exhausted"));
        let skipped = unsent.and_then(|r| r.checks.iter().find(|c| c.check == "budget")).map(|c| c.found.clone());
        if let Some(control) = self.control_mut(kind) {
            (control.stages, control.marks, control.skipped, control.ended) = (stages, marks, skipped, true);
        }
    }

    /// Opens the desk's page for agents and looks whether the lost request lands then.
    async fn visit(&mut self) -> Walk<Option<Timestamp>> {
        let (Some(desk), Some(token)) = (self.desk(), self.token(Stage::Send)) else { return Ok(None) };
        let target = control_probe::word(&ControlKind::Visit);
        let Some(asked) = self.control(&ControlKind::Visit).map(|c| (c.asked, c.ended)) else {
            return self.begin_visit(&*desk, &token, &target).await;
        };
        if asked.1 {
            return Ok(None);
        }
        let (now, found) = (self.now(), self.landed_now(&*desk, &token).await);
        let until = after(asked.0, (self.run.probe.limit(Stage::Land) / 4).clamp(Duration::from_secs(5), Duration::from_secs(60)));
        if found != Some(true) && now < until {
            return Ok(Some(until.min(after(now, Duration::from_secs(5)))));
        }
        let outcome = match found {
            Some(true) => Outcome::Pass,
            Some(false) => Outcome::Fail,
            None => Outcome::Unknown,
        };
        let sight = StageSight { outcome: Some(outcome), overdue: false, closed: Some(now), took_ms: None, hint: None };
        if let Some(control) = self.control_mut(&ControlKind::Visit) {
            control.stages.insert(Stage::Land, sight);
            control.ended = true;
        }
        Ok(None)
    }

    async fn begin_visit(&mut self, desk: &dyn Desk, token: &Token, target: &str) -> Walk<Option<Timestamp>> {
        if self.landed_now(desk, token).await == Some(true) {
            self.add_control(ControlKind::Visit, None, Some("the request is there by now, without a visit".to_owned()));
            return Ok(None);
        }
        self.add_control(ControlKind::Visit, None, None);
        self.begin_act(ActKind::Control, target).await?;
        let (state, skipped) = match desk.visit().await {
            Ok(true) => (ActState::Done, None),
            Ok(false) => (ActState::Failed("no page".to_owned()), Some("the desk's definition names no page for agents".to_owned())),
            Err(trouble) => (ActState::Failed(trouble.message.clone()), Some(trouble.message)),
        };
        if let Some(control) = self.control_mut(&ControlKind::Visit) {
            control.ended = skipped.is_some();
            control.skipped = skipped;
        }
        self.finish_act(ActKind::Control, target, state).await?;
        Ok(Some(after(self.now(), Duration::from_secs(1))))
    }

    /// Whether the first message is at the desk now; none when the desk could not be asked.
    async fn landed_now(&mut self, desk: &dyn Desk, token: &Token) -> Option<bool> {
        desk.find(&self.needle(token), View::Normal).await.ok().map(|found| !found.is_empty())
    }

    /// What the control would be, or why it cannot be run.
    fn plan_control(&self, kind: &ControlKind) -> Result<Ask, String> {
        let failed = |s: &Stage| self.run.stages.get(s).is_some_and(|r| r.outcome == Some(Outcome::Fail));
        let stage = Stage::ALL.into_iter().find(failed).unwrap_or(Stage::Land);
        let recipe = self.desk().and_then(|d| d.creates());
        control_probe::plan(&self.run, kind, stage, &*self.parts.directory, recipe)
    }
}

/// How long a control may take: every limit of its stages, and a little.
fn patience(probe: &Probe) -> Duration {
    probe.stages.iter().map(|s| probe.limit(*s)).sum::<Duration>() + PATIENCE
}

/// What our own mail had when it came back that it had not when it left: nothing that marks a machine leaves us.
fn marks(child: &Run) -> Vec<String> {
    let mut marks = Vec::new();
    for seen in child.mails.iter().filter(|m| m.role == crate::model::MailRole::Own) {
        let auto = &seen.mail.auto;
        marks.extend(auto.auto_submitted.is_some().then(|| "header Auto-Submitted".to_owned()));
        marks.extend(auto.precedence.is_some().then(|| "header Precedence".to_owned()));
        marks.extend(auto.others.iter().map(|name| format!("header {name}")));
        marks.extend(seen.mail.in_junk.then(|| "in junk".to_owned()));
    }
    marks.sort();
    marks.dedup();
    marks
}
