//! Values as numbers, and single series of histograms.

use jiff::Timestamp;
use prometheus::HistogramVec;

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

/// Makes the series exist; what it has counted stays.
pub(super) fn touch(vec: &HistogramVec, labels: &[String]) {
    let _ = vec.get_metric_with_label_values(labels);
}

/// Removes the series; it need not exist.
pub(super) fn drop_series(vec: &HistogramVec, labels: &[String]) {
    let _ = vec.remove_label_values(labels);
}
