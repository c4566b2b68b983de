//! Drives a live desk and writes down what it was asked and answered.

use super::Fixed;
use super::document::{FORMAT, Transcript};
use super::operation::{Asked, Operation};
use super::redact::Redactor;
use super::replay::played;
use crate::config::DeskSettings;
use crate::desk::definition::{Definition, Step};
use crate::desk::http::{Call, Http, Reply};
use crate::desk::live::HttpDesk;
use crate::engine::ports::Desk;
use crate::model::{Capability, FormChannel, Ticket, TicketRef, View};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a request by a recipe may take to become a ticket.
const LANDING: Duration = Duration::from_secs(120);
const BETWEEN: Duration = Duration::from_secs(3);

/// What the recording is about: the request of a probe.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its token.
    pub token: String,
    /// Its subject.
    pub subject: String,
    /// The customer's address.
    pub address: String,
    /// The customer's name.
    pub name: String,
    /// When it was sent.
    pub since: Timestamp,
}

/// A recording.
#[derive(Debug)]
pub struct Recorded {
    /// The files, in the order in which they were made.
    pub transcripts: Vec<Transcript>,
    /// What people should know: operations that were left out, results that redaction changed.
    pub remarks: Vec<String>,
}

/// Listens to the calls of a desk.
#[derive(Default)]
pub(crate) struct Tap(Mutex<Vec<(Call, Option<Reply>)>>);

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tap(…)")
    }
}

impl Tap {
    /// Takes down a call.
    pub fn note(&self, call: &Call, reply: Option<&Reply>) {
        let reply =
            reply.map(|r| Reply { status: r.status, headers: r.headers.clone(), body: r.body.clone(), url: r.url.clone(), took: r.took });
        self.0.lock().unwrap_or_else(|e| e.into_inner()).push((call.clone(), reply));
    }

    fn taken(&self) -> Vec<(Call, Option<Reply>)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(|e| e.into_inner()))
    }
}

struct Recorder<'a> {
    definition: Arc<Definition>,
    settings: &'a DeskSettings,
    subject: &'a Subject,
    out: Recorded,
}

/// Records the reading operations; with `write` also an answer and the closing, after a request by the recipe when the probe
/// has one. Nothing is changed but on a ticket with the request's token whose requester is its customer.
///
/// # Errors
/// In words: what cannot be recorded, and what to do.
pub async fn record(
    definition: Arc<Definition>,
    settings: &DeskSettings,
    subject: &Subject,
    form: Option<&FormChannel>,
    write: bool,
) -> Result<Recorded, String> {
    let out = Recorded { transcripts: Vec::new(), remarks: Vec::new() };
    let mut recorder = Recorder { definition, settings, subject, out };
    recorder.all(form.filter(|_| write), write).await?;
    Ok(recorder.out)
}

