//! Setting and removing single series, and values as numbers.

use jiff::Timestamp;
use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, GaugeVec};

pub(super) fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

pub(super) fn seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.as_microsecond() as f64 / 1e6)
}

pub(super) fn between(from: Timestamp, to: Timestamp) -> f64 {
    seconds(Some(to)) - seconds(Some(from))
}

// The label counts are fixed in this module, so a mismatch cannot come from outside; it must not end the process either.

pub(super) fn set<S: AsRef<str> + std::fmt::Debug>(vec: &GaugeVec, labels: &[S], value: f64) {
    if let Ok(gauge) = vec.get_metric_with_label_values(labels) {
        gauge.set(value);
    }
}

pub(super) fn add<S: AsRef<str> + std::fmt::Debug>(vec: &CounterVec, labels: &[S]) {
    if let Ok(counter) = vec.get_metric_with_label_values(labels) {
        counter.inc();
    }
}

/// Makes the series exist; a value that it has stays.
pub(super) fn touch<T: MetricVecBuilder, S: AsRef<str> + std::fmt::Debug>(vec: &MetricVec<T>, labels: &[S]) {
    let _ = vec.get_metric_with_label_values(labels);
}

/// Removes the series; it need not exist.
pub(super) fn drop_series<T: MetricVecBuilder, S: AsRef<str> + std::fmt::Debug>(vec: &MetricVec<T>, labels: &[S]) {
    let _ = vec.remove_label_values(labels);
}
