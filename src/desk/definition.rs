//! A desk file, compiled: plain data that the interpreter walks.

pub(crate) use super::auth::{Auth, AuthKind};
use super::chat::recipe::{ChatRecipe, Presence};
use super::create::{Create, Limit, Means};
use super::path::Path;
use super::recipe::{EntryMap, Field, MessageMap, Record, TimeKind};
use super::template::Template;
use crate::model::{Capability, ResultClass, View};
use crate::problem::Problem;
use regex::Regex;
use scraper::Selector;
use std::time::Duration;

/// A desk definition, ready to run.
#[derive(Debug)]
pub struct Definition {
    /// Its id, by which desks of the configuration name it.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Where the text came from.
    pub origin: String,
    /// Versions of the product against which it was recorded.
    pub versions: Vec<String>,
    /// A remark for people.
    pub note: Option<String>,
    /// True until somebody tried it on the real product.
    pub unproven: bool,
    pub(crate) base: Template,
    pub(crate) hosts: Vec<HostRule>,
    pub(crate) params: Vec<Param>,
    pub(crate) auths: Vec<Auth>,
    pub(crate) outcome: OutcomeRules,
    pub(crate) finds: Vec<Find>,
    pub(crate) read: Vec<Step>,
    pub(crate) record: Option<Record>,
    pub(crate) messages: Vec<Step>,
    pub(crate) message: Option<MessageMap>,
    pub(crate) history: Vec<Step>,
    pub(crate) entry: Option<EntryMap>,
    pub(crate) reply: Vec<Step>,
    pub(crate) receipt: Option<Field>,
    pub(crate) note_steps: Vec<Step>,
    pub(crate) close: Vec<Step>,
    pub(crate) delete: Vec<Step>,
    pub(crate) move_to: Vec<Step>,
    pub(crate) mark: Vec<Step>,
    pub(crate) health: Vec<Step>,
    pub(crate) health_say: Vec<Template>,
    pub(crate) visit: Vec<Step>,
    pub(crate) presence: Option<Presence>,
    pub(crate) chat: Option<std::sync::Arc<ChatRecipe>>,
    pub(crate) creates: Vec<Create>,
    pub(crate) limit: Option<Limit>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) views: Vec<View>,
    pub(crate) includes: Vec<View>,
}

impl Definition {
    /// Reads a desk file. `origin` is the file's name for messages. Every problem is reported at once.
    pub fn parse(origin: &str, text: &str) -> Result<Definition, Vec<Problem>> {
        super::parse::definition(origin, text)
    }

    /// What the definition can do.
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// The views in which `find` can look; `Normal` is always one.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// The views that the normal search covers as well, so that looking there again would tell nothing new.
    pub fn normal_includes(&self) -> &[View] {
        &self.includes
    }

    /// True until somebody recorded the real product.
    pub fn unproven(&self) -> bool {
        self.unproven
    }

    /// Fields of a ticket that its `[record]` does not map.
    pub fn untold(&self) -> Vec<&'static str> {
        let Some(record) = &self.record else { return Vec::new() };
        [
            ("queue", record.queue.is_some()),
            ("requester", record.requester.is_some()),
            ("priority", record.priority.is_some()),
            ("tags", record.tags.is_some()),
            ("channel", record.channel.is_some()),
            ("created_within", record.created.is_some()),
            ("fields", record.fields_from.is_some() || !record.fields.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, told)| (!told).then_some(name))
        .collect()
    }

    /// The params that a desk of the configuration may set.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}

/// A typed input of a definition.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Must be given.
    pub required: bool,
    /// Never shown; may come from the environment or a file.
    pub secret: bool,
    /// Its type.
    pub kind: ParamKind,
    /// What it is, for people.
    pub doc: String,
    /// Its value when none is given.
    pub default: Option<toml::Value>,
    pub(crate) pattern: Option<Regex>,
}

/// The type of a param.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// An absolute http or https URL, without user, password, query or fragment.
    Url,
}

impl ParamKind {
    /// The name in desk files.
    pub fn as_str(self) -> &'static str {
        match self {
            ParamKind::Text => "text",
            ParamKind::Int => "int",
            ParamKind::Bool => "bool",
            ParamKind::Url => "url",
        }
    }
}

/// A host to which credentials may go.
#[derive(Debug, Clone)]
pub(crate) struct HostRule {
    pub template: Template,
    /// `host(…)`: the host of a URL.
    pub of_url: bool,
}

