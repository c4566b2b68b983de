//! A desk spoken to through its definition: the `Desk` and `Desks` ports of the engine.

use super::definition::{Definition, Step};
use super::flow::{Empties, Flow, Runner};
use super::http::Http;
use super::mapping::{Mapper, bare, row_scopes, status_word};
use super::matching::matches;
use super::outcome::Failure;
use super::path::{Json, null};
use super::scope::{Scope, Value};
use super::settings::Settings;
use super::transcript::Fixed;
use crate::config::DeskSettings;
use crate::engine::ports::{Acted, Desk, FoundTicket, Needle, Trouble};
use crate::model::{Capability, HistoryEntry, ReplyContent, ReplyReceipt, ResultClass, Ticket, TicketMessage, TicketRef, View};
use async_trait::async_trait;
use jiff::Timestamp;
use jmespath::Variable;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// One desk of the configuration.
#[derive(Debug)]
pub struct HttpDesk {
    name: String,
    pub(super) runner: Runner,
    pub(super) files: Mutex<HashMap<String, (Instant, u64, String)>>,
    /// In recordings and replays: time and chance.
    fixed: Option<Fixed>,
}

impl HttpDesk {
    /// A desk from its definition and settings. Opens no connection. The error says what to change.
    pub fn new(definition: Arc<Definition>, settings: &DeskSettings) -> Result<HttpDesk, String> {
        HttpDesk::with(definition, settings, |loopback| Http::new(settings, loopback), None)
    }

    /// A desk whose calls go the given way, which is told whether the desk is on this machine.
    pub(super) fn with(
        definition: Arc<Definition>,
        settings: &DeskSettings,
        http: impl FnOnce(bool) -> Result<Http, String>,
        fixed: Option<Fixed>,
    ) -> Result<HttpDesk, String> {
        let own = Settings::new(&definition, &settings.params).map_err(|(_, m)| format!("desk `{}`: {m}", settings.name))?;
        let http = http(own.is_loopback()).map_err(|m| format!("desk `{}`: {m}", settings.name))?;
        let runner = Runner::new(definition, own, http);
        Ok(HttpDesk { name: settings.name.clone(), runner, files: Mutex::default(), fixed })
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.fixed.as_ref().map_or_else(Timestamp::now, |f| f.now)
    }

    /// Forty letters and digits.
    pub(super) fn random(&self) -> Result<String, String> {
        self.fixed.as_ref().map_or_else(super::create::random, |f| Ok(f.random.clone()))
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.runner.definition
    }

    /// A text for people: with the desk's name, without secrets.
    pub(super) fn shown(&self, text: &str) -> String {
        self.runner.masks.mask(&format!("desk `{}`, {text}", self.name))
    }

