//! A problem in a user's TOML file: what is wrong, where, what was expected, what to do.

use std::ops::Range;
use std::sync::Arc;

/// One problem, pointing into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user knows it.
    pub file: String,
    /// The file's text, for the source line; none when the file could not be read.
    pub text: Option<Arc<str>>,
    /// Bytes of the text that are meant; none: the whole file.
    pub span: Option<Range<usize>>,
    /// What is wrong: a lower-case sentence without a final period.
    pub message: String,
    /// What is expected, or the nearest valid name, or what to do next.
    pub help: Option<String>,
}
