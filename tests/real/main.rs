//! The product against real parts: Postfix, Dovecot and Request Tracker.
//!
//! `tests/run` starts the parts and sets `REPLYPATH_STACK`; without it every test here says that it skips. All tests run at
//! once, so each has desk addresses (lanes) and customers that no other test has: broken.rs lanes 1–9 and customers 3–11,
//! harmless.rs lanes 10–14 and customers 12–16, healthy.rs lane 15 and customers 1–2, crash.rs lane 16 and customers
//! 21–32, variants.rs lanes 17–20 and customers 17–20, parts.rs lanes 21–32 and customers 41–53.

mod broken;
mod crash;
mod harmless;
mod healthy;
mod imap;
mod parts;
mod rt;
mod site;
mod smtp;
mod stack;
mod variants;

/// Held by whoever stops the second Dovecot.
static SECOND_DOVECOT: std::sync::Mutex<()> = std::sync::Mutex::new(());
