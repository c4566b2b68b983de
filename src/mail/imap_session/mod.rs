//! One signed-in IMAP connection: the commands that a mailbox's listener needs, each bounded in time and size.
//!
//! Commands go through the package `imap`; SELECT and STATUS answers are read here, because the
//! package panics on an untagged NO in the one and compares the folder's spelling in the other.

mod connect;
mod fetch;
mod folders;
mod idle;
mod remove;
mod tls;

pub use connect::{Refusal, sign_in};
pub use fetch::{Meta, RawMail};
pub use folders::{FolderName, readable};
pub use idle::IdleEnd;
pub use tls::TlsConfigs;

use crate::engine::ports::Trouble;
use crate::mail::stream::Wire;
use crate::model::ResultClass;
use imap::types::{Capabilities, UnsolicitedResponse};
use jiff::Timestamp;

/// Why a command did not work.
#[derive(Debug)]
pub enum Fail {
    /// The connection is of no more use.
    Lost(Trouble),
    /// The server said NO or BAD; the connection goes on.
    Refused(String),
}

impl Fail {
    /// As a trouble of the mailbox.
    pub fn trouble(self) -> Trouble {
        match self {
            Fail::Lost(trouble) => trouble,
            Fail::Refused(words) if words.to_ascii_uppercase().contains("[OVERQUOTA]") => {
                Trouble::new(ResultClass::Denied, "mailbox-full", words)
            }
            Fail::Refused(words) => Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", words),
        }
    }
}

/// What the server can do, as far as it matters.
#[derive(Debug, Clone, Default)]
pub struct Abilities {
    /// RFC 2177.
    pub idle: bool,
    /// RFC 4315.
    pub uidplus: bool,
    /// RFC 6154.
    pub special_use: bool,
    /// RFC 9208.
    pub quota: bool,
    /// RFC 2342.
    pub namespace: bool,
}

impl Abilities {
    fn read(caps: &Capabilities) -> Abilities {
        Abilities {
            idle: caps.has_str("IDLE"),
            uidplus: caps.has_str("UIDPLUS"),
            special_use: caps.has_str("SPECIAL-USE"),
            quota: caps.has_str("QUOTA"),
            namespace: caps.has_str("NAMESPACE"),
        }
    }
}

/// The state of a folder when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderState {
    /// UIDVALIDITY.
    pub validity: u32,
    /// The next UID, where the server says it.
    pub next: Option<u32>,
    /// Messages in it.
    pub exists: u32,
    /// It may not be changed.
    pub read_only: bool,
}

/// Storage of the mailbox in KiB, and messages, where the server counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// `STORAGE` (KiB) or `MESSAGE`.
    pub resource: String,
    /// Used.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
}

impl Quota {
    /// True when the next mail will probably not be taken.
    pub fn is_full(&self) -> bool {
        let reserve = if self.resource == "STORAGE" { (self.limit / 20).min(100) } else { 0 };
        self.limit > 0 && self.used.saturating_add(reserve) >= self.limit
    }
}

/// One signed-in connection. Belongs to one thread.
#[derive(Debug)]
pub struct ImapSession {
    session: imap::Session<Wire>,
    wire: Wire,
    /// What the server can do.
    pub abilities: Abilities,
    /// Protection and login method, for people.
    pub how: String,
    /// `host:port`.
    pub place: String,
    selected: Option<(String, FolderState)>,
    /// Number of the last command on our own lines.
    own_tag: u32,
    /// A change was announced on our own lines and not asked for yet.
    heard: bool,
    /// The last IDLE got no answer at all.
    pub idle_unanswered: bool,
}

impl ImapSession {
    fn new(session: imap::Session<Wire>, wire: Wire, abilities: Abilities, how: String, place: String) -> ImapSession {
        ImapSession { session, wire, abilities, how, place, selected: None, own_tag: 0, heard: false, idle_unanswered: false }
    }

