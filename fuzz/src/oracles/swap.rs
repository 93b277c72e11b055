//! An exchange keeps the ruleset that it began with, whatever comes into service meanwhile.

use super::super::generators::halves;
use super::super::oracle::exchange::Exchange;
use super::super::oracle::generate::{Choices, exchange, ruleset};
use fusewall::engine::FixedEnv;
use fusewall::rule::RuleId;
use fusewall::store::{Releases, RuleSource};
use fusewall::{Switch, Waf};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rulesets that take turns.
const RULESETS: usize = 3;
/// Exchanges that are under way at once.
const NESTED: usize = 3;

/// What goes on between the steps of exchanges: each byte is something that an operator does, or another exchange.
struct Turns<'a> {
    waf: Waf,
    /// Each ruleset in a house of its own, where nothing ever changes.
    alone: Vec<Waf>,
    texts: &'a [String],
    state: RefCell<State<'a>>,
}

struct State<'a> {
    turns: Choices<'a>,
    left: usize,
    exchanges: Vec<Exchange>,
    off: BTreeSet<u64>,
    /// How often switches were turned.
    turned: usize,
    held: Option<u64>,
}

/// Generated rulesets and exchanges, and what the first half of the bytes does between the steps.
pub fn swap(data: &[u8]) {
    let (turns, rest) = halves(data);
    let mut choices = Choices(rest);
    let texts: Vec<String> = (0..RULESETS).map(|_| forgetful(&ruleset(&mut choices, 4))).collect();
    let exchanges = (0..NESTED).map(|_| exchange(&mut choices)).collect();
    let domain = Arc::new(Releases::new());
    let build = |text: &String| {
        let builder = Waf::builder().env(FixedEnv::default()).allow_empty().releases(domain.clone());
        let builder = builder.keep_generations(2).rules_text("rules.conf", text.as_str());
        builder.build().unwrap_or_else(|report| panic!("{report}\n{text}"))
    };
    let state = State {
        turns: Choices(turns),
        left: turns.len().min(60),
        exchanges,
        off: BTreeSet::new(),
        turned: 0,
        held: None,
    };
    let turns = Turns {
        waf: build(&texts[0]),
        alone: texts.iter().map(build).collect(),
        texts: &texts,
        state: RefCell::new(state),
    };
    turns.exchange(0);
    turns.exchange(0);
}

/// The rules without collections that outlive an exchange: what is in those depends on the exchanges before.
fn forgetful(text: &str) -> String {
    let renamed = [("initcol:", "setvar:tx."), ("setsid:", "setvar:tx.sid="), ("setuid:", "setvar:tx.uid=")];
    renamed.iter().fold(text.replace("setrsc:", "setvar:tx.rsc="), |text, (from, to)| text.replace(from, to))
}

impl Turns<'_> {
    /// Which of the rulesets is in service.
    fn in_service(&self) -> usize {
        let current = self.waf.loaded();
        let same = |alone: &Waf| alone.loaded().program().ruleset == current.program().ruleset;
        self.alone.iter().position(same).expect("one of those that were deployed")
    }

    /// An exchange from beginning to end, with turns between its steps. As many are under way as `depth` says.
    fn exchange(&self, depth: usize) {
        let (ruleset, generation) = (self.in_service(), self.waf.generation().number);
        let (exchange, off, turned) = {
            let state = self.state.borrow();
            (state.exchanges[depth].clone(), state.off.clone(), state.turned)
        };
        let mut fuel = || self.turn(depth);
        let found = exchange.evaluate_paused(&self.waf, &mut fuel, &mut || 1 + self.turn(depth) as usize).verdict();
        let found = found.expect("the engine does not fail");
        let alone = &self.alone[ruleset];
        let loaded = alone.loaded();
        let known = |id: &RuleId| loaded.program().ruleset.rules.iter().any(|rule| rule.id == *id);
        assert!(found.rules.iter().all(known), "a rule of another ruleset");
        // What is turned off under way is off from the next rule on: when that was, the verdict does not say.
        if self.state.borrow().turned == turned {
            off.iter().for_each(|id| _ = alone.switch_off(&Switch::Rule(RuleId(*id))));
            let mut expected = exchange.evaluate(alone).verdict().expect("the engine does not fail");
            off.iter().for_each(|id| _ = alone.switch_on(&Switch::Rule(RuleId(*id))));
            (expected.generation, expected.epoch) = (generation, found.epoch);
            assert_eq!(found, expected, "{}\n{}\noff: {off:?}", self.texts[ruleset], exchange.show());
        }
    }

    /// Does what the next byte says; answers how far the next step goes.
    fn turn(&self, depth: usize) -> u64 {
        let (what, which) = {
            let mut state = self.state.borrow_mut();
            if state.left == 0 {
                return u64::from(u32::MAX);
            }
            state.left -= 1;
            (state.turns.below(16), state.turns.below(8))
        };
        match what {
            1 | 2 => self.deploy(which % RULESETS),
            3 | 4 => self.roll_back(),
            5 => self.hold(),
            6 => self.release(),
            7 | 8 => self.switch(1 + which as u64 % 5),
            9 | 10 if depth + 1 < NESTED => self.exchange(depth + 1),
            _ => {}
        }
        1 + 40 * which as u64
    }

    fn deploy(&self, ruleset: usize) {
        let source = RuleSource::Text { name: "rules.conf".to_owned(), text: self.texts[ruleset].clone() };
        let before = self.in_service();
        let deployed = self.waf.replace(&source).is_ok();
        assert_eq!(deployed, self.state.borrow().held.is_none(), "what is held is replaced by nobody");
        let now = self.in_service();
        let expected = if deployed { ruleset } else { before };
        assert_eq!(self.texts[now], self.texts[expected]);
    }

    fn roll_back(&self) {
        let before = self.waf.generations();
        let back = self.waf.roll_back().is_ok();
        let possible = before.len() > 1 && self.state.borrow().held.is_none();
        assert_eq!(back, possible, "from {before:?}");
        let now = self.waf.generation().number;
        assert_eq!(now > before[0].number, back, "a generation that comes back has a number of its own");
    }

    fn hold(&self) {
        let number = self.waf.generation().number;
        self.waf.hold_in_service(number, "an emergency").expect("it is in service");
        self.state.borrow_mut().held = Some(number);
    }

    fn release(&self) {
        let held = self.state.borrow_mut().held.take();
        held.into_iter().for_each(|number| self.waf.release_hold(number).expect("it is held"));
    }

    fn switch(&self, id: u64) {
        let mut state = self.state.borrow_mut();
        state.turned += 1;
        let what = Switch::Rule(RuleId(id));
        if state.off.remove(&id) {
            self.waf.switch_on(&what);
        } else {
            state.off.insert(id);
            self.waf.switch_off(&what);
        }
    }
}
