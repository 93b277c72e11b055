//! Zero-width assertions: what they need to know of the bytes on either side of a position.

use regex_automata::util::look::{Look, LookSet};

/// What an assertion can tell apart about the byte on one side of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) enum Side {
    /// There is no byte: the edge of the haystack.
    #[default]
    Edge,
    /// `\n`.
    Lf,
    /// `\r`.
    Cr,
    /// `[0-9A-Za-z_]`.
    Word,
    /// Any other byte.
    Other,
}

impl Side {
    /// All kinds.
    pub(super) const ALL: [Side; 5] = [Side::Edge, Side::Lf, Side::Cr, Side::Word, Side::Other];

    /// The kind of `byte`; `None` is the edge of the haystack.
    pub(super) fn of(byte: Option<u8>) -> Side {
        match byte {
            None => Side::Edge,
            Some(b'\n') => Side::Lf,
            Some(b'\r') => Side::Cr,
            Some(b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => Side::Word,
            Some(_) => Side::Other,
        }
    }
}

/// The kinds of bytes that a set of assertions tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides {
    lf: bool,
    cr: bool,
    word: bool,
}

impl Sides {
    /// The kinds that `looks` tell apart.
    pub(super) fn of(looks: LookSet) -> Sides {
        Sides { lf: looks.contains_anchor_line(), cr: looks.contains_anchor_crlf(), word: looks.contains_word() }
    }

    /// As bits.
    pub(super) fn bits(self) -> u8 {
        u8::from(self.lf) | u8::from(self.cr) << 1 | u8::from(self.word) << 2
    }

    /// Of [`Sides::bits`].
    pub(super) fn from_bits(bits: u8) -> Option<Sides> {
        (bits < 8).then_some(Sides { lf: bits & 1 != 0, cr: bits & 2 != 0, word: bits & 4 != 0 })
    }

    /// The kind of `byte`, `Other` for all that no assertion asks for.
    #[inline]
    pub(super) fn side(self, byte: Option<u8>) -> Side {
        match Side::of(byte) {
            Side::Lf if !self.lf => Side::Other,
            Side::Cr if !self.cr => Side::Other,
            Side::Word if !self.word => Side::Other,
            side => side,
        }
    }
}

/// Whether an engine here knows `look`: all but the Unicode word boundaries.
pub(super) fn is_known(look: Look) -> bool {
    !matches!(
        look,
        Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode
    )
}

/// Whether `look` holds between two bytes, in the order in which the automaton reads them. A `reversed` automaton reads from
/// right to left and carries mirrored assertions; only `\r\n` has to know, because the pair itself is not symmetric.
pub(super) fn holds(look: Look, read: Side, next: Side, reversed: bool) -> bool {
    let (cr, lf) = if reversed { (Side::Lf, Side::Cr) } else { (Side::Cr, Side::Lf) };
    let (word_read, word_next) = (read == Side::Word, next == Side::Word);
    match look {
        Look::Start => read == Side::Edge,
        Look::End => next == Side::Edge,
        Look::StartLF => matches!(read, Side::Edge | Side::Lf),
        Look::EndLF => matches!(next, Side::Edge | Side::Lf),
        Look::StartCRLF => read == Side::Edge || read == lf || (read == cr && next != lf),
        Look::EndCRLF => next == Side::Edge || next == cr || (next == lf && read != cr),
        Look::WordAscii => word_read != word_next,
        Look::WordAsciiNegate => word_read == word_next,
        Look::WordStartAscii => !word_read && word_next,
        Look::WordEndAscii => word_read && !word_next,
        Look::WordStartHalfAscii => !word_read,
        Look::WordEndHalfAscii => !word_next,
        // Refused when the automaton is built.
        Look::WordUnicode
        | Look::WordUnicodeNegate
        | Look::WordStartUnicode
        | Look::WordEndUnicode
        | Look::WordStartHalfUnicode
        | Look::WordEndHalfUnicode => false,
    }
}
