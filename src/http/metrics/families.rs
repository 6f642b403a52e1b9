//! Metrics with their values, and how they are written: in the text format that all versions of Prometheus read
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt;

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

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Family { name, help, values } in &self.0 {
            let Some((_, first)) = values.first() else { continue };
            let kind = match first {
                Value::Counter(_) | Value::Seconds(_) => "counter",
                Value::Gauge(_) => "gauge",
                Value::Histogram(_) => "histogram",
            };
            writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            for (labels, value) in values {
                match value {
                    Value::Counter(count) => write_sample(f, name, labels, "", count)?,
                    Value::Seconds(value) | Value::Gauge(value) => write_sample(f, name, labels, "", value)?,
                    Value::Histogram(histogram) => write_histogram(f, name, labels, histogram)?,
                }
            }
        }
        Ok(())
    }
}

/// A histogram, whose buckets contain those before them.
fn write_histogram(f: &mut fmt::Formatter<'_>, name: &str, labels: &Labels, histogram: &Histogram) -> fmt::Result {
    let bounds = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
    let mut count = 0;
    for (bound, here) in bounds.zip(histogram.counts) {
        count += here;
        write_sample(f, &format!("{name}_bucket"), labels, &format!("le=\"{bound}\""), &count)?;
    }
    write_sample(f, &format!("{name}_sum"), labels, "", &histogram.sum.as_secs_f64())?;
    write_sample(f, &format!("{name}_count"), labels, "", &count)
}

/// One line. `last` is a label in the form in which it is written.
fn write_sample(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    labels: &Labels,
    last: &str,
    value: &dyn fmt::Display,
) -> fmt::Result {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let mut labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    labels.extend((!last.is_empty()).then(|| last.to_owned()));
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    writeln!(f, "{name}{labels} {value}")
}
