//! Switches: what operators and the governor have turned off while the program is in service.
//!
//! They are no part of the [`Program`](super::Program), which never changes, and the only thing beside it that a request reads.
//! Turning one is an atomic store: it works while every thread evaluates, without memory, lock, file or network. The engine looks
//! at the epoch before each rule, and between two quanta of a long scan.

use super::RuleIx;
use crate::rule::EngineMode;
use crate::sync::{AtomicU8, AtomicU64, Ordering};

/// The switches of one ruleset in service.
///
/// ```
/// use fusewall::program::{RuleIx, Switches};
/// let switches = Switches::new(10);
/// switches.kill(RuleIx::new(3), true);
/// assert!(switches.is_off(RuleIx::new(3)));
/// switches.kill(RuleIx::new(3), false);
/// assert_eq!((switches.is_off(RuleIx::new(3)), switches.epoch()), (false, 2));
/// ```
#[derive(Debug)]
pub struct Switches {
    /// How often a switch was turned. 0: never, nothing else needs to be read.
    epoch: AtomicU64,
    /// The strongest mode in which the engine may run.
    strongest: AtomicU8,
    /// Rules that an operator has turned off.
    killed: Box<[AtomicU64]>,
    /// Rules that the governor has turned off: their cost is more than they are worth. None of them can refuse a request.
    quarantined: Box<[AtomicU64]>,
    /// Rules that are not to be run because their price is wrong, but can refuse requests: their outcome is unknown, which is
    /// never the same as "no match".
    doubted: Box<[AtomicU64]>,
}

impl Switches {
    /// For a program with that many rules; all are on.
    pub fn new(rules: usize) -> Switches {
        let bits = || (0..rules.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Switches {
            epoch: AtomicU64::new(0),
            strongest: AtomicU8::new(strength(EngineMode::On)),
            killed: bits(),
            quarantined: bits(),
            doubted: bits(),
        }
    }

    /// How often a switch was turned so far. The same request under the same program and the same epoch has the same verdict.
    pub fn epoch(&self) -> u64 {
        // What was turned before the epoch is seen with it.
        self.epoch.load(Ordering::Acquire)
    }

    /// An operator turns a rule off or on again.
    pub fn kill(&self, rule: RuleIx, off: bool) {
        self.turn(&self.killed, rule, off);
    }

    /// The governor turns a rule off or on again that cannot refuse a request.
    pub fn quarantine(&self, rule: RuleIx, off: bool) {
        self.turn(&self.quarantined, rule, off);
    }

    /// The governor takes a rule for unknown that can refuse requests, or runs it again.
    pub fn doubt(&self, rule: RuleIx, unknown: bool) {
        self.turn(&self.doubted, rule, unknown);
    }

    /// The engine runs in no stronger mode than this, whatever the rules say: `On` leaves it to them.
    pub fn set_strongest(&self, mode: EngineMode) {
        self.strongest.store(strength(mode), Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// The strongest mode in which the engine may run.
    pub fn strongest(&self) -> EngineMode {
        let strongest = self.strongest.load(Ordering::Relaxed);
        [EngineMode::Off, EngineMode::DetectionOnly]
            .into_iter()
            .find(|mode| strength(*mode) == strongest)
            .unwrap_or(EngineMode::On)
    }

    /// Whether somebody has turned the rule off.
    pub fn is_off(&self, rule: RuleIx) -> bool {
        read(&self.killed, rule) || read(&self.quarantined, rule)
    }

    /// Whether an operator has.
    pub fn is_killed(&self, rule: RuleIx) -> bool {
        read(&self.killed, rule)
    }

    /// Whether the rule's outcome is to be taken for unknown.
    pub fn is_doubted(&self, rule: RuleIx) -> bool {
        read(&self.doubted, rule)
    }

    /// The rules that are off, as the words of a bit set.
    pub fn off(&self) -> impl Iterator<Item = u64> + '_ {
        let words = self.killed.iter().zip(&self.quarantined);
        words.map(|(killed, quarantined)| killed.load(Ordering::Relaxed) | quarantined.load(Ordering::Relaxed))
    }

    fn turn(&self, bits: &[AtomicU64], rule: RuleIx, set: bool) {
        let Some(word) = bits.get(rule.index() / 64) else { return };
        let bit = 1 << (rule.index() % 64);
        let before = if set { word.fetch_or(bit, Ordering::Relaxed) } else { word.fetch_and(!bit, Ordering::Relaxed) };
        if (before & bit != 0) != set {
            self.epoch.fetch_add(1, Ordering::Release);
        }
    }
}

fn read(bits: &[AtomicU64], rule: RuleIx) -> bool {
    bits.get(rule.index() / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (rule.index() % 64) & 1 == 1)
}

const fn strength(mode: EngineMode) -> u8 {
    match mode {
        EngineMode::Off => 0,
        EngineMode::DetectionOnly => 1,
        EngineMode::On => 2,
    }
}

/// The weaker of two modes.
pub fn weaker(one: EngineMode, other: EngineMode) -> EngineMode {
    if strength(one) < strength(other) { one } else { other }
}
