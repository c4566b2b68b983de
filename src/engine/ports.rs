//! What the engine needs from the outside, as traits: the store, mailboxes, submission and desks.
//!
//! Each failure of our own tools is a value of [`Trouble`], because "could not look" is part of a run.

mod desk;

pub use super::around::{Directory, Exchangers, FixedDirectory, Intakes, NoExchangers, NoIntakes, no_intake};
use crate::model::{
    Act, Brief, Budget, Delivery, Judged, MailKey, Observation, OutgoingMail, Position, ReceivedMail, ResultClass, Run, RunId, Token,
    TokenKey, Verdict,
};
use async_trait::async_trait;
pub use desk::{Acted, Desk, Desks, FoundTicket, Needle};
use jiff::Timestamp;
use std::time::Duration;

/// Why something of our own could not be done. Never proves anything about the desk's reply path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// How the call ended; never `Ok` or `Empty`.
    pub class: ResultClass,
    /// A fault id of the catalogue (blame `monitor` or `provider`): `mailbox-login-refused`,
    /// `mailbox-unavailable`, `mailbox-full`, `submission-login-refused`, `submission-unavailable`, `mon-send-quota`,
    /// `submission-refused`, `mon-probe-looks-automated`, `desk-login-refused`, `desk-api-down`,
    /// `desk-throttled`, `desk-denied`, `desk-contract-broken`.
    pub fault: &'static str,
    /// What, where and what to do next; no secrets.
    pub message: String,
    /// How long the other side asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    /// A trouble without a waiting time.
    pub fn new(class: ResultClass, fault: &'static str, message: impl Into<String>) -> Trouble {
        Trouble { class, fault, message: message.into(), retry_after: None }
    }
}

// ---------------------------------------------------------------------------------------- store

/// An error of the store itself. The step it belongs to has not happened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another instance has moved the run on; drop what is in hand.
    #[error("run {0} was moved on by another instance")]
    Conflict(RunId),
    /// The database cannot be used: locked, full, damaged, of a newer version.
    #[error("{0}")]
    Failed(String),
}

/// A run in hand: claimed by this instance, with what listeners have handed in meanwhile.
#[derive(Debug)]
pub struct Claimed {
    /// The run, with its observations.
    pub run: Run,
    /// Its version; every commit asks for it and makes it one higher.
    pub epoch: u64,
    /// Mail handed in since the last commit that took some in, oldest first, with the row's number.
    pub deliveries: Vec<(i64, Delivery)>,
    /// True when another instance (or an earlier life of this one) held the run before:
    /// every act in state `Intent` is then uncertain.
    pub taken_over: bool,
}

/// One atomic change of a run.
#[derive(Debug)]
pub struct Step<'a> {
    /// The run as it shall be stored.
    pub run: &'a Run,
    /// The version in hand.
    pub epoch: u64,
    /// When the run wants to be claimed next; none when it is finished and no longer watched.
    pub due: Option<Timestamp>,
    /// Keep the run in hand (true) or give it back (false).
    pub hold: bool,
    /// Deliveries taken in, by row number; removed.
    pub taken: &'a [i64],
    /// How many of `run.observations`, counted from the start, the store already has unchanged.
    /// The rest is written (an observation with the same index is replaced).
    pub observations_kept: usize,
    /// Must survive a power cut (an intent): flush to disk before returning.
    pub durable: bool,
}

/// What the budget says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetAnswer {
    /// Taken.
    Taken,
    /// Not now; `at` is when it could be.
    Wait {
        /// The earliest time.
        at: Timestamp,
        /// The limit, in words: `20 messages per 1h of account alice`.
        limit: String,
    },
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only this probe.
    pub probe: Option<String>,
    /// Only finished runs that did not pass.
    pub not_passed: bool,
    /// Only runs begun at or after.
    pub since: Option<Timestamp>,
    /// Controls too; they stand in no list unless asked for.
    pub controls: bool,
    /// At most so many, newest first.
    pub limit: usize,
}

/// How long finished runs are kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Passed runs.
    pub passed: Duration,
    /// Failed and unknown runs.
    pub failed: Duration,
    /// Evidence texts of passed runs go earlier than the runs.
    pub passed_evidence: Duration,
}

/// The last scheduled verdict of a probe, and counts since the last pass: what gauges show after a restart.
#[derive(Debug, Clone, Default)]
pub struct ProbeStanding {
    /// Probe name.
    pub probe: String,
    /// The last finished scheduled run that passed or failed, without observations, mails, messages, acts and polls.
    pub last_judged: Option<Run>,
    /// The last finished scheduled run, whatever its verdict, without these too.
    pub last: Option<Run>,
    /// When the last scheduled pass finished.
    pub last_pass: Option<Timestamp>,
    /// Scheduled fails since that pass.
    pub failures_in_a_row: u32,
    /// When the first of the scheduled runs began that failed since that pass; none when none did.
    pub failing_since: Option<Timestamp>,
    /// Since when every scheduled run ended unknown; none when the last one did not.
    pub unknown_since: Option<Timestamp>,
}

