//! Replypath: a mystery shopper for customer-support desks.

pub mod clock;
pub mod config;
pub mod desk;
pub mod engine;
pub mod mail;
pub mod model;
pub mod problem;
pub mod suggest;
