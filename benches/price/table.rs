//! How a step is measured, and what is made of it.

use crate::texts::Text;
use fusewall::Limits;
use fusewall::governor::thread_cpu_time;
use fusewall::lang::pcre;
use fusewall::meter::{FUEL_PER_MICROSECOND, Meter};
use fusewall::scan::{Cache, Cursor, Groups, Pattern, Want};
use std::time::Duration;

/// Fuel of a run: the clock needs a microsecond.
const RUN: u64 = 200_000;
/// Runs of a row; the least counts.
const RUNS: usize = 9;
/// Runs of an input, to see whether it is the dearest.
const LOOKS: usize = 3;
/// Inputs that are measured as rows are, the dearest first, before one of them becomes the row.
const FINALISTS: usize = 4;
/// How often a row that is too dear is measured again: other work on the machine makes it so, too.
const RETRIES: u32 = 20;
/// How many times the rate no row may exceed.
const MOST: f64 = 2.0;
/// The part of what the nominal rate allows that a row takes without being measured again: the machine may yet show a better rate, which
/// all are judged by.
const GOAL: f64 = 0.95;
/// Before the first of them; longer and longer before the others.
const PAUSE: Duration = Duration::from_millis(200);

/// The table.
pub struct Table {
    once: bool,
    yardstick: Yardstick,
    /// The least that it has shown so far: what a fuel takes on this machine when nothing else is going on.
    calm: f64,
    /// What each row took, its rate and that of the yardstick around it.
    rows: Vec<(String, Sample)>,
}

/// Nanoseconds of a fuel: of a step, and of the yardstick around it.
#[derive(Clone, Copy)]
struct Sample {
    rate: f64,
    around: f64,
}

impl Sample {
    /// What the step would take if the machine were as fast around it as it was at its best.
    fn judged(self, calm: f64) -> f64 {
        self.rate * calm / self.around
    }
}

impl Table {
    /// An empty one; `once` for a run in which nothing is measured.
    pub fn new(once: bool) -> Table {
        let yardstick = Yardstick::new();
        Table { once, calm: yardstick.rate(), yardstick, rows: Vec::new() }
    }

    /// Whether nothing is measured.
    pub fn once(&self) -> bool {
        self.once
    }

    /// Nanoseconds of a fuel that are nominal.
    pub fn nominal() -> f64 {
        1000.0 / FUEL_PER_MICROSECOND as f64
    }

    /// Nanoseconds of a fuel that no row may exceed: twice the nominal, or on a slower machine twice what the step takes there that
    /// fuel is defined by.
    fn most(&self) -> f64 {
        MOST * Table::nominal().max(self.calm)
    }

    /// A step on one input: `work` does it once and answers its fuel.
    pub fn row(&mut self, step: &str, kind: &str, mut work: impl FnMut() -> u64) {
        let fuel = charged(step, kind, &mut work);
        if self.once {
            return;
        }
        let mut best = self.sample(&mut work);
        for tried in 1..=RETRIES {
            // Nor does a slower machine spare a row: it is lenient in the end, not while there is something to find out.
            if best.judged(self.calm) <= GOAL * MOST * Table::nominal() {
                break;
            }
            // Whoever else is on the machine may take some seconds.
            std::thread::sleep((PAUSE * tried).min(10 * PAUSE));
            let again = self.sample(&mut work);
            best = if again.judged(1.0) < best.judged(1.0) { again } else { best };
        }
        let (judged, measured) = (best.judged(self.calm), best.rate);
        println!("{step:<34} {kind:<34} {judged:>6.2} ns per fuel {fuel:>11} fuel  ({measured:.2})");
        self.rows.push((format!("{step}, {kind}"), best));
    }

