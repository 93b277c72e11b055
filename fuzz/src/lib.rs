//! What the fuzz targets share: each is one function from bytes to a verdict of its own. `generators` makes inputs of the bytes, `oracles`
//! says what must hold of them; `hosts` are the targets of those who hold the engine.
//!
//! The naive interpreter and the generators of rulesets are those of the property tests, and `tests/regressions.rs` takes this file as
//! one of its own: what the fuzzer has found once is tried wherever tests run.

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;

pub mod generators;
#[cfg(feature = "hosts")]
pub mod hosts;
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
    ("transform_base64", oracles::transform::base64),
    ("transform_bytewise", oracles::transform::bytewise),
    ("transform_command", oracles::transform::command),
    ("transform_comments", oracles::transform::comments),
    ("transform_digest", oracles::transform::digest),
    ("transform_escapes", oracles::transform::escapes),
    ("transform_hex", oracles::transform::hex),
    ("transform_html", oracles::transform::html),
    ("transform_nulls", oracles::transform::nulls),
    ("transform_path", oracles::transform::path),
    ("transform_php", oracles::transform::php),
    ("transform_unicode", oracles::transform::unicode),
    ("transform_url", oracles::transform::url),
    ("transform_whitespace", oracles::transform::whitespace),
    ("uri", oracles::uri),
    ("urlencoded", oracles::urlencoded),
    ("whole_request", oracles::whole_request),
    ("xml", oracles::xml),
];

/// The targets of `hosts`, and the tests that replay them: their packages and features are not those of the engine.
pub const OF_HOSTS: &[(&str, &str)] = &[
    ("admin_api", "tests/fuzzed_hosts.rs"),
    ("c_abi", "src/host/libmodsecurity/tests/fuzzed.rs"),
    ("spop", "tests/fuzzed_hosts.rs"),
];
