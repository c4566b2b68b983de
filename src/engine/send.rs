//! The first leg: the customer's message leaves. By mail it is handed in at the customer's own provider; `form` and `chat`
//! know the other two ways.

use super::Parts;
use super::journey::{Journey, Walk};
use super::ports::{BudgetAnswer, RunEvent, StoreError, Submitted, Trouble};
use super::special;
use crate::clock::after;
use crate::mail::compose::message_id;
use crate::model::{
    ActKind, ActState, Channel, EmailChannel, Looked, Message, Observation, Outcome, OutgoingMail, Party, Phase, Probe, ResultClass, Run,
    RunId, Source, Stage, Token, Trigger,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// So long after a stage was opened its mail is looked for in haste.
const HASTE: Duration = Duration::from_secs(90);
/// More messages than this no journey needs. A run that would send more is caught in a loop.
const MOST_MESSAGES: usize = 12;

/// What a run is begun with.
pub(super) struct Start<'a> {
    /// What runs.
    pub(super) probe: &'a Probe,
    /// The address that it writes from.
    pub(super) address: &'a str,
    /// The name beside it; may be empty.
    pub(super) display_name: &'a str,
    /// Why.
    pub(super) trigger: Trigger,
    /// The run that asks for it as a control.
    pub(super) parent: Option<&'a RunId>,
    /// The last stage to take.
    pub(super) until: Option<Stage>,
}

/// A run before its first step; its first message already has token and Message-ID, so that even a crash before the
/// first step leaves nothing unknown.
pub(super) fn new_run(id: RunId, start: &Start<'_>, now: Timestamp, token: Token) -> Run {
    let probe = start.probe;
    let domain = start.address.rsplit('@').next().unwrap_or("localhost");
    let mut run = Run {
        id,
        probe: probe.clone(),
        address: start.address.to_owned(),
        display_name: Some(start.display_name.to_owned()).filter(|n| !n.is_empty()),
        trigger: start.trigger,
        parent: start.parent.cloned(),
        until: start.until,
        context: Default::default(),
        started: now,
        finished: None,
        phase: Phase::Active,
        position: None,
        stages: BTreeMap::new(),
        messages: Vec::new(),
        acts: Vec::new(),
        mails: Vec::new(),
        chat: None,
        form: None,
        senders: Vec::new(),
        desk_ids: Vec::new(),
        ticket: None,
        tickets: Vec::new(),
        polls: BTreeMap::new(),
        observations: Vec::new(),
        leftovers: Vec::new(),
        settle_until: None,
        notes: Vec::new(),
        interrupted: false,
        diagnosis: None,
    };
    let subject = super::journey::fill(&special::subject(probe), &token, &run);
    run.messages.push(Message {
        stage: Stage::Send,
        turn: 0,
        party: Party::Customer,
        token,
        message_id: matches!(probe.channel, Channel::Email(_)).then(|| message_id(super::random(), now, domain)),
        subject,
    });
    run
}

/// Stores a new run under an id that was chosen before, and tells of it.
pub(super) async fn begin(parts: &Parts, id: &RunId, start: &Start<'_>) -> Result<(), StoreError> {
    let token = parts.tokens.token(id.as_str(), Stage::Send.as_str());
    let run = new_run(id.clone(), start, parts.clock.now(), token);
    parts.store.create_run(&run).await?;
    parts.tell(RunEvent::Started(Box::new(run)));
    parts.wake.notify_one();
    Ok(())
}

