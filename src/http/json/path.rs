//! The path from the root of a JSON document to where the reader is, kept as the text that names a leaf.

/// What a bracket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

/// An open container.
#[derive(Debug)]
struct Frame {
    container: Container,
    /// Length of the container's own name.
    base: usize,
    /// Index of the next element of an array.
    next: u64,
    empty: bool,
}

/// A container that was left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) container: Container,
    pub(super) empty: bool,
    /// Elements of an array.
    pub(super) elements: u64,
}

/// Room that names and containers get at once: most documents need no more.
const USUAL_TEXT: usize = 124;
const USUAL_DEPTH: usize = 8;

/// Appends decimal digits.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut left = number;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        count += 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

/// The path. Its text is that of the root, a dot and a key or index for each container, and never longer than a small multiple of the body
/// read: a key is in it once, an index has no more digits than its array has bytes.
#[derive(Debug)]
pub(super) struct Path {
    text: Vec<u8>,
    frames: Vec<Frame>,
}

impl Path {
    /// A path whose root has this name.
    pub(super) fn new(root: &[u8]) -> Self {
        let mut text = Vec::with_capacity(root.len() + USUAL_TEXT);
        text.extend_from_slice(root);
        Path { text, frames: Vec::with_capacity(USUAL_DEPTH) }
    }

    /// The name of the value that is read.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.text.len() + self.frames.len() * size_of::<Frame>()
    }

    /// Number of open containers.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn innermost(&self) -> Option<Container> {
        self.frames.last().map(|frame| frame.container)
    }

    pub(super) fn enter(&mut self, container: Container) {
        self.frames.push(Frame { container, base: self.text.len(), next: 0, empty: true });
    }

    /// Leaves the innermost container; the text is its own name again.
    pub(super) fn leave(&mut self) -> Option<Left> {
        let frame = self.frames.pop()?;
        self.text.truncate(frame.base);
        Some(Left { container: frame.container, empty: frame.empty, elements: frame.next })
    }

    /// Begins a member: the bytes of its key follow with [`push_key`](Self::push_key).
    pub(super) fn begin_key(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.empty = false;
            self.text.truncate(frame.base);
            self.text.push(b'.');
        }
    }

    pub(super) fn push_key(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Begins an element, if the innermost container is an array.
    pub(super) fn begin_element(&mut self) {
        if let Some(frame @ Frame { container: Container::Array, .. }) = self.frames.last_mut() {
            frame.empty = false;
            self.text.truncate(frame.base);
            self.text.push(b'.');
            write_number(frame.next, &mut self.text);
            frame.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_keys_and_indices() {
        let mut path = Path::new(b"json");
        path.enter(Container::Object);
        path.begin_key();
        path.push_key(b"a");
        path.enter(Container::Array);
        for index in 0..=10 {
            path.begin_element();
            assert_eq!(path.text(), format!("json.a.{index}").as_bytes());
        }
        assert!(!path.leave().unwrap().empty);
        assert_eq!(path.text(), b"json.a");
        path.begin_key();
        path.push_key(b"b.c");
        assert_eq!(path.text(), b"json.b.c");
        assert!(path.leave().is_some() && path.leave().is_none());
    }
}
