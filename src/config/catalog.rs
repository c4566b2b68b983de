//! What the configuration asks of the desk definitions, so that it knows nothing of their insides.

use super::ParamValue;
use crate::model::Capability;
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
}

/// Something wrong with the values for a definition's params.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamProblem {
    /// The param that is meant, when it was given; none: the table as a whole, for instance when one is missing.
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
