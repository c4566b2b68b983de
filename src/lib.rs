//! Replypath: a mystery shopper for customer-support desks.

pub mod clock;
pub mod config;
pub mod diagnosis;
pub mod engine;
pub mod mail;
pub mod model;
pub mod problem;
pub mod schedule;
pub mod store;
