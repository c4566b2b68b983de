//! Runs step lists: conditions, repetition, pages, picks. Whatever is not `Done` or `Empty` is a named failure.

use super::call::{build, elements, sign_in, target};
use super::definition::{Definition, PickSource, Step};
use super::http::{Call, Http, Lost, Reply, place};
use super::outcome::{Cause, Failure, Judged, judge};
use super::path::{Json, Path, list, null, scalar, string};
use super::scope::{Exchange, Scope, Value};
use super::secrets::Masks;
use super::settings::Settings;
use super::template::Template;
use crate::model::ResultClass;
use jiff::Timestamp;
use reqwest::Url;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Answers kept for `cache`.
const MAX_CACHED: usize = 500;
/// The longest time for which a desk's wish to be left alone is obeyed without asking again.
const MAX_QUIET: Duration = Duration::from_secs(900);

/// How a step list ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Every step was taken.
    Done {
        /// Some list was longer than its `max` pages: what was not seen proves nothing.
        truncated: bool,
    },
    /// A step said: asked properly, nothing there.
    Empty {
        /// A call that may have changed something was made before, or said so.
        wrote: bool,
    },
}

/// What it means that a step says "nothing there".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empties {
    /// That the whole operation has nothing: one step leads to the next.
    End,
    /// As `End` for the first step, which asks for the thing itself; a later one just has no answer.
    First,
}

/// What runs steps for one desk.
#[derive(Debug)]
pub(crate) struct Runner {
    pub definition: std::sync::Arc<Definition>,
    pub settings: Settings,
    pub http: Http,
    pub masks: Masks,
    cache: Mutex<HashMap<String, (Instant, Json)>>,
    /// Until when the desk wants to be left alone.
    quiet: Mutex<Option<Instant>>,
    /// What one call is told holds for all. Not so for visitors: the desk means one of them.
    pub shares_quiet: bool,
}

/// One step's answer.
pub(super) struct Got {
    pub answer: Json,
    pub trail: Option<Json>,
    pub truncated: bool,
    pub picks: Vec<(String, Value)>,
    pub exchange: Option<Exchange>,
    /// How many rows there are up to the end of each page; empty where pages are not told apart.
    pub pages: Vec<usize>,
}

impl Runner {
    pub fn new(definition: std::sync::Arc<Definition>, settings: Settings, http: Http) -> Runner {
        let masks = Masks::new(&definition, &settings);
        Runner { definition, settings, http, masks, cache: Mutex::default(), quiet: Mutex::default(), shares_quiet: true }
    }

    /// Takes the steps in order; answers and picks land in the scope.
    pub async fn run(&self, steps: &[Step], scope: &mut Scope<'_>, empties: Empties) -> Result<Flow, Failure> {
        let mut truncated = false;
        let mut wrote = false;
        for (index, step) in steps.iter().enumerate() {
            let result = if step.each.is_some() { self.repeated(step, scope).await } else { self.conditional(step, scope).await };
            match result {
                Ok(Some(got)) => {
                    truncated |= got.truncated;
                    wrote |= step.writes();
                    self.keep(step, got, scope);
                }
                Ok(None) => {}
                Err(Ended::Empty) if empties == Empties::End || index == 0 => return Ok(Flow::Empty { wrote: wrote || step.writes() }),
                Err(Ended::Empty) => {}
                Err(Ended::Failed(failure)) if step.optional => wrote |= step.writes() && !failure.no_effect,
                Err(Ended::Failed(mut failure)) => {
                    // After a change was made, no later failure can be "nothing happened".
                    failure.no_effect = (failure.no_effect || !step.writes()) && !wrote;
                    // Only the first step asks for the thing itself.
                    failure.gone &= index == 0;
                    return Err(failure);
                }
            }
        }
        Ok(Flow::Done { truncated })
    }

    /// Where a step's call would go, for people.
    pub fn target(&self, step: &Step, scope: &Scope<'_>) -> String {
        self.masks.mask(&target(&self.settings, step, scope))
    }

    fn keep(&self, step: &Step, got: Got, scope: &mut Scope<'_>) {
        scope.last = got.exchange.or_else(|| scope.last.take());
        for (name, value) in got.picks {
            if let Value::Secret(secret) = &value {
                self.masks.learn(secret);
            }
            scope.set(format!("{}.{name}", step.id), value);
        }
        if let Some(trail) = got.trail {
            scope.set_step(format!("{}.trail", step.id), trail);
        }
        scope.pages = got.pages;
        scope.set_step(step.id.clone(), got.answer);
    }

    async fn conditional(&self, step: &Step, scope: &Scope<'_>) -> Result<Option<Got>, Ended> {
        if skipped(step, scope)? {
            return Ok(None);
        }
        self.step(step, scope).await.map(Some)
    }

