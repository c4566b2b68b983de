//! The tables of `replypath.toml` and of a probe file, key by key. The schema and the reference are
//! made from this list, so what stands here is what users read.

mod ways;

pub use ways::{ChatReadShape, ChatShape, EmailShape, FieldShape, FormShape, StepShape};

use super::collections::{Keyed, List, OneOrMany};
use super::hours::{Day, Hours};
use super::read::table;
use super::secrets::{ParamText, SecretText};
use super::values::{Address, Count, Instant, Listen, Period, RateText, Word};
use super::variants::VariantShape;
use crate::model::{AfterStage, AuthMethod, CleanUp, ClosingNotice, FollowUpTo, Overlap, QuoteStyle, ReplyMode, Require, Stage, TlsMode};

table! {
    /// The file `replypath.toml`: the daemon, the accounts that replypath writes from, the desks that it looks into.
    ConfigShape "replypath.toml" {
        /// Settings of the daemon and of all runs.
        optional daemon: DaemonShape,
        /// Who may see what on the status page, and start runs from it.
        optional page: PageShape,
        /// Chromium, for probes with `browser = true`.
        optional browser: BrowserShape,
        /// Customer identities, by a key of your choice: `[accounts.alice]`.
        optional accounts: Keyed<AccountShape>,
        /// Support desks, by a key of your choice: `[desks.helpdesk]`.
        optional desks: Keyed<DeskShape>,
        /// Mailboxes from which desks fetch their mail, where the operator grants a look: `[intakes.support]`. They are only ever read.
        optional intakes: Keyed<IntakeShape>,
        /// Business hours, by a key of your choice: `[calendars.office]`.
        optional calendars: Keyed<CalendarShape>,
    }
}

table! {
    /// A mailbox from which a desk fetches its mail. It is only ever read, and nothing in it is marked as read.
    IntakeShape "an intake" {
        /// Where it is read: the keys are those of an account's `imap`.
        required imap: ImapShape,
        /// The login is the one that the desk itself uses: when it is refused, the desk can fetch nothing either.
        optional desk_login: bool = false,
    }
}

table! {
    /// Business hours, in which a person's answer is counted. A day that is not named is closed.
    CalendarShape "a calendar" {
        /// The time zone: an IANA name.
        required zone: String,
        /// Open hours of Mondays: `"09:00-17:00"`, or a list of such.
        optional mon: OneOrMany<Hours>,
        /// Open hours of Tuesdays.
        optional tue: OneOrMany<Hours>,
        /// Open hours of Wednesdays.
        optional wed: OneOrMany<Hours>,
        /// Open hours of Thursdays.
        optional thu: OneOrMany<Hours>,
        /// Open hours of Fridays.
        optional fri: OneOrMany<Hours>,
        /// Open hours of Saturdays.
        optional sat: OneOrMany<Hours>,
        /// Open hours of Sundays.
        optional sun: OneOrMany<Hours>,
        /// Days that are closed whatever weekday they are: `["2026-12-25"]`.
        optional holidays: OneOrMany<Day>,
    }
}

table! {
    /// Settings of the daemon and of all runs.
    DaemonShape "[daemon]" {
        /// Where the status page and `/metrics` are served: an IP address and a port.
        optional listen: Listen = "127.0.0.1:9464",
        /// The folder of the store; a relative path starts beside `replypath.toml`.
        optional state: String = "state",
        /// How many runs may work at once. Waiting runs do not count.
        optional workers: Count = 32,
        /// How long passed runs are kept.
        optional keep_passed: Period = "7d",
        /// How long failed and unknown runs are kept.
        optional keep_failed: Period = "90d",
        /// How long a probe may be unknown before that is an alert of its own.
        optional blind_after: Period = "30m",
        /// How many probe files are accepted, so that a script gone wild fills no desk.
        optional max_probes: Count = 2000,
        /// How many browsers may be open at once; further runs wait for one. Each takes some hundred megabytes of memory.
        optional browsers: Count = 1,
        /// The name server to ask for mail exchangers and their texts: an IP address and a port. Default: those of the system.
        optional resolver: Listen,
        /// A PEM file with the only authorities by which the certificates of mail exchangers are judged. Default: the system's.
        optional exchanger_ca: String,
    }
}

