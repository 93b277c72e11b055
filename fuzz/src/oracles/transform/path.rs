//! Paths, as lists of names.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"/|//|.|..|...|/.|/..|./|../|/../|/./|\\|\\..\\|\\.|a|etc|/a|a/|a..|..a|C:|\0|\xff|/a/b/c",
    members: &[
        (T::NormalizePath, normalize),
        (T::NormalizePathWin, |input| {
            normalize(&input.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect::<Vec<_>>())
        }),
    ],
};

fn normalize(input: &[u8]) -> Vec<u8> {
    let absolute = input.starts_with(b"/");
    let mut names: Vec<&[u8]> = Vec::new();
    for name in input.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if names.last().is_some_and(|&last| last != b"..") => _ = names.pop(),
            b".." if absolute => {}
            name => names.push(name),
        }
    }
    let mut out = names.join(&b'/');
    if input.ends_with(b"/") && !out.is_empty() {
        out.push(b'/');
    }
    if absolute {
        out.insert(0, b'/');
    }
    out
}