    /// One call for each element; the answers become a list of the same length.
    async fn repeated(&self, step: &Step, scope: &Scope<'_>) -> Result<Option<Got>, Ended> {
        let Some(over) = &step.each else { return Ok(None) };
        let items = elements(over, scope).map_err(Failure::contract)?;
        if items.len() > step.max {
            let text = format!("step `{}` would be repeated {} times, more than its max of {}", step.id, items.len(), step.max);
            return Err(Failure::contract(text).into());
        }
        let (mut answers, mut truncated, mut wrote) = (Vec::new(), false, false);
        for item in items {
            let inner = scope.with_item(item);
            match self.conditional(step, &inner).await {
                Ok(Some(got)) => {
                    truncated |= got.truncated;
                    wrote |= step.writes();
                    answers.push(got.answer);
                }
                Ok(None) => answers.push(null()),
                Err(Ended::Empty) => answers.push(if step.rows.is_some() { list(Vec::new()) } else { null() }),
                Err(Ended::Failed(mut failure)) => {
                    failure.no_effect = (failure.no_effect || !step.writes()) && !wrote;
                    return Err(failure.into());
                }
            }
        }
        Ok(Some(Got { answer: list(answers), trail: None, truncated, picks: Vec::new(), exchange: None, pages: Vec::new() }))
    }

    async fn step(&self, step: &Step, scope: &Scope<'_>) -> Result<Got, Ended> {
        self.log_in(step).await?;
        let call = build(&self.definition, &self.settings, step, scope)?;
        let place = format!("{} {}", call.method, call.url.path());
        let result = match &step.page {
            Some(page) => self.pages(step, page, call, scope).await,
            None => self.single(step, call).await,
        };
        result.map_err(|e| match e {
            Ended::Failed(f) => Ended::Failed(Failure { message: format!("{place}: {}", f.message), ..f }),
            Ended::Empty => Ended::Empty,
        })
    }

    async fn single(&self, step: &Step, call: Call) -> Result<Got, Ended> {
        // Two steps may read the same address in different ways.
        let key = step.cache.map(|_| format!("{} {} {}", step.auth.as_deref().unwrap_or_default(), step.id, call.url));
        if let Some(answer) = step.cache.and_then(|life| self.cached(key.as_deref()?, life)) {
            return got(step, answer, None);
        }
        let (reply, body) = self.exchange(step, &call).await?;
        let got = got(step, body.clone(), Some(&reply))?;
        if let Some(key) = key {
            self.remember(key, &body);
        }
        Ok(got)
    }

    pub(super) async fn exchange(&self, step: &Step, call: &Call) -> Result<(Reply, Json), Ended> {
        let reply = self.send(call).await?;
        let judged = judge(step, &self.definition.outcome, &reply, Timestamp::now(), &self.masks);
        match judged.inspect_err(|failure| {
            self.obey(failure);
            self.refused(step, failure);
        })? {
            Judged::Empty => Err(Ended::Empty),
            Judged::Ok(body) => Ok((reply, body)),
        }
    }

    /// Sends a call, unless it only reads and the desk asked for quiet.
    pub async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        let quiet = *self.quiet.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(left) = quiet.and_then(|until| until.checked_duration_since(Instant::now())).filter(|_| !call.writes) {
            let message = format!("not asked: the desk wants no calls for another {} s", left.as_secs() + 1);
            return Err(Failure { retry_after: Some(left), ..Failure::new(ResultClass::Throttled, Cause::Ours, message) });
        }
        let preflight = call.page.as_ref().and_then(|page| page.preflight(call).map(|before| (page, before)));
        if let Some((page, before)) = preflight {
            // Whatever becomes of the question, the call itself was not made.
            let reply = self.exchanged(&before).await.map_err(|failure| {
                let cause = if failure.cause == Cause::NoAnswer { Cause::NotSent } else { failure.cause };
                Failure { no_effect: true, cause, ..failure }
            })?;
            page.permits(call, &reply)?;
        }
        let reply = self.exchanged(call).await?;
        match &call.page {
            // A refusal is named by what it says: a browser hides that from the page, not from us.
            Some(page) if !reply.status.is_client_error() => page.shows(&reply).map(|()| reply),
            _ => Ok(reply),
        }
    }

    async fn exchanged(&self, call: &Call) -> Result<Reply, Failure> {
        self.http.send(call, &|url| self.settings.allows(url)).await.map_err(|lost| failed(lost, call))
    }

    /// Whoever is told to wait waits for all: other runs would only make it worse.
    pub(super) fn obey(&self, failure: &Failure) {
        if let (true, ResultClass::Throttled, Some(wait)) = (self.shares_quiet, failure.class, failure.retry_after) {
            let until = Instant::now() + wait.min(MAX_QUIET);
            let mut quiet = self.quiet.lock().unwrap_or_else(|e| e.into_inner());
            *quiet = Some(quiet.map_or(until, |known| known.max(until)));
        }
    }

    /// Fetches bytes from a URL of the desk, with its credentials.
    pub async fn fetch(&self, url: Url) -> Result<Reply, Failure> {
        let mut call = Call::get(url);
        sign_in(&self.definition, &self.settings, None, &mut call.url, &mut call.headers).map_err(Failure::contract)?;
        self.send(&call).await
    }

    fn cached(&self, key: &str, life: Duration) -> Option<Json> {
        let cache = self.cache.lock().unwrap_or_else(|e| e.into_inner());
        cache.get(key).filter(|(at, _)| at.elapsed() < life).map(|(_, answer)| answer.clone())
    }

    fn remember(&self, key: String, answer: &Json) {
        let mut cache = self.cache.lock().unwrap_or_else(|e| e.into_inner());
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(key, (Instant::now(), answer.clone()));
    }
}

