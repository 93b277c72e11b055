//! `%{...}` in operators and actions.

use super::{Pattern, Variable};

/// Text with macros.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Macro {
    /// In order; neighbouring texts are joined.
    pub parts: Vec<MacroPart>,
}

/// A piece of a [`Macro`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MacroPart {
    /// As it stands.
    Text(Box<[u8]>),
    /// `%{VARIABLE}` or `%{VARIABLE.key}`; nothing if it is absent. A collection without key expands to its first member.
    Variable {
        /// The variable.
        variable: Variable,
        /// The member, as written; compared without case for variables that fold case.
        key: Option<Box<[u8]>>,
    },
    /// `%{COLLECTION./regex/}`: the first member whose name the pattern finds, without case.
    Matching {
        /// The variable.
        variable: Variable,
        /// The pattern.
        pattern: Pattern,
    },
}

impl Macro {
    /// Plain text.
    pub fn text(text: impl Into<Box<[u8]>>) -> Self {
        let text = text.into();
        Macro { parts: if text.is_empty() { Vec::new() } else { vec![MacroPart::Text(text)] } }
    }

    /// The text if there is no macro in it.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [MacroPart::Text(text)] => Some(text),
            _ => None,
        }
    }
}