table! {
    /// The status page. Verdicts, stages and times may be public; evidence (messages, tickets, headers, addresses) is for
    /// operators. Without a token and users, it is shown on this machine alone, and no run can be started from the page.
    PageShape "[page]" {
        /// The operators' token, of at least 16 characters: with it one sees evidence and starts runs.
        optional token: SecretText,
        /// A file of people who are operators too and sign in by name: lines `NAME:HASH` of bcrypt, as `htpasswd -B -C 10` writes them. It is read anew with the configuration.
        optional users: String,
        /// Where there is a token or users: verdicts without evidence are for everybody who reaches the address. `false` asks everybody to sign in.
        optional public: bool = false,
    }
}

table! {
    /// Chromium, for probes with `browser = true`. Debian's packages are `chromium` and `chromium-driver`.
    BrowserShape "[browser]" {
        /// The browser's program. Default: `chromium`, `chromium-browser` or `google-chrome` in the `PATH`.
        optional chromium: String,
        /// Its WebDriver program. Default: `chromedriver` in the `PATH`.
        optional driver: String,
    }
}

table! {
    /// A customer: an address at a mail provider, with its mailbox.
    AccountShape "an account" {
        /// The mail address that the customer writes from.
        required address: Address,
        /// The name that stands beside the address. Default: the part before the `@`.
        optional name: String,
        /// Further addresses that deliver into this mailbox.
        optional aliases: List<Address>,
        /// How many messages this account may send: `["20/h", "200/d"]`, every rate must hold. Default: no limit.
        optional budget: OneOrMany<RateText>,
        /// Where mail is read.
        required imap: ImapShape,
        /// Where mail is handed in.
        required smtp: SmtpShape,
    }
}

table! {
    /// The IMAP server of an account.
    ImapShape "`imap`" {
        /// Host name or address.
        required host: String,
        /// TCP port. Default: 993 with `tls = "implicit"`, else 143.
        optional port: u16,
        /// `implicit`: TLS from the first byte; `starttls`: plain, then STARTTLS, which must succeed; `none`: for loopback and tests.
        optional tls: TlsMode = "implicit",
        /// Login name.
        required user: String,
        /// Password, or the bearer token with `auth = "xoauth2"`.
        required password: SecretText,
        /// How to sign in.
        optional auth: AuthMethod = "plain",
        /// A PEM file with the only authorities to trust. Default: those of the system.
        optional ca: String,
        /// The name to expect in the certificate when it is not `host`.
        optional tls_name: String,
        /// How often to look into the mailbox when nothing is pushed.
        optional poll: Period = "30s",
        /// How often to look into the junk folders while an answer is awaited.
        optional junk_poll: Period = "60s",
    }
}

table! {
    /// The submission server of an account.
    SmtpShape "`smtp`" {
        /// Host name or address.
        required host: String,
        /// TCP port. Default: 465 with `tls = "implicit"`, else 587.
        optional port: u16,
        /// As for `imap`.
        optional tls: TlsMode = "implicit",
        /// Login name. Default: the one of `imap`; an empty one means without signing in.
        optional user: String,
        /// Password or bearer token. Default: the one of `imap`.
        optional password: SecretText,
        /// How to sign in. Default: as for `imap`.
        optional auth: AuthMethod,
        /// A PEM file with the only authorities to trust. Default: those of the system.
        optional ca: String,
        /// The name to expect in the certificate when it is not `host`.
        optional tls_name: String,
        /// The longest that handing in one message may take.
        optional timeout: Period = "30s",
    }
}

table! {
    /// A support desk, read and written through its API.
    DeskShape "a desk" {
        /// The id of the desk's definition: a file `desks/ID.toml` beside `replypath.toml`, else a built-in one (`replypath desk list`).
        required r#use: String,
        /// How many messages all probes together may send to this desk. Default: no limit.
        optional budget: OneOrMany<RateText>,
        /// A PEM file with the only authorities to trust. Default: those of the system.
        optional ca: String,
        /// How long one API call may take.
        optional timeout: Period = "20s",
        /// What the definition asks for: the address of the desk, the API token. `replypath desk show ID` lists them.
        optional params: Keyed<ParamText>,
    }
}

