//! The syntax tree as the `Hir` that automata are built from. Recursive: the parser bounds the depth.

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look as HirLook, Repetition};

use super::ast::{Look, Node};
use crate::byteset::ByteSet;

/// The meaning of a tree without look-around.
pub(super) fn lower(node: &Node) -> Hir {
    match node {
        Node::Empty => Hir::empty(),
        Node::Byte(byte) => Hir::literal([*byte]),
        Node::Set(set) => byte_class(set),
        Node::Look(look) => lower_look(*look),
        Node::Capture { index, node } => {
            Hir::capture(Capture { index: *index, name: None, sub: Box::new(lower(node)) })
        }
        // The parser takes look-around for `status_set` alone, which never comes here. Should it ever, no match is the answer
        // that a test would notice at once.
        Node::Around { .. } => Hir::fail(),
        Node::Repeat { node, min, max, greedy } => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub: Box::new(lower(node)) })
        }
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(lower).collect()),
        Node::Alternate(nodes) => Hir::alternation(nodes.iter().map(lower).collect()),
    }
}

/// A set as a class of bytes.
pub(super) fn byte_class(set: &ByteSet) -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new(set.iter().map(|byte| ClassBytesRange::new(byte, byte)))))
}

fn lower_look(look: Look) -> Hir {
    Hir::look(match look {
        Look::Start => HirLook::Start,
        Look::End => HirLook::End,
        Look::EndOrNewline => {
            let newline = Hir::concat(vec![Hir::literal(*b"\n"), Hir::look(HirLook::End)]);
            return Hir::alternation(vec![Hir::look(HirLook::End), newline]);
        }
        Look::LineStart => HirLook::StartLF,
        Look::LineEnd => HirLook::EndLF,
        Look::Word => HirLook::WordAscii,
        Look::NotWord => HirLook::WordAsciiNegate,
        Look::WordStart => HirLook::WordStartAscii,
        Look::WordEnd => HirLook::WordEndAscii,
    })
}
