//! Commands on folders as a whole: SELECT, LIST, STATUS, CREATE, APPEND.

use super::super::mailbox::{Mail, Mailbox};
use super::parse::{Word, Words};
use super::view::View;
use super::{End, Session, ok};
use std::fmt::Write as _;
use std::sync::Arc;

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Session {
    pub(super) fn is_writable(&self) -> bool {
        self.view.as_ref().is_some_and(|v| !v.read_only)
    }

    /// False for a login that may only look.
    pub(super) fn may_write(&self) -> bool {
        self.login.as_ref().is_some_and(|login| !login.read_only)
    }

    pub(super) fn mailbox(&self) -> Option<Arc<Mailbox>> {
        self.login.as_ref().map(|login| login.mailbox.clone())
    }

    pub(super) fn select(&mut self, words: &mut Words, read_only: bool) -> Option<End> {
        let name = words.text()?;
        let mailbox = self.mailbox()?;
        let read_only = read_only || !self.may_write();
        self.view = View::open(&mailbox, &name, read_only);
        let Some(view) = &self.view else { return Some(End::No(format!("[NONEXISTENT] Mailbox doesn't exist: {name}"))) };
        let contents = mailbox.lock();
        let folder = contents.folder(&view.folder)?;
        let mut text = format!("* FLAGS ({FLAGS})\r\n");
        let permanent = if read_only { String::new() } else { format!("{FLAGS} \\*") };
        let _ = write!(text, "* OK [PERMANENTFLAGS ({permanent})] Flags permitted.\r\n");
        let _ = write!(text, "* {} EXISTS\r\n* 0 RECENT\r\n", view.known.len());
        if let Some(unseen) = folder.slots.iter().position(|s| !s.has("\\Seen")) {
            let _ = write!(text, "* OK [UNSEEN {}] First unseen.\r\n", unseen + 1);
        }
        let _ = write!(text, "* OK [UIDVALIDITY {}] UIDs valid\r\n", folder.uidvalidity);
        let _ = write!(text, "* OK [UIDNEXT {}] Predicted next UID\r\n", folder.uidnext);
        self.wire.put(text);
        Some(ok(if read_only { "[READ-ONLY] Examine completed." } else { "[READ-WRITE] Select completed." }))
    }

    /// LIST and LSUB; also `LIST (SPECIAL-USE) "" "*"` (RFC 6154).
    pub(super) fn list(&mut self, command: &str, words: &mut Words) -> Option<End> {
        let only_special = words.peek() == Some(&Word::Open) && words.list()?.iter().any(|o| o.eq_ignore_ascii_case("SPECIAL-USE"));
        let reference = words.text()?;
        let pattern = words.text()?;
        if pattern.is_empty() {
            self.wire.put(format!("* {command} (\\Noselect) \"/\" \"\"\r\n"));
            return Some(ok("List completed."));
        }
        let pattern = format!("{reference}{pattern}");
        let mailbox = self.mailbox()?;
        for folder in &mailbox.lock().folders {
            if !matches(pattern.as_bytes(), folder.name.as_bytes()) || (only_special && folder.special.is_none()) {
                continue;
            }
            let special = folder.special.map(|s| format!(" {s}")).unwrap_or_default();
            self.wire.put(format!("* {command} (\\HasNoChildren{special}) \"/\" {}\r\n", quoted(&folder.name)));
        }
        Some(ok("List completed."))
    }

    pub(super) fn status(&mut self, words: &mut Words) -> Option<End> {
        let name = words.text()?;
        let asked = words.list()?;
        let mailbox = self.mailbox()?;
        let contents = mailbox.lock();
        let Some(folder) = contents.folder(&name) else {
            return Some(End::No(format!("[NONEXISTENT] Mailbox doesn't exist: {name}")));
        };
        let mut values = Vec::new();
        for item in asked {
            let item = item.to_ascii_uppercase();
            let value = match item.as_str() {
                "MESSAGES" => folder.slots.len() as u64,
                "RECENT" => 0,
                "UIDNEXT" => u64::from(folder.uidnext),
                "UIDVALIDITY" => u64::from(folder.uidvalidity),
                "UNSEEN" => folder.slots.iter().filter(|s| !s.has("\\Seen")).count() as u64,
                _ => return None,
            };
            values.push(format!("{item} {value}"));
        }
        self.wire.put(format!("* STATUS {} ({})\r\n", quoted(&folder.name), values.join(" ")));
        Some(ok("Status completed."))
    }

    pub(super) fn create(&mut self, words: &mut Words) -> Option<End> {
        let name = words.text()?;
        let created = self.mailbox()?.change(|c| c.create(name.trim_end_matches('/')));
        Some(if created { ok("Create completed.") } else { End::No("[ALREADYEXISTS] Mailbox already exists".to_owned()) })
    }

    /// APPEND; the date that a client may give is passed over.
    pub(super) fn append(&mut self, words: &mut Words) -> Option<End> {
        let name = words.text()?;
        let mut flags = Vec::new();
        if words.peek() == Some(&Word::Open) {
            flags = words.list()?;
        }
        let raw = loop {
            match words.next()? {
                Word::Text(bytes) if words.is_empty() => break bytes,
                Word::Text(_) => {}
                _ => return None,
            }
        };
        let mail = Arc::new(Mail::new(raw, self.world.clock.now()));
        let mailbox = self.mailbox()?;
        let added = mailbox.change(|c| {
            let uid = c.add(&name, mail, flags)?;
            Some((c.folder(&name)?.uidvalidity, uid))
        });
        self.world.touch();
        Some(match added {
            Some((validity, uid)) => End::Ok(format!("[APPENDUID {validity} {uid}] Append completed.")),
            None => End::No(format!("[TRYCREATE] Mailbox doesn't exist: {name}")),
        })
    }
}

/// Folder patterns: `*` stands for anything, `%` for anything without `/`; INBOX fits in any case.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => matches(rest, name) || name.split_first().is_some_and(|(_, n)| matches(pattern, n)),
        (Some((b'%', rest)), _) => matches(rest, name) || name.split_first().is_some_and(|(b, n)| *b != b'/' && matches(pattern, n)),
        (Some((p, rest)), Some((n, name))) => p.eq_ignore_ascii_case(n) && matches(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_fit_as_the_standard_says() {
        assert!(matches(b"*", b"A/B") && matches(b"%", b"Junk") && matches(b"inbox", b"INBOX"));
        assert!(!matches(b"%", b"A/B") && matches(b"A/%", b"A/B") && !matches(b"Jun", b"Junk"));
    }
}
