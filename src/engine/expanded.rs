//! `@rx` whose pattern has macros: it is known only when they are expanded, in the middle of a request.
//!
//! So reading and compiling it is a step of the request like any other: bounded in size, charged before it is done, without an
//! automaton, whose cost is hard to foresee. The last patterns are kept; one that comes again is paid for again, because what
//! a request costs must not depend on those before it.

use super::buffers::BufferId;
use super::expand::expand;
use super::operator::{Captured, Tested, each_match};
use super::scratch::Scratch;
use crate::lang::pcre;
use crate::meter::{Exhausted, Meter, Price, Scope};
use crate::program::{Loaded, Text};
use crate::scan::{self, Backtrack, Cursor, Outcome, Want};

/// Reading a pattern, by its bytes.
const READ: Price = Price::per_byte(256, 64);
/// Patterns that are kept.
const KEPT: usize = 4;

/// A pattern that is not run because of its size. Whoever can make it so large must not thereby switch the rule off: the policy
/// for exhausted budgets decides.
const TOO_LARGE: Exhausted = Exhausted { scope: Scope::Rule };

/// The patterns that were met last, the last one first.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    known: Vec<Known>,
    cache: scan::Cache,
}

#[derive(Debug)]
struct Known {
    text: Vec<u8>,
    want: Want,
    /// What compiling it took, in blocks.
    blocks: u64,
    matcher: Matcher,
}

/// What compiling a text has come to.
#[derive(Debug)]
enum Matcher {
    Compiled(Backtrack),
    /// The text is no pattern.
    Refused,
    /// It is one, but larger than the limits allow.
    TooLarge,
}

impl Patterns {
    /// Begins a new request.
    pub(super) fn clear(&mut self) {
        self.cache.clear();
    }

    /// Keeps little between requests: clients may have chosen what is in here.
    pub(super) fn rest(&mut self) {
        self.cache.rest();
        self.known.truncate(1);
    }

    /// Puts the pattern of this text in front, compiled.
    fn compile(&mut self, text: &[u8], want: Want, loaded: &Loaded, meter: &mut Meter) -> Result<(), Exhausted> {
        let limits = &loaded.program().limits;
        meter.charge_rule(READ.of(text.len()))?;
        if let Some(at) = self.known.iter().position(|known| known.want == want && known.text == text) {
            self.known.get_mut(..=at).unwrap_or_default().rotate_right(1);
            let blocks = self.known.first().map_or(0, |known| known.blocks);
            return (0..blocks).try_for_each(|_| meter.charge_rule(Backtrack::BUILD_BLOCK));
        }
        let before = meter.spent();
        let matcher = match pcre::parse_tree(text, false, limits) {
            Ok(tree) => match Backtrack::build(&tree, want, limits.expanded_pattern_memory, limits, meter)? {
                Ok(matcher) => Matcher::Compiled(matcher),
                Err(_) => Matcher::TooLarge,
            },
            Err(_) => Matcher::Refused,
        };
        let blocks = (meter.spent() - before) / Backtrack::BUILD_BLOCK;
        self.known.truncate(KEPT - 1);
        self.known.insert(0, Known { text: text.to_vec(), want, blocks, matcher });
        Ok(())
    }
}

/// Runs the pattern that `text` expands to. What is no pattern is noted as not inspected, and does not match; one that is too
/// large exhausts the budget of its rule.
#[expect(clippy::too_many_arguments, reason = "the evaluation's state is handed down, not bundled into one object")]
pub(super) fn run(
    text: &Text,
    want: Want,
    global: bool,
    buffer: BufferId,
    cursor: &mut Cursor,
    quantum: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    let mut patterns = std::mem::take(&mut scratch.patterns);
    let tested = search(&mut patterns, text, want, global, buffer, cursor, quantum, loaded, scratch, meter);
    scratch.patterns = patterns;
    tested
}

#[expect(clippy::too_many_arguments, reason = "the evaluation's state is handed down, not bundled into one object")]
fn search(
    patterns: &mut Patterns,
    text: &Text,
    want: Want,
    global: bool,
    buffer: BufferId,
    cursor: &mut Cursor,
    quantum: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    // A scan that goes on has its pattern in front.
    if cursor.is_new() {
        let mut expanded = std::mem::take(&mut scratch.expanded);
        expanded.clear();
        let compiled = expand(text, &mut expanded, loaded, scratch, meter).and_then(|()| {
            let fits = expanded.len() <= loaded.program().limits.expanded_pattern_bytes;
            if fits { patterns.compile(&expanded, want, loaded, meter) } else { Err(TOO_LARGE) }
        });
        scratch.expanded = expanded;
        compiled?;
    }
    let Patterns { known, cache } = patterns;
    let matcher = match known.first().map(|known| &known.matcher) {
        Some(Matcher::Compiled(matcher)) => matcher,
        Some(Matcher::TooLarge) => return Err(TOO_LARGE),
        Some(Matcher::Refused) | None => {
            scratch.flags.note("pattern");
            return Ok(Tested::Miss);
        }
    };
    cache.admit(scratch.memory.left());
    if global {
        let search = |haystack: &[u8], cursor: &mut Cursor, groups: &mut scan::Groups, meter: &mut Meter| {
            matcher.scan(cache, haystack, cursor, u64::MAX, groups, meter)
        };
        return each_match(buffer, scratch, meter, search, |_, _| true);
    }
    let haystack = scratch.memory.get(scratch.buffers.slice(buffer));
    Ok(match matcher.scan(cache, haystack, cursor, quantum, &mut scratch.groups, meter)? {
        Outcome::Pending => Tested::Pending,
        Outcome::Miss => Tested::Miss,
        Outcome::Hit => Tested::Hit(Captured::Groups),
    })
}
