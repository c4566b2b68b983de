//! Mail: writing it as a person would, handing it in, listening to mailboxes, reading what comes.

pub mod parse;
