//! The measurement: the engines take turns within every round, so that what the machine does meanwhile falls on all of them
//! alike.

use crate::engines::{Engine, Verdict};
use crate::requests::Class;
use anyhow::ensure;
use fusewall::governor::thread_cpu_time;

/// What was measured of one request, by engine in the order of the engines.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// CPU time in microseconds, the median over rounds.
    pub cpu_us: Vec<f64>,
    /// What each engine says.
    pub verdicts: Vec<Verdict>,
}

/// Hands a class over to the engines; tells the number that its first request has there.
///
/// # Errors
/// A request that an engine's interface cannot express.
pub fn hand_over(engines: &mut [Box<dyn Engine>], class: &Class) -> anyhow::Result<usize> {
    let mut first = 0;
    for engine in engines {
        for (at, request) in class.requests.iter().enumerate() {
            first = engine.take(request)? - at;
        }
    }
    Ok(first)
}

/// Takes a class, numbered from `first`, through the engines: a round that warms up and is not counted, then `rounds`. In
/// each an engine evaluates `turn` requests, then the next engine the same ones. Who begins changes from round to round.
///
/// # Errors
/// An engine that fails, or whose verdict on a request differs between rounds.
pub fn measure(
    engines: &mut [Box<dyn Engine>],
    class: &Class,
    first: usize,
    rounds: usize,
    turn: usize,
) -> anyhow::Result<Vec<Sample>> {
    let count = engines.len();
    let mut verdicts = vec![vec![None; count]; class.requests.len()];
    let mut times = vec![vec![Vec::with_capacity(rounds); count]; class.requests.len()];
    for round in 0..=rounds {
        for begin in (0..class.requests.len()).step_by(turn) {
            for which in (0..count).map(|at| (round + at) % count) {
                let engine = &mut engines[which];
                for at in begin..class.requests.len().min(begin + turn) {
                    let before = thread_cpu_time();
                    let verdict = engine.evaluate(first + at)?;
                    let cpu = thread_cpu_time() - before;
                    if round == 0 {
                        verdicts[at][which] = verdict;
                        continue;
                    }
                    let (id, same) = (&class.requests[at].id, verdict == verdicts[at][which]);
                    ensure!(same, "{}: the verdict on {id} differs between rounds", engine.version());
                    times[at][which].push(cpu.as_secs_f64() * 1e6);
                }
            }
        }
    }
    let medians = times.into_iter().map(|engines| engines.into_iter().map(median).collect());
    Ok(medians.zip(verdicts).map(|(cpu_us, verdicts)| Sample { cpu_us, verdicts }).collect())
}

/// The middle value, or the mean of the two in the middle; 0 without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => 0.0,
        sorted if sorted.len() % 2 == 1 => sorted[middle],
        sorted => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The value below which this share of all values lies (nearest rank, as `fusewall bench` counts); 0 without any.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.clamp(1, values.len().max(1)) - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 100.0, 2.0]), 3.0);
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!(quantile(values.clone(), 0.95), 19.0);
        assert_eq!(quantile(values.clone(), 0.5), 10.0);
        assert_eq!(quantile(values, 1.0), 20.0);
        assert_eq!(quantile(vec![], 0.95), 0.0);
    }
}
