//! Metrics with their values, and how they are written.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::restart::{BUCKETS, Histogram};

pub(super) type Labels = Vec<(&'static str, String)>;

/// All metrics at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot(Vec<Family>);

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
    Gauge(f64),
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

impl Snapshot {
    /// Adds a metric with its values. One without values is not written.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        values: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        self.0.push(Family { name, help, values: values.into_iter().collect() });
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Family { name, help, values } in &self.0 {
            let Some((_, first)) = values.first() else { continue };
            let kind = match first {
                Value::Counter(_) | Value::Seconds(_) => MetricType::Counter,
                Value::Gauge(_) => MetricType::Gauge,
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
