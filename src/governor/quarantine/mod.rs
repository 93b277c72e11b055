//! A circuit breaker for each rule of a deployed ruleset, which must not become the attacker's switch.
//!
//! What can happen to a rule depends on what it decides and on what is promised of it:
//!
//! | rule | within its certified price | above it, or a panic, for many networks | without certificate, dear for many networks |
//! |---|---|---|---|
//! | enforcing | stays, whatever it costs | counts as a match | counts as a match |
//! | only watching | left out if it is dear for many networks | left out | left out |
//! | protected | stays | stays; its owner is told | stays; its owner is told |
//!
//! One client that finds faults in several rules is a bad client: what it sees counts for no rule any more. At most a declared
//! part of the rules is off at one time. After a cool-down a rule is tried again (half-open).

mod decision;
mod ledger;
mod offenders;

pub use decision::{Change, Decision, Observation, Outcome, QuarantineConfig, State, Why};
pub use ledger::Account;

use super::atomic::change;
use super::clock::Clock;
use super::decaying::step;
use super::network::Network;
use ledger::Ledger;
use offenders::Offenders;
use once_cell::race::OnceBox;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;
/// Networks are counted over one to two of these.
const PERIOD: u64 = 60 * SECOND;
/// A cool-down does not grow beyond this.
const LONGEST: u64 = 3600 * SECOND;
/// Of so many evaluations one is let through while a rule is tried.
const ONE_IN: u64 = 16;
/// Rules whose breakers are made together.
const BLOCK: usize = 32;

const STATE_BITS: u32 = 2;

/// One rule. State and time in one number: off or muted until then.
#[derive(Debug, Default)]
struct Breaker {
    state: AtomicU64,
    ledger: Ledger,
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const HALF_OPEN: u64 = 2;

impl Breaker {
    /// State, and until when.
    fn state(&self) -> (u64, u64) {
        let state = self.state.load(Ordering::Relaxed);
        (state & ((1 << STATE_BITS) - 1), state >> STATE_BITS << STATE_BITS)
    }

    /// Goes from one state to another; false if somebody else was quicker.
    fn go(&self, from: u64, to: u64, until: u64) -> bool {
        let (old, new) = change(&self.state, |state| match state & ((1 << STATE_BITS) - 1) == from {
            true => (until >> STATE_BITS << STATE_BITS) | to,
            false => state,
        });
        old != new
    }
}

/// The circuit breakers of a deployed ruleset. Observing takes no lock, and memory only for what comes first: 1,280 bytes for the
/// breakers of 32 rules, 4 KiB for clients that find faults, a few more for each rule that only watches or fails.
///
/// ```
/// use fusewall::governor::{Change, Network, Observation, Outcome, Quarantine, QuarantineConfig, SystemClock};
/// use std::net::IpAddr;
/// # use std::sync::Arc;
/// let quarantine = Quarantine::new(&QuarantineConfig::default(), [false; 100], Arc::new(SystemClock::new()));
/// let dear = |client: u8| Observation {
///     rule: 7,
///     fuel: 2_000_000,
///     bound: Some(5_000_000),
///     enforcing: false,
///     network: Network::from(IpAddr::from([192, 0, client, 1])),
///     outcome: Outcome::Spent,
/// };
/// let decision = (0..250).find_map(|client| quarantine.observe(&dear(client))).expect("it goes off");
/// assert_eq!((decision.rule, decision.change), (7, Change::LeaveOut));
/// ```
#[derive(Debug)]
pub struct Quarantine {
    config: QuarantineConfig,
    clock: Arc<dyn Clock>,
    rules: usize,
    /// By their indices. Of a thousand tenants few have many requests.
    breakers: Box<[OnceBox<[Breaker; BLOCK]>]>,
    /// One bit for each rule.
    protected: Box<[u32]>,
    most_off: u32,
    off: AtomicU32,
    offenders: Offenders,
}

impl Quarantine {
    /// Breakers for a ruleset: for each rule, in the order of their indices, whether it is protected.
    pub fn new(config: &QuarantineConfig, protected: impl IntoIterator<Item = bool>, clock: Arc<dyn Clock>) -> Self {
        let protected: Vec<bool> = protected.into_iter().collect();
        let rules = protected.len();
        let bits = |block: &[bool]| block.iter().rev().fold(0, |bits, &bit| bits << 1 | u32::from(bit));
        let protected: Box<[u32]> = protected.chunks(BLOCK).map(bits).collect();
        let breakers = protected.iter().map(|_| OnceBox::new()).collect();
        let most_off = ((rules as f64 * config.most_off.clamp(0.0, 1.0)) as u32).max(1);
        let (least_networks, fault_networks) = (config.least_networks.min(32), config.fault_networks.min(32));
        let config = QuarantineConfig { least_networks, fault_networks, ..config.clone() };
        let (off, offenders) = (AtomicU32::new(0), Offenders::new());
        Quarantine { config, clock, rules, breakers, protected, most_off, off, offenders }
    }

