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
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;
/// Networks are counted over one to two of these.
const PERIOD: u64 = 60 * SECOND;
/// A cool-down does not grow beyond this.
const LONGEST: u64 = 3600 * SECOND;
/// Of so many evaluations one is let through while a rule is tried.
const ONE_IN: u64 = 16;

const STATE_BITS: u32 = 2;

/// One rule. State and time in one number: off or muted until then.
#[derive(Debug, Default)]
struct Breaker {
    state: AtomicU64,
    ledger: Ledger,
    /// How often it went off, one after the other.
    times: AtomicU32,
    /// Cheap evaluations since it is tried.
    probes: AtomicU32,
    asked: AtomicU64,
    protected: bool,
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

/// The circuit breakers of a deployed ruleset. Observing takes no lock and allocates nothing.
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
    rules: Box<[Breaker]>,
    most_off: u32,
    off: AtomicU32,
    offenders: Offenders,
}

impl Quarantine {
    /// Breakers for a ruleset: for each rule, in the order of their indices, whether it is protected.
    pub fn new(config: &QuarantineConfig, protected: impl IntoIterator<Item = bool>, clock: Arc<dyn Clock>) -> Self {
        let breaker = |protected| Breaker { protected, ..Breaker::default() };
        let rules: Box<[Breaker]> = protected.into_iter().map(breaker).collect();
        let most_off = ((rules.len() as f64 * config.most_off.clamp(0.0, 1.0)) as u32).max(1);
        let (least_networks, fault_networks) = (config.least_networks.min(32), config.fault_networks.min(32));
        let config = QuarantineConfig { least_networks, fault_networks, ..config.clone() };
        Quarantine { config, clock, rules, most_off, off: AtomicU32::new(0), offenders: Offenders::new() }
    }

    /// Takes an evaluation into account. An enforcing rule that stays within its certificate is only counted.
    pub fn observe(&self, seen: &Observation) -> Option<Decision> {
        let breaker = self.rules.get(seen.rule as usize)?;
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
        let (before, after) = breaker.ledger.fault_networks.add(self.offenders.hash(seen.network), now / PERIOD);
        // One network must not be able to turn a rule that decides into one that matches all: its own requests are decided already.
        if after >= self.config.fault_networks {
            return Verdict::Off(fault);
        }
        if before == 0 { Verdict::Say(Change::Tell, fault) } else { Verdict::Stay }
    }

    /// A rule that is on and may go off by its cost alone has done its work.
    fn cost(&self, breaker: &Breaker, seen: &Observation, now: u64) -> Verdict {
        let dear = seen.fuel > self.config.dear_fuel;
        let (recent, dear_ones) = breaker.ledger.weigh(dear, step(now));
        if !dear {
            return Verdict::Stay;
        }
        let (_, networks) = breaker.ledger.dear_networks.add(self.offenders.hash(seen.network), now / PERIOD);
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
        if breaker.protected {
            return refuse(Why::Protected);
        }
        if state == CLOSED && !self.take_place() {
            return refuse(Why::TooManyOff);
        }
        let times = breaker.times.load(Ordering::Relaxed);
        let wait = cool_down.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX)).min(LONGEST);
        if !breaker.go(state, OPEN, now.saturating_add(wait)) {
            if state == CLOSED {
                self.off.fetch_sub(1, Ordering::Relaxed);
            }
            return None;
        }
        breaker.times.store(times.saturating_add(1), Ordering::Relaxed);
        say(if seen.enforcing { Change::CountAsMatch } else { Change::LeaveOut }, why)
    }

    /// Takes one of the places for rules that are off.
    fn take_place(&self) -> bool {
        let more = |off: u32| (off < self.most_off).then_some(off + 1);
        self.off.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// A rule that is tried was cheap.
    fn cheap(&self, breaker: &Breaker, rule: u32, now: u64) -> Option<Decision> {
        let probes = breaker.probes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if probes < self.config.probes || !breaker.go(HALF_OPEN, CLOSED, 0) {
            return None;
        }
        self.off.fetch_sub(1, Ordering::Relaxed);
        breaker.times.store(0, Ordering::Relaxed);
        breaker.ledger.forget(step(now));
        Some(Decision { rule, change: Change::Restore, why: Why::Cheap })
    }

    /// Finds the rules whose cool-down is over. To be called every second or so, beside the requests.
    pub fn tick(&self) -> Vec<Decision> {
        let now = self.clock.nanos();
        let mut decisions = Vec::new();
        for (rule, breaker) in (0..).zip(&self.rules) {
            let (state, until) = breaker.state();
            // A clock that was set back does not keep a rule off.
            let over = now >= until || until - now > LONGEST;
            if state == OPEN && over && breaker.go(OPEN, HALF_OPEN, now) {
                breaker.probes.store(0, Ordering::Relaxed);
                decisions.push(Decision { rule, change: Change::Try, why: Why::Cooled });
            }
        }
        decisions
    }

    /// Whether an evaluation of a rule may take place now: always while it is on, never while it is off, one in 16 times while it
    /// is tried.
    pub fn lets_through(&self, rule: u32) -> bool {
        let Some(breaker) = self.rules.get(rule as usize) else { return true };
        match breaker.state().0 {
            CLOSED => true,
            OPEN => false,
            _ => breaker.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(ONE_IN),
        }
    }

    /// Whether a client has found faults in so many rules that its requests are to be decided by policy.
    pub fn is_bad_client(&self, network: Network) -> bool {
        self.offenders.count(network, self.clock.nanos()) >= self.config.bad_client_rules.max(2)
    }

    /// Where a rule is in its circuit; `None` if there is no such rule.
    pub fn state(&self, rule: u32) -> Option<State> {
        Some(match self.rules.get(rule as usize)?.state().0 {
            CLOSED => State::Closed,
            OPEN => State::Open,
            _ => State::HalfOpen,
        })
    }

    /// What was counted of a rule; `None` if there is no such rule.
    pub fn account(&self, rule: u32) -> Option<Account> {
        Some(self.rules.get(rule as usize)?.ledger.account())
    }

    /// Rules that are off, or tried.
    pub fn off(&self) -> u32 {
        self.off.load(Ordering::Relaxed)
    }
}

/// What an evaluation means for its rule.
enum Verdict {
    Stay,
    Say(Change, Why),
    Off(Why),
}
