//! The system's clock, as rules see it.

use crate::engine::{Env, EnvVariable};
use std::time::{SystemTime, UNIX_EPOCH};

/// The real world: the system's clock, and the environment variables that the host has chosen to show.
#[derive(Debug, Clone, Default)]
pub struct SystemEnv {
    variables: Vec<EnvVariable>,
}

impl SystemEnv {
    /// A world in which rules see these environment variables as ENV.
    pub fn with_variables<N: Into<Vec<u8>>, V: Into<Vec<u8>>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let own = |(name, value): (N, V)| EnvVariable { name: name.into().into(), value: value.into().into() };
        SystemEnv { variables: variables.into_iter().map(own).collect() }
    }
}

impl Env for SystemEnv {
    fn variables(&self) -> &[EnvVariable] {
        &self.variables
    }

    fn epoch_micros(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }
}
