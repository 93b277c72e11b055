//! What is known about the TX collection at one place of the rules.

use crate::rule::{Macro, MacroPart, Variable};
use std::collections::BTreeMap;

/// Longest value that is followed, in bytes. Gates hold numbers and short lists; what rules make longer by adding it to itself
/// would have no bound here.
const MAX_VALUE: usize = 4096;
/// Keys that are followed. CRS has about 300; states are copied where jumps meet, so that their size counts for every rule.
const MAX_KEYS: usize = 4096;

/// What is known about one TX entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Unset,
    Constant(Vec<u8>),
    Unknown,
}

/// Keys that are not listed are unset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    keys: BTreeMap<Vec<u8>, Known>,
    /// Keys that begin so may have been set by a `setvar` with a macro in its key.
    unknown_prefixes: Vec<Vec<u8>>,
}

impl State {
    pub(super) fn get(&self, key: &[u8]) -> Known {
        let key = key.to_ascii_lowercase();
        let capture = matches!(key.as_slice(), [b'0'..=b'9']);
        if capture || self.unknown_prefixes.iter().any(|prefix| key.starts_with(prefix)) {
            return Known::Unknown;
        }
        self.keys.get(&key).cloned().unwrap_or(Known::Unset)
    }

    pub(super) fn set(&mut self, key: &[u8], value: Known) {
        let key = key.to_ascii_lowercase();
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(&key) {
            self.keys.clear();
            self.unknown_prefixes = vec![Vec::new()];
        }
        self.keys.insert(key, value);
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
                MacroPart::Variable { .. } => return None,
            }
            if out.len() > MAX_VALUE {
                return None;
            }
        }
        Some(out)
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
