//! The rustc-like rendering of diagnostics.
