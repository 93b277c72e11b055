//! The figures of a measurement, for machines and for people.

use super::measure::{Measured, Sample};
use crate::cli::say;
use serde::Serialize;
use std::time::Duration;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Requests measured.
    pub requests: usize,
    /// Of them, refused by the rules.
    pub refused: usize,
    /// Of them, ended by a budget.
    pub exhausted: usize,
    /// CPU time of a request in microseconds.
    pub cpu_us: Cpu,
    /// Megabytes (10^6) of traffic that one core evaluates in a second.
    pub mb_per_s: f64,
    /// Fuel of a request.
    pub fuel: FuelShare,
    /// CPU time for a unit of fuel, over all requests.
    pub ns_per_fuel: f64,
    /// Wall-clock time of loading the rules, in milliseconds.
    pub load_ms: f64,
    /// Resident memory of the process after the measurement; 0 where the system does not tell.
    pub rss_kb: u64,
    /// Rules by the share of all fuel that they spend on their own (verifiers, captures, actions), dearest first.
    pub rules: Vec<RuleShare>,
}

/// CPU time of requests in microseconds.
#[derive(Debug, Serialize)]
pub struct Cpu {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// Fuel of requests.
#[derive(Debug, Serialize)]
pub struct FuelShare {
    pub mean: f64,
    pub p99: u64,
    pub max: u64,
}

/// A rule's part in it.
#[derive(Debug, Serialize)]
pub struct RuleShare {
    pub id: u64,
    pub fuel_share: f64,
}

impl Report {
    /// The figures of `measured`, with the time that loading took.
    pub fn new(measured: &Measured, load: Duration) -> Report {
        let samples = &measured.samples;
        let total: Duration = samples.iter().map(|sample| sample.cpu).sum();
        let fuel: u64 = samples.iter().map(|sample| sample.fuel).sum();
        let bytes: usize = samples.iter().map(|sample| sample.bytes).sum();
        let mut cpu: Vec<_> = samples.iter().map(|sample| micros(sample.cpu)).collect();
        cpu.sort_unstable_by(f64::total_cmp);
        let mut fuels: Vec<_> = samples.iter().map(|sample| sample.fuel).collect();
        fuels.sort_unstable();
        let mut rules: Vec<_> = measured
            .rules
            .iter()
            .map(|(rule, spent)| RuleShare { id: rule.0, fuel_share: share(*spent as f64, fuel as f64) })
            .collect();
        rules.sort_by(|a, b| b.fuel_share.total_cmp(&a.fuel_share).then(a.id.cmp(&b.id)));
        let count = samples.len() as f64;
        Report {
            requests: samples.len(),
            refused: samples.iter().filter(|sample| sample.refused).count(),
            exhausted: samples.iter().filter(|sample| sample.exhausted).count(),
            cpu_us: Cpu {
                mean: micros(total) / count,
                p50: quantile(&cpu, 0.5),
                p90: quantile(&cpu, 0.9),
                p99: quantile(&cpu, 0.99),
                max: quantile(&cpu, 1.0),
            },
            mb_per_s: share(bytes as f64, micros(total)),
            fuel: FuelShare { mean: fuel as f64 / count, p99: quantile(&fuels, 0.99), max: quantile(&fuels, 1.0) },
            ns_per_fuel: share(1000.0 * micros(total), fuel as f64),
            load_ms: load.as_secs_f64() * 1000.0,
            rss_kb: resident_kb().unwrap_or(0),
            rules,
        }
    }

    /// The table for people.
    ///
    /// # Errors
    /// An answer that cannot be written.
    pub fn print(&self) -> std::io::Result<()> {
        let Cpu { mean, p50, p90, p99, max } = &self.cpu_us;
        say(format_args!("{} requests, {} refused, {} over a budget", self.requests, self.refused, self.exhausted))?;
        say(format_args!("CPU us      mean {mean:.1}  p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  max {max:.1}"))?;
        let FuelShare { mean, p99, max } = &self.fuel;
        say(format_args!("fuel        mean {mean:.0}  p99 {p99}  max {max}"))?;
        say(format_args!(
            "rate        {:.1} MB/s a core, {:.2} ns for a unit of fuel",
            self.mb_per_s, self.ns_per_fuel
        ))?;
        say(format_args!("load        {:.0} ms, {} KB resident", self.load_ms, self.rss_kb))?;
        let own: f64 = self.rules.iter().map(|rule| rule.fuel_share).sum();
        say(format_args!("shared      {:5.1} % of the fuel: parsing, transformations, screens", 100.0 * (1.0 - own)))?;
        for rule in self.rules.iter().take(20).filter(|rule| rule.fuel_share >= 0.0005) {
            say(format_args!("rule {:>9}  {:4.1} %", rule.id, 100.0 * rule.fuel_share))?;
        }
        Ok(())
    }
}

/// Microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The value below which this share of a sorted list lies (nearest rank).
pub fn quantile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
}

/// Bytes of traffic against CPU time, a point for each request.
pub fn points(samples: &[Sample]) -> impl Iterator<Item = (f64, f64)> {
    samples.iter().map(|sample| (sample.bytes as f64, micros(sample.cpu)))
}

/// Resident memory as Linux tells it.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let sorted = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        assert_eq!([0.0, 0.5, 0.9, 0.99, 1.0].map(|share| quantile(&sorted, share)), [1, 5, 9, 10, 10]);
        assert_eq!(quantile::<u64>(&[], 0.5), 0);
    }
}