    fn scope(&self) -> Scope<'_> {
        let mut scope = Scope::new(self.runner.settings.params.clone());
        scope.set("now", Value::Time(self.now()));
        scope
    }

    fn ticket_scope(&self, ticket: &Ticket) -> Scope<'_> {
        let mut scope = self.id_scope(&ticket.reference);
        scope.set("ticket.id", Value::text(ticket.reference.id.clone()));
        scope.set("ticket.number", Value::text(ticket.reference.number.clone()));
        scope.set_some("ticket.subject", ticket.subject.as_deref());
        scope.set_some("ticket.queue", ticket.queue.as_deref());
        scope.set_some("ticket.status", ticket.status.map(status_word));
        scope.set_some("ticket.status_text", ticket.status_text.as_deref());
        scope.set_some("ticket.requester", ticket.requester.as_deref());
        scope.set_some("ticket.priority", ticket.priority.as_deref());
        scope.set_some("ticket.channel", ticket.channel.as_deref());
        scope
    }

    fn id_scope(&self, id: &TicketRef) -> Scope<'_> {
        let mut scope = self.scope();
        scope.set("id", Value::text(id.id.clone()));
        scope.set("number", Value::text(id.number.clone()));
        scope
    }

    /// A failure as the engine's word, with the desk's name and without secrets.
    fn told(&self, what: &str, failure: Failure) -> Trouble {
        let mut trouble = failure.trouble();
        trouble.message = self.runner.masks.mask(&format!("desk `{}`, {what}: {}", self.name, trouble.message));
        trouble
    }

    fn broken(&self, what: &str, message: impl Into<String>) -> Trouble {
        self.told(what, Failure::contract(message))
    }

    fn acted(&self, what: &str, failure: Failure) -> Acted {
        match failure.no_effect {
            true => Acted::NotDone(self.told(what, failure)),
            false => Acted::Uncertain(self.told(what, failure)),
        }
    }

    /// Takes the steps of a writing operation and verifies what it declares.
    async fn act(&self, what: &str, steps: &[Step], scope: &mut Scope<'_>, id: &TicketRef) -> Result<(), Acted> {
        if steps.is_empty() {
            return Err(Acted::NotDone(self.broken(what, "its definition does not have this")));
        }
        match self.runner.run(steps, scope, Empties::End).await {
            Ok(Flow::Done { .. }) => {}
            Ok(Flow::Empty { wrote: true }) => return Err(Acted::Uncertain(self.broken(what, "the desk answered with nothing"))),
            Ok(Flow::Empty { wrote: false }) => return Err(Acted::NotDone(self.broken(what, "what it starts from is not there"))),
            Err(failure) => return Err(self.acted(what, failure)),
        }
        for step in steps {
            if let Some(verify) = &step.verify {
                let wanted = verify.is.string(scope).map_err(|m| Acted::Uncertain(self.broken(what, m)))?.unwrap_or_default();
                self.verify(what, &verify.field, &wanted, id).await?;
            }
        }
        Ok(())
    }

    /// Reads the ticket again: some desks answer success and do nothing.
    async fn verify(&self, what: &str, field: &str, wanted: &str, id: &TicketRef) -> Result<(), Acted> {
        let ticket = match self.read(id).await {
            Ok(Some(ticket)) => ticket,
            Ok(None) => return Err(Acted::Uncertain(self.broken(what, "the ticket is gone when read again"))),
            Err(trouble) => return Err(Acted::Uncertain(trouble)),
        };
        let found = match field {
            "status" => ticket.status.map(|s| status_word(s).to_owned()),
            "queue" => ticket.queue,
            "subject" => ticket.subject,
            "priority" => ticket.priority,
            "requester" => ticket.requester,
            "tags" => ticket.tags.map(|t| if t.iter().any(|t| t == wanted) { wanted.to_owned() } else { t.join(", ") }),
            _ => None,
        };
        if found.as_deref() == Some(wanted) {
            return Ok(());
        }
        let found = found.unwrap_or_else(|| "unknown".to_owned());
        Err(Acted::NotDone(
            self.broken(what, format!("the desk answered success, but read again the {field} is `{found}`, not `{wanted}`")),
        ))
    }

    /// Runs one find strategy. Gives what matched and the page of the list on which it stood.
    async fn strategy(&self, steps: &[Step], needle: &Needle) -> Result<Vec<(super::matching::Found, usize)>, Failure> {
        let mut scope = self.scope();
        scope.set("token", Value::text(needle.token.as_str()));
        scope.set("subject", Value::text(needle.subject.clone()));
        scope.set("since", Value::Time(needle.since));
        scope.set("customer.address", Value::text(needle.address.clone()));
        scope.set("customer.email", Value::text(needle.address.clone()));
        scope.set_some("conversation", needle.conversation.as_deref());
        scope.set_some("number", needle.number.as_deref());
        let Some(last) = steps.last() else { return Ok(Vec::new()) };
        let truncated = match self.runner.run(steps, &mut scope, Empties::End).await? {
            Flow::Empty { .. } => return Ok(Vec::new()),
            Flow::Done { truncated } => truncated,
        };
        // A last step that was left out (`when`, `optional`) has looked at nothing.
        let Some(rows) = scope.answer(&last.id).and_then(|a| a.as_array().cloned()) else {
            return Err(Failure::contract(format!("step `{}` gave no list to look through", last.id)));
        };
        let found = matches(last, &rows, &scope)?;
        if found.is_empty() && truncated {
            return Err(Failure::contract(format!("nothing in the first {} rows, and there are more pages than may be read", rows.len())));
        }
        let page = |row: usize| scope.pages.iter().position(|end| row < *end).map_or(1, |place| place + 1);
        Ok(found
            .into_iter()
            .map(|f| {
                let page = page(f.row);
                (f, page)
            })
            .collect())
    }
}

/// Plain text as HTML, for desks that take nothing else.
pub(super) fn html_of(text: &str) -> String {
    format!("<p>{}</p>", super::filter::escape_html(text).replace("\r\n", "\n").replace("\n\n", "</p><p>").replace('\n', "<br>"))
}

#[async_trait]
impl Desk for HttpDesk {
    fn capabilities(&self) -> &[Capability] {
        self.definition().capabilities()
    }

    fn views(&self) -> &[View] {
        self.definition().views()
    }

    fn unproven(&self) -> bool {
        self.definition().unproven()
    }

