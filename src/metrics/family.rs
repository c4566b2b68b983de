//! Families of gauges and counters whose series stand ready to be written.
//!
//! The vectors of the `prometheus` crate copy every label of every series at each scrape and sort the copies: with a hundred
//! series a probe that is four fifths of the time. Here a series is that crate's message with its labels, made once and changed
//! in place, and a scrape only encodes it. Histograms are few, one a gateway and stage, and stay in the crate's vectors.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Opts, TextEncoder, core::Describer};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// One family; its series are named by the values of its labels, in the order in which the labels were declared.
pub(super) struct Family {
    /// Where each declared label stands among the labels of a series, which are sorted by name.
    order: Vec<usize>,
    /// The names of the labels, sorted.
    names: Vec<String>,
    kept: Mutex<Kept>,
}

struct Kept {
    family: MetricFamily,
    /// The positions of the series by the value of their first declared label: a few dozen at most, which are looked through.
    places: HashMap<String, Vec<usize>>,
    sorted: bool,
}

impl Family {
    /// # Errors
    /// For a name or label that Prometheus does not allow.
    pub(super) fn new(kind: MetricType, name: &str, labels: &[&str], help: &str) -> Result<Family, prometheus::Error> {
        // The crate's own description checks the names.
        Opts::new(name, help).variable_labels(labels.iter().map(|l| (*l).to_owned()).collect()).describe()?;
        let mut names: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        names.sort();
        let order = labels.iter().filter_map(|label| names.iter().position(|name| name == label)).collect();
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Ok(Family { order, names, kept: Mutex::new(Kept { family, places: HashMap::new(), sorted: true }) })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn set<S: AsRef<str>>(&self, labels: &[S], value: f64) {
        self.change(labels, |_| value);
    }

    pub(super) fn add<S: AsRef<str>>(&self, labels: &[S], by: f64) {
        self.change(labels, |value| value + by);
    }

    /// Makes the series exist; a value that it has stays.
    pub(super) fn touch<S: AsRef<str>>(&self, labels: &[S]) {
        self.change(labels, |value| value);
    }

    /// Changes the value of a series; one that is new begins with 0.
    fn change<S: AsRef<str>>(&self, labels: &[S], change: impl FnOnce(f64) -> f64) {
        debug_assert_eq!(labels.len(), self.order.len());
        let Some(first) = labels.first() else { return };
        let mut kept = self.kept();
        let place = self.place(&kept, labels).unwrap_or_else(|| {
            let place = kept.family.get_metric().len();
            kept.family.mut_metric().push(Metric::from_label(self.pairs(labels)));
            kept.places.entry(first.as_ref().to_owned()).or_default().push(place);
            kept.sorted = false;
            place
        });
        let kind = kept.family.get_field_type();
        let Some(metric) = kept.family.mut_metric().get_mut(place) else { return };
        if kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(change(metric.get_counter().get_value()));
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(change(metric.get_gauge().get_value()));
            metric.set_gauge(gauge);
        }
    }

    /// Removes the series; it need not exist.
    pub(super) fn remove<S: AsRef<str>>(&self, labels: &[S]) {
        let mut kept = self.kept();
        let Some(gone) = self.place(&kept, labels) else { return };
        // The last series takes the free place.
        let last = kept.family.get_metric().len() - 1;
        let moved = self.first(&kept.family.get_metric()[last]).to_owned();
        kept.family.mut_metric().swap_remove(gone);
        kept.sorted &= gone == last;
        if let Some(places) = kept.places.get_mut(&moved) {
            places.iter_mut().filter(|place| **place == last).for_each(|place| *place = gone);
        }
        if let Some(first) = labels.first().map(AsRef::as_ref)
            && let Some(places) = kept.places.get_mut(first)
        {
            if let Some(at) = places.iter().position(|place| *place == gone) {
                places.swap_remove(at);
            }
            if places.is_empty() {
                kept.places.remove(first);
            }
        }
    }

