//! The life of one mailbox's thread: connects, waits in IDLE or by NOOP, serves what callers ask, and comes back after trouble.
//!
//! Nothing here decides about runs. The package under it may panic on a rude server; a panic costs
//! the connection, not the thread.

mod asks;

use super::down::{Down, jitter, pause, same_server};
use super::{Reporter, Watcher};
use crate::engine::ports::Trouble;
use crate::mail::imap_session::{Fail, IdleEnd, ImapSession, Refusal, TlsConfigs, sign_in};
use crate::mail::listener::{Ask, Desk, lock};
use crate::mail::stream::{Limits, Poller};
use crate::model::{Account, Position, ResultClass};
use asks::Job;
use jiff::{SignedDuration, Timestamp};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const FIRST_GAP: Duration = Duration::from_millis(150);
const LAST_GAP: Duration = Duration::from_secs(1);
/// From this gap on IDLE is at least as quick (Dovecot pushes half a second late).
const IDLE_FROM: Duration = Duration::from_millis(500);
/// A mail that old which a poll found was not going to be announced any more.
const PUSH_MAY_TAKE: SignedDuration = SignedDuration::from_secs(5);
/// So often a look follows although the server announced nothing.
const THOROUGH: Duration = Duration::from_secs(5);
/// So many IDLEs without any answer, and the server is only polled.
const MUTE: u32 = 2;
/// A job that broke so many connections is given up.
const JOB_TRIES: u32 = 3;

/// The thread of a mailbox.
pub struct Thread {
    account: Account,
    watcher: Watcher,
    tls: Arc<TlsConfigs>,
    limits: Limits,
    desk: Arc<Mutex<Desk>>,
    poller: Rc<RefCell<Poller>>,
    jobs: VecDeque<Job>,
    soon: bool,
    /// When the present haste began.
    hurried: Instant,
    next_look: Instant,
    next_junk: Instant,
    /// The last look that did not believe the server's silence.
    thorough: Instant,
    needed: Instant,
    up: Instant,
    idle_works: bool,
    /// Since when IDLE alone has stood for looks.
    idling: Option<Timestamp>,
    idle_blamed: bool,
    down: Option<Down>,
    /// Broken connections in a row, none of which lasted.
    broken: u32,
    /// Refused logins in a row.
    refused: u32,
    /// IDLEs in a row that got no answer at all.
    mute: u32,
    stop: bool,
}

impl Thread {
    /// A thread without a connection.
    pub fn new(
        account: Account,
        reporter: Reporter,
        tls: Arc<TlsConfigs>,
        limits: Limits,
        desk: Arc<Mutex<Desk>>,
        poller: Rc<RefCell<Poller>>,
    ) -> Thread {
        let now = Instant::now();
        Thread {
            account,
            watcher: Watcher::new(reporter),
            tls,
            limits,
            desk,
            poller,
            jobs: VecDeque::new(),
            soon: false,
            hurried: now,
            next_look: now,
            next_junk: now,
            thorough: now,
            needed: now,
            up: now,
            idle_works: true,
            idling: None,
            idle_blamed: false,
            down: None,
            broken: 0,
            refused: 0,
            mute: 0,
            stop: false,
        }
    }

    /// Lives until it is stopped or nobody needs it.
    pub fn run(mut self) {
        let mut session: Option<ImapSession> = None;
        loop {
            let changed = self.take_desk();
            if (self.stop || changed)
                && let Some(s) = session.take()
            {
                s.logout();
            }
            self.sort_jobs();
            if self.stop {
                return self.close();
            }
            if self.is_needed() {
                self.needed = Instant::now();
            } else if self.needed.elapsed() >= self.limits.close_after {
                if let Some(s) = session.take() {
                    s.logout();
                }
                if self.try_close() {
                    return;
                }
                continue;
            }
            session = match session {
                Some(s) => self.guarded(s),
                None => self.without_session(),
            };
        }
    }

    /// Takes over what callers left. True when the server's settings changed.
    fn take_desk(&mut self) -> bool {
        // First the note, then the desk: what comes in between wakes us again.
        self.poller.borrow_mut().clear_wake();
        let mut desk = lock(&self.desk);
        let until = Instant::now() + self.limits.answer;
        self.jobs.extend(desk.asks.drain(..).map(|ask| Job { ask, until, tries: 0 }));
        if desk.soon && !self.soon {
            self.hurried = Instant::now();
            self.next_look = self.hurried;
        }
        self.soon = desk.soon;
        self.stop = desk.stop;
        for ((uidvalidity, uid_next, at), until) in std::mem::take(&mut desk.watches) {
            self.watcher.want(Position { uidvalidity, uid_next, at }, until);
        }
        desk.until = self.watcher.until();
        let account = desk.account.take();
        drop(desk);
        let Some(account) = account else { return false };
        let changed = !same_server(&account.mailbox.server, &self.account.mailbox.server);
        self.account = *account;
        // Who gives new settings may have mended something at the server instead.
        if changed || self.down.as_ref().is_some_and(|d| d.refusal.lasting) {
            self.down = None;
        }
        if changed {
            self.refused = 0;
            self.mute = 0;
        }
        changed
    }

