//! Replypath: a mystery shopper for customer-support desks.

pub mod check;
pub mod clock;
pub mod config;
pub mod diagnosis;
pub mod engine;
pub mod mail;
pub mod model;
pub mod problem;
pub mod sandbox;
pub mod store;
