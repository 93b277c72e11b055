//! The transformations of SecLang: pure functions on bytes.
//!
//! Each answers [`Changed`]: an unchanged value shares its parent's buffer, so the engine neither copies nor scans it again.

use std::collections::BTreeMap;

/// `SecUnicodeMapFile`: code points that `t:urlDecodeUni` maps to single bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnicodeMap {
    /// Code point to byte.
    pub map: BTreeMap<u16, u8>,
}

/// Whether a transformation changed its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The output differs from the input.
    Yes,
    /// The input stands; `out` must be ignored.
    No,
}

/// A transformation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Transformation {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    Md5,
    NormalizePath,
    NormalizePathWin,
    ParityEven7bit,
    ParityOdd7bit,
    ParityZero7bit,
    PhpArgsNames,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}