    fn silence(&self, why: &str) -> Trouble {
        Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", format!("mailbox {}: {why}", self.account.name))
    }

    fn is_watched(&self) -> bool {
        self.watcher.until().is_some_and(|u| u >= self.watcher.reporter.clock.now())
    }

    fn is_needed(&self) -> bool {
        !self.jobs.is_empty() || self.is_watched()
    }

    /// Ends the thread unless somebody came meanwhile.
    fn try_close(&mut self) -> bool {
        let mut desk = lock(&self.desk);
        desk.closed = desk.asks.is_empty() && desk.watches.is_empty();
        desk.closed
    }

    fn close(&mut self) {
        let left = {
            let mut desk = lock(&self.desk);
            desk.closed = true;
            std::mem::take(&mut desk.asks)
        };
        let trouble = self.silence("replypath is stopping");
        left.into_iter().for_each(|ask| ask.refuse(trouble.clone()));
    }

    fn sleep(&mut self, time: Duration) {
        // Without a working poll the thread must at least not spin.
        if let Err(e) = self.poller.borrow_mut().sleep(time) {
            tracing::warn!(account = self.account.name, "cannot wait: {e}");
            std::thread::sleep(FIRST_GAP);
        }
    }

    fn without_session(&mut self) -> Option<ImapSession> {
        let now = Instant::now();
        if !self.is_needed() {
            let left = self.limits.close_after.saturating_sub(self.needed.elapsed());
            self.sleep(left);
            return None;
        }
        let urgent = self.jobs.iter().any(|j| j.tries == 0 && matches!(j.ask, Ask::Doctor(_)));
        if let Some(down) = &self.down
            && down.retry > now
            && !urgent
        {
            let end = self.jobs.iter().map(|j| j.until).fold(down.retry, Instant::min);
            self.sleep(end.saturating_duration_since(now));
            return None;
        }
        self.connect()
    }

