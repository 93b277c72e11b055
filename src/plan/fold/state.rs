//! What is known about the TX collection at one place of the rules.

use crate::limits::Limits;
use crate::rule::{Macro, MacroPart, Variable};
use std::collections::BTreeMap;

/// Longest value that is followed, in bytes. Gates hold numbers and short lists; what rules make longer by adding it to itself
/// would have no bound here.
const MAX_VALUE: usize = 4096;

/// What is known about one TX entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Unset,
    Constant(Vec<u8>),
    Unknown,
}

/// What keys held before actions changed them, in the order of the changes.
pub(super) type Journal = Vec<(Vec<u8>, Known)>;

/// Keys that are not listed are unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    keys: BTreeMap<Vec<u8>, Known>,
    /// Keys that begin so may have been set by a `setvar` with a macro in its key.
    unknown_prefixes: Vec<Vec<u8>>,
    /// Bytes of an expanded text and of a value: the engine cuts longer ones, here they are unknown.
    macro_bytes: usize,
    value_bytes: usize,
}

impl State {
    /// Nothing is set.
    pub(super) fn new(limits: &Limits) -> State {
        let (macro_bytes, value_bytes) = (limits.macro_bytes, limits.tx_value_bytes);
        State { keys: BTreeMap::new(), unknown_prefixes: Vec::new(), macro_bytes, value_bytes }
    }

    pub(super) fn get(&self, key: &[u8]) -> Known {
        let key = key.to_ascii_lowercase();
        let capture = matches!(key.as_slice(), [b'0'..=b'9']);
        if capture || self.unknown_prefixes.iter().any(|prefix| key.starts_with(prefix)) {
            return Known::Unknown;
        }
        self.keys.get(&key).cloned().unwrap_or(Known::Unset)
    }

    fn held(&self, key: &[u8]) -> Known {
        self.keys.get(key).cloned().unwrap_or(Known::Unset)
    }

    /// Sets a key and notes what it held.
    pub(super) fn set(&mut self, key: &[u8], value: Known, journal: &mut Journal) {
        let cut = matches!(&value, Known::Constant(text) if text.len() > self.value_bytes);
        let value = if cut { Known::Unknown } else { value };
        let key = key.to_ascii_lowercase();
        journal.push((key.clone(), self.held(&key)));
        self.keys.insert(key, value);
    }

    /// What holds if any part of the changes was made: a key that does not hold what it held is unknown. Answers whether that
    /// is news about any key.
    pub(super) fn doubt(&mut self, journal: &Journal) -> bool {
        for (key, before) in journal {
            if self.held(key) != *before {
                self.keys.insert(key.clone(), Known::Unknown);
            }
        }
        let mut first: BTreeMap<&[u8], &Known> = BTreeMap::new();
        for (key, before) in journal {
            first.entry(key).or_insert(before);
        }
        first.into_iter().any(|(key, before)| self.held(key) != *before)
    }

    /// A `setvar` whose key is only known up to its first macro.
    pub(super) fn forget_prefix(&mut self, first: Option<&MacroPart>) {
        let prefix = match first {
            Some(MacroPart::Text(text)) => text.to_ascii_lowercase(),
            _ => Vec::new(),
        };
        if !self.unknown_prefixes.contains(&prefix) {
            self.unknown_prefixes.push(prefix);
        }
    }

    /// The text, if all its macros are known and it is not too long to follow.
    pub(super) fn expand(&self, text: &Macro) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for part in &text.parts {
            match part {
                MacroPart::Text(text) => out.extend_from_slice(text),
                MacroPart::Variable { variable: Variable::Tx, key: Some(key) } => match self.get(key) {
                    Known::Unset => {}
                    Known::Constant(value) => out.extend_from_slice(&value),
                    Known::Unknown => return None,
                },
                MacroPart::Variable { .. } | MacroPart::Matching { .. } => return None,
            }
            if out.len() > MAX_VALUE {
                return None;
            }
        }
        (out.len() <= self.macro_bytes).then_some(out)
    }

    /// What holds if either of both is the case.
    pub(super) fn meet(mut self, other: State) -> State {
        for (key, value) in &mut self.keys {
            if other.keys.get(key).unwrap_or(&Known::Unset) != value {
                *value = Known::Unknown;
            }
        }
        for (key, value) in other.keys {
            // Known here only: unset there.
            self.keys.entry(key).or_insert(if value == Known::Unset { Known::Unset } else { Known::Unknown });
        }
        for prefix in other.unknown_prefixes {
            if !self.unknown_prefixes.contains(&prefix) {
                self.unknown_prefixes.push(prefix);
            }
        }
        self
    }

    /// [`State::meet`] where either side may be unreachable.
    pub(super) fn join(one: Option<State>, other: Option<State>) -> Option<State> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.meet(other)),
            (one, other) => one.or(other),
        }
    }
}
