//! Transformations: each gives what a second implementation of it gives, and nothing that its bounds exclude.
//!
//! The second ones are written from the reference manual, the published cases and the choices that `fusewall::transform` states,
//! without a look at its code: slow, short and plain, one file for each family. Where both are wrong alike, this finds nothing; the
//! published cases are there for that.

mod base64;
mod bytewise;
mod command;
mod comments;
mod digest;
mod escapes;
mod hex;
mod html;
mod nulls;
mod path;
mod php;
mod unicode;
mod url;
mod whitespace;

use super::super::generators::spelled_in;
use fusewall::byteset::ByteSet;
use fusewall::transform::{Changed, Context, Transformation};

/// A second implementation.
type Second = fn(&[u8]) -> Vec<u8>;

/// Transformations that look for the same.
pub struct Family {
    /// What means something to them, between bars.
    tokens: &'static [u8],
    /// Each, and what it is compared with.
    pub members: &'static [(Transformation, Second)],
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    base64::FAMILY,
    bytewise::FAMILY,
    command::FAMILY,
    comments::FAMILY,
    digest::FAMILY,
    escapes::FAMILY,
    hex::FAMILY,
    html::FAMILY,
    nulls::FAMILY,
    path::FAMILY,
    php::FAMILY,
    unicode::FAMILY,
    url::FAMILY,
    whitespace::FAMILY,
];

impl Family {
    /// Tries all members with one value.
    fn agrees(&self, data: &[u8]) {
        let value = spelled_in(self.tokens, data);
        for &(transformation, second) in self.members {
            holds(transformation, &value, &Context::default(), &second(&value));
        }
    }
}

/// `base64Decode` and its kin.
pub fn base64(data: &[u8]) {
    base64::FAMILY.agrees(data);
}

/// Letter case and parity.
pub fn bytewise(data: &[u8]) {
    bytewise::FAMILY.agrees(data);
}

/// `cmdLine`.
pub fn command(data: &[u8]) {
    command::FAMILY.agrees(data);
}

/// `removeComments` and its kin.
pub fn comments(data: &[u8]) {
    comments::FAMILY.agrees(data);
}

/// `length`, `md5` and `sha1`.
pub fn digest(data: &[u8]) {
    digest::FAMILY.agrees(data);
}

/// Escapes of C, CSS and JavaScript.
pub fn escapes(data: &[u8]) {
    escapes::FAMILY.agrees(data);
}

/// `hexDecode` and its kin.
pub fn hex(data: &[u8]) {
    hex::FAMILY.agrees(data);
}

/// `htmlEntityDecode`.
pub fn html(data: &[u8]) {
    html::FAMILY.agrees(data);
}

/// `removeNulls` and `replaceNulls`.
pub fn nulls(data: &[u8]) {
    nulls::FAMILY.agrees(data);
}

/// `normalizePath` and its variant for Windows.
pub fn path(data: &[u8]) {
    path::FAMILY.agrees(data);
}

/// `phpArgsNames`.
pub fn php(data: &[u8]) {
    php::FAMILY.agrees(data);
}

/// `utf8toUnicode`.
pub fn unicode(data: &[u8]) {
    unicode::FAMILY.agrees(data);
}

/// URL encoding, and with a Unicode map, too.
pub fn url(data: &[u8]) {
    url::FAMILY.agrees(data);
    url::agrees_with_a_map(data);
}

/// `trim` and its kin.
pub fn whitespace(data: &[u8]) {
    whitespace::FAMILY.agrees(data);
}

/// What must hold of a transformation of `input` that should give `expected`.
fn holds(transformation: Transformation, input: &[u8], context: &Context<'_>, expected: &[u8]) {
    let show = || format!("{} of {}", transformation.name(), input.escape_ascii());
    // What is in the buffer is not the transformation's business.
    let mut out = b"left over".to_vec();
    let changed = transformation.apply(input, &mut out, context) == Changed::Yes;
    let got = if changed { &out[..] } else { input };
    assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", show());
    assert_eq!(changed, input != expected, "{} says that it changed", show());
    if !changed {
        return;
    }
    assert!(out.len() <= transformation.max_output(input.len()), "{} is too long", show());
    if input.is_empty() {
        assert!(transformation.changes_empty(), "{} changed", show());
        return;
    }
    let bytes = ByteSet::in_bytes(input);
    assert!(transformation.triggers().intersects(&bytes), "{} changed without a reason", show());
    assert!(ByteSet::in_bytes(&out).is_subset(&transformation.reach().image(bytes)), "{} has other bytes", show());
    assert!(!transformation.keeps_words() || out.eq_ignore_ascii_case(input), "{} has other words", show());
}

/// Goes over a value: what `meaning` knows becomes what it says, which took so many bytes; other bytes stand.
fn replaced(input: &[u8], meaning: impl Fn(&[u8]) -> Option<(Vec<u8>, usize)>) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < input.len() {
        match meaning(&input[at..]) {
            Some((means, width)) => {
                out.extend(means);
                at += width;
            }
            None => {
                out.push(input[at]);
                at += 1;
            }
        }
    }
    out
}

/// The number that `width` digits of that base spell at the front; `None` if there are not so many.
fn number(text: &[u8], width: usize, base: u32) -> Option<u32> {
    let digits = text.get(..width)?;
    digits.iter().try_fold(0, |number, &digit| Some(number * base + char::from(digit).to_digit(base)?))
}

/// How many digits of that base stand at the front.
fn digits(text: &[u8], base: u32) -> usize {
    text.iter().take_while(|&&byte| char::from(byte).is_digit(base)).count()
}

/// The byte that stands for a code point: its lowest, but that of ASCII for full-width ASCII.
fn low_byte(code_point: u32) -> u8 {
    match code_point {
        0xff01..=0xff5e => (code_point - 0xff01) as u8 + b'!',
        _ => code_point as u8,
    }
}
