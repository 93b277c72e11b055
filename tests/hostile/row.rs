//! Runs the attempts of a class against every ruleset and counts what became of them.

use crate::attempt::{Attempt, Expected, Outcome, Whom};
use crate::chance::Chance;
use crate::oracle::exchange::Exchange;
use crate::rulesets::{self, BUILTIN, FORMS, OWN, Target};
use fusewall::{Reason, Transaction};

/// Longest request that is also cut into pieces and given to the interpreter.
const SHORT: usize = 64 << 10;

/// The counts of a class.
#[derive(Debug, Default, Clone)]
pub struct Row {
    /// `I1`.
    pub class: &'static str,
    pub about: &'static str,
    /// Requests, inputs or rule files that were generated.
    pub generated: usize,
    /// Evaluations of attacks in which a rule found it / that were refused otherwise / only flagged.
    pub found: usize,
    pub refused: usize,
    pub flagged: usize,
    /// Cases that have no attack, in which what was promised held.
    pub held: usize,
    pub silent: usize,
    pub panics: usize,
    /// The same three counts of CRS, which is not always there.
    pub crs: [usize; 4],
    failures: Vec<String>,
}

impl Row {
    pub fn new(class: &'static str, about: &'static str) -> Row {
        Row { class, about, ..Row::default() }
    }

    /// Evaluates all attempts.
    pub fn of(class: &'static str, about: &'static str, attempts: impl IntoIterator<Item = Attempt>) -> Row {
        let mut row = Row::new(class, about);
        for attempt in attempts {
            row.take(&attempt);
        }
        row
    }

    /// Evaluates an attempt under every ruleset, and checks what holds for all requests.
    pub fn take(&mut self, attempt: &Attempt) {
        self.generated += 1;
        let size = attempt.size();
        for target in rulesets::all().filter(|target| size <= target.longest) {
            let own = std::ptr::eq(target, &*OWN);
            let asked = match attempt.whom {
                Whom::All => true,
                Whom::ButCrs => own || std::ptr::eq(target, &*BUILTIN),
                Whom::HandWritten => own,
            };
            if !asked {
                continue;
            }
            let transaction = attempt.exchange.evaluate(&target.waf);
            self.check(attempt, target, &transaction);
            let outcome = Outcome::of(&transaction, target.is_finding);
            if own && !outcome.meets(attempt.expected) {
                self.fail(attempt, target, &format!("{outcome:?} instead of {:?}", attempt.expected), &transaction);
            }
            if attempt.expected == Expected::Nothing {
                self.held += usize::from(own || std::ptr::eq(target, &*BUILTIN));
                continue;
            }
            if own && attempt.expected == Expected::ByRulesets {
                continue;
            }
            if !outcome.is_seen() {
                self.fail(attempt, target, "passes in silence", &transaction);
            }
            let column = match outcome {
                Outcome { found: true, .. } => 0,
                Outcome { refused: true, .. } => 1,
                Outcome { flagged: true, .. } => 2,
                _ => 3,
            };
            if own || std::ptr::eq(target, &*BUILTIN) {
                *[&mut self.found, &mut self.refused, &mut self.flagged, &mut self.silent][column] += 1;
            } else {
                self.crs[column] += 1;
            }
        }
        // The interpreter knows no limits of sizes.
        if size <= SHORT
            && attempt.exchange.headers.len() < 1000
            && let Err(difference) = FORMS.agree(&attempt.exchange)
        {
            self.failures.push(format!("{}: {difference}", attempt.what));
        }
    }

    /// A case without an attack: what was promised holds, or does not.
    pub fn hold(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.generated += 1;
        if holds {
            self.held += 1;
        } else {
            self.failures.push(what());
        }
    }

    /// No panic, the budget kept, the same verdict in pieces.
    fn check(&mut self, attempt: &Attempt, target: &Target, transaction: &Transaction) {
        let Some(verdict) = transaction.verdict() else {
            self.panics += 1;
            return self.fail(attempt, target, "no verdict", transaction);
        };
        if verdict.interruption.as_ref().is_some_and(|ended| ended.reason == Reason::InternalError) {
            self.panics += 1;
            self.fail(attempt, target, "panics", transaction);
        }
        // The grant for its bytes, the reserve of phase 5, and one charge over.
        let loaded = target.waf.loaded();
        let limits = &loaded.program().limits;
        let grant = limits.fuel_base + limits.fuel_per_byte * (attempt.size() as u64 + 100);
        if verdict.fuel > grant.min(limits.fuel_cap) + 40_000_000 {
            self.fail(attempt, target, &format!("{} fuel", verdict.fuel), transaction);
        }
        if attempt.size() <= SHORT && !attempt.exchange.body.is_empty() {
            let mut chance = Chance::new(self.generated as u64);
            let mut other = Chance::new(!self.generated as u64);
            let pieces =
                attempt
                    .exchange
                    .evaluate_paused(&target.waf, &mut || other.below(200_000) as u64, &mut || chance.below(700) + 1);
            if pieces.verdict().as_ref() != Some(&verdict) {
                self.fail(attempt, target, "another verdict in pieces", &pieces);
            }
        }
    }

    fn fail(&mut self, attempt: &Attempt, target: &Target, why: &str, transaction: &Transaction) {
        let shown = |exchange: &Exchange| exchange.show().chars().take(600).collect::<String>();
        let rules: Vec<_> = transaction.records().iter().map(|record| record.rule.0).collect();
        let verdict = transaction.verdict().map(|verdict| (verdict.interruption, verdict.uninspected));
        let text =
            format!("{} ({}): {why}; {rules:?} {verdict:?}\n{}", attempt.what, target.name, shown(&attempt.exchange));
        self.failures.push(text);
    }

    /// Fails with everything that went wrong.
    pub fn assert(&self) {
        let first: Vec<_> = self.failures.iter().take(10).cloned().collect();
        assert!(self.failures.is_empty(), "{} of {}:\n{}", self.failures.len(), self.generated, first.join("\n"));
        assert_eq!((self.panics, self.silent), (0, 0));
    }
}
