//! The bytes of one request: an arena of decoded fields, an arena of derived values, the two bodies.

use crate::http::{Bytes, Fields};
use crate::meter::{Exhausted, Scope};

/// Where some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slice {
    /// In the arena of fields.
    Field(Bytes),
    /// In the arena of derived values.
    Work { start: u32, len: u32 },
    /// The request body.
    RequestBody,
    /// The response body.
    ResponseBody,
    /// Text of the program.
    Static(&'static [u8]),
}

impl Slice {
    pub(super) const EMPTY: Slice = Slice::Static(b"");
}

/// A body as it came, and as it is read.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What the host has written of it: what goes on to the other side.
    pub(super) received: Vec<u8>,
    /// More came than the limit admits: the rest was not kept.
    pub(super) is_cut: bool,
    /// Without its content codings.
    pub(super) decoded: Vec<u8>,
    /// `decoded` is what rules and parsers read.
    pub(super) is_decoded: bool,
}

impl Body {
    /// What rules and parsers read.
    pub(super) fn inspected(&self) -> &[u8] {
        if self.is_decoded { &self.decoded } else { &self.received }
    }

    /// Keeps another piece of it, of which the limit admits all. A vector doubles when it grows: here it grows no further than the
    /// limit, so that a limit of bodies is one of memory.
    pub(super) fn receive(&mut self, piece: &[u8], limit: usize) {
        let len = self.received.len() + piece.len();
        // Without this guard D14 must be seen to fail.
        if len > self.received.capacity() && !cfg!(fusewall_without = "memory") {
            let room = len.max(2 * self.received.capacity()).min(limit.max(len));
            self.received.reserve_exact(room - self.received.len());
        }
        self.received.extend_from_slice(piece);
    }

    fn clear(&mut self) {
        self.received.clear();
        self.decoded.clear();
        (self.is_cut, self.is_decoded) = (false, false);
    }

    fn len(&self) -> usize {
        self.received.len() + self.decoded.len()
    }

    fn allocated(&self) -> usize {
        self.received.capacity() + self.decoded.capacity()
    }
}

/// All bytes of one request.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) fields: Fields,
    pub(super) work: Vec<u8>,
    pub(super) request_body: Body,
    pub(super) response_body: Body,
    /// Bytes of the tables about what is here, as far as they grow with a request.
    pub(super) tables: Tables,
    limit: usize,
}

/// Bytes of tables that grow with a request. Whoever fills one says so here, before it asks for more.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tables {
    /// Classified values, and where they are.
    pub(super) buffers: usize,
    /// Which values rules look at.
    pub(super) selections: usize,
    /// Which tests they may pass.
    pub(super) sieved: usize,
}

/// Offsets into the work arena have four bytes.
const OFFSETS: usize = u32::MAX as usize;

impl Memory {
    pub(super) fn get(&self, slice: Slice) -> &[u8] {
        match slice {
            Slice::Field(bytes) => self.fields.bytes(bytes),
            Slice::Work { start, len } => {
                self.work.get(start as usize..start as usize + len as usize).unwrap_or_default()
            }
            Slice::RequestBody => self.request_body.inspected(),
            Slice::ResponseBody => self.response_body.inspected(),
            Slice::Static(text) => text,
        }
    }

    /// Nothing yet; at most `limit` bytes.
    pub(super) fn with_limit(limit: usize) -> Memory {
        // Without this guard D22 must be seen to fail, by so much that anybody sees it, but not by all the memory of the machine.
        let limit = if cfg!(fusewall_without = "request_memory") { limit.saturating_mul(8) } else { limit };
        Memory { fields: Fields::with_limit(limit), limit, ..Memory::default() }
    }

    /// Keeps bytes in the work arena until it is next cleared.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Result<Slice, Exhausted> {
        self.admit(bytes.len())?;
        let start = self.work.len() as u32;
        self.work.extend_from_slice(bytes);
        Ok(Slice::Work { start, len: bytes.len() as u32 })
    }

    /// Whether `more` bytes may be held, here or in tables about what is here.
    pub(super) fn admit(&self, more: usize) -> Result<(), Exhausted> {
        let fits = self.held().saturating_add(more) <= self.limit && self.work.len().saturating_add(more) <= OFFSETS;
        if fits { Ok(()) } else { Err(Exhausted { scope: Scope::Memory }) }
    }

    /// Bytes that may still be held.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.held())
    }

    /// Bytes that are held, here and in tables about what is here.
    fn held(&self) -> usize {
        let Tables { buffers, selections, sieved } = self.tables;
        self.len() + buffers + selections + sieved
    }

    pub(super) fn len(&self) -> usize {
        self.fields.memory() + self.work.len() + self.request_body.len() + self.response_body.len()
    }

    /// Bytes that are allocated, in use or not.
    pub(super) fn allocated(&self) -> usize {
        let bodies = self.request_body.allocated() + self.response_body.allocated();
        self.work.capacity() + bodies + self.fields.allocated()
    }

    /// Gives back what is not in use beyond `bytes` for each part.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.fields.shrink_to(bytes);
        let Memory { work, request_body, response_body, .. } = self;
        let bodies = [request_body, response_body].into_iter().flat_map(|body| [&mut body.received, &mut body.decoded]);
        std::iter::once(work).chain(bodies).for_each(|part| part.shrink_to(bytes));
    }

    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.work.clear();
        self.request_body.clear();
        self.response_body.clear();
        self.tables = Tables::default();
    }
}
