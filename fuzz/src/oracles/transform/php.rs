//! `phpArgsNames`, piece by piece.

use super::{Family, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"[|]|[]|[ ]|[a]|[a.b c]|][| |.|_|=|a|name|\0|\t|[\t]|\xff",
    members: &[(T::PhpArgsNames, registered)],
};

fn registered(input: &[u8]) -> Vec<u8> {
    let blanks = input.iter().take_while(|&&byte| byte == b' ').count();
    let name = &input[blanks..];
    let open = name.iter().position(|&byte| byte == b'[').unwrap_or(name.len());
    let (plain, mut keys) = name.split_at(open);
    if plain.is_empty() {
        return Vec::new();
    }
    let mut out = replaced(plain, |text| matches!(text[0], b' ' | b'.').then(|| (b"_".to_vec(), 1)));
    if !keys.is_empty() && !keys.contains(&b']') {
        out.push(b'_');
        out.extend(&keys[1..]);
        return out;
    }
    while keys.starts_with(b"[")
        && let Some(end) = keys.iter().position(|&byte| byte == b']')
    {
        let (key, rest) = keys.split_at(end + 1);
        out.extend(if let [_, b' ' | b'\t'..=b'\r', _] = key { b"[]" } else { key });
        keys = rest;
    }
    out
}
