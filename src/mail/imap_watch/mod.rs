//! What of a mailbox has been reported, and the looks that report the rest.
//!
//! A look always asks from the last reported UID on; counters that servers push are only a reason to
//! look now. Each mail is reported once, unless somebody asks for an earlier position.

mod down;
mod jobs;
mod thread;

use jobs::answer;
pub use thread::Thread;

use super::imap_session::{Fail, FolderName, FolderState, ImapSession, Meta, RawMail};
use super::listener::{Watches, watch_key};
use super::parse::parse_mail;
use crate::clock::{self, Clock};
use crate::engine::ports::{MailEvent, Trouble};
use crate::model::{MailKey, Position, ReceivedMail, ResultClass, TokenKey};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;

const INBOX: &str = "INBOX";
/// By how much the server's clock may be behind ours.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(2);
/// How long a position counts before somebody watches from it.
const POSITION_COUNTS: Duration = Duration::from_secs(300);
/// How long a list of folders is believed.
const FOLDERS_FRESH: Duration = Duration::from_secs(300);

/// Parses mails and hands them on.
pub struct Reporter {
    /// Account key.
    pub account: String,
    /// For recognising tokens.
    pub tokens: TokenKey,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Sender<MailEvent>,
}

impl Reporter {
    /// The parsed mail.
    pub fn parse(&self, folder: &str, validity: u32, junk: bool, raw: &RawMail) -> ReceivedMail {
        let key = MailKey { folder: folder.to_owned(), uidvalidity: validity, uid: raw.meta.uid };
        let mut mail = parse_mail(&raw.bytes, key, junk, raw.meta.received, &self.tokens);
        if raw.cut {
            // Of a part only the server knows the size, and nobody the hash.
            mail.size = u64::from(raw.meta.size);
            mail.sha256 = String::new();
            // Nor of the file in which the part ends.
            if let Some(last) = mail.attachments.last_mut() {
                (last.size, last.sha256) = (None, None);
            }
        }
        mail
    }

    /// The parsed mail; one of ours that was cut for its size is read whole first. When that costs the
    /// connection the part must do, or the same mail would cost the next one too.
    pub fn read(&self, s: &mut ImapSession, folder: &str, validity: u32, junk: bool, raw: &RawMail) -> (ReceivedMail, Result<(), Fail>) {
        let mail = self.parse(folder, validity, junk, raw);
        if !raw.cut || mail.tokens.is_empty() {
            return (mail, Ok(()));
        }
        match s.whole_body(raw.meta) {
            Ok(whole) => (whole.map_or(mail, |whole| self.parse(folder, validity, junk, &whole)), Ok(())),
            Err(lost) => (mail, Err(lost)),
        }
    }

    fn mail(&self, s: &mut ImapSession, track: &Track, raw: &RawMail) -> Result<(), Fail> {
        let (mail, result) = self.read(s, &track.name, track.validity, track.junk, raw);
        self.send(MailEvent::Arrived { account: self.account.clone(), mail: Box::new(mail) });
        result
    }

    /// Reports something about the listener itself.
    pub fn remark(&self, kind: &'static str, text: String) {
        self.send(MailEvent::Remark { account: self.account.clone(), kind, text });
    }

    fn send(&self, event: MailEvent) {
        if self.events.blocking_send(event).is_err() {
            tracing::debug!(account = self.account, "nobody takes mail events any more");
        }
    }
}

/// One folder and what of it was reported: UIDs from `floor` to below `next`, and those of `extra`.
#[derive(Debug)]
struct Track {
    name: String,
    junk: bool,
    validity: u32,
    floor: u32,
    next: u32,
    /// Mail that came at or after this time was reported too, by date.
    since: Timestamp,
    extra: BTreeSet<u32>,
}

impl Track {
    fn new(name: &str, junk: bool, validity: u32, next: u32) -> Track {
        Track { name: name.to_owned(), junk, validity, floor: next, next, since: Timestamp::MAX, extra: BTreeSet::new() }
    }

