//! `[chat]` and `[presence]` of a desk file, compiled: plain data that the visitor's side walks.

use crate::desk::definition::{Fail, Pick, Shape, Step};
use crate::desk::path::Path;
use crate::desk::recipe::{Field, FilesMap, Source, Timed};
use crate::desk::scope::Scope;
use crate::desk::template::Template;
use std::time::Duration;

/// How lines travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Asked for again and again.
    Http,
    /// A call that the desk keeps open until there is something to say.
    LongPoll,
    /// Server-sent events.
    Sse,
    /// A WebSocket with JSON objects.
    JsonEvents,
    /// Action Cable, the WebSocket protocol of Rails.
    ActionCable,
}

impl Transport {
    /// Every transport, in the order of the desk language's words.
    pub const ALL: [Transport; 5] = [Transport::Http, Transport::LongPoll, Transport::Sse, Transport::JsonEvents, Transport::ActionCable];

    /// Its word in desk files.
    pub fn as_str(self) -> &'static str {
        crate::desk::shape::TRANSPORTS[self as usize]
    }

    /// The transport of that word.
    pub fn of(word: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|t| t.as_str() == word)
    }

    /// True for a WebSocket, on which steps can speak.
    pub fn is_socket(self) -> bool {
        matches!(self, Transport::JsonEvents | Transport::ActionCable)
    }
}

/// `[presence]`.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    pub steps: Vec<Step>,
    pub available: Source,
}

/// `[chat]`.
#[derive(Debug)]
pub(crate) struct ChatRecipe {
    pub transport: Template,
    /// Names of picks that are sealed.
    pub identity: Vec<String>,
    pub conversation: Option<String>,
    pub visitor: Option<String>,
    pub headers: Vec<(String, Template)>,
    pub cookies: bool,
    pub every: Duration,
    pub limit: Option<Limit>,
    pub frame: Option<Template>,
    pub offer: Vec<ChatStep>,
    pub offered: Option<Template>,
    pub questions: Option<Source>,
    /// Questions that the desk file answers.
    pub answered: Vec<String>,
    pub begin: Vec<ChatStep>,
    pub say: Vec<ChatStep>,
    pub history: Vec<ChatStep>,
    pub ended: Option<Template>,
    pub line: Option<LineMap>,
    pub pushes: Vec<Push>,
    pub agents: Option<Push>,
    pub resume: Vec<ChatStep>,
    pub offline: Vec<ChatStep>,
    pub leave: Vec<ChatStep>,
}

impl ChatRecipe {
    /// The transport that the params choose. The error continues a sentence that names the desk.
    pub fn transport(&self, params: &Scope<'_>) -> Result<Transport, String> {
        let word = self.transport.string(params)?.ok_or("`[chat] transport` needs a param that is not set")?;
        let known = || Transport::ALL.map(Transport::as_str).join(", ");
        let transport =
            Transport::of(&word).ok_or_else(|| format!("there is no transport `{word}` for its chat; there are {}", known()))?;
        let opened = transport == Transport::Http || self.pushes.iter().any(|p| p.transport == transport);
        opened.then_some(transport).ok_or_else(|| format!("its definition does not say how `{word}` is opened"))
    }
}

/// How many conversations may be begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub count: usize,
    pub per: Duration,
    /// Counted for each visitor, not for the whole address.
    pub by_visitor: bool,
}

/// A step of the visitor.
#[derive(Debug, Clone)]
pub(crate) struct ChatStep {
    /// Taken with these transports; empty: with all.
    pub on: Vec<Transport>,
    pub fault: Option<&'static str>,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Http(Box<Step>),
    Socket(Box<SocketStep>),
}

impl ChatStep {
    /// A call that by itself begins nothing.
    pub fn prepares(&self) -> bool {
        matches!(&self.act, Act::Http(call) if !call.writes())
    }

    /// The step's name.
    pub fn id(&self) -> &str {
        match &self.act {
            Act::Http(step) => &step.id,
            Act::Socket(step) => &step.id,
        }
    }
}

/// What is said and heard on a socket.
#[derive(Debug, Clone)]
pub(crate) struct SocketStep {
    pub id: String,
    pub when: Option<Template>,
    pub unless: Option<Template>,
    pub send: Option<Shape>,
    /// What is sent changes nothing at the desk.
    pub reads: bool,
    pub wait: Option<Await>,
}

#[derive(Debug, Clone)]
pub(crate) struct Await {
    pub when: Path,
    pub token: Option<Path>,
    pub check: Option<Path>,
    pub fail: Vec<Fail>,
    pub pick: Vec<Pick>,
    pub deadline: Duration,
    pub fault: Option<&'static str>,
}

/// `[chat.line]`.
#[derive(Debug, Clone)]
pub(crate) struct LineMap {
    /// The step of `[chat.history]` whose rows are the lines; empty for pushed lines only.
    pub main: String,
    pub id: Option<Field>,
    pub speaker: Option<Field>,
    pub text: Option<Field>,
    pub html: Option<Field>,
    pub at: Option<Timed>,
    pub files: Option<FilesMap>,
}

/// `[[chat.push]]` or `[chat.agents]`.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub transport: Transport,
    pub open: Step,
    pub wait: Duration,
    pub cursor: Option<String>,
    pub subscribe: Option<Shape>,
    pub hello: Option<Shape>,
    pub when: Option<Path>,
    pub row: Option<Path>,
    pub conversation: Option<Path>,
    pub line: Option<LineMap>,
    pub ended: Option<Path>,
    pub keepalive: Option<(Shape, Duration)>,
    pub silence: Duration,
}
