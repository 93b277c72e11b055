//! What can be known of a transformation before it runs: which bytes it needs, what it costs, how long its output gets.

use super::{Transformation, bytewise, url};
use crate::byteset::ByteSet;
use crate::meter::Price;
use Transformation as T;

/// The blanks of C.
const SPACES: ByteSet = ByteSet::range(0x09, 0x0D).with(b' ');
const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
const LOWER: ByteSet = ByteSet::range(b'a', b'z');

impl Transformation {
    /// The bytes without which nothing changes: if a non-empty input holds none of them, [`apply`](Self::apply) answers
    /// [`Changed::No`](super::Changed::No). The converse does not hold.
    ///
    /// ```
    /// use fusewall::byteset::ByteSet;
    /// use fusewall::transform::Transformation;
    /// let needs = Transformation::UrlDecode.triggers();
    /// assert!(!needs.intersects(&ByteSet::in_bytes(b"hello")));
    /// ```
    pub const fn triggers(self) -> ByteSet {
        match self {
            T::Base64Decode | T::Base64DecodeExt | T::Base64DecodeText | T::Base64Encode => ByteSet::FULL,
            T::HexDecode | T::HexEncode | T::Length | T::Md5 | T::Sha1 => ByteSet::FULL,
            T::CmdLine => UPPER.union(ByteSet::of(b"\"'\\^,; \t\r\n")),
            T::CompressWhitespace | T::RemoveWhitespace => SPACES.with(0xA0),
            T::CssDecode | T::EscapeSeqDecode | T::JsDecode => ByteSet::of(b"\\"),
            T::HtmlEntityDecode => ByteSet::of(b"&"),
            T::Lowercase => UPPER,
            T::Uppercase => LOWER,
            T::NormalizePath => ByteSet::of(b"/."),
            T::NormalizePathWin => ByteSet::of(b"/.\\"),
            T::ParityEven7bit => wrong_parity(false),
            T::ParityOdd7bit => wrong_parity(true),
            T::ParityZero7bit => ByteSet::range(0x80, 0xFF),
            T::PhpArgsNames => ByteSet::of(b" .["),
            // A slash is common and does nothing without a star, an angle bracket nothing without a dash.
            T::RemoveComments | T::RemoveCommentsChar => ByteSet::of(b"*-#"),
            T::ReplaceComments => ByteSet::of(b"*"),
            T::RemoveNulls | T::ReplaceNulls => ByteSet::of(b"\0"),
            T::SqlHexDecode => ByteSet::of(b"xX"),
            T::Trim | T::TrimLeft | T::TrimRight => SPACES,
            T::UrlDecode | T::UrlDecodeUni => ByteSet::of(b"%+"),
            T::UrlEncode => url::UNRESERVED.complement(),
            T::Utf8ToUnicode => ByteSet::range(0xC0, 0xF7).with(0),
        }
    }

    /// Whether the empty input changes: length, md5 and sha1 of nothing are something.
    pub const fn changes_empty(self) -> bool {
        matches!(self, T::Length | T::Md5 | T::Sha1)
    }

    /// The most bytes that an input of `len` bytes can become; saturates.
    pub const fn max_output(self, len: usize) -> usize {
        match self {
            T::Base64Encode => len.div_ceil(3).saturating_mul(4),
            T::HexEncode => len.saturating_mul(2),
            // 18,446,744,073,709,551,615.
            T::Length => 20,
            T::Md5 => 16,
            T::Sha1 => 20,
            T::UrlEncode => len.saturating_mul(3),
            // Seven bytes for an overlong form of two.
            T::Utf8ToUnicode => len.saturating_mul(7).div_ceil(2),
            T::Base64Decode | T::Base64DecodeExt | T::Base64DecodeText => len / 4 * 3 + 2,
            T::HexDecode => len / 2,
            _ => len,
        }
    }

    /// Whether the output has the same words as the input, letter case aside.
    pub const fn keeps_words(self) -> bool {
        matches!(self, T::Lowercase | T::Uppercase)
    }

