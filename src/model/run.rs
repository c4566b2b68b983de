//! One execution of a probe: everything that must survive a crash. This is also the stored form.

use super::{
    ChatMemory, Diagnosis, FormMemory, Observation, Outcome, Position, Probe, ReceivedMail, Stage, Ticket, TicketRef, Token, millis,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A run's id: time-ordered, lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// An id made from a time and random bits; ids sort by time.
    pub fn new(now: Timestamp, random: u64) -> RunId {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let base36 = |mut n: u64, width: usize| {
            let mut out = vec![b'0'; width];
            for slot in out.iter_mut().rev() {
                *slot = DIGITS[(n % 36) as usize];
                n /= 36;
            }
            String::from_utf8(out).unwrap_or_default()
        };
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        RunId(format!("r{}{}", base36(millis, 9), base36(random % 60_466_176, 5)))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// By its schedule. Only these runs move the verdict gauges.
    Scheduled,
    /// By a person or a pipeline.
    Manual,
    /// By another run that failed, to separate look-alikes. Moves no gauge and stands in no list unless asked for.
    Control,
}

impl Trigger {
    /// The name in reports and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Scheduled => "scheduled",
            Trigger::Manual => "manual",
            Trigger::Control => "control",
        }
    }
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On its journey.
    Active,
    /// Every stage is decided; asking what separates the look-alikes of what failed.
    Inquiring,
    /// Everything seen; waiting for duplicates.
    Settling,
    /// Removing what it made.
    CleaningUp,
    /// Has its verdict; tokens may still be watched.
    Finished,
}

/// A thing that must not be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// The customer's first message.
    Send,
    /// The agent's answer.
    Reply,
    /// Closing before the follow-up.
    CloseFirst,
    /// Asking a bot for a person; the target is the turn, from 1.
    HandOver,
    /// The customer's answer.
    FollowUp,
    /// Ending the visitor's side of a chat.
    Leave,
    /// Moving the ticket before the follow-up.
    MoveFirst,
    /// The agent's internal note, a canary.
    Note,
    /// The second customer's mail into the conversation, a canary.
    Second,
    /// Starting a control; the target names it.
    Control,
    /// Tagging the ticket.
    Mark,
    /// Closing at the end.
    Close,
    /// Deleting at the end.
    Delete,
}

/// How far an act got. `Intent` found at start means: nobody knows; it is never done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActState {
    /// Stored before the act.
    Intent,
    /// The act was done and its result stored.
    Done,
    /// The other side refused or the act never began; the text says why.
    Failed(String),
    /// The process died (or the connection broke) between intent and result.
    Uncertain,
    /// Was uncertain; its effect was found later.
    FoundDone,
}

/// One act of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// On what: a ticket id for close and delete, empty otherwise. (kind, target) is unique in a run.
    pub target: String,
    /// How far.
    pub state: ActState,
    /// When the intent was stored.
    pub intent: Timestamp,
    /// When the result was stored.
    pub result: Option<Timestamp>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The customer, that is: us.
    Customer,
    /// The agent, that is: us through the desk, or a person.
    Agent,
}

/// A message of the run that we write: each has its own token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The stage that writes it: `send`, `reply` or `follow_up`.
    pub stage: Stage,
    /// 0 for the first of its stage.
    pub turn: u32,
    /// Who speaks.
    pub party: Party,
    /// Its token.
    pub token: Token,
    /// Its Message-ID where we make it, without angle brackets.
    pub message_id: Option<String>,
    /// The subject as written.
    pub subject: String,
}

/// What a mail is to its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailRole {
    /// An automatic reply to the request.
    Acknowledgement,
    /// The agent's answer.
    Answer,
    /// A delivery status notification.
    Bounce,
    /// Sent because a ticket was closed.
    ClosingNotice,
    /// Our own mail in Sent or by a copy.
    Own,
    /// Carries our token but is none of these.
    Other,
}

impl MailRole {
    /// True for mail that the desk (or a person there) wrote.
    pub fn is_from_desk(self) -> bool {
        matches!(self, MailRole::Acknowledgement | MailRole::Answer | MailRole::ClosingNotice)
    }
}

/// A mail of this run that was seen in the mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenMail {
    /// What it is.
    pub role: MailRole,
    /// When we first saw it.
    pub seen: Timestamp,
    /// The mail.
    pub mail: ReceivedMail,
}

