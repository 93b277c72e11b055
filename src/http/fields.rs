//! Where the inspection parsers put what they find: named values in one arena, in order of arrival.

use crate::meter::{Exhausted, Scope};

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An argument of the query string.
    ArgGet,
    /// An argument of the body: urlencoded pair, multipart form field, JSON leaf.
    ArgPost,
    /// A cookie of the request.
    Cookie,
    /// A request header.
    RequestHeader,
    /// A response header.
    ResponseHeader,
    /// An uploaded file: name = form field name, value = file name as the client gave it.
    File,
    /// The content of an uploaded file: name = form field name.
    FileContent,
    /// A header line of a multipart part: name = form field name (empty if it has none), value = the whole line.
    PartHeader,
    /// All text of an XML document (`XML:/*`): name is empty.
    XmlText,
    /// One attribute value of an XML document (`XML://@*`): name is the attribute's qualified name.
    XmlAttribute,
}

/// A range of bytes in the arena of [`Fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Bytes {
    start: u32,
    len: u32,
}

impl Bytes {
    /// Number of bytes.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// No bytes at all.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One named value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Bytes,
    /// Its value, decoded.
    pub value: Bytes,
}

/// The named values of one request, append-only. Cleared and reused between requests.
///
/// ```
/// use fusewall::http::{Fields, Kind};
/// let mut fields = Fields::with_limit(1 << 20);
/// fields.push(Kind::ArgGet, b"id", b"1").unwrap();
/// let first = fields.items()[0];
/// assert_eq!(fields.bytes(first.value), b"1");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fields {
    arena: Vec<u8>,
    items: Vec<Field>,
    limit: usize,
}

impl Fields {
    /// No fields; at most `limit` bytes of names and values (and 4 GiB).
    pub fn with_limit(limit: usize) -> Self {
        Fields { arena: Vec::new(), items: Vec::new(), limit: limit.min(u32::MAX as usize) }
    }

    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.items.clear();
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn push(&mut self, kind: Kind, name: &[u8], value: &[u8]) -> Result<(), Exhausted> {
        let name = self.store(name)?;
        let value = self.store(value)?;
        self.items.push(Field { kind, name, value });
        Ok(())
    }

    /// Adds a field whose value `write` appends to the arena (decoding without a buffer between).
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn push_with(&mut self, kind: Kind, name: Bytes, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Exhausted> {
        let value = self.store_with(write)?;
        self.items.push(Field { kind, name, value });
        Ok(())
    }

    /// Stores bytes without making a field of them.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn store(&mut self, bytes: &[u8]) -> Result<Bytes, Exhausted> {
        self.store_with(|arena| arena.extend_from_slice(bytes))
    }

    /// Stores what `write` appends. `write` must only append.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn store_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<Bytes, Exhausted> {
        let start = self.arena.len();
        write(&mut self.arena);
        if self.arena.len() > self.limit {
            self.arena.truncate(start);
            return Err(Exhausted { scope: Scope::Memory });
        }
        Ok(Bytes { start: start as u32, len: (self.arena.len() - start) as u32 })
    }

    /// Adds a field from bytes stored before.
    pub fn push_stored(&mut self, kind: Kind, name: Bytes, value: Bytes) {
        self.items.push(Field { kind, name, value });
    }

    /// All fields in order of arrival.
    pub fn items(&self) -> &[Field] {
        &self.items
    }

    /// The bytes that a span names; empty for a span of another arena.
    pub fn bytes(&self, span: Bytes) -> &[u8] {
        self.arena.get(span.start as usize..(span.start + span.len) as usize).unwrap_or_default()
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.arena.len() + self.items.len() * size_of::<Field>()
    }
}
