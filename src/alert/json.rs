//! Walks over JSON and hands over each value, without a tree of them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::flatten::{Next, ROOT_LIST, Reader, TOP, Value};

/// A value that is about to be read.
pub(super) struct Node<'n, 'r> {
    pub(super) reader: &'n mut Reader<'r>,
    /// 0 for the body.
    pub(super) depth: usize,
    /// Where the own name begins in the path.
    pub(super) name: Option<usize>,
}

impl Node<'_, '_> {
    fn add(self, value: Value<'_>) {
        self.reader.value(self.depth, self.name, value);
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { reader, depth, name } = self;
        if depth >= TOP && reader.value(depth, name, Value::Object) == Next::Skip {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let end = reader.path.len();
        let start = if end == 0 { 0 } else { end + 1 };
        while map.next_key_seed(Name(&mut reader.path))?.is_some() {
            map.next_value_seed(Node { reader, depth: depth + 1, name: Some(start) })?;
            reader.path.truncate(end);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reader, mut depth, mut name } = self;
        if depth < TOP {
            reader.path.push_str(ROOT_LIST);
            (depth, name) = (TOP, Some(0));
        }
        if reader.value(depth, name, Value::List) == Next::Skip {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while list.next_element_seed(Node { reader, depth: depth + 1, name: None })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.add(Value::Text(text));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.add(Value::Integer(number));
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a time in seconds; no rule asks for anything smaller")]
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.visit_i64(number as i64)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(Value::Null);
        Ok(())
    }
}

/// Appends the name of a field to the path.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(name);
        Ok(())
    }
}