    fn knows(&self, uid: u32) -> bool {
        (self.floor..self.next).contains(&uid) || self.extra.contains(&uid)
    }

    fn note(&mut self, uid: u32) {
        if uid >= self.next {
            self.next = uid.saturating_add(1);
        } else if uid < self.floor {
            self.extra.insert(uid);
        }
    }
}

/// What a look gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// So many mails were reported.
    pub count: usize,
    /// When the oldest of them came, by the server's clock.
    pub oldest: Option<Timestamp>,
}

/// The state of one mailbox's watch; outlives connections.
pub struct Watcher {
    /// Hands mails on.
    pub reporter: Reporter,
    inbox: Option<Track>,
    junk: Vec<Track>,
    /// Positions asked for, and how long each counts.
    wanted: Watches,
    uncovered: Vec<Position>,
    renumbered: BTreeSet<(u32, u32)>,
    folders: Option<(Instant, Vec<FolderName>)>,
    quota_at: Option<Instant>,
}

impl Watcher {
    /// Nothing known yet.
    pub fn new(reporter: Reporter) -> Watcher {
        Watcher {
            reporter,
            inbox: None,
            junk: Vec::new(),
            wanted: Watches::new(),
            uncovered: Vec::new(),
            renumbered: BTreeSet::new(),
            folders: None,
            quota_at: None,
        }
    }

    /// Mail from `from` on shall be reported, at least until `until`.
    pub fn want(&mut self, from: Position, until: Timestamp) {
        if self.wanted.insert(watch_key(&from), until).is_none() {
            self.uncovered.push(from);
        }
    }

    /// Until when somebody waits for mail.
    pub fn until(&self) -> Option<Timestamp> {
        self.wanted.values().max().copied()
    }

    /// The time of the earliest position that still counts.
    fn since(&mut self) -> Option<Timestamp> {
        let now = self.reporter.clock.now();
        self.wanted.retain(|_, until| *until >= now);
        self.wanted.keys().map(|(_, _, at)| *at).min()
    }

    /// A new connection: opens INBOX and finds out what changed meanwhile.
    pub fn connected(&mut self, s: &mut ImapSession) -> Result<(), Fail> {
        self.folders = None;
        self.quota_at = None;
        self.open_inbox(s).map(|_| ())
    }

    /// Opens INBOX anew; a look from the last reported UID must follow.
    fn open_inbox(&mut self, s: &mut ImapSession) -> Result<(FolderState, u32), Fail> {
        let state = s.select(INBOX)?;
        let next = next_uid(s, &state)?;
        match &self.inbox {
            Some(known) if known.validity == state.validity => {}
            Some(known) => {
                let (uidvalidity, uid_next) = (known.validity, known.next);
                let at = self.since().unwrap_or_else(|| self.reporter.clock.now());
                self.uncovered.push(Position { uidvalidity, uid_next, at });
                self.inbox = Some(Track::new(INBOX, false, state.validity, next));
            }
            None => self.inbox = Some(Track::new(INBOX, false, state.validity, next)),
        }
        Ok((state, next))
    }

    /// The position now; everything up to it is reported.
    pub fn position(&mut self, s: &mut ImapSession) -> Result<Position, Fail> {
        // Before the look: a mail that comes during it is newer.
        let at = self.reporter.clock.now();
        let (state, next) = self.open_inbox(s)?;
        if self.inbox.as_ref().is_some_and(|t| t.next < next) {
            self.look(s)?;
        }
        let uid_next = self.inbox.as_ref().map_or(next, |t| t.next.max(next));
        let position = Position { uidvalidity: state.validity, uid_next, at };
        self.wanted.insert(watch_key(&position), clock::after(at, POSITION_COUNTS));
        Ok(position)
    }

