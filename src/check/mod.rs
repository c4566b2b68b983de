//! Comparing what was expected with what was found. Pure: no network, no clock.

mod automatic;
mod content;
pub mod hours;
mod mail;
mod promise;

pub use automatic::{Writer, Written, writer_of_line, writer_of_mail};
pub use content::{Difference, compare_attachments, compare_subject, compare_text, normalise};
pub use mail::{is_noreply, is_threaded, junk_faults, raw_placeholder, same_address};
pub use promise::{Promise, Unit, promise};
