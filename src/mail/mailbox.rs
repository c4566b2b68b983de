//! All mailboxes behind the engine's port: a listener thread each, started when needed, asked over channels.

use super::imap_session::TlsConfigs;
use super::imap_watch::Reporter;
use super::listener::{Ask, Listener, Reply};
use super::stream::Limits;
use crate::clock::Clock;
use crate::engine::ports::{MailEvent, Mailboxes, Removed, Trouble};
use crate::model::{Account, MailKey, Position, ReceivedMail, ResultClass, Token, TokenKey};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc::Sender, oneshot};

/// A search reads every folder; removal may have to wait for one.
const LONG_ANSWER: u32 = 9;
const REMOVE_ANSWER: u32 = 3;
const SHUTDOWN: Duration = Duration::from_secs(5);

/// The mailboxes of all accounts over IMAP.
pub struct ImapMailboxes {
    accounts: Mutex<BTreeMap<String, Account>>,
    listeners: Mutex<HashMap<String, Arc<Listener>>>,
    tokens: TokenKey,
    clock: Arc<dyn Clock>,
    events: Sender<MailEvent>,
    tls: Arc<TlsConfigs>,
    limits: Limits,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl ImapMailboxes {
    /// Mailboxes that connect when they are first needed. `events` must be read by a task that does
    /// not itself wait for a mailbox: a full channel holds the listeners up.
    pub fn new(accounts: BTreeMap<String, Account>, tokens: TokenKey, clock: Arc<dyn Clock>, events: Sender<MailEvent>) -> ImapMailboxes {
        ImapMailboxes::with_limits(accounts, tokens, clock, events, Limits::default())
    }

    /// The same with other limits, for tests.
    pub fn with_limits(
        accounts: BTreeMap<String, Account>,
        tokens: TokenKey,
        clock: Arc<dyn Clock>,
        events: Sender<MailEvent>,
        limits: Limits,
    ) -> ImapMailboxes {
        ImapMailboxes { accounts: Mutex::new(accounts), listeners: Mutex::default(), tokens, clock, events, tls: Arc::default(), limits }
    }

    /// Takes over a changed configuration: listeners of changed accounts connect anew, those of removed ones end.
    pub fn reload(&self, accounts: BTreeMap<String, Account>) {
        self.tls.clear();
        lock(&self.listeners).retain(|name, listener| match accounts.get(name) {
            Some(account) => {
                listener.replace(account.clone());
                true
            }
            None => {
                listener.stop();
                false
            }
        });
        *lock(&self.accounts) = accounts;
    }

    /// Ends all listeners; returns when they are gone, or after 5 s.
    pub async fn shutdown(&self) {
        let listeners: Vec<Arc<Listener>> = lock(&self.listeners).drain().map(|l| l.1).collect();
        listeners.iter().for_each(|l| l.stop());
        let all = async {
            for listener in &listeners {
                listener.ended().await;
            }
        };
        // A thread in a name look-up cannot be called back; the process ends without it.
        let _ = tokio::time::timeout(SHUTDOWN, all).await;
    }

    /// The account's listener, started if need be; another one when `stale` has ended.
    fn listener(&self, account: &str, stale: Option<&Arc<Listener>>) -> Result<Arc<Listener>, Trouble> {
        let mut listeners = lock(&self.listeners);
        if let Some(known) = listeners.get(account)
            && stale.is_none_or(|s| !Arc::ptr_eq(s, known))
        {
            return Ok(Arc::clone(known));
        }
        let settings = lock(&self.accounts).get(account).cloned();
        let settings = settings.ok_or_else(|| {
            let message = format!("account {account} is not in the configuration any more");
            Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message)
        })?;
        let reporter = Reporter {
            account: account.to_owned(),
            tokens: self.tokens.clone(),
            clock: Arc::clone(&self.clock),
            events: self.events.clone(),
        };
        let listener = Arc::new(Listener::start(settings, reporter, Arc::clone(&self.tls), self.limits.clone())?);
        listeners.insert(account.to_owned(), Arc::clone(&listener));
        Ok(listener)
    }

    async fn ask<T>(&self, account: &str, times: u32, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let mut ask = ask(reply);
        let mut stale = None;
        let listener = loop {
            let listener = self.listener(account, stale.as_ref())?;
            match listener.ask(ask) {
                Ok(()) => break listener,
                Err(back) => ask = back,
            }
            stale = Some(listener);
        };
        // The listener answers in time by itself unless it hangs in a name look-up or in a long answer.
        let limit = self.limits.answer * times + Duration::from_secs(1);
        let silent = |what: &str| {
            let message = format!("mailbox {account}: {what} within {} s; is the server slow, or the mailbox very large?", limit.as_secs());
            listener.trouble().unwrap_or_else(|| Trouble::new(ResultClass::Unavailable, "mailbox-unavailable", message))
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(silent("the listener ended without an answer")),
            Err(_) => Err(silent("no answer")),
        }
    }
}

impl Drop for ImapMailboxes {
    fn drop(&mut self) {
        lock(&self.listeners).values().for_each(|l| l.stop());
    }
}

#[async_trait::async_trait]
impl Mailboxes for ImapMailboxes {
    async fn position(&self, account: &str) -> Result<Position, Trouble> {
        self.ask(account, 1, Ask::Position).await
    }

    fn watch(&self, account: &str, from: Position, until: Timestamp, soon: bool) {
        let mut stale = None;
        loop {
            match self.listener(account, stale.as_ref()) {
                Ok(listener) if listener.watch(from, until, soon, self.clock.now()) => return,
                Ok(listener) => stale = Some(listener),
                Err(trouble) => return tracing::warn!(account, "{trouble}"),
            }
        }
    }

    async fn check_now(&self, account: &str) -> Result<(), Trouble> {
        self.ask(account, 1, Ask::Check).await
    }

    async fn search_everywhere(
        &self,
        account: &str,
        since: Position,
        tokens: &[Token],
        message_ids: &[String],
    ) -> Result<Vec<ReceivedMail>, Trouble> {
        let (tokens, ids) = (tokens.to_vec(), message_ids.to_vec());
        self.ask(account, LONG_ANSWER, |reply| Ask::Search(since, tokens, ids, reply)).await
    }

    async fn remove(&self, account: &str, mails: &[MailKey]) -> Result<Removed, Trouble> {
        if mails.is_empty() {
            return Ok(Removed::default());
        }
        let mails = mails.to_vec();
        self.ask(account, REMOVE_ANSWER, |reply| Ask::Remove(mails, reply)).await
    }

    async fn doctor(&self, account: &str) -> Result<Vec<String>, Trouble> {
        self.ask(account, REMOVE_ANSWER, Ask::Doctor).await
    }
}
