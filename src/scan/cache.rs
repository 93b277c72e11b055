//! The mutable memory of one pattern's scans.

use super::backtrack::Thread;
use super::captures::CaptureThreads;
use super::hybrid::Threads;
use super::table::Table;

/// The mutable memory of one pattern's scans: lazy DFA states and sets of simulations; nothing at all for a dense pattern. It
/// grows on demand and is reused from request to request. It may be lent to another pattern, at the cost of what it held.
#[derive(Debug, Default)]
pub struct Cache {
    pub(super) forward: Table,
    pub(super) reverse: Table,
    pub(super) threads: Threads,
    pub(super) captures: CaptureThreads,
    pub(super) backtrack: Thread,
    owner: u64,
    serial: u64,
}

impl Cache {
    /// Starts a new request: what earlier ones visited is unpaid again. Constant time but for the rare wipe of a full table.
    pub fn clear(&mut self) {
        self.forward.next_request();
        self.reverse.next_request();
    }

    /// Gives back what a search that was left half-way has needed.
    pub fn rest(&mut self) {
        self.backtrack.rest();
    }

    /// Bytes that a search may take of what the request may hold: at most so many, however large the pattern's own limits are. A
    /// search that needs more ends with [`Scope::Memory`](crate::meter::Scope::Memory). Without this call there is no such bound.
    pub fn admit(&mut self, bytes: usize) {
        self.backtrack.admit(bytes);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.forward.memory()
            + self.threads.memory()
            + self.reverse.memory()
            + self.captures.memory()
            + self.backtrack.memory()
    }

    /// Begins a scan of pattern `owner`; answers its number.
    pub(super) fn begin(&mut self, owner: u64) -> u64 {
        if self.owner != owner {
            self.owner = owner;
            self.forward.wipe();
            self.reverse.wipe();
        }
        self.serial += 1;
        self.serial
    }

    /// The states of one direction.
    pub(super) fn table<const REVERSE: bool>(&mut self) -> &mut Table {
        if REVERSE { &mut self.reverse } else { &mut self.forward }
    }

    /// Whether the scan with this number is the one that the cache serves.
    pub(super) fn serves(&self, owner: u64, serial: u64) -> bool {
        self.owner == owner && self.serial == serial
    }
}
