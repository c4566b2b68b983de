//! Commands on messages of the selected folder: SEARCH, FETCH, STORE, COPY, MOVE, EXPUNGE.

use super::super::mailbox::Slot;
use super::super::world::Login;
use super::fetch::{self, Item};
use super::parse::{Set, Words};
use super::search::{self, Standing};
use super::{End, Session, ok};

impl Session {
    pub(super) fn search(&mut self, words: &mut Words, by_uid: bool) -> Option<End> {
        let key = search::parse(words)?;
        let (view, mailbox) = (self.view.as_ref()?, self.mailbox()?);
        let last_seq = u32::try_from(view.known.len()).ok()?;
        let last_uid = view.known.last().map_or(0, |(uid, _)| *uid);
        let slots = self.slots(view.known.iter().zip(1..).map(|((uid, _), seq)| (seq, *uid)).collect());
        drop(mailbox);
        let found = slots.iter().filter(|(seq, slot)| key.fits(slot, Standing { seq: *seq, last_seq, last_uid }));
        let numbers: Vec<String> = found.map(|(seq, slot)| if by_uid { slot.uid } else { *seq }.to_string()).collect();
        let gap = if numbers.is_empty() { "" } else { " " };
        self.wire.put(format!("* SEARCH{gap}{}\r\n", numbers.join(" ")));
        Some(ok("Search completed."))
    }

    /// The messages behind sequence numbers and UIDs, as far as they still exist.
    fn slots(&self, chosen: Vec<(u32, u32)>) -> Vec<(u32, Slot)> {
        let (Some(view), Some(Login { mailbox, .. })) = (&self.view, &self.login) else { return Vec::new() };
        let contents = mailbox.lock();
        let Some(folder) = contents.folder(&view.folder) else { return Vec::new() };
        chosen.into_iter().filter_map(|(seq, uid)| Some((seq, folder.slot(uid)?.clone()))).collect()
    }

    pub(super) fn fetch(&mut self, words: &mut Words, by_uid: bool) -> Option<End> {
        let set = Set::parse(&words.text()?)?;
        let mut items = fetch::parse(words)?;
        if by_uid && !items.contains(&Item::Uid) {
            items.insert(0, Item::Uid);
        }
        let marks = fetch::marks_seen(&items) && self.is_writable();
        if marks && !items.contains(&Item::Flags) {
            items.push(Item::Flags);
        }
        let chosen = self.view.as_ref()?.chosen(&set, by_uid);
        if marks {
            let uids: Vec<u32> = chosen.iter().map(|(_, uid)| *uid).collect();
            self.change_flags(&uids, &|flags| add(flags, &["\\Seen".to_owned()]));
        }
        let mut out = Vec::new();
        for (seq, slot) in self.slots(chosen) {
            fetch::answer(&mut out, seq, &slot, &items);
        }
        self.wire.put(out);
        Some(ok("Fetch completed."))
    }

    /// Changes flags, in the folder and in what this client knows.
    fn change_flags(&mut self, uids: &[u32], act: &dyn Fn(&mut Vec<String>)) {
        let (Some(view), Some(Login { mailbox, .. })) = (self.view.as_mut(), self.login.as_ref()) else { return };
        let mut changed = Vec::new();
        {
            let mut contents = mailbox.lock();
            let Some(folder) = contents.folder_mut(&view.folder) else { return };
            for uid in uids {
                if let Some(slot) = folder.slot_mut(*uid) {
                    let before = slot.flags.clone();
                    act(&mut slot.flags);
                    if slot.flags != before {
                        changed.push((*uid, slot.flags.clone()));
                    }
                }
            }
            if !changed.is_empty() {
                folder.version += 1;
            }
        }
        if !changed.is_empty() {
            changed.iter().for_each(|(uid, flags)| view.learn(*uid, flags));
            mailbox.change(|_| ());
        }
    }

