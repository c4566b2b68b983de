//! A look into a desk's own intake mailbox, where the operator grants one: is our mail there, and has somebody read it?
//! Folders are opened with EXAMINE (RFC 9051 section 6.3.3) and only searched, so that nothing is marked or changed.

use super::imap_session::{Fail, FolderName, ImapSession, TlsConfigs, readable, sign_in};
use super::stream::{Limits, Poller};
use crate::engine::ports::{Intakes, Trouble, no_intake};
use crate::model::{Intake, IntakePlace, IntakeSight, ResultClass, Token};
use async_trait::async_trait;
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as Turn, oneshot};

/// So many folders are looked into beside the inbox.
const MOST_FOLDERS: usize = 50;
/// All folders of one look together, so that those who wait behind it get their turn.
const LONGEST: Duration = Duration::from_secs(60);

/// The intake mailboxes of a configuration: one connection to each at a time. Whoever asks while another look is under way
/// shares the next connection with all others who do.
pub struct ImapIntakes {
    mailboxes: BTreeMap<String, Arc<Mailbox>>,
    tls: Arc<TlsConfigs>,
    limits: Limits,
}

/// One intake mailbox, and who waits for a look into it.
struct Mailbox {
    intake: Intake,
    waiting: Mutex<Vec<Asked>>,
    turn: Arc<Turn<()>>,
}

/// What is looked for.
struct Wanted {
    message_id: Option<String>,
    token: Token,
    since: Timestamp,
}

/// Somebody waits for this.
struct Asked {
    wanted: Wanted,
    answer: oneshot::Sender<Result<Found, Trouble>>,
}

/// Where it was found.
struct Found {
    place: IntakePlace,
    folder: String,
    unread_before: u64,
}

impl ImapIntakes {
    /// Looks into these.
    pub fn new(intakes: &BTreeMap<String, Intake>) -> ImapIntakes {
        ImapIntakes::with_limits(intakes, Limits::default())
    }

    /// The same with other limits, for tests.
    pub fn with_limits(intakes: &BTreeMap<String, Intake>, limits: Limits) -> ImapIntakes {
        let mailbox = |intake: &Intake| Mailbox { intake: intake.clone(), waiting: Mutex::default(), turn: Arc::default() };
        let mailboxes = intakes.iter().map(|(key, intake)| (key.clone(), Arc::new(mailbox(intake)))).collect();
        ImapIntakes { mailboxes, tls: Arc::default(), limits }
    }

    async fn find(&self, mailbox: &Arc<Mailbox>, wanted: Wanted) -> Result<Found, Trouble> {
        let (answer, told) = oneshot::channel();
        mailbox.waiting().push(Asked { wanted, answer });
        let turn = mailbox.turn.clone().lock_owned().await;
        let asked = std::mem::take(&mut *mailbox.waiting());
        // Another's look has answered us while we waited for our turn, or we look for all who wait.
        if !asked.is_empty() {
            let (mailbox, tls, limits) = (mailbox.clone(), self.tls.clone(), self.limits.clone());
            tokio::task::spawn_blocking(move || {
                answer_all(&mailbox.intake, &tls, &limits, asked);
                drop(turn);
            });
        }
        told.await.unwrap_or_else(|_| Err(unavailable("the look into the mailbox broke off")))
    }
}

impl Mailbox {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[async_trait]
impl Intakes for ImapIntakes {
    async fn look(&self, intake: &str, message_id: Option<&str>, token: &Token, since: Timestamp, now: Timestamp) -> IntakeSight {
        let nothing = |trouble: String| IntakeSight {
            at: now,
            place: None,
            folder: String::new(),
            unread_before: 0,
            shared_login_refused: false,
            trouble: Some(trouble),
        };
        let Some(mailbox) = self.mailboxes.get(intake) else { return nothing(no_intake(intake)) };
        let wanted = Wanted { message_id: message_id.map(str::to_owned), token: token.clone(), since };
        match self.find(mailbox, wanted).await {
            Ok(found) => IntakeSight {
                place: Some(found.place),
                folder: found.folder,
                unread_before: found.unread_before,
                trouble: None,
                ..nothing(String::new())
            },
            Err(trouble) => {
                let refused = mailbox.intake.desk_login && trouble.fault == "mailbox-login-refused";
                IntakeSight { shared_login_refused: refused, ..nothing(trouble.message) }
            }
        }
    }

    async fn doctor(&self, intake: &str) -> Result<Vec<String>, Trouble> {
        let mailbox = self.mailboxes.get(intake).cloned().ok_or_else(|| unavailable(&no_intake(intake)))?;
        let turn = mailbox.turn.clone().lock_owned().await;
        let (tls, limits) = (self.tls.clone(), self.limits.clone());
        let seen = tokio::task::spawn_blocking(move || {
            let mut session = enter(&mailbox.intake, &tls, &limits)?;
            let lines = survey(&mut session).map_err(Fail::trouble);
            session.logout();
            drop(turn);
            lines
        });
        seen.await.unwrap_or_else(|_| Err(unavailable("the look into the mailbox broke off")))
    }
}

fn unavailable(message: &str) -> Trouble {
    Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message)
}

