//! `[auth.NAME]` of a desk file, compiled.

use super::definition::Step;
use super::template::Template;

/// One way to sign in.
#[derive(Debug, Clone)]
pub(crate) struct Auth {
    pub name: String,
    /// Taken only when this param is set.
    pub when: Option<String>,
    pub kind: AuthKind,
}

#[derive(Debug, Clone)]
pub(crate) enum AuthKind {
    None,
    Basic {
        user: Template,
        password: Template,
    },
    Header {
        name: String,
        value: Template,
    },
    Query {
        name: String,
        value: Template,
    },
    Bearer {
        token: Template,
    },
    /// A call whose picks, as `login.NAME`, stand in a header until the desk refuses them.
    Login {
        step: Box<Step>,
        name: String,
        value: Template,
    },
}

impl AuthKind {
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            // What a login gives is no param; what it needs is told when it is tried.
            AuthKind::None | AuthKind::Login { .. } => Vec::new(),
            AuthKind::Basic { user, password } => vec![user, password],
            AuthKind::Header { value, .. } | AuthKind::Query { value, .. } => vec![value],
            AuthKind::Bearer { token } => vec![token],
        }
    }
}