    /// Where the breaker of a rule is: the block, and the place in it.
    fn place(&self, rule: u32) -> Option<(&OnceBox<[Breaker; BLOCK]>, usize)> {
        let rule = rule as usize;
        let block = self.breakers.get(rule / BLOCK).filter(|_| rule < self.rules)?;
        Some((block, rule % BLOCK))
    }

    /// The breaker of a rule, made if need be; `None` if there is no such rule.
    fn breaker(&self, rule: u32) -> Option<&Breaker> {
        let (block, place) = self.place(rule)?;
        block.get().unwrap_or_else(|| make(block)).get(place)
    }

    /// The breaker of a rule, if it has ever been observed.
    fn observed(&self, rule: u32) -> Option<&Breaker> {
        let (block, place) = self.place(rule)?;
        block.get()?.get(place)
    }

    fn is_protected(&self, rule: u32) -> bool {
        self.protected.get(rule as usize / BLOCK).is_some_and(|bits| bits >> (rule as usize % BLOCK) & 1 == 1)
    }

    /// Takes an evaluation into account. An enforcing rule that stays within its certificate is only counted.
    pub fn observe(&self, seen: &Observation) -> Option<Decision> {
        let breaker = self.breaker(seen.rule)?;
        let panicked = seen.outcome == Outcome::Panic;
        let over_price = seen.outcome == Outcome::OverPrice || seen.bound.is_some_and(|bound| seen.fuel > bound);
        breaker.ledger.note(seen.fuel, over_price, panicked);
        let fault = match (panicked, over_price) {
            (true, _) => Some(Why::Panic),
            (false, true) => Some(Why::OverPrice),
            (false, false) => None,
        };
        let certified = seen.enforcing && seen.bound.is_some();
        let (state, until) = breaker.state();
        if fault.is_none() && certified && state == CLOSED {
            return None;
        }
        self.judge(breaker, seen, fault, (state, until))
    }

    /// What an evaluation means that may not just be counted. Apart, because few are.
    #[inline(never)]
    fn judge(
        &self,
        breaker: &Breaker,
        seen: &Observation,
        fault: Option<Why>,
        (state, until): (u64, u64),
    ) -> Option<Decision> {
        let certified = seen.enforcing && seen.bound.is_some();
        let now = self.clock.nanos();
        let why = match (state, fault) {
            // Requests that were under way when it went off.
            (OPEN, _) => return None,
            (CLOSED, Some(fault)) => self.fault(breaker, seen, fault, now),
            (CLOSED, None) => self.cost(breaker, seen, now),
            (_, Some(_)) if self.is_bad_client(seen.network) => Verdict::Stay,
            (_, Some(fault)) => Verdict::Off(fault),
            (_, None) if !certified && seen.fuel > self.config.dear_fuel => Verdict::Off(Why::Dear),
            (_, None) => return self.cheap(breaker, seen.rule, now),
        };
        match why {
            Verdict::Stay => None,
            Verdict::Say(change, why) => Some(Decision { rule: seen.rule, change, why }),
            Verdict::Off(why) => self.switch_off(breaker, seen, (state, until), why, now),
        }
    }

    /// A rule that is on has spent more than it may, or has panicked.
    fn fault(&self, breaker: &Breaker, seen: &Observation, fault: Why, now: u64) -> Verdict {
        let (before, after) = self.offenders.note(seen.network, seen.rule, now);
        let limit = self.config.bad_client_rules.max(2);
        if after >= limit {
            return if before < limit { Verdict::Say(Change::Blame, fault) } else { Verdict::Stay };
        }
        let networks = &breaker.ledger.suspicions().fault_networks;
        let (before, after) = networks.add(self.offenders.hash(seen.network), now / PERIOD);
        // One network must not be able to turn a rule that decides into one that matches all: its own requests are decided already.
        if after >= self.config.fault_networks {
            return Verdict::Off(fault);
        }
        if before == 0 { Verdict::Say(Change::Tell, fault) } else { Verdict::Stay }
    }

    /// A rule that is on and may go off by its cost alone has done its work.
    fn cost(&self, breaker: &Breaker, seen: &Observation, now: u64) -> Verdict {
        let dear = seen.fuel > self.config.dear_fuel;
        let suspicions = breaker.ledger.suspicions();
        let (recent, dear_ones) = suspicions.weigh(dear, step(now));
        if !dear {
            return Verdict::Stay;
        }
        let (_, networks) = suspicions.dear_networks.add(self.offenders.hash(seen.network), now / PERIOD);
        let often = recent >= self.config.least_evaluations
            && dear_ones.saturating_mul(100) >= recent.saturating_mul(self.config.dear_percent);
        if often && networks >= self.config.least_networks { Verdict::Off(Why::Dear) } else { Verdict::Stay }
    }

