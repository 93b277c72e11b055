//! The system's clock, as rules see it.

use crate::engine::Env;
use std::time::{SystemTime, UNIX_EPOCH};

/// The real world.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnv;

impl Env for SystemEnv {
    fn epoch_micros(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }
}
