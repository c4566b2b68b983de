//! Reading messages without touching them: BODY.PEEK only, in batches of bounded size.

use super::{Fail, ImapSession, search_date};
use jiff::Timestamp;

/// Mails up to this size are read whole.
const WHOLE: u32 = 1024 * 1024;
/// Of larger ones, so much after the header.
const PART: u32 = 256 * 1024;
/// The largest mail of ours that is read whole all the same, for the sake of its files.
const OURS: u32 = 12 * 1024 * 1024;
/// Most bytes that one FETCH of bodies asks for (unless a single mail is larger).
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
const BATCH_COUNT: usize = 100;
/// So many messages in one FETCH of sizes and dates.
const META_COUNT: usize = 1_000;

/// What is known of a message before its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// UID.
    pub uid: u32,
    /// INTERNALDATE.
    pub received: Option<Timestamp>,
    /// Bytes.
    pub size: u32,
}

/// A message's bytes.
#[derive(Debug)]
pub struct RawMail {
    /// What was known before.
    pub meta: Meta,
    /// The whole mail, or its header and first part.
    pub bytes: Vec<u8>,
    /// True when it is not whole.
    pub cut: bool,
}

impl ImapSession {
    /// UID, date and size of all messages from `low` to `high` (none: to the end), in order.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn metas_between(&mut self, low: u32, high: Option<u32>) -> Result<Vec<Meta>, Fail> {
        let low = low.max(1);
        let set = high.map_or_else(|| format!("{low}:*"), |h| format!("{low}:{h}"));
        let mut metas = self.metas(&set)?;
        // `n:*` gives the last message even when its UID is below n (RFC 9051 section 6.4.9).
        metas.retain(|m| m.uid >= low && high.is_none_or(|h| m.uid <= h));
        Ok(metas)
    }

    /// UID, date and size of the messages that still exist, in order.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn metas_of(&mut self, uids: &[u32]) -> Result<Vec<Meta>, Fail> {
        let mut all = Vec::new();
        for part in uids.chunks(META_COUNT) {
            all.extend(self.metas(&uid_set(part))?);
        }
        Ok(all)
    }

    fn metas(&mut self, set: &str) -> Result<Vec<Meta>, Fail> {
        let answer = self.session.uid_fetch(set, "(UID INTERNALDATE RFC822.SIZE)");
        let fetches = answer.map_err(|e| self.fail("reading the list of mails", &e))?;
        let mut metas: Vec<Meta> = fetches
            .iter()
            .filter_map(|f| {
                let received = f.internal_date().and_then(|d| Timestamp::from_second(d.timestamp()).ok());
                // A FETCH without a size is the server's own news about flags.
                Some(Meta { uid: f.uid?, received, size: f.size? })
            })
            .collect();
        metas.sort_by_key(|m| m.uid);
        metas.dedup_by_key(|m| m.uid);
        Ok(metas)
    }

    /// UIDs of messages that came on or after the day before `at`, in order (SINCE knows days only).
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn uids_since(&mut self, at: Timestamp) -> Result<Vec<u32>, Fail> {
        self.uid_search(&format!("SINCE {}", search_date(at)))
    }

    /// UIDs from `low` on, in order.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn uids_from(&mut self, low: u32) -> Result<Vec<u32>, Fail> {
        let low = low.max(1);
        let mut uids = self.uid_search(&format!("UID {low}:*"))?;
        // `n:*` gives the last message even when its UID is below n (RFC 9051 section 6.4.9).
        uids.retain(|u| *u >= low);
        Ok(uids)
    }

    /// Those of `uids` (in order) whose header or text holds one of the words, by the server's own search.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn uids_with<'a>(&mut self, uids: &[u32], words: impl Iterator<Item = &'a str>) -> Result<Vec<u32>, Fail> {
        self.uids_matching(uids, "TEXT", words)
    }

    /// Those of `uids` (in order) that have this Message-ID, by the server's own search. Mail that only refers to it is none.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn uids_of(&mut self, uids: &[u32], message_id: &str) -> Result<Vec<u32>, Fail> {
        self.uids_matching(uids, "HEADER Message-ID", std::iter::once(message_id))
    }

    fn uids_matching<'a>(&mut self, uids: &[u32], key: &str, words: impl Iterator<Item = &'a str>) -> Result<Vec<u32>, Fail> {
        let (Some(low), Some(high)) = (uids.first(), uids.last()) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for word in words.filter(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))) {
            found.extend(self.uid_search(&format!("UID {low}:{high} {key} \"{word}\""))?);
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|u| uids.binary_search(u).is_ok());
        Ok(found)
    }

    /// UIDs of unread messages, in order.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn uids_unseen(&mut self) -> Result<Vec<u32>, Fail> {
        self.uid_search("UNSEEN")
    }

    /// The highest UID in the open folder.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn last_uid(&mut self) -> Result<Option<u32>, Fail> {
        Ok(self.uid_search("UID *")?.last().copied())
    }

    pub(super) fn uid_search(&mut self, query: &str) -> Result<Vec<u32>, Fail> {
        let found = self.session.uid_search(query).map_err(|e| self.fail("searching", &e))?;
        let mut uids: Vec<u32> = found.into_iter().collect();
        uids.sort_unstable();
        Ok(uids)
    }

    /// Takes the messages of the next batch off the front of `metas` and reads them.
    /// Messages that vanished meanwhile are not in the answer.
    ///
    /// # Errors
    /// Either kind of [`Fail`].
    pub fn next_bodies(&mut self, metas: &mut &[Meta]) -> Result<Vec<RawMail>, Fail> {
        let Some(first) = metas.first().copied() else { return Ok(Vec::new()) };
        if first.size > WHOLE {
            *metas = &metas[1..];
            return self.large_body(first);
        }
        let mut bytes = 0;
        let fits = |m: &&Meta| {
            bytes += u64::from(m.size);
            m.size <= WHOLE && bytes <= BATCH_BYTES
        };
        let count = metas.iter().take(BATCH_COUNT).take_while(fits).count().max(1);
        let (batch, rest) = metas.split_at(count);
        *metas = rest;
        let uids: Vec<u32> = batch.iter().map(|m| m.uid).collect();
        // A mail may be longer than the server said: the answer stays bounded all the same.
        let answer = self.session.uid_fetch(uid_set(&uids), format!("(UID BODY.PEEK[]<0.{}>)", WHOLE + PART));
        let fetches = match answer {
            Ok(fetches) => fetches,
            Err(e) => {
                return match self.fail("reading mails", &e) {
                    // Some servers refuse the whole set when one message is gone or damaged.
                    Fail::Refused(_) if batch.len() > 1 => self.one_by_one(batch),
                    Fail::Refused(words) => {
                        tracing::warn!(uid = first.uid, words, "a mail cannot be read and is left out");
                        Ok(Vec::new())
                    }
                    lost => Err(lost),
                };
            }
        };
        let body = |meta: &Meta| {
            let fetch = fetches.iter().find(|f| f.uid == Some(meta.uid) && f.body().is_some())?;
            Some(RawMail { meta: *meta, bytes: fetch.body()?.to_vec(), cut: false })
        };
        Ok(batch.iter().filter_map(body).collect())
    }

    /// The whole of a mail that was cut; none when it is too large even so, or gone.
    ///
    /// # Errors
    /// [`Fail::Lost`] when the connection is gone.
    pub fn whole_body(&mut self, meta: Meta) -> Result<Option<RawMail>, Fail> {
        if meta.size > OURS {
            return Ok(None);
        }
        let answer = self.session.uid_fetch(meta.uid.to_string(), format!("(UID BODY.PEEK[]<0.{}>)", OURS + PART));
        let fetches = match answer.map_err(|e| self.fail("reading a large mail whole", &e)) {
            Ok(fetches) => fetches,
            Err(Fail::Refused(words)) => {
                tracing::warn!(uid = meta.uid, words, "a large mail cannot be read whole");
                return Ok(None);
            }
            Err(lost) => return Err(lost),
        };
        let body = fetches.iter().filter(|f| f.uid == Some(meta.uid)).find_map(|f| f.body());
        Ok(body.map(|b| RawMail { meta, bytes: b.to_vec(), cut: false }))
    }

    fn one_by_one(&mut self, batch: &[Meta]) -> Result<Vec<RawMail>, Fail> {
        let mut all = Vec::new();
        for meta in batch {
            all.extend(self.next_bodies(&mut std::slice::from_ref(meta))?);
        }
        Ok(all)
    }

    fn large_body(&mut self, meta: Meta) -> Result<Vec<RawMail>, Fail> {
        let query = format!("(UID BODY.PEEK[HEADER]<0.{PART}> BODY.PEEK[TEXT]<0.{PART}>)");
        let fetches = match self.session.uid_fetch(meta.uid.to_string(), query) {
            Ok(fetches) => fetches,
            Err(e) => {
                return match self.fail("reading a large mail", &e) {
                    Fail::Refused(words) => {
                        tracing::warn!(uid = meta.uid, words, "a mail cannot be read and is left out");
                        Ok(Vec::new())
                    }
                    lost => Err(lost),
                };
            }
        };
        let read =
            |f: &imap::types::Fetch<'_>| Some(RawMail { meta, bytes: [f.header()?, f.text().unwrap_or_default()].concat(), cut: true });
        Ok(fetches.iter().filter(|f| f.uid == Some(meta.uid)).find_map(read).into_iter().collect())
    }
}

/// A sequence set with ranges, from sorted UIDs.
pub(super) fn uid_set(uids: &[u32]) -> String {
    let mut set = String::new();
    let mut rest = uids;
    while let [first, tail @ ..] = rest {
        let run = tail.iter().zip(first + 1..).take_while(|(a, b)| *a == b).count();
        if !set.is_empty() {
            set.push(',');
        }
        set.push_str(&first.to_string());
        if run > 0 {
            set.push(':');
            set.push_str(&(first + u32::try_from(run).unwrap_or(0)).to_string());
        }
        rest = &tail[run..];
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_sets_join_neighbours() {
        assert_eq!(uid_set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(uid_set(&[u32::MAX - 1]), "4294967294");
        assert_eq!(uid_set(&[]), "");
    }
}
