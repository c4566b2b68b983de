//! Mail: writing it as a person would, handing it in, listening to mailboxes, reading what comes.

pub mod compose;
pub mod dsn;
pub mod headers;
pub mod html;
pub mod human;
pub mod parse;
pub mod quote;