    /// Looks for mail in INBOX from the last reported UID on, and at positions not served yet.
    pub fn look(&mut self, s: &mut ImapSession) -> Result<Found, Fail> {
        if s.selected() != Some(INBOX) || self.inbox.is_none() {
            self.open_inbox(s)?;
        }
        self.cover(s)?;
        let Some(track) = self.inbox.as_mut() else { return Ok(Found::default()) };
        let metas = s.metas_between(track.next, None)?;
        report_all(&self.reporter, s, track, &metas)
    }

    /// True when a position was asked for that no look has served.
    pub fn has_uncovered(&self) -> bool {
        !self.uncovered.is_empty()
    }

    fn cover(&mut self, s: &mut ImapSession) -> Result<(), Fail> {
        while let Some(from) = self.uncovered.last().copied() {
            let Some(track) = self.inbox.as_mut() else { return Ok(()) };
            if from.uidvalidity == track.validity {
                if from.uid_next < track.floor {
                    let metas: Vec<Meta> = s.metas_between(from.uid_next, Some(track.floor - 1))?;
                    let metas: Vec<Meta> = metas.into_iter().filter(|m| !track.knows(m.uid)).collect();
                    report_all(&self.reporter, s, track, &metas)?;
                    track.floor = from.uid_next;
                    let floor = track.floor;
                    track.extra.retain(|u| *u < floor);
                }
            } else {
                if self.renumbered.insert((from.uidvalidity, track.validity)) {
                    let text = format!(
                        "INBOX was renumbered (UIDVALIDITY {} -> {}): mail since {} is looked for by date",
                        from.uidvalidity, track.validity, from.at
                    );
                    self.reporter.remark("uidvalidity-changed", text);
                }
                report_since(&self.reporter, s, track, from.at)?;
            }
            self.uncovered.pop();
        }
        Ok(())
    }

    /// Looks into the junk folders; leaves INBOX open. Gives what was new in INBOX when it was opened again.
    pub fn look_junk(&mut self, s: &mut ImapSession) -> Result<Found, Fail> {
        let Some(since) = self.since() else { return Ok(Found::default()) };
        let names: Vec<String> = self.folders(s)?.iter().filter(|f| f.junk).map(|f| f.name.clone()).collect();
        self.junk.retain(|t| names.contains(&t.name));
        for name in names {
            if name.eq_ignore_ascii_case(INBOX) {
                continue;
            }
            match self.look_one_junk(s, &name, since) {
                Err(Fail::Refused(words)) => {
                    // Removed or renamed meanwhile? Then the next list does not show it any more.
                    self.folders = None;
                    if self.folders(s)?.iter().any(|f| f.name == name) {
                        return Err(Fail::Refused(words));
                    }
                }
                other => other?,
            }
        }
        if s.selected() != Some(INBOX) { self.look(s) } else { Ok(Found::default()) }
    }

    fn look_one_junk(&mut self, s: &mut ImapSession, name: &str, since: Timestamp) -> Result<(), Fail> {
        let known = self.junk.iter().position(|t| t.name == name);
        if let Some(track) = known.and_then(|i| self.junk.get(i))
            && track.since <= since
            && let (Some(validity), Some(next)) = s.status(name)?
            && validity == track.validity
            && next <= track.next
        {
            return Ok(());
        }
        let state = s.examine(name)?;
        let next = next_uid(s, &state)?;
        let index = match known {
            Some(i) => i,
            None => {
                self.junk.push(Track::new(name, true, state.validity, next));
                self.junk.len() - 1
            }
        };
        let Some(track) = self.junk.get_mut(index) else { return Ok(()) };
        if track.validity != state.validity {
            *track = Track::new(name, true, state.validity, next);
        }
        if state.exists == 0 {
            track.since = track.since.min(since);
        } else {
            report_since(&self.reporter, s, track, since)?;
            let metas = s.metas_between(track.next, None)?;
            report_all(&self.reporter, s, track, &metas)?;
        }
        // Messages that came and went meanwhile leave a gap below UIDNEXT.
        track.next = track.next.max(next);
        Ok(())
    }

