//! One conversation as its visitor has it: who the visitor is, which lines are known, how the push path is doing.

use super::agents::Agents;
use super::book::{Book, Path, Sighting};
use super::desk::{ChatDesk, Shared};
use super::ear::{Ear, Out, Why, WhyKind};
use super::listen;
use super::recipe::{self, Transport};
use super::stop::Broke;
use super::visitor::Visitor;
use crate::clock::after;
use crate::desk::flow::{Empties, Flow};
use crate::desk::mapping::row_scopes;
use crate::desk::outcome::Failure;
use crate::desk::path::{Json, scalar};
use crate::desk::scope::{Scope, Value};
use crate::engine::ports::MailEvent;
use crate::engine::ways::{ChatOrder, ChatView, Push, Seen};
use crate::model::{ChatLine, RunId};
use async_trait::async_trait;
use jiff::Timestamp;
use jmespath::Variable;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// How long a conversation is followed after it began, until the engine says how long it waits.
const AT_FIRST: Duration = Duration::from_secs(600);
/// The longest pause between two looks at the history when it cannot be read.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
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
    /// Where frames for the socket go.
    pub out: Option<mpsc::Sender<Out>>,
    run: RunId,
    shared: Arc<Shared>,
    /// Variables of every step: who writes, on which page.
    who: BTreeMap<&'static str, Value>,
    prechat: BTreeMap<String, String>,
    state: Mutex<State>,
    orders: Mutex<Option<mpsc::Receiver<Out>>>,
    agents: Mutex<Option<Arc<Agents>>>,
    until: watch::Sender<Timestamp>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct State {
    book: Book,
    ended: bool,
    /// What could not be read of the last frame or row.
    trouble: Option<String>,
    waiter: Option<mpsc::Sender<Heard>>,
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
        let (out, orders) = if desk.transport.is_socket() { Some(mpsc::channel(4)).unzip() } else { (None, None) };
        Arc::new(Talk {
            visitor,
            push: watch::Sender::new(PushState { push: none, why: None }),
            out,
            run: order.run.clone(),
            who,
            prechat: order.chat.prechat.clone(),
            state: Mutex::default(),
            orders: Mutex::new(orders),
            agents: Mutex::default(),
            until: watch::Sender::new(after(shared.clock.now(), AT_FIRST)),
            task: Mutex::default(),
            desk,
            shared,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    /// Starts the listener where none runs.
    pub fn follow(self: &Arc<Talk>) {
        let mut task = self.task.lock().unwrap_or_else(|e| e.into_inner());
        if task.as_ref().is_some_and(|t| !t.is_finished()) {
            return;
        }
        let orders = self.orders.lock().unwrap_or_else(|e| e.into_inner()).take();
        // A socket's task that ended has taken its channel with it; it ends only when nobody waits any more.
        if self.desk.transport.is_socket() && orders.is_none() {
            return;
        }
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

    async fn moved(&self) {
        // The engine that is gone needs no event.
        let _ = self.shared.events.send(MailEvent::Moved { run: self.run.clone() }).await;
    }

    // -------------------------------------------------------------------------------- reading

    /// Reads the stored conversation; true when it holds something new.
    pub async fn read_history(&self) -> Result<bool, Broke> {
        let (steps, recipe) = (&self.desk.history, &self.desk.recipe);
        let Some(map) = recipe.line.as_ref().filter(|_| !steps.is_empty()) else { return Ok(false) };
        let mut scope = self.scope();
        match self.desk.runner.run(steps, &mut scope, Empties::First).await? {
            Flow::Empty { .. } => return Ok(false),
            Flow::Done { truncated: true } => return Err(Failure::contract("there are more pages than may be read").into()),
            Flow::Done { truncated: false } => {}
        }
        let mut sightings = Vec::new();
        for (inner, row) in row_scopes(&map.main, steps, &scope) {
            sightings.push(Sighting::read(map, &inner, row).map_err(Failure::contract)?);
        }
        let ended = recipe.ended.as_ref().and_then(|t| truth(t, &scope)).unwrap_or(false);
        let now = self.shared.clock.now();
        let mut state = self.state();
        let mut news = ended && !state.ended;
        state.ended |= ended;
        for seen in sightings {
            news |= state.book.enter(seen, Path::Stored, now, &self.shared.tokens);
        }
        Ok(news)
    }

    /// Enters a row that was pushed, or that had been waiting.
    fn enter(&self, push: &recipe::Push, row: Json, path: Path) -> bool {
        let Some(map) = push.line.as_ref().or(self.desk.recipe.line.as_ref()) else { return false };
        let mut scope = self.scope();
        if !map.main.is_empty() {
            scope.set_step(map.main.clone(), row.clone());
        }
        let sighting = Sighting::read(map, &scope, row);
        let now = self.shared.clock.now();
        let mut state = self.state();
        match sighting {
            Ok(seen) if seen.text.is_empty() && seen.files.is_empty() => false,
            Ok(seen) => state.book.enter(seen, path, now, &self.shared.tokens),
            Err(text) => {
                state.trouble = Some(text);
                false
            }
        }
    }

    /// The agents were told of this conversation, or of a line of it.
    pub async fn shown(&self, push: &recipe::Push, frame: &Json, at: Timestamp) {
        let row = push.row.as_ref().map_or_else(|| Ok(frame.clone()), |path| path.eval(frame));
        let map = push.line.as_ref().or(self.desk.recipe.line.as_ref());
        let sighting = match (row, map) {
            (Ok(row), Some(map)) if !row.is_null() => Sighting::read(map, &self.scope(), row).ok(),
            _ => None,
        };
        let news = {
            let mut state = self.state();
            match sighting.filter(|s| !s.text.is_empty() || s.id.is_some()) {
                Some(seen) => state.book.enter(seen, Path::Shown, at, &self.shared.tokens),
                None => state.book.shown(at),
            }
        };
        if news {
            self.moved().await;
        }
    }

    fn set_push(&self, push: Push, why: Option<Why>) {
        self.push.send_replace(PushState { push, why });
    }
}

/// The task of one conversation: until nobody waits any longer.
async fn run(talk: Arc<Talk>, orders: Option<mpsc::Receiver<Out>>) {
    let ear: &Talk = &talk;
    let following = async {
        match orders {
            Some(orders) => listen::follow(ear, orders).await,
            None if ear.desk.transport == Transport::Http => polled(ear).await,
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

/// Reads the history again and again: for desks without a push path.
async fn polled(talk: &Talk) {
    let every = talk.desk.recipe.every;
    let mut pause = every;
    loop {
        match talk.read_history().await {
            Ok(news) => {
                pause = every;
                if news {
                    talk.moved().await;
                }
            }
            Err(broke) => {
                talk.state().trouble = Some(broke.failure.message);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[async_trait]
impl Ear for Talk {
    fn desk(&self) -> &ChatDesk {
        &self.desk
    }

    fn recipe(&self) -> Option<&recipe::Push> {
        self.desk.push()
    }

    fn scope(&self) -> Scope<'static> {
        Talk::scope(self)
    }

    async fn opened(&self) {
        self.set_push(Push::Open(self.shared.clock.now()), None);
        if self.visitor.conversation().is_none() {
            return;
        }
        // What came while nobody listened is in the history, and is not taken for pushed.
        match self.read_history().await {
            Ok(true) => self.moved().await,
            Ok(false) => {}
            Err(broke) => self.state().trouble = Some(broke.failure.message),
        }
    }

    async fn broken(&self, why: Why) {
        let text = self.visitor.hide(&self.desk.runner.masks.mask(&why.text));
        let why = Why { text: text.clone(), ..why };
        tracing::debug!(desk = %self.desk.name, run = %self.run, "the push path of a chat is not open: {text}");
        let waiter = self.state().waiter.clone();
        if let Some(waiter) = waiter {
            let _ = waiter.try_send(Heard::Broken(why.clone()));
        }
        self.set_push(Push::Broken(text), Some(why));
    }

    async fn heard(&self, frame: Json, live: bool) {
        let Some(push) = self.desk.push() else { return };
        let waiter = self.state().waiter.clone();
        if let Some(waiter) = waiter {
            let _ = waiter.try_send(Heard::Frame(frame.clone()));
        }
        let holds = |path: &crate::desk::path::Path| path.holds(&frame).unwrap_or(false);
        let named = push.conversation.as_ref().and_then(|p| p.eval(&frame).ok()).and_then(|v| scalar(&v));
        // Frames of a conversation that is not known yet come again with its history.
        if named.is_some() && named != self.visitor.conversation() && self.visitor.conversation().is_some() {
            return;
        }
        let mut news = false;
        if push.ended.as_ref().is_some_and(holds) {
            news = !std::mem::replace(&mut self.state().ended, true);
        }
        if push.when.as_ref().is_none_or(holds) {
            let row = push.row.as_ref().map_or_else(|| Ok(frame.clone()), |path| path.eval(&frame));
            match row {
                Ok(row) => news |= self.enter(push, row, if live { Path::Pushed } else { Path::Stored }),
                Err(text) => self.state().trouble = Some(text),
            }
        }
        if news {
            self.moved().await;
        }
    }
}

/// What a template says: yes, no, or nothing. `0`, an empty text and an empty list are no.
pub(crate) fn truth(template: &crate::desk::template::Template, scope: &Scope<'_>) -> Option<bool> {
    Some(match template.value(scope).ok()?? {
        Value::Json(json) => yes(&json),
        other => !other.is_empty(),
    })
}

/// As `truth`, for a value.
pub(crate) fn yes(json: &Json) -> bool {
    match &**json {
        Variable::Number(n) => n.as_f64().is_some_and(|n| n > 0.0),
        Variable::String(text) => !matches!(text.as_str(), "" | "0" | "false"),
        other => other.is_truthy(),
    }
}
