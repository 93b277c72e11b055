//! SQL injection, found by the shape of its tokens.
//!
//! Input that lands in an SQL statement starts in one of a few places: outside of a string, or inside one that `'` or `"`
//! opened. For each ([`Quote`]) the input is read as SQL of a standard and a MySQL flavour ([`Dialect`]), its tokens are
//! folded to five at most, and their kinds, one letter each, are the [`Fingerprint`]. It is an injection if the fingerprint
//! is one of some 8,000 that were collected from attacks, and not one of the few exceptions that honest text has too.
//!
//! This is the algorithm of libinjection (Nick Galbreath), whose answers in version 3.9.2 this port gives.

mod fold;
mod lexer;
mod tokens;
mod verdict;
mod words;

use std::fmt;

use memchr::{memchr, memmem};

use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};
use fold::{Folded, MAX};
use lexer::{Lexer, Seen};
use tokens::Kind;

/// For a token: to read, look up and fold it.
const TOKEN_FUEL: u64 = 16;
/// For the bytes of a block in one reading.
const BLOCK_FUEL: u64 = 64;
/// For one reading, apart from its bytes and tokens.
const READING_FUEL: u64 = 64;
/// For a search of the whole input, per block.
const SEARCH_FUEL: u64 = 1;
/// A fingerprint has five readings at most, each perhaps with a search of its own; the quotes are searched for once each.
const READINGS: u64 = 5;
const SEARCHES: u64 = READINGS + 2;

/// The most that [`sqli`] charges: some 90 fuel a byte, for five readings to the end of input that is all one-byte tokens. The
/// dearest input found by search takes 64; text is done with after the first few words.
pub const SQLI_PRICE: Price = {
    let blocks_per_kib = (1024 / super::input::BLOCK) as u64;
    let block = READINGS * BLOCK_FUEL + SEARCHES * SEARCH_FUEL;
    // The last block of each pass may be a partial one.
    Price::new(READINGS * READING_FUEL + block, blocks_per_kib * block + READINGS * 1024 * TOKEN_FUEL)
};

/// The kinds of the tokens that are left of an input, one letter each.
///
/// `k` keyword, `U` union, `B` group, `E` statement, `t` type, `f` function, `n` word, `1` number, `v` variable, `s` string,
/// `o` operator, `&` logic, `c` comment, `A` collate, `T` Transact-SQL, `( ) { } . , : ; \` themselves, `?` no SQL,
/// `X` nested or conditional comment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint {
    letters: [u8; MAX],
    len: u8,
}

impl Fingerprint {
    fn of(kinds: impl Iterator<Item = Kind>) -> Self {
        let mut fingerprint = Fingerprint::default();
        for (to, kind) in fingerprint.letters.iter_mut().zip(kinds) {
            *to = kind.letter();
            fingerprint.len += 1;
        }
        fingerprint
    }

    /// The letters, in ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        self.letters.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Where in a statement the input is taken to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quote {
    /// Outside of any string.
    None,
    /// In a string that `'` opened.
    Single,
    /// In a string that `"` opened.
    Double,
}

impl Quote {
    const fn byte(self) -> Option<u8> {
        match self {
            Quote::None => None,
            Quote::Single => Some(b'\''),
            Quote::Double => Some(b'"'),
        }
    }
}

/// Whose comments the input is taken to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `--` starts a comment, `#` is an operator.
    Ansi,
    /// `--` starts a comment only before a blank, and `#` does.
    MySql,
}

/// One way to read an input as SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reading {
    /// Where it starts.
    pub quote: Quote,
    /// Whose comments it has.
    pub dialect: Dialect,
}

/// Of these any injection has one: letters and underscores alone are one word, and no fingerprint has fewer than two tokens.
pub const SQLI_NEEDS: ByteSet = ByteSet::range(b'a', b'z').union(ByteSet::range(b'A', b'Z')).with(b'_').complement();

