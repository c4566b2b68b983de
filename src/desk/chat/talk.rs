//! One conversation as its visitor has it: who the visitor is, which lines are known, how the push path is doing.

use super::agents::Agents;
use super::book::Book;
use super::desk::{ChatDesk, Shared};
use super::ear::{Out, Why, WhyKind};
use super::listen;
use super::recipe::Transport;
use super::visitor::Visitor;
use crate::clock::after;
use crate::desk::path::Json;
use crate::desk::scope::{Scope, Value};
use crate::engine::ports::MailEvent;
use crate::engine::ways::{ChatOrder, ChatView, Push, Seen};
use crate::model::{ChatLine, RunId};
use jiff::Timestamp;
use jmespath::Variable;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// How long a conversation is followed after it began, until the engine says how long it waits.
const AT_FIRST: Duration = Duration::from_secs(600);
/// How long it is followed at least when a step needs it.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Frames that may wait for a step that awaits one.
const WAITING: usize = 256;

/// What comes to a step that awaits something.
pub(crate) enum Heard {
    Frame(Json),
    Broken(Why),
}

/// How the push path is doing, and why where it is not open.
#[derive(Debug, Clone)]
pub(crate) struct PushState {
    pub push: Push,
    pub why: Option<Why>,
}

/// One conversation.
pub(crate) struct Talk {
    pub desk: Arc<ChatDesk>,
    pub visitor: Visitor,
    pub push: watch::Sender<PushState>,
    pub(super) run: RunId,
    pub(super) shared: Arc<Shared>,
    /// Variables of every step: who writes, on which page.
    who: BTreeMap<&'static str, Value>,
    prechat: BTreeMap<String, String>,
    state: Mutex<State>,
    /// Where frames for the socket go while it is followed.
    out: Mutex<Option<mpsc::Sender<Out>>>,
    agents: Mutex<Option<Arc<Agents>>>,
    until: watch::Sender<Timestamp>,
    task: Mutex<Option<AbortHandle>>,
}

/// What was taken in.
#[derive(Default)]
pub(super) struct State {
    pub book: Book,
    pub ended: bool,
    /// What could not be read of the last frame or row.
    pub trouble: Option<String>,
    /// The step that awaits a frame.
    pub waiter: Option<mpsc::Sender<Heard>>,
}

impl Talk {
    /// A conversation of an order, with the visitor that it has.
    pub fn new(desk: Arc<ChatDesk>, shared: Arc<Shared>, order: &ChatOrder, visitor: Visitor) -> Arc<Talk> {
        let text = |text: &str| Value::text(text);
        let mut who = BTreeMap::from([
            ("customer.address", text(&order.customer.address)),
            ("customer.email", text(&order.customer.address)),
            ("customer.name", text(&order.customer.name)),
            ("since", Value::Time(order.since)),
        ]);
        if let Some(page) = &order.chat.page {
            who.insert("page", text(page));
            if let Ok(url) = reqwest::Url::parse(page) {
                who.insert("origin", text(&url.origin().ascii_serialization()));
            }
        }
        let none = match desk.transport {
            Transport::Http => Push::None,
            _ => Push::Broken("it is not open yet".to_owned()),
        };
        Arc::new(Talk {
            visitor,
            push: watch::Sender::new(PushState { push: none, why: None }),
            run: order.run.clone(),
            who,
            prechat: order.chat.prechat.clone(),
            state: Mutex::default(),
            out: Mutex::default(),
            agents: Mutex::default(),
            until: watch::Sender::new(after(shared.clock.now(), AT_FIRST)),
            task: Mutex::default(),
            desk,
            shared,
        })
    }

    /// Lines, and what goes with them.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What the visitor's steps can see.
    pub fn scope<'a>(&self) -> Scope<'a> {
        let mut scope = self.desk.scope(true);
        for (name, value) in &self.who {
            scope.set(*name, value.clone());
        }
        let answers = self.prechat.iter().map(|(k, v)| (k.clone(), Arc::new(Variable::String(v.clone()))));
        scope.set("random", Value::text(format!("{:016x}{:016x}", crate::engine::random(), crate::engine::random())));
        scope.set("prechat", Value::Json(Arc::new(Variable::Object(answers.collect()))));
        for (key, answer) in &self.prechat {
            scope.set(format!("prechat.{key}"), Value::text(answer.clone()));
        }
        self.visitor.tell(&mut scope);
        if self.desk.recipe.cookies {
            scope.sent.jar = Some(self.visitor.jar.clone());
        }
        scope
    }

    /// The keys of questions that the probe answers.
    pub fn answers(&self, key: &str) -> bool {
        self.prechat.contains_key(key)
    }