impl Journey<'_> {
    /// True while nobody knows whether the first message left.
    pub(super) fn send_is_uncertain(&self) -> bool {
        self.act(ActKind::Send, "") == Some(&ActState::Uncertain)
    }

    /// Hands the first message in, unless that was done or tried before.
    pub(super) async fn send(&mut self) -> Walk<Option<Timestamp>> {
        if self.outcome(Stage::Send).is_some() {
            return Ok(None);
        }
        self.open(Stage::Send);
        if self.send_is_uncertain() {
            self.open_after_send();
            return Ok(None);
        }
        if self.acted(ActKind::Send, "") {
            self.sent();
            return Ok(None);
        }
        if !self.poll_due("send") {
            return Ok(Some(self.poll_next("send")));
        }
        self.take_canary_positions().await;
        match self.take_position().await {
            Err(trouble) if self.needs_mailbox() => return self.send_later(Source::Mailbox, "INBOX", &trouble),
            Err(trouble) => self.note(format!("the mailbox could not be opened, and this journey does without it: {}", trouble.message)),
            Ok(()) => {}
        }
        match self.run.probe.channel {
            Channel::Email(_) => self.send_mail().await,
            Channel::Form(_) => self.send_form().await,
            Channel::Chat(_) => self.send_chat().await,
        }
    }

    async fn send_mail(&mut self) -> Walk<Option<Timestamp>> {
        if let Some(wait) = self.take_budgets(Stage::Send).await? {
            return Ok(Some(wait));
        }
        if self.outcome(Stage::Send).is_some() {
            return Ok(None);
        }
        let mail = self.first_mail();
        self.begin_act(ActKind::Send, "").await?;
        let account = self.run.probe.account.clone();
        let answer = self.parts.submission.submit(&account, &mail).await;
        self.after_submit(answer).await
    }

    pub(super) async fn take_position(&mut self) -> Result<(), Trouble> {
        if self.run.position.is_none() {
            let account = self.run.probe.account.clone();
            self.run.position = Some(self.parts.mailboxes.position(&account).await?);
        }
        Ok(())
    }

    /// How many messages the run has handed in, as far as anybody knows.
    fn sent_messages(&self) -> usize {
        let sends = |kind| matches!(kind, ActKind::Send | ActKind::HandOver | ActKind::FollowUp | ActKind::Second);
        self.run.acts.iter().filter(|a| sends(a.kind) && !matches!(a.state, ActState::Failed(_))).count()
    }

    /// Takes one message from the account's and the desk's budget. Some: wait until then.
    pub(super) async fn take_budgets(&mut self, stage: Stage) -> Walk<Option<Timestamp>> {
        if self.sent_messages() >= MOST_MESSAGES {
            let found = format!("{MOST_MESSAGES} were sent; something answers what we send");
            self.check(stage, "messages", Outcome::Unknown, "a run of a few messages", found);
            self.unknown(stage, "mon-own-responder-loops");
            return Ok(None);
        }
        let budgets = &self.parts.budgets;
        let account = budgets.accounts.get(&self.run.probe.account).cloned();
        let desk = self.run.probe.desk.as_ref().and_then(|d| budgets.desks.get(d)).cloned();
        let now = self.now();
        let keys = [
            (format!("account {}", self.run.probe.account), account),
            (format!("desk {}", self.run.probe.desk.clone().unwrap_or_default()), desk),
        ];
        for (key, budget) in keys {
            let Some(budget) = budget.filter(|b| !b.0.is_empty()) else { continue };
            if let BudgetAnswer::Wait { at, limit } = self.parts.store.budget_take(&key, &budget, now).await? {
                self.observe(
                    Observation::new(now, Some(stage), Source::Monitor, "budget", &limit, Looked::CouldNotLook)
                        .class(ResultClass::Throttled),
                );
                // A control is worth little later, and its run waits for it.
                if at > self.deadline(stage) || self.run.trigger == Trigger::Control {
                    self.check(
                        stage,
                        "budget",
                        Outcome::Unknown,
                        "a message left in the budget",
                        format!("used up: {limit}; free again at {at}"),
                    );
                    self.unknown(stage, "budget-exhausted");
                    return Ok(None);
                }
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn first_mail(&self) -> OutgoingMail {
        let request = self.run.probe.channel.request();
        let email = match &self.run.probe.channel {
            Channel::Email(email) => email.clone(),
            Channel::Form(_) | Channel::Chat(_) => EmailChannel::default(),
        };
        let mut attachments = request.attachments.to_vec();
        attachments.extend(special::files(&email));
        let (encoding, mut cc) = (email.encoding, email.cc);
        cc.extend(self.canary_address(self.run.probe.canaries.cc.as_ref()).filter(|a| !cc.contains(a)));
        let first = self.run.messages.iter().find(|m| m.stage == Stage::Send);
        let token = first.map(|m| m.token.clone()).unwrap_or_else(|| Token(String::new()));
        OutgoingMail {
            from: self.run.address.clone(),
            from_name: self.run.display_name.clone().unwrap_or_default(),
            to: email.to,
            cc,
            bcc: email.bcc,
            subject: first.map(|m| m.subject.clone()).unwrap_or_default(),
            text: self.fill(&special::text(&self.run.probe), &token),
            html: request.html.map(|h| self.fill(h, &token)),
            attachments,
            message_id: first.and_then(|m| m.message_id.clone()).unwrap_or_default(),
            in_reply_to: None,
            references: Vec::new(),
            date: self.now(),
            encoding,
            automatic: false,
        }
    }

    /// The first message as it was written, for quoting it in an answer to oneself.
    pub(super) fn first_mail_again(&self) -> OutgoingMail {
        self.first_mail()
    }

    async fn after_submit(&mut self, answer: Result<Submitted, Trouble>) -> Walk<Option<Timestamp>> {
        let now = self.now();
        let looked_for = self.token(Stage::Send).map(|t| t.0).unwrap_or_default();
        match answer {
            Ok(Submitted::Accepted(line)) => {
                self.observe(
                    Observation::new(now, Some(Stage::Send), Source::Submission, "submission", looked_for, Looked::Found)
                        .class(ResultClass::Ok)
                        .fact("answer", line.clone()),
                );
                self.check(Stage::Send, "handed in", Outcome::Pass, "the provider takes the message", line);
                self.finish_act(ActKind::Send, "", ActState::Done).await?;
                self.sent();
            }
            Ok(Submitted::Refused { code, status, text, fault }) => {
                let line = format!("{code} {} {text}", status.clone().unwrap_or_default());
                self.observe(
                    Observation::new(now, Some(Stage::Send), Source::Submission, "submission", looked_for, Looked::Found)
                        .class(ResultClass::Denied)
                        .fact("answer", line.clone())
                        .fact("fault", fault),
                );
                self.finish_act(ActKind::Send, "", ActState::Failed(line.clone())).await?;
                if fault == "mx-rejects-alias" {
                    // Our own provider is the desk's exchange, or asked it: the address is refused.
                    self.close(Stage::Send, Outcome::Pass);
                    self.open(Stage::Accept);
                    self.check(Stage::Accept, "taken over", Outcome::Fail, "the address takes mail", line);
                    self.fail(Stage::Accept, &[fault]);
                } else {
                    self.check(Stage::Send, "handed in", Outcome::Unknown, "the provider takes the message", line);
                    self.unknown(Stage::Send, fault);
                }
            }
            Ok(Submitted::Deferred { code, text }) => {
                self.finish_act(ActKind::Send, "", ActState::Failed(format!("{code} {text}"))).await?;
                let trouble = Trouble::new(
                    ResultClass::Throttled,
                    "submission-unavailable",
                    format!("the submission server put the message off: {code} {text}"),
                );
                return self.send_later(Source::Submission, "submission", &trouble);
            }
            Ok(Submitted::Uncertain(why)) => {
                self.observe(
                    Observation::new(now, Some(Stage::Send), Source::Submission, "submission", looked_for, Looked::CouldNotLook)
                        .class(ResultClass::Unavailable)
                        .fact("answer", why.clone()),
                );
                self.check(Stage::Send, "handed in", Outcome::Unknown, "the provider takes the message", why);
                self.finish_act(ActKind::Send, "", ActState::Uncertain).await?;
                self.open_after_send();
            }
            Err(trouble) => {
                self.finish_act(ActKind::Send, "", ActState::Failed(trouble.message.clone())).await?;
                return self.send_later(Source::Submission, "submission", &trouble);
            }
        }
        Ok(None)
    }

    /// Nothing was sent: try again within the limit, except where trying again cannot help.
    pub(super) fn send_later(&mut self, source: Source, place: &str, trouble: &Trouble) -> Walk<Option<Timestamp>> {
        let looked_for = self.token(Stage::Send).map(|t| t.0).unwrap_or_default();
        self.trouble(Stage::Send, source, place, &looked_for, trouble);
        let hopeless = matches!(trouble.class, ResultClass::Unauthorised | ResultClass::Denied | ResultClass::BrokenContract);
        self.poll_again("send", Stage::Send, false, Some(trouble.retry_after.unwrap_or(Duration::from_secs(1))));
        if hopeless || self.now() >= self.deadline(Stage::Send) {
            self.check(Stage::Send, "handed in", Outcome::Unknown, "our own mail account works", trouble.message.clone());
            self.unknown(Stage::Send, trouble.fault);
            return Ok(None);
        }
        Ok(Some(self.poll_next("send")))
    }

    /// The message left: the stages that wait for its effect begin.
    pub(super) fn sent(&mut self) {
        self.close(Stage::Send, Outcome::Pass);
        self.open_after_send();
    }

    pub(super) fn open_after_send(&mut self) {
        self.open(Stage::Accept);
        self.open(Stage::Land);
        self.open(Stage::Acknowledge);
        if self.run.probe.desk.is_none() || !self.takes(Stage::Reply) {
            self.open(Stage::Return);
        }
    }

    /// The effect of the first message was seen although its sending was uncertain.
    pub(super) fn found_sent(&mut self) {
        if self.send_is_uncertain() {
            self.set_act(ActKind::Send, "", ActState::FoundDone);
            self.note("the first message was handed in although its result was never stored; it was found and not sent again");
            self.sent();
        }
    }

    /// Keeps the mailbox watched while something is expected there; in haste for a while when it is expected soon. Gives
    /// the time at which the haste is over: who still waits then must ask again, else the mailbox is polled in haste for hours.
    pub(super) fn watch_mailbox(&mut self, soon: bool) -> Option<Timestamp> {
        let position = self.run.position?;
        let now = self.now();
        let waits = [Stage::Accept, Stage::Acknowledge, Stage::Return, Stage::FollowUp].into_iter().filter(|s| self.is_open(*s));
        let last = waits.clone().map(|s| self.grace(s)).max();
        let newest = waits.filter_map(|s| self.run.stages.get(&s).and_then(|r| r.opened)).max();
        let until = last.unwrap_or_else(|| after(now, self.run.probe.settle)).min(after(now, Duration::from_secs(40 * 24 * 3600)));
        let calm = newest.map(|opened| after(opened, HASTE)).filter(|calm| soon && now < *calm);
        self.parts.mailboxes.watch(&self.run.probe.account, position, until, calm.is_some());
        calm
    }
}
