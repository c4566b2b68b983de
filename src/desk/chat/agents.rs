//! The agents' event stream of one desk: one listener for all conversations, so that it can be said whether agents
//! were told of a waiting visitor.

use super::desk::{ChatDesk, Shared};
use super::ear::{Ear, Why};
use super::listen;
use super::recipe;
use super::talk::Talk;
use crate::desk::path::{Json, scalar};
use crate::desk::scope::Scope;
use crate::engine::ways::Push;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// Events kept for conversations whose id is not known yet: the agents may be told before the visitor is answered.
const RECENT: usize = 200;
/// How long to wait for the stream before a conversation begins.
const OPENING: Duration = Duration::from_secs(5);

/// The agents' side of one desk.
pub(crate) struct Agents {
    desk: Arc<ChatDesk>,
    shared: Arc<Shared>,
    push: watch::Sender<Option<Push>>,
    state: Mutex<State>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct State {
    talks: Vec<Weak<Talk>>,
    recent: VecDeque<(Timestamp, String, Json)>,
}

impl Agents {
    /// Nobody listens before `open`.
    pub fn new(desk: Arc<ChatDesk>, shared: Arc<Shared>) -> Arc<Agents> {
        Arc::new(Agents { desk, shared, push: watch::Sender::new(None), state: Mutex::default(), task: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// How the path is doing.
    pub fn push(&self) -> Push {
        self.push.borrow().clone().unwrap_or_else(|| Push::Broken("it is not open yet".to_owned()))
    }

    /// Opens the stream where it is not open, and waits a little for it.
    pub async fn open(self: &Arc<Agents>) {
        {
            let mut task = self.task.lock().unwrap_or_else(|e| e.into_inner());
            if task.as_ref().is_none_or(AbortHandle::is_finished) {
                let agents = self.clone();
                let follow = async move { listen::follow(&*agents, mpsc::channel(1).1).await };
                *task = Some(tokio::spawn(follow).abort_handle());
            }
        }
        let mut push = self.push.subscribe();
        let _ = tokio::time::timeout(OPENING, push.wait_for(Option::is_some)).await;
    }

    /// Closes the stream.
    pub fn close(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(|e| e.into_inner()).take() {
            task.abort();
        }
        self.push.send_replace(None);
    }

    /// Tells a conversation of every event that is its own, also of those that came before its id was known.
    pub async fn register(&self, talk: &Arc<Talk>) {
        let Some(id) = talk.visitor.conversation() else { return };
        let known: Vec<(Timestamp, Json)> = {
            let mut state = self.state();
            state.talks.retain(|t| t.strong_count() > 0);
            if !state.talks.iter().any(|t| t.ptr_eq(&Arc::downgrade(talk))) {
                state.talks.push(Arc::downgrade(talk));
            }
            state.recent.iter().filter(|(_, of, _)| *of == id).map(|(at, _, frame)| (*at, frame.clone())).collect()
        };
        if let Some(push) = &self.desk.agents {
            for (at, frame) in known {
                talk.shown(push, &frame, at).await;
            }
        }
    }
}

#[async_trait]
impl Ear for Agents {
    fn desk(&self) -> &ChatDesk {
        &self.desk
    }

    fn recipe(&self) -> Option<&recipe::Push> {
        self.desk.agents.as_ref()
    }

    fn scope(&self) -> Scope<'static> {
        self.desk.scope(false)
    }

    async fn opened(&self) {
        self.push.send_replace(Some(Push::Open(self.shared.clock.now())));
    }

    async fn broken(&self, why: Why) {
        let text = self.desk.runner.masks.mask(&why.text);
        tracing::debug!(desk = %self.desk.name, "the agents' event stream is not open: {text}");
        self.push.send_replace(Some(Push::Broken(text)));
    }

    async fn heard(&self, frame: Json, live: bool) {
        let Some(push) = self.recipe().filter(|_| live) else { return };
        let holds = |path: &crate::desk::path::Path| path.holds(&frame).unwrap_or(false);
        let id = push.conversation.as_ref().and_then(|p| p.eval(&frame).ok()).and_then(|v| scalar(&v));
        let (Some(id), true) = (id, push.when.as_ref().is_none_or(holds)) else { return };
        let now = self.shared.clock.now();
        let talks: Vec<Arc<Talk>> = {
            let mut state = self.state();
            if state.recent.len() >= RECENT {
                state.recent.pop_front();
            }
            state.recent.push_back((now, id.clone(), frame.clone()));
            state.talks.retain(|t| t.strong_count() > 0);
            state.talks.iter().filter_map(Weak::upgrade).filter(|t| t.visitor.conversation().as_deref() == Some(&id)).collect()
        };
        for talk in talks {
            talk.shown(push, &frame, now).await;
        }
    }
}