    /// Goes on with the lines of the window that was closed.
    pub fn take_over(&self, before: &Talk) {
        self.state().book = std::mem::take(&mut before.state().book);
        self.until.send_replace(before.until());
    }

    /// Frames from now on, for steps that await one.
    pub fn hear(&self) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.state().waiter = Some(sender);
        receiver
    }

    /// Nobody awaits a frame any more.
    pub fn heed_not(&self) {
        self.state().waiter = None;
    }

    /// Everything known.
    pub fn view(&self) -> ChatView {
        let push = self.push.borrow().clone();
        let agents = self.agents.lock().unwrap_or_else(|e| e.into_inner()).as_ref().map_or(Push::None, |a| a.push());
        let state = self.state();
        let mut seen = Seen::default();
        seen.facts.insert("transport".to_owned(), self.desk.transport.as_str().into());
        if push.why.is_some_and(|w| w.kind == WhyKind::Silent) {
            seen.facts.insert("push_fault".to_owned(), "chat-socket-silent".into());
        }
        if let Some(trouble) = &state.trouble {
            seen.facts.insert("unreadable".to_owned(), self.visitor.hide(trouble).into());
        }
        ChatView { lines: state.book.lines().to_vec(), push: push.push, agents, ended: state.ended, seen }
    }

    /// The row of a file.
    pub fn file(&self, line: &ChatLine, name: &str) -> Option<Json> {
        self.state().book.file(line, name)
    }

    /// Listens to the agents' side as well.
    pub fn attend(&self, agents: Arc<Agents>) {
        *self.agents.lock().unwrap_or_else(|e| e.into_inner()) = Some(agents);
    }

    // -------------------------------------------------------------------------------- listening

    /// Listens until then at least.
    pub fn listen(self: &Arc<Talk>, until: Timestamp) {
        self.until.send_if_modified(|known| {
            let later = until > *known;
            *known = until.max(*known);
            later
        });
        self.follow();
    }

    /// True while somebody listens.
    pub fn listens(&self) -> bool {
        self.task.lock().unwrap_or_else(|e| e.into_inner()).as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Until when it listens.
    pub fn until(&self) -> Timestamp {
        *self.until.borrow()
    }

    /// Where frames for the socket go; none without a socket.
    pub fn out(&self) -> Option<mpsc::Sender<Out>> {
        self.out.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Starts the listener where none runs.
    pub fn follow(self: &Arc<Talk>) {
        let mut task = self.task.lock().unwrap_or_else(|e| e.into_inner());
        if task.as_ref().is_some_and(|t| !t.is_finished()) {
            return;
        }
        // Whoever needs it now needs it for a while.
        let least = after(self.shared.clock.now(), AT_LEAST);
        self.until.send_modify(|until| *until = least.max(*until));
        let (out, orders) = if self.desk.transport.is_socket() { Some(mpsc::channel(4)).unzip() } else { (None, None) };
        *self.out.lock().unwrap_or_else(|e| e.into_inner()) = out;
        *task = Some(tokio::spawn(run(self.clone(), orders)).abort_handle());
    }

    /// Stops listening.
    pub fn hush(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(|e| e.into_inner()).take() {
            task.abort();
        }
    }

    async fn over(&self) {
        let mut until = self.until.subscribe();
        loop {
            let end = *until.borrow_and_update();
            if end <= self.shared.clock.now() {
                return;
            }
            tokio::select! {
                () = self.shared.clock.sleep_until(end) => {}
                _ = until.changed() => {}
            }
        }
    }

    /// Tells the engine that there is something new.
    pub(super) async fn moved(&self) {
        // The engine that is gone needs no event.
        let _ = self.shared.events.send(MailEvent::Moved { run: self.run.clone() }).await;
    }

    /// Says how the push path is doing.
    pub(super) fn set_push(&self, push: Push, why: Option<Why>) {
        self.push.send_replace(PushState { push, why });
    }
}

/// The task of one conversation: until nobody waits any longer.
async fn run(talk: Arc<Talk>, orders: Option<mpsc::Receiver<Out>>) {
    let ear: &Talk = &talk;
    let following = async {
        match orders {
            Some(orders) => listen::follow(ear, orders).await,
            None if ear.desk.transport == Transport::Http => super::reading::polled(ear).await,
            None => listen::follow(ear, mpsc::channel(1).1).await,
        }
    };
    tokio::select! {
        () = following => {}
        () = ear.over() => {}
    }
    if ear.desk.transport != Transport::Http {
        ear.set_push(Push::Broken("nobody waited any longer, so it was closed".to_owned()), None);
    }
}
