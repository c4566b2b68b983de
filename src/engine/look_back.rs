//! A person's answer names the desk's own thread only, so it may have come before that thread was known to be ours.

use super::journey::{Journey, Walk};
use crate::model::{ReplyMode, Stage};
use jiff::Timestamp;
use std::time::Duration;

impl Journey<'_> {
    /// Searches the mailbox once for each id learned. Planned a moment after it was learned: by then it is stored, and the
    /// listener hands in by itself what comes later.
    pub(super) async fn look_back(&mut self) -> Walk<Option<Timestamp>> {
        if self.run.probe.reply.mode != ReplyMode::Await || !self.is_open(Stage::Return) {
            return Ok(None);
        }
        let known = self.run.thread_ids().len();
        let name = format!("look back for {known} ids");
        let (Some(position), false) = (self.run.position, known == 0) else { return Ok(None) };
        match self.run.polls.get(&name) {
            None => self.poll_after(&name, false, Duration::from_secs(1)),
            Some(poll) if poll.answered.is_some() => return Ok(None),
            Some(poll) if poll.next > self.now() => {}
            Some(_) => {
                let account = self.run.probe.account.clone();
                match self.parts.mailboxes.search_everywhere(&account, position, &self.tokens(), &self.run.all_ids()).await {
                    Ok(mails) => {
                        let now = self.now();
                        mails.into_iter().for_each(|mail| self.take_in(mail, now));
                        self.poll_after(&name, true, Duration::ZERO);
                        return Ok(Some(now));
                    }
                    // The last look at the deadline tells of the trouble if it stays.
                    Err(_) => self.poll_after(&name, false, Duration::from_secs(10)),
                }
            }
        }
        Ok(Some(self.poll_next(&name)))
    }
}