    fn fail(&self, doing: &str, error: &imap::Error) -> Fail {
        let text = format!("IMAP server {}: {doing}: {}", self.place, words(error, &self.wire));
        match error {
            imap::Error::No(_) | imap::Error::Bad(_) | imap::Error::Validate(_) => Fail::Refused(text),
            _ => Fail::Lost(Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", text)),
        }
    }

    fn lost(&self, doing: &str, error: &std::io::Error) -> Fail {
        let text = format!("IMAP server {}: {doing}: {error}", self.place);
        Fail::Lost(Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", text))
    }

    /// Runs a command: the untagged answer, and the tagged line.
    fn run(&mut self, doing: &str, command: &str) -> Result<(String, String), Fail> {
        match self.session.run(command) {
            Ok((data, at)) => {
                let (head, tail) = data.split_at(at.min(data.len()));
                Ok((String::from_utf8_lossy(head).into_owned(), String::from_utf8_lossy(tail).into_owned()))
            }
            Err(e) => Err(self.fail(doing, &e)),
        }
    }

    fn open(&mut self, verb: &str, folder: &str) -> Result<FolderState, Fail> {
        self.selected = None;
        let (untagged, tagged) = self.run(&format!("opening folder {folder}"), &format!("{verb} {}", quote(folder)?))?;
        let exists = untagged.lines().find_map(|l| l.strip_prefix("* ")?.split_once(' ').filter(|p| p.1.eq_ignore_ascii_case("EXISTS")));
        let state = FolderState {
            validity: number_after(&untagged, "[UIDVALIDITY ").unwrap_or(0),
            next: number_after(&untagged, "[UIDNEXT "),
            exists: exists.and_then(|p| p.0.parse().ok()).unwrap_or(0),
            read_only: verb == "EXAMINE" || tagged.to_ascii_uppercase().contains("[READ-ONLY]"),
        };
        self.selected = Some((folder.to_owned(), state));
        Ok(state)
    }

    /// Opens a folder for reading and removing.
    ///
    /// # Errors
    /// [`Fail::Refused`] when there is no such folder.
    pub fn select(&mut self, folder: &str) -> Result<FolderState, Fail> {
        self.open("SELECT", folder)
    }

    /// Opens a folder so that nothing in it can change.
    ///
    /// # Errors
    /// [`Fail::Refused`] when there is no such folder.
    pub fn examine(&mut self, folder: &str) -> Result<FolderState, Fail> {
        self.open("EXAMINE", folder)
    }

    /// The folder that is open.
    pub fn selected(&self) -> Option<&str> {
        self.selected.as_ref().map(|f| f.0.as_str())
    }

    /// The open folder as it was when it was opened, if it is this one and may be changed.
    fn open_for_change(&self, folder: &str) -> Option<FolderState> {
        self.selected.as_ref().filter(|f| f.0 == folder && !f.1.read_only).map(|f| f.1)
    }

    /// UIDVALIDITY and UIDNEXT of a folder that need not be open; the open one stays so.
    ///
    /// # Errors
    /// [`Fail::Refused`] when there is no such folder.
    pub fn status(&mut self, folder: &str) -> Result<(Option<u32>, Option<u32>), Fail> {
        let doing = format!("asking for folder {folder}");
        let (untagged, _) = self.run(&doing, &format!("STATUS {} (UIDNEXT UIDVALIDITY)", quote(folder)?))?;
        let items = untagged.rsplit_once('(').map_or("", |p| p.1);
        Ok((number_after(items, "UIDVALIDITY "), number_after(items, "UIDNEXT ")))
    }

    /// Asks for news. True when the server announced mail in the open folder, now or since the last command.
    ///
    /// # Errors
    /// [`Fail::Lost`] when the connection is gone.
    pub fn noop(&mut self) -> Result<bool, Fail> {
        if let Err(e) = self.session.noop() {
            return Err(self.fail("NOOP", &e));
        }
        Ok(self.announced())
    }

    /// True when mail was announced since the last call. Mail that went, ours as a rule, is no news.
    pub fn announced(&mut self) -> bool {
        // All of them must be taken, or they would pile up.
        let new = |r: &UnsolicitedResponse| match r {
            UnsolicitedResponse::Exists(_) => true,
            UnsolicitedResponse::Recent(count) => *count > 0,
            _ => false,
        };
        let pushed = self.session.take_all_unsolicited().filter(new).count() > 0;
        std::mem::take(&mut self.heard) || pushed
    }

    /// What the mailbox may hold and holds; empty where the server does not say.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn quota(&mut self) -> Result<Vec<Quota>, Fail> {
        if !self.abilities.quota {
            return Ok(Vec::new());
        }
        let (untagged, _) = self.run("asking for the quota", "GETQUOTAROOT \"INBOX\"")?;
        Ok(untagged.lines().filter(|l| l.to_ascii_uppercase().starts_with("* QUOTA ")).flat_map(quota_line).collect())
    }

    /// Says goodbye; what the server answers does not matter.
    pub fn logout(mut self) {
        let _ = self.session.run_command("LOGOUT");
    }
}

/// `* QUOTA "root" (STORAGE 10 512 MESSAGE 3 100)` (RFC 9208 section 4.2.1).
fn quota_line(line: &str) -> Vec<Quota> {
    let items = line.rsplit_once('(').and_then(|p| p.1.split_once(')')).map_or("", |p| p.0);
    let words: Vec<&str> = items.split_ascii_whitespace().collect();
    let triples = words.chunks_exact(3);
    triples
        .filter_map(|t| Some(Quota { resource: t[0].to_ascii_uppercase(), used: t[1].parse().ok()?, limit: t[2].parse().ok()? }))
        .collect()
}

fn number_after(text: &str, word: &str) -> Option<u32> {
    let upper = text.to_ascii_uppercase();
    let from = upper.find(word)? + word.len();
    let digits: String = upper[from..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// An IMAP quoted string (RFC 9051 section 4.3).
fn quote(text: &str) -> Result<String, Fail> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(Fail::Refused("a folder name with a line end cannot be sent".to_owned()));
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A server's line for people: from byte `from` on, without control characters, at most 200 characters.
fn clean(text: &str, from: usize) -> String {
    text.get(from..).unwrap_or("").chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

fn words(error: &imap::Error, wire: &Wire) -> String {
    use imap::Error;
    let status = clean(&wire.last_status(), 0);
    match error {
        Error::No(_) | Error::Bad(_) | Error::Bye(_) if !status.is_empty() => format!("the server says: {status}"),
        // The package reports any answer it cannot parse as a BYE.
        Error::Bye(_) | Error::Parse(_) | Error::Unexpected(_) => "the server's answer is not proper IMAP".to_owned(),
        Error::ConnectionLost if status.to_ascii_uppercase().starts_with("BYE") => {
            format!("the server closed the connection and says: {status}")
        }
        Error::ConnectionLost => "the server closed the connection".to_owned(),
        Error::Io(e) => e.to_string(),
        Error::Validate(_) => "user name or password holds a line end".to_owned(),
        other => clean(&other.to_string(), 0),
    }
}

/// A date for SEARCH SINCE (RFC 9051 section 6.4.4), safe in every time zone: SINCE ignores time and zone.
fn search_date(at: Timestamp) -> String {
    let early = at.checked_sub(jiff::SignedDuration::from_hours(26)).unwrap_or(Timestamp::MIN);
    early.to_zoned(jiff::tz::TimeZone::UTC).strftime("%-d-%b-%Y").to_string()
}
