//! Rules without end: the rules of a ruleset again and again, each time with other words in their patterns.
//!
//! A copy keeps targets, transformations, actions and the shape of its pattern. The letters of each literal are shuffled, so that
//! no two copies share their words and none of them matches ordinary traffic; the same seed makes the same rules.

use fusewall::rule::{Operator, Pattern, Phrases, Rule, RuleId, Ruleset, Variable};
use std::fmt::Write;

/// Literals shorter than this stay: they are what benign traffic is full of, in the copies as in the originals.
const SHORTEST: usize = 4;

/// The first id of a copy.
const FIRST_ID: u64 = 20_000_000;

/// Numbers that are the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % limit.max(1) as u64) as usize
    }

    fn shuffle(&mut self, letters: &mut [u8]) {
        for at in (1..letters.len()).rev() {
            letters.swap(at, self.below(at + 1));
        }
    }
}

/// `count` rules as SecLang, made of those of `ruleset` that look for a pattern or for phrases in a request at paranoia level 1.
pub fn rules(ruleset: &Ruleset, count: usize, seed: u64) -> String {
    let models: Vec<&Rule> = ruleset.rules.iter().filter(|rule| is_model(rule)).collect();
    assert!(!models.is_empty(), "no rule to copy");
    let mut chance = Chance(seed);
    let mut text = String::new();
    for (number, model) in models.into_iter().cycle().take(count).enumerate() {
        let mut copy = model.clone();
        copy.id = RuleId(FIRST_ID + number as u64);
        if let Some(test) = copy.conditions.first_mut().and_then(|condition| condition.test.as_mut()) {
            match &mut test.operator {
                Operator::Rx(pattern) => {
                    let text = shuffled(&pattern.text, &mut chance).into();
                    *pattern = Pattern { text, fold_case: pattern.fold_case };
                }
                Operator::Pm(phrases) => {
                    let list = phrases.list.iter().map(|phrase| {
                        let mut phrase = phrase.clone();
                        let words = phrase.split_mut(|byte| !byte.is_ascii_alphabetic());
                        words.filter(|word| word.len() >= SHORTEST).for_each(|word| chance.shuffle(word));
                        phrase
                    });
                    *phrases = Phrases { list: list.collect(), ..phrases.clone() };
                }
                _ => {}
            }
        }
        let _ = writeln!(text, "{}", copy.to_seclang());
    }
    text
}

/// Whether a rule is one of those that are copied: one condition on what a request brings, no jumps.
fn is_model(rule: &Rule) -> bool {
    let tagged = |level: &[u8]| rule.tags.iter().any(|tag| tag.to_bytes() == level);
    let [condition] = rule.conditions.as_slice() else { return false };
    let looks = condition.test.as_ref().is_some_and(|test| match &test.operator {
        Operator::Rx(_) => true,
        Operator::Pm(phrases) => phrases.file.is_none(),
        _ => false,
    });
    let request = condition.targets.iter().all(|target| target.variable != Variable::Tx);
    looks && request && rule.phase <= fusewall::Phase::RequestBody && tagged(b"paranoia-level/1")
}

/// A pattern with the letters of its literals in another order. Escapes, classes, groups' heads and counts stay as they are, and so
/// does a letter that a quantifier stands behind.
fn shuffled(pattern: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut out = pattern.to_vec();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        let rest = &pattern[at..];
        let taken = match byte {
            b'\\' => escape(rest),
            b'[' => class(rest),
            b'(' if rest.starts_with(b"(?") => 1 + until(rest, |byte| matches!(byte, b':' | b')' | b'=' | b'!' | b'>')),
            b'{' => 1 + until(rest, |byte| byte == b'}'),
            letter if letter.is_ascii_alphabetic() => {
                let run = until(rest, |byte| !byte.is_ascii_alphabetic());
                let quantified = rest.get(run).is_some_and(|next| matches!(next, b'?' | b'*' | b'+' | b'{'));
                let word = &mut out[at..at + run - usize::from(quantified)];
                if word.len() >= SHORTEST {
                    chance.shuffle(word);
                }
                run
            }
            _ => 1,
        };
        at += taken;
    }
    out
}

/// Bytes before the first that fits, or all.
fn until(rest: &[u8], fits: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|&byte| fits(byte)).unwrap_or(rest.len())
}

/// Bytes of an escape.
fn escape(rest: &[u8]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some(b'x' | b'p' | b'P'), Some(b'{')) => 1 + until(rest, |byte| byte == b'}'),
        (Some(b'x'), _) => 2 + rest[2..].iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count(),
        _ => 2,
    }
}

/// Bytes of a class.
fn class(rest: &[u8]) -> usize {
    let mut at = 1 + usize::from(rest.get(1) == Some(&b'^'));
    // A bracket that closes nothing is one of the class.
    at += usize::from(rest.get(at) == Some(&b']'));
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += escape(&rest[at..]),
            b'[' if rest.get(at + 1) == Some(&b':') => at += 2 + until(&rest[at + 2..], |byte| byte == b']') + 1,
            b']' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}
