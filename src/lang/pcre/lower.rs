//! The syntax tree as the `Hir` that automata are built from. Recursive: the parser bounds the depth.
//!
//! A tree that is not regular is *relaxed*: the `Hir` matches wherever the tree does, and maybe elsewhere. Look-around becomes
//! the empty text, an atomic group an ordinary one, a back-reference whatever its group can match.

use std::collections::HashMap;

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look as HirLook, Repetition};

use crate::byteset::ByteSet;
use crate::scan::backtrack::{Look, Tree};

/// Pieces that all back-references of a pattern may be relaxed to. Beyond, one matches any text.
const COPIED: usize = 4096;
/// How deep they may nest in one another: what reads the `Hir` is recursive.
const DEPTH: usize = 64;

/// The meaning of a tree, relaxed where it is not regular.
pub(super) fn lower(tree: &Tree) -> Hir {
    let mut groups = HashMap::new();
    find_groups(tree, &mut groups);
    Lower { groups, open: Vec::new(), left: COPIED, depth: 0 }.tree(tree)
}

fn find_groups<'t>(tree: &'t Tree, groups: &mut HashMap<u32, &'t Tree>) {
    match tree {
        Tree::Empty | Tree::Byte(_) | Tree::Set(_) | Tree::Look(_) | Tree::Reference { .. } => {}
        Tree::Capture { index, tree } => {
            groups.insert(*index, tree);
            find_groups(tree, groups);
        }
        Tree::Repeat { tree, .. } | Tree::Around { tree, .. } | Tree::Atomic(tree) => find_groups(tree, groups),
        Tree::Concat(trees) | Tree::Alternate(trees) => trees.iter().for_each(|tree| find_groups(tree, groups)),
    }
}

struct Lower<'t> {
    groups: HashMap<u32, &'t Tree>,
    /// The groups that the present piece stands in, copies counted.
    open: Vec<u32>,
    /// Pieces that may still be copied.
    left: usize,
    /// Copies that the present piece is nested in.
    depth: usize,
}

impl Lower<'_> {
    fn tree(&mut self, tree: &Tree) -> Hir {
        match tree {
            Tree::Empty | Tree::Around { .. } => Hir::empty(),
            Tree::Byte(byte) => Hir::literal([*byte]),
            Tree::Set(set) => byte_class(set),
            Tree::Look(look) => lower_look(*look),
            Tree::Capture { index, tree } => {
                self.open.push(*index);
                let sub = Box::new(self.tree(tree));
                self.open.pop();
                Hir::capture(Capture { index: *index, name: None, sub })
            }
            Tree::Repeat { tree, min, max, greedy, .. } => {
                let sub = Box::new(self.tree(tree));
                Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub })
            }
            Tree::Concat(trees) => Hir::concat(trees.iter().map(|tree| self.tree(tree)).collect()),
            Tree::Alternate(trees) => Hir::alternation(trees.iter().map(|tree| self.tree(tree)).collect()),
            Tree::Atomic(tree) => self.tree(tree),
            Tree::Reference { group, fold } => self.reference(*group, *fold),
        }
    }

    /// What a group can have captured: a copy of it without its conditions, or any text where it would hold itself.
    fn reference(&mut self, group: u32, fold: bool) -> Hir {
        let copied = match self.groups.get(&group).copied() {
            Some(tree) if !self.open.contains(&group) => {
                self.open.push(group);
                let copied = self.copy(tree, fold);
                self.open.pop();
                copied
            }
            _ => None,
        };
        copied.unwrap_or_else(any_text)
    }

    fn copy(&mut self, tree: &Tree, fold: bool) -> Option<Hir> {
        self.left = self.left.checked_sub(1)?;
        if self.depth >= DEPTH {
            return None;
        }
        self.depth += 1;
        let copied = self.copy_piece(tree, fold);
        self.depth -= 1;
        copied
    }

    fn copy_piece(&mut self, tree: &Tree, fold: bool) -> Option<Hir> {
        let all = |this: &mut Self, trees: &[Tree]| {
            trees.iter().map(|tree| this.copy(tree, fold)).collect::<Option<Vec<_>>>()
        };
        Some(match tree {
            Tree::Empty | Tree::Around { .. } | Tree::Look(_) => Hir::empty(),
            Tree::Byte(byte) => byte_class(&cases(ByteSet::of(&[*byte]), fold)),
            Tree::Set(set) => byte_class(&cases(*set, fold)),
            Tree::Capture { tree, .. } | Tree::Atomic(tree) => self.copy(tree, fold)?,
            Tree::Repeat { tree, min, max, greedy, .. } => {
                let sub = Box::new(self.copy(tree, fold)?);
                Hir::repetition(Repetition { min: *min, max: *max, greedy: *greedy, sub })
            }
            Tree::Concat(trees) => Hir::concat(all(self, trees)?),
            Tree::Alternate(trees) => Hir::alternation(all(self, trees)?),
            Tree::Reference { group, fold: also } => self.reference(*group, fold || *also),
        })
    }
}

/// A set with the other case of its letters, if case does not count.
fn cases(set: ByteSet, fold: bool) -> ByteSet {
    let letters = set.iter().filter(|byte| fold && byte.is_ascii_alphabetic());
    letters.fold(set, |set, byte| set.with(byte ^ 0x20))
}

fn any_text() -> Hir {
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub: Box::new(byte_class(&ByteSet::FULL)) })
}

/// A set as a class of bytes.
fn byte_class(set: &ByteSet) -> Hir {
    let mut ranges: Vec<ClassBytesRange> = Vec::new();
    for byte in set.iter() {
        match ranges.last_mut() {
            Some(last) if last.end() + 1 == byte => *last = ClassBytesRange::new(last.start(), byte),
            _ => ranges.push(ClassBytesRange::new(byte, byte)),
        }
    }
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
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
