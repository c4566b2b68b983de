//! The visitor's side of live chat: every transport against the sandbox, and servers that do what they must not.

mod crowd;
mod journey;
mod matrix;
mod rude;
mod server;
mod world;