/// Counters that must not forget at a restart are not kept: Prometheus counters may reset. Everything else is here.
#[async_trait]
pub trait Store: Send + Sync {
    /// The key of this installation's tokens; made at the first call, shared by all instances.
    async fn token_key(&self) -> Result<TokenKey, StoreError>;

    /// Says that this instance lives until `now + lease`; claims of instances that no longer do may be taken over.
    async fn heartbeat(&self, lease: Duration) -> Result<(), StoreError>;
    /// Gives back all claims; the instance is gone.
    async fn sign_off(&self) -> Result<(), StoreError>;

    /// Stores a new run, owned by this instance, due at once, with the tokens of its messages.
    async fn create_run(&self, run: &Run) -> Result<(), StoreError>;
    /// Takes up to `limit` runs whose time has come: own ones, and with `adopt` those of dead instances.
    /// A claimed run is not claimed again until it is given back or its holder dies.
    async fn claim_due(&self, now: Timestamp, limit: usize, adopt: bool) -> Result<Vec<Claimed>, StoreError>;
    /// The earliest due time among the runs of this instance that are not in hand.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;
    /// Stores a step if the run is still at `epoch`. Returns the new epoch. Registers tokens of `run.messages`.
    /// Deliveries that came meanwhile and are not `taken` make the run due at once.
    async fn commit(&self, step: Step<'_>) -> Result<u64, StoreError>;
    /// Claims runs by id for a command that needs them at once (interruption); none when held elsewhere.
    async fn claim(&self, id: &RunId) -> Result<Option<Claimed>, StoreError>;

    /// Unfinished runs by hand (not by schedule) of other instances; true: that instance is dead.
    async fn others_by_hand(&self) -> Result<Vec<(RunId, bool)>, StoreError>;

    /// Hands a mail to the run that owns `token` (or the message id) and makes the run due at once.
    /// The same `MailKey` for the same account is stored once. None when no run owns it.
    async fn deliver(
        &self,
        account: &str,
        tokens: &[Token],
        message_ids: &[String],
        delivery: &Delivery,
    ) -> Result<Option<RunId>, StoreError>;
    /// Accounts on which unfinished or watched runs of this instance wait, with the earliest position of each.
    async fn watched_accounts(&self) -> Result<Vec<(String, Position)>, StoreError>;

    /// Makes a run due at once, unless it is finished and no longer watched.
    async fn wake(&self, run: &RunId) -> Result<(), StoreError>;
    /// The newest run of the probe with that verdict, with its observations and other than `not`.
    async fn last_with(&self, probe: &str, verdict: Verdict, not: Option<&RunId>) -> Result<Option<Run>, StoreError>;
    /// Keeps a small secret by name (a kept visitor), already encrypted; none removes it.
    async fn keep(&self, name: &str, sealed: Option<&str>) -> Result<(), StoreError>;
    /// What was kept under that name.
    async fn kept(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Takes one message from a budget if every rate allows it.
    async fn budget_take(&self, key: &str, budget: &Budget, now: Timestamp) -> Result<BudgetAnswer, StoreError>;

    /// Pauses or resumes a probe; none: all.
    async fn set_paused(&self, probe: Option<&str>, paused: bool, now: Timestamp) -> Result<(), StoreError>;
    /// The paused probes; `*` stands for all.
    async fn paused(&self) -> Result<Vec<String>, StoreError>;

    /// When each scheduled probe was last started or skipped on purpose, so that a restart neither repeats nor forgets.
    async fn last_start(&self, probe: &str) -> Result<Option<Timestamp>, StoreError>;
    /// Records that a scheduled run was not started, and why.
    async fn record_skip(&self, probe: &str, reason: &str, now: Timestamp) -> Result<(), StoreError>;
    /// True while a run of the probe is not finished.
    async fn has_unfinished(&self, probe: &str) -> Result<bool, StoreError>;

    /// Those of the runs that have their verdict: one look, however many runs wait.
    async fn finished_among(&self, ids: &[RunId]) -> Result<Vec<RunId>, StoreError>;
    /// A run with its observations.
    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError>;
    /// Runs, newest first, without observations.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError>;
    /// The last runs of a probe in short, newest first, without controls. No evidence is read for them.
    async fn briefs(&self, probe: &str, limit: usize) -> Result<Vec<Brief>, StoreError>;
    /// The standing of every probe that has runs.
    async fn standings(&self) -> Result<Vec<ProbeStanding>, StoreError>;
    /// What stays of the scheduled runs that ended from `from` on and before `until`, oldest first, at most so many. Kept as
    /// long as failed runs are.
    async fn history(&self, from: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError>;
    /// What stays of the scheduled runs that make and end the incidents of the time since `since`: those that did not pass
    /// (at most so many, the newest), with those before it of troubles that lasted then, and the passes around them.
    /// In no particular order.
    async fn troubles(&self, since: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError>;
    /// Removes what is older than the retention. Returns how many runs went.
    async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<u64, StoreError>;
}

/// Looks an act up in a run.
pub fn act<'a>(run: &'a Run, kind: crate::model::ActKind, target: &str) -> Option<&'a Act> {
    run.acts.iter().find(|a| a.kind == kind && a.target == target)
}

// ---------------------------------------------------------------------------------------- mail

/// What a listener reports.
#[derive(Debug, Clone)]
pub enum MailEvent {
    /// A mail newer than the watched position (any mail: the engine sorts out strangers).
    Arrived {
        /// Account key.
        account: String,
        /// The parsed mail.
        mail: Box<ReceivedMail>,
    },
    /// Something about the listener that belongs into the runs that wait on it.
    Remark {
        /// Account key.
        account: String,
        /// `reconnected`, `idle-dead`, `uidvalidity-changed`.
        kind: &'static str,
        /// For people.
        text: String,
    },
    /// A chat has moved on: its run wants to look.
    Moved {
        /// The run.
        run: RunId,
    },
    /// Put into the queue by the engine itself: everything before it has been dealt with when it is notified.
    Barrier(std::sync::Arc<tokio::sync::Notify>),
}

/// What a removal did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Gone.
    pub removed: Vec<MailKey>,
    /// Still there, with the reason.
    pub left: Vec<(MailKey, String)>,
}

/// The mailboxes of all accounts: one connection each, however many runs wait.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// The INBOX position now. Opens the listener; events are reported from this position on.
    async fn position(&self, account: &str) -> Result<Position, Trouble>;
    /// Watches the mailbox from `from` on. `soon`: an answer is due within a minute or so: look often.
    /// Calling it again moves the time; a mailbox nobody has watched for a while is closed.
    fn watch(&self, account: &str, from: Position, until: Timestamp, soon: bool);
    /// Proves that the mailbox can be read: returns after a look at INBOX that began after this call,
    /// and after every mail of that look was reported.
    async fn check_now(&self, account: &str) -> Result<(), Trouble>;
    /// Looks into every folder (INBOX, junk, all others) for mail newer than `since` that carries one
    /// of the tokens anywhere or one of the message ids in Message-ID, In-Reply-To, References or in a DSN, or has one of
    /// them as a mark ([`ReceivedMail::marks`]).
    async fn search_everywhere(
        &self,
        account: &str,
        since: Position,
        tokens: &[Token],
        message_ids: &[String],
    ) -> Result<Vec<ReceivedMail>, Trouble>;
    /// Removes messages for good. The caller has proved that they are its own.
    async fn remove(&self, account: &str, mails: &[MailKey]) -> Result<Removed, Trouble>;
    /// Signs in and says what the server can do, for `doctor`. Sends nothing.
    async fn doctor(&self, account: &str) -> Result<Vec<String>, Trouble>;
}

