//! Patterns: the dialect against PCRE2, and what patterns require against what they match.

mod dialect;
mod matcher;
mod require;
mod rules;
mod table;
