//! What the diagnosis uses from outside its own run: other runs of the same minutes, controls, the desk's intake mailbox,
//! names and certificates. It is copied into the run before the verdict, so that the same rules give the same answer for
//! ever, with nothing asked again.

use super::{Outcome, RunId, Stage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Facts from outside the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Other runs of the same desk in the same minutes, newest first.
    pub neighbours: Vec<Neighbour>,
    /// Controls: what was asked, and what they saw.
    pub controls: Vec<Control>,
    /// What the desk's intake mailbox showed, where the operator grants a look.
    pub intake: Option<IntakeSight>,
    /// When the ticket appeared after the limit had passed.
    pub landed_late: Option<Timestamp>,
    /// True when the desk tells who moved a ticket.
    pub has_history: bool,
}

/// One stage of another run, as far as it had got when it was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSight {
    /// How it ended; none: still open.
    pub outcome: Option<Outcome>,
    /// Still open after more than half of its limit: runs that began together reach their limits together, and the first
    /// of them must not stand alone.
    #[serde(default)]
    pub overdue: bool,
    /// When it was decided.
    #[serde(default)]
    pub closed: Option<Timestamp>,
    /// Milliseconds that it took, where it ended well.
    #[serde(default)]
    pub took_ms: Option<u64>,
    /// What its own evidence points to first.
    #[serde(default)]
    pub hint: Option<String>,
}

/// Another run of the same desk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Which.
    pub run: RunId,
    /// Its probe.
    pub probe: String,
    /// `email`, `form` or `chat`.
    pub channel: String,
    /// Its account.
    pub account: String,
    /// Its begin.
    pub started: Timestamp,
    /// It wrote to the same address, or through the same form or chat.
    pub same_way_in: bool,
    /// Its stages.
    pub stages: BTreeMap<Stage, StageSight>,
}

/// A small probe that separates look-alikes by what still works in the same minute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// A plain mail to the same address: is it this message, or the way in?
    Plain,
    /// A plain mail to the desk's own address behind the published one: is it the forwarding?
    System,
    /// The same plain mail from a second account: is it this sender?
    Account,
    /// A ticket made through the desk's API, answered there: does anything leave the desk?
    Outbound,
    /// From the account to itself: is it our own mailbox or provider?
    Loop,
    /// The desk's page for agents is opened once: does fetching hang on visits?
    Visit,
    /// A probe of the configuration.
    Probe(String),
}

/// One control of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What was asked.
    pub kind: ControlKind,
    /// When its intent was stored.
    pub asked: Timestamp,
    /// Its run; none for a visit, and where it could not be started.
    pub run: Option<RunId>,
    /// Why it was not run: no budget, no second account.
    #[serde(default)]
    pub skipped: Option<String>,
    /// It has ended (or was given up at its limit).
    #[serde(default)]
    pub ended: bool,
    /// What it saw.
    #[serde(default)]
    pub stages: BTreeMap<Stage, StageSight>,
    /// What its own mail had when it came back that it did not have when it left (loop): `header Precedence`.
    #[serde(default)]
    pub marks: Vec<String>,
}

/// Where our mail lies in the desk's intake mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntakePlace {
    /// In no folder.
    Nowhere,
    /// In the inbox, unread.
    Unread,
    /// In the inbox, marked as read.
    Read,
    /// In a junk folder.
    Junk,
    /// In another folder: filed away by who fetched it.
    Filed,
}

/// One look into the desk's intake mailbox. It is only ever read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntakeSight {
    /// When.
    pub at: Timestamp,
    /// Where our mail lies; none: the mailbox could not be read.
    pub place: Option<IntakePlace>,
    /// The folder's name.
    #[serde(default)]
    pub folder: String,
    /// Older mail in front of ours is unread too: the mailbox stands still.
    #[serde(default)]
    pub unread_before: u64,
    /// Our login is the one that the desk itself uses, and it was refused.
    #[serde(default)]
    pub shared_login_refused: bool,
    /// What the server said when it could not be read.
    #[serde(default)]
    pub trouble: Option<String>,
}
