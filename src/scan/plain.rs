//! What can be said of a pattern without an automaton: that a text lacks the word that each match begins with, or, where a pattern
//! asks for nothing but bytes of one set, whether it matches.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::byteset::ByteSet;
use crate::meter::Price;

/// Bytes of the longest word that is kept.
const WORD: usize = 64;

/// A pattern, or its beginning, as something to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// `^word`, and maybe more.
    Head {
        /// Lower case, if letter case does not matter.
        word: Box<[u8]>,
        /// Letter case does not matter.
        fold_case: bool,
        /// Nothing comes after it: whatever starts so matches.
        alone: bool,
    },
    /// `^[set]{least,most}$`.
    Run {
        /// The set.
        set: ByteSet,
        /// Bytes, at least.
        least: usize,
        /// Bytes, at most.
        most: usize,
    },
}

impl Plain {
    /// The most that asking costs: no more than the beginning of any scan.
    pub const PRICE: Price = Price::new(4, 0);

    /// Looks for such a form of a pattern.
    pub fn of(hir: &Hir) -> Option<Plain> {
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let (first, rest) = parts.split_first()?;
        if !matches!(first.kind(), HirKind::Look(Look::Start)) {
            return None;
        }
        match rest {
            [run, end] if matches!(end.kind(), HirKind::Look(Look::End)) => run_of(run).or_else(|| head_of(rest)),
            _ => head_of(rest),
        }
    }

    /// Whether the pattern finds anything in a text; `None` where an automaton must tell.
    pub fn finds_in(&self, text: &[u8]) -> Option<bool> {
        match self {
            Plain::Head { word, fold_case, alone } => {
                let start = text.get(..word.len());
                let starts =
                    |start: &[u8]| if *fold_case { start.eq_ignore_ascii_case(word) } else { start == &**word };
                match start.is_some_and(starts) {
                    true if *alone => Some(true),
                    true => None,
                    false => Some(false),
                }
            }
            Plain::Run { .. } => None,
        }
    }

    /// Whether the pattern matches a text of `len` bytes, those of `mask`, from end to end; `None` if that does not tell.
    pub fn matches_all(&self, len: usize, mask: &ByteSet) -> Option<bool> {
        match self {
            Plain::Run { set, least, most } => Some((*least..=*most).contains(&len) && mask.is_subset(set)),
            Plain::Head { .. } => None,
        }
    }
}

/// A set of bytes, repeated.
fn run_of(hir: &Hir) -> Option<Plain> {
    let (set, least, most) = match hir.kind() {
        HirKind::Class(class) => (set_of(class)?, 1, 1),
        HirKind::Repetition(repetition) => {
            let HirKind::Class(class) = repetition.sub.kind() else { return None };
            (set_of(class)?, repetition.min as usize, repetition.max.map_or(usize::MAX, |most| most as usize))
        }
        _ => return None,
    };
    Some(Plain::Run { set, least, most })
}

/// The word that the parts begin with.
fn head_of(parts: &[Hir]) -> Option<Plain> {
    let mut word = Vec::new();
    // Whether letter case matters is known from the first letter on.
    let mut fold: Option<bool> = None;
    let mut alone = true;
    'parts: for part in parts {
        let (bytes, folds) = match part.kind() {
            HirKind::Literal(literal) => (literal.0.to_vec(), false),
            HirKind::Class(class) => match either_case(class) {
                Some(letter) => (vec![letter], true),
                None => (Vec::new(), false),
            },
            _ => (Vec::new(), false),
        };
        if bytes.is_empty() {
            alone = false;
            break;
        }
        for byte in bytes {
            let fits = !byte.is_ascii_alphabetic() || *fold.get_or_insert(folds) == folds;
            if !fits || word.len() == WORD {
                alone = false;
                break 'parts;
            }
            word.push(byte);
        }
    }
    let found = !word.is_empty();
    found.then(|| Plain::Head { word: word.into(), fold_case: fold == Some(true), alone })
}

/// The lower-case letter, if the class is one letter in both cases.
fn either_case(class: &Class) -> Option<u8> {
    let set = set_of(class)?;
    let letter = set.iter().find(u8::is_ascii_lowercase)?;
    let both = ByteSet::of(&[letter, letter.to_ascii_uppercase()]);
    (set == both).then_some(letter)
}

fn set_of(class: &Class) -> Option<ByteSet> {
    let Class::Bytes(class) = class else { return None };
    Some(class.iter().fold(ByteSet::EMPTY, |set, range| set.union(ByteSet::range(range.start(), range.end()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::pcre;
    use crate::limits::Limits;
    use crate::meter::Meter;
    use crate::scan::{Cache, Groups, Outcome, Pattern, Want};
    use proptest::prelude::*;

    const PATTERNS: &[(&str, bool)] = &[
        ("^_pk_ref", true),
        ("^_ga(?:_\\w+)?$", true),
        ("^ab", false),
        ("^(?i)a(?-i)b", false),
        ("^.*$", false),
        ("^(?s:.)*$", false),
        ("^[a-c_]{2,5}$", false),
        ("^\\d$", false),
        ("^[ab]+?$", true),
        ("^a", true),
        ("^a$", false),
    ];

    fn plain(text: &str, fold_case: bool) -> Option<Plain> {
        Plain::of(&pcre::parse(text.as_bytes(), fold_case, &Limits::default()).ok()?.hir)
    }

    #[test]
    fn forms_are_recognised() {
        let head = |word: &[u8], fold_case, alone| Some(Plain::Head { word: word.into(), fold_case, alone });
        assert_eq!(plain("^_pk_ref", true), head(b"_pk_ref", true, true));
        assert_eq!(plain("^_ga(?:_\\w+)?$", true), head(b"_ga", true, false));
        assert_eq!(plain("^Ab", false), head(b"Ab", false, true));
        assert_eq!(plain("^(?i)a(?-i)b", false), head(b"a", true, false));
        let line = Plain::Run { set: ByteSet::FULL, least: 0, most: usize::MAX };
        assert_eq!(plain("^.*$", false), Some(line));
        for none in ["ab", "^[ab]c", "a$", "^(?:ab|c)", "^"] {
            assert_eq!(plain(none, false), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn it_says_what_the_automata_say(
            which in 0..PATTERNS.len(),
            text in prop::collection::vec(prop::sample::select(b"aAbc_pkrefGg1\n".to_vec()), 0..12),
            lead in prop::sample::select(vec!["", "_pk_ref", "_GA", "_ga", "ab", "aB"]),
        ) {
            let (pattern, fold_case) = PATTERNS[which];
            let text = [lead.as_bytes(), &text].concat();
            let parsed = pcre::parse(pattern.as_bytes(), fold_case, &Limits::default()).ok().unwrap();
            let automaton = Pattern::build(&parsed.hir, Want::Span, &Limits::default(), None).unwrap();
            let (mut cache, mut groups, mut meter) = (Cache::default(), Groups::default(), Meter::unlimited());
            let outcome =
                automaton.scan(&mut cache, &text, &mut Default::default(), u64::MAX, &mut groups, &mut meter).unwrap();
            let plain = Plain::of(&parsed.hir).unwrap();
            if let Some(found) = plain.finds_in(&text) {
                prop_assert_eq!(found, outcome == Outcome::Hit);
            }
            if let Some(all) = plain.matches_all(text.len(), &ByteSet::in_bytes(&text)) {
                prop_assert_eq!(all, outcome == Outcome::Hit);
                prop_assert!(!all || groups.get(0) == Some((0, text.len())));
            }
            prop_assert!(meter.spent() >= Plain::PRICE.of(text.len()));
        }
    }
}
