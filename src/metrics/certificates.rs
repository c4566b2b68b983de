//! The ends of the certificates that customers and their providers meet.

use super::series::{drop_series, seconds, set};
use jiff::Timestamp;
use prometheus::GaugeVec;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// One series a place, `HOST:PORT`.
pub struct Certificates {
    expiry: GaugeVec,
    shown: Mutex<BTreeSet<String>>,
}

impl Certificates {
    pub(super) fn new(expiry: GaugeVec) -> Certificates {
        Certificates { expiry, shown: Mutex::default() }
    }

    /// Shows the ends at all places; none: it could not be seen now, and what was seen before stays. Places that are not named
    /// any more go.
    pub fn show(&self, seen: impl IntoIterator<Item = (String, Option<Timestamp>)>) {
        let mut shown = self.shown.lock().unwrap_or_else(|e| e.into_inner());
        let mut named = BTreeSet::new();
        for (of, end) in seen {
            if end.is_some() {
                set(&self.expiry, &[&of], seconds(end));
            }
            named.insert(of);
        }
        for gone in shown.difference(&named) {
            drop_series(&self.expiry, &[gone]);
        }
        *shown = named;
    }
}
