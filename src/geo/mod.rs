//! Geographic databases in the MaxMind DB format (`.mmdb`): which place an address belongs to.
//!
//! A database is untrusted data. [`Database::open`] walks all of it: a file that passes answers every look-up, and each within
//! [`PRICE`]. A look-up reads bytes in place; nothing is decoded beforehand and nothing is cached.
//!
//! The format: <https://maxmind.github.io/MaxMind-DB/>. A binary tree over the bits of an address comes first, then 16 zero bytes, then
//! the records, and at the end of the file a map that describes it all.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod country;
mod data;
mod place;
mod tree;

pub use place::{MEMBERS, Place};

use crate::meter::{Exhausted, Meter, Price};
use data::{Data, Stop};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use tree::Tree;

/// What stands before the description of the file.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The description stands within so many bytes of the end.
const MARKER_WITHIN: usize = 128 << 10;
/// Zero bytes between tree and records.
const SEPARATOR: usize = 16;

/// Fuel for the walk down the tree: 128 bits.
const WALK: u64 = 512;
/// Values that a look-up reads at most. A record of the city databases has about 150, its parts are read twice or thrice.
const VALUES: u32 = 4096;

/// Values that the check of a whole file reads at most for each of its bytes: a hostile file may have as many records as bytes.
const CHECKED_PER_BYTE: u64 = 16;

/// What a look-up costs at most.
pub const PRICE: Price = Price::new(WALK + VALUES as u64 * data::PER_VALUE, 0);

/// A database.
#[derive(Clone, PartialEq)]
pub struct Database {
    bytes: Arc<[u8]>,
    tree: Tree,
    kind: Box<str>,
    built: u64,
}

/// Why a file is not a database that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub(crate) &'static str);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unusable {}

impl Database {
    /// Takes a file and checks all of it: linear in its size, for load time.
    ///
    /// # Errors
    /// A file of another format, one that is cut off, and one with anything in it that leads nowhere.
    pub fn open(bytes: Vec<u8>) -> Result<Database, Unusable> {
        let from = bytes.len().saturating_sub(MARKER_WITHIN);
        let tail = bytes.get(from..).unwrap_or_default();
        let marker = memchr::memmem::rfind(tail, MARKER).map(|at| from + at);
        let marker = marker.ok_or(Unusable("it is not a MaxMind DB file"))?;
        let description = bytes.get(marker + MARKER.len()..).unwrap_or_default();
        let broken = |_| Unusable("its description cannot be read");
        let mut reader = Data::new(description, VALUES, None);
        let names =
            ["node_count", "record_size", "ip_version", "binary_format_major_version", "database_type", "build_epoch"];
        let [nodes, record, version, format, kind, built] =
            reader.fields(0, names.map(str::as_bytes)).map_err(broken)?;
        let mut number = |at: Option<usize>| -> Result<u64, Unusable> {
            let at = at.ok_or(Unusable("its description lacks something"))?;
            reader.number(at).map_err(broken)?.ok_or(Unusable("its description cannot be read"))
        };
        if number(format)? != 2 {
            return Err(Unusable("it has another version of the format than 2"));
        }
        let (nodes, record, version) = (number(nodes)?, number(record)?, number(version)?);
        let built = number(built)?;
        let kind = match kind {
            Some(at) => reader.text(at).map_err(broken)?.unwrap_or_default(),
            None => b"",
        };
        let kind = String::from_utf8_lossy(kind).into_owned().into();
        let tree = Tree::new(nodes, record, version, marker)?;
        let database = Database { bytes: bytes.into(), tree, kind, built };
        database.check()?;
        Ok(database)
    }

    /// Every node leads somewhere, every record can be read within the limits.
    fn check(&self) -> Result<(), Unusable> {
        let records = self.records();
        // One bit for each byte: networks share records.
        let mut seen = vec![0u64; records.len().div_ceil(64)];
        let mut budget = CHECKED_PER_BYTE.saturating_mul(self.bytes.len() as u64).saturating_add(1 << 20);
        for leaf in self.tree.leaves(&self.bytes) {
            let at = leaf?;
            let word = seen.get_mut(at / 64).ok_or(Unusable("its tree leads out of the file"))?;
            if *word >> (at % 64) & 1 == 1 {
                continue;
            }
            *word |= 1 << (at % 64);
            let mut reader = Data::new(records, VALUES, None);
            match Place::read(at, &mut reader) {
                Ok(_) => {
                    budget = budget.checked_sub(reader.read().into()).ok_or(Unusable("its records overlap"))?;
                }
                Err(Stop::TooMany) => return Err(Unusable("one of its records is too large")),
                Err(_) => return Err(Unusable("one of its records cannot be read")),
            }
        }
        Ok(())
    }

    fn records(&self) -> &[u8] {
        let start = self.tree.len() + SEPARATOR;
        self.bytes.get(start..self.tree.end()).unwrap_or_default()
    }

    /// The place of an address; `None` if the database does not know it.
    ///
    /// # Errors
    /// [`Exhausted`] when the fuel is spent.
    pub fn find(&self, address: IpAddr, meter: &mut Meter) -> Result<Option<Place>, Exhausted> {
        meter.charge_rule(WALK)?;
        let Some(at) = self.tree.find(&self.bytes, address) else { return Ok(None) };
        match Place::read(at, &mut Data::new(self.records(), VALUES, Some(meter))) {
            Ok(place) => Ok(Some(place)),
            Err(Stop::Exhausted(exhausted)) => Err(exhausted),
            // `check` has read them all.
            Err(Stop::Malformed | Stop::TooMany) => Ok(None),
        }
    }

    /// What it calls itself: `GeoLite2-City`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it was made: seconds since 1970.
    pub fn built(&self) -> u64 {
        self.built
    }

    /// Bytes of the file.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Database { kind, built, bytes, .. } = self;
        f.debug_struct("Database").field("kind", kind).field("built", built).field("bytes", &bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests;
