//! Runs step lists: conditions, repetition, pages, picks. Whatever is not `Done` or `Empty` is a named failure.

use super::call::{build, elements, sign_in};
use super::definition::{AuthKind, Definition, Page, PageKind, PickSource, Step};
use super::http::{Call, Http, Lost, Reply, place};
use super::matching::older;
use super::outcome::{Failure, Judged, judge};
use super::path::{Json, list, null, scalar, string};
use super::scope::{Scope, Value};
use super::settings::Settings;
use super::template::Template;
use crate::model::ResultClass;
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::LINK;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Answers kept for `cache`.
const MAX_CACHED: usize = 500;

/// How a step list ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Every step was taken.
    Done {
        /// Some list was longer than its `max` pages: what was not seen proves nothing.
        truncated: bool,
    },
    /// A step said: asked properly, nothing there.
    Empty,
}

/// What runs steps for one desk.
#[derive(Debug)]
pub(crate) struct Runner {
    pub definition: std::sync::Arc<Definition>,
    pub settings: Settings,
    pub http: Http,
    cache: Mutex<HashMap<String, (Instant, Json)>>,
}

/// One step's answer.
struct Got {
    answer: Json,
    trail: Option<Json>,
    truncated: bool,
    picks: Vec<(String, Value)>,
}

impl Runner {
    pub fn new(definition: std::sync::Arc<Definition>, settings: Settings, http: Http) -> Runner {
        Runner { definition, settings, http, cache: Mutex::default() }
    }