/// A mail handed to a run by a listener; kept until the run has taken it in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The account in whose mailbox it lies; empty in what an older version stored.
    #[serde(default)]
    pub account: String,
    /// When the listener saw it.
    pub seen: Timestamp,
    /// The mail.
    pub mail: ReceivedMail,
}

/// One expectation, with what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name: `queue`, `subject`, `attachment letter.pdf`, `threaded`.
    pub check: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

/// The record of one stage. `outcome` none: still open or not begun.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// When it could begin.
    pub opened: Option<Timestamp>,
    /// When its limit ends.
    pub deadline: Option<Timestamp>,
    /// When it was decided.
    pub closed: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Fault ids that its own evidence points to, ranked; the diagnosis narrows them.
    pub hints: Vec<String>,
}

/// A place that is asked again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// When to ask next.
    pub next: Timestamp,
    /// How often it was asked.
    pub count: u32,
    /// The last properly answered look (found or empty).
    pub answered: Option<Timestamp>,
    /// The wait before the next look.
    #[serde(with = "millis")]
    pub wait: Duration,
}

/// Something that clean-up could not or must not remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// `ticket 12`, `mail INBOX/345`.
    pub what: String,
    /// Why it was left.
    pub why: String,
}

/// One execution of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The probe as it was when the run began. It never changes, so the store keeps it beside the run, not in it.
    #[serde(skip_serializing)]
    pub probe: Probe,
    /// The address that the run writes from.
    pub address: String,
    /// The name beside it.
    pub display_name: Option<String>,
    /// Why it was started.
    pub trigger: Trigger,
    /// The run that asked for this one as a control.
    #[serde(default)]
    pub parent: Option<RunId>,
    /// Last stage to take, for `--until`.
    pub until: Option<Stage>,
    /// Begin.
    pub started: Timestamp,
    /// End: the verdict's time.
    pub finished: Option<Timestamp>,
    /// Where it is.
    pub phase: Phase,
    /// Mailbox position before the first send.
    pub position: Option<Position>,
    /// One record a stage.
    pub stages: BTreeMap<Stage, StageRecord>,
    /// What we wrote.
    pub messages: Vec<Message>,
    /// What must not be done twice.
    pub acts: Vec<Act>,
    /// Mail of this run in the mailbox.
    pub mails: Vec<SeenMail>,
    /// The conversation of a run that chats.
    #[serde(default)]
    pub chat: Option<ChatMemory>,
    /// The form of a run that fills one in.
    #[serde(default)]
    pub form: Option<FormMemory>,
    /// Addresses from which the desk is known to write, lower case. Only where the first message is no mail: what answers
    /// it names no Message-ID of ours.
    #[serde(default)]
    pub senders: Vec<String>,
    /// Message-IDs that the desk itself gives for what it wrote in the run's ticket, without angle brackets.
    #[serde(default)]
    pub desk_ids: Vec<String>,
    /// The ticket it landed in.
    pub ticket: Option<TicketRef>,
    /// Every ticket that carries a token of this run.
    pub tickets: Vec<TicketRef>,
    /// Places asked again and again, by name.
    pub polls: BTreeMap<String, Poll>,
    /// Evidence. Loaded with the run; the store keeps it in rows of its own.
    #[serde(skip)]
    pub observations: Vec<Observation>,
    /// What clean-up left.
    pub leftovers: Vec<Leftover>,
    /// End of the time for duplicates.
    pub settle_until: Option<Timestamp>,
    /// What the diagnosis uses from outside this run.
    #[serde(default)]
    pub context: super::Context,
    /// Remarks for people.
    pub notes: Vec<String>,
    /// Set when the user asked to stop: clean up, end as unknown.
    pub interrupted: bool,
    /// The answer, once finished.
    pub diagnosis: Option<Diagnosis>,
}

impl Run {
    /// The Message-IDs of what we wrote.
    pub fn own_ids(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().filter_map(|m| m.message_id.as_deref())
    }

