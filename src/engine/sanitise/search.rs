//! Finding secrets in a text, in linear time however many there are.

use super::views::{View, folded, views};
use aho_corasick::{AhoCorasick, MatchKind};
use std::ops::Range;

/// A shorter secret stands in any text by chance: it is covered by its place alone.
pub(super) const SHORTEST: usize = 4;
/// Bytes of a secret that the automaton knows; the rest is compared.
const NEEDLE: usize = 64;
/// Bytes of the longest escape that is read.
const ESCAPE: usize = 18;

/// Some bytes to cover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Secret {
    /// Folded.
    text: Vec<u8>,
    /// Bytes that stay visible at the start.
    first: usize,
    /// And at the end.
    last: usize,
}

impl Secret {
    pub(super) fn new(text: &[u8], first: usize, last: usize) -> Secret {
        // One that hides nothing is a mistake in the rule, not a wish.
        let (first, last) = if first.saturating_add(last) < text.len() { (first, last) } else { (0, 0) };
        Secret { text: text.iter().map(|byte| folded(*byte)).collect(), first, last }
    }
}

/// Secrets, ready to be looked for.
#[derive(Debug)]
pub(super) struct Search {
    secrets: Vec<Secret>,
    automaton: AhoCorasick,
}

impl Search {
    /// Secrets of [`SHORTEST`] bytes or more. `None` if there is none, or if the automaton cannot be built.
    pub(super) fn new(mut secrets: Vec<Secret>) -> Option<Search> {
        secrets.retain(|secret| secret.text.len() >= SHORTEST);
        secrets.sort();
        secrets.dedup();
        if secrets.is_empty() {
            return None;
        }
        let needles = secrets.iter().map(|secret| secret.text.get(..NEEDLE).unwrap_or(&secret.text));
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles).ok()?;
        Some(Search { secrets, automaton })
    }

    /// Where secrets stand in a text. `cut`: the text goes on, and a secret may have been cut at its end.
    pub(super) fn find(&self, text: &[u8], cut: bool) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let text = if cut { whole_escapes(text, &mut found) } else { text };
        for view in views(text) {
            self.find_in(&view, &mut found);
            if cut {
                let tail = self.secrets.iter().map(|secret| begun(&secret.text, view.bytes())).max().unwrap_or(0);
                let length = view.bytes().len();
                found.push(view.place(length - tail..length));
            }
        }
        found
    }

    /// Whether all of `secrets`, short ones aside, stand in a text in full.
    pub(super) fn all_in(&self, secrets: &[Secret], text: &[u8]) -> bool {
        let mut seen = vec![false; self.secrets.len()];
        for view in views(text) {
            for hit in self.automaton.find_overlapping_iter(view.bytes()) {
                let at = hit.pattern().as_usize();
                let rest = self.secrets.get(at).and_then(|secret| secret.text.get(hit.len()..)).unwrap_or_default();
                if let Some(place) = seen.get_mut(at).filter(|seen| !**seen) {
                    *place = view.bytes().get(hit.end()..).is_some_and(|text| text.starts_with(rest));
                }
            }
        }
        let known = |secret: &Secret| self.secrets.binary_search(secret).ok().and_then(|at| seen.get(at).copied());
        secrets.iter().all(|secret| secret.text.len() < SHORTEST || known(secret) == Some(true))
    }

    fn find_in(&self, view: &View, found: &mut Vec<Range<usize>>) {
        let text = view.bytes();
        // Comparing the rest of long secrets could take quadratic time on periodic texts: then all that follows is covered.
        let mut work = 16 * text.len() + 4096;
        for hit in self.automaton.find_overlapping_iter(text) {
            let Some(secret) = self.secrets.get(hit.pattern().as_usize()) else { continue };
            let here = text.get(hit.end()..).unwrap_or_default();
            let rest = secret.text.get(hit.len()..).unwrap_or_default();
            let more = here.iter().zip(rest).take_while(|(a, b)| a == b).count();
            let (mut start, mut end) = (hit.start(), hit.end() + more);
            if more == rest.len() {
                start += secret.first;
                end -= secret.last;
            }
            found.push(view.place(start..end));
            let Some(left) = work.checked_sub(more) else {
                found.push(view.place(hit.start()..text.len()));
                return;
            };
            work = left;
        }
    }
}

