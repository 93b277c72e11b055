//! Parts of a whole, exactly.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of a whole, in millionths: 0 to 1,000,000.
///
/// ```
/// use fusewall::store::rollout::Share;
/// assert_eq!(Share::percent(2), Share::per_million(20_000));
/// assert_eq!(Share::per_million(2_500).to_string(), "0.25 %");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Share = Share(0);
    /// Everything.
    pub const ALL: Share = Share(1_000_000);

    /// So many millionths; more than all is all.
    pub const fn per_million(parts: u32) -> Share {
        if parts > Share::ALL.0 { Share::ALL } else { Share(parts) }
    }

    /// So many hundredths.
    pub const fn percent(parts: u32) -> Share {
        Share::per_million(parts.saturating_mul(10_000))
    }

    /// In millionths.
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// As a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Share::ALL.0)
    }

    /// This part of a count, rounded up.
    pub const fn of(self, count: u32) -> u32 {
        (self.0 as u64 * count as u64).div_ceil(Share::ALL.0 as u64) as u32
    }
}

impl From<u32> for Share {
    fn from(parts: u32) -> Share {
        Share::per_million(parts)
    }
}

impl From<Share> for u32 {
    fn from(share: Share) -> u32 {
        share.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", 100.0 * self.as_f64())
    }
}
