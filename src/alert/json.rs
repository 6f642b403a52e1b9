//! A walk over JSON that keeps nothing but what the rules ask for: a tree of 8 MiB of JSON can take many times as much.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::Fault;
use super::extract::{Place, Reading, Role};
use super::fields::Meaning;

/// Reads a whole text. What is nested more deeply than 128 times is broken.
pub(super) fn read(text: &str, reading: &mut Reading) -> Result<(), Fault> {
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Node { reading, meaning: Meaning::Wrapper, place: Place::Head, role: None, is_root: true };
    let read = root.deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| Fault::BrokenJson { line: error.line(), column: error.column() })
}

/// A value, and what is known of it from where it stands.
struct Node<'a> {
    reading: &'a mut Reading,
    meaning: Meaning,
    place: Place,
    /// What it is to its surroundings, if it is one of several.
    role: Option<Role>,
    is_root: bool,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.meaning == Meaning::NotAboutIt {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { reading, meaning, place, role, .. } = self;
        let inner = place.inside(meaning, role);
        if meaning == Meaning::Deploy {
            reading.deploy(place);
        }
        if role.is_some() {
            reading.open();
        }
        let by_dyno = meaning == Meaning::ByDyno;
        while let Some(meaning) = map.next_key_seed(Name { reading, by_dyno })? {
            map.next_value_seed(Node { reading, meaning, place: inner, role: None, is_root: false })?;
        }
        if let Some(role) = role {
            reading.close(role);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self { reading, meaning, place, is_root, .. } = self;
        let role = match meaning {
            Meaning::Alerts if place == Place::Head => Role::Alert,
            _ if is_root => Role::Alert,
            Meaning::Events | Meaning::ByDyno => Role::Event,
            _ => Role::Other,
        };
        loop {
            let element = Node { reading: &mut *reading, meaning, place, role: Some(role), is_root: false };
            if sequence.next_element_seed(element)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.reading.text(self.meaning, self.place, text);
        Ok(())
    }

    fn visit_bool<E>(self, it_is: bool) -> Result<(), E> {
        self.reading.text(self.meaning, self.place, if it_is { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.reading.number(self.meaning, self.place, number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.reading.number(self.meaning, self.place, i64::try_from(number).unwrap_or(i64::MAX));
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "seconds with a fraction; what is beyond is no time at all")]
    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.reading.number(self.meaning, self.place, number as i64);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The name of a field.
struct Name<'a> {
    reading: &'a mut Reading,
    /// It is that of a dyno.
    by_dyno: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Meaning;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Meaning, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Meaning;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Meaning, E> {
        if self.by_dyno {
            self.reading.text(Meaning::Source, Place::Detail, name);
            return Ok(Meaning::Nothing);
        }
        Ok(Meaning::of(name))
    }
}
