//! Mail: writing it as a person would, handing it in, listening to mailboxes, reading what comes.

pub mod compose;
pub mod dsn;
mod flowed;
pub mod headers;
pub mod html;
pub mod human;
mod imap_lines;
mod imap_poll;
mod imap_session;
mod imap_watch;
pub mod intake;
mod listener;
pub mod mailbox;
pub mod parse;
pub mod quote;
mod smtp;
pub mod stream;
pub mod submit;
mod wire;
mod x509;
