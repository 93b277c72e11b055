//! Patterns that PCRE2 and we read alike.

use super::super::oracle::generate::Choices;
use super::one;

/// A pattern, written for us.
#[derive(Debug)]
pub struct Pattern {
    pub text: String,
    /// It can match the empty text.
    nullable: bool,
    /// Something that can be empty is repeated without bound: where an automaton decides alone, the end of such a match is not PCRE2's.
    pub loops_over_nothing: bool,
}

/// What takes a byte.
const ATOMS: &[&str] = &[
    "a",
    "b",
    "c",
    "[ab]",
    "[^a]",
    ".",
    r"\d",
    r"\w",
    r"\s",
    r"\W",
    "[[:alpha:]]",
    r"\x61",
    r"\x{e9}",
    "[a-c]",
    r"[\w-]",
    "-",
    r"\n",
    "(?i:A)",
    r"[^\d\s]",
    r"\Qa\E",
    "[]a]",
    r"\x00",
    "(?-s:.)",
    r"[\x80-\xff]",
    r"\h",
    r"\v",
    r"\N",
    "(?#c)a",
    r"\o{141}",
    r"[\b]",
];

/// What takes none.
const EDGES: &[&str] = &["^", r"\z", r"\b", r"\B", r"\A", "$", "(?:)", ""];

const REPEATS: &[(&str, bool, bool)] = &[
    // What it repeats, whether that may be left out, whether without bound.
    ("*", true, true),
    ("+", false, true),
    ("?", true, false),
    ("{2}", false, false),
    ("{1,3}", false, false),
    ("{0,2}", true, false),
    ("{2,}", false, true),
    ("*?", true, true),
    ("+?", false, true),
    ("??", true, false),
    ("{1,2}?", false, false),
    ("*+", true, true),
    ("++", false, true),
    ("?+", true, false),
];

/// A pattern whose groups nest at most so deep.
pub fn pattern(from: &mut Choices<'_>, depth: usize) -> Pattern {
    branch(from, depth, &mut 0)
}

impl Pattern {
    fn new(text: impl Into<String>, nullable: bool) -> Pattern {
        Pattern { text: text.into(), nullable, loops_over_nothing: false }
    }

    /// The pattern between other text.
    fn within(mut self, before: &str, after: &str) -> Pattern {
        self.text = format!("{before}{}{after}", self.text);
        self
    }

    fn then(mut self, next: Pattern) -> Pattern {
        self.text.push_str(&next.text);
        self.nullable &= next.nullable;
        self.loops_over_nothing |= next.loops_over_nothing;
        self
    }

    fn or(mut self, next: Pattern) -> Pattern {
        self.text = format!("(?:{}|{})", self.text, next.text);
        self.nullable |= next.nullable;
        self.loops_over_nothing |= next.loops_over_nothing;
        self
    }
}

fn branch(from: &mut Choices<'_>, depth: usize, groups: &mut usize) -> Pattern {
    let mut whole = piece(from, depth, groups);
    for _ in 0..from.below(3) {
        whole = whole.then(piece(from, depth, groups));
    }
    whole
}

fn piece(from: &mut Choices<'_>, depth: usize, groups: &mut usize) -> Pattern {
    match if depth == 0 { from.below(4) } else { from.below(14) } {
        0..=2 => Pattern::new(one(from, ATOMS), false),
        3 => Pattern::new(one(from, EDGES), true),
        4 | 5 => {
            *groups += 1;
            branch(from, depth - 1, groups).within("(", ")")
        }
        6 | 7 => branch(from, depth - 1, groups).or(branch(from, depth - 1, groups)),
        8..=10 => {
            let (repeat, optional, unbounded) = one(from, REPEATS);
            let mut inner = branch(from, depth - 1, groups).within("(?:", &format!("){repeat}"));
            inner.loops_over_nothing |= unbounded && inner.nullable;
            inner.nullable |= optional;
            inner
        }
        11 => branch(from, depth - 1, groups).within("(?i:", ")"),
        12 => {
            let mut inner = branch(from, depth - 1, groups);
            let kind = one(from, &["(?=", "(?!", "(?>"]);
            inner.nullable |= kind != "(?>";
            inner.within(kind, ")")
        }
        _ if *groups > 0 => Pattern::new(format!("\\{}", 1 + from.below((*groups).min(9))), true),
        _ => Pattern::new(one(from, &["(?<=a)", "(?<!b)", "(?<=^|c)", "(?<![ab]c)"]), true),
    }
}
