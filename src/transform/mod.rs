//! The transformations of SecLang: pure functions on bytes.
//!
//! Each answers [`Changed`]: an unchanged value shares its parent's buffer, so the engine neither copies nor scans it again.
//! A transformation therefore looks for the first byte that it would change before it copies anything.
//!
//! ```
//! use fusewall::transform::{Changed, Context, Transformation};
//! let decode = Transformation::from_name("urlDecodeUni").unwrap();
//! let mut out = Vec::new();
//! assert_eq!(decode.apply(b"a%u0026b", &mut out, &Context::default()), Changed::Yes);
//! assert_eq!(out, b"a&b");
//! assert_eq!(decode.apply(b"plain", &mut out, &Context::default()), Changed::No);
//! ```
//!
//! # Semantics
//! The ModSecurity v2 reference manual and the project's published unit cases are the law; where they are silent, v2's behaviour
//! stands, then libmodsecurity's. Choices that a reader may not expect are explained in the file of the family. All of them
//! work on bytes, never on characters, and letters are ASCII letters whatever the locale.
//!
//! | file | transformations |
//! |---|---|
//! | `base64` | base64Decode, base64DecodeExt, base64DecodeText (Fusewall's own), base64Encode |
//! | `bytewise` | lowercase, uppercase, parityEven7bit, parityOdd7bit, parityZero7bit |
//! | `command` | cmdLine |
//! | `comments` | removeComments, removeCommentsChar, replaceComments |
//! | `digest` | length, md5, sha1 |
//! | `escapes` | cssDecode, escapeSeqDecode, jsDecode |
//! | `hex` | hexDecode, hexEncode, sqlHexDecode |
//! | `html` | htmlEntityDecode |
//! | `nulls` | removeNulls, replaceNulls |
//! | `path` | normalizePath, normalizePathWin |
//! | `php` | phpArgsNames |
//! | `unicode` | utf8toUnicode |
//! | `url` | urlDecode, urlDecodeUni, urlEncode |
//! | `whitespace` | compressWhitespace, removeWhitespace, trim, trimLeft, trimRight |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod base64;
mod bounds;
mod bytewise;
mod command;
mod comments;
mod digest;
mod escapes;
mod hex;
mod html;
mod names;
mod nulls;
mod path;
mod php;
mod rewrite;
mod unicode;
mod url;
mod whitespace;

pub use bounds::Reach;

use std::collections::BTreeMap;

/// `SecUnicodeMapFile`: code points that `t:urlDecodeUni` maps to single bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnicodeMap {
    /// Code point to byte.
    pub map: BTreeMap<u16, u8>,
}

/// What a transformation may know besides its input: settings of the ruleset.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// `SecUnicodeMapFile`, if set.
    pub unicode_map: Option<&'a UnicodeMap>,
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
    Base64DecodeText,
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

impl Transformation {
    /// Transforms `input` into `out`, which is cleared first.
    ///
    /// [`Changed::Yes`] means that the bytes of `out` differ from those of `input`; after [`Changed::No`] the content of `out`
    /// is unspecified. Time and memory are linear in the input: at most [`price`](Self::price) and
    /// [`max_output`](Self::max_output).
    pub fn apply(self, input: &[u8], out: &mut Vec<u8>, context: &Context<'_>) -> Changed {
        out.clear();
        match self {
            Self::Base64Decode => base64::decode(input, out),
            Self::Base64DecodeExt => base64::decode_forgiving(input, out),
            Self::Base64DecodeText => base64::decode_text(input, out),
            Self::Base64Encode => base64::encode(input, out),
            Self::CmdLine => command::cmd_line(input, out),
            Self::CompressWhitespace => whitespace::compress(input, out),
            Self::CssDecode => escapes::css(input, out),
            Self::EscapeSeqDecode => escapes::ansi_c(input, out),
            Self::HexDecode => hex::decode(input, out),
            Self::HexEncode => hex::encode(input, out),
            Self::HtmlEntityDecode => html::decode(input, out),
            Self::JsDecode => escapes::javascript(input, out),
            Self::Length => digest::length(input, out),
            Self::Lowercase => bytewise::lowercase(input, out),
            Self::Md5 => digest::md5(input, out),
            Self::NormalizePath => path::normalize(input, out),
            Self::NormalizePathWin => path::normalize_windows(input, out),
            Self::ParityEven7bit => bytewise::parity_even(input, out),
            Self::ParityOdd7bit => bytewise::parity_odd(input, out),
            Self::ParityZero7bit => bytewise::parity_zero(input, out),
            Self::PhpArgsNames => php::args_names(input, out),
            Self::RemoveComments => comments::remove(input, out),
            Self::RemoveCommentsChar => comments::remove_marks(input, out),
            Self::RemoveNulls => nulls::remove(input, out),
            Self::RemoveWhitespace => whitespace::remove(input, out),
            Self::ReplaceComments => comments::replace(input, out),
            Self::ReplaceNulls => nulls::replace(input, out),
            Self::Sha1 => digest::sha1(input, out),
            Self::SqlHexDecode => hex::decode_sql(input, out),
            Self::Trim => whitespace::trim(input, out),
            Self::TrimLeft => whitespace::trim_left(input, out),
            Self::TrimRight => whitespace::trim_right(input, out),
            Self::Uppercase => bytewise::uppercase(input, out),
            Self::UrlDecode => url::decode(input, out),
            Self::UrlDecodeUni => url::decode_unicode(input, out, context.unicode_map),
            Self::UrlEncode => url::encode(input, out),
            Self::Utf8ToUnicode => unicode::from_utf8(input, out),
        }
    }
}
