//! What a conversation takes in: its history, frames that are pushed, and what the agents are told.

use super::book::{Path, Sighting};
use super::desk::ChatDesk;
use super::ear::{Ear, Why};
use super::recipe;
use super::stop::Broke;
use super::talk::{Heard, Talk};
use crate::desk::flow::{Empties, Flow};
use crate::desk::mapping::row_scopes;
use crate::desk::outcome::Failure;
use crate::desk::path::{Json, scalar};
use crate::desk::scope::{Scope, Value};
use crate::engine::ways::Push;
use async_trait::async_trait;
use jiff::Timestamp;
use jmespath::Variable;
use std::time::Duration;

/// The longest pause between two looks at the history when it cannot be read.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Talk {
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
}

/// Reads the history again and again: for desks without a push path.
pub(super) async fn polled(talk: &Talk) {
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
