//! Texts on which backtracking goes wild, made from a pattern: what stands before a repetition, what it repeats, again and again,
//! and an end that does not fit.

use crate::byteset::ByteSet;
use crate::scan::backtrack::Tree;
use std::collections::BTreeSet;

/// Longest text before a repetition, in bytes.
const LONGEST: usize = 200;

/// A text of any length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pump {
    before: Vec<u8>,
    repeated: Vec<u8>,
}

impl Pump {
    /// The text of about `size` bytes.
    pub fn text(&self, size: usize) -> Vec<u8> {
        let times = size / self.repeated.len().max(1) + 1;
        [self.before.as_slice(), &self.repeated.repeat(times), b"\0!"].concat()
    }
}

/// At most `most` of the pumps of a pattern, one for each of its repetitions, evenly chosen.
pub fn pumps(tree: &Tree, most: usize) -> Vec<Pump> {
    let mut found = BTreeSet::from([Pump { before: Vec::new(), repeated: b"a".to_vec() }]);
    walk(tree, b"", &mut found);
    let step = found.len().div_ceil(most.max(1)).max(1);
    found.into_iter().step_by(step).collect()
}

/// A text that a pattern matches, as far as assertions and references allow: the first branch, and no more repetitions than it takes.
pub fn sample(tree: &Tree) -> Vec<u8> {
    match tree {
        Tree::Empty | Tree::Look(_) | Tree::Reference { .. } | Tree::Around { .. } => Vec::new(),
        Tree::Byte(byte) => vec![*byte],
        Tree::Set(set) => member(set).into_iter().collect(),
        Tree::Capture { tree, .. } | Tree::Atomic(tree) => sample(tree),
        Tree::Repeat { tree, min, .. } => sample(tree).repeat((*min).min(LONGEST as u32) as usize),
        Tree::Concat(parts) => parts.iter().flat_map(sample).collect(),
        Tree::Alternate(branches) => branches.first().map(sample).unwrap_or_default(),
    }
}

/// Adds the pumps of a tree behind `before`; answers a text that it matches. As deep as groups may be in each other.
fn walk(tree: &Tree, before: &[u8], found: &mut BTreeSet<Pump>) -> Vec<u8> {
    match tree {
        Tree::Empty | Tree::Look(_) | Tree::Reference { .. } => Vec::new(),
        Tree::Byte(byte) => vec![*byte],
        Tree::Set(set) => member(set).into_iter().collect(),
        Tree::Capture { tree, .. } | Tree::Atomic(tree) => walk(tree, before, found),
        Tree::Around { behind, tree, .. } => {
            let text = walk(tree, before, found);
            if *behind { Vec::new() } else { text }
        }
        Tree::Repeat { tree, min, max, .. } => {
            let once = walk(tree, before, found);
            if max.is_none_or(|max| max > 3) && !once.is_empty() {
                found.insert(Pump { before: before.to_vec(), repeated: once.clone() });
            }
            once.repeat((*min).min(20) as usize)
        }
        Tree::Concat(parts) => {
            let mut text = before.to_vec();
            for part in parts {
                let piece = walk(part, &text, found);
                if text.len() < LONGEST {
                    text.extend(piece);
                }
            }
            text.split_off(before.len().min(text.len()))
        }
        Tree::Alternate(branches) => {
            let mut texts: Vec<_> = branches.iter().map(|branch| walk(branch, before, found)).collect();
            texts.sort_by_key(Vec::len);
            // Two branches in turn are what a repetition around them cannot tell apart at once.
            texts.truncate(2);
            texts.concat()
        }
    }
}

/// A byte of a set: a letter or a digit if it has one, for other sets are likely to have that, too.
fn member(set: &ByteSet) -> Option<u8> {
    let ordinary = b"a1".iter().copied().find(|byte| set.contains(*byte));
    ordinary.or_else(|| set.iter().find(u8::is_ascii_graphic)).or_else(|| set.iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::pcre::parse_tree;
    use crate::limits::Limits;

    fn texts(pattern: &str) -> Vec<String> {
        let tree = parse_tree(pattern.as_bytes(), false, &Limits::default()).expect("a pattern");
        let pumps = pumps(&tree, 10).into_iter();
        pumps.map(|pump| String::from_utf8_lossy(&pump.text(4)).replace("\0!", "")).collect()
    }

    #[test]
    fn each_repetition_is_pumped_behind_what_leads_to_it() {
        assert_eq!(texts("x(a+)+b"), ["aaaaa", "xaaaaa"]);
        assert_eq!(texts("(?:a|bc)*="), ["aaaaa", "abcabc"]);
        assert_eq!(texts(r"^id=(?:\d|-)*\s{2,}"), ["aaaaa", "id=\t\t\t\t\t", "id=11111"]);
    }
}
