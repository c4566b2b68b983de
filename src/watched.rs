//! Desks, mailboxes and store with a look at every answer, so that `desk_up`, `mailbox_up` and `store_errors_total`
//! tell what the last call gave, whoever made it.

use crate::engine::ports::{
    Acted, BudgetAnswer, Claimed, Desk, Desks, FoundTicket, Mailboxes, Needle, ProbeStanding, Removed, Retention, RunFilter, Step, Store,
    StoreError, Trouble,
};
use crate::metrics::Metrics;
use crate::model::{
    Brief, Budget, Capability, Delivery, HistoryEntry, Judged, MailKey, Position, ReceivedMail, ReplyContent, ReplyReceipt, ResultClass,
    Run, RunId, Ticket, TicketMessage, TicketRef, Token, TokenKey, Verdict, View,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A refusal is an answer; silence, a refused login and nonsense are none that a run could use.
fn answered(class: ResultClass) -> bool {
    !matches!(class, ResultClass::Unavailable | ResultClass::Unauthorised | ResultClass::BrokenContract)
}

/// Desks that report every answer.
pub struct WatchedDesks {
    /// The desks.
    pub inner: Arc<dyn Desks>,
    /// Where answers show.
    pub metrics: Arc<Metrics>,
}

impl Desks for WatchedDesks {
    fn desk(&self, key: &str) -> Option<Arc<dyn Desk>> {
        let inner = self.inner.desk(key)?;
        Some(Arc::new(WatchedDesk { key: key.to_owned(), inner, metrics: self.metrics.clone() }))
    }
}

struct WatchedDesk {
    key: String,
    inner: Arc<dyn Desk>,
    metrics: Arc<Metrics>,
}

impl WatchedDesk {
    fn read<T>(&self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        self.metrics.desk_up(&self.key, result.as_ref().err().is_none_or(|t| answered(t.class)));
        result
    }

    fn wrote<T>(&self, result: Result<T, Acted>) -> Result<T, Acted> {
        self.metrics.desk_up(&self.key, result.as_ref().err().is_none_or(|a| answered(a.trouble().class)));
        result
    }
}

#[async_trait]
impl Desk for WatchedDesk {
    fn capabilities(&self) -> &[Capability] {
        self.inner.capabilities()
    }
    fn views(&self) -> &[View] {
        self.inner.views()
    }
    fn unproven(&self) -> bool {
        self.inner.unproven()
    }
    async fn find(&self, needle: &Needle, view: View) -> Result<Vec<FoundTicket>, Trouble> {
        self.read(self.inner.find(needle, view).await)
    }
    async fn read(&self, id: &TicketRef) -> Result<Option<Ticket>, Trouble> {
        self.read(self.inner.read(id).await)
    }
    async fn messages(&self, ticket: &Ticket) -> Result<Vec<TicketMessage>, Trouble> {
        self.read(self.inner.messages(ticket).await)
    }
    async fn history(&self, id: &TicketRef) -> Result<Vec<HistoryEntry>, Trouble> {
        self.read(self.inner.history(id).await)
    }
    async fn reply(&self, ticket: &Ticket, content: &ReplyContent) -> Result<ReplyReceipt, Acted> {
        self.wrote(self.inner.reply(ticket, content).await)
    }
    async fn close(&self, ticket: &Ticket) -> Result<(), Acted> {
        self.wrote(self.inner.close(ticket).await)
    }
    async fn delete(&self, ticket: &Ticket) -> Result<(), Acted> {
        self.wrote(self.inner.delete(ticket).await)
    }
    async fn mark(&self, ticket: &Ticket, tag: &str) -> Result<(), Acted> {
        self.wrote(self.inner.mark(ticket, tag).await)
    }
    async fn note(&self, ticket: &Ticket, text: &str) -> Result<(), Acted> {
        self.wrote(self.inner.note(ticket, text).await)
    }
    async fn move_to(&self, ticket: &Ticket, queue: &str) -> Result<(), Acted> {
        self.wrote(self.inner.move_to(ticket, queue).await)
    }
    fn creates(&self) -> Option<String> {
        self.inner.creates()
    }
    async fn visit(&self) -> Result<bool, Trouble> {
        self.read(self.inner.visit().await)
    }
    async fn agents_available(&self) -> Result<Option<bool>, Trouble> {
        self.read(self.inner.agents_available().await)
    }
    async fn health(&self) -> Result<Vec<String>, Trouble> {
        self.read(self.inner.health().await)
    }
}

/// Mailboxes that report every look.
pub struct WatchedMailboxes {
    /// The mailboxes.
    pub inner: Arc<dyn Mailboxes>,
    /// Where looks show.
    pub metrics: Arc<Metrics>,
}

impl WatchedMailboxes {
    fn looked<T>(&self, account: &str, result: Result<T, Trouble>) -> Result<T, Trouble> {
        self.metrics.mailbox_up(account, result.as_ref().err().is_none_or(|t| answered(t.class)));
        result
    }
}

#[async_trait]
impl Mailboxes for WatchedMailboxes {
    async fn position(&self, account: &str) -> Result<Position, Trouble> {
        self.looked(account, self.inner.position(account).await)
    }
    fn watch(&self, account: &str, from: Position, until: Timestamp, soon: bool) {
        self.inner.watch(account, from, until, soon);
    }
    async fn check_now(&self, account: &str) -> Result<(), Trouble> {
        self.looked(account, self.inner.check_now(account).await)
    }
    async fn search_everywhere(
        &self,
        account: &str,
        since: Position,
        tokens: &[Token],
        message_ids: &[String],
    ) -> Result<Vec<ReceivedMail>, Trouble> {
        self.looked(account, self.inner.search_everywhere(account, since, tokens, message_ids).await)
    }
    async fn remove(&self, account: &str, mails: &[MailKey]) -> Result<Removed, Trouble> {
        self.looked(account, self.inner.remove(account, mails).await)
    }
    async fn doctor(&self, account: &str) -> Result<Vec<String>, Trouble> {
        self.looked(account, self.inner.doctor(account).await)
    }
}

/// A store that counts its failures.
pub struct WatchedStore {
    /// The store.
    pub inner: Arc<dyn Store>,
    /// Where failures are counted.
    pub metrics: Arc<Metrics>,
}

impl WatchedStore {
    fn counted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        // A conflict is how two instances settle who goes on; it is no failure.
        if let Err(StoreError::Failed(_)) = &result {
            self.metrics.store_error();
        }
        result
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn token_key(&self) -> Result<TokenKey, StoreError> {
        self.counted(self.inner.token_key().await)
    }
    async fn heartbeat(&self, lease: Duration) -> Result<(), StoreError> {
        self.counted(self.inner.heartbeat(lease).await)
    }
    async fn sign_off(&self) -> Result<(), StoreError> {
        self.counted(self.inner.sign_off().await)
    }
    async fn create_run(&self, run: &Run) -> Result<(), StoreError> {
        self.counted(self.inner.create_run(run).await)
    }
    async fn claim_due(&self, now: Timestamp, limit: usize, adopt: bool) -> Result<Vec<Claimed>, StoreError> {
        self.counted(self.inner.claim_due(now, limit, adopt).await)
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.counted(self.inner.next_due().await)
    }
    async fn commit(&self, step: Step<'_>) -> Result<u64, StoreError> {
        self.counted(self.inner.commit(step).await)
    }
    async fn others_by_hand(&self) -> Result<Vec<(RunId, bool)>, StoreError> {
        self.counted(self.inner.others_by_hand().await)
    }
    async fn claim(&self, id: &RunId) -> Result<Option<Claimed>, StoreError> {
        self.counted(self.inner.claim(id).await)
    }
    async fn deliver(
        &self,
        account: &str,
        tokens: &[Token],
        message_ids: &[String],
        delivery: &Delivery,
    ) -> Result<Option<RunId>, StoreError> {
        self.counted(self.inner.deliver(account, tokens, message_ids, delivery).await)
    }
    async fn watched_accounts(&self) -> Result<Vec<(String, Position)>, StoreError> {
        self.counted(self.inner.watched_accounts().await)
    }
    async fn wake(&self, run: &RunId) -> Result<(), StoreError> {
        self.counted(self.inner.wake(run).await)
    }
    async fn last_with(&self, probe: &str, verdict: Verdict, not: Option<&RunId>) -> Result<Option<Run>, StoreError> {
        self.counted(self.inner.last_with(probe, verdict, not).await)
    }
    async fn keep(&self, name: &str, sealed: Option<&str>) -> Result<(), StoreError> {
        self.counted(self.inner.keep(name, sealed).await)
    }
    async fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.counted(self.inner.kept(name).await)
    }
    async fn budget_take(&self, key: &str, budget: &Budget, now: Timestamp) -> Result<BudgetAnswer, StoreError> {
        self.counted(self.inner.budget_take(key, budget, now).await)
    }
    async fn set_paused(&self, probe: Option<&str>, paused: bool, now: Timestamp) -> Result<(), StoreError> {
        self.counted(self.inner.set_paused(probe, paused, now).await)
    }
    async fn paused(&self) -> Result<Vec<String>, StoreError> {
        self.counted(self.inner.paused().await)
    }
    async fn last_start(&self, probe: &str) -> Result<Option<Timestamp>, StoreError> {
        self.counted(self.inner.last_start(probe).await)
    }
    async fn record_skip(&self, probe: &str, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        self.counted(self.inner.record_skip(probe, reason, now).await)
    }
    async fn has_unfinished(&self, probe: &str) -> Result<bool, StoreError> {
        self.counted(self.inner.has_unfinished(probe).await)
    }
    async fn finished_among(&self, ids: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        self.counted(self.inner.finished_among(ids).await)
    }
    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        self.counted(self.inner.run(id).await)
    }
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        self.counted(self.inner.runs(filter).await)
    }
    async fn briefs(&self, probe: &str, limit: usize) -> Result<Vec<Brief>, StoreError> {
        self.counted(self.inner.briefs(probe, limit).await)
    }
    async fn standings(&self) -> Result<Vec<ProbeStanding>, StoreError> {
        self.counted(self.inner.standings().await)
    }
    async fn history(&self, from: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError> {
        self.counted(self.inner.history(from, until, limit).await)
    }
    async fn troubles(&self, since: Timestamp, limit: usize) -> Result<Vec<Judged>, StoreError> {
        self.counted(self.inner.troubles(since, limit).await)
    }
    async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<u64, StoreError> {
        self.counted(self.inner.prune(retention, now).await)
    }
}
