//! Metrics with their values, and how they are written.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::restart::{BUCKETS, Histogram};

pub(super) type Labels = Vec<(&'static str, String)>;

/// All metrics at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    families: Vec<Family>,
    /// The name of this replica, if there may be several.
    replica: Option<String>,
}

/// A metric, with a value for each set of labels.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    values: Vec<(Labels, Value)>,
}

#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    /// A counter of time.
    Seconds(f64),
    /// The same on every replica.
    Gauge(f64),
    /// Of this replica only.
    OwnGauge(f64),
    Histogram(Histogram),
    /// The labels say all.
    Info,
}

/// A number of things as the value of a gauge.
pub(super) fn count(items: usize) -> f64 {
    u32::try_from(items).map_or(f64::NAN, f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "a metric is such a number, and the last byte or tick does not matter")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

impl Value {
    /// Whether the other replicas have values of their own, which must not be taken for this one.
    fn is_own(&self) -> bool {
        !matches!(self, Self::Gauge(_) | Self::Info)
    }
}

impl Snapshot {
    pub(super) fn new(replica: Option<String>) -> Self {
        Self { families: Vec::new(), replica }
    }

    /// Adds a metric with its values. One without values is not written.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        let mut values: Vec<_> = values.into_iter().collect();
        for (labels, _) in values.iter_mut().filter(|(_, value)| value.is_own()) {
            labels.extend(self.replica.clone().map(|replica| ("replica", replica)));
        }
        self.families.push(Family { name, help, values });
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Family { name, help, values } in &self.families {
            let Some((_, first)) = values.first() else { continue };
            let kind = match first {
                Value::Counter(_) | Value::Seconds(_) => MetricType::Counter,
                Value::Gauge(_) | Value::OwnGauge(_) => MetricType::Gauge,
                Value::Histogram(_) => MetricType::Histogram,
                Value::Info => MetricType::Info,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in values {
                if let Value::Info = value {
                    family.encode_info(labels)?;
                    continue;
                }
                let mut metric = family.encode_family(labels)?;
                match value {
                    Value::Info => {}
                    Value::Counter(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    Value::Seconds(time) => metric.encode_counter::<NoLabelSet, _, u64>(time, None)?,
                    Value::Gauge(value) | Value::OwnGauge(value) => metric.encode_gauge(value)?,
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
