//! Transaction ids: unique across processes, in order of time within one, not guessable from one another.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Gives out transaction ids.
///
/// ```
/// let ids = fusewall::governor::Identities::new();
/// assert_ne!(ids.next_id(), ids.next_id());
/// assert_eq!(ids.next_id().len(), 28);
/// ```
#[derive(Debug)]
pub struct Identities {
    keys: RandomState,
    count: AtomicU64,
}

impl Identities {
    /// A source with a random key of its own.
    pub fn new() -> Self {
        Identities { keys: RandomState::new(), count: AtomicU64::new(0) }
    }

    /// The next id: 12 hexadecimal digits of time in milliseconds, 16 of keyed hash.
    pub fn next_id(&self) -> Identity {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(count);
        hasher.write_u64(millis);
        // A process that forks hands its key and count on.
        hasher.write_u32(std::process::id());
        let mut text = [b'0'; 28];
        let _ = write!(text.as_mut_slice(), "{:012x}{:016x}", millis & 0xffff_ffff_ffff, hasher.finish());
        Identity { text }
    }
}

/// A transaction id: hexadecimal digits, without an allocation of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    text: [u8; 28],
}

impl Deref for Identity {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}
