//! Families of series, kept as the text format 0.0.4 of Prometheus writes them: a series is the text of its labels and a
//! number. A probe has about a hundred, so each of them must cost little memory and next to no time when it is read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a series is worth.
pub(super) trait Value: Clone + Send + Sync + 'static {
    /// Writes the lines of one series.
    fn write(&self, out: &mut String, name: &str, labels: &str);
}

/// Series of one name.
pub(super) struct Family<V> {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    /// The places of the labels in the order of their names, in which they are written.
    order: Vec<usize>,
    fresh: V,
    /// By the text of the labels, without braces.
    series: Mutex<BTreeMap<Box<str>, V>>,
}

impl<V: Value> Family<V> {
    fn new(name: &'static str, help: &'static str, kind: &'static str, labels: &'static [&'static str], fresh: V) -> Family<V> {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|place| labels[*place]);
        Family { name, help, kind, labels, order, fresh, series: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, V>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text of the labels with these values, which stand in the order of the family's declaration.
    fn text<S: AsRef<str>>(&self, values: &[S]) -> String {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        let mut text = String::with_capacity(120);
        for (label, value) in self.order.iter().filter_map(|place| self.labels.get(*place).zip(values.get(*place))) {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(label);
            text.push_str("=\"");
            for c in value.as_ref().chars() {
                match c {
                    '\\' | '"' => text.extend(['\\', c]),
                    '\n' => text.push_str("\\n"),
                    c => text.push(c),
                }
            }
            text.push('"');
        }
        text
    }

    /// Changes a series, which is made where there is none.
    pub(super) fn change<S: AsRef<str>>(&self, values: &[S], change: impl FnOnce(&mut V)) {
        let text = self.text(values);
        let mut series = self.lock();
        match series.get_mut(text.as_str()) {
            Some(value) => change(value),
            None => change(series.entry(text.into_boxed_str()).or_insert_with(|| self.fresh.clone())),
        }
    }

    /// Removes a series; it need not exist.
    pub(super) fn remove<S: AsRef<str>>(&self, values: &[S]) {
        self.lock().remove(self.text(values).as_str());
    }
}

/// Gauges or counters.
pub(super) type Numbers = Family<f64>;

impl Numbers {
    /// Sets the only series of a family without labels.
    pub(super) fn put(&self, value: f64) {
        self.change::<&str>(&[], |old| *old = value);
    }

    /// Adds to the only series of a family without labels.
    pub(super) fn more(&self, by: f64) {
        self.change::<&str>(&[], |old| *old += by);
    }
}

impl Value for f64 {
    fn write(&self, out: &mut String, name: &str, labels: &str) {
        out.push_str(name);
        if !labels.is_empty() {
            out.push('{');
            out.push_str(labels);
            out.push('}');
        }
        out.push(' ');
        number(out, *self);
    }
}

/// A number and the end of its line. Most are whole, and whole ones are written faster.
fn number(out: &mut String, value: f64) {
    // Writing into a string cannot fail.
    let _ = if value.fract() == 0.0 && value.abs() < 1e15 { writeln!(out, "{}", value as i64) } else { writeln!(out, "{value}") };
}

/// A histogram.
#[derive(Clone)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    /// How many lie between each bound and the one before; empty before the first.
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Histogram {
    pub(super) fn observe(&mut self, value: f64) {
        self.counts.resize(self.bounds.len(), 0);
        if let Some(count) = self.counts.get_mut(self.bounds.partition_point(|bound| *bound < value)) {
            *count += 1;
        }
        self.count += 1;
        self.sum += value;
    }
}

impl Value for Histogram {
    fn write(&self, out: &mut String, name: &str, labels: &str) {
        let mut so_far = 0;
        for (place, bound) in self.bounds.iter().enumerate() {
            so_far += self.counts.get(place).copied().unwrap_or(0);
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {so_far}");
        }
        let count = self.count;
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = write!(out, "{name}_sum{{{labels}}} ");
        number(out, self.sum);
        let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
    }
}

trait Exposed: Send + Sync {
    fn name(&self) -> &'static str;
    fn write(&self, out: &mut String);
}

impl<V: Value> Exposed for Family<V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn write(&self, out: &mut String) {
        let (series, name) = (self.lock(), self.name);
        if series.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {}", self.help, self.kind);
        for (labels, value) in series.iter() {
            value.write(out, name, labels);
        }
    }
}

/// All families of a process, by name.
#[derive(Default)]
pub(super) struct Exposition {
    families: Vec<Arc<dyn Exposed>>,
    /// The length of the last text, in bytes: the next one will be about as long.
    length: AtomicUsize,
}

impl Exposition {
    fn add<V: Value>(&mut self, family: Family<V>) -> Arc<Family<V>> {
        let family = Arc::new(family);
        let place = self.families.partition_point(|other| other.name() < family.name);
        self.families.insert(place, family.clone());
        family
    }

    pub(super) fn gauges(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Arc<Numbers> {
        self.add(Family::new(name, help, "gauge", labels, 0.0))
    }

    /// A gauge without labels, which is there from the start.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Arc<Numbers> {
        let gauge = self.gauges(name, &[], help);
        gauge.put(0.0);
        gauge
    }

    pub(super) fn counters(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Arc<Numbers> {
        self.add(Family::new(name, help, "counter", labels, 0.0))
    }

    /// A counter without labels, which is there from the start.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Arc<Numbers> {
        let counter = self.counters(name, &[], help);
        counter.put(0.0);
        counter
    }

    /// Histograms; `bounds` are the upper ones, inclusive and in their order.
    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        bounds: &'static [f64],
        help: &'static str,
    ) -> Arc<Family<Histogram>> {
        let fresh = Histogram { bounds, counts: Vec::new(), count: 0, sum: 0.0 };
        self.add(Family::new(name, help, "histogram", labels, fresh))
    }

    /// Everything, in text format 0.0.4.
    pub(super) fn render(&self) -> String {
        let mut out = String::with_capacity(self.length.load(Ordering::Relaxed) + 4096);
        for family in &self.families {
            family.write(&mut out);
        }
        self.length.store(out.len(), Ordering::Relaxed);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped_and_labels_stand_in_the_order_of_their_names() {
        let mut all = Exposition::default();
        let gauges = all.gauges("odd", &["z", "a"], "Odd values.");
        gauges.change(&["say \"x\\y\"\n", "b"], |value| *value = 0.25);
        let expected = "# HELP odd Odd values.\n# TYPE odd gauge\nodd{a=\"b\",z=\"say \\\"x\\\\y\\\"\\n\"} 0.25\n";
        assert_eq!(all.render(), expected);
        gauges.remove(&["say \"x\\y\"\n", "b"]);
        assert_eq!(all.render(), "", "a family without series is not named");
    }

    #[test]
    fn a_bucket_holds_what_is_not_above_its_bound() {
        let mut all = Exposition::default();
        let times = all.histograms("t", &["of"], &[0.5, 10.0], "Times.");
        for value in [0.5, 0.6, 10.0, 11.0] {
            times.change(&["x"], |h| h.observe(value));
        }
        let lines: Vec<String> = all.render().lines().skip(2).map(str::to_owned).collect();
        let expected = [
            "t_bucket{of=\"x\",le=\"0.5\"} 1",
            "t_bucket{of=\"x\",le=\"10\"} 3",
            "t_bucket{of=\"x\",le=\"+Inf\"} 4",
            "t_sum{of=\"x\"} 22.1",
            "t_count{of=\"x\"} 4",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn numbers_are_written_exactly() {
        let text = |value: f64| {
            let mut out = String::new();
            number(&mut out, value);
            out
        };
        let values = [0.0, -3.0, 1_795_593_600.25, 1e15, 1e300, f64::MAX, 0.1];
        for value in values {
            assert_eq!(text(value).trim_end().parse::<f64>(), Ok(value));
        }
        assert_eq!((text(1.0), text(0.25)), ("1\n".to_owned(), "0.25\n".to_owned()));
    }
}
