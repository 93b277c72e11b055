//! Paths: repeated slashes, `.` and `..` resolved.
//!
//! An absolute path never climbs above its root; a relative one keeps the `..` that lead out of it. A slash at the end stays.
//! NUL is a byte like any other. A name that ends in dots is a name, and `/..` is the root. (ModSecurity takes `name..` for a way
//! up, which loses the name, and makes nothing of `/..`.) The Windows variant takes `\` for `/` and writes `/`.

use super::Changed;
use memchr::{memchr, memrchr};

pub(super) fn normalize(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let separator = |&byte: &u8| byte == b'/';
    if is_normal(input, separator) {
        return Changed::No;
    }
    resolve(input, out, separator);
    Changed::Yes
}

pub(super) fn normalize_windows(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let separator = |&byte: &u8| matches!(byte, b'/' | b'\\');
    if memchr(b'\\', input).is_none() && is_normal(input, separator) {
        return Changed::No;
    }
    resolve(input, out, separator);
    Changed::Yes
}

/// Whether nothing in it would be resolved.
fn is_normal(input: &[u8], separator: impl Fn(&u8) -> bool) -> bool {
    let absolute = input.first().is_some_and(&separator);
    let mut inside = absolute;
    let mut segments = input.split(separator).enumerate().peekable();
    while let Some((at, segment)) = segments.next() {
        match segment {
            // Before the first slash and after the last one nothing may stand.
            b"" => {
                if at > 0 && segments.peek().is_some() {
                    return false;
                }
            }
            b"." => return false,
            b".." if inside => return false,
            b".." => {}
            _ => inside = true,
        }
    }
    true
}

fn resolve(input: &[u8], out: &mut Vec<u8>, separator: impl Fn(&u8) -> bool) {
    let absolute = input.first().is_some_and(&separator);
    let directory = input.last().is_some_and(&separator);
    if absolute {
        out.push(b'/');
    }
    // Segments in `out` that `..` can take back.
    let mut depth = 0usize;
    for segment in input.split(separator) {
        match segment {
            b"" | b"." => {}
            b".." if depth > 0 => {
                depth -= 1;
                let cut = memrchr(b'/', out).unwrap_or(0);
                // The slash at 0 is the root.
                out.truncate(if absolute { cut.max(1) } else { cut });
            }
            b".." if absolute => {}
            _ => {
                depth += usize::from(segment != b"..");
                separate(out);
                out.extend_from_slice(segment);
            }
        }
    }
    if directory {
        separate(out);
    }
}

/// A slash after what is there, unless one is.
fn separate(out: &mut Vec<u8>) {
    if out.last().is_some_and(|&byte| byte != b'/') {
        out.push(b'/');
    }
}
