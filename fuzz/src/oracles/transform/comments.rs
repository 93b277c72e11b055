//! Comments of C, SQL, HTML and shells, looked for at each place.

use super::{Family, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"/*|*/|<!--|-->|--|#|-|/|*|<!|<!-|!|>|/*/|<!-->|*/*|a| |\0|text|/**/|\n|/*!50000",
    members: &[
        (T::RemoveComments, remove_comments),
        (T::RemoveCommentsChar, remove_marks),
        (T::ReplaceComments, replace_comments),
    ],
};

/// What stands behind the nearest of these ends.
fn behind<'a>(text: &'a [u8], ends: &[&[u8]]) -> Option<&'a [u8]> {
    let end_at = |at: usize| ends.iter().find_map(|end| text[at..].strip_prefix(*end));
    (0..text.len()).find_map(end_at)
}

fn remove_comments(input: &[u8]) -> Vec<u8> {
    let (mut out, mut text) = (Vec::new(), input);
    while let Some((&first, rest)) = text.split_first() {
        if let Some(body) = text.strip_prefix(b"/*").or(text.strip_prefix(b"<!--")) {
            match behind(body, &[b"*/", b"-->"]) {
                None => {
                    out.push(b' ');
                    break;
                }
                Some([]) => {
                    out.push(0);
                    break;
                }
                Some(rest) => text = rest,
            }
        } else if text.starts_with(b"--") || first == b'#' {
            break;
        } else {
            out.push(first);
            text = rest;
        }
    }
    out
}

fn remove_marks(input: &[u8]) -> Vec<u8> {
    const MARKS: [&[u8]; 6] = [b"/*", b"*/", b"<!--", b"-->", b"--", b"#"];
    replaced(input, |text| {
        let mark = MARKS.into_iter().find(|mark| text.starts_with(mark))?;
        Some((Vec::new(), mark.len()))
    })
}

fn replace_comments(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let rest = behind(text.strip_prefix(b"/*")?, &[b"*/"]).unwrap_or_default();
        Some((b" ".to_vec(), text.len() - rest.len()))
    })
}