    /// Where the bytes of the output can come from.
    ///
    /// ```
    /// use fusewall::byteset::ByteSet;
    /// use fusewall::transform::Transformation;
    /// let bytes = Transformation::CompressWhitespace.reach().image(ByteSet::of(b"a\t"));
    /// assert_eq!(bytes, ByteSet::of(b"a\t "));
    /// ```
    pub const fn reach(self) -> Reach {
        let plain = Reach { opaque: ByteSet::EMPTY, adds: ByteSet::EMPTY, recases: false };
        match self {
            T::RemoveNulls | T::RemoveWhitespace | T::Trim | T::TrimLeft | T::TrimRight => plain,
            T::RemoveCommentsChar | T::NormalizePath => plain,
            T::CompressWhitespace | T::ReplaceComments | T::ReplaceNulls => Reach { adds: ByteSet::of(b" "), ..plain },
            // A comment at the end leaves a NUL, one without an end a blank.
            T::RemoveComments => Reach { adds: ByteSet::of(b" \0"), ..plain },
            T::NormalizePathWin => Reach { adds: ByteSet::of(b"/"), ..plain },
            T::PhpArgsNames => Reach { adds: ByteSet::of(b"_"), ..plain },
            T::CmdLine => Reach { adds: ByteSet::of(b" "), recases: true, ..plain },
            T::Lowercase | T::Uppercase => Reach { recases: true, ..plain },
            T::UrlDecode | T::UrlDecodeUni => Reach { opaque: ByteSet::of(b"%"), adds: ByteSet::of(b" "), ..plain },
            _ => Reach { opaque: self.triggers(), ..plain },
        }
    }

    /// What [`apply`](Self::apply) costs at most, on the worst input of its kind: short pieces that mean something, over and
    /// over, and mixtures of them that no branch predictor learns.
    pub const fn price(self) -> Price {
        match self {
            T::Length => Price::new(60, 0),
            T::Lowercase | T::Uppercase | T::ParityZero7bit => Price::per_byte(20, 1),
            T::Trim | T::TrimLeft | T::TrimRight | T::RemoveNulls => Price::per_byte(20, 1),
            T::HexDecode | T::HexEncode | T::Base64Encode => Price::per_byte(40, 1),
            T::ParityEven7bit | T::ParityOdd7bit | T::Base64Decode => Price::per_byte(40, 2),
            // A last block of padding whatever the length.
            T::Md5 | T::Sha1 => Price::per_byte(400, 2),
            T::NormalizePath | T::NormalizePathWin | T::PhpArgsNames => Price::per_byte(40, 3),
            T::CompressWhitespace | T::RemoveWhitespace | T::ReplaceNulls => Price::per_byte(40, 3),
            T::CssDecode | T::EscapeSeqDecode | T::JsDecode | T::HtmlEntityDecode => Price::per_byte(40, 4),
            T::RemoveComments | T::RemoveCommentsChar | T::ReplaceComments => Price::per_byte(40, 4),
            T::SqlHexDecode | T::UrlDecode => Price::per_byte(40, 4),
            T::Base64DecodeExt | T::Base64DecodeText | T::CmdLine | T::UrlEncode | T::Utf8ToUnicode => {
                Price::per_byte(40, 5)
            }
            // Six bytes may cost a look-up in the largest Unicode map.
            T::UrlDecodeUni => Price::per_byte(40, 12),
        }
    }
}

/// Where the bytes of an output can come from that is not empty and whose input is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// An input with one of these can become anything.
    pub opaque: ByteSet,
    /// From others nothing comes but the bytes of the input, and these;
    pub adds: ByteSet,
    /// and letters in the other case.
    pub recases: bool,
}

impl Reach {
    /// What one or the other, or both in turn can make.
    #[must_use]
    pub const fn or(self, other: Reach) -> Reach {
        Reach {
            opaque: self.opaque.union(other.opaque),
            adds: self.adds.union(other.adds),
            recases: self.recases || other.recases,
        }
    }

    /// Bytes that may come from these.
    #[inline]
    pub const fn image(&self, input: ByteSet) -> ByteSet {
        let own = if self.recases { input.either_case() } else { input }.union(self.adds);
        if own.intersects(&self.opaque) { ByteSet::FULL } else { own }
    }
}

/// The bytes that even (or odd) parity changes.
const fn wrong_parity(odd: bool) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    let mut byte = 0u8;
    loop {
        let right = if odd { bytewise::odd(byte) } else { bytewise::even(byte) };
        if right != byte {
            set = set.with(byte);
        }
        if byte == u8::MAX {
            return set;
        }
        byte += 1;
    }
}
