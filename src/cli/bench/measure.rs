//! The measurement: every request several times, its CPU time by the thread's own clock.

use crate::cli::progress;
use crate::cli::requests::Prepared;
use crate::governor::thread_cpu_time;
use crate::rule::RuleId;
use crate::waf::Waf;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was measured of one request.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Bytes of request line, header fields and bodies.
    pub bytes: usize,
    /// CPU time, the median over passes.
    pub cpu: Duration,
    /// Fuel spent, the same in every pass.
    pub fuel: u64,
    /// Whether it ended in an interruption.
    pub refused: bool,
    /// Whether a budget was spent.
    pub exhausted: bool,
}

/// What was measured of all of them.
#[derive(Debug)]
pub struct Measured {
    /// By request, in order of the file.
    pub samples: Vec<Sample>,
    /// Fuel that rules spent on their own, over all requests.
    pub rules: BTreeMap<RuleId, u64>,
}

/// Evaluates `traffic` on `threads` threads, `passes` times each, after a pass that warms up and is not counted.
///
/// # Errors
/// A request whose fuel differs between passes or that ends in an internal error: its figures would mean nothing.
pub fn measure(waf: &Waf, traffic: &[Prepared], passes: usize, threads: usize) -> anyhow::Result<Measured> {
    let mut measured = first(waf, traffic)?;
    let bar = progress::bar((passes * threads * traffic.len()) as u64, "requests");
    let times: Vec<anyhow::Result<Vec<Vec<Duration>>>> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| repeat(waf, traffic, &measured.samples, passes, &bar))).collect();
        let ended = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.map(|times| times.unwrap_or_else(|_| Err(anyhow::anyhow!("a measuring thread panicked")))).collect()
    });
    bar.finish_and_clear();
    let mut by_request = vec![Vec::with_capacity(passes * threads); traffic.len()];
    for times in times {
        for (all, these) in by_request.iter_mut().zip(times?) {
            all.extend(these);
        }
    }
    for (sample, mut times) in measured.samples.iter_mut().zip(by_request) {
        times.sort_unstable();
        sample.cpu = times.get(times.len() / 2).copied().unwrap_or_default();
    }
    Ok(measured)
}

/// One pass whose time does not count: what each request costs in fuel, and where it goes.
fn first(waf: &Waf, traffic: &[Prepared]) -> anyhow::Result<Measured> {
    let mut measured = Measured { samples: Vec::with_capacity(traffic.len()), rules: BTreeMap::new() };
    for request in traffic {
        let transaction = request.evaluate(waf);
        let Some(verdict) = transaction.verdict() else { anyhow::bail!("request {}: internal error", request.id()) };
        for (rule, fuel) in transaction.dearest_rules(usize::MAX) {
            *measured.rules.entry(rule).or_default() += fuel;
        }
        measured.samples.push(Sample {
            bytes: request.bytes(),
            cpu: Duration::ZERO,
            fuel: verdict.fuel,
            refused: verdict.interruption.is_some(),
            exhausted: verdict.exhausted.is_some(),
        });
    }
    Ok(measured)
}

/// The times of each request on this thread.
fn repeat(
    waf: &Waf,
    traffic: &[Prepared],
    expected: &[Sample],
    passes: usize,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::with_capacity(passes); traffic.len()];
    for _ in 0..passes {
        for ((request, expected), times) in traffic.iter().zip(expected).zip(&mut times) {
            let before = thread_cpu_time();
            let transaction = request.evaluate(waf);
            times.push(thread_cpu_time() - before);
            let fuel = transaction.verdict().map(|verdict| verdict.fuel);
            anyhow::ensure!(
                fuel == Some(expected.fuel),
                "request {}: {fuel:?} fuel where the first pass spent {}",
                request.id(),
                expected.fuel
            );
        }
        bar.inc(traffic.len() as u64);
    }
    Ok(times)
}
