//! `name=value` pairs in a text: values whose name is marked are covered by their place, whatever they are.

use super::views::views;
use std::ops::Range;

/// Where the values of the pairs stand whose name fits. Names are compared in every reading.
pub(super) fn values(text: &[u8], separator: u8, fits: &dyn Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for piece in text.split(|byte| *byte == separator) {
        if let Some(equals) = piece.iter().position(|byte| *byte == b'=') {
            let name = piece.get(..equals).unwrap_or_default().trim_ascii();
            if views(name).iter().any(|view| fits(view.bytes())) {
                found.push(start + equals + 1..start + piece.len());
            }
        }
        start += piece.len() + 1;
    }
    found
}

/// The same, behind the first question mark of a URI.
pub(super) fn query_values(text: &[u8], separator: u8, fits: &dyn Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    let Some(mark) = text.iter().position(|byte| *byte == b'?') else { return Vec::new() };
    let query = text.get(mark + 1..).unwrap_or_default();
    let found = values(query, separator, fits);
    found.into_iter().map(|range| range.start + mark + 1..range.end + mark + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_they_are_written() {
        let fits = |name: &[u8]| name == b"pin";
        let text = b"/a?x=1&PIN=22&p%69n=&pin=3=4&pins=5";
        let found = query_values(text, b'&', &fits);
        let shown: Vec<_> = found.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(shown, [&b"22"[..], b"", b"3=4"]);
        assert_eq!(values(b"a=1; pin=2", b';', &fits), vec![9..10]);
    }
}
