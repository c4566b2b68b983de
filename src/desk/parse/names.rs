//! Which names a template may use where it stands.

use crate::desk::definition::{Over, Param};
use crate::desk::filter::{Arg, Filter};
use crate::desk::path::{Path, PathError};
use crate::desk::reader::{Node, Reader, Span};
use crate::desk::recipe::Source;
use crate::desk::scope::FILE_FIELDS;
use crate::desk::template::{Expr, Name, Template, step_prefix};
use crate::suggest::suggest;

/// Variables of a ticket in hand.
const TICKET: [&str; 9] = [
    "ticket.id",
    "ticket.number",
    "ticket.subject",
    "ticket.queue",
    "ticket.status",
    "ticket.status_text",
    "ticket.requester",
    "ticket.priority",
    "ticket.channel",
];

/// Variables of a request that a customer writes.
const CREATE: [&str; 10] =
    ["token", "subject", "text", "html", "customer.name", "customer.address", "customer.email", "page", "page.origin", "random"];

/// An operation, for the variables that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Base, hosts, auth: params only.
    Setup,
    /// `[[find]]`.
    Find,
    /// `[read]`, `[history]`.
    Id,
    /// `[messages]`, `[close]`, `[delete]`.
    Ticket,
    /// `[reply]`.
    Reply,
    /// `[note]`.
    Note,
    /// `[move]`.
    Move,
    /// `[mark]`.
    Mark,
    /// `[health]`, `[visit]`, `[presence]`.
    Health,
    /// `[chat]`: what a visitor does without saying anything.
    Visit,
    /// `[chat]`: what a visitor says.
    Say,
    /// `[[create]]`.
    Create,
}

/// Variables of a chat visitor.
const VISITOR: [&str; 10] =
    ["random", "customer.address", "customer.email", "customer.name", "page", "origin", "since", "conversation", "visitor", "prechat"];

impl Op {
    /// The variables that its templates can use, beside params.
    pub fn variables(self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = match self {
            Op::Setup => return Vec::new(),
            Op::Find => vec!["token", "subject", "since", "customer.address", "customer.email", "conversation", "number"],
            Op::Health => vec![],
            Op::Visit | Op::Say => VISITOR.to_vec(),
            Op::Create => CREATE.to_vec(),
            Op::Id => vec!["id", "number"],
            _ => vec!["id", "number"].into_iter().chain(TICKET).collect(),
        };
        names.push("now");
        match self {
            Op::Reply => names.extend(["reply.text", "reply.html", "reply.has_html"]),
            Op::Note => names.push("note.text"),
            Op::Move => names.push("queue"),
            Op::Mark => names.push("tag"),
            Op::Say => names.extend(["text", "token"]),
            _ => {}
        }
        names
    }

    /// True where files go with the text.
    pub fn has_files(self) -> bool {
        matches!(self, Op::Reply | Op::Say | Op::Create)
    }

    /// True for the visitor's side of a chat.
    pub fn is_chat(self) -> bool {
        matches!(self, Op::Visit | Op::Say)
    }
}

/// What is an `item` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// Nothing.
    None,
    /// A row.
    Row,
    /// A file of the reply or form.
    File,
}

/// The names in scope.
#[derive(Clone)]
pub struct Names<'a> {
    pub reader: &'a Reader,
    pub op: Op,
    pub params: &'a [Param],
    /// Steps whose answers can be used.
    pub steps: Vec<String>,
    /// Picked values, as `step.name`.
    pub picks: Vec<String>,
    /// Further variables.
    pub extra: Vec<&'static str>,
    pub item: ItemKind,
}