/// A text without an escape at its end that may have been cut; that one is covered.
fn whole_escapes<'t>(text: &'t [u8], found: &mut Vec<Range<usize>>) -> &'t [u8] {
    let from = text.len().saturating_sub(ESCAPE);
    let tail = text.get(from..).unwrap_or_default();
    match tail.iter().position(|byte| b"%\\&".contains(byte)) {
        Some(at) => {
            found.push(from + at..text.len());
            text.get(..from + at).unwrap_or_default()
        }
        None => text,
    }
}

/// How many bytes of `secret` the end of `text` holds, less than all: the automaton of Knuth, Morris and Pratt, run over the
/// last bytes.
fn begun(secret: &[u8], text: &[u8]) -> usize {
    let tail = text.get(text.len().saturating_sub(secret.len().saturating_sub(1))..).unwrap_or_default();
    // No longer prefix than the tail can be begun.
    let Some(secret) = secret.get(..tail.len() + 1) else { return 0 };
    let mut borders = vec![0; secret.len()];
    let step = |mut state: usize, byte: u8, borders: &[usize]| loop {
        if secret.get(state) == Some(&byte) {
            return state + 1;
        }
        match state.checked_sub(1).and_then(|before| borders.get(before)) {
            Some(&border) => state = border,
            None => return 0,
        }
    };
    let mut state = 0;
    for (at, byte) in secret.iter().enumerate().skip(1) {
        state = step(state, *byte, &borders);
        if let Some(place) = borders.get_mut(at) {
            *place = state;
        }
    }
    tail.iter().fold(0, |state, byte| step(state, *byte, &borders))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(secrets: &[&str], text: &str, cut: bool) -> String {
        let secrets = secrets.iter().map(|secret| Secret::new(secret.as_bytes(), 0, 0)).collect();
        let mut text = text.as_bytes().to_vec();
        for range in Search::new(secrets).unwrap().find(&text.clone(), cut) {
            text[range].fill(b'*');
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn however_it_is_written() {
        let secret = ["p@ss word"];
        for (text, expected) in [
            ("a=p@ss word;", "a=*********;"),
            ("a=P%40ss+word&b", "a=***********&b"),
            ("a=p%2540ss%2520word", "a=*****************"),
            (r#"{"a":"p\u0040ss word"}"#, r#"{"a":"**************"}"#),
            ("<a>p&#64;ss word</a>", "<a>*************</a>"),
            ("p@ss wor", "p@ss wor"),
        ] {
            assert_eq!(covered(&secret, text, false), expected);
        }
    }

    #[test]
    fn long_ones_overlapping_ones_and_periodic_ones() {
        let long = "0123456789".repeat(20);
        assert_eq!(covered(&[&long], &format!("x{long}y"), false), format!("x{}y", "*".repeat(200)));
        assert_eq!(covered(&["abcd", "cdef"], "xabcdefx", false), "x******x");
        let periodic = "a".repeat(5000);
        assert_eq!(covered(&[&periodic], &periodic, false), "*".repeat(5000));
        let late = format!("{}b", "a".repeat(100));
        assert_eq!(covered(&[&late], &format!("{}{late}", "a".repeat(50)), false), "*".repeat(151));
    }

    #[test]
    fn one_that_is_cut() {
        assert_eq!(covered(&["secret", "retina"], "a secre", true), "a *****");
        assert_eq!(covered(&["secret", "retina"], "a ret", true), "a ***");
        assert_eq!(covered(&["secret"], "a sec%7", true), "a *****");
        assert_eq!(covered(&["aaab"], "aa", true), "**");
    }
}
