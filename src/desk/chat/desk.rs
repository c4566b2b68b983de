//! One desk as its visitors see it: its recipe, its transport, and calls without the agent's credentials.

use super::recipe::{Act, ChatRecipe, ChatStep, Push, Transport};
use crate::clock::Clock;
use crate::config::DeskSettings;
use crate::desk::definition::{Definition, Step};
use crate::desk::flow::Runner;
use crate::desk::http::Http;
use crate::desk::scope::{Scope, Value};
use crate::desk::settings::Settings;
use crate::desk::template::Template;
use crate::engine::ports::MailEvent;
use crate::model::TokenKey;
use crate::seal::Seal;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// What every chat of a program shares.
pub(crate) struct Shared {
    pub clock: Arc<dyn Clock>,
    pub events: mpsc::Sender<MailEvent>,
    pub tokens: TokenKey,
    pub seal: Seal,
}

/// One desk.
pub(crate) struct ChatDesk {
    pub name: String,
    pub runner: Runner,
    pub recipe: Arc<ChatRecipe>,
    pub transport: Transport,
    /// The calls that read the stored conversation.
    pub history: Vec<Step>,
    headers: Arc<[(String, Template)]>,
    /// The event stream of the agents, with their way to sign in.
    pub agents: Option<Push>,
    /// When conversations were begun, by whom the desk counts them.
    begun: Mutex<HashMap<String, VecDeque<Timestamp>>>,
}

impl ChatDesk {
    /// A desk from its settings; none when its definition has no `[chat]`. Opens no connection.
    pub fn new(settings: &DeskSettings) -> Result<Option<ChatDesk>, String> {
        let ours = |m: String| format!("desk `{}`: {m}", settings.name);
        let definition = Definition::parse(&settings.source.origin, &settings.source.text)
            .map_err(|found| ours(found.iter().map(|p| format!("{}: {}", p.file, p.message)).collect::<Vec<_>>().join("\n")))?;
        let Some(recipe) = definition.chat.clone() else { return Ok(None) };
        let mut own = Settings::new(&definition, &settings.params).map_err(|(_, m)| ours(m))?;
        let transport = recipe.transport(&Scope::new(own.params.clone())).map_err(ours)?;
        // A visitor is nobody: the agent's credentials go with no call that does not name them.
        let auth = own.auth.take();
        let agents = recipe.agents.clone().map(|mut push| {
            push.open.auth = push.open.auth.or(auth);
            push
        });
        let http = Http::new(settings, own.is_loopback()).map_err(ours)?;
        let mut runner = Runner::new(Arc::new(definition), own, http);
        runner.shares_quiet = false;
        let mut headers = recipe.headers.clone();
        for (name, value) in [("Origin", "${origin|omit_empty}"), ("Referer", "${page|omit_empty}")] {
            if let (false, Ok(template)) = (headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)), Template::parse(value)) {
                headers.push((name.to_owned(), template));
            }
        }
        let taken = recipe.history.iter().filter(|s| s.on.is_empty() || s.on.contains(&transport));
        let history = taken.filter_map(|s| if let Act::Http(step) = &s.act { Some((**step).clone()) } else { None }).collect();
        Ok(Some(ChatDesk {
            history,
            name: settings.name.clone(),
            runner,
            transport,
            headers: headers.into(),
            agents,
            recipe,
            begun: Mutex::default(),
        }))
    }

    /// How lines are pushed with the chosen transport.
    pub fn push(&self) -> Option<&Push> {
        self.recipe.pushes.iter().find(|p| p.transport == self.transport)
    }

    /// True for steps of the chosen transport.
    pub fn takes(&self, step: &ChatStep) -> bool {
        step.on.is_empty() || step.on.contains(&self.transport)
    }

    /// A scope with params and the time; with `visitor` the headers of visitors go with every call.
    pub fn scope<'a>(&self, visitor: bool) -> Scope<'a> {
        let mut scope = Scope::new(self.runner.settings.params.clone());
        scope.set("now", Value::Time(Timestamp::now()));
        if visitor {
            scope.sent.headers = self.headers.clone();
        }
        scope
    }

    /// Counts a conversation that is about to begin; the error is how long to wait until one more is allowed.
    pub fn admit(&self, visitor: &str, now: Timestamp) -> Result<(), Duration> {
        let Some(limit) = self.recipe.limit else { return Ok(()) };
        let key = if limit.by_visitor { visitor } else { "" };
        let mut begun = self.begun.lock().unwrap_or_else(|e| e.into_inner());
        let age = |at: &Timestamp| Duration::try_from(now.duration_since(*at)).unwrap_or_default();
        begun.retain(|_, times| {
            times.retain(|at| age(at) < limit.per);
            !times.is_empty()
        });
        let times = begun.entry(key.to_owned()).or_default();
        match times.front() {
            Some(first) if times.len() >= limit.count => Err(limit.per.saturating_sub(age(first))),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}
