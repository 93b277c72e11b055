//! Persistent collections: GLOBAL, IP, RESOURCE, SESSION and USER, whose records outlive a request.
//!
//! A record is a small table of named values under a key that a rule chooses (`initcol:ip=%{REMOTE_ADDR}`). Where records are
//! kept is the host's business: the engine knows the trait [`Collections`] and nothing of locks, files or networks.
//!
//! A request works on a copy: it sees the record as it was when the collection was initialised, and what it has written itself.
//! What it changes is collected as [`Change`]s and committed at the end of each phase, so that a request that stays open for
//! minutes counts at once. Increments are committed as differences: whatever other requests have committed in between, every
//! one of them counts.
//!
//! | file | holds |
//! |---|---|
//! | `record` | a record, and the pure function that applies a change to it |
//! | `open` | the copies of one request and their changes |

mod open;
mod record;

pub(super) use open::Opened;
pub use record::{Change, Entry, Record, RecordLimits, Update, What};

use crate::rule::Variable;

/// Which record: unique in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordId<'a> {
    /// GLOBAL, IP, RESOURCE, SESSION or USER.
    pub collection: Variable,
    /// The application (`SecWebAppId`) of SESSION, USER and RESOURCE; empty for the others and without the directive. A host
    /// whose tenants share one store adds the tenant.
    pub scope: &'a [u8],
    /// The expanded key of `initcol`, at most [`Limits::collection_key_bytes`](crate::limits::Limits::collection_key_bytes).
    pub key: &'a [u8],
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Committed {
    /// Everything is kept.
    Whole,
    /// Everything is kept, and a record that was still alive lost its place for it: the store's limits are reached.
    Displaced,
    /// Something was left out: the record's own limits are reached, or the store had no place for it.
    Cut,
}

/// The store does not answer: a shared store may be out of reach. A note in the verdict, never an end of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store of the persistent collections does not answer")]
pub struct Unavailable;

/// Where records are kept between requests. Supplied by the host.
///
/// The methods are called while a request waits: they return soon, and never wait for the evaluation of another request. `now`
/// is seconds since 1970 as the host's [`Env`](super::Env) tells them; an implementation needs no clock of its own.
pub trait Collections: Send + Sync {
    /// A copy of a record, without entries that have expired. `None`: there is no such record, or it has expired.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable>;

    /// Applies an update to the record as it is now, in one step that no other commit can come between; makes the record if
    /// there is none. [`Record::update`] says what that comes to.
    ///
    /// # Errors
    /// [`Unavailable`]: nothing was changed.
    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable>;
}

/// A store that forgets: each request finds nothing. For probes and for hosts that want no memory between requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Collections for Forgetful {
    fn load(&self, _: &RecordId<'_>, _: u64) -> Result<Option<Record>, Unavailable> {
        Ok(None)
    }

    fn commit(&self, _: &RecordId<'_>, _: &Update<'_>, _: u64) -> Result<Committed, Unavailable> {
        Ok(Committed::Whole)
    }
}
