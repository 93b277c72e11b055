//! Times as logs write them, in UTC.

use crate::engine::env::civil;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A moment in the proleptic Gregorian calendar, UTC.
///
/// ```
/// use fusewall::engine::audit::CivilTime;
/// let time = CivilTime::from_micros(1_709_210_096_000_000);
/// assert_eq!(time.to_string(), "29/Feb/2024:12:34:56 +0000");
/// assert_eq!(time.ascii(), "Thu Feb 29 12:34:56 2024");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CivilTime {
    /// Year.
    pub year: u64,
    /// 1-12.
    pub month: u64,
    /// 1-31.
    pub day: u64,
    /// 0-23.
    pub hour: u64,
    /// 0-59.
    pub minute: u64,
    /// 0-59.
    pub second: u64,
    /// 0-6, from Sunday.
    pub weekday: u64,
}

impl CivilTime {
    /// From microseconds since 1970-01-01 UTC.
    pub fn from_micros(micros: u64) -> CivilTime {
        let seconds = micros / 1_000_000;
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        CivilTime { year, month, day, hour, minute, second, weekday: (days + 4) % 7 }
    }

    fn month_name(&self) -> &'static str {
        MONTHS.get(self.month as usize - 1).copied().unwrap_or_default()
    }

    /// As C's `asctime` writes it, without the line's end.
    pub fn ascii(&self) -> String {
        let CivilTime { year, day, hour, minute, second, .. } = self;
        let weekday = DAYS.get(self.weekday as usize).copied().unwrap_or_default();
        format!("{weekday} {} {day:2} {hour:02}:{minute:02}:{second:02} {year}", self.month_name())
    }
}

/// As web servers' access logs write it, without the brackets.
impl std::fmt::Display for CivilTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CivilTime { year, day, hour, minute, second, .. } = self;
        write!(f, "{day:02}/{}/{year}:{hour:02}:{minute:02}:{second:02} +0000", self.month_name())
    }
}
