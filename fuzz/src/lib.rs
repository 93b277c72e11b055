//! What the fuzz targets share: each is one function from bytes to a verdict of its own. `generators` makes inputs of the bytes, `oracles`
//! says what must hold of them.
//!
//! The naive interpreter and the generators of rulesets are those of the property tests, and `tests/regressions.rs` takes this file as
//! one of its own: what the fuzzer has found once is tried wherever tests run.

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;

pub mod generators;
pub mod oracles;

/// A target: its name, as in `fuzz_targets`, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("bundle", oracles::bundle),
    ("fuel", |data| _ = oracles::fuel(data)),
    ("graphql", oracles::graphql),
    ("json", oracles::json),
    ("multipart", oracles::multipart),
    ("plan", oracles::plan),
    ("prefilter", oracles::prefilter),
    ("protobuf", oracles::protobuf),
    ("urlencoded", oracles::urlencoded),
    ("whole_request", oracles::whole_request),
    ("xml", oracles::xml),
];