    /// Ids by which the desk ties further mail to this run though it names none of ours: the Message-IDs of what the desk
    /// wrote, and ids in its `References` that hold the ticket's own number (Request Tracker's `<RT-Ticket-24@example.com>`).
    pub fn thread_ids(&self) -> Vec<String> {
        let of_desk = || self.mails.iter().filter(|m| !matches!(m.role, MailRole::Own | MailRole::Bounce)).map(|m| &m.mail);
        let own: Vec<&str> = self.own_ids().collect();
        let mut ids: Vec<String> = of_desk().filter_map(|m| m.message_id.clone()).chain(self.desk_ids.iter().cloned()).collect();
        let named = of_desk().flat_map(|m| m.in_reply_to.iter().chain(&m.references));
        ids.extend(named.filter(|id| self.names_ticket(id)).cloned());
        ids.retain(|id| !own.contains(&id.as_str()));
        ids.sort();
        ids.dedup();
        ids
    }

    /// True for an id that holds the number of one of the run's tickets, with or without the letters before it.
    pub fn names_ticket(&self, id: &str) -> bool {
        self.tickets.iter().any(|t| has_number(id, &t.number) || (t.number.ends_with(&t.id) && has_number(id, &t.id)))
    }

    /// Every id by which mail can belong to this run, its [`ReceivedMail::marks`] among them.
    pub fn all_ids(&self) -> Vec<String> {
        self.own_ids().map(str::to_owned).chain(self.thread_ids()).chain(self.marks()).collect()
    }

    /// The ticket's numbers, each with each address from which the desk is known to write, as [`ReceivedMail::marks`] has
    /// them.
    pub fn marks(&self) -> Vec<String> {
        let given = self.form.as_ref().and_then(|f| f.number.as_deref());
        let mut numbers: Vec<&str> = self.tickets.iter().map(|t| t.number.as_str()).chain(given).filter(|n| !n.is_empty()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.iter().flat_map(|number| self.senders.iter().map(|from| super::mail::mark(number, from))).collect()
    }

    /// True when a ticket belongs to the identity that this run used: its address, its visitor, the conversation whose id
    /// was given when it began, or the number that the form gave when it took the request. By itself this proves nothing
    /// before a ticket is touched: it must also carry one of the run's tokens.
    pub fn asked_for(&self, ticket: &Ticket) -> bool {
        let is = |known: Option<&String>, found: &str| known.is_some_and(|k| !k.is_empty() && k == found);
        let chat = self.chat.as_ref();
        let conversation = chat.and_then(|c| c.conversation.as_ref());
        let requester = ticket.requester.as_deref().unwrap_or("").trim();
        requester.eq_ignore_ascii_case(self.address.trim())
            || is(chat.and_then(|c| c.visitor.as_ref()), requester)
            || is(conversation, &ticket.reference.id)
            || ticket.fields.values().any(|value| is(conversation, value))
            || is(self.form.as_ref().and_then(|f| f.number.as_ref()), &ticket.reference.number)
    }

    /// What of the form should stay from run to run, as it was seen last.
    pub fn form_print(&self) -> Option<super::FormPrint> {
        let fact = self.observations.iter().rev().find_map(|o| o.facts.get("print"))?;
        serde_json::from_value(fact.clone()).ok()
    }

    /// True when a mail is this run's: it carries one of its tokens or names one of its messages, or one that the desk says
    /// it wrote for it; or it names the desk's thread and comes from the address that the desk wrote from before; or it
    /// names the run's ticket as desks do in a subject and comes from an address from which the desk is known to write.
    /// A stranger's mail is none of these: a number alone, or an address alone, is not enough.
    pub fn owns(&self, mail: &ReceivedMail) -> bool {
        let original = mail.bounce.as_ref().and_then(|b| b.original_message_id.as_ref());
        let named: Vec<&String> = mail.message_id.iter().chain(&mail.in_reply_to).chain(&mail.references).chain(original).collect();
        if self.messages.iter().any(|m| mail.tokens.contains(&m.token)) || self.own_ids().any(|id| named.iter().any(|n| *n == id)) {
            return true;
        }
        let of_ticket = self.marks();
        if named.iter().any(|id| self.desk_ids.contains(id)) || !of_ticket.is_empty() && mail.marks().iter().any(|m| of_ticket.contains(m))
        {
            return true;
        }
        let known = self.mails.iter().any(|m| m.role != MailRole::Own && m.mail.from.eq_ignore_ascii_case(&mail.from));
        known && self.thread_ids().iter().any(|id| named.contains(&id))
    }
}

/// True when `number` stands in `id` by itself, not as a part of a longer word.
fn has_number(id: &str, number: &str) -> bool {
    !number.is_empty() && id.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == number)
}