/// What the submission server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// Its positive answer to the data, as a line.
    Accepted(String),
    /// It refused for good: 5xx, with code and text.
    Refused {
        /// Reply code.
        code: u16,
        /// Enhanced status code.
        status: Option<String>,
        /// The server's words.
        text: String,
        /// Which of our troubles it is: `mon-send-quota`, `submission-refused`; or `mx-rejects-alias` when it names the recipient.
        fault: &'static str,
    },
    /// It refused for now (4xx) before taking the message: may be tried again, nothing was sent.
    Deferred {
        /// Reply code.
        code: u16,
        /// The server's words.
        text: String,
    },
    /// The connection broke after the data began: nobody knows.
    Uncertain(String),
}

/// Handing in mail.
#[async_trait]
pub trait Submission: Send + Sync {
    /// Hands the mail to the account's submission server. `Err`: nothing was sent for certain.
    /// Refuses mail that looks automated (`mon-probe-looks-automated`).
    async fn submit(&self, account: &str, mail: &OutgoingMail) -> Result<Submitted, Trouble>;
    /// Signs in and out, for `doctor`. Sends nothing.
    async fn doctor(&self, account: &str) -> Result<Vec<String>, Trouble>;
}

/// What happened in a run, for progress displays and metrics. Sent after the step was stored.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// A run began.
    Started(Box<Run>),
    /// A stage was decided.
    Stage(Box<Run>, crate::model::Stage),
    /// A run has its verdict.
    Finished(Box<Run>),
    /// A message arrived after its run had its verdict.
    Late(Box<Run>),
}

impl RunEvent {
    /// The run that the event is about.
    pub fn run(&self) -> &Run {
        match self {
            RunEvent::Started(run) | RunEvent::Stage(run, _) | RunEvent::Finished(run) | RunEvent::Late(run) => run,
        }
    }
}

/// An observation of trouble.
pub fn observe_trouble(
    at: Timestamp,
    stage: Option<crate::model::Stage>,
    source: crate::model::Source,
    place: &str,
    looked_for: &str,
    trouble: &Trouble,
) -> Observation {
    Observation::new(at, stage, source, place, looked_for, crate::model::Looked::CouldNotLook)
        .class(trouble.class)
        .fact("fault", trouble.fault)
        .fact("message", trouble.message.clone())
}
