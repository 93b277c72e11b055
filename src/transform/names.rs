//! The names by which rules call the transformations.

use super::Transformation;
use Transformation as T;

/// Each transformation and its name: in the reference manual, but for those that are Fusewall's own.
const NAMES: [(Transformation, &str); 37] = [
    (T::Base64Decode, "base64Decode"),
    (T::Base64DecodeExt, "base64DecodeExt"),
    (T::Base64DecodeText, "base64DecodeText"),
    (T::Base64Encode, "base64Encode"),
    (T::CmdLine, "cmdLine"),
    (T::CompressWhitespace, "compressWhitespace"),
    (T::CssDecode, "cssDecode"),
    (T::EscapeSeqDecode, "escapeSeqDecode"),
    (T::HexDecode, "hexDecode"),
    (T::HexEncode, "hexEncode"),
    (T::HtmlEntityDecode, "htmlEntityDecode"),
    (T::JsDecode, "jsDecode"),
    (T::Length, "length"),
    (T::Lowercase, "lowercase"),
    (T::Md5, "md5"),
    (T::NormalizePath, "normalizePath"),
    (T::NormalizePathWin, "normalizePathWin"),
    (T::ParityEven7bit, "parityEven7bit"),
    (T::ParityOdd7bit, "parityOdd7bit"),
    (T::ParityZero7bit, "parityZero7bit"),
    (T::PhpArgsNames, "phpArgsNames"),
    (T::RemoveComments, "removeComments"),
    (T::RemoveCommentsChar, "removeCommentsChar"),
    (T::RemoveNulls, "removeNulls"),
    (T::RemoveWhitespace, "removeWhitespace"),
    (T::ReplaceComments, "replaceComments"),
    (T::ReplaceNulls, "replaceNulls"),
    (T::Sha1, "sha1"),
    (T::SqlHexDecode, "sqlHexDecode"),
    (T::Trim, "trim"),
    (T::TrimLeft, "trimLeft"),
    (T::TrimRight, "trimRight"),
    (T::Uppercase, "uppercase"),
    (T::UrlDecode, "urlDecode"),
    (T::UrlDecodeUni, "urlDecodeUni"),
    (T::UrlEncode, "urlEncode"),
    (T::Utf8ToUnicode, "utf8toUnicode"),
];

/// Spellings of older rule sets.
const ALIASES: [(Transformation, &str); 2] =
    [(T::NormalizePath, "normalisePath"), (T::NormalizePathWin, "normalisePathWin")];

impl Transformation {
    /// Every transformation, in the order of the enum.
    pub const ALL: [Transformation; 37] = {
        let mut all = [T::Base64Decode; 37];
        let mut at = 0;
        while at < all.len() {
            #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
            {
                all[at] = NAMES[at].0;
            }
            at += 1;
        }
        all
    };

    /// The transformation of that name, case of letters ignored; `None` for an unknown one and for `none`, which is not a
    /// transformation but empties the pipeline.
    ///
    /// ```
    /// use fusewall::transform::Transformation;
    /// assert_eq!(Transformation::from_name("NormalisePath"), Some(Transformation::NormalizePath));
    /// assert_eq!(Transformation::from_name("rot13"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Transformation> {
        NAMES.iter().chain(&ALIASES).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|&(found, _)| found)
    }

    /// Its name, spelled as in the reference manual.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|&&(listed, _)| listed == self).map_or("", |&(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_complete_and_round_trip() {
        for (at, transformation) in Transformation::ALL.into_iter().enumerate() {
            assert_eq!(transformation as usize, at, "NAMES must list the enum in order, without gaps");
            assert_eq!(Transformation::from_name(&transformation.name().to_uppercase()), Some(transformation));
        }
    }
}
