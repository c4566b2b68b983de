//! Recipes as a way of filling in forms: what changes nothing is done first, the rest once.

use super::fields::{Described, Unfilled, fill};
use super::page::Page;
use super::recipe::Create;
use super::stop::{Part, stop};
use crate::desk::flow::{Empties, Flow};
use crate::desk::live::{HttpDesk, html_of};
use crate::desk::mapping::Mapper;
use crate::desk::outcome::Failure;
use crate::desk::path::{Json, null, to_serde};
use crate::desk::scope::{Scope, Value};
use crate::desk::set::DeskSet;
use crate::engine::ways::{FilledForm, FormOrder, Forms, Seen, Stop, Thanks};
use crate::model::{FormBy, FormPrint, ResultClass};
use async_trait::async_trait;
use std::sync::Arc;

/// How much of an answer is kept as evidence.
const MAX_RAW: usize = 2000;

/// Forms filled in by the desks' own recipes.
#[derive(Debug)]
pub struct RecipeForms {
    desks: Arc<DeskSet>,
}

impl RecipeForms {
    /// Recipes of these desks.
    pub fn new(desks: Arc<DeskSet>) -> RecipeForms {
        RecipeForms { desks }
    }

    fn of(&self, order: &FormOrder) -> Result<Recipe, Stop> {
        let ours = |text: String| Stop::unknown("desk-contract-broken", ResultClass::BrokenContract, text);
        let FormBy::Recipe(id) = &order.form.by else {
            return Err(ours("this form is not filled in by a recipe".to_owned()));
        };
        let key = order.desk.as_deref().unwrap_or_default();
        let desk = self.desks.get(key).cloned().ok_or_else(|| ours(format!("there is no desk `{key}`")))?;
        let Some(index) = desk.definition().creates.iter().position(|c| c.id == *id) else {
            let known: Vec<&str> = desk.definition().creates.iter().map(|c| c.id.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ours(format!("the definition of desk `{key}` has no recipe `{id}`")).advice(format!("its recipes: {known}")));
        };
        Ok(Recipe { desk, index, order: order.clone() })
    }
}

#[async_trait]
impl Forms for RecipeForms {
    async fn fill_in(&self, order: &FormOrder) -> Result<Box<dyn FilledForm>, Stop> {
        let filled = self.of(order)?.ready().await?;
        // The writing starts when the form is there: a person takes this long.
        tokio::time::sleep(order.form.dwell).await;
        Ok(Box::new(filled))
    }

    async fn doctor(&self, order: &FormOrder) -> Result<Vec<String>, Stop> {
        let recipe = self.of(order)?;
        let mut lines = Vec::new();
        if recipe.create().needs_mx {
            let domain = order.customer.address.rsplit('@').next().unwrap_or_default();
            lines.push(format!("the desk looks for an MX record of {domain} before it takes the form"));
        }
        if let Some(limit) = recipe.create().limit {
            lines.push(format!("the desk takes {limit}"));
        }
        let filled = recipe.ready().await?;
        let print = filled.seen.print.unwrap_or_default();
        lines.insert(0, format!("the recipe is ready: {}", print.target));
        lines.extend(print.fields.iter().map(|f| format!("field: {f}")));
        Ok(lines)
    }
}

/// A recipe in hand.
struct Recipe {
    desk: Arc<HttpDesk>,
    /// Its place among the definition's.
    index: usize,
    order: FormOrder,
}

/// A recipe whose reading steps are taken.
struct Filled {
    recipe: Recipe,
    scope: Scope<'static>,
    seen: Seen,
}

impl Recipe {
    fn create(&self) -> &Create {
        &self.desk.definition().creates[self.index]
    }

    fn signed(&self) -> bool {
        self.create().auth.is_some() || self.create().steps.iter().any(|s| s.auth.as_deref().is_some_and(|a| a != "none"))
    }

    /// A failure as a stop, with the desk's name and without secrets.
    fn stop(&self, failure: Failure, part: Part, seen: Seen) -> Stop {
        let mut stop = stop(failure, part, self.signed());
        stop.found = self.desk.shown(&format!("recipe {}: {}", self.create().id, stop.found));
        // What the failed call says is newer than what was seen before.
        let newer = std::mem::replace(&mut *stop.seen, seen);
        stop.seen.facts.extend(newer.facts);
        stop
    }

