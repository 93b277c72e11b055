//! From folded tokens to a verdict: known fingerprints, less those that honest input has too.

use super::Fingerprint;
use super::fold::{Folded, MAX};
use super::lexer::Seen;
use super::tokens::{Kind, Token};
use super::words;

/// The fingerprint of folded tokens.
pub(super) fn fingerprint(tokens: &mut Folded<'_>) -> Fingerprint {
    // An empty backquoted name that is never closed starts a comment for MySQL under PHP.
    if tokens.len() > 2
        && let Some(last) = tokens.last_mut()
        && last.kind == Kind::Bareword
        && last.text.is_empty()
        && (last.open, last.close) == (Some(b'`'), None)
    {
        last.kind = Kind::Comment;
    }
    if tokens.iter().any(|token| token.kind == Kind::Evil) {
        // What follows such a comment cannot be read for sure.
        return Fingerprint::of([Kind::Evil].into_iter());
    }
    Fingerprint::of(tokens.iter().map(|token| token.kind))
}

/// Whether a fingerprint is that of a known injection.
pub(super) fn is_listed(fingerprint: &Fingerprint) -> bool {
    let mut key = [0; MAX];
    for (to, &letter) in key.iter_mut().zip(fingerprint.as_bytes()) {
        *to = letter.to_ascii_uppercase();
    }
    words::is_injection(&key)
}

/// Whether tokens with a listed fingerprint are an injection all the same: short ones are common in honest input.
pub(super) fn is_injection(fingerprint: &Fingerprint, tokens: &Folded<'_>, seen: Seen, input: &[u8]) -> bool {
    // By the length of the fingerprint: that of a nested comment is `X`, whatever the tokens are.
    match (fingerprint.as_bytes().len(), tokens.get(0), tokens.get(1), tokens.get(2)) {
        (2, Some(first), Some(second), _) => two_tokens(first, second, seen, input),
        (3, Some(first), Some(second), Some(third)) => three_tokens(fingerprint, [first, second, third], seen),
        _ => true,
    }
}

fn two_tokens(first: &Token<'_>, second: &Token<'_>, seen: Seen, input: &[u8]) -> bool {
    let comment_start = second.first();
    if second.kind == Kind::Union {
        // `1 union` comes up in honest text. More tokens than that, folded or comments, do not.
        return seen.tokens != 2;
    }
    if comment_start == b'#' {
        return false;
    }
    match (first.kind, second.kind) {
        // After a word only `/*` counts: `--` and `#` are punctuation.
        (Kind::Bareword, Kind::Comment) if comment_start != b'/' => false,
        (Kind::Number, Kind::Comment) if comment_start == b'/' => true,
        (Kind::Number, Kind::Comment) => {
            // Something was folded into the number; or it stands right before the comment or a blank. Otherwise it is
            // something like Base64 that happens to start with digits and to end with `--`.
            let length = first.text.len();
            let next = input.get(length).copied().unwrap_or(0);
            let after = input.get(length + 1).copied().unwrap_or(0);
            seen.tokens > 2 || matches!(next, 0..=b' ' | 0x80..) || matches!((next, after), (b'/', b'*') | (b'-', b'-'))
        }
        // Text goes on after `--`.
        _ => comment_start != b'-' || second.text.len() <= 2,
    }
}

fn three_tokens(fingerprint: &Fingerprint, tokens: [&Token<'_>; 3], seen: Seen) -> bool {
    let [first, second, third] = tokens;
    match fingerprint.as_bytes() {
        // `..foo' + 'bar..`: neither the first quote nor the last is in the input.
        b"sos" | b"s&s" => first.open.is_none() && third.close.is_none() && first.close == third.open,
        // "sexy and 17" is no injection, "sexy and 17<18" is.
        b"s&n" | b"n&1" | b"1&1" | b"1&v" | b"1&s" => seen.tokens != 3,
        // Of the keywords only INTO OUTFILE and INTO DUMPFILE.
        _ if second.kind == Kind::Keyword => {
            let text = second.text;
            text.len() >= 5 && text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"INTO"))
        }
        _ => true,
    }
}
