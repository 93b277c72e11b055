//! The command line.

pub mod ftw;