    fn scope(&self) -> Result<Scope<'static>, Failure> {
        let order = &self.order;
        let mut scope = Scope::new(self.desk.runner.settings.params.clone());
        scope.set("now", Value::Time(self.desk.now()));
        scope.set("random", Value::text(self.desk.random().map_err(Failure::contract)?));
        scope.set("token", Value::text(order.token.as_str()));
        scope.set("subject", Value::text(order.form.subject.clone()));
        scope.set("text", Value::text(order.form.text.clone()));
        scope.set("html", Value::text(html_of(&order.form.text)));
        scope.set("customer.name", Value::text(order.customer.name.clone()));
        for name in ["customer.address", "customer.email"] {
            scope.set(name, Value::text(order.customer.address.clone()));
        }
        if let Some(url) = &order.form.page {
            let page = Page::new(url).map_err(|m| Failure::contract(format!("the probe's page {url} {m}")))?;
            scope.set("page", Value::text(url.clone()));
            scope.set("page.origin", Value::text(page.origin()));
            scope.page = self.create().cors.then(|| Arc::new(page));
        }
        Ok(scope)
    }

    /// Takes the steps that change nothing.
    async fn ready(self) -> Result<Filled, Stop> {
        let mut seen = Seen::default();
        let mut scope = match self.scope() {
            Ok(scope) => scope,
            Err(failure) => return Err(self.stop(failure, Part::Ready, seen)),
        };
        let (before, _) = self.create().parts();
        let flow = self.desk.runner.run(before, &mut scope, Empties::End).await;
        note(&mut seen, &scope, "page_ms");
        match flow {
            Ok(Flow::Done { .. }) => {}
            Ok(Flow::Empty { .. }) => {
                let failure = Failure::contract("the desk answers that there is no form").after_effect();
                return Err(self.stop(failure, Part::Ready, seen));
            }
            Err(failure) => return Err(self.stop(failure, Part::Ready, seen)),
        }
        let described = match self.described(&scope) {
            Ok(described) => described,
            Err(message) => return Err(self.stop(Failure::contract(message).after_effect(), Part::Ready, seen)),
        };
        seen.print = Some(self.print(described.as_deref(), &scope));
        if let Some(fields) = described {
            match fill(&fields, &self.order) {
                Ok(rows) => scope.set_step("filled", rows),
                Err(unfilled) => return Err(self.unfilled(unfilled, seen)),
            }
        }
        Ok(Filled { recipe: self, scope, seen })
    }

    fn described(&self, scope: &Scope<'_>) -> Result<Option<Vec<Described>>, String> {
        let Some(map) = &self.create().fields else { return Ok(None) };
        let rows = Mapper { scope, row: null() }.source(&map.each)?;
        map.read(&rows).map(Some)
    }

    /// What should stay from run to run: the described fields, the names of what the desk gives along, and where it goes.
    fn print(&self, described: Option<&[Described]>, scope: &Scope<'_>) -> FormPrint {
        let (before, after) = self.create().parts();
        let mut hidden: Vec<String> = before
            .iter()
            .flat_map(|step| step.pick.iter().map(move |pick| (&step.id, &pick.name)))
            .filter(|(step, pick)| scope.var(&format!("{step}.{pick}")).is_some())
            .map(|(_, pick)| pick.clone())
            .collect();
        hidden.sort();
        hidden.dedup();
        let target = after.first().map(|step| self.desk.runner.target(step, scope)).unwrap_or_default();
        FormPrint { fields: described.unwrap_or_default().iter().map(Described::shown).collect(), hidden, target }
    }

    /// A form that cannot be filled in as the probe says: customers can still fill it in as it is.
    fn unfilled(&self, unfilled: Unfilled, seen: Seen) -> Stop {
        let (found, advice) = match unfilled {
            Unfilled::NoField(what) => (format!("the form has {what}"), "correct the fields of the probe, or ask why the form was changed"),
            Unfilled::Asked(field) => {
                (format!("the form asks for {field}, and the probe has nothing for it"), "add it to the fields of the probe")
            }
        };
        let found = format!("recipe {}: {found}", self.create().id);
        let mut stop =
            Stop::unknown("form-probe-incomplete", ResultClass::BrokenContract, found).or("form-contract-changed").advice(advice);
        *stop.seen = seen;
        stop
    }
}

#[async_trait]
impl FilledForm for Filled {
    fn seen(&self) -> &Seen {
        &self.seen
    }

    async fn submit(self: Box<Self>) -> Result<Thanks, Stop> {
        let Filled { recipe, scope, mut seen } = *self;
        let (_, after) = recipe.create().parts();
        let mut scope: Scope<'_> = scope;
        scope.files = &recipe.order.form.attachments;
        scope.last = None;
        let flow = recipe.desk.runner.run(after, &mut scope, Empties::End).await;
        note(&mut seen, &scope, "submit_ms");
        let answer: Json = after.iter().rev().find_map(|s| scope.answer(&s.id).cloned()).unwrap_or_else(null);
        if !answer.is_null() {
            let text = recipe.desk.runner.masks.mask(&to_serde(&answer).to_string());
            seen.raw = Some(text.chars().take(MAX_RAW).collect());
        }
        match flow {
            Ok(Flow::Done { .. }) => {}
            Ok(Flow::Empty { wrote }) => {
                let failure = Failure { no_effect: !wrote, ..Failure::contract("the desk answered with nothing").after_effect() };
                return Err(recipe.stop(failure, Part::Sent, seen));
            }
            Err(failure) => return Err(recipe.stop(failure, Part::Sent, seen)),
        }
        // It is taken by now: an unreadable number must not make it look otherwise.
        let mapper = Mapper { scope: &scope, row: answer };
        let value = |field: &Option<crate::desk::recipe::Field>| field.as_ref().and_then(|f| mapper.text(f).ok().flatten());
        let number = value(&recipe.create().number);
        let text = value(&recipe.create().thanks).map(|t| recipe.desk.runner.masks.mask(&t)).unwrap_or_else(|| match &number {
            Some(number) => format!("the desk took it as {number}"),
            None => "the desk took it".to_owned(),
        });
        Ok(Thanks { text, number, seen })
    }
}

/// Notes the last exchange.
fn note(seen: &mut Seen, scope: &Scope<'_>, took: &str) {
    let Some(last) = &scope.last else { return };
    seen.facts.insert("url".to_owned(), last.place.clone().into());
    seen.facts.insert("status".to_owned(), last.status.into());
    seen.facts.insert(took.to_owned(), u64::try_from(last.took.as_millis()).unwrap_or(u64::MAX).into());
}

/// Forty letters and digits, for fingerprints and visitors' names.
pub(crate) fn random() -> Result<String, String> {
    crate::random::hex::<20>().map_err(|e| e.to_string())
}
