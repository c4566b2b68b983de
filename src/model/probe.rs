//! A probe as the engine uses it: valid by construction, made by `config` from a TOML file.
//! A copy is stored with every run, so that a changed file never changes a run under way.

use super::{Calendar, Canaries, ChatChannel, Controls, FormChannel, OutgoingAttachment, Stage, millis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One configured thing to test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The file's name without `.toml`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Who looks after this path.
    pub owner: String,
    /// Words to select by.
    pub tags: Vec<String>,
    /// The desk's key; none for a probe that only tests the way (all desk stages left out).
    pub desk: Option<String>,
    /// The account's key.
    pub account: String,
    /// The shared way in and out; default `<desk>-<channel>`.
    pub gateway: String,
    /// When to run by itself; none: on demand only.
    pub schedule: Option<Schedule>,
    /// What to do when the last run is still under way.
    pub overlap: Overlap,
    /// Times in which no run is started.
    pub maintenance: Vec<Window>,
    /// The stages that this probe takes.
    pub stages: BTreeSet<Stage>,
    /// How the customer writes in.
    pub channel: Channel,
    /// What the ticket must look like.
    pub expect: Expect,
    /// The agent's answer.
    pub reply: Reply,
    /// The customer's answer.
    pub follow_up: FollowUp,
    /// How long each stage may take.
    pub limits: BTreeMap<Stage, LimitMillis>,
    /// What counts as a defect.
    pub policy: Policy,
    /// A tag to put on the ticket after `format`, so that staff and statistics can leave it out.
    pub mark: Option<String>,
    /// What to do with the ticket at the end.
    pub clean_up: CleanUp,
    /// How long a run waits for duplicates after everything else was seen.
    #[serde(with = "millis")]
    pub settle: Duration,
    /// How long tokens stay watched after the verdict.
    #[serde(with = "millis")]
    pub watch_after: Duration,
    /// The probe that this one is a variant of; its name is then `NAME.VARIANT`.
    #[serde(default)]
    pub variant_of: Option<String>,
    /// What may be asked when this probe fails, to separate look-alikes.
    #[serde(default)]
    pub controls: Controls,
    /// The key of the desk's intake mailbox behind this probe's address, where the operator grants a look.
    #[serde(default)]
    pub intake: Option<String>,
    /// What must never be seen by the wrong eyes.
    #[serde(default)]
    pub canaries: Canaries,
    /// The business hours in which a person's answer is counted; none: every hour counts.
    #[serde(default)]
    pub calendar: Option<Calendar>,
}

/// A stage's limit, stored as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitMillis(#[serde(with = "millis")] pub Duration);

impl Probe {
    /// How long `stage` may take, counted from the moment at which it could begin.
    pub fn limit(&self, stage: Stage) -> Duration {
        self.limits.get(&stage).map_or_else(|| Probe::default_limit(stage), |l| l.0)
    }

    /// Sets a limit.
    pub fn set_limit(&mut self, stage: Stage, limit: Duration) {
        self.limits.insert(stage, LimitMillis(limit));
    }

    /// The limit of a stage that the probe does not set.
    pub fn default_limit(stage: Stage) -> Duration {
        Duration::from_secs(match stage {
            Stage::Send => 60,
            Stage::Accept | Stage::Land | Stage::Acknowledge => 10 * 60,
            Stage::Queue | Stage::Format | Stage::Reply => 60,
            Stage::Return | Stage::FollowUp => 10 * 60,
            Stage::CleanUp => 2 * 60,
        })
    }

    /// True when the probe takes this stage.
    pub fn takes(&self, stage: Stage) -> bool {
        self.stages.contains(&stage)
    }

    /// The channel's name: `email`, `form` or `chat`.
    pub fn channel_name(&self) -> &'static str {
        match self.channel {
            Channel::Email(_) => "email",
            Channel::Form(_) => "form",
            Channel::Chat(_) => "chat",
        }
    }
}

/// What the customer writes, whatever the way in.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Subject; empty where the way in has none.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// HTML alternative.
    pub html: Option<&'a str>,
    /// Files.
    pub attachments: &'a [OutgoingAttachment],
}

impl Channel {
    /// The name in configuration and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Channel::Email(_) => "email",
            Channel::Form(_) => "form",
            Channel::Chat(_) => "chat",
        }
    }

    /// What the customer writes, with its templates.
    pub fn request(&self) -> Request<'_> {
        match self {
            Channel::Email(e) => Request { subject: &e.subject, text: &e.text, html: e.html.as_deref(), attachments: &e.attachments },
            Channel::Form(f) => Request { subject: &f.subject, text: &f.text, html: None, attachments: &f.attachments },
            Channel::Chat(c) => Request { subject: "", text: &c.text, html: None, attachments: &c.attachments },
        }
    }
}

/// How the customer writes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By mail.
    Email(EmailChannel),
    /// Through a web form.
    Form(FormChannel),
    /// By live chat.
    Chat(Box<ChatChannel>),
}

/// The request as mail. `${token}` in subject and texts stands for the message's token, `${run}`
/// for the run's id, `${customer}` for the display name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EmailChannel {
    /// The published address.
    pub to: Vec<String>,
    /// Further recipients of Cc.
    pub cc: Vec<String>,
    /// Recipients that stand in no header.
    pub bcc: Vec<String>,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML alternative.
    pub html: Option<String>,
    /// Files, read when the configuration was loaded.
    pub attachments: Vec<OutgoingAttachment>,
    /// The desk's own address behind the published one, for the control that leaves the forwarding out.
    #[serde(default)]
    pub system: Option<String>,
    /// A file of so many bytes is attached besides: one step of a size ladder.
    #[serde(default)]
    pub padding: u64,
    /// How texts and file names are encoded.
    #[serde(default)]
    pub encoding: MailEncoding,
    /// Mail exchangers to look at as a careful sender does, `HOST:PORT`; empty: those that the DNS names, where
    /// `check_exchangers` asks for it.
    #[serde(default)]
    pub exchangers: Vec<String>,
    /// Look at the exchangers' certificates before judging `accept`.
    #[serde(default)]
    pub check_exchangers: bool,
}

