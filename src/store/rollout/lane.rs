//! The emergency lane: a generation that was pinned stays in service until somebody unpins it.
//!
//! For the hour in which something must stay as it is: a virtual patch that no gate may roll back, or the last good ruleset that no
//! deployment that is still under way may replace.

use serde::Serialize;

/// What is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("generation {generation} is pinned: {why}")]
pub struct Pinned {
    /// The generation.
    pub generation: u64,
    /// Why, as whoever has pinned it says.
    pub why: String,
    /// Since when, in milliseconds of the clock that the rollout goes by.
    pub at: u64,
}

/// Pins one generation, or none.
///
/// ```
/// use fusewall::store::rollout::EmergencyLane;
/// let mut lane = EmergencyLane::default();
/// lane.pin(7, "virtual patch", 0).unwrap();
/// assert!(lane.admits(7).is_ok() && lane.admits(8).is_err());
/// assert_eq!(lane.pin(8, "a deployment", 1).unwrap_err().to_string(), "generation 7 is pinned: virtual patch");
/// lane.unpin(7).unwrap();
/// assert!(lane.admits(8).is_ok());
/// ```
#[derive(Debug, Clone, Default)]
pub struct EmergencyLane {
    pinned: Option<Pinned>,
}

impl EmergencyLane {
    /// Whether a generation may come into service.
    ///
    /// # Errors
    /// Another one is pinned.
    pub fn admits(&self, generation: u64) -> Result<(), Pinned> {
        match &self.pinned {
            Some(pinned) if pinned.generation != generation => Err(pinned.clone()),
            _ => Ok(()),
        }
    }

    /// Pins a generation. Pinning the same one again changes nothing.
    ///
    /// # Errors
    /// Another one is pinned.
    pub fn pin(&mut self, generation: u64, why: impl Into<String>, at: u64) -> Result<(), Pinned> {
        self.admits(generation)?;
        self.pinned.get_or_insert_with(|| Pinned { generation, why: why.into(), at });
        Ok(())
    }

    /// Lets others into service again. Whoever unpins names what they believe to be pinned.
    ///
    /// # Errors
    /// Another one is pinned.
    pub fn unpin(&mut self, generation: u64) -> Result<(), Pinned> {
        self.admits(generation)?;
        self.pinned = None;
        Ok(())
    }

    /// What is pinned.
    pub fn pinned(&self) -> Option<&Pinned> {
        self.pinned.as_ref()
    }
}
