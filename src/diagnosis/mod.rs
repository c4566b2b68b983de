//! What the evidence of a run means.

pub mod catalogue;
