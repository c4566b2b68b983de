//! Whoever listens on a push path, and what can break it.

use super::desk::ChatDesk;
use super::recipe::Push;
use crate::desk::path::Json;
use crate::desk::scope::Scope;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Why a push path is not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    pub kind: WhyKind,
    /// For people, continuing "the push path is broken: ".
    pub text: String,
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyKind {
    /// Nothing could be reached.
    Unreachable,
    /// It was answered, with a refusal.
    Refused,
    /// It opened, and nothing came.
    Silent,
    /// It was open and broke.
    Broken,
    /// What came cannot be used: too large, not UTF-8, not what the desk file says.
    Unusable,
}

impl Why {
    pub fn new(kind: WhyKind, text: impl Into<String>) -> Why {
        Why { kind, text: text.into() }
    }
}

/// Something to be sent on a socket.
pub(crate) struct Out {
    pub frame: serde_json::Value,
    /// Taken by the socket, or given up by who sent it: whoever is first.
    pub taken: Arc<AtomicBool>,
    pub done: oneshot::Sender<Result<(), String>>,
}

impl Out {
    /// True for the first who asks.
    pub fn claim(taken: &AtomicBool) -> bool {
        taken.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// What a listener goes on with after a break.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The id of the last server-sent event.
    pub last_id: String,
    /// How long the server wants a new connection to wait.
    pub retry: Option<Duration>,
    /// The cursor of a long poll.
    pub cursor: Option<Json>,
}

/// Whoever listens.
#[async_trait]
pub(crate) trait Ear: Send + Sync {
    /// The desk.
    fn desk(&self) -> &ChatDesk;
    /// How the path is opened and read.
    fn recipe(&self) -> Option<&Push>;
    /// What its templates can see now.
    fn scope(&self) -> Scope<'static>;
    /// It is open.
    async fn opened(&self);
    /// It is not open, or not any more.
    async fn broken(&self, why: Why);
    /// A frame came. Not `live`: it had been waiting for us, so that nothing says when it was pushed.
    async fn heard(&self, frame: Json, live: bool);
}
