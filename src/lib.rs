//! Replypath: a mystery shopper for customer-support desks.

pub mod bench;
#[cfg(feature = "browser")]
pub mod browser;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod desk;
pub mod diagnosis;
pub mod engine;
pub mod form;
pub mod mail;
pub mod metrics;
pub mod model;
pub mod problem;
pub mod report;
pub mod sandbox;
pub mod schedule;
pub mod seal;
pub mod store;
pub mod suggest;
pub mod watched;
pub mod ways;
pub mod web;
