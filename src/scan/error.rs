//! Why an automaton could not be built.

use std::fmt;

/// Why an automaton could not be built. The message names sizes and limits; the planner shows it at the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The automaton would be larger than a limit.
    TooLarge {
        /// What is too large: `"NFA"`, `"DFA"`, `"literal automaton"`.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The pattern uses an assertion that no engine here knows (Unicode word boundaries).
    Assertion,
    /// The automata library refused; its own words.
    Automaton(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::TooLarge { what, limit } => {
                write!(f, "the {what} of this pattern is larger than {limit} bytes")
            }
            BuildError::Assertion => f.write_str("Unicode word boundaries are not supported; values are bytes"),
            BuildError::Automaton(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<aho_corasick::BuildError> for BuildError {
    fn from(error: aho_corasick::BuildError) -> Self {
        BuildError::Automaton(error.to_string())
    }
}
