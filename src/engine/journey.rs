//! A run in hand: reading the clock, writing evidence, acts with stored intent, opening and closing stages.

use super::Parts;
use super::ports::{Claimed, Step, StoreError, Trouble, observe_trouble};
use super::ways::Push;
use crate::clock::after;
use crate::model::{
    Act, ActKind, ActState, Check, Looked, Message, Observation, Outcome, Party, Poll, Run, Source, Stage, StageRecord, Token,
};
use jiff::Timestamp;
use std::time::Duration;

/// Result of a step of the journey; an error means that the store failed or another instance has the run.
pub(super) type Walk<T> = Result<T, StoreError>;

/// A claimed run with what has changed since the last commit.
pub(super) struct Journey<'e> {
    /// The outside.
    pub(super) parts: &'e Parts,
    /// The run.
    pub(super) run: Run,
    epoch: u64,
    kept: usize,
    taken: Vec<i64>,
    decided: Vec<Stage>,
    /// How the push paths to visitor and agents were doing at the last look in this advance.
    pub(super) pushes: Option<(Push, Push)>,
    /// The verdict was given in this advance.
    pub(super) finished_now: bool,
}

impl<'e> Journey<'e> {
    /// Takes a claimed run in hand. Acts whose result was never stored become uncertain when the holder has changed.
    pub(super) fn new(parts: &'e Parts, claimed: Claimed) -> Journey<'e> {
        let Claimed { run, epoch, deliveries, taken_over } = claimed;
        let kept = run.observations.len();
        let mut journey = Journey { parts, run, epoch, kept, taken: Vec::new(), decided: Vec::new(), pushes: None, finished_now: false };
        if taken_over {
            journey.doubt_open_acts();
        }
        for (row, delivery) in deliveries {
            journey.taken.push(row);
            if delivery.account.is_empty() || delivery.account == journey.run.probe.account {
                journey.take_in(delivery.mail, delivery.seen);
            } else {
                journey.seen_elsewhere(&delivery);
                journey.canary_elsewhere(&delivery);
            }
        }
        journey
    }

    fn doubt_open_acts(&mut self) {
        let now = self.now();
        let doubtful: Vec<ActKind> = self.run.acts.iter().filter(|a| a.state == ActState::Intent).map(|a| a.kind).collect();
        for act in self.run.acts.iter_mut().filter(|a| a.state == ActState::Intent) {
            act.state = ActState::Uncertain;
        }
        for kind in doubtful {
            let stage = stage_of(kind);
            self.observe(
                Observation::new(now, Some(stage), Source::Monitor, "store", format!("result of {}", act_name(kind)), Looked::Empty)
                    .fact("act", act_name(kind))
                    .fact("state", "uncertain"),
            );
        }
    }

    /// The time now.
    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    // ------------------------------------------------------------------------------- evidence

    /// Records a look. The same answer from the same place as last time only counts up.
    pub(super) fn observe(&mut self, observation: Observation) {
        let same = self.run.observations.iter().rposition(|o| {
            o.stage == observation.stage
                && o.source == observation.source
                && o.place == observation.place
                && o.looked_for == observation.looked_for
        });
        if let Some(index) = same
            && let Some(last) = self.run.observations.get_mut(index)
            && last.result == observation.result
            && last.class == observation.class
            && last.facts == observation.facts
        {
            last.times += 1;
            last.last = observation.at;
            self.kept = self.kept.min(index);
            return;
        }
        self.run.observations.push(observation);
    }

    /// Records that a place could not be looked at.
    pub(super) fn trouble(&mut self, stage: Stage, source: Source, place: &str, looked_for: &str, trouble: &Trouble) {
        let seen = observe_trouble(self.now(), Some(stage), source, place, looked_for, trouble);
        self.observe(seen);
    }

    /// Adds a remark for people, once.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.run.notes.contains(&text) {
            self.run.notes.push(text);
        }
    }

    // --------------------------------------------------------------------------------- stages

    /// True when the probe takes the stage and `--until` does not end before it.
    pub(super) fn takes(&self, stage: Stage) -> bool {
        self.run.probe.takes(stage) && (stage == Stage::CleanUp || self.run.until.is_none_or(|until| stage <= until))
    }

    /// The record of a stage.
    pub(super) fn record(&mut self, stage: Stage) -> &mut StageRecord {
        self.run.stages.entry(stage).or_default()
    }

    /// How the stage ended, if it has.
    pub(super) fn outcome(&self, stage: Stage) -> Option<Outcome> {
        self.run.stages.get(&stage).and_then(|r| r.outcome)
    }

    /// True while the stage has begun and is not decided.
    pub(super) fn is_open(&self, stage: Stage) -> bool {
        self.run.stages.get(&stage).is_some_and(|r| r.opened.is_some() && r.outcome.is_none())
    }

    /// Begins a stage that the probe takes; its limit counts from now.
    pub(super) fn open(&mut self, stage: Stage) {
        if !self.takes(stage) || self.outcome(stage).is_some() {
            return;
        }
        let now = self.now();
        let deadline = self.limit_ends(stage, now);
        let record = self.record(stage);
        if record.opened.is_none() {
            record.opened = Some(now);
            record.deadline = Some(deadline);
        }
    }

    /// The end of a stage's limit; for a stage that has not begun: never.
    pub(super) fn deadline(&self, stage: Stage) -> Timestamp {
        self.run.stages.get(&stage).and_then(|r| r.deadline).unwrap_or(Timestamp::MAX)
    }

    /// How long after its deadline a stage may still wait for a look that is answered.
    pub(super) fn grace(&self, stage: Stage) -> Timestamp {
        let limit = self.run.probe.limit(stage);
        after(self.deadline(stage), (limit / 4).clamp(Duration::from_secs(5), Duration::from_secs(120)))
    }

    /// Decides a stage. The first decision stands, except that a pass may become a fail.
    pub(super) fn close(&mut self, stage: Stage, outcome: Outcome) {
        if !self.takes(stage) {
            return;
        }
        let now = self.now();
        let record = self.record(stage);
        match record.outcome {
            None => {
                record.opened.get_or_insert(now);
                record.closed = Some(now);
                record.outcome = Some(outcome);
                self.decided.push(stage);
            }
            Some(Outcome::Pass) if outcome == Outcome::Fail => {
                record.outcome = Some(outcome);
                self.decided.push(stage);
            }
            Some(_) => {}
        }
    }

    /// Decides a stage as failed with the faults that its evidence points to.
    pub(super) fn fail(&mut self, stage: Stage, hints: &[&str]) {
        if !matches!(self.outcome(stage), None | Some(Outcome::Pass)) {
            return;
        }
        self.hint(stage, hints);
        self.close(stage, Outcome::Fail);
    }

    /// Decides a stage as failed by what comes before every other cause, though it may be decided already.
    pub(super) fn fail_first(&mut self, stage: Stage, fault: &str) {
        if !self.takes(stage) || self.record(stage).hints.first().is_some_and(|h| h == fault) {
            return;
        }
        let now = self.now();
        let record = self.record(stage);
        record.hints.retain(|h| h != fault);
        record.hints.insert(0, fault.to_owned());
        record.opened.get_or_insert(now);
        record.closed.get_or_insert(now);
        record.outcome = Some(Outcome::Fail);
        self.decided.push(stage);
    }

    /// Decides a stage as not judged, with the trouble that prevented it.
    pub(super) fn unknown(&mut self, stage: Stage, fault: &str) {
        if self.outcome(stage).is_none() {
            self.hint(stage, &[fault]);
            self.close(stage, Outcome::Unknown);
        }
    }

    /// Decides a stage as not judged though it may be decided already: what was seen is of our own making.
    pub(super) fn overrule(&mut self, stage: Stage, fault: &str) {
        let now = self.now();
        let record = self.record(stage);
        record.hints.retain(|h| h != fault);
        record.hints.insert(0, fault.to_owned());
        record.opened.get_or_insert(now);
        record.closed.get_or_insert(now);
        if record.outcome != Some(Outcome::Unknown) {
            record.outcome = Some(Outcome::Unknown);
            self.decided.push(stage);
        }
    }

    /// Ends a stage that cannot be reached any more.
    pub(super) fn not_reached(&mut self, stage: Stage) {
        if self.takes(stage) && self.outcome(stage).is_none() {
            self.record(stage).outcome = Some(Outcome::NotReached);
        }
    }

    /// Adds fault ids to a stage's ranked list, each once.
    pub(super) fn hint(&mut self, stage: Stage, hints: &[&str]) {
        let record = self.record(stage);
        for hint in hints {
            if !record.hints.iter().any(|h| h == hint) {
                record.hints.push((*hint).to_owned());
            }
        }
    }

    /// Writes a check; a later one of the same name replaces the earlier.
    pub(super) fn check(&mut self, stage: Stage, name: &str, outcome: Outcome, expected: impl Into<String>, found: impl Into<String>) {
        let check = Check { check: name.to_owned(), outcome, expected: expected.into(), found: found.into() };
        let checks = &mut self.record(stage).checks;
        match checks.iter_mut().find(|c| c.check == name) {
            Some(old) => *old = check,
            None => checks.push(check),
        }
    }

    // --------------------------------------------------------------------------------- messages

    /// The token of the message that a stage writes, if it was written.
    pub(super) fn token(&self, stage: Stage) -> Option<Token> {
        self.run.messages.iter().find(|m| m.stage == stage && m.turn == 0).map(|m| m.token.clone())
    }

    /// Every token of the run.
    pub(super) fn tokens(&self) -> Vec<Token> {
        self.run.messages.iter().map(|m| m.token.clone()).collect()
    }

    /// Every Message-ID that the run wrote.
    pub(super) fn own_ids(&self) -> Vec<String> {
        self.run.own_ids().map(str::to_owned).collect()
    }

    /// Registers a message that a stage is about to write and gives its token.
    pub(super) fn new_message(&mut self, stage: Stage, party: Party, message_id: Option<String>, subject: String) -> Token {
        let token = self.parts.tokens.token(self.run.id.as_str(), stage.as_str());
        if self.token(stage).is_none() {
            self.run.messages.push(Message { stage, turn: 0, party, token: token.clone(), message_id, subject });
        }
        token
    }

    /// Fills the words of a template.
    pub(super) fn fill(&self, template: &str, token: &Token) -> String {
        fill(template, token, &self.run)
    }

    // ------------------------------------------------------------------------------------ polls

    /// True when the named place should be asked now.
    pub(super) fn poll_due(&self, name: &str) -> bool {
        self.run.polls.get(name).is_none_or(|p| p.next <= self.now())
    }

    /// When the named place should be asked next.
    pub(super) fn poll_next(&self, name: &str) -> Timestamp {
        self.run.polls.get(name).map_or_else(|| self.now(), |p| p.next)
    }

    /// How often the named place was asked.
    pub(super) fn poll_count(&self, name: &str) -> u32 {
        self.run.polls.get(name).map_or(0, |p| p.count)
    }

    /// Counts a look and plans the next: soon at first, then ever more rarely, at most each thirtieth of the stage's
    /// limit, and exactly at its deadline. `wait_at_least` is what the other side asks for, deadline or not.
    pub(super) fn poll_again(&mut self, name: &str, stage: Stage, answered: bool, wait_at_least: Option<Duration>) {
        let cap = (self.run.probe.limit(stage) / 30).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let (now, deadline) = (self.now(), self.deadline(stage));
        let poll = self.count_poll(name, answered);
        poll.wait = (poll.wait * 2).clamp(Duration::from_millis(250), cap);
        poll.next = after(now, poll.wait);
        if now < deadline {
            poll.next = poll.next.min(deadline);
        }
        poll.next = poll.next.max(after(now, wait_at_least.unwrap_or_default()));
    }

    /// Counts a look and plans the next after a fixed time.
    pub(super) fn poll_after(&mut self, name: &str, answered: bool, wait: Duration) {
        let next = after(self.now(), wait);
        self.count_poll(name, answered).next = next;
    }

    fn count_poll(&mut self, name: &str, answered: bool) -> &mut Poll {
        let now = self.now();
        let poll =
            self.run.polls.entry(name.to_owned()).or_insert(Poll { next: now, count: 0, answered: None, wait: Duration::from_millis(125) });
        poll.count += 1;
        if answered {
            poll.answered = Some(now);
        }
        poll
    }

    // ------------------------------------------------------------------------------------- acts

    /// How far an act got.
    pub(super) fn act(&self, kind: ActKind, target: &str) -> Option<&ActState> {
        super::ports::act(&self.run, kind, target).map(|a| &a.state)
    }

    /// True when the act was done, as far as anybody knows.
    pub(super) fn acted(&self, kind: ActKind, target: &str) -> bool {
        matches!(self.act(kind, target), Some(ActState::Done | ActState::FoundDone))
    }

    /// Stores the intent and flushes it to disk. Must return before the act begins.
    pub(super) async fn begin_act(&mut self, kind: ActKind, target: &str) -> Walk<()> {
        crash_point("before-intent", kind);
        let now = self.now();
        self.run.acts.retain(|a| !(a.kind == kind && a.target == target));
        self.run.acts.push(Act { kind, target: target.to_owned(), state: ActState::Intent, intent: now, result: None });
        self.commit(Some(now), true, true).await?;
        crash_point("after-intent", kind);
        Ok(())
    }

    /// Stores how the act ended.
    pub(super) async fn finish_act(&mut self, kind: ActKind, target: &str, state: ActState) -> Walk<()> {
        crash_point("after-act", kind);
        self.set_act(kind, target, state);
        let now = self.now();
        self.commit(Some(now), true, false).await?;
        crash_point("after-result", kind);
        Ok(())
    }

    /// Changes an act's state without a commit of its own.
    pub(super) fn set_act(&mut self, kind: ActKind, target: &str, state: ActState) {
        let now = self.now();
        if let Some(act) = self.run.acts.iter_mut().find(|a| a.kind == kind && a.target == target) {
            act.state = state;
            act.result = Some(now);
        }
    }

    /// Stores the run as it stands. `due`: when it wants to be taken in hand again; `hold`: keep it in hand.
    pub(super) async fn commit(&mut self, due: Option<Timestamp>, hold: bool, durable: bool) -> Walk<()> {
        let step = Step { run: &self.run, epoch: self.epoch, due, hold, taken: &self.taken, observations_kept: self.kept, durable };
        self.epoch = self.parts.store.commit(step).await?;
        self.taken.clear();
        self.kept = self.run.observations.len();
        let decided = std::mem::take(&mut self.decided);
        for stage in decided {
            self.parts.tell_stage(&self.run, stage);
        }
        Ok(())
    }
}

