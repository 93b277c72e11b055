//! Elements of one large JSON array, one after the other.

use super::{EXCHANGE_BYTES, Sink};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};

/// A JSON value. Objects keep members of the same name, which `tshark` prints; scalars are their text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// `null`.
    Null,
    /// A text, a number or a truth value.
    Text(String),
    /// `[...]`
    Array(Vec<Tree>),
    /// `{...}`
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The first member of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Tree> {
        self.members().iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// All members of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Tree> {
        self.members().iter().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }

    /// The members of an object.
    pub(super) fn members(&self) -> &[(String, Tree)] {
        if let Tree::Object(members) = self { members } else { &[] }
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> &[Tree] {
        if let Tree::Array(elements) = self { elements } else { &[] }
    }

    /// A scalar.
    pub(super) fn text(&self) -> Option<&str> {
        if let Tree::Text(text) = self { Some(text) } else { None }
    }

    /// The scalar of this name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Tree::text)
    }

    /// The scalar of this name, or what is wrong.
    pub(super) fn needed(&self, name: &str) -> Result<&str, String> {
        self.text_of(name).ok_or_else(|| format!("no `{name}` in it"))
    }
}

impl<'de> serde::Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
        from.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        // `{:?}` keeps the point of `2.0`, which versions have.
        Ok(Tree::Text(format!("{value:?}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = from.next_element()? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

/// Hands over each element of the array that the names lead to. An element that is no exchange is for `take` to tell; a text that is
/// no JSON ends the file, and what stood before counts.
///
/// # Errors
/// Those of the file and of `take`.
pub(super) fn elements(
    input: impl BufRead,
    names: &[&str],
    sink: &mut Sink<'_>,
    take: &mut dyn FnMut(u64, Tree, &mut Sink<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let place = Place::default();
    let mut failed = None;
    let outcome = {
        let mut from = serde_json::Deserializer::from_reader(Placed { input, place: &place });
        let walk = Walk { names, place: &place, failed: &mut failed, take: &mut |line, tree| take(line, tree, sink) };
        walk.deserialize(&mut from).and_then(|()| from.end())
    };
    if let Some(error) = failed {
        return Err(error);
    }
    match outcome {
        Ok(()) => Ok(()),
        Err(_) if place.is_too_long() => {
            sink.unread(place.begun.get(), format_args!("more than {EXCHANGE_BYTES} bytes; what follows is not read"));
            Ok(())
        }
        Err(error) if error.classify() == Category::Io => Err(io::Error::from(error).into()),
        Err(error) => {
            sink.unread(error.line() as u64, format_args!("{error}; what follows is not read"));
            Ok(())
        }
    }
}

/// Where the reader is.
#[derive(Debug, Default)]
struct Place {
    /// Line feeds that were read.
    lines: Cell<u64>,
    /// Bytes since the last element.
    bytes: Cell<usize>,
    /// The line in which an element has begun, if one has.
    begun: Cell<u64>,
}

impl Place {
    fn is_too_long(&self) -> bool {
        self.bytes.get() > EXCHANGE_BYTES
    }

    /// An element has ended.
    fn next(&self) {
        self.bytes.set(0);
        self.begun.set(0);
    }
}

/// Counts lines, and ends where an element is too long.
struct Placed<'p, R> {
    input: R,
    place: &'p Place,
}

impl<R: BufRead> Read for Placed<'_, R> {
    /// One byte at a time is what the JSON reader asks for: so the place is exact.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = self.place;
        if place.is_too_long() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = buffer.len().min(1);
        let read = self.input.read(&mut buffer[..most])?;
        if let Some(byte) = buffer[..read].first() {
            place.bytes.set(place.bytes.get() + 1);
            if *byte == b'\n' {
                place.lines.set(place.lines.get() + 1);
            } else if *byte == b'{' && place.begun.get() == 0 {
                place.begun.set(place.lines.get() + 1);
            }
        }
        Ok(read)
    }
}

struct Walk<'w> {
    names: &'w [&'w str],
    place: &'w Place,
    failed: &'w mut Option<anyhow::Error>,
    take: &'w mut dyn FnMut(u64, Tree) -> anyhow::Result<()>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.first() {
            Some(name) => write!(f, "an object with `{name}`"),
            None => f.write_str("an array"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut from: A) -> Result<(), A::Error> {
        let Some((name, names)) = self.names.split_first() else {
            return Err(A::Error::custom("an object where an array is expected"));
        };
        let mut found = false;
        while let Some(key) = from.next_key::<String>()? {
            if key != *name {
                from.next_value::<IgnoredAny>()?;
                continue;
            }
            found = true;
            let Walk { place, failed, take, .. } = &mut self;
            from.next_value_seed(Walk { names, place, failed, take })?;
        }
        if found { Ok(()) } else { Err(A::Error::custom(format_args!("no `{name}` in it"))) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        if let Some(name) = self.names.first() {
            return Err(A::Error::custom(format_args!("an array where an object with `{name}` is expected")));
        }
        self.place.next();
        while let Some(element) = from.next_element()? {
            if let Err(error) = (self.take)(self.place.begun.get(), element) {
                *self.failed = Some(error);
                return Err(A::Error::custom("the replay has ended"));
            }
            self.place.next();
        }
        Ok(())
    }
}
