//! What callers ask of a mailbox: proof that it can be read, a search through all folders, removal, a report.

use super::super::imap_session::{Fail, FolderName, ImapSession, readable};
use super::{INBOX, Watcher, newer};
use crate::engine::ports::{Removed, Trouble};
use crate::model::{MailKey, Position, ReceivedMail, ResultClass, Token};
use std::collections::BTreeMap;

/// Of each folder the newest so many messages are read; older ones where the server finds our words in them.
const SEARCH_MOST: usize = 500;

impl Watcher {
    /// A look at INBOX and junk; everything found is reported.
    pub fn check_now(&mut self, s: &mut ImapSession) -> Result<(), Fail> {
        s.noop()?;
        self.look(s)?;
        self.look_junk(s)?;
        self.check_quota(s).map_err(Fail::Lost)
    }

    /// Looks for mail of ours in every folder.
    pub fn search(&mut self, s: &mut ImapSession, since: &Position, tokens: &[Token], ids: &[String]) -> Result<Vec<ReceivedMail>, Fail> {
        self.folders = None;
        let folders: Vec<FolderName> = self.folders(s)?.to_vec();
        let mut found = Vec::new();
        for folder in &folders {
            match self.search_folder(s, folder, since, tokens, ids, &mut found) {
                Err(Fail::Refused(words)) => {
                    // A folder that is gone holds nothing; one that is closed to us leaves the question open.
                    if s.folders()?.iter().any(|f| f.name == folder.name) {
                        self.look(s)?;
                        return Err(Fail::Refused(words));
                    }
                }
                other => other?,
            }
        }
        self.look(s)?;
        Ok(found)
    }

    fn search_folder(
        &mut self,
        s: &mut ImapSession,
        folder: &FolderName,
        since: &Position,
        tokens: &[Token],
        ids: &[String],
        found: &mut Vec<ReceivedMail>,
    ) -> Result<(), Fail> {
        let state = s.examine(&folder.name)?;
        if state.exists == 0 {
            return Ok(());
        }
        let by_uid = folder.name.eq_ignore_ascii_case(INBOX) && state.validity == since.uidvalidity;
        let uids = if by_uid { s.uids_from(since.uid_next)? } else { s.uids_since(since.at)? };
        let (older, newest) = uids.split_at(uids.len().saturating_sub(SEARCH_MOST));
        // Too many to read them all: of the older ones the server picks those with our words in them.
        let words = tokens.iter().map(Token::as_str).chain(ids.iter().map(|i| bare(i)));
        let mut wanted = s.uids_with(older, words)?;
        wanted.extend(newest);
        let mut metas = s.metas_of(&wanted)?;
        if !by_uid {
            metas.retain(|m| newer(m, since.at));
        }
        let mut rest = metas.as_slice();
        while !rest.is_empty() {
            for raw in s.next_bodies(&mut rest)? {
                let (mail, result) = self.reporter.read(s, &folder.name, state.validity, folder.junk, &raw);
                result?;
                if is_ours(&mail, tokens, ids) {
                    found.push(mail);
                }
            }
        }
        Ok(())
    }

    /// Removes messages, folder by folder.
    pub fn remove(&mut self, s: &mut ImapSession, mails: &[MailKey]) -> Result<Removed, Fail> {
        let mut by_folder: BTreeMap<&str, Vec<&MailKey>> = BTreeMap::new();
        for key in mails {
            by_folder.entry(key.folder.as_str()).or_default().push(key);
        }
        let mut done = Removed::default();
        for (folder, keys) in by_folder {
            s.remove_in(folder, &keys, &mut done)?;
        }
        if s.selected() != Some(INBOX) {
            self.look(s)?;
        }
        Ok(done)
    }

    /// Lines about what the mailbox can do.
    pub fn doctor(&mut self, s: &mut ImapSession) -> Result<Vec<String>, Trouble> {
        let (state, _) = self.open_inbox(s).map_err(Fail::trouble)?;
        self.folders = None;
        let folders = self.folders(s).map_err(Fail::trouble)?.to_vec();
        let junk: Vec<String> = folders.iter().filter(|f| f.junk).map(|f| readable(&f.name)).collect();
        let mut lines = vec![
            format!("signed in to IMAP server {} ({})", s.place, s.how),
            format!("INBOX can be read: {} messages, UIDVALIDITY {}", state.exists, state.validity),
            format!(
                "{} folders; unwanted mail goes to: {}",
                folders.len(),
                if junk.is_empty() { "no folder known".into() } else { junk.join(", ") }
            ),
            if s.abilities.idle {
                "new mail is pushed (IDLE)".to_owned()
            } else {
                "no IDLE: new mail is seen by asking for it from time to time".to_owned()
            },
            if state.read_only {
                "INBOX is read-only: own mail cannot be cleaned up".to_owned()
            } else if s.abilities.uidplus {
                "own mail can be removed alone (UIDPLUS)".to_owned()
            } else {
                "no UIDPLUS: own mail stays when other mail waits for EXPUNGE".to_owned()
            },
        ];
        let quotas = match s.quota() {
            Ok(quotas) => quotas,
            Err(Fail::Refused(words)) => {
                lines.push(format!("the quota cannot be read: {words}"));
                Vec::new()
            }
            Err(lost) => return Err(lost.trouble()),
        };
        for q in &quotas {
            let unit = if q.resource == "STORAGE" { " KiB" } else { "" };
            let share = q.used.saturating_mul(100).checked_div(q.limit).unwrap_or(0);
            lines.push(format!("quota {}: {} of {}{unit} used ({share} %)", q.resource.to_lowercase(), q.used, q.limit));
        }
        self.quota_at = None;
        self.check_quota(s).map(|()| lines)
    }
}

/// True when the mail carries one of the tokens, belongs to one of the message ids, or has one of the ids as its mark.
fn is_ours(mail: &ReceivedMail, tokens: &[Token], ids: &[String]) -> bool {
    let texts = [mail.subject.as_str(), mail.text.as_str(), mail.html.as_deref().unwrap_or_default()];
    if tokens.iter().any(|t| mail.tokens.contains(t) || texts.iter().any(|text| t.is_in(text))) {
        return true;
    }
    let original = mail.bounce.as_ref().and_then(|b| b.original_message_id.as_ref());
    let mut carried = mail.message_id.iter().chain(&mail.in_reply_to).chain(&mail.references).chain(original);
    carried.any(|id| ids.iter().any(|wanted| bare(wanted) == bare(id))) || mail.marks().iter().any(|mark| ids.contains(mark))
}

fn bare(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// What a lost or refusing server means for the caller.
pub fn answer<T>(result: Result<T, Fail>) -> Result<Result<T, Trouble>, Trouble> {
    match result {
        Ok(value) => Ok(Ok(value)),
        // A full mailbox is an answer, not a broken connection.
        Err(Fail::Lost(trouble)) if trouble.class == ResultClass::Denied => Ok(Err(trouble)),
        Err(Fail::Lost(trouble)) => Err(trouble),
        Err(refused) => Ok(Err(refused.trouble())),
    }
}
