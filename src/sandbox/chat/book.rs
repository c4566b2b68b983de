//! Who chats: visitors, their conversations, and what was pushed to them.

use super::lines::Line;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// At most so many visitors are remembered; the oldest are forgotten with their conversations.
const VISITOR_LIMIT: usize = 10_000;
/// At most so many pushed lines a visitor are kept for those who come back.
const FEED_LIMIT: usize = 1_000;

/// What is pushed.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// A line.
    Line(Line),
    /// The conversation has ended.
    Ended,
}

/// One thing pushed to a visitor.
#[derive(Debug, Clone)]
pub(crate) struct Pushed {
    /// Grows by one with each.
    pub(crate) at: u64,
    pub(crate) conversation: String,
    pub(crate) news: News,
}

/// All that was pushed to one visitor. It knows nothing of what is stored.
#[derive(Debug)]
pub(crate) struct Feed {
    kept: Mutex<VecDeque<Pushed>>,
    last: watch::Sender<u64>,
}

impl Feed {
    fn new(first: u64) -> Feed {
        Feed { kept: Mutex::new(VecDeque::new()), last: watch::Sender::new(first) }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Pushed>> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Tells everybody who listens.
    pub(crate) fn push(&self, conversation: &str, news: News) {
        let mut kept = self.kept();
        let at = *self.last.borrow() + 1;
        kept.push_back(Pushed { at, conversation: conversation.to_owned(), news });
        if kept.len() > FEED_LIMIT {
            kept.pop_front();
        }
        self.last.send_replace(at);
    }

    /// The number of the last thing pushed.
    pub(crate) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    fn since(&self, at: u64) -> Vec<Pushed> {
        self.kept().iter().filter(|p| p.at > at).cloned().collect()
    }
}

/// A place in a feed that moves on.
#[derive(Debug)]
pub(crate) struct Listener {
    feed: Arc<Feed>,
    moved: watch::Receiver<u64>,
    pub(crate) at: u64,
}

impl Listener {
    /// Listens to all that comes after `at`.
    pub(crate) fn after(feed: Arc<Feed>, at: u64) -> Listener {
        Listener { moved: feed.last.subscribe(), feed, at }
    }

    /// What was pushed since the last call; waits until there is something. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Vec<Pushed> {
        loop {
            self.moved.mark_unchanged();
            let fresh = self.feed.since(self.at);
            if let Some(last) = fresh.last() {
                self.at = last.at;
                return fresh;
            }
            // The feed lives as long as this listener, so its sender does.
            let _ = self.moved.changed().await;
        }
    }
}

/// Somebody who chats.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) id: String,
    pub(crate) feed: Arc<Feed>,
    /// The newest conversation.
    pub(crate) current: Option<String>,
}

/// One conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) ticket: u64,
    /// The visitor's id.
    pub(crate) visitor: String,
    pub(crate) feed: Arc<Feed>,
    pub(crate) ended: bool,
}

/// A file as visitors fetch it.
#[derive(Debug, Clone)]
pub(crate) struct SharedFile {
    pub(crate) conversation: String,
    pub(crate) file: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Book {
    by_secret: HashMap<String, Visitor>,
    order: VecDeque<String>,
    conversations: HashMap<String, Conversation>,
    by_ticket: HashMap<u64, String>,
    files: HashMap<String, SharedFile>,
    keys: HashMap<u64, String>,
}

impl Book {
    /// Remembers a new visitor.
    pub(crate) fn welcome(&mut self, id: String, secret: String, first_cursor: u64) {
        let visitor = Visitor { id, feed: Arc::new(Feed::new(first_cursor)), current: None };
        self.by_secret.insert(secret.clone(), visitor);
        self.order.push_back(secret);
        if self.order.len() > VISITOR_LIMIT
            && let Some(gone) = self.order.pop_front().and_then(|oldest| self.by_secret.remove(&oldest))
        {
            self.forget(&gone.id);
        }
    }

    fn forget(&mut self, visitor: &str) {
        self.conversations.retain(|_, c| c.visitor != visitor);
        let left = &self.conversations;
        self.by_ticket.retain(|_, id| left.contains_key(id));
        self.files.retain(|_, f| left.contains_key(&f.conversation));
        let files = &self.files;
        self.keys.retain(|_, key| files.contains_key(key));
    }

    pub(crate) fn visitor(&self, secret: &str) -> Option<Visitor> {
        self.by_secret.get(secret).cloned()
    }

    /// Adds a conversation and makes it the visitor's current one.
    pub(crate) fn add(&mut self, secret: &str, conversation: Conversation) {
        if let Some(visitor) = self.by_secret.get_mut(secret) {
            visitor.current = Some(conversation.id.clone());
        }
        self.by_ticket.insert(conversation.ticket, conversation.id.clone());
        self.conversations.insert(conversation.id.clone(), conversation);
    }

    pub(crate) fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    /// True when the visitor has a conversation that has ended.
    pub(crate) fn has_ended_one(&self, visitor: &Visitor) -> bool {
        visitor.current.as_ref().and_then(|id| self.conversation(id)).is_some_and(|c| c.ended)
    }

    pub(crate) fn of_ticket(&self, ticket: u64) -> Option<&Conversation> {
        self.conversations.get(self.by_ticket.get(&ticket)?)
    }

    /// Marks the ticket's conversation as ended; none when there is none, or it was ended before.
    pub(crate) fn end(&mut self, ticket: u64) -> Option<Conversation> {
        let conversation = self.conversations.get_mut(self.by_ticket.get(&ticket)?).filter(|c| !c.ended)?;
        conversation.ended = true;
        Some(conversation.clone())
    }

    /// The key by which a conversation's visitor fetches a file; `draw` makes a new one.
    pub(crate) fn key(&mut self, conversation: &str, file: u64, draw: impl FnOnce() -> String) -> String {
        if let Some(key) = self.keys.get(&file) {
            return key.clone();
        }
        let key = draw();
        self.keys.insert(file, key.clone());
        self.files.insert(key.clone(), SharedFile { conversation: conversation.to_owned(), file });
        key
    }

    pub(crate) fn file(&self, key: &str) -> Option<&SharedFile> {
        self.files.get(key)
    }
}
