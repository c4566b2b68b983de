//! Removing our own messages, and only those: EXPUNGE by UID, or not at all while strangers wait for it too.

use super::fetch::uid_set;
use super::{Fail, ImapSession};
use crate::engine::ports::Removed;
use crate::model::MailKey;

impl ImapSession {
    /// Removes messages of one folder; leaves that folder open.
    ///
    /// # Errors
    /// [`Fail::Lost`] only; what the server refuses is in the answer.
    pub fn remove_in(&mut self, folder: &str, keys: &[&MailKey], done: &mut Removed) -> Result<(), Fail> {
        let open = self.open_for_change(folder);
        let state = match open.map_or_else(|| self.select(folder), Ok) {
            Ok(state) => state,
            Err(Fail::Refused(words)) => return leave(keys, &words, done),
            Err(lost) => return Err(lost),
        };
        let (same, other): (Vec<&MailKey>, Vec<&MailKey>) = keys.iter().copied().partition(|k| k.uidvalidity == state.validity);
        let words = format!("the folder was renumbered (UIDVALIDITY is {} now), so the UID may be another mail's", state.validity);
        leave(&other, &words, done)?;
        if state.read_only {
            return leave(&same, "the folder is read-only", done);
        }
        let mut uids: Vec<u32> = same.iter().map(|k| k.uid).collect();
        uids.sort_unstable();
        uids.dedup();
        if uids.is_empty() {
            return Ok(());
        }
        let reason = match self.expunge(&uids) {
            Ok(reason) => reason,
            Err(Fail::Refused(words)) => Some(words),
            Err(lost) => return Err(lost),
        };
        let reason = reason.as_deref().unwrap_or("the server kept it and gave no reason");
        let remaining = match self.uid_search(&format!("UID {}", uid_set(&uids))) {
            Ok(remaining) => remaining,
            Err(Fail::Refused(words)) => return leave(&same, &format!("not known whether it is gone: {words}"), done),
            Err(lost) => return Err(lost),
        };
        for key in same {
            if remaining.binary_search(&key.uid).is_ok() {
                done.left.push((key.clone(), reason.to_owned()));
            } else {
                done.removed.push(key.clone());
            }
        }
        Ok(())
    }

    /// Why some may be left, when that is known beforehand.
    fn expunge(&mut self, uids: &[u32]) -> Result<Option<String>, Fail> {
        let set = uid_set(uids);
        if self.abilities.uidplus {
            self.flag(&set, '+')?;
            self.run("removing mails", &format!("UID EXPUNGE {set}"))?;
            return Ok(None);
        }
        // Without RFC 4315 EXPUNGE removes whatever is flagged, ours or not.
        let foreign = self.uid_search("DELETED")?.iter().any(|u| uids.binary_search(u).is_err());
        if foreign {
            return Ok(Some("other mail in the folder waits for EXPUNGE too and the server cannot expunge by UID".to_owned()));
        }
        self.flag(&set, '+')?;
        self.run("removing mails", "EXPUNGE")?;
        Ok(None)
    }

    fn flag(&mut self, set: &str, sign: char) -> Result<(), Fail> {
        self.run("marking mails as deleted", &format!("UID STORE {set} {sign}FLAGS.SILENT (\\Deleted)")).map(|_| ())
    }
}

fn leave(keys: &[&MailKey], reason: &str, done: &mut Removed) -> Result<(), Fail> {
    done.left.extend(keys.iter().map(|k| ((*k).clone(), reason.to_owned())));
    Ok(())
}
