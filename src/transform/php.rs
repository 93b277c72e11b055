//! `phpArgsNames`: the name under which PHP registers an argument.
//!
//! PHP drops spaces in front; up to the first `[` it turns spaces and dots into `_`. If a `]` follows, `[key]` groups stand as they
//! are (`[ ]`, with any one blank of C, becomes `[]`) and what comes after the last group is dropped. If none follows, the `[` becomes `_` and the rest
//! stands. A name that begins with `[` is not registered at all: the result is empty.

use super::Changed;
use super::whitespace::is_space;
use memchr::{memchr, memchr3};

pub(super) fn args_names(input: &[u8], out: &mut Vec<u8>) -> Changed {
    if memchr3(b' ', b'.', b'[', input).is_none() {
        return Changed::No;
    }
    let start = input.iter().take_while(|&&byte| byte == b' ').count();
    register(input.get(start..).unwrap_or_default(), out);
    if out == input { Changed::No } else { Changed::Yes }
}

fn register(name: &[u8], out: &mut Vec<u8>) {
    let (plain, array) = name.split_at_checked(memchr(b'[', name).unwrap_or(name.len())).unwrap_or((name, &[]));
    if plain.is_empty() {
        return;
    }
    out.extend(plain.iter().map(|&byte| if matches!(byte, b' ' | b'.') { b'_' } else { byte }));
    if memchr(b']', array).is_none() {
        if let [_, rest @ ..] = array {
            out.push(b'_');
            out.extend_from_slice(rest);
        }
        return;
    }
    let mut rest = array;
    while let Some((group, after)) = group(rest) {
        match group {
            [_, blank, _] if is_space(*blank) => out.extend_from_slice(b"[]"),
            _ => out.extend_from_slice(group),
        }
        rest = after;
    }
}

/// `[key]` at the front of `text`, and what follows it.
fn group(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.first() != Some(&b'[') {
        return None;
    }
    text.split_at_checked(memchr(b']', text)? + 1)
}
