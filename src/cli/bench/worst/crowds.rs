//! Texts that keep many states of many patterns alive at once: byte by byte, whatever costs most next.

use super::Text;
use crate::byteset::ByteSet;
use crate::cli::drill::pumps::sample;
use crate::lang::pcre;
use crate::program::Loaded;
use crate::scan::Walk;
use std::collections::BTreeMap;

/// Texts that are followed at the same time.
const BEAM: usize = 6;
/// Bytes after which a text repeats itself.
const PERIOD: usize = 500;
/// Bytes of the text that patterns match, at most, for each of them.
const LONGEST_MATCH: usize = 300;

/// A text, and where the patterns stand behind it.
struct Path<'p> {
    text: Vec<u8>,
    walks: Vec<Walk<'p>>,
    /// Fuel of its last bytes, those before counting less and less.
    fuel: u64,
}

impl<'p> Path<'p> {
    fn with(&self, byte: u8) -> Path<'p> {
        let (walks, fuel): (Vec<_>, Vec<_>) = self.walks.iter().map(|walk| walk.read(byte)).unzip();
        // A match ends a search.
        let over = walks.iter().filter(|walk| walk.has_matched()).count() as u64;
        let fuel = (self.fuel * 7 / 8 + fuel.into_iter().sum::<u64>()).saturating_sub(64 * over);
        Path { text: [self.text.as_slice(), &[byte]].concat(), walks, fuel }
    }
}

/// Texts for all patterns of a ruleset together, and for every second, third and fourth of them. Each ends with what the patterns match,
/// so that they are looked for at all, and found at last.
pub(super) fn texts(loaded: &Loaded) -> Vec<Text> {
    let program = loaded.program();
    let patterns = (0..program.patterns.len()).map(crate::program::PatternId::new);
    let open: Vec<(Walk<'_>, Vec<u8>)> = patterns
        .filter_map(|id| {
            let plan = program.patterns.get(id.index())?;
            let tree = pcre::parse_tree(&plan.pattern.text, plan.pattern.fold_case, &program.limits).ok()?;
            let mut matched = sample(&tree);
            matched.truncate(LONGEST_MATCH);
            Some((loaded.pattern(id)?.walk()?, matched))
        })
        .collect();
    let mut texts = Vec::new();
    for step in 1..=4 {
        for first in 0..step {
            let chosen: Vec<&(Walk<'_>, Vec<u8>)> = open.iter().skip(first).step_by(step).collect();
            let end: Vec<&[u8]> = chosen.iter().map(|(_, matched)| matched.as_slice()).collect();
            let end = [b"\n".as_slice(), &end.join(b"\n".as_slice())].concat();
            let walks: Vec<Walk<'_>> = chosen.iter().map(|(walk, _)| walk.clone()).collect();
            if walks.is_empty() {
                continue;
            }
            texts.push(Text { body: dear(walks), end });
        }
    }
    texts
}

/// What costs most for all of these at once, as far as looking one byte ahead finds it.
fn dear(walks: Vec<Walk<'_>>) -> Vec<u8> {
    const BYTES: ByteSet = ByteSet::range(b' ', b'~').union(ByteSet::of(b"\r\n\t"));
    // One byte of each kind.
    let kinds: BTreeMap<Vec<usize>, u8> =
        BYTES.iter().map(|byte| (walks.iter().map(|walk| walk.kind(byte)).collect(), byte)).collect();
    let mut beam = vec![Path { text: Vec::new(), walks, fuel: 0 }];
    for _ in 0..PERIOD {
        let mut next: Vec<Path<'_>> =
            beam.iter().flat_map(|path| kinds.values().map(|byte| path.with(*byte))).collect();
        next.sort_by(|a, b| b.fuel.cmp(&a.fuel).then_with(|| a.text.cmp(&b.text)));
        next.truncate(BEAM);
        beam = next;
    }
    beam.into_iter().next().map(|path| path.text).unwrap_or_default()
}