fn enter(intake: &Intake, tls: &TlsConfigs, limits: &Limits) -> Result<ImapSession, Trouble> {
    let (poller, _waker) = Poller::new().map_err(|e| unavailable(&e.to_string()))?;
    sign_in(&intake.mailbox.server, tls, &Rc::new(RefCell::new(poller)), limits).map_err(|refusal| refusal.trouble)
}

/// One connection for all who wait. A refused login is not tried again for each of them.
fn answer_all(intake: &Intake, tls: &TlsConfigs, limits: &Limits, asked: Vec<Asked>) {
    let mut session = enter(intake, tls, limits);
    for Asked { wanted, answer } in asked {
        let found = match &mut session {
            Ok(open) => match search(open, &wanted) {
                Ok(found) => Ok(found),
                Err(Fail::Lost(trouble)) => {
                    session = Err(trouble.clone());
                    Err(trouble)
                }
                Err(refused) => Err(refused.trouble()),
            },
            Err(trouble) => Err(trouble.clone()),
        };
        // Whoever does not wait any more needs no answer.
        let _ = answer.send(found);
    }
    if let Ok(session) = session {
        session.logout();
    }
}

/// By Message-ID, and where nothing has it, by token: some providers give mail another Message-ID on its way.
fn search(session: &mut ImapSession, wanted: &Wanted) -> Result<Found, Fail> {
    let limit = Instant::now() + LONGEST;
    let mut folders = session.folders()?;
    folders.retain(|f| !f.name.eq_ignore_ascii_case("INBOX"));
    folders.sort_by_key(|f| !f.junk);
    if let Some(id) = wanted.message_id.as_deref()
        && let Some(found) = pass(session, &folders, limit, wanted, |session, uids| session.uids_of(uids, id))?
    {
        return Ok(found);
    }
    let token = wanted.token.as_str();
    let by_token = pass(session, &folders, limit, wanted, |session, uids| session.uids_with(uids, std::iter::once(token)))?;
    Ok(by_token.unwrap_or(Found { place: IntakePlace::Nowhere, folder: String::new(), unread_before: 0 }))
}

/// Once through all folders: the inbox first, then junk, then the rest. None only when every one of them was read.
fn pass(
    session: &mut ImapSession,
    folders: &[FolderName],
    limit: Instant,
    wanted: &Wanted,
    find: impl Fn(&mut ImapSession, &[u32]) -> Result<Vec<u32>, Fail>,
) -> Result<Option<Found>, Fail> {
    let find_in = |session: &mut ImapSession, folder: &str| -> Result<Option<u32>, Fail> {
        session.examine(folder)?;
        let since = session.uids_since(wanted.since)?;
        Ok(find(session, &since)?.first().copied())
    };
    if let Some(uid) = find_in(session, "INBOX")? {
        let unread = session.uids_unseen()?;
        let place = if unread.contains(&uid) { IntakePlace::Unread } else { IntakePlace::Read };
        let unread_before = unread.iter().filter(|u| **u < uid).count() as u64;
        return Ok(Some(Found { place, folder: "INBOX".to_owned(), unread_before }));
    }
    let mut unread = None;
    for (number, folder) in folders.iter().enumerate() {
        if number >= MOST_FOLDERS || Instant::now() >= limit {
            unread = Some(format!("only {number} of {} folders beside the inbox were looked into", folders.len()));
            break;
        }
        match find_in(session, &folder.name) {
            Ok(Some(_)) => {
                let place = if folder.junk { IntakePlace::Junk } else { IntakePlace::Filed };
                return Ok(Some(Found { place, folder: readable(&folder.name), unread_before: 0 }));
            }
            Ok(None) => {}
            Err(Fail::Refused(words)) => unread = Some(words),
            Err(lost) => return Err(lost),
        }
    }
    // What nobody could look into proves nothing.
    unread.map_or(Ok(None), |words| Err(Fail::Refused(words)))
}

/// What `doctor` tells.
fn survey(session: &mut ImapSession) -> Result<Vec<String>, Fail> {
    let inbox = session.examine("INBOX")?;
    let unread = session.uids_unseen()?.len();
    let mut lines = vec![format!("signed in ({}); looked only", session.how), format!("INBOX: {} mails, {unread} unread", inbox.exists)];
    let junk: Vec<String> = session.folders()?.into_iter().filter(|f| f.junk).map(|f| readable(&f.name)).collect();
    lines.push(match junk.as_slice() {
        [] => "no folder for junk is known by its flag or name".to_owned(),
        names => format!("junk: {}", names.join(", ")),
    });
    Ok(lines)
}