    fn folders(&mut self, s: &mut ImapSession) -> Result<&[FolderName], Fail> {
        let fresh = self.folders.as_ref().is_some_and(|(at, list)| at.elapsed() < FOLDERS_FRESH && list.iter().any(|f| f.junk));
        if !fresh {
            self.folders = Some((Instant::now(), s.folders()?));
        }
        Ok(self.folders.as_ref().map_or(&[], |f| f.1.as_slice()))
    }

    /// A full mailbox takes no mail, so an empty look there proves nothing. Asked at most once a minute.
    fn check_quota(&mut self, s: &mut ImapSession) -> Result<(), Trouble> {
        if self.quota_at.is_some_and(|at| at.elapsed() < Duration::from_secs(60)) {
            return Ok(());
        }
        let quotas = match s.quota() {
            Ok(quotas) => quotas,
            Err(Fail::Refused(_)) => Vec::new(),
            Err(lost) => return Err(lost.trouble()),
        };
        if let Some(q) = quotas.iter().find(|q| q.is_full()) {
            let unit = if q.resource == "STORAGE" { " KiB" } else { "" };
            let message = format!(
                "mailbox {} at {} is full ({} of {}{unit} {}): new mail is refused; empty it",
                self.reporter.account,
                s.place,
                q.used,
                q.limit,
                q.resource.to_lowercase()
            );
            return Err(Trouble::new(ResultClass::Denied, "mailbox-full", message));
        }
        self.quota_at = Some(Instant::now());
        Ok(())
    }
}

/// The next UID of an open folder, asked for when the server did not say it.
fn next_uid(s: &mut ImapSession, state: &FolderState) -> Result<u32, Fail> {
    match state.next {
        Some(next) => Ok(next),
        None if state.exists == 0 => Ok(1),
        None => Ok(s.last_uid()?.map_or(1, |uid| uid.saturating_add(1))),
    }
}

/// Reports messages of the open folder in batches, oldest first.
fn report_all(reporter: &Reporter, s: &mut ImapSession, track: &mut Track, metas: &[Meta]) -> Result<Found, Fail> {
    let mut rest = metas;
    let mut found = Found::default();
    while let Some(first) = rest.first() {
        let begin = first.uid;
        let before = rest.len();
        let mails = s.next_bodies(&mut rest)?;
        for raw in &mails {
            let result = reporter.mail(s, track, raw);
            track.note(raw.meta.uid);
            found.count += 1;
            found.oldest = match (found.oldest, raw.meta.received) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            result?;
        }
        // What could not be read counts as seen too, or one damaged mail would be asked for over and over.
        for meta in metas[metas.len() - before..metas.len() - rest.len()].iter().filter(|m| m.uid >= begin) {
            track.note(meta.uid);
        }
    }
    Ok(found)
}

/// Reports what came into the open folder since `at` by the server's dates.
fn report_since(reporter: &Reporter, s: &mut ImapSession, track: &mut Track, at: Timestamp) -> Result<(), Fail> {
    if track.since <= at {
        return Ok(());
    }
    let uids: Vec<u32> = s.uids_since(at)?.into_iter().filter(|u| *u < track.next && !track.knows(*u)).collect();
    let metas: Vec<Meta> = s.metas_of(&uids)?.into_iter().filter(|m| newer(m, at)).collect();
    report_all(reporter, s, track, &metas)?;
    track.since = at;
    Ok(())
}

/// True when the server took the message at or after `at`, as far as its clock can be trusted.
fn newer(meta: &Meta, at: Timestamp) -> bool {
    let earliest = at.checked_sub(CLOCK_TOLERANCE).unwrap_or(Timestamp::MIN);
    meta.received.is_none_or(|r| r >= earliest)
}
