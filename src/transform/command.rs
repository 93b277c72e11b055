//! `cmdLine`: what the shells of Windows and Unix make of quotes, carets and blanks in a command.
//!
//! It deletes `\ " ' ^`, turns `, ;` and blanks (space, tab, CR, LF) into one space, deletes that space before `/` and `(`, and
//! lowers letters.

use super::Changed;

pub(super) fn cmd_line(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let Some((same, rest)) = first_change(input).and_then(|at| input.split_at_checked(at)) else {
        return Changed::No;
    };
    // A space is held back until it is known what follows.
    let mut space = same.last() == Some(&b' ');
    out.extend_from_slice(same.strip_suffix(b" ").unwrap_or(same));
    for &byte in rest {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => space = true,
            _ => {
                if space && !matches!(byte, b'/' | b'(') {
                    out.push(b' ');
                }
                space = false;
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
    if space {
        out.push(b' ');
    }
    Changed::Yes
}

/// The first byte that does not stand as it is, or before which a space does not.
fn first_change(input: &[u8]) -> Option<usize> {
    let mut after_space = false;
    input.iter().position(|&byte| match byte {
        b'"' | b'\'' | b'\\' | b'^' | b',' | b';' | b'\t' | b'\r' | b'\n' | b'A'..=b'Z' => true,
        b' ' => std::mem::replace(&mut after_space, true),
        _ => std::mem::replace(&mut after_space, false) && matches!(byte, b'/' | b'('),
    })
}
