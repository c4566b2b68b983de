//! The daemon's pages over HTTP: what they say in every state, and what they never show.

mod api;
mod kit;
mod live;
mod places;
mod runs;
mod safety;
mod schema;
mod starts;
mod states;
