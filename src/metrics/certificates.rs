//! The ends of the certificates that customers and their providers meet.

use super::family::Family;
use super::series::seconds;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// One series a place, `HOST:PORT`.
pub struct Certificates {
    expiry: Arc<Family>,
    shown: Mutex<BTreeSet<String>>,
}

impl Certificates {
    pub(super) fn new(expiry: Arc<Family>) -> Certificates {
        Certificates { expiry, shown: Mutex::default() }
    }

    /// Shows the ends at all places; none: it could not be seen now, and what was seen before stays. Places that are not named
    /// any more go.
    pub fn show(&self, seen: impl IntoIterator<Item = (String, Option<Timestamp>)>) {
        let mut shown = self.shown.lock().unwrap_or_else(|e| e.into_inner());
        let mut named = BTreeSet::new();
        for (of, end) in seen {
            if end.is_some() {
                self.expiry.set(&[&of], seconds(end));
            }
            named.insert(of);
        }
        for gone in shown.difference(&named) {
            self.expiry.remove(&[gone]);
        }
        *shown = named;
    }
}