    fn switch_off(
        &self,
        breaker: &Breaker,
        seen: &Observation,
        (state, muted): (u64, u64),
        why: Why,
        now: u64,
    ) -> Option<Decision> {
        let cool_down = self.config.cool_down_secs.max(1).saturating_mul(SECOND);
        let say = |change, why| Some(Decision { rule: seen.rule, change, why });
        // An owner is told once in a cool-down. A clock that was set back does not make it longer.
        let refuse = |why| match state == CLOSED && (now >= muted || muted - now > LONGEST) {
            true if breaker.go(CLOSED, CLOSED, now.saturating_add(cool_down)) => say(Change::Tell, why),
            _ => None,
        };
        if self.is_protected(seen.rule) {
            return refuse(Why::Protected);
        }
        if state == CLOSED && !self.take_place() {
            return refuse(Why::TooManyOff);
        }
        let suspicions = breaker.ledger.suspicions();
        let times = suspicions.times.load(Ordering::Relaxed);
        let wait = cool_down.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX)).min(LONGEST);
        if !breaker.go(state, OPEN, now.saturating_add(wait)) {
            if state == CLOSED {
                self.off.fetch_sub(1, Ordering::Relaxed);
            }
            return None;
        }
        suspicions.times.store(times.saturating_add(1), Ordering::Relaxed);
        say(if seen.enforcing { Change::CountAsMatch } else { Change::LeaveOut }, why)
    }

    /// Takes one of the places for rules that are off.
    fn take_place(&self) -> bool {
        let more = |off: u32| (off < self.most_off).then_some(off + 1);
        self.off.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A rule that is tried was cheap.
    fn cheap(&self, breaker: &Breaker, rule: u32, now: u64) -> Option<Decision> {
        let suspicions = breaker.ledger.suspicions();
        let probes = suspicions.probes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if probes < self.config.probes || !breaker.go(HALF_OPEN, CLOSED, 0) {
            return None;
        }
        self.off.fetch_sub(1, Ordering::Relaxed);
        suspicions.times.store(0, Ordering::Relaxed);
        suspicions.forget(step(now));
        Some(Decision { rule, change: Change::Restore, why: Why::Cheap })
    }

    /// Finds the rules whose cool-down is over. To be called every second or so, beside the requests.
    pub fn tick(&self) -> Vec<Decision> {
        let now = self.clock.nanos();
        let mut decisions = Vec::new();
        let observed = |block: u32| {
            let breakers = self.breakers.get(block as usize)?.get()?;
            Some((block * BLOCK as u32..self.rules as u32).zip(breakers))
        };
        for (rule, breaker) in (0..self.breakers.len() as u32).filter_map(observed).flatten() {
            let (state, until) = breaker.state();
            // A clock that was set back does not keep a rule off.
            let over = now >= until || until - now > LONGEST;
            if state == OPEN && over && breaker.go(OPEN, HALF_OPEN, now) {
                breaker.ledger.suspicions().probes.store(0, Ordering::Relaxed);
                decisions.push(Decision { rule, change: Change::Try, why: Why::Cooled });
            }
        }
        decisions
    }

    /// Whether an evaluation of a rule may take place now: always while it is on, never while it is off, one in 16 times while it
    /// is tried.
    pub fn lets_through(&self, rule: u32) -> bool {
        let Some(breaker) = self.observed(rule) else { return true };
        match breaker.state().0 {
            CLOSED => true,
            OPEN => false,
            _ => breaker.ledger.suspicions().asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(ONE_IN),
        }
    }

    /// Whether a client has found faults in so many rules that its requests are to be decided by policy.
    pub fn is_bad_client(&self, network: Network) -> bool {
        self.offenders.count(network, self.clock.nanos()) >= self.config.bad_client_rules.max(2)
    }

    /// Where a rule is in its circuit; `None` if there is no such rule.
    pub fn state(&self, rule: u32) -> Option<State> {
        self.place(rule)?;
        Some(match self.observed(rule).map_or(CLOSED, |breaker| breaker.state().0) {
            CLOSED => State::Closed,
            OPEN => State::Open,
            _ => State::HalfOpen,
        })
    }

    /// What was counted of a rule; `None` if there is no such rule.
    pub fn account(&self, rule: u32) -> Option<Account> {
        self.place(rule)?;
        Some(self.observed(rule).map_or_else(Account::default, |breaker| breaker.ledger.account()))
    }

    /// Rules that are off, or tried.
    pub fn off(&self) -> u32 {
        self.off.load(Ordering::Relaxed)
    }
}

/// Makes a block. Of two threads that do it at once one wins, and none waits.
#[cold]
fn make(block: &OnceBox<[Breaker; BLOCK]>) -> &[Breaker; BLOCK] {
    block.get_or_init(Box::default)
}

/// What an evaluation means for its rule.
enum Verdict {
    Stay,
    Say(Change, Why),
    Off(Why),
}
