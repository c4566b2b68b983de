//! Mail: writing it as a person would, handing it in, listening to mailboxes, reading what comes.

mod imap_poll;
mod imap_session;
mod imap_watch;
mod listener;
pub mod mailbox;
pub mod parse;
pub mod stream;