table! {
    /// A probe: a file `probes/NAME.toml`. Its name is the file's name: at most 40 of a-z, 0-9 and `-`.
    ProbeShape "the probe" {
        /// One sentence for people: what is tested here.
        optional description: String = "",
        /// Who looks after this path.
        optional owner: String = "",
        /// Words to select by: `replypath run --tag billing`.
        optional tags: List<String>,
        /// The key of the desk in `replypath.toml`. Without one, the stages that look into the desk must be left out.
        optional desk: String,
        /// The key of the account that writes.
        required account: String,
        /// The name of the shared way in and out, so that one broken mail exchange makes one alert. Default: `DESK-CHANNEL`.
        optional gateway: String,
        /// Run by itself so often. With neither `every` nor `cron` the probe runs on demand only.
        optional every: Period,
        /// Move each start by up to this much. Goes with `every`.
        optional jitter: Period = "0s",
        /// Run by itself at these times: a cron pattern of five fields, or six with seconds first.
        optional cron: String,
        /// The time zone of `cron`: an IANA name.
        optional zone: String = "UTC",
        /// What to do when the last run is still under way: do not start, or start beside it.
        optional overlap: Overlap = "skip",
        /// Stages that are left out. Not together with `only`.
        optional skip: List<Stage>,
        /// The only stages to take. Not together with `skip`.
        optional only: List<Stage>,
        /// How long a run waits for duplicates after everything else was seen. Default: twice the account's `poll`; at most 10 seconds when the answer comes by chat.
        optional settle: Period,
        /// How long the run's mail stays watched after the verdict.
        optional watch_after: Period = "1h",
        /// A tag to put on the ticket after `format`, so that staff and statistics can leave it out. Default: none.
        optional mark: String,
        /// What becomes of the ticket at the end. Default: `close`, without a desk `keep`.
        optional clean_up: CleanUp,
        /// Times in which no run is started.
        optional maintenance: List<WindowShape>,
        /// The request as mail. One of `email`, `form` and `chat` must be there.
        optional email: EmailShape,
        /// The request through a web form.
        optional form: FormShape,
        /// The request by live chat.
        optional chat: ChatShape,
        /// What the ticket and the answer must look like.
        optional expect: ExpectShape,
        /// The agent's answer.
        optional reply: ReplyShape,
        /// The customer's answer to the answer.
        optional follow_up: FollowUpShape,
        /// How long each stage may take; days are fine.
        optional limits: LimitsShape,
        /// What counts as a defect and what as a habit of this desk.
        optional policy: PolicyShape,
        /// Other forms of this probe: each has a `name` and keys and tables that are laid over those of the probe, and is then the probe `NAME.VARIANT`.
        optional variants: List<VariantShape>,
        /// Probes that are run when this one fails, to tell its causes apart, by name. Of a variant, the probe itself is always one.
        optional controls: List<String>,
        /// Run the built-in controls too: a plain mail to the same address, to the desk's own, from a second account, to itself.
        optional built_in_controls: bool = true,
        /// The account of the control from a second sender. Default: another account of this configuration that is used for nothing else.
        optional second_account: String,
        /// The key of the desk's intake mailbox behind this probe's address, in `replypath.toml`.
        optional intake: String,
        /// The key of the business hours in which a person's answer is counted, in `replypath.toml`. Default: every hour counts.
        optional calendar: String,
        /// What must never be seen by the wrong eyes.
        optional canaries: CanariesShape,
    }
}

table! {
    /// Privacy canaries: texts with tokens of their own. One that is seen by the wrong eyes fails the run at once, whatever else passed.
    CanariesShape "`[canaries]`" {
        /// The agent leaves an internal note on the ticket; no customer may ever get it.
        optional note: bool = false,
        /// The key of a second account, which writes into the conversation before the agent answers and must get nothing of it.
        optional second: String,
        /// The key of an account that stands in Cc of the request: it may get the answer, but no note.
        optional cc: String,
        /// A fresh visitor opens the chat after this run's and must see none of its lines.
        optional fresh_visitor: bool = false,
    }
}

table! {
    /// A time in which no run is started: `start` and `length` for one that comes again, `from` and `until` for a single one.
    WindowShape "`[[maintenance]]`" {
        /// Cron pattern of the begin.
        optional start: String,
        /// The time zone of `start`: an IANA name.
        optional zone: String = "UTC",
        /// How long it lasts. Goes with `start`.
        optional length: Period,
        /// Begin of a single one.
        optional from: Instant,
        /// End of a single one.
        optional until: Instant,
    }
}