/// Whether `input` is an SQL injection: the fingerprint that says so, or `None`.
///
/// # Errors
/// [`Exhausted`] as soon as the meter does not grant what the next step costs; [`SQLI_PRICE`] is always enough.
///
/// ```
/// use fusewall::detect;
/// use fusewall::meter::Meter;
///
/// let mut meter = Meter::unlimited();
/// let found = detect::sqli(b"-1' and 1=1 union/* foo */select load_file('/etc/passwd')--", &mut meter)?;
/// assert_eq!(found.map(|fingerprint| fingerprint.to_string()).as_deref(), Some("s&1UE"));
/// assert!(detect::sqli(b"Bobby's table, a union of 1", &mut meter)?.is_none());
/// # Ok::<(), fusewall::meter::Exhausted>(())
/// ```
pub fn sqli(input: &[u8], meter: &mut Meter) -> Result<Option<Fingerprint>, Exhausted> {
    if input.is_empty() {
        return Ok(None);
    }
    for quote in [Quote::None, Quote::Single, Quote::Double] {
        if let Some(byte) = quote.byte() {
            charge_search(input, meter)?;
            if memchr(byte, input).is_none() {
                continue;
            }
        }
        // Only MySQL takes `"` for a string's quote.
        let mut dialect = if quote == Quote::Double { Dialect::MySql } else { Dialect::Ansi };
        loop {
            let (fingerprint, tokens, seen) = read(input, Reading { quote, dialect }, meter)?;
            if is_injection(&fingerprint, &tokens, seen, input, meter)? {
                return Ok(Some(fingerprint));
            }
            if dialect == Dialect::MySql || !seen.mysql_differs {
                break;
            }
            dialect = Dialect::MySql;
        }
    }
    Ok(None)
}

/// The fingerprint of an input in one reading, whether it is an injection or not.
///
/// # Errors
/// [`Exhausted`] as [`sqli`].
///
/// ```
/// use fusewall::detect::{self, Dialect, Quote, Reading};
/// let reading = Reading { quote: Quote::Single, dialect: Dialect::Ansi };
/// let fingerprint = detect::sqli_fingerprint(b"O'Reilly & sons", reading, &mut fusewall::meter::Meter::unlimited())?;
/// assert_eq!(fingerprint.as_bytes(), b"sn");
/// # Ok::<(), fusewall::meter::Exhausted>(())
/// ```
pub fn sqli_fingerprint(input: &[u8], reading: Reading, meter: &mut Meter) -> Result<Fingerprint, Exhausted> {
    read(input, reading, meter).map(|(fingerprint, ..)| fingerprint)
}

fn read<'i>(
    input: &'i [u8],
    reading: Reading,
    meter: &mut Meter,
) -> Result<(Fingerprint, Folded<'i>, Seen), Exhausted> {
    meter.charge_rule(READING_FUEL)?;
    let mut lexer = Lexer::new(input, reading, meter);
    let mut tokens = fold::fold(&mut lexer)?;
    Ok((verdict::fingerprint(&mut tokens), tokens, lexer.seen()))
}

fn is_injection(
    fingerprint: &Fingerprint,
    tokens: &Folded<'_>,
    seen: Seen,
    input: &[u8],
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    if !verdict::is_listed(fingerprint) {
        return Ok(false);
    }
    if verdict::is_injection(fingerprint, tokens, seen, input) {
        return Ok(true);
    }
    // SQL Server keeps statements with this word out of its logs, so a comment with it is never there by chance.
    if let [_, .., b'c'] = fingerprint.as_bytes() {
        charge_search(input, meter)?;
        return Ok(memmem::find(input, b"sp_password").is_some());
    }
    Ok(false)
}

fn charge_search(input: &[u8], meter: &mut Meter) -> Result<(), Exhausted> {
    meter.charge_rule((input.len().div_ceil(super::input::BLOCK) as u64).saturating_mul(SEARCH_FUEL))
}
