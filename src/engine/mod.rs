//! The engine: a state machine over stored runs.

pub mod ports;
