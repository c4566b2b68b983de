//! What names the desk's own thread or number only may have come before that was known to be ours: a person's answer, and
//! every mail that answers a form.

use super::journey::{Journey, Walk};
use crate::model::{Channel, ReplyMode, Stage};
use jiff::Timestamp;
use std::time::Duration;

impl Journey<'_> {
    /// The search that the ids known by now ask for; none where nothing by mail can be missed.
    fn look_back_name(&self) -> Option<String> {
        let awaits = self.run.probe.reply.mode == ReplyMode::Await && self.is_open(Stage::Return);
        let by_mail = |s: &Stage| self.is_open(*s) && !self.by_chat(*s);
        let answers = !matches!(self.run.probe.channel, Channel::Email(_)) && [Stage::Acknowledge, Stage::Return].iter().any(by_mail);
        let known = self.run.all_ids().len() - self.run.own_ids().count();
        (self.run.position.is_some() && known > 0 && (awaits || answers)).then(|| format!("look back for {known} ids"))
    }

    /// True while a search is planned whose answer may change what is known.
    pub(super) fn looks_back(&self) -> bool {
        self.look_back_name().is_some_and(|name| self.run.polls.get(&name).is_none_or(|p| p.answered.is_none()))
    }

    /// Searches the mailbox once for each id learned. Planned a moment after it was learned: by then it is stored, and the
    /// listener hands in by itself what comes later.
    pub(super) async fn look_back(&mut self) -> Walk<Option<Timestamp>> {
        let (Some(name), Some(position)) = (self.look_back_name(), self.run.position) else { return Ok(None) };
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
