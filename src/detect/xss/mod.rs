//! Cross-site scripting, found by what a browser would make of the input.
//!
//! Input that lands in a page starts in text, in a tag, or in an attribute's value. For each such [`Context`] the input is
//! read as HTML, and it is an attack if a tag, an attribute, a URL or a comment comes up that can run something.
//!
//! This is the algorithm of libinjection (Nick Galbreath), whose answers in version 3.9.2 this port gives, with one exception:
//! the original takes the byte FF inside a tag for the end of the input, so that `<img \xff onerror=..>` passes. Here it is a
//! byte like any other beyond ASCII.

mod html5;
mod lists;

use memchr::memchr;

use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};
pub use html5::Context;
use html5::{Kind, Token, Tokenizer};
use lists::Attribute;

/// For a token: to read it and to look its name up.
const TOKEN_FUEL: u64 = 8;
/// For the bytes of a block in one reading.
const BLOCK_FUEL: u64 = 32;
/// For one reading, apart from its bytes and tokens.
const READING_FUEL: u64 = 12;

const CONTEXTS: [Context; 5] =
    [Context::Text, Context::Tag, Context::Value(b'\''), Context::Value(b'"'), Context::Value(b'`')];

/// The most that [`xss`] charges: some 35 fuel a byte, for five readings of one-byte tokens. The dearest input found takes 15,
/// plain text 6.
pub const XSS_PRICE: Price = {
    let contexts = CONTEXTS.len() as u64;
    let blocks_per_kib = (1024 / super::input::BLOCK) as u64;
    // The last block of a reading may be a partial one, and its end is charged like one more token.
    Price::new(
        contexts * (READING_FUEL + BLOCK_FUEL + 2 * TOKEN_FUEL),
        contexts * (blocks_per_kib * BLOCK_FUEL + 1024 * TOKEN_FUEL),
    )
};

/// Of these any attack has one: tags, comments and declarations begin with `<`, and an attribute does nothing without a value.
pub const XSS_NEEDS: ByteSet = ByteSet::of(b"<=");

/// Whether `input` is cross-site scripting in any [`Context`].
///
/// # Errors
/// [`Exhausted`] as soon as the meter does not grant what the next step costs; [`XSS_PRICE`] is always enough.
///
/// ```
/// use fusewall::detect;
/// use fusewall::meter::Meter;
///
/// let mut meter = Meter::unlimited();
/// assert!(detect::xss(b"\"><img src=x onerror=alert(1)>", &mut meter)?);
/// assert!(!detect::xss(b"a < b and <b>bold</b>", &mut meter)?);
/// # Ok::<(), fusewall::meter::Exhausted>(())
/// ```
pub fn xss(input: &[u8], meter: &mut Meter) -> Result<bool, Exhausted> {
    for context in CONTEXTS {
        if xss_in(input, context, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether `input` is cross-site scripting where it starts in `context`.
///
/// # Errors
/// [`Exhausted`] as [`xss`].
///
/// ```
/// use fusewall::detect::{self, Context};
/// let mut meter = fusewall::meter::Meter::unlimited();
/// assert!(detect::xss_in(b"x onload=f()", Context::Tag, &mut meter)?);
/// assert!(!detect::xss_in(b"x onload=f()", Context::Text, &mut meter)?);
/// # Ok::<(), fusewall::meter::Exhausted>(())
/// ```
pub fn xss_in(input: &[u8], context: Context, meter: &mut Meter) -> Result<bool, Exhausted> {
    meter.charge_rule(READING_FUEL)?;
    let mut tokens = Tokenizer::new(input, context, meter);
    let mut attribute = Attribute::Harmless;
    while let Some(Token { kind, text }) = tokens.next()? {
        let name = std::mem::replace(&mut attribute, Attribute::Harmless);
        let dangerous = match kind {
            Kind::Doctype => true,
            Kind::TagOpen => lists::is_dangerous_tag(text),
            Kind::AttributeName => {
                attribute = lists::attribute(text);
                false
            }
            Kind::AttributeValue => match name {
                Attribute::Harmless => false,
                Attribute::Banned => true,
                Attribute::Url => lists::is_dangerous_url(text),
                Attribute::Indirect => lists::attribute(text) != Attribute::Harmless,
            },
            Kind::Comment => is_dangerous_comment(text),
            Kind::Text | Kind::TagEnd | Kind::CloseTag => false,
        };
        if dangerous {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Internet Explorer ends comments at a backquote and runs conditional ones; XML declarations and entities come in the same
/// guise.
fn is_dangerous_comment(text: &[u8]) -> bool {
    let starts = |start: &[u8]| text.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start));
    memchr(b'`', text).is_some()
        || (text.len() > 3 && (starts(b"[IF") || starts(b"XML")))
        || starts(b"IMPORT")
        || starts(b"ENTITY")
}
