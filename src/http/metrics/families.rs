//! Metrics with their values, and how they are written.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::series::{self, AllCounters};
use crate::restart::{BUCKETS, Histogram};
use crate::store::Counters;

/// Names and values.
pub(super) type Labels = Vec<(Cow<'static, str>, String)>;

/// All metrics at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    families: Vec<Family>,
    /// The name of this replica, if there may be several.
    replica: Option<String>,
    counted: Counted,
}

/// Whose counters they are.
#[derive(Debug)]
pub(super) enum Counted {
    /// Those of this process, which are all if there is no database.
    Here,
    /// Those of all replicas.
    Everywhere(AllCounters),
    /// The database does not answer. Metrics that are missing do no harm, but a counter that goes back does.
    Unknown,
}

/// A metric, with a value for each set of labels.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    values: Vec<(Labels, Value)>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// The labels say all.
    Info,
}

#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    /// A counter of time.
    Seconds(f64),
    Gauge(f64),
    Histogram(Histogram),
    None,
}

/// The labels of a metric.
pub(super) fn labels<const N: usize>(labels: [(&'static str, String); N]) -> Labels {
    labels.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// A number of things as the value of a gauge.
pub(super) fn count(items: usize) -> f64 {
    u32::try_from(items).map_or(f64::NAN, f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "a metric is such a number, and the last byte or tick does not matter")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

impl Snapshot {
    pub(super) fn new(replica: Option<String>, counted: Counted) -> Self {
        Self { families: Vec::new(), replica, counted }
    }

    /// Adds a counter, with what this process has counted.
    pub(super) fn add_counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        own: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let own = own.into_iter().map(|(labels, count)| (labels, Value::Counter(count)));
        self.add_counted(name, help, Kind::Counter, own.collect());
    }

    /// The same for a histogram.
    pub(super) fn add_histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        own: impl IntoIterator<Item = (Labels, Histogram)>,
    ) {
        let own = own.into_iter().map(|(labels, histogram)| (labels, Value::Histogram(histogram)));
        self.add_counted(name, help, Kind::Histogram, own.collect());
    }

    fn add_counted(&mut self, name: &'static str, help: &'static str, kind: Kind, own: Vec<(Labels, Value)>) {
        let values = match &self.counted {
            Counted::Here => own,
            Counted::Everywhere(all) => all.of(name, kind, own),
            Counted::Unknown => Vec::new(),
        };
        self.families.push(Family { name, help, kind, values });
    }

    /// Adds a gauge that is the same on every replica.
    pub(super) fn add_gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let values = values.into_iter().map(|(labels, value)| (labels, Value::Gauge(value))).collect();
        self.families.push(Family { name, help, kind: Kind::Gauge, values });
    }

    /// Adds a gauge of this process only.
    pub(super) fn add_own_gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        let values = values.into_iter().map(|(labels, value)| (self.own(labels), value)).collect::<Vec<_>>();
        self.add_gauge(name, help, values);
    }

    /// Adds a counter of time of this process only.
    pub(super) fn add_own_seconds(&mut self, name: &'static str, help: &'static str, seconds: Option<f64>) {
        let values = seconds.map(|seconds| (self.own(Labels::new()), Value::Seconds(seconds))).into_iter().collect();
        self.families.push(Family { name, help, kind: Kind::Counter, values });
    }

    /// Adds what only labels say.
    pub(super) fn add_info(&mut self, name: &'static str, help: &'static str, labels: Labels) {
        self.families.push(Family { name, help, kind: Kind::Info, values: vec![(labels, Value::None)] });
    }

    /// The same labels with the name of this replica: the other ones have values of their own.
    fn own(&self, mut labels: Labels) -> Labels {
        labels.extend(self.replica.clone().map(|replica| ("replica".into(), replica)));
        labels
    }

    /// The counters as the database keeps them.
    pub(super) fn counters(&self) -> Counters {
        let mut counters = Counters::new();
        for Family { name, values, .. } in &self.families {
            for (labels, value) in values {
                series::add(&mut counters, name, labels, value);
            }
        }
        counters
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Family { name, help, kind, values } in self.families.iter().filter(|family| !family.values.is_empty()) {
            let kind = match kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in values {
                if let Value::None = value {
                    family.encode_info(labels)?;
                    continue;
                }
                let mut metric = family.encode_family(labels)?;
                match value {
                    Value::None => {}
                    Value::Counter(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    Value::Seconds(time) => metric.encode_counter::<NoLabelSet, _, u64>(time, None)?,
                    Value::Gauge(value) => metric.encode_gauge(value)?,
                    Value::Histogram(histogram) => {
                        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
                        let buckets: Vec<_> = bounds.zip(histogram.counts).collect();
                        let count = histogram.counts.iter().sum();
                        metric.encode_histogram::<NoLabelSet>(histogram.sum.as_secs_f64(), count, &buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}
