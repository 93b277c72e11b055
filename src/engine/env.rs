//! What rules can see of the world beyond the request: time and identity. Supplied by the host, part of what a replay takes.

use crate::rule::Variable;

/// A variable of the process environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVariable {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its value.
    pub value: Box<[u8]>,
}

/// The outside world of one transaction.
pub trait Env: Send + Sync {
    /// Microseconds since 1970-01-01 UTC.
    fn epoch_micros(&self) -> u64;

    /// The environment variables that rules may see as ENV. None unless the host names them: a process
    /// environment often holds secrets.
    fn variables(&self) -> &[EnvVariable] {
        &[]
    }
}

/// What is known about a name that a block list is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet: no match, and the verdict says so (`name look-up`).
    Unknown,
    /// Nothing, because nobody answers: no match, and the verdict says so (`name look-up failed`).
    Unavailable,
    /// The list does not have it.
    NotListed,
    /// The list has it; the address says why.
    Listed(std::net::Ipv4Addr),
}

/// Who answers `@rbl`.
pub trait Resolver: Send + Sync {
    /// What is known about a name now. Must not wait: it is called while a request is evaluated.
    fn answer(&self, name: &str) -> Answer;
}

/// A world in which time stands still: replays and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedEnv {
    /// Microseconds since 1970-01-01 UTC.
    pub epoch_micros: u64,
}

impl Env for FixedEnv {
    fn epoch_micros(&self) -> u64 {
        self.epoch_micros
    }
}

/// A piece of the current time (UTC).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClockField {
    /// A number.
    Number(u64),
    /// `hh:mm:ss`.
    Time {
        /// 0-23.
        hour: u64,
        /// 0-59.
        minute: u64,
        /// 0-59.
        second: u64,
    },
}

/// The value of a TIME variable; `None` for any other variable.
pub(super) fn clock_field(variable: Variable, epoch_micros: u64) -> Option<ClockField> {
    let seconds = epoch_micros / 1_000_000;
    let days = seconds / 86_400;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (year, month, day) = civil(days);
    Some(ClockField::Number(match variable {
        Variable::Time => return Some(ClockField::Time { hour, minute, second }),
        Variable::TimeEpoch => seconds,
        Variable::TimeHour => hour,
        Variable::TimeMin => minute,
        Variable::TimeSec => second,
        Variable::TimeDay => day,
        Variable::TimeMon => month,
        Variable::TimeYear => year,
        // 1970-01-01 was a Thursday; Sunday is 0.
        Variable::TimeWday => (days + 4) % 7,
        _ => return None,
    }))
}

/// Year, month (1-12) and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar: years are counted
/// from 1 March, so that the leap day is the last of its year.
pub(super) fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{ClockField, civil, clock_field};
    use crate::rule::Variable;

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(19_783), (2024, 3, 1));
    }

    #[test]
    fn each_day_is_followed_by_the_next() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..160_000 {
            assert_eq!(civil(days), (year, month, day), "{days}");
            let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day = if day == length { 1 } else { day + 1 };
            month = if day > 1 { month } else { month % 12 + 1 };
            year += u64::from((month, day) == (1, 1));
        }
    }

    #[test]
    fn the_time_has_its_parts() {
        // Thursday, 29 February 2024, 12:34:56 UTC.
        let field = |variable| clock_field(variable, 1_709_210_096_000_000);
        for (variable, value) in [
            (Variable::TimeEpoch, 1_709_210_096),
            (Variable::TimeHour, 12),
            (Variable::TimeMin, 34),
            (Variable::TimeSec, 56),
            (Variable::TimeDay, 29),
            (Variable::TimeMon, 2),
            (Variable::TimeYear, 2024),
            (Variable::TimeWday, 4),
        ] {
            assert_eq!(field(variable), Some(ClockField::Number(value)), "{variable:?}");
        }
        assert_eq!(field(Variable::Time), Some(ClockField::Time { hour: 12, minute: 34, second: 56 }));
        assert_eq!(field(Variable::Duration), None);
    }
}
