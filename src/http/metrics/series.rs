//! Counters as the database keeps them: a name and a whole number for each, whatever the metric consists of.

use std::collections::BTreeMap;
use std::time::Duration;

use super::families::{Kind, Labels, Value};
use crate::restart::{BUCKETS, Histogram};
use crate::store::Counters;
use crate::util::ordered::CollectOrdered;

/// The part of a histogram that is its sum, in microseconds. The others are its buckets.
const SUM: &str = "sum";

/// The counters of all replicas: the parts of each metric, by its name and its labels.
#[derive(Debug, Default)]
pub(super) struct AllCounters(BTreeMap<String, BTreeMap<Labels, Parts>>);

/// The numbers of which a metric consists: one without a name, or those of a histogram.
type Parts = BTreeMap<String, i64>;

impl AllCounters {
    /// Reads what the database has. Apps for which `is_shown` is false are left out.
    pub(super) fn read(counters: &Counters, is_shown: impl Fn(&str) -> bool) -> Self {
        let mut all = Self::default();
        for (series, value) in counters {
            // Another version of this program may have written what this one cannot read.
            let Ok((name, labels, part)) = serde_json::from_str::<(String, Labels, String)>(series) else { continue };
            if labels.iter().all(|(label, app)| label != "app" || app.is_empty() || is_shown(app)) {
                all.0.entry(name).or_default().entry(labels).or_default().insert(part, *value);
            }
        }
        all
    }

    /// The values of a metric of which this process has these. It may not know all labels that others have.
    pub(super) fn of(&self, name: &str, kind: Kind, own: Vec<(Labels, Value)>) -> Vec<(Labels, Value)> {
        let none = Parts::new();
        let mut all: BTreeMap<Labels, &Parts> = own.into_iter().map(|(labels, _)| (labels, &none)).collect_ordered();
        all.extend(self.0.get(name).into_iter().flatten().map(|(labels, parts)| (labels.clone(), parts)));
        all.into_iter().map(|(labels, parts)| (labels, value(kind, parts))).collect()
    }
}

/// Adds what this process counts of a metric. What is 0 is left out.
pub(super) fn add(counters: &mut Counters, name: &str, labels: &Labels, value: &Value) {
    for (part, count) in parts(value).into_iter().filter(|(_, count)| *count > 0) {
        // Words are always valid JSON.
        let Ok(series) = serde_json::to_string(&(name, labels, part)) else { continue };
        counters.insert(series, count);
    }
}

fn parts(value: &Value) -> Parts {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    match value {
        Value::Counter(count) => Parts::from([(String::new(), whole(*count))]),
        Value::Histogram(Histogram { counts, sum }) => {
            let sum = i64::try_from(sum.as_micros()).unwrap_or(i64::MAX);
            let buckets = bounds().zip(counts).map(|(bound, count)| (bound, whole(*count)));
            buckets.chain([(SUM.to_owned(), sum)]).collect_ordered()
        }
        _ => Parts::new(),
    }
}

fn value(kind: Kind, parts: &Parts) -> Value {
    let part = |part: &str| parts.get(part).and_then(|count| u64::try_from(*count).ok()).unwrap_or_default();
    if kind == Kind::Counter {
        return Value::Counter(part(""));
    }
    let mut histogram = Histogram { sum: Duration::from_micros(part(SUM)), ..Histogram::default() };
    for (count, bound) in histogram.counts.iter_mut().zip(bounds()) {
        *count = part(&bound);
    }
    Value::Histogram(histogram)
}

/// The names of the buckets.
fn bounds() -> impl Iterator<Item = String> {
    BUCKETS.into_iter().chain([f64::INFINITY]).map(|bound| bound.to_string())
}
