//! The product against real parts: Postfix, Dovecot, Request Tracker, django-helpdesk, Matrix Synapse and Chromium.
//!
//! `tests/run` starts the parts and sets `REPLYPATH_STACK`; without it every test here says that it skips. All tests run at
//! once, so each has desk addresses (lanes) and customers that no other test has: broken.rs lanes 1–9 and customers 3–11,
//! harmless.rs lanes 10–14 and customers 12–16, healthy.rs lane 15 and customers 1–2, crash.rs lane 16 and customers
//! 21–32, variants.rs lanes 17–20 and customers 17–20, parts.rs lanes 21–32 and customers 41–53, rows.rs lanes 33–46 and
//! customers 85–97. Lanes of django-helpdesk and
//! of Synapse are others than those of Request Tracker: more_parts.rs lanes 1–4 and 20 and customers 61–64,
//! form.rs lanes 5–15 and 20 and customers 65–76, browser.rs lane 16 and customer 77,
//! chat.rs lanes 2–6 of Synapse and customers 80–84.

mod broken;
mod browser;
mod chat;
mod crash;
mod form;
mod harmless;
mod healthy;
mod helpdesk;
mod http;
mod imap;
mod matrix;
mod more_parts;
mod parts;
mod proxy;
mod record;
mod rows;
mod rt;
mod site;
mod smtp;
mod stack;
mod variants;

/// Held by whoever stops the second Dovecot.
static SECOND_DOVECOT: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Held by whoever starts or kills the second Synapse.
static SECOND_SYNAPSE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Held by whoever changes the default queue of django-helpdesk's second form.
static DEFAULT_QUEUE: std::sync::Mutex<()> = std::sync::Mutex::new(());
