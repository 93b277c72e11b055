//! The operators.

use super::Name;
use super::Support::{self, Refused, Yes};

/// The operators that do something, by the shape of their argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lang::seclang) enum Kind {
    Rx,
    RxGlobal,
    Pm,
    Rbl,
    PmFromDataset,
    PmFromFile,
    StrEq,
    Contains,
    ContainsWord,
    BeginsWith,
    EndsWith,
    StrMatch,
    Within,
    Eq,
    Ge,
    GeoLookup,
    Gt,
    Le,
    Lt,
    IpMatch,
    IpMatchFromDataset,
    IpMatchFromFile,
    DetectSqli,
    DetectXss,
    ValidateByteRange,
    ValidateUrlEncoding,
    ValidateUtf8Encoding,
    VerifyCc,
    VerifyCpf,
    VerifySsn,
    VerifySvnr,
    UnconditionalMatch,
    NoMatch,
}

const fn row(name: &'static str, support: Support<Kind>) -> Name<Kind> {
    Name { name, support }
}

/// Every operator of the manuals.
pub(in crate::lang::seclang) const TABLE: &[Name<Kind>] = &[
    row("beginsWith", Yes(Kind::BeginsWith)),
    row("contains", Yes(Kind::Contains)),
    row("containsWord", Yes(Kind::ContainsWord)),
    row("detectSQLi", Yes(Kind::DetectSqli)),
    row("detectXSS", Yes(Kind::DetectXss)),
    row("endsWith", Yes(Kind::EndsWith)),
    row("eq", Yes(Kind::Eq)),
    row("fuzzyHash", Refused("fuzzy hashing is not supported", "scan uploads outside the request path")),
    row("ge", Yes(Kind::Ge)),
    row("geoLookup", Yes(Kind::GeoLookup)),
    row(
        "gsbLookup",
        Refused(
            "the Safe Browsing database format that it reads is no longer published",
            "use @pmFromFile with a list of hosts",
        ),
    ),
    row("gt", Yes(Kind::Gt)),
    row(
        "inspectFile",
        Refused("programs are not started from the request path", "scan uploads in the application or the host"),
    ),
    row("ipMatch", Yes(Kind::IpMatch)),
    row("ipMatchF", Yes(Kind::IpMatchFromFile)),
    row("ipMatchFromDataset", Yes(Kind::IpMatchFromDataset)),
    row("ipMatchFromFile", Yes(Kind::IpMatchFromFile)),
    row("le", Yes(Kind::Le)),
    row("lt", Yes(Kind::Lt)),
    row("noMatch", Yes(Kind::NoMatch)),
    row("pm", Yes(Kind::Pm)),
    row("pmf", Yes(Kind::PmFromFile)),
    row("pmFromDataset", Yes(Kind::PmFromDataset)),
    row("pmFromFile", Yes(Kind::PmFromFile)),
    row("rbl", Yes(Kind::Rbl)),
    row(
        "restpath",
        Refused(
            "paths are not matched against templates",
            "use @rx on REQUEST_FILENAME with capture, and TX:1 and its like",
        ),
    ),
    row("rsub", Refused("bodies are inspected, never rewritten", "rewrite in the host or the application")),
    row("rx", Yes(Kind::Rx)),
    row("rxGlobal", Yes(Kind::RxGlobal)),
    row("strmatch", Yes(Kind::StrMatch)),
    row("streq", Yes(Kind::StrEq)),
    row("unconditionalMatch", Yes(Kind::UnconditionalMatch)),
    row("validateByteRange", Yes(Kind::ValidateByteRange)),
    row(
        "validateDTD",
        Refused(
            "XML is not validated against DTDs",
            "validate in the application; REQBODY_ERROR tells about XML that is not well-formed",
        ),
    ),
    row("validateEncryption", Refused("link hashing is not supported", "sign links in the application")),
    row("validateHash", Refused("link hashing is not supported", "sign links in the application")),
    row(
        "validateNid",
        Refused("Chilean identity numbers are not supported", "use @verifySSN for those of the United States"),
    ),
    row(
        "validateSchema",
        Refused(
            "XML is not validated against schemas",
            "validate in the application; REQBODY_ERROR tells about XML that is not well-formed",
        ),
    ),
    row("validateUrlEncoding", Yes(Kind::ValidateUrlEncoding)),
    row("validateUtf8Encoding", Yes(Kind::ValidateUtf8Encoding)),
    row("verifyCC", Yes(Kind::VerifyCc)),
    row("verifyCPF", Yes(Kind::VerifyCpf)),
    row("verifySSN", Yes(Kind::VerifySsn)),
    row("verifySVNR", Yes(Kind::VerifySvnr)),
    row("within", Yes(Kind::Within)),
];
