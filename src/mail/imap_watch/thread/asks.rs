//! What callers ask of a mailbox's thread: waiting, answered on a session, or refused in time.

use super::Thread;
use crate::engine::ports::Trouble;
use crate::mail::imap_session::ImapSession;
use crate::mail::imap_watch::answer;
use crate::mail::listener::Ask;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) ask: Ask,
    pub(super) until: Instant,
    pub(super) tries: u32,
}

impl Thread {
    /// Answers what cannot wait any longer.
    pub(super) fn sort_jobs(&mut self) {
        self.jobs.retain(|j| !j.ask.is_abandoned());
        let now = Instant::now();
        let known = self.down.as_ref().map(|d| (d.refusal.clone(), d.retry > now));
        for _ in 0..self.jobs.len() {
            let Some(job) = self.jobs.pop_front() else { return };
            match &known {
                _ if self.stop => job.ask.refuse(self.silence("replypath is stopping")),
                Some((refusal, waiting)) if job.until <= now || (refusal.lasting && *waiting && !matches!(job.ask, Ask::Doctor(_))) => {
                    job.ask.refuse(refusal.trouble.clone());
                }
                _ if job.until <= now => job.ask.refuse(self.silence("the mailbox is busy; ask again")),
                _ => self.jobs.push_back(job),
            }
        }
    }

    pub(super) fn do_job(&mut self, s: &mut ImapSession, job: Job) -> Result<(), Trouble> {
        let Job { ask, until, tries } = job;
        // A job that broke the connection is asked again on the next one.
        let again = |this: &mut Thread, ask: Ask, trouble: Trouble| {
            this.jobs.push_front(Job { ask, until, tries });
            Err(trouble)
        };
        match ask {
            Ask::Position(r) => match answer(self.watcher.position(s)) {
                Ok(result) => {
                    self.hurried = Instant::now();
                    drop(r.send(result));
                }
                Err(t) => return again(self, Ask::Position(r), t),
            },
            Ask::Check(r) => match answer(self.watcher.check_now(s)) {
                Ok(result) => drop(r.send(result)),
                Err(t) => return again(self, Ask::Check(r), t),
            },
            Ask::Search(since, tokens, ids, r) => match answer(self.watcher.search(s, &since, &tokens, &ids)) {
                Ok(result) => drop(r.send(result)),
                Err(t) => return again(self, Ask::Search(since, tokens, ids, r), t),
            },
            Ask::Remove(mails, r) => match answer(self.watcher.remove(s, &mails)) {
                Ok(result) => drop(r.send(result)),
                Err(t) => return again(self, Ask::Remove(mails, r), t),
            },
            Ask::Doctor(r) => drop(r.send(self.watcher.doctor(s))),
        }
        Ok(())
    }
}
