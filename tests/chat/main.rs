//! The visitor's side of live chat: every transport against the sandbox, and servers that do what they must not.

mod chatwoot;
mod crowd;
mod journey;
mod rude;
mod server;
mod world;
