//! JSON, as serde_json reads it.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::fmt;

/// What a leaf holds.
#[derive(Debug, PartialEq)]
pub enum Leaf {
    Text(Vec<u8>),
    /// A number: its text is the sender's.
    Number(Number),
}

/// Whether a value is that leaf.
pub fn is(leaf: &Leaf, value: &[u8]) -> bool {
    match leaf {
        Leaf::Text(text) => text == value,
        Leaf::Number(number) => serde_json::from_slice(value).is_ok_and(|value: Number| value == *number),
    }
}

/// The leaves of a document in order, named by their paths.
///
/// # Errors
/// What is wrong with the document.
pub fn leaves(body: &[u8]) -> Result<Vec<(String, Leaf)>, serde_json::Error> {
    let mut leaves = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Walk { path: "json".to_owned(), member: false, leaves: &mut leaves }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(leaves)
}

/// Walks through one value. serde_json's own `Value` would lose the first of two members with one key.
struct Walk<'a> {
    path: String,
    /// It is a member of an object.
    member: bool,
    leaves: &'a mut Vec<(String, Leaf)>,
}

impl Walk<'_> {
    fn leaf<E>(self, leaf: Leaf) -> Result<(), E> {
        self.leaves.push((self.path, leaf));
        Ok(())
    }

    fn text<E>(self, text: &str) -> Result<(), E> {
        self.leaf(Leaf::Text(text.as_bytes().to_vec()))
    }

    /// An empty container is an empty value, unless it is all there is.
    fn nothing(self) {
        if self.path != "json" || self.member {
            self.leaves.push((self.path, Leaf::Text(Vec::new())));
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.text(if value { "true" } else { "false" })
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.leaf(Leaf::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.leaf(Leaf::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.leaf(Leaf::Number(Number::from_f64(value).expect("JSON has no infinity")))
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.text(value)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.text("")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut count = 0u64;
        loop {
            let path = format!("{}.{count}", self.path);
            if elements.next_element_seed(Walk { path, member: false, leaves: &mut *self.leaves })?.is_none() {
                break;
            }
            count += 1;
        }
        match (count, self.member) {
            (0, _) => self.nothing(),
            (_, true) => self.leaves.push((self.path, Leaf::Text(count.to_string().into()))),
            _ => {}
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut empty = true;
        while let Some(key) = members.next_key::<String>()? {
            let path = format!("{}.{key}", self.path);
            members.next_value_seed(Walk { path, member: true, leaves: &mut *self.leaves })?;
            empty = false;
        }
        if empty {
            self.nothing();
        }
        Ok(())
    }
}
