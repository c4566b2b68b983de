//! The product against real parts: Postfix, Dovecot and Request Tracker.
//!
//! `tests/run` starts the parts and sets `REPLYPATH_STACK`; without it every test here says that it skips. Each test has
//! desk addresses (lanes) and customers of its own, and lanes and customers appear in one test only, so that all run at
//! once: parts.rs has lanes 21–32 and customers 41–53.

mod imap;
mod parts;
mod rt;
mod smtp;
mod stack;

/// Held by whoever stops the second Dovecot.
static SECOND_DOVECOT: std::sync::Mutex<()> = std::sync::Mutex::new(());
