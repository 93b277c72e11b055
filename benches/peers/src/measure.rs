//! The measurement: in every round each request goes through each engine in turn, so that what the machine does
//! meanwhile falls on all of them alike.

use crate::engines::Verdict;
use crate::requests::Class;
use crate::worker::Worker;
use anyhow::ensure;

/// What was measured of one request, by engine in the order of the workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// CPU time in microseconds, the median over rounds.
    pub cpu_us: Vec<f64>,
    /// What each engine says.
    pub verdicts: Vec<Verdict>,
}

/// Takes a class through the workers, which must not have been given other requests than the first `first` before: a
/// round that warms up and is not counted, then `rounds`. The engine that begins changes from round to round.
///
/// # Errors
/// An engine that fails, or whose verdict on a request differs between rounds.
pub fn measure(workers: &mut [Worker], class: &Class, first: usize, rounds: usize) -> anyhow::Result<Vec<Sample>> {
    for worker in workers.iter_mut() {
        for request in &class.requests {
            worker.take(request)?;
        }
    }
    let mut verdicts = vec![vec![None; workers.len()]; class.requests.len()];
    let mut times = vec![vec![Vec::with_capacity(rounds); workers.len()]; class.requests.len()];
    for round in 0..=rounds {
        for (at, request) in class.requests.iter().enumerate() {
            for turn in 0..workers.len() {
                let engine = (round + turn) % workers.len();
                let evaluated = workers[engine].evaluate(first + at)?;
                if round == 0 {
                    verdicts[at][engine] = evaluated.verdict;
                    continue;
                }
                let name = &workers[engine].loaded.version;
                ensure!(evaluated.verdict == verdicts[at][engine], "{name}: {} differs between rounds", request.id);
                times[at][engine].push(evaluated.cpu_ns as f64 / 1000.0);
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
