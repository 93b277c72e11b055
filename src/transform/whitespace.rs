//! White space: the six blanks of C (space, tab, LF, VT, FF, CR), and for `compressWhitespace` and `removeWhitespace` also the
//! no-break space A0 of ISO 8859-1, as ModSecurity v2 has it.

use super::Changed;
use super::rewrite::{Step, rewrite};

/// A blank of C.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0D)
}

/// A blank of C or A0.
const fn is_blank(byte: u8) -> bool {
    is_space(byte) || byte == 0xA0
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find_blank, |rest| match (rest.first(), blanks(rest)) {
        (Some(b' '), 1) => Step::Keep(1),
        (_, run) => Step::put(run, b' '),
    })
}

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find_blank, |rest| Step::drop(blanks(rest)))
}

pub(super) fn trim(input: &[u8], out: &mut Vec<u8>) -> Changed {
    shortened(input, without_end(without_start(input)), out)
}

pub(super) fn trim_left(input: &[u8], out: &mut Vec<u8>) -> Changed {
    shortened(input, without_start(input), out)
}

pub(super) fn trim_right(input: &[u8], out: &mut Vec<u8>) -> Changed {
    shortened(input, without_end(input), out)
}

fn find_blank(rest: &[u8]) -> Option<usize> {
    rest.iter().position(|&byte| is_blank(byte))
}

/// Number of blanks at the front.
fn blanks(rest: &[u8]) -> usize {
    rest.iter().take_while(|&&byte| is_blank(byte)).count()
}

fn without_start(input: &[u8]) -> &[u8] {
    let start = input.iter().position(|&byte| !is_space(byte)).unwrap_or(input.len());
    input.get(start..).unwrap_or_default()
}

fn without_end(input: &[u8]) -> &[u8] {
    let end = input.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1);
    input.get(..end).unwrap_or_default()
}

fn shortened(input: &[u8], part: &[u8], out: &mut Vec<u8>) -> Changed {
    if part.len() == input.len() {
        return Changed::No;
    }
    out.extend_from_slice(part);
    Changed::Yes
}
