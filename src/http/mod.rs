//! Inspection parsers: bytes in, named values out, limits as flags.
//!
//! They read what a web application might read, including what no standard allows, and never fail: what is odd is flagged in a
//! [`Report`], and everything that was parsed is kept. All of them are linear in time and memory, charge the meter before they
//! read, and give the same fields, report and fuel however a body arrives.
//!
//! | input | parser | fields |
//! |---|---|---|
//! | request target | [`uri::split`] | none: spans of the input |
//! | query string | [`args::parse_query`] | [`Kind::ArgGet`] |
//! | Cookie header | [`cookies::parse_cookies`] | [`Kind::Cookie`] |
//! | coded body | [`coding::Decoding`] | none: the decoded bytes |
//! | body | [`body::BodyParser`] | arguments, files, part headers, XML text and attributes |
//! | values of all these | [`nested::Nested`] | arguments of the documents in them |
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

pub mod args;
pub mod body;
pub mod coding;
pub mod content;
pub mod cookies;
mod fields;
mod graphql;
mod json;
mod limits;
mod multipart;
pub mod nested;
mod out;
mod percent;
mod protobuf;
mod report;
pub mod uri;
mod utf8;
mod xml;

pub use body::{BodyParser, Processor, Progress};
pub use fields::{Bytes, Field, Fields, Kind};
pub use limits::ParseLimits;
pub use out::{NAMES_CONSTANT, NAMES_PER_BYTE};
pub use protobuf::{Described, DescriptorError, Descriptors};
pub use report::{MultipartFlags, Report};