    /// Takes the steps in order; answers and picks land in the scope.
    pub async fn run(&self, steps: &[Step], scope: &mut Scope<'_>) -> Result<Flow, Failure> {
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
                Err(Ended::Empty) => return Ok(Flow::Empty),
                Err(Ended::Failed(_)) if step.optional => {}
                Err(Ended::Failed(mut failure)) => {
                    // After a change was made, no later failure can be "nothing happened".
                    failure.no_effect &= !wrote;
                    // Only the first step asks for the thing itself.
                    failure.gone &= index == 0;
                    return Err(failure);
                }
            }
        }
        Ok(Flow::Done { truncated })
    }

    fn keep(&self, step: &Step, got: Got, scope: &mut Scope<'_>) {
        for (name, value) in got.picks {
            scope.set(format!("{}.{name}", step.id), value);
        }
        if let Some(trail) = got.trail {
            scope.set_step(format!("{}.trail", step.id), trail);
        }
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
                    failure.no_effect &= !wrote;
                    return Err(failure.into());
                }
            }
        }
        Ok(Some(Got { answer: list(answers), trail: None, truncated, picks: Vec::new() }))
    }

    async fn step(&self, step: &Step, scope: &Scope<'_>) -> Result<Got, Ended> {
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
        let key = step.cache.map(|_| format!("{} {}", step.auth.as_deref().unwrap_or_default(), call.url));
        if let Some(answer) = step.cache.and_then(|life| self.cached(key.as_deref()?, life)) {
            let picks = picked(step, &answer, None)?;
            return Ok(Got { answer, trail: None, truncated: false, picks });
        }
        let (reply, body) = self.exchange(step, &call).await?;
        let picks = picked(step, &body, Some(&reply))?;
        if let Some(key) = key {
            self.remember(key, &body);
        }
        match &step.rows {
            None => Ok(Got { answer: body, trail: None, truncated: false, picks }),
            Some(_) => {
                let rows = rows(step, &body)?;
                let (answer, trail) = kept(step, rows)?;
                Ok(Got { answer, trail, truncated: false, picks })
            }
        }
    }

    async fn exchange(&self, step: &Step, call: &Call) -> Result<(Reply, Json), Ended> {
        let reply = self.http.send(call, &|url| self.settings.allows(url)).await.map_err(|lost| failed(lost, call))?;
        match judge(step, &self.definition.outcome, &reply, Timestamp::now())? {
            Judged::Empty => Err(Ended::Empty),
            Judged::Ok(body) => Ok((reply, body)),
        }
    }

    /// Fetches bytes from a URL of the desk, with its credentials.
    pub async fn fetch(&self, url: Url) -> Result<Reply, Failure> {
        let mut call = Call { method: reqwest::Method::GET, url, headers: reqwest::header::HeaderMap::new(), body: None, writes: false };
        sign_in(&self.definition, &self.settings, None, &mut call.url, &mut call.headers).map_err(Failure::contract)?;
        self.http.send(&call, &|url| self.settings.allows(url)).await.map_err(|lost| failed(lost, &call))
    }

    async fn pages(&self, step: &Step, page: &Page, first: Call, scope: &Scope<'_>) -> Result<Got, Ended> {
        if let PageKind::LastFromCount { count, param, size } = &page.kind {
            return self.last_pages(step, page.max, (count, param, *size), first).await;
        }
        let mut call = first;
        if let PageKind::Number { param, from, .. } = &page.kind {
            set_param(&mut call.url, param, &from.to_string());
        }
        let mut all: Vec<Json> = Vec::new();
        let mut picks = Vec::new();
        for number in 1..=page.max {
            let (reply, body) = match self.exchange(step, &call).await {
                // A desk that answers the page after the last one with "nothing" has said it all.
                Err(Ended::Empty) if number > 1 => break,
                other => other?,
            };
            if number == 1 {
                picks = picked(step, &body, Some(&reply))?;
            }
            let rows = rows(step, &body)?;
            let next = self.next(page, &call, &reply, &body, rows.len(), number)?;
            let end = page.newest_first && rows.iter().any(|row| older(step, row, scope));
            all.extend(rows);
            match next {
                Some(next) if !end => call = next,
                _ => {
                    let (answer, trail) = kept(step, all)?;
                    return Ok(Got { answer, trail, truncated: false, picks });
                }
            }
        }
        let (answer, trail) = kept(step, all)?;
        Ok(Got { answer, trail, truncated: true, picks })
    }

    /// The call for the page after this one; none when this was the last.
    fn next(&self, page: &Page, call: &Call, reply: &Reply, body: &Json, rows: usize, number: usize) -> Result<Option<Call>, Failure> {
        let target = match &page.kind {
            PageKind::NextUrl(path) => scalar(&path.eval(body).map_err(Failure::contract)?).filter(|t| !t.is_empty()),
            PageKind::LinkHeader => reply.headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok()).find_map(next_link),
            PageKind::Cursor { path, param } => {
                let cursor = scalar(&path.eval(body).map_err(Failure::contract)?).filter(|t| !t.is_empty());
                let same = |c: &String| call.url.query_pairs().any(|(k, v)| k == param.as_str() && v == c.as_str());
                return Ok(cursor.filter(|c| rows > 0 && !same(c)).map(|c| with_param(call, param, &c)));
            }
            PageKind::Number { param, from, size } => {
                let more = rows > 0 && size.is_none_or(|s| rows as u64 >= s);
                return Ok(more.then(|| with_param(call, param, &(from + number as u64).to_string())));
            }
            PageKind::Offset { param, size } => {
                let more = rows as u64 >= *size;
                return Ok(more.then(|| with_param(call, param, &(size * number as u64).to_string())));
            }
            PageKind::LastFromCount { .. } => None,
        };
        let Some(target) = target else { return Ok(None) };
        let mut url = reply.url.join(&target).map_err(|e| Failure::contract(format!("the next page's URL cannot be read: {e}")))?;
        if !self.settings.allows(&url) {
            let text =
                format!("the next page is said to be at {}, which is not among the desk's hosts; nothing was sent there", place(&url));
            return Err(Failure::contract(text));
        }
        if let Some(auth) = self.definition.auths.iter().find(|a| Some(&a.name) == self.settings.auth.as_ref()) {
            if let AuthKind::Query { name, .. } = &auth.kind {
                let value = call.url.query_pairs().find(|(k, _)| k == name.as_str()).map(|(_, v)| v.into_owned());
                if let Some(value) = value {
                    set_param(&mut url, name, &value);
                }
            }
        }
        Ok(Some(Call { url, ..call.clone() }))
    }

    /// Lists that are oldest first without an order parameter: the last pages, by a count that the first page tells.
    async fn last_pages(&self, step: &Step, max: usize, how: (&super::path::Path, &str, u64), call: Call) -> Result<Got, Ended> {
        let (count, param, size) = how;
        let (reply, body) = self.exchange(step, &call).await?;
        let picks = picked(step, &body, Some(&reply))?;
        let total = scalar(&count.eval(&body).map_err(Failure::contract)?).and_then(|t| t.parse::<u64>().ok());
        let total = total.ok_or_else(|| Failure::contract(format!("the answer has no count at `{}`", count.text())))?;
        let last = total.div_ceil(size).max(1);
        let mut all = Vec::new();
        let first = last.saturating_sub(max as u64 - 1).max(1);
        for number in first..=last {
            let body =
                if number == 1 { body.clone() } else { self.exchange(step, &with_param(&call, param, &number.to_string())).await?.1 };
            all.extend(rows(step, &body)?);
        }
        let (answer, trail) = kept(step, all)?;
        Ok(Got { answer, trail, truncated: false, picks })
    }

    fn cached(&self, key: &str, life: std::time::Duration) -> Option<Json> {
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
enum Ended {
    Empty,
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

fn failed(lost: Lost, call: &Call) -> Failure {
    let failure = |class, message, no_effect| Failure { class, message, retry_after: None, no_effect, gone: false };
    match lost {
        Lost::NotSent(text) => failure(ResultClass::Unavailable, format!("no connection to {}: {text}", place(&call.url)), true),
        Lost::Unknown { text, .. } => failure(ResultClass::Unavailable, format!("no answer from {}: {text}", place(&call.url)), false),
        Lost::Refused(text) => failure(ResultClass::BrokenContract, text, false),
    }
}

fn skipped(step: &Step, scope: &Scope<'_>) -> Result<bool, Failure> {
    let holds = |template: &Template| -> Result<bool, Failure> {
        Ok(template.value(scope).map_err(Failure::contract)?.is_some_and(|v| !v.is_empty()))
    };
    if let Some(when) = &step.when {
        if !holds(when)? {
            return Ok(true);
        }
    }
    match &step.unless {
        Some(unless) => holds(unless),
        None => Ok(false),
    }
}

/// The list that `rows` names. A missing list is a broken contract, never an empty one.
fn rows(step: &Step, body: &Json) -> Result<Vec<Json>, Failure> {
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

/// Rows that count, and for each what stood between it and the next.
fn kept(step: &Step, rows: Vec<Json>) -> Result<(Json, Option<Json>), Failure> {
    let Some(keep) = &step.keep else { return Ok((list(rows), None)) };
    let mut kept: Vec<Json> = Vec::new();
    let mut trails: Vec<Vec<Json>> = Vec::new();
    for row in rows {
        if keep.holds(&row).map_err(|m| Failure::contract(m).after_effect())? {
            kept.push(row);
            trails.push(Vec::new());
        } else if let Some(trail) = trails.last_mut() {
            trail.push(row);
        }
    }
    Ok((list(kept), Some(list(trails.into_iter().map(list).collect()))))
}

fn picked(step: &Step, body: &Json, reply: Option<&Reply>) -> Result<Vec<(String, Value)>, Failure> {
    let mut out = Vec::new();
    for pick in &step.pick {
        let value = match &pick.source {
            PickSource::Path(path) => path.eval(body).map_err(|m| Failure::contract(m).after_effect())?,
            PickSource::Header(name) => {
                reply.and_then(|r| r.headers.get(name.as_str())).and_then(|v| v.to_str().ok()).map_or_else(null, string)
            }
        };
        match (value.is_null(), pick.optional) {
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

fn with_param(call: &Call, name: &str, value: &str) -> Call {
    let mut next = call.clone();
    set_param(&mut next.url, name, value);
    next
}

fn set_param(url: &mut Url, name: &str, value: &str) {
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(k, _)| k != name).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
}

/// The target of `rel="next"` in a Link header (RFC 8288 section 3).
fn next_link(header: &str) -> Option<String> {
    for link in header.split(",") {
        let (target, params) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = params.split(';').any(|p| {
            let (name, value) = p.trim().split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').split(' ').any(|r| r.eq_ignore_ascii_case("next"))
        });
        if next {
            return Some(target.to_owned());
        }
    }
    None
}
