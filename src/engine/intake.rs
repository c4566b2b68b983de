//! Sorting arriving mail to the runs that wait for it. Strangers' mail is counted and forgotten.

use super::Parts;
use super::ports::{MailEvent, StoreError};
use super::prevented::STALE;
use crate::model::{Delivery, ReceivedMail};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};

/// Takes events until the queue ends.
pub(super) async fn take_in(parts: Arc<Parts>, events: Arc<Mutex<mpsc::Receiver<MailEvent>>>) {
    let mut events = events.lock().await;
    while let Some(event) = events.recv().await {
        match event {
            MailEvent::Arrived { account, mail } => arrived(&parts, &account, *mail).await,
            MailEvent::Remark { account, kind, text } => {
                tracing::info!(account, kind, "{text}");
                parts.remark(&account, kind, &text);
            }
            MailEvent::Moved { run } => moved(&parts, &run).await,
            MailEvent::Barrier(done) => done.notify_one(),
        }
    }
}

async fn moved(parts: &Parts, run: &crate::model::RunId) {
    match parts.store.wake(run).await {
        Ok(()) => parts.wake.notify_one(),
        Err(error) => tracing::error!(%run, %error, "the run could not be woken; it looks by itself later"),
    }
}

async fn arrived(parts: &Parts, account: &str, mail: ReceivedMail) {
    let ids = ids_of(&mail);
    let tokens = mail.tokens.clone();
    let delivery = Delivery { account: account.to_owned(), seen: parts.clock.now(), mail };
    match parts.store.deliver(account, &tokens, &ids, &delivery).await {
        Ok(Some(run)) => {
            tracing::debug!(%run, account, folder = delivery.mail.key.folder, "mail for a run");
            parts.wake.notify_one();
        }
        Ok(None) if delivery.mail.auto.auto_submitted.is_some() => parts.remark(account, STALE, &delivery.mail.from),
        Ok(None) => tracing::debug!(account, folder = delivery.mail.key.folder, uid = delivery.mail.key.uid, "a stranger's mail, ignored"),
        Err(error) => tracing::error!(account, %error, "a mail could not be stored; it is found again when the run looks for it"),
    }
}

/// Every id by which a mail can belong to a run.
fn ids_of(mail: &ReceivedMail) -> Vec<String> {
    let original = mail.bounce.as_ref().and_then(|b| b.original_message_id.clone());
    mail.in_reply_to.iter().chain(&mail.references).cloned().chain(original).chain(mail.message_id.clone()).chain(mail.marks()).collect()
}

/// After a start: watch the mailboxes on which stored runs wait.
pub(super) async fn watch_again(parts: &Parts) -> Result<(), StoreError> {
    for (account, position) in parts.store.watched_accounts().await? {
        let until = crate::clock::after(parts.clock.now(), std::time::Duration::from_secs(3600));
        parts.mailboxes.watch(&account, position, until, false);
    }
    Ok(())
}
