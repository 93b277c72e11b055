//! Text that keeps the patterns of a ruleset busy and that none of them need match: made from the patterns themselves.

#![allow(dead_code)]

use crate::chance::Chance;
use fusewall::Limits;
use fusewall::lang::pcre;
use fusewall::program::{Program, Test};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::{BTreeMap, BTreeSet};

/// What all of it begins from: the same text in every run.
pub const SEED: u64 = 0xF05E_3A11;

/// How a text is made of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Texts that the pattern matches, each without its end, one after the other.
    Truncated,
    /// Bytes in an order of chance, all from the pattern's own.
    Alphabet,
    /// Beginnings of matches, and behind each a long run of white space.
    Blanks,
    /// Beginnings of matches between quotes, brackets and comments that open and do not close.
    Quotes,
}

impl Shape {
    pub const ALL: [Shape; 4] = [Shape::Truncated, Shape::Alphabet, Shape::Blanks, Shape::Quotes];
}

/// A pattern of a rule.
pub struct Source {
    /// The first rule that has it.
    pub rule: u64,
    /// As it stands in the rule.
    pub text: String,
    hir: Hir,
    alphabet: Vec<u8>,
}

/// The distinct patterns of `@rx` in a program, in its order.
pub fn sources(program: &Program) -> Vec<Source> {
    let mut used = BTreeMap::new();
    for (rule, planned) in program.ruleset.rules.iter().zip(&program.rules) {
        for look in planned.links.iter().filter_map(|link| link.look) {
            if let Some(Test::Rx(id) | Test::RxGlobal(id)) = program.tests.get(look.test.index()) {
                used.entry(id.index()).or_insert(rule.id.0);
            }
        }
    }
    let plans = used.into_iter().filter_map(|(at, rule)| Some((rule, program.patterns.get(at)?)));
    plans
        .filter_map(|(rule, plan)| {
            let parsed = pcre::parse(&plan.pattern.text, plan.pattern.fold_case, &Limits::default()).ok()?;
            let mut alphabet = BTreeSet::new();
            letters(&parsed.hir, &mut alphabet);
            Some(Source {
                rule,
                text: String::from_utf8_lossy(&plan.pattern.text).into_owned(),
                alphabet: if alphabet.is_empty() { vec![b'a'] } else { alphabet.into_iter().collect() },
                hir: parsed.hir,
            })
        })
        .collect()
}

/// The bytes that a pattern speaks of: of a large class only some.
fn letters(hir: &Hir, out: &mut BTreeSet<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend(literal.0.iter().copied()),
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.ranges() {
                let middle = range.start() + (range.end() - range.start()) / 2;
                out.extend([range.start(), middle, range.end()]);
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                out.extend(range.start().to_string().bytes());
            }
        }
        HirKind::Capture(capture) => letters(&capture.sub, out),
        HirKind::Repetition(repetition) => letters(&repetition.sub, out),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| letters(part, out)),
    }
}

/// Appends a text that the pattern matches, chosen by chance.
fn matching(hir: &Hir, chance: &mut Chance, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            if !class.ranges().is_empty() {
                let range = chance.pick(class.ranges());
                out.push(range.start() + chance.below(usize::from(range.end() - range.start()) + 1) as u8);
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            if !class.ranges().is_empty() {
                out.extend(chance.pick(class.ranges()).start().to_string().bytes());
            }
        }
        HirKind::Capture(capture) => matching(&capture.sub, chance, out),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(3));
            let count = repetition.min as usize + chance.below((most - repetition.min.min(most)) as usize + 1);
            for _ in 0..count.min(64) {
                matching(&repetition.sub, chance, out);
            }
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| matching(part, chance, out)),
        HirKind::Alternation(branches) => matching(chance.pick(branches), chance, out),
    }
}

impl Source {
    /// About `size` bytes of that shape; the same for the same `seed`.
    pub fn text(&self, shape: Shape, size: usize, seed: u64) -> Vec<u8> {
        let mut chance = Chance::new(SEED ^ seed);
        let mut out = Vec::with_capacity(size + 64);
        while out.len() < size {
            if shape == Shape::Alphabet {
                out.push(*chance.pick(&self.alphabet));
                continue;
            }
            let mut piece = Vec::new();
            matching(&self.hir, &mut chance, &mut piece);
            piece.truncate(piece.len() - piece.len().min(1 + chance.below(piece.len() / 2 + 1)));
            out.extend(piece);
            let (filling, longest): (&[u8], usize) = match shape {
                Shape::Blanks => (b" \t\n\r \x0b  ", 400),
                Shape::Quotes => (b"'\"`(/[{<'\"", 12),
                // A pattern of one byte leaves nothing when it is cut.
                Shape::Truncated | Shape::Alphabet => (&self.alphabet, 1),
            };
            for _ in 0..1 + chance.below(longest) {
                out.push(*chance.pick(filling));
            }
        }
        out.truncate(size);
        out
    }
}

/// The value of a form field, with as few escapes as it can have.
pub fn form_value(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    for &byte in text {
        if matches!(byte, b'%' | b'&' | b'+' | b'=' | b'#' | b';') {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}
