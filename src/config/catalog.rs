//! What the configuration asks of the desk definitions, so that it knows nothing of their insides.

use super::ParamValue;
use crate::desk::{self, Definition, Recipe};
use crate::model::{Capability, Rate};
use crate::problem::Problem;
use std::collections::BTreeMap;

/// A definition as far as configuration checks need it.
pub trait DeskDefinition {
    /// What it can do.
    fn capabilities(&self) -> &[Capability];
    /// True until somebody recorded the real product.
    fn unproven(&self) -> bool;
    /// The names of the params that are secrets.
    fn secret_params(&self) -> Vec<String>;
    /// What is wrong with these values: missing, unknown, of the wrong type.
    fn check_params(&self, params: &BTreeMap<String, ParamValue>) -> Vec<ParamProblem>;
    /// The fields of a ticket that it never tells, by their keys in `[expect]`: expecting them could never be judged.
    fn untold(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// Its `[[create]]` recipes: ways to write in without mail.
    fn recipes(&self) -> Vec<Recipe> {
        Vec::new()
    }
    /// How many conversations visitors may begin; none: it does not say.
    fn chat_limit(&self) -> Option<ChatLimit> {
        None
    }
}

/// How many conversations visitors may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatLimit {
    /// So many in this time.
    pub rate: Rate,
    /// Counted for each visitor, not for the network address.
    pub by_visitor: bool,
}

/// Something wrong with the values for a definition's params.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// The param that is meant; none: the table as a whole.
    pub param: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// All definitions that can be had.
pub trait DeskCatalog {
    /// The built-in ones: id and TOML text.
    fn built_in(&self) -> Vec<(String, String)>;
    /// Parses a definition. `origin` is the file's name, or `built-in:ID`.
    fn parse(&self, origin: &str, text: &str) -> Result<Box<dyn DeskDefinition>, Vec<Problem>>;
}

/// The desk definitions of this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeskFiles;

impl DeskCatalog for DeskFiles {
    fn built_in(&self) -> Vec<(String, String)> {
        desk::built_in().iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
    }

    fn parse(&self, origin: &str, text: &str) -> Result<Box<dyn DeskDefinition>, Vec<Problem>> {
        Ok(Box::new(Definition::parse(origin, text)?))
    }
}

impl DeskDefinition for Definition {
    fn capabilities(&self) -> &[Capability] {
        Definition::capabilities(self)
    }

    fn unproven(&self) -> bool {
        Definition::unproven(self)
    }

    fn untold(&self) -> Vec<&'static str> {
        Definition::untold(self)
    }

    fn recipes(&self) -> Vec<Recipe> {
        Definition::recipes(self)
    }

    fn chat_limit(&self) -> Option<ChatLimit> {
        let limit = self.chat.as_ref()?.limit?;
        let count = u32::try_from(limit.count).unwrap_or(u32::MAX);
        Some(ChatLimit { rate: Rate { count, per: limit.per }, by_visitor: limit.by_visitor })
    }

    fn secret_params(&self) -> Vec<String> {
        self.params().iter().filter(|p| p.secret).map(|p| p.name.clone()).collect()
    }

    fn check_params(&self, params: &BTreeMap<String, ParamValue>) -> Vec<ParamProblem> {
        let problem = |(param, text): (String, String)| {
            let (message, help) = match text.split_once("; ") {
                Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                None => (text, None),
            };
            ParamProblem { param: Some(param).filter(|p| !p.is_empty()), message, help }
        };
        Definition::check_params(self, params).into_iter().map(problem).collect()
    }
}