    pub(super) fn store(&mut self, words: &mut Words, by_uid: bool) -> Option<End> {
        let set = Set::parse(&words.text()?)?;
        let how = words.keyword()?;
        let mut flags = Vec::new();
        while !words.is_empty() {
            flags.extend(words.list()?);
        }
        if !self.is_writable() {
            return Some(End::No("Mailbox is read-only".to_owned()));
        }
        let (how, silent) = how.strip_suffix(".SILENT").map_or((how.as_str(), false), |h| (h, true));
        if !matches!(how, "FLAGS" | "+FLAGS" | "-FLAGS") {
            return None;
        }
        let act = |have: &mut Vec<String>| {
            if how != "+FLAGS" {
                have.retain(|f| how == "-FLAGS" && !flags.iter().any(|g| g.eq_ignore_ascii_case(f)));
            }
            if how != "-FLAGS" {
                add(have, &flags);
            }
        };
        let chosen = self.view.as_ref()?.chosen(&set, by_uid);
        let uids: Vec<u32> = chosen.iter().map(|(_, uid)| *uid).collect();
        self.change_flags(&uids, &act);
        if !silent {
            let items = if by_uid { vec![Item::Uid, Item::Flags] } else { vec![Item::Flags] };
            let mut out = Vec::new();
            for (seq, slot) in self.slots(chosen) {
                fetch::answer(&mut out, seq, &slot, &items);
            }
            self.wire.put(out);
        }
        Some(ok("Store completed."))
    }

    pub(super) fn copy(&mut self, words: &mut Words, by_uid: bool, moves: bool) -> Option<End> {
        let set = Set::parse(&words.text()?)?;
        let target = words.text()?;
        if !self.may_write() || (moves && !self.is_writable()) {
            return Some(End::No("Mailbox is read-only".to_owned()));
        }
        let chosen = self.view.as_ref()?.chosen(&set, by_uid);
        let slots = self.slots(chosen);
        let mailbox = self.mailbox()?;
        let folder = self.view.as_ref()?.folder.clone();
        let Some(validity) = mailbox.lock().folder(&target).map(|f| f.uidvalidity) else {
            return Some(End::No(format!("[TRYCREATE] Mailbox doesn't exist: {target}")));
        };
        if slots.is_empty() {
            return Some(ok("No messages found."));
        }
        let new: Vec<String> = mailbox.change(|contents| {
            let added = slots.iter().filter_map(|(_, s)| contents.add(&target, s.mail.clone(), s.flags.clone()));
            let new = added.map(|uid| uid.to_string()).collect();
            if moves {
                contents.remove(&folder, |s| slots.iter().any(|(_, gone)| gone.uid == s.uid));
            }
            new
        });
        self.world.touch();
        let old: Vec<String> = slots.iter().map(|(_, s)| s.uid.to_string()).collect();
        let code = format!("[COPYUID {validity} {} {}]", old.join(","), new.join(","));
        if moves {
            // RFC 6851 section 4.3: the code comes before the EXPUNGE responses.
            self.wire.put(format!("* OK {code} Moved UIDs.\r\n"));
            return Some(ok("Move completed."));
        }
        Some(End::Ok(format!("{code} Copy completed.")))
    }

    pub(super) fn expunge_command(&mut self, set: Option<Set>) -> End {
        if !self.is_writable() {
            return End::No("Mailbox is read-only".to_owned());
        }
        self.expunge(set);
        ok("Expunge completed.")
    }

    /// Removes what is marked as deleted, of a set or of all; the client learns it by the next look.
    pub(super) fn expunge(&mut self, set: Option<Set>) {
        let (Some(view), Some(Login { mailbox, .. })) = (&self.view, &self.login) else { return };
        let last = view.known.last().map_or(0, |(uid, _)| *uid);
        let folder = view.folder.clone();
        mailbox.change(|contents| {
            contents.remove(&folder, |slot| slot.has("\\Deleted") && set.as_ref().is_none_or(|s| s.has(slot.uid, last)));
        });
        self.world.touch();
    }
}

fn add(have: &mut Vec<String>, flags: &[String]) {
    for flag in flags {
        if !have.iter().any(|f| f.eq_ignore_ascii_case(flag)) {
            have.push(flag.clone());
        }
    }
}
