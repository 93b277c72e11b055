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
    /// The size of an uploaded file in bytes, as decimal text: name = form field name.
    FileSize,
    /// Where an uploaded file is stored: name = form field name, value = its path there.
    FileTmpName,
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
    /// Where it ends in the arena.
    const fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// Number of bytes.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// The span without its last `count` bytes.
    #[must_use]
    pub(super) fn without_last(self, count: usize) -> Self {
        Bytes { len: self.len.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX)), ..self }
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

/// How far the fields had come at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    arena: usize,
    items: usize,
    arguments: usize,
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
    arguments: usize,
    /// Bytes that a parser holds beside the arena.
    held: usize,
    limit: usize,
}

impl Fields {
    /// No fields; at most `limit` bytes of names, values and the list of them (and 4 GiB).
    pub fn with_limit(limit: usize) -> Self {
        Fields { arena: Vec::new(), items: Vec::new(), arguments: 0, held: 0, limit: limit.min(u32::MAX as usize) }
    }

    /// Forgets all fields, keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.items.clear();
        self.arguments = 0;
        self.held = 0;
    }

    /// Bytes that are allocated, in use or not.
    pub fn allocated(&self) -> usize {
        self.arena.capacity() + self.items.capacity() * size_of::<Field>()
    }

    /// Gives back memory beyond about `bytes` that is not in use.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.arena.shrink_to(bytes);
        self.items.shrink_to(bytes / size_of::<Field>());
    }

    /// Adds a field.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn push(&mut self, kind: Kind, name: &[u8], value: &[u8]) -> Result<(), Exhausted> {
        let name = self.store(name)?;
        let value = self.store(value)?;
        self.push_stored(kind, name, value);
        Ok(())
    }

    /// Adds a field whose value `write` appends to the arena (decoding without a buffer between).
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn push_with(&mut self, kind: Kind, name: Bytes, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Exhausted> {
        let value = self.store_with(write)?;
        self.push_stored(kind, name, value);
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
        if self.memory() > self.limit {
            self.arena.truncate(start);
            return Err(Exhausted { scope: Scope::Memory });
        }
        Ok(Bytes { start: start as u32, len: (self.arena.len() - start) as u32 })
    }

    /// Makes `open`, a span of this arena or the empty default, longer by `bytes`: how a value grows whose end is not yet seen.
    ///
    /// Constant time for each byte while nothing else is stored meanwhile; otherwise the span moves to the end of the arena.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when the arena is full.
    pub fn append(&mut self, open: &mut Bytes, bytes: &[u8]) -> Result<(), Exhausted> {
        let moved = if open.end() == self.arena.len() { 0 } else { open.len() };
        if self.memory() + moved + bytes.len() > self.limit {
            return Err(Exhausted { scope: Scope::Memory });
        }
        if open.end() != self.arena.len() {
            let start = self.arena.len();
            if open.start as usize <= start && open.end() <= start {
                self.arena.extend_from_within(open.start as usize..open.end());
                open.start = start as u32;
            }
        }
        self.arena.extend_from_slice(bytes);
        open.len += bytes.len() as u32;
        Ok(())
    }

    /// Makes each `+` among the newest `len` bytes a space: the whole run at once, since alone each of them would cost as much.
    pub(super) fn spaces_for_plus(&mut self, len: usize) {
        let start = self.arena.len().saturating_sub(len);
        for byte in self.arena.get_mut(start..).into_iter().flatten() {
            *byte = if *byte == b'+' { b' ' } else { *byte };
        }
    }

    /// Adds a field from bytes stored before.
    pub fn push_stored(&mut self, kind: Kind, name: Bytes, value: Bytes) {
        self.arguments += usize::from(matches!(kind, Kind::ArgGet | Kind::ArgPost));
        self.items.push(Field { kind, name, value });
    }

    /// What is there now, to go back to.
    pub(super) fn mark(&self) -> Mark {
        Mark { arena: self.arena.len(), items: self.items.len(), arguments: self.arguments }
    }

    /// Forgets what came after a mark.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.arena.truncate(mark.arena);
        self.items.truncate(mark.items);
        self.arguments = self.arguments.min(mark.arguments);
    }

    /// Number of arguments among the fields: what `SecArgumentsLimit` counts.
    pub fn arguments(&self) -> usize {
        self.arguments
    }

    /// All fields in order of arrival.
    pub fn items(&self) -> &[Field] {
        &self.items
    }

    /// The bytes that a span names; empty for a span of another arena.
    pub fn bytes(&self, span: Bytes) -> &[u8] {
        self.arena.get(span.start as usize..span.end()).unwrap_or_default()
    }

    /// Says how many bytes a parser holds beside the arena: paths, open elements, text that is not complete. They count like
    /// those of the arena.
    ///
    /// # Errors
    /// [`Exhausted`] (scope memory) when that is more than there is.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.held = bytes;
        if self.memory() > self.limit { Err(Exhausted { scope: Scope::Memory }) } else { Ok(()) }
    }

    /// Bytes held: names, values, the list of fields, and what a parser holds while it reads.
    pub fn memory(&self) -> usize {
        self.arena.len() + self.items.len() * size_of::<Field>() + self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_value_grows_and_moves_if_something_comes_between() {
        let mut fields = Fields::with_limit(1000);
        let mut open = Bytes::default();
        fields.append(&mut open, b"ab").unwrap();
        fields.append(&mut open, b"cd").unwrap();
        fields.push(Kind::Cookie, b"n", b"v").unwrap();
        fields.append(&mut open, b"ef").unwrap();
        assert_eq!(fields.bytes(open), b"abcdef");
        assert_eq!(fields.bytes(fields.items()[0].value), b"v");
        assert_eq!(fields.arguments(), 0);
    }

    #[test]
    fn the_limit_counts_the_list_too() {
        let mut fields = Fields::with_limit(100);
        let pushed = (0..100).take_while(|_| fields.push(Kind::ArgGet, b"", b"").is_ok()).count();
        assert!((1..10).contains(&pushed));
        assert_eq!(fields.arguments(), pushed);
    }
}