/// How answers are named. First match wins, in the order of the fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutcomeRules {
    pub unauthorised: Rule,
    pub throttled: Rule,
    pub denied: Rule,
    pub gone: Rule,
    pub unavailable: Rule,
    /// How long to wait when the desk does not say.
    pub wait: Option<Duration>,
    /// Where the answer says what is wrong.
    pub message: Option<Path>,
    /// Must hold in every answer.
    pub check: Option<Path>,
    pub fail: Vec<Fail>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub status: Vec<u16>,
    pub when: Option<Path>,
}

/// A failure that the body names.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    pub name: String,
    pub when: Path,
    pub class: ResultClass,
    /// In `[chat]`: what it points to.
    pub fault: Option<&'static str>,
    /// What it says of a form.
    pub means: Means,
}

/// One way to find tickets.
#[derive(Debug, Clone)]
pub(crate) struct Find {
    pub id: String,
    pub view: View,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Json,
    Text,
    /// A page, of which `select` takes lists of elements.
    Html,
    /// Whatever it is: not looked at.
    Ignored,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub id: String,
    pub method: Method,
    pub target: Template,
    /// The target is a whole URL, not a path below the base.
    pub absolute: bool,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(String, Template)>,
    pub body: Option<Body>,
    pub auth: Option<String>,
    /// Statuses that are a success; empty: 200 to 299.
    pub status: Vec<u16>,
    pub answer: Answer,
    /// Names and CSS selectors of what is taken from a page.
    pub select: Vec<(String, Selector)>,
    pub pick: Vec<Pick>,
    pub rows: Option<Path>,
    /// Of the rows, those that count; the others between them are their trail.
    pub keep: Option<Path>,
    /// Of the others, those that belong to the row before them; the first that does not ends its trail.
    pub trail: Option<Path>,
    pub matching: Option<Match>,
    pub page: Option<Page>,
    pub when: Option<Template>,
    pub unless: Option<Template>,
    pub optional: bool,
    pub each: Option<Over>,
    pub max: usize,
    pub cache: Option<Duration>,
    pub empty_if: Option<Path>,
    pub empty_status: Vec<u16>,
    pub check: Option<Path>,
    pub fail: Vec<Fail>,
    pub verify: Option<Verify>,
    /// A writing call that by itself changes nothing (an upload).
    pub prepares: bool,
    /// A writing method that only reads (a search by POST).
    pub reads: bool,
}

impl Step {
    /// True when the call may change something at the desk.
    pub fn writes(&self) -> bool {
        self.method != Method::Get && !self.reads && !self.prepares
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub name: String,
    pub source: PickSource,
    pub optional: bool,
    /// Never shown.
    pub secret: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum PickSource {
    Path(Path),
    Header(String),
    /// The first group of a pattern in the answer's text.
    Text(Regex),
}

/// What a find's row must look like.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    pub fields: Vec<Path>,
    pub contains: Option<Template>,
    pub created: Option<(Path, TimeKind)>,
    pub id: Path,
    pub number: Option<Path>,
    pub hold_cause: Option<Path>,
}

/// How further pages are got.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub kind: PageKind,
    pub max: usize,
    /// Rows come newest first: one older than `since` ends the search.
    pub newest_first: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum PageKind {
    NextUrl(Path),
    LinkHeader,
    Cursor { path: Path, param: String },
    Number { param: String, from: u64, size: Option<u64> },
    Offset { param: String, size: u64 },
    LastFromCount { count: Path, param: String, size: u64 },
}

/// What a repeated step goes through.
#[derive(Debug, Clone)]
pub(crate) enum Over {
    /// The rows of a step, or a list inside its answer.
    Step(String, Option<Path>),
    /// The files of a reply or a form.
    Files,
}

#[derive(Debug, Clone)]
pub(crate) struct Verify {
    pub field: String,
    pub is: Template,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Shape),
    Form(Vec<(String, Template)>),
    /// Fields, and the name under which each file goes.
    Multipart {
        fields: Vec<(String, Template)>,
        files: Option<String>,
    },
    Raw {
        content: Template,
        kind: Option<Template>,
    },
    Text {
        content: Template,
        kind: Option<Template>,
    },
}

/// A JSON body to be built.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Leaf(Template),
    Const(serde_json::Value),
    List(Vec<Shape>),
    Map(Vec<(String, Shape)>),
    /// `$each` / `$as`: a list; with `$key`/`$value` an object.
    Each {
        over: Over,
        omit_empty: bool,
        item: Box<Shape>,
    },
    EachPair {
        over: Over,
        omit_empty: bool,
        key: Template,
        value: Box<Shape>,
    },
    /// `$list`: a list found by a path.
    ListOf {
        step: String,
        path: Path,
        omit_empty: bool,
    },
}