/// How the customer's mail program encodes what it writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailEncoding {
    /// UTF-8, declared.
    #[default]
    Utf8,
    /// ISO-8859-1 with 8-bit letters, declared.
    Latin1,
    /// ISO-8859-1 bytes declared as UTF-8, as some old mail programs write them.
    Mislabelled,
    /// UTF-8, with a file whose name needs RFC 2231 or encoded words.
    FileName,
}

/// What the ticket must look like. None: not asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expect {
    /// Queue by name (compared without case).
    pub queue: Option<String>,
    /// Requester; default: the account's address.
    pub requester: Option<String>,
    /// Priority as the desk spells it.
    pub priority: Option<String>,
    /// Tags that must all be there.
    pub tags: Vec<String>,
    /// Custom fields that must have these values.
    pub fields: BTreeMap<String, String>,
    /// Channel as the desk sees it.
    pub channel: Option<String>,
    /// Compare attachments by size and hash.
    pub attachments: bool,
    /// How far the creation time may be off, both ways.
    #[serde(with = "millis")]
    pub created_within: Duration,
    /// Text that the acknowledgement must hold.
    pub acknowledge_text: Option<String>,
    /// Text that the answer must hold beside what the agent wrote, such as a footer's link.
    pub return_links: Vec<String>,
    /// The address from which answers must come; none: any but noreply.
    pub from: Option<String>,
    /// The address that Reply-To must hold; none: not asked.
    pub reply_to: Option<String>,
}

/// Who writes the agent's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyMode {
    /// We post it through the desk's API.
    Post,
    /// A person answers; any answer that is no acknowledgement counts.
    Await,
}

/// After which stage the answer may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterStage {
    /// As soon as the ticket is there.
    Land,
    /// Only when the acknowledgement has come (or failed).
    Acknowledge,
}

/// The agent's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Who writes it.
    pub mode: ReplyMode,
    /// When.
    pub after: AfterStage,
    /// Plain text, with `${token}`.
    pub text: String,
    /// HTML, with `${token}`.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<OutgoingAttachment>,
}

/// Which mail the customer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpTo {
    /// The agent's answer.
    Agent,
    /// The acknowledgement.
    Acknowledgement,
    /// The customer's own first mail.
    Own,
}

/// The customer's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Which mail is answered.
    pub to: FollowUpTo,
    /// Plain text, with `${token}`; the quoted mail follows below.
    pub text: String,
    /// Close the ticket first, then see that the answer reopens it.
    pub after_close: bool,
    /// What must become of an answer to a closed ticket: `true` reopens, `false` opens a new one.
    pub reopens: bool,
    /// Move the ticket to this queue first.
    #[serde(default)]
    pub after_move: Option<String>,
    /// Where the customer writes: above, below or inside the quoted mail.
    #[serde(default)]
    pub quote: QuoteStyle,
    /// The customer's mail program answers by itself (a holiday notice): it must change no ticket's state.
    #[serde(default)]
    pub automatic: bool,
}

/// Where an answer stands, seen from the mail that it quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuoteStyle {
    /// Above.
    #[default]
    Top,
    /// Below.
    Bottom,
    /// Between the quoted lines.
    Inline,
    /// Nothing is quoted.
    None,
}

/// Whether something is required, allowed or forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Its absence fails the stage.
    Required,
    /// Its absence is a note.
    Wanted,
    /// Not looked at.
    Ignored,
}

/// Whether closing a ticket may send the customer a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingNotice {
    /// It may.
    Allowed,
    /// It must not.
    Never,
}

/// What counts as a defect and what as a desk's accepted habit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Answers must be threaded to a mail of this run (directly or through a shared id).
    pub threading: Require,
    /// Answers may come from an address such as `noreply@`.
    pub noreply_allowed: bool,
    /// Closing may send a mail.
    pub closing_notice: ClosingNotice,
    /// A human answer may be marked automatic.
    pub automatic_reply_allowed: bool,
    /// Tickets for one request.
    pub duplicates_allowed: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            threading: Require::Required,
            noreply_allowed: false,
            closing_notice: ClosingNotice::Allowed,
            automatic_reply_allowed: true,
            duplicates_allowed: false,
        }
    }
}

/// What becomes of the ticket at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanUp {
    /// Close it (the default).
    Close,
    /// Delete it.
    Delete,
    /// Leave it; only our mail is removed.
    Keep,
}

/// When a probe runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Every so often, spread by jitter.
    Every {
        /// The interval.
        #[serde(with = "millis")]
        interval: Duration,
        /// Each start is moved by up to this much.
        #[serde(with = "millis")]
        jitter: Duration,
    },
    /// A cron pattern in a time zone.
    Cron {
        /// Five or six fields.
        pattern: String,
        /// IANA name.
        zone: String,
    },
}

/// What to do when the last run is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Do not start; recorded as skipped.
    Skip,
    /// Start beside it.
    Allow,
}

/// A time in which no run is started: a cron pattern for its begin and a length, or two instants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Comes again.
    Repeating {
        /// Cron pattern of the begin.
        start: String,
        /// IANA name of the zone.
        zone: String,
        /// Length.
        #[serde(with = "millis")]
        length: Duration,
    },
    /// Once.
    Once {
        /// Begin.
        from: jiff::Timestamp,
        /// End.
        until: jiff::Timestamp,
    },
}
