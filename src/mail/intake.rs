//! A look into a desk's own intake mailbox, where the operator grants one: is our mail there, and has somebody read it?
//! Folders are opened with EXAMINE (RFC 9051 section 6.3.3) and only searched, so that nothing is marked or changed.

use super::imap_session::{Fail, ImapSession, TlsConfigs, sign_in};
use super::stream::{Limits, Poller};
use crate::engine::ports::{Intakes, Trouble};
use crate::model::{Intake, IntakePlace, IntakeSight, Token};
use async_trait::async_trait;
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Mutex;

/// So many folders are looked into beside the inbox.
const MOST_FOLDERS: usize = 50;

/// The intake mailboxes of a configuration. Looks into one mailbox follow each other: one connection at a time, however many
/// runs ask.
pub struct ImapIntakes {
    intakes: BTreeMap<String, (Intake, Arc<Mutex<()>>)>,
    tls: Arc<TlsConfigs>,
    limits: Limits,
}

/// What is looked for.
struct Wanted {
    words: Vec<String>,
    since: Timestamp,
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
        let intakes = intakes.iter().map(|(key, intake)| (key.clone(), (intake.clone(), Arc::default()))).collect();
        ImapIntakes { intakes, tls: Arc::default(), limits: Limits::default() }
    }
}

#[async_trait]
impl Intakes for ImapIntakes {
    async fn look(&self, intake: &str, message_id: Option<&str>, token: &Token, since: Timestamp, now: Timestamp) -> IntakeSight {
        let Some((intake, turn)) = self.intakes.get(intake).cloned() else {
            return nothing(now, format!("no intake mailbox {intake:?} is configured"));
        };
        let _turn = turn.lock().await;
        let (tls, limits) = (self.tls.clone(), self.limits.clone());
        let wanted = Wanted { words: message_id.into_iter().map(str::to_owned).chain([token.as_str().to_owned()]).collect(), since };
        let desk_login = intake.desk_login;
        let looked = tokio::task::spawn_blocking(move || look(&intake, &tls, &limits, &wanted)).await;
        match looked {
            Ok(Ok(found)) => IntakeSight {
                place: Some(found.place),
                folder: found.folder,
                unread_before: found.unread_before,
                trouble: None,
                ..nothing(now, String::new())
            },
            Ok(Err(trouble)) => {
                let refused = desk_login && trouble.fault == "mailbox-login-refused";
                IntakeSight { shared_login_refused: refused, ..nothing(now, trouble.message) }
            }
            Err(error) => nothing(now, format!("the look broke off: {error}")),
        }
    }
}

fn nothing(at: Timestamp, trouble: String) -> IntakeSight {
    IntakeSight { at, place: None, folder: String::new(), unread_before: 0, shared_login_refused: false, trouble: Some(trouble) }
}

fn look(intake: &Intake, tls: &TlsConfigs, limits: &Limits, wanted: &Wanted) -> Result<Found, Trouble> {
    let (poller, _waker) =
        Poller::new().map_err(|e| Trouble::new(crate::model::ResultClass::Unavailable, "mailbox-unavailable", e.to_string()))?;
    let poller = Rc::new(RefCell::new(poller));
    let mut session = sign_in(&intake.mailbox.server, tls, &poller, limits).map_err(|refusal| refusal.trouble)?;
    let found = search(&mut session, wanted).map_err(Fail::trouble);
    session.logout();
    found
}

/// The inbox first, then junk, then the rest.
fn search(session: &mut ImapSession, wanted: &Wanted) -> Result<Found, Fail> {
    if let Some(uid) = find(session, "INBOX", wanted)? {
        let unread = session.uids_unseen()?;
        let place = if unread.contains(&uid) { IntakePlace::Unread } else { IntakePlace::Read };
        let unread_before = unread.iter().filter(|u| **u < uid).count() as u64;
        return Ok(Found { place, folder: "INBOX".to_owned(), unread_before });
    }
    let mut folders = session.folders()?;
    folders.retain(|f| !f.name.eq_ignore_ascii_case("INBOX"));
    folders.sort_by_key(|f| !f.junk);
    for folder in folders.into_iter().take(MOST_FOLDERS) {
        match find(session, &folder.name, wanted) {
            Ok(Some(_)) => {
                let place = if folder.junk { IntakePlace::Junk } else { IntakePlace::Filed };
                return Ok(Found { place, folder: folder.name, unread_before: 0 });
            }
            // A folder that went away meanwhile, or may not be opened, holds none of our mail that anybody fetches.
            Ok(None) | Err(Fail::Refused(_)) => {}
            Err(lost) => return Err(lost),
        }
    }
    Ok(Found { place: IntakePlace::Nowhere, folder: String::new(), unread_before: 0 })
}

fn find(session: &mut ImapSession, folder: &str, wanted: &Wanted) -> Result<Option<u32>, Fail> {
    session.examine(folder)?;
    let since = session.uids_since(wanted.since)?;
    Ok(session.uids_with(&since, wanted.words.iter().map(String::as_str))?.first().copied())
}