impl Recorder<'_> {
    fn can(&self, capability: Capability) -> bool {
        self.definition.capabilities().contains(&capability)
    }

    async fn all(&mut self, form: Option<&FormChannel>, write: bool) -> Result<(), String> {
        if self.can(Capability::Health) {
            self.take(Operation::Health).await?;
        }
        if let Some(form) = form {
            let Subject { address, name, token, .. } = self.subject.clone();
            self.take(Operation::Create { form: Box::new(form.clone()), address, name, token }).await?;
        }
        let found = self.found(form.is_some()).await?;
        for view in self.definition.views().to_vec() {
            self.take(self.find(view)).await?;
        }
        let Some(id) = found else {
            let what = format!("no ticket carries the token {}", self.subject.token);
            return Err(format!("{what}; run the probe first, and let it keep its ticket until the recording is done"));
        };
        self.take(Operation::Read { ticket: id.clone() }).await?;
        let Some(ticket) = self.desk(None)?.0.read(&id).await.map_err(|t| t.message)? else {
            return Err(format!("ticket {} was found and cannot be read", id.number));
        };
        if self.can(Capability::Messages) {
            self.take(Operation::Messages { ticket: Box::new(ticket.clone()) }).await?;
        }
        if self.can(Capability::History) {
            self.take(Operation::History { ticket: id }).await?;
        }
        if write { self.write(ticket).await } else { Ok(()) }
    }

    async fn write(&mut self, ticket: Ticket) -> Result<(), String> {
        if ticket.requester.as_deref().map(str::to_lowercase) != Some(self.subject.address.to_lowercase()) {
            let remark = format!(
                "ticket {} was not answered and not closed: its requester is not {}",
                ticket.reference.number, self.subject.address
            );
            self.out.remarks.push(remark);
            return Ok(());
        }
        if self.can(Capability::Reply) {
            let text = format!("A test answer to {}. Please ignore it.", self.subject.token);
            self.take(Operation::Reply { ticket: Box::new(ticket.clone()), text }).await?;
            if self.can(Capability::Messages) {
                self.take(Operation::Messages { ticket: Box::new(ticket.clone()) }).await?;
            }
        }
        if self.can(Capability::Close) {
            self.take(Operation::Close { ticket: Box::new(ticket) }).await?;
        }
        Ok(())
    }

    fn find(&self, view: View) -> Operation {
        let Subject { token, subject, address, since, .. } = self.subject.clone();
        Operation::Find { view, needle: Asked { token, subject, address, since } }
    }

    /// The ticket, in whatever view; a fresh request is waited for.
    async fn found(&self, fresh: bool) -> Result<Option<TicketRef>, String> {
        let until = Instant::now() + LANDING;
        loop {
            for view in self.definition.views() {
                let found = self.find(*view).run(self.desk(None)?.0).await;
                let first = &found["found"][0];
                if let (Some(id), Some(number)) = (first["id"].as_str(), first["number"].as_str()) {
                    return Ok(Some(TicketRef { id: id.to_owned(), number: number.to_owned() }));
                }
            }
            if !fresh || Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// A desk of its own for each operation: what is cached would not be asked again in the replay.
    fn desk(&self, fixed: Option<Fixed>) -> Result<(Arc<HttpDesk>, Arc<Tap>), String> {
        let tap = Arc::new(Tap::default());
        let http = |loopback| Http::new(self.settings, loopback).map(|http| http.tapped(tap.clone()));
        let desk = HttpDesk::with(self.definition.clone(), self.settings, http, fixed)?;
        Ok((Arc::new(desk), tap))
    }

    /// Does one operation at the desk and keeps what the definition makes of the redacted answers.
    async fn take(&mut self, operation: Operation) -> Result<(), String> {
        let fixed = Fixed { now: Timestamp::now(), random: crate::desk::create::random()? };
        let (desk, tap) = self.desk(Some(fixed.clone()))?;
        let live = operation.run(desk.clone()).await;
        let runner = &desk.runner;
        let redactor = Redactor::new(&self.definition, &runner.settings, &runner.masks, &self.subject.address, &self.subject.token)?;
        let lists = matches!(operation, Operation::Find { .. });
        let mut exchanges = Vec::new();
        for (call, reply) in &tap.taken() {
            let step = step_of(redactor.definition(), call);
            exchanges.push(redactor.exchange(call, reply.as_ref(), step, lists));
        }
        let told = |value: Value| redactor.value(value);
        let operation_text = serde_json::to_value(&operation).map_err(|e| e.to_string())?;
        let mut transcript = Transcript {
            format: FORMAT,
            definition: self.definition.id.clone(),
            recorded: fixed.now,
            params: redactor.params(&runner.settings),
            random: fixed.random,
            operation: serde_json::from_value(told_operation(&redactor, operation_text))
                .map_err(|e| format!("the operation cannot be written: {e}"))?,
            exchanges,
            result: Value::Null,
        };
        transcript.result = played(&self.definition, &transcript).await?;
        if renamed(&told(live)) != renamed(&transcript.result) {
            let name = transcript.operation.name();
            self.out.remarks.push(format!("{name}: what was taken out of the answers changes what is read from them; look at its result"));
        }
        self.out.transcripts.push(transcript);
        Ok(())
    }
}

/// The operation without what may not be shown; its token is needed, and belongs to the probe.
fn told_operation(redactor: &Redactor<'_>, operation: Value) -> Value {
    let token = |v: &Value| v.get("token").cloned();
    let (own, needle) = (token(&operation), operation.get("needle").and_then(token));
    let mut shown = redactor.value(operation);
    if let Some(own) = own {
        shown["token"] = own;
    }
    if let Some(needle) = needle {
        shown["needle"]["token"] = needle;
    }
    shown
}

/// Results are made under the desk's name, which is another in a replay.
fn renamed(value: &Value) -> String {
    let text = value.to_string();
    let mut parts = text.split("desk `");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| format!("{out}desk{}", part.split_once('`').map_or(part, |(_, rest)| rest)))
}

/// The step that most likely made a call: the one whose target has the same fixed parts.
fn step_of<'d>(definition: &'d Definition, call: &Call) -> Option<&'d Step> {
    let fits = |step: &&Step| {
        let mut rest = call.url.path();
        let parts = step.target.parts().iter().filter_map(|p| match p {
            crate::desk::template::Part::Text(text) => Some(text.as_str()),
            crate::desk::template::Part::Expr(_) => None,
        });
        let mut any = false;
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
            any = true;
        }
        any && crate::desk::call::method(step.method) == call.method && accepts(step, call)
    };
    definition.steps().filter(fits).max_by_key(|s| s.target.text().len())
}

/// Steps that read one address in two ways differ in what they accept.
fn accepts(step: &Step, call: &Call) -> bool {
    let wanted = step.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("accept")).map(|(_, value)| value.text());
    let sent = call.headers.get(reqwest::header::ACCEPT).and_then(|v| v.to_str().ok());
    wanted.is_none_or(|w| sent == Some(w)) && (wanted.is_some() || sent == Some(crate::desk::call::ACCEPTED))
}
