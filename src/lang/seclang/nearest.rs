//! The nearest known name, for help texts.

/// The candidate with the least edits from `word`, without case; none if all are too far off to be meant.
pub(super) fn nearest<'a>(word: &[u8], candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word is no misspelled name and shall cost nothing here; two bytes are near to everything.
    if word.len() < 3 || word.len() > 64 {
        return None;
    }
    let limit = word.len() / 3;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(word, candidate.as_bytes()), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (Damerau-Levenshtein, restricted).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let same = |x: u8, y: u8| x.eq_ignore_ascii_case(&y);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(!same(a[i - 1], b[j - 1]));
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["SecRule", "SecRuleEngine", "SecAction"];
        assert_eq!(nearest(b"SecRlue", names), Some("SecRule"));
        assert_eq!(nearest(b"secruleengin", names), Some("SecRuleEngine"));
        assert_eq!(nearest(b"ServerName", names), None);
    }
}
