//! The inputs that are tried on a step.

use crate::chance::Chance;
use crate::inputs::{escapes, prose, repeat};

/// Bytes of a long input.
pub const SIZE: usize = 64 << 10;

/// An input and what made it.
#[derive(Clone)]
pub struct Text {
    /// What made it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An input.
pub fn text(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Text {
    Text { name: name.into(), bytes: bytes.into() }
}

/// One piece again and again.
pub fn pump(piece: &str, bytes: usize) -> Text {
    text(format!("{:?} again and again", piece.chars().take(14).collect::<String>()), repeat(piece, bytes))
}

/// Bytes in an order of chance.
pub fn random(alphabet: &[u8], bytes: usize) -> Vec<u8> {
    let mut chance = Chance::new(alphabet.len() as u64);
    (0..bytes).map(|_| *chance.pick(alphabet)).collect()
}

/// Pieces in an order of chance.
pub fn shuffled(pieces: &[&str], bytes: usize) -> Vec<u8> {
    let mut chance = Chance::new(bytes as u64);
    let mut out = Vec::with_capacity(bytes + 64);
    while out.len() < bytes {
        out.extend_from_slice(chance.pick(pieces).as_bytes());
    }
    out.truncate(bytes);
    out
}

/// Inputs for a step that knows these pieces: each of them again and again, all in an order of chance, their bytes in one; any bytes;
/// and very short ones, which show what a call costs.
pub fn around(pieces: &[&str]) -> Vec<Text> {
    let mut own: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes()).collect();
    own.sort_unstable();
    own.dedup();
    let every: Vec<u8> = (0..=255).collect();
    let mut texts: Vec<Text> = pieces.iter().map(|piece| pump(piece, SIZE)).collect();
    texts.push(text("pieces by chance", shuffled(pieces, SIZE)));
    texts.push(text("bytes of the pieces by chance", random(&own, SIZE)));
    texts.push(text("any bytes by chance", random(&every, SIZE)));
    texts.push(text("two bytes in turn", repeat("a\u{1}", SIZE)));
    texts.push(text("escapes", escapes(SIZE)));
    for length in [1, 3, 9, 33, 260] {
        texts.push(text(format!("{length} bytes of prose"), prose(length)));
        texts.push(text(format!("{length} bytes of the pieces"), shuffled(pieces, length)));
        texts.push(text(format!("{length} bytes by chance"), random(&every, length)));
    }
    texts
}