    fn connect(&mut self) -> Option<ImapSession> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut s = sign_in(&self.account.mailbox.server, &self.tls, &self.poller, &self.limits)?;
            match self.watcher.connected(&mut s) {
                Ok(()) => Ok(s),
                Err(fail) => Err(Refusal { lasting: false, trouble: fail.trouble() }),
            }
        }));
        match result.unwrap_or_else(|_| Err(self.panicked())) {
            Ok(s) => {
                if let Some(down) = self.down.take() {
                    let text = format!(
                        "signed in again after {:.1} s; the trouble was: {}",
                        down.since.elapsed().as_secs_f32(),
                        down.refusal.trouble.message
                    );
                    tracing::info!(account = self.account.name, "{text}");
                    self.watcher.reporter.remark("reconnected", text);
                }
                lock(&self.desk).trouble = None;
                self.refused = 0;
                self.idle_works = s.abilities.idle && self.mute < MUTE;
                self.idle_blamed = false;
                self.idling = None;
                self.up = Instant::now();
                self.next_look = self.up;
                self.next_junk = self.up;
                Some(s)
            }
            Err(refusal) => {
                self.note_down(refusal);
                None
            }
        }
    }

    fn panicked(&self) -> Refusal {
        let trouble = self.silence("the server's answer is not proper IMAP and could not be read");
        Refusal { trouble, lasting: false }
    }

    fn note_down(&mut self, refusal: Refusal) {
        tracing::warn!(account = self.account.name, fault = refusal.trouble.fault, "{}", refusal.trouble.message);
        let now = Instant::now();
        let since = self.down.as_ref().map_or(now, |d| d.since);
        // A connection that soon broke again is no new beginning.
        let fresh = self.down.is_none() && self.up.elapsed() >= self.limits.backoff_last;
        self.broken = if fresh { 0 } else { self.broken.saturating_add(1) };
        self.refused = if refusal.trouble.class == ResultClass::Unauthorised { self.refused.saturating_add(1) } else { 0 };
        let hurry = self.soon || !self.jobs.is_empty();
        let pause = pause(&self.limits, refusal.lasting, hurry, self.broken, self.refused).mul_f64(0.5 + jitter());
        // Doctor wants to hear of the first trouble, not of its end.
        for job in std::mem::take(&mut self.jobs) {
            match job.ask {
                Ask::Doctor(r) => drop(r.send(Err(refusal.trouble.clone()))),
                ask => self.jobs.push_back(Job { ask, ..job }),
            }
        }
        lock(&self.desk).trouble = Some(refusal.trouble.clone());
        self.down = Some(Down { since, retry: now + pause, refusal });
    }

    /// One step on a session; gives it back if it is still good.
    fn guarded(&mut self, mut s: ImapSession) -> Option<ImapSession> {
        match catch_unwind(AssertUnwindSafe(|| self.step(&mut s))) {
            Ok(Ok(())) => Some(s),
            Ok(Err(trouble)) => {
                self.note_down(Refusal { trouble, lasting: false });
                None
            }
            Err(_) => {
                let refusal = self.panicked();
                self.note_down(refusal);
                None
            }
        }
    }

    fn step(&mut self, s: &mut ImapSession) -> Result<(), Trouble> {
        while let Some(mut job) = self.jobs.pop_front() {
            job.tries += 1;
            if job.tries > JOB_TRIES {
                job.ask.refuse(self.silence("the server breaks the connection each time this is asked"));
                continue;
            }
            self.do_job(s, job)?;
        }
        if self.watcher.has_uncovered() {
            self.watcher.look(s).map_err(Fail::trouble)?;
        }
        let now = Instant::now();
        if self.is_watched() && self.next_junk <= now {
            self.next_junk = now + self.account.mailbox.junk_poll.max(FIRST_GAP);
            match self.watcher.look_junk(s) {
                // The junk folder alone is no reason to give up INBOX.
                Err(Fail::Refused(words)) => tracing::warn!(account = self.account.name, "{words}"),
                other => {
                    let found = other.map_err(Fail::trouble)?;
                    self.blame_idle(found.oldest, false);
                }
            }
        }
        self.wait_and_look(s)
    }

    /// How long until the next look, and whether IDLE may fill the time.
    fn gap(&self) -> (Duration, bool) {
        let slow = self.account.mailbox.poll.clamp(FIRST_GAP, self.limits.idle);
        if !self.is_watched() {
            return (self.limits.idle.min(self.limits.close_after), self.idle_works);
        }
        if !self.soon {
            return (slow, self.idle_works);
        }
        let gap = (self.hurried.elapsed() / 10).clamp(FIRST_GAP, LAST_GAP).min(slow);
        (gap, self.idle_works && gap >= IDLE_FROM)
    }

    fn wait_and_look(&mut self, s: &mut ImapSession) -> Result<(), Trouble> {
        let (gap, by_idle) = self.gap();
        let now = Instant::now();
        self.next_look = self.next_look.min(now + gap);
        let mut end = self.next_look;
        if self.is_watched() {
            end = end.min(self.next_junk);
        }
        let time = end.saturating_duration_since(now);
        let mut announced = s.announced();
        if !announced && !time.is_zero() {
            if by_idle && time >= FIRST_GAP {
                match self.idle(s, time)? {
                    IdleEnd::Announced => announced = true,
                    IdleEnd::NotSupported => self.idle_works = false,
                    IdleEnd::Woken | IdleEnd::TimedOut => {}
                }
            } else {
                self.sleep(time);
            }
        }
        let by_poll = self.next_look <= Instant::now();
        if announced || by_poll { self.look(s, announced) } else { Ok(()) }
    }

    fn idle(&mut self, s: &mut ImapSession, time: Duration) -> Result<IdleEnd, Trouble> {
        let end = s.idle(time);
        if !s.idle_unanswered {
            self.mute = 0;
        } else {
            self.mute = self.mute.saturating_add(1);
            if self.mute == MUTE {
                let text = "the server offers IDLE but does not answer it; mail is seen by polling";
                self.watcher.reporter.remark("idle-dead", text.to_owned());
            }
        }
        end.map_err(Fail::trouble)
    }

    fn look(&mut self, s: &mut ImapSession, pushed: bool) -> Result<(), Trouble> {
        // In haste a silent NOOP is believed; now and then it is not.
        let due = !self.soon || self.thorough.elapsed() >= THOROUGH;
        if pushed || s.noop().map_err(Fail::trouble)? || due {
            let found = self.watcher.look(s).map_err(Fail::trouble)?;
            self.thorough = Instant::now();
            if found.count > 0 {
                self.hurried = self.thorough;
            }
            self.blame_idle(found.oldest, pushed);
        }
        let (gap, by_idle) = self.gap();
        self.next_look = Instant::now() + gap;
        self.idling = (by_idle && !self.soon).then(|| self.watcher.reporter.clock.now());
        Ok(())
    }

    /// Says so when a mail came during an IDLE that should have announced it.
    fn blame_idle(&mut self, oldest: Option<Timestamp>, pushed: bool) {
        let (Some(since), Some(came)) = (self.idling, oldest) else { return };
        let late = self.watcher.reporter.clock.now().checked_sub(PUSH_MAY_TAKE).unwrap_or(Timestamp::MIN);
        if pushed || self.idle_blamed || came < since || came > late {
            return;
        }
        self.idle_blamed = true;
        let text = "the server takes IDLE but did not announce a mail that a poll then found; mail is seen by polling";
        self.watcher.reporter.remark("idle-dead", text.to_owned());
    }
}
