//! What one session believes of its folder, and how it is told the news.

use super::super::mailbox::Mailbox;
use std::fmt::Write as _;

/// A selected folder as the client knows it: sequence numbers are places in `known`.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) folder: String,
    pub(crate) read_only: bool,
    validity: u32,
    version: u64,
    pub(crate) known: Vec<(u32, Vec<String>)>,
}

impl View {
    /// The folder as it is now; none when there is no such folder.
    pub(crate) fn open(mailbox: &Mailbox, name: &str, read_only: bool) -> Option<View> {
        let contents = mailbox.lock();
        let folder = contents.folder(name)?;
        Some(View {
            folder: folder.name.clone(),
            read_only,
            validity: folder.uidvalidity,
            version: folder.version,
            known: folder.slots.iter().map(|s| (s.uid, s.flags.clone())).collect(),
        })
    }

    /// Untagged responses for all that changed; empty when nothing did, none when the folder was renumbered.
    pub(crate) fn sync(&mut self, mailbox: &Mailbox, may_expunge: bool) -> Option<String> {
        let contents = mailbox.lock();
        let folder = contents.folder(&self.folder)?;
        if folder.uidvalidity != self.validity {
            return None;
        }
        let mut news = String::new();
        if folder.version == self.version {
            return Some(news);
        }
        let mut complete = true;
        for at in (0..self.known.len()).rev() {
            let seq = at + 1;
            match folder.slot(self.known[at].0) {
                Some(slot) if slot.flags != self.known[at].1 => {
                    self.known[at].1.clone_from(&slot.flags);
                    let _ = write!(news, "* {seq} FETCH (UID {} FLAGS ({}))\r\n", slot.uid, slot.flags.join(" "));
                }
                Some(_) => {}
                None if may_expunge => {
                    self.known.remove(at);
                    let _ = write!(news, "* {seq} EXPUNGE\r\n");
                }
                None => complete = false,
            }
        }
        let last = self.known.last().map_or(0, |(uid, _)| *uid);
        let fresh = folder.slots.partition_point(|s| s.uid <= last);
        if fresh < folder.slots.len() {
            self.known.extend(folder.slots[fresh..].iter().map(|s| (s.uid, s.flags.clone())));
            let _ = write!(news, "* {} EXISTS\r\n* 0 RECENT\r\n", self.known.len());
        }
        if complete {
            self.version = folder.version;
        }
        Some(news)
    }

    /// Takes over flags that the client has just been told.
    pub(crate) fn learn(&mut self, uid: u32, flags: &[String]) {
        if let Ok(at) = self.known.binary_search_by_key(&uid, |(u, _)| *u) {
            self.known[at].1 = flags.to_vec();
        }
    }

    /// Sequence number and UID of each message in a set.
    pub(crate) fn chosen(&self, set: &super::parse::Set, by_uid: bool) -> Vec<(u32, u32)> {
        let last_uid = self.known.last().map_or(0, |(uid, _)| *uid);
        let last_seq = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let all = self.known.iter().zip(1_u32..).map(|((uid, _), seq)| (seq, *uid));
        all.filter(|(seq, uid)| if by_uid { set.has(*uid, last_uid) } else { set.has(*seq, last_seq) }).collect()
    }
}
