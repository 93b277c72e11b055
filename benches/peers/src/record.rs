//! The record of a run: its tables, and what a reader must know to judge them.

use crate::report::Report;
use std::time::{SystemTime, UNIX_EPOCH};

/// A page in Markdown.
pub fn page(report: &Report) -> String {
    let (year, month, day) =
        date(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 86_400));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let arguments: Vec<_> = std::env::args().skip(1).map(|argument| without_folders(&argument)).collect();
    format!(
        "# Fusewall and its peers\n\n\
         {year}-{month:02}-{day:02}; {system} on {machine}, {cores} cores, shared with other work; {} counted rounds after one that\n\
         warms up. Command: `fusewall-peers {}`.\n\n\
         - CPU time of the thread that evaluates one request: the median over rounds, then p50 and p95 over requests. The machine\n  \
         is noisy: trust ratios, not microseconds.\n\
         - Ratios count only requests on which both have the same verdict. `ratio` is median by median, `ratio, paired` the median\n  \
         of the ratios of single requests; above 1, Fusewall needs less.\n\
         - `at a turn`: requests that an engine evaluates before the next one gets the same. With 1, every request begins with\n  \
         the processor's caches full of another engine's data; with 20, they are as warm as under load.\n\
         - `passed`: the requests that Fusewall lets pass. `generated`: those that the package's generator has added.\n\
         - Counted: transaction, all of phases 1 and 2 with parsing, log lines of matches, interruption, clean-up. Not counted:\n  \
         phases 3-5, audit log, reading requests. [README](../peers/README.md) has the rest.\n\n{}",
        report.rounds,
        arguments.join(" "),
        report.tables()
    )
}

/// An argument without the folders of a path in it.
fn without_folders(argument: &str) -> String {
    argument.rsplit('/').next().unwrap_or(argument).to_owned()
}

/// Year, month and day of a day counted from 1970-01-01 (Gregorian calendar).
fn date(day: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the day that comes and goes is the last.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!([0, 59, 11_016, 20_147].map(date), [(1970, 1, 1), (1970, 3, 1), (2000, 2, 29), (2025, 2, 28)]);
    }

    #[test]
    fn folders_stay_private() {
        assert_eq!(without_folders("/home/me/lib/libmodsecurity.so.3"), "libmodsecurity.so.3");
        assert_eq!(without_folders("--json"), "--json");
    }
}