impl<'a> Names<'a> {
    /// The names of an operation before its first step.
    pub fn new(reader: &'a Reader, op: Op, params: &'a [Param]) -> Names<'a> {
        Names { reader, op, params, steps: Vec::new(), picks: Vec::new(), extra: Vec::new(), item: ItemKind::None }
    }

    /// The same with an element in hand.
    pub fn with_item(&self, over: &Over) -> Names<'a> {
        let item = if matches!(over, Over::Files) { ItemKind::File } else { ItemKind::Row };
        Names { item, ..self.clone() }
    }

    /// A template, or a problem.
    pub fn template(&self, node: Node<'_>, what: &str) -> Option<Template> {
        let text = self.reader.string(node, what)?;
        self.template_text(node, &text)
    }

    /// A template from a text that stands in `node`.
    pub fn template_text(&self, node: Node<'_>, text: &str) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(e) => {
                self.reader.inside(node, text, e);
                return None;
            }
        };
        for expr in template.expressions() {
            self.check(node, text, expr);
        }
        Some(template)
    }

    /// The place of one `${…}`.
    pub fn expr_span(&self, node: Node<'_>, text: &str, expr: &Expr) -> Span {
        self.reader.inner_span(node, text, expr.at, Some(expr.length))
    }

    fn check(&self, node: Node<'_>, text: &str, expr: &Expr) {
        let span = || Some(self.expr_span(node, text, expr));
        match &expr.name {
            Name::Var(name) => self.check_variable(name, span),
            Name::Param(name) => {
                if !self.params.iter().any(|p| p.name == *name) {
                    let near = suggest(name, self.params.iter().map(|p| p.name.as_str())).map(|n| format!("did you mean `params.{n}`?"));
                    self.reader.problem(span(), format!("there is no param `{name}`"), near);
                }
            }
            Name::Step(step, _) => {
                if !self.steps.contains(step) {
                    self.reader.problem(span(), format!("no step `{step}` has an answer here"), self.step_help(step));
                }
            }
            Name::Item(name, _) => self.check_item(name, span),
        }
        for filter in &expr.filters {
            if let Filter::Default(Arg::Name(name)) | Filter::DataUrl(Arg::Name(name)) | Filter::Hmac(Arg::Name(name)) = filter {
                if name.starts_with("item.") { self.check_item(name, span) } else { self.check_variable(name, span) }
            }
        }
    }

    fn step_help(&self, step: &str) -> Option<String> {
        match suggest(step, self.steps.iter().map(String::as_str)) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if self.steps.is_empty() => Some("only steps above this one can be used".to_owned()),
            None => Some(format!("steps above: {}", self.steps.join(", "))),
        }
    }

    fn check_variable(&self, name: &str, span: impl Fn() -> Option<Span>) {
        let variables = self.op.variables();
        let known = variables.contains(&name)
            || self.extra.contains(&name)
            || (self.op.is_chat() && name.starts_with("prechat."))
            || self.picks.iter().any(|p| p == name)
            || self.params.iter().any(|p| p.name == name);
        if known {
            return;
        }
        let all: Vec<&str> = variables
            .iter()
            .chain(&self.extra)
            .copied()
            .chain(self.picks.iter().map(String::as_str))
            .chain(self.params.iter().map(|p| p.name.as_str()))
            .collect();
        let help = match suggest(name, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", all.join(", ")),
        };
        self.reader.problem(span(), format!("nothing here is called `{name}`"), Some(help));
    }

    fn check_item(&self, name: &str, span: impl Fn() -> Option<Span>) {
        match self.item {
            ItemKind::None => self.reader.problem(
                span(),
                "there is no `item` here",
                Some("`item` exists in steps with `each` and inside `$as`".to_owned()),
            ),
            ItemKind::File => {
                let field = name.strip_prefix("item.").unwrap_or_default();
                if !FILE_FIELDS.contains(&field) {
                    self.reader.problem(span(), format!("a file has no `{field}`"), Some(format!("a file has {}", FILE_FIELDS.join(", "))));
                }
            }
            ItemKind::Row => {}
        }
    }

    /// `step:path` or, where rows are in hand, `path`.
    pub fn source(&self, node: Node<'_>, what: &str) -> Option<Source> {
        let text = self.reader.string(node, what)?;
        let (step, path, skip) = match step_prefix(&text) {
            Some((step, path)) => (Some(step), path, step.len() + 1),
            None => (None, text.as_str(), 0),
        };
        let compiled = match Path::parse(path) {
            Ok(path) => path,
            Err(e) => {
                self.reader.inside(node, &text, PathError { offset: e.offset + skip, ..e });
                return None;
            }
        };
        match step {
            None => Some(Source::Row(compiled)),
            Some(step) => {
                if !self.steps.iter().any(|s| s == step) {
                    let span = self.reader.inner_span(node, &text, 0, Some(step.len()));
                    self.reader.problem(Some(span), format!("no step `{step}` has an answer here"), self.step_help(step));
                }
                Some(Source::Step(step.to_owned(), compiled))
            }
        }
    }
}
