//! Inspection parsers: bytes in, named values out, limits as flags.
//!
//! They read what a web application might read, including what no standard allows, and never fail: what is odd is flagged, and
//! everything that was parsed is kept. All of them are linear in time and memory.

mod fields;

pub use fields::{Bytes, Field, Fields, Kind};