/// How a step ends when it does not end well.
pub(super) enum Ended {
    Empty,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

fn failed(lost: Lost, call: &Call) -> Failure {
    let place = place(&call.url);
    match lost {
        Lost::NotSent(text) => Failure::new(ResultClass::Unavailable, Cause::NotSent, format!("no connection to {place}: {text}")),
        Lost::Unknown { text, .. } => {
            Failure::new(ResultClass::Unavailable, Cause::NoAnswer, format!("no answer from {place}: {text}")).after_effect()
        }
        Lost::Refused(text) => Failure::contract(text).after_effect(),
    }
}

fn skipped(step: &Step, scope: &Scope<'_>) -> Result<bool, Failure> {
    let holds = |template: &Template| -> Result<bool, Failure> {
        Ok(template.value(scope).map_err(Failure::contract)?.is_some_and(|v| !v.is_empty()))
    };
    if let Some(when) = &step.when
        && !holds(when)?
    {
        return Ok(true);
    }
    match &step.unless {
        Some(unless) => holds(unless),
        None => Ok(false),
    }
}

/// The list that `rows` names. A missing list is a broken contract, never an empty one.
pub(super) fn rows(step: &Step, body: &Json) -> Result<Vec<Json>, Failure> {
    let Some(path) = &step.rows else { return Ok(Vec::new()) };
    let found = path.eval(body).map_err(|m| Failure::contract(m).after_effect())?;
    match found.as_array() {
        Some(rows) => Ok(rows.clone()),
        None => {
            let what = if found.is_null() { "is missing".to_owned() } else { format!("is a {}", found.get_type()) };
            Err(Failure::contract(format!("the list `{}` {what} in the answer", path.text())).after_effect())
        }
    }
}

/// A single answer as the step's: the whole, or its list.
fn got(step: &Step, body: Json, reply: Option<&Reply>) -> Result<Got, Ended> {
    let picks = picked(step, &body, reply)?;
    let exchange = reply.map(|r| Exchange { place: place(&r.url), status: r.status.as_u16(), took: r.took });
    if step.rows.is_none() {
        return Ok(Got { answer: body, trail: None, truncated: false, picks, exchange, pages: Vec::new() });
    }
    let (answer, trail) = kept(step, rows(step, &body)?)?;
    // 206: a part of the list (RFC 9110 section 15.3.7), however it was asked for.
    let truncated = reply.is_some_and(|r| r.status == reqwest::StatusCode::PARTIAL_CONTENT);
    Ok(Got { answer, trail, truncated, picks, exchange, pages: Vec::new() })
}

/// Rows that count, and for each what stood between it and the next.
pub(super) fn kept(step: &Step, rows: Vec<Json>) -> Result<(Json, Option<Json>), Failure> {
    let Some(keep) = &step.keep else { return Ok((list(rows), None)) };
    let mut kept: Vec<Json> = Vec::new();
    let mut trails: Vec<Vec<Json>> = Vec::new();
    let mut open = false;
    let holds = |path: &Path, row: &Json| path.holds(row).map_err(|m| Failure::contract(m).after_effect());
    for row in rows {
        if holds(keep, &row)? {
            kept.push(row);
            trails.push(Vec::new());
            open = true;
            continue;
        }
        open = open && step.trail.as_ref().map_or(Ok(true), |t| holds(t, &row))?;
        if let (true, Some(trail)) = (open, trails.last_mut()) {
            trail.push(row);
        }
    }
    Ok((list(kept), Some(list(trails.into_iter().map(list).collect()))))
}

pub(super) fn picked(step: &Step, body: &Json, reply: Option<&Reply>) -> Result<Vec<(String, Value)>, Failure> {
    let mut out = Vec::new();
    for pick in &step.pick {
        let value = match &pick.source {
            PickSource::Path(path) => path.eval(body).map_err(|m| Failure::contract(m).after_effect())?,
            PickSource::Header(name) => {
                reply.and_then(|r| r.headers.get(name.as_str())).and_then(|v| v.to_str().ok()).map_or_else(null, string)
            }
            PickSource::Text(pattern) => {
                let text = body.as_string().map(String::as_str).unwrap_or_default();
                pattern.captures(text).and_then(|c| c.get(1)).map_or_else(null, |m| string(m.as_str()))
            }
        };
        match (value.is_null(), pick.optional) {
            (false, _) if pick.secret => {
                let text = scalar(&value).ok_or_else(|| Failure::contract(format!("`{}` is no text", pick.name)).after_effect())?;
                out.push((pick.name.clone(), Value::Secret(SecretString::from(text))));
            }
            (false, _) => out.push((pick.name.clone(), Value::Json(value))),
            (true, true) => {}
            (true, false) => {
                let message = format!("step `{}` expects a value `{}`, and the answer has none", step.id, pick.name);
                return Err(Failure::contract(message).after_effect());
            }
        }
    }
    Ok(out)
}
