//! The visitor's side of live chat, as `[chat]` of a desk file says: one light task for each conversation.
//!
//! Lines are seen on two paths, which are judged apart: pushed (long poll, server-sent events, WebSocket) and stored
//! (the history). Where a push may have been missed the path counts as broken, and nothing is concluded from its silence.

mod act;
mod agents;
mod book;
mod cable;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod definition_tests;
mod desk;
mod ear;
mod files;
mod frame;
mod listen;
mod port;
mod reading;
pub(crate) mod recipe;
mod socket;
mod sse;
mod stop;
mod talk;
mod visitor;

use crate::clock::Clock;
use crate::config::DeskSettings;
use crate::engine::ports::MailEvent;
use crate::engine::ways::{ChatOrder, Stop};
use crate::model::{ResultClass, RunId, TokenKey};
use crate::seal::Seal;
use agents::Agents;
use desk::{ChatDesk, Shared};
pub(crate) use reading::yes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use talk::Talk;

use tokio::sync::mpsc;
use visitor::Visitor;

/// How long a conversation that nobody listens to is remembered: the lines of a run are in the store.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Chats by the definitions of desks: `engine::ways::Chats` for `ChatBy::Desk`.
pub struct DeskChats {
    shared: Arc<Shared>,
    desks: Mutex<BTreeMap<String, Arc<ChatDesk>>>,
    talks: Mutex<HashMap<RunId, Arc<Talk>>>,
    agents: Mutex<HashMap<String, Arc<Agents>>>,
}

impl std::fmt::Debug for DeskChats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeskChats").field("desks", &held(&self.desks).keys()).finish_non_exhaustive()
    }
}

impl Drop for DeskChats {
    fn drop(&mut self) {
        held(&self.talks).values().for_each(|talk| talk.hush());
        held(&self.agents).values().for_each(|agents| agents.close());
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn desks(settings: &BTreeMap<String, DeskSettings>) -> Result<BTreeMap<String, Arc<ChatDesk>>, Vec<String>> {
    let (mut out, mut problems) = (BTreeMap::new(), Vec::new());
    for (key, one) in settings {
        match ChatDesk::new(one) {
            Ok(Some(desk)) => drop(out.insert(key.clone(), Arc::new(desk))),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

impl DeskChats {
    /// The chats of all desks whose definition has `[chat]`. `events` gets `Moved` for every new line, `tokens` knows
    /// the tokens of this installation, `seal` keeps visitors. Opens no connection.
    ///
    /// # Errors
    /// Every problem, each with the desk's name.
    pub fn new(
        settings: &BTreeMap<String, DeskSettings>,
        seal: Seal,
        tokens: TokenKey,
        clock: Arc<dyn Clock>,
        events: mpsc::Sender<MailEvent>,
    ) -> Result<DeskChats, Vec<String>> {
        let shared = Arc::new(Shared { clock, events, tokens, seal });
        Ok(DeskChats { desks: Mutex::new(desks(settings)?), shared, talks: Mutex::default(), agents: Mutex::default() })
    }

    /// Takes the desks of a new configuration. Conversations that have begun go on as they began.
    ///
    /// # Errors
    /// Every problem, each with the desk's name; then nothing is changed.
    pub fn renew(&self, settings: &BTreeMap<String, DeskSettings>) -> Result<(), Vec<String>> {
        *held(&self.desks) = desks(settings)?;
        held(&self.agents).drain().for_each(|(_, agents)| agents.close());
        Ok(())
    }

    fn desk(&self, key: Option<&str>) -> Result<Arc<ChatDesk>, Stop> {
        let found = key.and_then(|key| held(&self.desks).get(key).cloned());
        found.ok_or_else(|| {
            let found = format!("the desk `{}` has no chat", key.unwrap_or("none"));
            Stop::unknown("desk-contract-broken", ResultClass::BrokenContract, found)
                .advice("add [chat] to its desk file, or let the probe chat by a widget")
        })
    }

    /// The conversation of a run that is known here; forgets those that are over.
    fn known(&self, run: &RunId) -> Option<Arc<Talk>> {
        let now = self.shared.clock.now();
        let mut talks = held(&self.talks);
        talks.retain(|_, talk| talk.listens() || crate::clock::after(talk.until(), REMEMBERED) > now);
        if talks.is_empty() {
            held(&self.agents).drain().for_each(|(_, agents)| agents.close());
        }
        talks.get(run).cloned()
    }

    /// The conversation of an order: known here, or made again from what the run has stored.
    fn talk(&self, order: &ChatOrder) -> Result<Arc<Talk>, Stop> {
        if let Some(talk) = self.known(&order.run) {
            return Ok(talk);
        }
        let desk = self.desk(order.desk.as_deref())?;
        let visitor = match &order.sealed {
            None => {
                let visitor = Visitor::default();
                visitor.set_conversation(order.conversation.clone());
                visitor
            }
            Some(sealed) => Visitor::unsealed(&self.shared.seal, sealed, order.conversation.as_deref()).ok_or_else(|| {
                Stop::unknown("chat-visitor-lost", ResultClass::BrokenContract, "the stored visitor of this run cannot be decrypted")
                    .advice("put the seal.key of this installation back beside the store")
            })?,
        };
        let talk = Talk::new(desk, self.shared.clone(), order, visitor);
        held(&self.talks).insert(order.run.clone(), talk.clone());
        Ok(talk)
    }

    /// The agents' side of a desk, where it can be listened to.
    fn agents(&self, desk: &Arc<ChatDesk>) -> Option<Arc<Agents>> {
        desk.agents.as_ref()?;
        let mut all = held(&self.agents);
        Some(all.entry(desk.name.clone()).or_insert_with(|| Agents::new(desk.clone(), self.shared.clone())).clone())
    }

    fn forget(&self, run: &RunId) {
        if let Some(talk) = held(&self.talks).remove(run) {
            talk.hush();
        }
    }
}
