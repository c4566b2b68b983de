//! Sweep: remove what earlier runs left, from mailboxes and desks, guarded like clean-up.

use super::Engine;
use super::ports::{Desk, RunFilter, StoreError};
use crate::model::{ActKind, Capability, CleanUp, Phase, Position, Run, Stage, Ticket, TicketStatus, View};
use std::collections::BTreeMap;

/// What a sweep did, in lines for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Done (or, in a dry run, what would be done).
    pub done: Vec<String>,
    /// Left, with the reason.
    pub left: Vec<String>,
}

impl Engine {
    /// Closes tickets and removes mail of finished runs that are still there. With `dry_run` nothing is changed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self, dry_run: bool) -> Result<Swept, StoreError> {
        let runs = self.parts.store.runs(&RunFilter { limit: 10_000, ..RunFilter::default() }).await?;
        let finished: Vec<Run> = runs.into_iter().filter(|r| r.phase == Phase::Finished).collect();
        let mut swept = Swept::default();
        let late = |r: &Run| r.notes.iter().any(|n| n.contains("after the verdict"));
        // A run that never saw a ticket may have one by now.
        let unseen = |r: &Run| r.tickets.is_empty() && r.probe.clean_up != CleanUp::Keep && r.acts.iter().any(|a| a.kind == ActKind::Send);
        for run in finished.iter().filter(|r| !r.leftovers.is_empty() || late(r) || unseen(r)) {
            self.sweep_tickets(run, dry_run, &mut swept).await;
        }
        self.sweep_mail(&finished, dry_run, &mut swept).await;
        Ok(swept)
    }

    async fn sweep_tickets(&self, run: &Run, dry_run: bool, swept: &mut Swept) {
        let Some(desk) = run.probe.desk.as_ref().and_then(|d| self.parts.desk(d)) else { return };
        let mut references = run.tickets.clone();
        if let Some(first) = run.messages.iter().find(|m| m.stage == Stage::Send) {
            let needle = super::land::needle(run, &first.token, run.started);
            match desk.find(&needle, View::Normal).await {
                Ok(found) => references.extend(found.into_iter().map(|f| f.reference).filter(|r| !run.tickets.contains(r))),
                Err(trouble) => swept.left.push(format!("run {}: {}", run.id, trouble.message)),
            }
        }
        for reference in references {
            let what = format!("ticket {} of run {}", reference.number, run.id);
            let ticket = match desk.read(&reference).await {
                Ok(Some(ticket)) if ticket.status == Some(TicketStatus::Closed) || ticket.status == Some(TicketStatus::Deleted) => continue,
                Ok(Some(ticket)) => ticket,
                Ok(None) => continue,
                Err(trouble) => {
                    swept.left.push(format!("{what}: {}", trouble.message));
                    continue;
                }
            };
            if !is_own(&*desk, run, &ticket).await {
                swept.left.push(format!("{what}: it does not carry the run's token and identity"));
                continue;
            }
            if dry_run {
                swept.done.push(format!("would close {what}"));
                continue;
            }
            let closes = desk.capabilities().contains(&Capability::Close);
            let answer = if closes { desk.close(&ticket).await } else { desk.delete(&ticket).await };
            match answer {
                Ok(()) => swept.done.push(format!("{} {what}", if closes { "closed" } else { "deleted" })),
                Err(acted) => swept.left.push(format!("{what}: {acted}")),
            }
        }
    }

    /// One search a mailbox, for the tokens of all its finished runs.
    async fn sweep_mail(&self, finished: &[Run], dry_run: bool, swept: &mut Swept) {
        let mut accounts: BTreeMap<&str, (Position, Vec<&Run>)> = BTreeMap::new();
        for run in finished {
            let Some(position) = run.position else { continue };
            let entry = accounts.entry(&run.probe.account).or_insert((position, Vec::new()));
            if position.at < entry.0.at {
                entry.0 = position;
            }
            entry.1.push(run);
        }
        for (account, (position, runs)) in accounts {
            let tokens: Vec<_> = runs.iter().flat_map(|r| r.messages.iter().map(|m| m.token.clone())).collect();
            let ids: Vec<_> = runs.iter().flat_map(|r| r.all_ids()).collect();
            let mails = match self.parts.mailboxes.search_everywhere(account, position, &tokens, &ids).await {
                Ok(mails) => mails,
                Err(trouble) => {
                    swept.left.push(format!("mailbox of {account}: {}", trouble.message));
                    continue;
                }
            };
            let keys: Vec<_> = mails.into_iter().filter(|m| runs.iter().any(|r| r.owns(m))).map(|m| m.key).collect();
            if keys.is_empty() {
                continue;
            }
            if dry_run {
                swept.done.push(format!("would remove {} mails of {account}", keys.len()));
                continue;
            }
            match self.parts.mailboxes.remove(account, &keys).await {
                Ok(removed) => {
                    swept.done.push(format!("removed {} mails of {account}", removed.removed.len()));
                    swept.left.extend(removed.left.into_iter().map(|(k, why)| format!("mail {}/{} of {account}: {why}", k.folder, k.uid)));
                }
                Err(trouble) => swept.left.push(format!("mailbox of {account}: {}", trouble.message)),
            }
        }
    }
}

/// True when the ticket carries one of the run's tokens, in its subject or a message, and belongs to its identity.
async fn is_own(desk: &dyn Desk, run: &Run, ticket: &Ticket) -> bool {
    let carries = |text: &str| run.messages.iter().any(|m| m.token.is_in(text));
    if !run.asked_for(ticket) {
        return false;
    }
    if ticket.subject.as_deref().is_some_and(carries) {
        return true;
    }
    let reads = desk.capabilities().contains(&Capability::Messages);
    reads && desk.messages(ticket).await.is_ok_and(|messages| messages.iter().any(|m| carries(&m.text)))
}