    /// A step on the dearest of some inputs, which is named in the row.
    pub fn dearest(&mut self, step: &str, inputs: &[Text], mut work: impl FnMut(&[u8]) -> u64) {
        let mut tried: Vec<(f64, &Text)> = Vec::new();
        for input in inputs {
            charged(step, &input.name, &mut || work(&input.bytes));
            if !self.once {
                tried.push((rate(LOOKS, &mut || work(&input.bytes)), input));
            }
        }
        tried.sort_by(|a, b| b.0.total_cmp(&a.0));
        let finals = tried.iter().take(FINALISTS).map(|(_, input)| (rate(RUNS, &mut || work(&input.bytes)), *input));
        if let Some((_, input)) = finals.max_by(|a, b| a.0.total_cmp(&b.0)) {
            self.row(step, &input.name, || work(&input.bytes));
        }
    }

    /// A step on ordinary text, and on the dearest of some others.
    pub fn both(&mut self, step: &str, ordinary: &[u8], inputs: &[Text], mut work: impl FnMut(&[u8]) -> u64) {
        self.row(step, "benign", || work(ordinary));
        self.dearest(step, inputs, work);
    }

    /// The rate of a step just now.
    fn sample(&mut self, work: &mut impl FnMut() -> u64) -> Sample {
        let before = self.yardstick.rate();
        let rate = rate(RUNS, work);
        // The least that may be said for other work on the machine.
        let around = before.min(self.yardstick.rate());
        self.calm = self.calm.min(around);
        Sample { rate, around }
    }

    /// The last lines; whether no step is too dear. All rows are judged by one rate, the best that the machine has shown in the end.
    pub fn ends_well(&self) -> bool {
        let judged: Vec<_> = self.rows.iter().map(|(name, row)| (row.judged(self.calm), name)).collect();
        let Some((rate, name)) = judged.iter().max_by(|a, b| a.0.total_cmp(&b.0)) else { return true };
        let (nominal, most) = (Table::nominal(), self.most());
        println!("nominal: {nominal:.2} ns per fuel; on this machine {:.2}", self.calm);
        let (times, here) = (rate / nominal, MOST * rate / most);
        println!(
            "worst: {rate:.2} ns per fuel ({times:.2} times the nominal rate, {here:.2} times that of this machine), {name}"
        );
        let too_dear: Vec<_> = judged.iter().filter(|(rate, _)| *rate > most).collect();
        for (rate, name) in &too_dear {
            println!("more than twice the rate: {rate:.2} {name}");
        }
        too_dear.is_empty()
    }
}

/// The step that fuel is defined by: bytes through a DFA whose table the nearest cache holds. It tells how fast the machine is just now.
struct Yardstick {
    pattern: Pattern,
    text: Vec<u8>,
}

impl Yardstick {
    fn new() -> Yardstick {
        let limits = Limits::default();
        let parsed = pcre::parse(br"(?:union|select)\s+from", true, &limits).expect("it is one");
        let pattern = parsed.build(Want::Match, &limits, None).expect("it is small");
        let text = b"Selected wheres and unions from ordinary sentences, wherever they are. ".repeat(400);
        Yardstick { pattern, text }
    }

    /// Nanoseconds of a fuel, the least of some runs.
    fn rate(&self) -> f64 {
        let run = |_| {
            let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
            let mut meter = Meter::unlimited();
            let begun = thread_cpu_time();
            let done = self.pattern.scan(&mut cache, &self.text, &mut cursor, u64::MAX, &mut groups, &mut meter);
            done.expect("unlimited");
            (thread_cpu_time() - begun).as_nanos() as f64 / meter.spent() as f64
        };
        (0..5).map(run).fold(f64::MAX, f64::min)
    }
}

/// What a step is charged.
fn charged(step: &str, kind: &str, work: &mut impl FnMut() -> u64) -> u64 {
    let fuel = work();
    assert!(fuel > 0, "{step}, {kind}: nothing is charged");
    fuel
}

/// The least nanoseconds of a fuel in some runs.
pub fn rate(runs: usize, work: &mut impl FnMut() -> u64) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..runs {
        let begun = thread_cpu_time();
        let mut spent = 0;
        while spent < RUN {
            spent += work();
        }
        best = best.min((thread_cpu_time() - begun).as_nanos() as f64 / spent as f64);
    }
    best
}