    async fn find(&self, needle: &Needle, view: View) -> Result<Vec<FoundTicket>, Trouble> {
        let definition = self.definition();
        let what = format!("find in the view {}", view.as_str());
        let own = definition.finds.iter().any(|f| f.view == view);
        let asked = if !own && definition.includes.contains(&view) { View::Normal } else { view };
        let mut first: Option<Failure> = None;
        let mut tried = false;
        let mut missed: Option<String> = None;
        for find in definition.finds.iter().filter(|f| f.view == asked) {
            tried = true;
            match self.strategy(&find.steps, needle).await {
                Ok(found) if found.is_empty() => missed = missed.or_else(|| Some(find.id.clone())),
                Ok(found) => {
                    let ticket = |(f, page): (super::matching::Found, usize)| FoundTicket {
                        reference: f.reference,
                        view: asked,
                        strategy: find.id.clone(),
                        missed_by: missed.clone(),
                        page,
                        hold_cause: f.hold_cause,
                    };
                    return Ok(found.into_iter().map(ticket).collect());
                }
                // Asking in another way would only make it worse.
                Err(failure) if failure.class == ResultClass::Throttled => return Err(self.told(&what, failure)),
                // Another way may still find it; but if none does, this is not "nothing there".
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        match first {
            Some(failure) => Err(self.told(&what, failure)),
            None if !tried => Err(self.broken(&what, "its definition cannot look there")),
            None => Ok(Vec::new()),
        }
    }

    async fn read(&self, id: &TicketRef) -> Result<Option<Ticket>, Trouble> {
        let definition = self.definition();
        let what = format!("read ticket {}", id.number);
        let Some(record) = &definition.record else { return Err(self.broken(&what, "its definition cannot read tickets")) };
        let mut scope = self.id_scope(id);
        match self.runner.run(&definition.read, &mut scope, Empties::First).await {
            Ok(Flow::Done { .. }) => {}
            Ok(Flow::Empty { .. }) => return Ok(None),
            Err(failure) if failure.gone => return Ok(None),
            Err(failure) => return Err(self.told(&what, failure)),
        }
        let row = definition.read.first().and_then(|s| scope.answer(&s.id).cloned()).unwrap_or_else(null);
        let ticket = Mapper { scope: &scope, row }.ticket(record).map_err(|m| self.broken(&what, m))?;
        Ok(Some(ticket))
    }

    async fn messages(&self, ticket: &Ticket) -> Result<Vec<TicketMessage>, Trouble> {
        let definition = self.definition();
        let what = format!("messages of ticket {}", ticket.reference.number);
        let told = |f: Failure| self.told(&what, f);
        let Some(map) = &definition.message else { return Err(self.broken(&what, "its definition cannot read messages")) };
        let mut scope = self.ticket_scope(ticket);
        if map.needs_read {
            self.runner.run(&definition.read, &mut scope, Empties::First).await.map_err(told)?;
        }
        match self.runner.run(&definition.messages, &mut scope, Empties::First).await.map_err(told)? {
            Flow::Empty { .. } => return Ok(Vec::new()),
            Flow::Done { truncated: true } => return Err(self.broken(&what, "there are more pages than may be read")),
            Flow::Done { truncated: false } => {}
        }
        let mut out = Vec::new();
        for (inner, row) in row_scopes(&map.main, &definition.messages, &scope) {
            let mapper = Mapper { scope: &inner, row };
            let mut message = mapper.message(map).map_err(|m| self.broken(&what, m))?;
            message.files = self.hashed(&mapper, &message.id).await.map_err(told)?;
            out.push(message);
        }
        // Oldest first, whatever the desk's order; without times the desk's order stands.
        if out.iter().all(|m| m.at.is_some()) {
            out.sort_by_key(|m| m.at);
        }
        Ok(out)
    }

    async fn history(&self, id: &TicketRef) -> Result<Vec<HistoryEntry>, Trouble> {
        let definition = self.definition();
        let what = format!("history of ticket {}", id.number);
        let Some(map) = &definition.entry else { return Err(self.broken(&what, "its definition has no history")) };
        let mut scope = self.id_scope(id);
        match self.runner.run(&definition.history, &mut scope, Empties::First).await.map_err(|f| self.told(&what, f))? {
            Flow::Empty { .. } => return Ok(Vec::new()),
            Flow::Done { truncated: true } => return Err(self.broken(&what, "there are more pages than may be read")),
            Flow::Done { truncated: false } => {}
        }
        let entries = row_scopes(&map.main, &definition.history, &scope).into_iter();
        let entries: Result<Vec<HistoryEntry>, String> = entries.map(|(inner, row)| Mapper { scope: &inner, row }.entry(map)).collect();
        let mut entries = entries.map_err(|m| self.broken(&what, m))?;
        if entries.iter().all(|e| e.at.is_some()) {
            entries.sort_by_key(|e| e.at);
        }
        Ok(entries)
    }

    async fn reply(&self, ticket: &Ticket, content: &ReplyContent) -> Result<ReplyReceipt, Acted> {
        let definition = self.definition();
        let mut scope = self.ticket_scope(ticket);
        scope.files = &content.attachments;
        scope.set("reply.text", Value::text(content.text.clone()));
        scope.set("reply.html", Value::text(content.html.clone().unwrap_or_else(|| html_of(&content.text))));
        scope.set("reply.has_html", Value::Json(Arc::new(Variable::Bool(content.html.is_some()))));
        self.act("reply", &definition.reply, &mut scope, &ticket.reference).await?;
        let row: Json = definition.reply.iter().rev().find_map(|s| scope.answer(&s.id).cloned()).unwrap_or_else(null);
        // The answer is stored by now: an unreadable receipt must not make it look otherwise.
        let id = definition.receipt.as_ref().and_then(|f| Mapper { scope: &scope, row }.text(f).ok().flatten());
        Ok(ReplyReceipt { message_id: id.map(|i| bare(&i)) })
    }

    async fn close(&self, ticket: &Ticket) -> Result<(), Acted> {
        let mut scope = self.ticket_scope(ticket);
        self.act("close", &self.definition().close, &mut scope, &ticket.reference).await
    }

    async fn delete(&self, ticket: &Ticket) -> Result<(), Acted> {
        let mut scope = self.ticket_scope(ticket);
        self.act("delete", &self.definition().delete, &mut scope, &ticket.reference).await
    }

    async fn mark(&self, ticket: &Ticket, tag: &str) -> Result<(), Acted> {
        let mut scope = self.ticket_scope(ticket);
        scope.set("tag", Value::text(tag));
        self.act("mark", &self.definition().mark, &mut scope, &ticket.reference).await
    }

    async fn note(&self, ticket: &Ticket, text: &str) -> Result<(), Acted> {
        let mut scope = self.ticket_scope(ticket);
        scope.set("note.text", Value::text(text));
        self.act("note", &self.definition().note_steps, &mut scope, &ticket.reference).await
    }

    async fn move_to(&self, ticket: &Ticket, queue: &str) -> Result<(), Acted> {
        let mut scope = self.ticket_scope(ticket);
        scope.set("queue", Value::text(queue));
        self.act("move", &self.definition().move_to, &mut scope, &ticket.reference).await
    }

    fn creates(&self) -> Option<String> {
        self.definition().creates.first().map(|c| c.id.clone())
    }

    async fn agents_available(&self) -> Result<Option<bool>, Trouble> {
        let Some(presence) = &self.definition().presence else { return Ok(None) };
        let what = "who is there for chat";
        let mut scope = self.scope();
        let flow = self.runner.run(&presence.steps, &mut scope, Empties::First).await.map_err(|f| self.told(what, f))?;
        if matches!(flow, Flow::Empty { .. }) {
            return Ok(Some(false));
        }
        let found = Mapper { scope: &scope, row: null() }.source(&presence.available).map_err(|m| self.broken(what, m))?;
        Ok((!found.is_null()).then(|| super::chat::yes(&found)))
    }

    async fn visit(&self) -> Result<bool, Trouble> {
        let definition = self.definition();
        if definition.visit.is_empty() {
            return Ok(false);
        }
        let mut scope = self.scope();
        let told = |failure| self.told("visit", failure);
        self.runner.run(&definition.visit, &mut scope, Empties::First).await.map(|_| true).map_err(told)
    }

    async fn health(&self) -> Result<Vec<String>, Trouble> {
        let definition = self.definition();
        if definition.health.is_empty() {
            return Err(self.broken("health", "its definition has no [health]"));
        }
        let mut scope = self.scope();
        let flow = self.runner.run(&definition.health, &mut scope, Empties::First).await.map_err(|f| self.told("health", f))?;
        if matches!(flow, Flow::Empty { .. }) {
            return Err(self.broken("health", "the desk answered with nothing"));
        }
        let mut lines = Vec::new();
        for template in &definition.health_say {
            lines.extend(template.string(&scope).map_err(|m| self.broken("health", m))?);
        }
        if lines.is_empty() {
            lines.push(format!("{} answers and knows us", definition.title));
        }
        Ok(lines.into_iter().map(|l| self.runner.masks.mask(&l)).collect())
    }
}
