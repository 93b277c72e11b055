//! Comments of C, SQL, HTML and shells.
//!
//! `removeComments` deletes `/* .. */` and `<!-- .. -->` (either end closes either start) and cuts the value at `--` and `#`. Two
//! habits of ModSecurity are kept because its cases fix them: a comment that never ends leaves a space, and one that ends exactly
//! at the end of the value leaves a NUL. A third is not: ModSecurity copies the byte after a comment unseen, so that the second of
//! two adjacent comments survives; the manual says that each occurrence is removed.
//!
//! `removeCommentsChar` deletes the marks alone, `replaceComments` puts a space for each `/* .. */`.

use super::Changed;
use super::rewrite::{Step, find, rewrite};
use crate::byteset::ByteSet;
use memchr::{memchr_iter, memchr2_iter};

/// What may begin a comment.
const STARTS: ByteSet = ByteSet::of(b"/<-#");
/// What may begin a mark.
const MARKS: ByteSet = ByteSet::of(b"/*<-#");

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let next = |rest: &[u8]| rest.iter().position(|&byte| STARTS.contains(byte));
    rewrite(input, out, next, |rest| match rest {
        [b'/', b'*', body @ ..] => removed(rest, body),
        [b'<', b'!', b'-', b'-', body @ ..] => removed(rest, body),
        [b'-', b'-', ..] | [b'#', ..] => Step::drop(rest.len()),
        _ => Step::Keep(1),
    })
}

/// One comment from its start at `rest`, with `body` what follows the opening mark.
fn removed(rest: &[u8], body: &[u8]) -> Step {
    let open = rest.len().saturating_sub(body.len());
    let close = memchr2_iter(b'*', b'-', body).find_map(|at| match body.get(at..) {
        Some([b'*', b'/', ..]) => Some(at + 2),
        Some([b'-', b'-', b'>', ..]) => Some(at + 3),
        _ => None,
    });
    match close.map(|close| open + close) {
        None => Step::put(rest.len(), b' '),
        Some(take) if take == rest.len() => Step::put(take, 0),
        Some(take) => Step::drop(take),
    }
}

pub(super) fn remove_marks(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let next = |rest: &[u8]| rest.iter().position(|&byte| MARKS.contains(byte));
    rewrite(input, out, next, |rest| match rest {
        [b'<', b'!', b'-', b'-', ..] => Step::drop(4),
        [b'-', b'-', b'>', ..] => Step::drop(3),
        [b'/', b'*', ..] | [b'*', b'/', ..] | [b'-', b'-', ..] => Step::drop(2),
        [b'#', ..] => Step::drop(1),
        _ => Step::Keep(1),
    })
}

pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(b'/'), |rest| match rest {
        [b'/', b'*', body @ ..] => {
            let close = memchr_iter(b'*', body).find(|&at| body.get(at + 1) == Some(&b'/'));
            Step::put(close.map_or(rest.len(), |at| at + 4), b' ')
        }
        _ => Step::Keep(1),
    })
}
