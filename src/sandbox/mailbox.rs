//! Mailboxes in memory: folders, UIDs, flags, and a push whenever something changes.

use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::sync::watch;

/// At most so many messages a folder; the oldest give way.
const MAIL_LIMIT: usize = 20_000;
/// At most so many bytes a mailbox; the oldest of the folder that grows give way.
const BYTE_LIMIT: usize = 256 * 1024 * 1024;

/// The folders of a new mailbox with their special use (RFC 6154).
const FOLDERS: &[(&str, Option<&str>)] =
    &[("INBOX", None), ("Junk", Some("\\Junk")), ("Sent", Some("\\Sent")), ("Trash", Some("\\Trash")), ("Archive", Some("\\Archive"))];

/// A message's bytes and what is derived from them once.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) raw: Vec<u8>,
    pub(crate) received: Timestamp,
    search: OnceLock<SearchText>,
}

/// Decoded text in lower case, for SEARCH.
#[derive(Debug)]
pub(crate) struct SearchText {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Mail {
    pub(crate) fn new(raw: Vec<u8>, received: Timestamp) -> Mail {
        Mail { raw, received, search: OnceLock::new() }
    }

    /// Made at the first search and kept: hundreds of searches read each mail once.
    pub(crate) fn search_text(&self) -> &SearchText {
        self.search.get_or_init(|| super::mime::search_text(&self.raw))
    }

    /// The offset of the body: behind the first empty line.
    pub(crate) fn body_start(&self) -> usize {
        super::mime::body_start(&self.raw)
    }
}

/// One message in one folder.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) uid: u32,
    /// Flags as written by the client, sorted: `\Seen`, keywords.
    pub(crate) flags: Vec<String>,
    pub(crate) mail: Arc<Mail>,
}

impl Slot {
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }
}

/// One folder; slots stand in order of their UIDs.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) special: Option<&'static str>,
    pub(crate) uidvalidity: u32,
    pub(crate) uidnext: u32,
    pub(crate) slots: Vec<Slot>,
    /// Grows with every change: sessions look only when it moved.
    pub(crate) version: u64,
}

impl Folder {
    fn new(name: &str, special: Option<&'static str>, uidvalidity: u32) -> Folder {
        Folder { name: name.to_owned(), special, uidvalidity, uidnext: 1, slots: Vec::new(), version: 0 }
    }

    pub(crate) fn slot_mut(&mut self, uid: u32) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&uid, |s| s.uid).ok()?;
        self.slots.get_mut(at)
    }

    pub(crate) fn slot(&self, uid: u32) -> Option<&Slot> {
        let at = self.slots.binary_search_by_key(&uid, |s| s.uid).ok()?;
        self.slots.get(at)
    }
}

/// What one mailbox holds.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) folders: Vec<Folder>,
    bytes: usize,
    validity: u32,
    deliveries: u64,
}

impl Contents {
    /// Counts a delivery. Gives how many there were before.
    pub(crate) fn counts_delivery(&mut self) -> u64 {
        self.deliveries += 1;
        self.deliveries - 1
    }

    pub(crate) fn folder(&self, name: &str) -> Option<&Folder> {
        self.folders.iter().find(|f| same_name(&f.name, name))
    }

    pub(crate) fn folder_mut(&mut self, name: &str) -> Option<&mut Folder> {
        self.folders.iter_mut().find(|f| same_name(&f.name, name))
    }

    /// False when it exists already.
    pub(crate) fn create(&mut self, name: &str) -> bool {
        if self.folder(name).is_some() {
            return false;
        }
        self.validity += 1;
        self.folders.push(Folder::new(name, None, self.validity));
        true
    }

    /// Puts a message into a folder; its UID, or none when there is no such folder.
    pub(crate) fn add(&mut self, name: &str, mail: Arc<Mail>, flags: Vec<String>) -> Option<u32> {
        let size = mail.raw.len();
        let full = self.bytes + size > BYTE_LIMIT;
        let folder = self.folder_mut(name)?;
        let uid = folder.uidnext;
        folder.uidnext += 1;
        folder.slots.push(Slot { uid, flags, mail });
        folder.version += 1;
        let mut freed = 0;
        if folder.slots.len() > MAIL_LIMIT || (full && folder.slots.len() > 1) {
            freed = folder.slots.remove(0).mail.raw.len();
        }
        self.bytes = (self.bytes + size).saturating_sub(freed);
        Some(uid)
    }

    /// Removes the messages that `gone` names from a folder.
    pub(crate) fn remove(&mut self, name: &str, gone: impl Fn(&Slot) -> bool) {
        let mut freed = 0;
        if let Some(folder) = self.folder_mut(name) {
            let before = folder.slots.len();
            folder.slots.retain(|slot| {
                let go = gone(slot);
                freed += if go { slot.mail.raw.len() } else { 0 };
                !go
            });
            if folder.slots.len() != before {
                folder.version += 1;
            }
        }
        self.bytes = self.bytes.saturating_sub(freed);
    }

    /// A new UIDVALIDITY for every folder, and UIDs from 1.
    pub(crate) fn renumber(&mut self) {
        for folder in &mut self.folders {
            self.validity += 1;
            folder.uidvalidity = self.validity;
            for (at, slot) in folder.slots.iter_mut().enumerate() {
                slot.uid = u32::try_from(at + 1).unwrap_or(u32::MAX);
            }
            folder.uidnext = u32::try_from(folder.slots.len() + 1).unwrap_or(u32::MAX);
            folder.version += 1;
        }
    }
}

/// INBOX is INBOX in any case (RFC 3501 section 5.1); other names are taken as they are.
fn same_name(a: &str, b: &str) -> bool {
    a == b || (a.eq_ignore_ascii_case("INBOX") && b.eq_ignore_ascii_case("INBOX"))
}

/// One mailbox with its login.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) password: String,
    contents: Mutex<Contents>,
    pushed: watch::Sender<u64>,
}

impl Mailbox {
    fn new(password: &str, validity: u32) -> Mailbox {
        let folders: Vec<Folder> =
            FOLDERS.iter().zip(validity..).map(|((name, special), validity)| Folder::new(name, *special, validity)).collect();
        let contents = Contents { folders, bytes: 0, validity: validity + 10, deliveries: 0 };
        Mailbox { password: password.to_owned(), contents: Mutex::new(contents), pushed: watch::Sender::new(0) }
    }

    /// The contents, for one short look or change.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Changes the contents and wakes everybody who watches.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut Contents) -> T) -> T {
        let result = act(&mut self.lock());
        self.pushed.send_modify(|n| *n += 1);
        result
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }

    /// How many messages lie in it.
    pub(crate) fn count(&self) -> usize {
        self.lock().folders.iter().map(|f| f.slots.len()).sum()
    }

    /// Every folder with the raw messages in it.
    pub(crate) fn dump(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let contents = self.lock();
        contents.folders.iter().map(|f| (f.name.clone(), f.slots.iter().map(|s| s.mail.raw.clone()).collect())).collect()
    }
}

/// All mailboxes of one provider by address (lower case).
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(HashMap<String, Arc<Mailbox>>);

impl Mailboxes {
    pub(crate) fn insert(&mut self, address: &str, password: &str, validity: u32) {
        self.0.insert(address.to_ascii_lowercase(), Arc::new(Mailbox::new(password, validity)));
    }

    pub(crate) fn get(&self, address: &str) -> Option<&Arc<Mailbox>> {
        self.0.get(&address.to_ascii_lowercase())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.0.values()
    }
}
