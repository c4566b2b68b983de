//! Setting and removing single series, and values as numbers.

use super::exposition::{Family, Numbers, Value};
use jiff::Timestamp;

pub(super) fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

pub(super) fn seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.as_microsecond() as f64 / 1e6)
}

pub(super) fn between(from: Timestamp, to: Timestamp) -> f64 {
    seconds(Some(to)) - seconds(Some(from))
}

pub(super) fn set<S: AsRef<str>>(family: &Numbers, labels: &[S], value: f64) {
    family.change(labels, |old| *old = value);
}

pub(super) fn add<S: AsRef<str>>(family: &Numbers, labels: &[S]) {
    family.change(labels, |old| *old += 1.0);
}

/// Makes the series exist; a value that it has stays.
pub(super) fn touch<V: Value, S: AsRef<str>>(family: &Family<V>, labels: &[S]) {
    family.change(labels, |_| {});
}

/// Removes the series; it need not exist.
pub(super) fn drop_series<V: Value, S: AsRef<str>>(family: &Family<V>, labels: &[S]) {
    family.remove(labels);
}
