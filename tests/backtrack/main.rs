//! Patterns that are not regular, and patterns that are known only when a request comes.

mod matcher;
mod rules;
