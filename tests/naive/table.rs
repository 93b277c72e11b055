//! The traps of the rule language, one by one.
