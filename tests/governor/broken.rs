//! A world whose clock can be taken away: a rule that asks for the time then makes the engine fail.

use fusewall::engine::{Env, EnvVariable};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Clone, Default)]
pub struct Broken {
    clock_is_gone: Arc<AtomicBool>,
}

impl Broken {
    pub fn set(&self, clock_is_gone: bool) {
        self.clock_is_gone.store(clock_is_gone, Ordering::Relaxed);
    }
}

impl Env for Broken {
    fn variables(&self) -> &[EnvVariable] {
        &[]
    }

    fn epoch_micros(&self) -> u64 {
        assert!(!self.clock_is_gone.load(Ordering::Relaxed), "there is no time");
        1_000_000_000_000_000
    }
}
