//! Comparing what was expected with what was found. Pure: no network, no clock.

mod content;
mod mail;

pub use content::{Difference, compare_attachments, compare_subject, compare_text, normalise};
pub use mail::{is_noreply, is_threaded, junk_faults, raw_placeholder, same_address};
