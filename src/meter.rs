//! Fuel: what a step costs, and the meter that every step on the request path charges *before* it runs.
//!
//! One unit of fuel is about the cost of moving one byte through a small dense DFA. Fuel is a function of (program, request) and
//! never of a clock, a cache or the machine, so a verdict can be replayed anywhere.

use std::fmt;

/// Fuel that a microsecond of CPU is worth, nominally: what a dense DFA gets through on the slowest machine that the prices were
/// measured on, so that a time in a configuration is rather shorter than longer. A constant, so that numbers derived from it do not
/// depend on the machine.
pub const FUEL_PER_MICROSECOND: u64 = 500;

/// The upper bound of one step's cost: `per_call + ceil(n * per_kib / 1024)` fuel for `n` bytes.
///
/// ```
/// use fusewall::meter::Price;
/// let price = Price::new(10, 1024); // one fuel per byte
/// assert_eq!(price.of(100), 110);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Price {
    /// Fuel for the call itself, whatever the length.
    pub per_call: u64,
    /// Fuel for 1,024 bytes of input (1,024 = one fuel a byte).
    pub per_kib: u64,
}

impl Price {
    /// A price of `per_call` fuel and `per_kib` fuel for every 1,024 bytes.
    pub const fn new(per_call: u64, per_kib: u64) -> Self {
        Price { per_call, per_kib }
    }

    /// A price of `per_call` fuel and `per_byte` fuel for every byte.
    pub const fn per_byte(per_call: u64, per_byte: u64) -> Self {
        Price { per_call, per_kib: per_byte.saturating_mul(1024) }
    }

    /// What the step costs on `bytes` bytes; saturates.
    pub const fn of(self, bytes: usize) -> u64 {
        let scaled = (bytes as u64).saturating_mul(self.per_kib);
        self.per_call.saturating_add(scaled.div_ceil(1024))
    }

    /// Two steps after each other on the same input.
    pub const fn plus(self, other: Price) -> Price {
        Price {
            per_call: self.per_call.saturating_add(other.per_call),
            per_kib: self.per_kib.saturating_add(other.per_kib),
        }
    }
}

/// Which budget ran dry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// The fuel of the whole request.
    Request,
    /// The fuel of one rule in this request.
    Rule,
    /// The memory of the request.
    Memory,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Request => "request",
            Scope::Rule => "rule",
            Scope::Memory => "memory",
        })
    }
}

/// The one way in which evaluation ends early: a budget is spent. It is never the same as "no match".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exhausted {
    /// Which budget.
    pub scope: Scope,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} budget exhausted", self.scope)
    }
}

impl std::error::Error for Exhausted {}

/// Whether meters trip. A build without shows what the guard is there for (drill D4).
const GUARDS: bool = cfg!(not(fusewall_without = "meter"));

/// Counts down the fuel of one request and, inside it, of the rule that runs.
///
/// ```
/// use fusewall::meter::{Meter, Scope};
/// let mut meter = Meter::new(100);
/// assert!(meter.charge(60).is_ok());
/// assert_eq!(meter.charge(60).unwrap_err().scope, Scope::Request);
/// assert_eq!(meter.spent(), 120); // overshoot: at most one charge
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    spent: u64,
    limit: u64,
    rule_spent: u64,
    rule_limit: u64,
}

impl Meter {
    /// A meter that grants `limit` fuel.
    pub const fn new(limit: u64) -> Self {
        Meter { spent: 0, limit, rule_spent: 0, rule_limit: u64::MAX }
    }

    /// A meter that never trips: for load time and for tests.
    pub const fn unlimited() -> Self {
        Meter::new(u64::MAX)
    }

    /// Charges `fuel` to the request and to the rule that runs; call it *before* the step.
    ///
    /// # Errors
    /// [`Exhausted`] when the step would exceed what is left. The charge stands: overshoot is at most one charge.
    #[must_use = "a step that was not paid for must not run"]
    #[inline]
    pub fn charge_rule(&mut self, fuel: u64) -> Result<(), Exhausted> {
        self.rule_spent = self.rule_spent.saturating_add(fuel);
        self.charge(fuel)?;
        if self.rule_spent > self.rule_limit && GUARDS {
            return Err(Exhausted { scope: Scope::Rule });
        }
        Ok(())
    }

    /// Charges `fuel` to the request alone (shared steps: parsing, transformations, prefilters).
    ///
    /// # Errors
    /// [`Exhausted`] when the step would exceed what is left.
    #[must_use = "a step that was not paid for must not run"]
    #[inline]
    pub fn charge(&mut self, fuel: u64) -> Result<(), Exhausted> {
        self.spent = self.spent.saturating_add(fuel);
        if self.spent > self.limit && GUARDS { Err(Exhausted { scope: Scope::Request }) } else { Ok(()) }
    }

    /// Starts a rule's own account: `limit` fuel, `already` spent by it earlier in this request.
    pub fn enter_rule(&mut self, already: u64, limit: u64) {
        self.rule_spent = already;
        self.rule_limit = limit;
    }

    /// Ends the rule's account and answers what it has spent in this request.
    pub fn leave_rule(&mut self) -> u64 {
        self.rule_limit = u64::MAX;
        std::mem::take(&mut self.rule_spent)
    }

    /// Raises the request's limit, for example when more body bytes arrive.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Fuel spent so far.
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Fuel granted.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Fuel left.
    pub const fn left(&self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_trips_before_the_request_does() {
        let mut meter = Meter::new(1000);
        meter.enter_rule(0, 10);
        assert!(meter.charge_rule(10).is_ok());
        assert_eq!(meter.charge_rule(1), Err(Exhausted { scope: Scope::Rule }));
        assert_eq!(meter.leave_rule(), 11);
        assert!(meter.charge(900).is_ok());
    }

    #[test]
    fn prices_round_up_and_saturate() {
        assert_eq!(Price::new(0, 1).of(1), 1);
        assert_eq!(Price::new(u64::MAX, 1).of(usize::MAX), u64::MAX);
    }
}