/// Fills `${token}`, `${run}`, `${customer}` and `${address}`.
pub fn fill(template: &str, token: &Token, run: &Run) -> String {
    template
        .replace("${token}", token.as_str())
        .replace("${run}", run.id.as_str())
        .replace("${customer}", name_of(run))
        .replace("${address}", &run.address)
}

/// The customer's name.
pub(super) fn name_of(run: &Run) -> &str {
    let local = run.address.split('@').next().unwrap_or("");
    run.display_name.as_deref().unwrap_or(local)
}

/// The stage in which an act is done.
pub(super) fn stage_of(kind: ActKind) -> Stage {
    match kind {
        ActKind::Send => Stage::Send,
        ActKind::Reply | ActKind::Note | ActKind::Second => Stage::Reply,
        ActKind::Control => Stage::Land,
        ActKind::HandOver => Stage::Acknowledge,
        ActKind::CloseFirst | ActKind::MoveFirst | ActKind::FollowUp => Stage::FollowUp,
        ActKind::Mark => Stage::Format,
        ActKind::Leave | ActKind::Close | ActKind::Delete => Stage::CleanUp,
    }
}

/// The name of an act in evidence.
pub(super) fn act_name(kind: ActKind) -> &'static str {
    match kind {
        ActKind::Send => "send",
        ActKind::Reply => "reply",
        ActKind::CloseFirst => "close_first",
        ActKind::FollowUp => "follow_up",
        ActKind::HandOver => "hand_over",
        ActKind::Leave => "leave",
        ActKind::Mark => "mark",
        ActKind::MoveFirst => "move_first",
        ActKind::Note => "note",
        ActKind::Second => "second",
        ActKind::Control => "control",
        ActKind::Close => "close",
        ActKind::Delete => "delete",
    }
}

/// Ends the process at a named point, for the crash tests: `REPLYPATH_CRASH_AT=after-intent:reply`.
fn crash_point(point: &str, kind: ActKind) {
    if let Ok(at) = std::env::var("REPLYPATH_CRASH_AT")
        && at.split_once(':') == Some((point, act_name(kind)))
    {
        std::process::abort();
    }
}
