//! The visitor's side of live chat, as `[chat]` of a desk file says.
pub(crate) mod recipe;
