//! Recipes of `[record]`, `[message]` and `[history.entry]`: where each canonical field comes from.

use super::path::Path;
use super::template::Template;

/// Where a field's value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Step(String, Path),
    Row(Path),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeKind {
    Rfc3339,
    EpochS,
    EpochMs,
    Naive(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decode {
    Base64,
    Json,
    Html,
}

/// A recipe for one value.
#[derive(Debug, Clone)]
pub(crate) enum Field {
    From {
        source: Source,
        decode: Vec<Decode>,
        map: Option<Vec<(String, String)>>,
        other: Option<String>,
        not: bool,
    },
    /// Always the same.
    Fixed(String),
    /// The first that gives a value.
    First(Vec<Field>),
    If {
        when: Source,
        then: Option<Template>,
        otherwise: Option<Template>,
    },
    Equals {
        source: Source,
        with: Template,
        then: Template,
        otherwise: Option<Template>,
    },
    LookUp {
        key: Source,
        within: Source,
        by: Path,
        take: Path,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub field: Field,
    pub kind: TimeKind,
}

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub id: Field,
    pub number: Option<Field>,
    pub subject: Option<Field>,
    pub queue: Option<Field>,
    pub status: Option<Field>,
    pub priority: Option<Field>,
    pub channel: Option<Field>,
    pub requester: Option<Field>,
    pub hold_cause: Option<Field>,
    pub tags: Option<Source>,
    pub created: Option<Timed>,
    /// An object of names and values at the desk.
    pub fields_from: Option<Source>,
    pub fields: Vec<(String, Field)>,
}

#[derive(Debug, Clone)]
pub(crate) struct MessageMap {
    /// The step whose rows are the messages.
    pub main: String,
    pub id: Field,
    pub public: Option<Field>,
    pub author: Option<Field>,
    pub text: Option<Field>,
    pub html: Option<Field>,
    pub body: Option<(Field, Field)>,
    pub at: Option<Timed>,
    pub message_id: Option<Field>,
    pub delivery: Option<Field>,
    pub files: Option<FilesMap>,
    /// Steps of `read` that the mapping looks at, so that they must be taken first.
    pub needs_read: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct FilesMap {
    pub each: Source,
    pub name: Path,
    pub kind: Option<Path>,
    pub size: Option<Path>,
    pub bytes: FileBytes,
}

#[derive(Debug, Clone)]
pub(crate) enum FileBytes {
    /// The desk does not give them.
    None,
    /// They stand in the row.
    Inline { path: Path, decode: Vec<Decode> },
    /// They are fetched; with a path they stand in a JSON answer, else they are the answer.
    Fetch { url: Template, content: Option<Path>, decode: Vec<Decode> },
}

#[derive(Debug, Clone)]
pub(crate) struct EntryMap {
    pub main: String,
    pub at: Option<Timed>,
    pub who: Option<Field>,
    pub kind: Option<Field>,
    pub field: Option<Field>,
    pub old: Option<Field>,
    pub new: Option<Field>,
}
