//! White space, by what remains.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b" |  |\t|\n|\x0b|\x0c|\r|\r\n|\xa0|\xc2\xa0|\0|\x08|\x0e|\x1f|\x85|a|a b|text",
    members: &[
        (T::CompressWhitespace, compress),
        (T::RemoveWhitespace, |input| input.iter().copied().filter(|&byte| !wide_blank(byte)).collect()),
        (T::Trim, |input| trim_left(&trim_right(input))),
        (T::TrimLeft, trim_left),
        (T::TrimRight, trim_right),
    ],
};

/// What the C locale calls a space.
fn blank(byte: u8) -> bool {
    b" \t\n\x0b\x0c\r".contains(&byte)
}

/// A no-break space, too.
fn wide_blank(byte: u8) -> bool {
    blank(byte) || byte == 0xa0
}

fn compress(input: &[u8]) -> Vec<u8> {
    let starts_run = |at: usize| at == 0 || !wide_blank(input[at - 1]);
    let stays = |&at: &usize| !wide_blank(input[at]) || starts_run(at);
    (0..input.len()).filter(stays).map(|at| if wide_blank(input[at]) { b' ' } else { input[at] }).collect()
}

fn trim_left(input: &[u8]) -> Vec<u8> {
    input.iter().copied().skip_while(|&byte| blank(byte)).collect()
}

fn trim_right(input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    while out.last().is_some_and(|&byte| blank(byte)) {
        out.pop();
    }
    out
}
