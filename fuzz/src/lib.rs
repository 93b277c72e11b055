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
    ("cookies", oracles::cookies),
    ("fuel", |data| _ = oracles::fuel(data)),
    ("graphql", oracles::graphql),
    ("graphql_built", oracles::graphql_built),
    ("json", oracles::json),
    ("libinjection", oracles::libinjection),
    ("multipart", oracles::multipart),
    ("multipart_built", oracles::multipart_built),
    ("operators", oracles::operators),
    ("pcre_parse", oracles::pcre_parse),
    ("plan", oracles::plan),
    ("prefilter", oracles::prefilter),
    ("protobuf", oracles::protobuf),
    ("query", oracles::query),
    ("resume", oracles::resume),
    ("seclang_parse", oracles::seclang_parse),
    ("swap", oracles::swap),
    ("uri", oracles::uri),
    ("urlencoded", oracles::urlencoded),
    ("whole_request", oracles::whole_request),
    ("xml", oracles::xml),
];