table! {
    /// What the ticket and the answer must look like. What is not named is not asked.
    ExpectShape "`[expect]`" {
        /// The queue, group or inbox by name, whatever the case.
        optional queue: String,
        /// The requester's address. Default: the account's.
        optional requester: Address,
        /// The priority as the desk spells it.
        optional priority: Word,
        /// Tags that must all be there.
        optional tags: List<String>,
        /// Custom fields and their values.
        optional fields: Keyed<Word>,
        /// The channel as the desk sees it.
        optional channel: String,
        /// Compare attachments by size and hash. Default: true where the desk gives their bytes.
        optional attachments: bool,
        /// How far the ticket's creation time may be off, both ways.
        optional created_within: Period = "15m",
        /// Text that the acknowledgement must hold.
        optional acknowledge_text: String,
        /// The address from which answers must come. Default: any but noreply.
        optional from: Address,
        /// The address that Reply-To must hold.
        optional reply_to: Address,
        /// Texts that the answer must hold beside what the agent wrote, such as a footer's link.
        optional return_links: OneOrMany<String>,
    }
}

table! {
    /// The agent's answer.
    ReplyShape "`[reply]`" {
        /// `post`: replypath answers through the desk's API; `await`: a person answers.
        optional mode: ReplyMode = "post",
        /// The answer is written as soon as the ticket is there, or only after the acknowledgement.
        optional after: AfterStage = "land",
        /// The answer's text. Default: a friendly one.
        optional text: String,
        /// The same in HTML.
        optional html: String,
        /// Files to attach, by their paths beside the probe file; at most 10 MB each.
        optional attachments: OneOrMany<String>,
    }
}

table! {
    /// The customer's answer to the answer.
    FollowUpShape "`[follow_up]`" {
        /// Which mail is answered: the agent's, the acknowledgement, or the customer's own first mail. In a chat it is the next line, and `to` stays away.
        optional to: FollowUpTo = "agent",
        /// The text. Default: a short thank-you.
        optional text: String,
        /// Close the ticket first.
        optional after_close: bool = false,
        /// What must become of an answer to a closed ticket: `true` reopens it, `false` opens a new one.
        optional reopens: bool = true,
        /// Move the ticket to this queue first; the answer must still join it.
        optional after_move: String,
        /// Where the customer writes, seen from the mail that is quoted: `top`, `bottom`, `inline`, or `none` without a quote.
        optional quote: QuoteStyle = "top",
        /// The customer's mail program answers by itself, as on holiday: nothing about the ticket may change.
        optional automatic: bool = false,
    }
}

table! {
    /// How long each stage may take, from the moment at which it could begin. The defaults are those of mail and forms. In a chat they are `1m`, and `2m` for `clean_up`; `return` and `follow_up` keep those of mail when the answer may come by mail.
    LimitsShape "`[limits]`" {
        /// Handing the mail to the customer's provider, submitting the form, opening the chat and saying the first line.
        optional send: Period = "1m",
        /// Until the desk's side took it over: the thank-you of a form, the conversation of a chat.
        optional accept: Period = "10m",
        /// Until a ticket exists.
        optional land: Period = "10m",
        /// Until the ticket lies in its queue.
        optional queue: Period = "1m",
        /// Until the ticket shows what the customer wrote.
        optional format: Period = "1m",
        /// Until the automatic reply is in the mailbox, or the greeting in the chat window.
        optional acknowledge: Period = "10m",
        /// Until the answer is stored and on its way; with `mode = "await"` until a person has answered.
        optional reply: Period = "1m",
        /// Until the answer is in the mailbox, or in the chat window.
        optional r#return: Period = "10m",
        /// Until the customer's answer is in the ticket.
        optional follow_up: Period = "10m",
        /// Closing the ticket and removing the run's mail.
        optional clean_up: Period = "2m",
    }
}

table! {
    /// What counts as a defect and what as a habit of this desk.
    PolicyShape "`[policy]`" {
        /// Answers must be threaded to a mail of this run; `wanted` makes it a note, `ignored` nothing.
        optional threading: Require = "required",
        /// Answers may come from an address such as `noreply@`.
        optional noreply_allowed: bool = false,
        /// Whether closing a ticket may send a mail.
        optional closing_notice: ClosingNotice = "allowed",
        /// A human answer may be marked automatic.
        optional automatic_reply_allowed: bool = true,
        /// One request may open several tickets.
        optional duplicates_allowed: bool = false,
    }
}
