//! The handle of one mailbox's thread: what callers leave for it, and how it is woken.

use super::imap_session::TlsConfigs;
use super::imap_watch::{Reporter, Thread};
use super::stream::{Limits, Poller};
use crate::engine::ports::{Removed, Trouble};
use crate::model::{Account, MailKey, Position, ReceivedMail, ResultClass, Token};
use jiff::Timestamp;
use mio::Waker;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// Bytes of stack of a mailbox's thread; a large and hostile mail must do with it (`parse_tests.rs`).
pub(super) const STACK: usize = 256 * 1024;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Trouble>>;

/// What a caller wants.
#[derive(Debug)]
pub enum Ask {
    /// See [`crate::engine::ports::Mailboxes::position`].
    Position(Reply<Position>),
    /// See [`crate::engine::ports::Mailboxes::check_now`].
    Check(Reply<()>),
    /// See [`crate::engine::ports::Mailboxes::search_everywhere`].
    Search(Position, Vec<Token>, Vec<String>, Reply<Vec<ReceivedMail>>),
    /// See [`crate::engine::ports::Mailboxes::remove`].
    Remove(Vec<MailKey>, Reply<Removed>),
    /// See [`crate::engine::ports::Mailboxes::doctor`].
    Doctor(Reply<Vec<String>>),
}

impl Ask {
    /// Answers with a trouble.
    pub fn refuse(self, trouble: Trouble) {
        // A caller that gave up does not hear it; that is all right.
        match self {
            Ask::Position(r) => drop(r.send(Err(trouble))),
            Ask::Check(r) => drop(r.send(Err(trouble))),
            Ask::Search(.., r) => drop(r.send(Err(trouble))),
            Ask::Remove(_, r) => drop(r.send(Err(trouble))),
            Ask::Doctor(r) => drop(r.send(Err(trouble))),
        }
    }

    /// True when nobody waits for the answer any more.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Ask::Position(r) => r.is_closed(),
            Ask::Check(r) => r.is_closed(),
            Ask::Search(.., r) => r.is_closed(),
            Ask::Remove(_, r) => r.is_closed(),
            Ask::Doctor(r) => r.is_closed(),
        }
    }
}

/// Positions to report from (UIDVALIDITY, next UID, time), and how long each counts. Runs that began
/// between the same two mails at the same time share one.
pub type Watches = BTreeMap<(u32, u32, Timestamp), Timestamp>;

/// The key of a position in [`Watches`].
pub fn watch_key(position: &Position) -> (u32, u32, Timestamp) {
    (position.uidvalidity, position.uid_next, position.at)
}

/// What callers leave for the thread.
#[derive(Debug, Default)]
pub struct Desk {
    /// Questions not taken yet.
    pub asks: Vec<Ask>,
    /// Positions to report from, and how long each counts.
    pub watches: Watches,
    /// The lowest position asked for.
    pub known: Option<Position>,
    /// Until when the thread knows itself watched.
    pub until: Option<Timestamp>,
    /// An answer is due within a minute or so.
    pub soon: bool,
    /// Why there is no session just now.
    pub trouble: Option<Trouble>,
    /// Other settings.
    pub account: Option<Box<Account>>,
    /// The thread shall end.
    pub stop: bool,
    /// The thread has ended and takes nothing more.
    pub closed: bool,
}

/// The handle of a mailbox's thread.
#[derive(Debug)]
pub struct Listener {
    desk: Arc<Mutex<Desk>>,
    waker: Waker,
    gone: tokio::sync::watch::Receiver<()>,
}

/// The desk, whatever happened to the last who held it.
pub fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(|e| e.into_inner())
}

impl Listener {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine has no more threads or file descriptors.
    pub fn start(account: Account, reporter: Reporter, tls: Arc<TlsConfigs>, limits: Limits) -> Result<Listener, Trouble> {
        let name = account.name.clone();
        let failed = |e: std::io::Error| {
            let message = format!("mailbox {name}: no listener can be started: {e}; raise this machine's limits (ulimit -n, -u)");
            Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message)
        };
        let (poller, waker) = Poller::new().map_err(failed)?;
        let desk = Arc::new(Mutex::new(Desk::default()));
        let (alive, gone) = tokio::sync::watch::channel(());
        let theirs = Arc::clone(&desk);
        let body = move || {
            let _alive = alive;
            let poller = Rc::new(RefCell::new(poller));
            Thread::new(account, reporter, tls, limits, theirs, poller).run();
        };
        let short: String = name.chars().take(10).collect();
        std::thread::Builder::new().name(format!("mail {short}")).stack_size(STACK).spawn(body).map_err(failed)?;
        Ok(Listener { desk, waker, gone })
    }

    /// Leaves a question; false when the thread has ended.
    pub fn ask(&self, ask: Ask) -> Result<(), Ask> {
        let mut desk = lock(&self.desk);
        if desk.closed {
            return Err(ask);
        }
        desk.asks.push(ask);
        drop(desk);
        self.wake();
        Ok(())
    }

    /// Changes the watch; false when the thread has ended.
    pub fn watch(&self, from: Position, until: Timestamp, soon: bool, now: Timestamp) -> bool {
        let mut desk = lock(&self.desk);
        if desk.closed {
            return false;
        }
        let expired = desk.until.is_none_or(|u| u < now);
        let covered = desk.known.is_some_and(|k| k.uidvalidity == from.uidvalidity && k.uid_next <= from.uid_next);
        let news = !covered || expired || (soon && !desk.soon);
        if !covered {
            desk.known = Some(from);
        }
        desk.soon = soon;
        desk.watches.insert(watch_key(&from), until);
        drop(desk);
        // The same words again, or a later position, are no reason to leave an IDLE.
        if news {
            self.wake();
        }
        true
    }

    /// Why there is no session just now.
    pub fn trouble(&self) -> Option<Trouble> {
        lock(&self.desk).trouble.clone()
    }

    /// Other settings; the thread connects anew when they differ.
    pub fn replace(&self, account: Account) {
        lock(&self.desk).account = Some(Box::new(account));
        self.wake();
    }

    /// Ends the thread soon.
    pub fn stop(&self) {
        lock(&self.desk).stop = true;
        self.wake();
    }

    /// Returns when the thread has ended.
    pub async fn ended(&self) {
        let mut gone = self.gone.clone();
        while gone.changed().await.is_ok() {}
    }

    fn wake(&self) {
        if let Err(e) = self.waker.wake() {
            tracing::warn!("a mailbox's thread cannot be woken: {e}");
        }
    }
}