    /// Appends the family in the text format, its series sorted by their labels; nothing if it has none.
    pub(super) fn encode(&self, out: &mut String) -> Result<(), prometheus::Error> {
        let mut kept = self.kept();
        if kept.family.get_metric().is_empty() {
            return Ok(());
        }
        if !kept.sorted {
            // Nearly sorted mostly, which a stable sort makes use of.
            let Kept { family, places, sorted } = &mut *kept;
            family.mut_metric().sort_by(|a, b| values(a).cmp(values(b)));
            places.values_mut().for_each(Vec::clear);
            for (at, metric) in family.get_metric().iter().enumerate() {
                if let Some(of) = places.get_mut(self.first(metric)) {
                    of.push(at);
                }
            }
            *sorted = true;
        }
        TextEncoder::new().encode_utf8(std::slice::from_ref(&kept.family), out)
    }

    fn place<S: AsRef<str>>(&self, kept: &Kept, labels: &[S]) -> Option<usize> {
        let is = |place: &usize| {
            let pairs = kept.family.get_metric()[*place].get_label();
            labels.iter().zip(&self.order).all(|(value, at)| pairs[*at].value() == value.as_ref())
        };
        kept.places.get(labels.first()?.as_ref())?.iter().copied().find(|place| is(place))
    }

    /// The value of the first declared label.
    fn first<'a>(&self, metric: &'a Metric) -> &'a str {
        self.order.first().and_then(|at| metric.get_label().get(*at)).map_or("", LabelPair::value)
    }

    fn pairs<S: AsRef<str>>(&self, labels: &[S]) -> Vec<LabelPair> {
        let mut pairs: Vec<LabelPair> = self
            .names
            .iter()
            .map(|name| {
                let mut pair = LabelPair::default();
                pair.set_name(name.clone());
                pair
            })
            .collect();
        for (value, at) in labels.iter().zip(&self.order) {
            pairs[*at].set_value(value.as_ref().to_owned());
        }
        pairs
    }
}

fn values(metric: &Metric) -> impl Iterator<Item = &str> {
    metric.get_label().iter().map(LabelPair::value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Whatever is set, raised and removed, in whatever order: what is written is what a plain map holds, sorted.
        #[test]
        fn what_is_written_is_what_was_set_and_not_removed(steps in proptest::collection::vec((0..5u8, 0..4u8, 0..4u8), 0..60)) {
            let family = Family::new(MetricType::GAUGE, "depth", &["queue", "desk"], "Depth.").unwrap();
            let mut wanted: BTreeMap<(String, String), f64> = BTreeMap::new();
            let written = |family: &Family| {
                let mut out = String::new();
                family.encode(&mut out).unwrap();
                out.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<String>>()
            };
            for (step, desk, queue) in steps {
                // Values that could be taken for each other.
                let (desk, queue) = (["", "a", "b", "ab"][usize::from(desk)], ["", "a", "b", "ab"][usize::from(queue)]);
                let key = (desk.to_owned(), queue.to_owned());
                match step {
                    0 => { family.set(&[queue, desk], 7.0); wanted.insert(key, 7.0); }
                    1 => { family.add(&[queue, desk], 2.0); *wanted.entry(key).or_default() += 2.0; }
                    2 => { family.touch(&[queue, desk]); wanted.entry(key).or_default(); }
                    3 => { family.remove(&[queue, desk]); wanted.remove(&key); }
                    _ => { written(&family); }
                }
            }
            let wanted: Vec<String> = wanted.iter().map(|((desk, queue), value)| format!("depth{{desk=\"{desk}\",queue=\"{queue}\"}} {value}")).collect();
            prop_assert_eq!(written(&family), wanted);
        }
    }

    #[test]
    fn a_name_that_prometheus_does_not_allow_is_refused() {
        assert!(Family::new(MetricType::GAUGE, "queue depth", &["desk"], "Depth.").is_err());
        assert!(Family::new(MetricType::GAUGE, "queue_depth", &["the desk"], "Depth.").is_err());
    }
}
