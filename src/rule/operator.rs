//! What a condition looks for.

use super::Macro;
use crate::net::IpSet;
use std::sync::Arc;

/// An operator and its sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// `!@op`.
    pub negated: bool,
    /// The operator.
    pub operator: Operator,
}

/// A pattern in the PCRE dialect of rule authors, accepted by [`crate::lang::pcre`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    /// Its source bytes.
    pub text: Arc<[u8]>,
    /// Match without case from the start (selectors).
    pub fold_case: bool,
}

/// The phrases of `@pm`, `@pmFromFile`: matched without case (ASCII), never empty strings, duplicates removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Phrases {
    /// In order of definition.
    pub list: Arc<[Box<[u8]>]>,
    /// `file.data` for `@pmFromFile`, as written.
    pub file: Option<Box<str>>,
    /// The name of the `SecDataset`, for `@pmFromDataset`.
    pub dataset: Option<Box<str>>,
}

/// The operators.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operator {
    /// `@rx`: the leftmost-first match of the pattern.
    Rx(Pattern),
    /// `@rxGlobal`: all matches, for captures.
    RxGlobal(Pattern),
    /// `@rx` or `@rxGlobal` with macros: what they expand to is part of the pattern, special characters and all.
    RxExpanded {
        /// The pattern.
        text: Macro,
        /// `@rxGlobal`.
        global: bool,
    },
    /// `@pm`, `@pmf`, `@pmFromFile`: any of the phrases, anywhere, without case.
    Pm(Phrases),
    /// `@streq`: equal.
    StrEq(Macro),
    /// `@contains`: the text stands in the value.
    Contains(Macro),
    /// `@containsWord`: so, with no word character around it.
    ContainsWord(Macro),
    /// `@beginsWith`.
    BeginsWith(Macro),
    /// `@endsWith`.
    EndsWith(Macro),
    /// `@strmatch`: substring search, like `@contains`.
    StrMatch(Macro),
    /// `@within`: the value stands in the text.
    Within(Macro),
    /// `@eq`.
    Eq(Macro),
    /// `@ge`.
    Ge(Macro),
    /// `@gt`.
    Gt(Macro),
    /// `@le`.
    Le(Macro),
    /// `@lt`.
    Lt(Macro),
    /// `@ipMatch`, `@ipMatchF`, `@ipMatchFromFile`.
    IpMatch(IpSet),
    /// `@geoLookup`: the database knows the address; GEO tells of its place.
    GeoLookup,
    /// `@rbl`: the block list of this name has the address or host.
    Rbl(Box<str>),
    /// `@detectSQLi`.
    DetectSqli,
    /// `@detectXSS`.
    DetectXss,
    /// `@validateByteRange`: matches when a byte *outside* the set occurs. `allowed[b]` says whether byte `b` is in it.
    ValidateByteRange(Box<[bool; 256]>),
    /// `@validateUrlEncoding`: matches on an invalid `%` sequence.
    ValidateUrlEncoding,
    /// `@validateUtf8Encoding`: matches on invalid UTF-8.
    ValidateUtf8Encoding,
    /// `@verifyCC`: the pattern finds a number that passes the Luhn test.
    VerifyCc(Pattern),
    /// `@verifyCPF`.
    VerifyCpf(Pattern),
    /// `@verifySSN`.
    VerifySsn(Pattern),
    /// `@verifySVNR`.
    VerifySvnr(Pattern),
    /// `@unconditionalMatch`.
    UnconditionalMatch,
    /// `@noMatch`.
    NoMatch,
}
