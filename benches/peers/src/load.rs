//! What loading a ruleset takes: each engine in a process of its own, so that its memory can be told.

use crate::engines::Kind;
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What loading took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The ruleset's file name without its ending.
    pub rules: String,
    /// The engine's name and version.
    pub engine: String,
    /// Wall-clock time in milliseconds; an engine may use several threads.
    pub load_ms: f64,
    /// Resident memory that loading added, in KB; 0 where the system does not tell.
    pub rss_kb: u64,
}

impl Load {
    /// Loads rules in this process, which should have done nothing before.
    ///
    /// # Errors
    /// Rules that do not load.
    pub fn here(kind: &Kind, rules: &Path) -> anyhow::Result<Load> {
        let (before, started) = (resident_kb().unwrap_or(0), Instant::now());
        let engine = kind.load(rules)?;
        Ok(Load {
            load_ms: started.elapsed().as_secs_f64() * 1000.0,
            rss_kb: resident_kb().unwrap_or(0).saturating_sub(before),
            rules: stem(rules),
            engine: engine.version(),
        })
    }

    /// Loads rules in a new process.
    ///
    /// # Errors
    /// Rules that do not load, a process that cannot be started.
    pub fn elsewhere(kind: &Kind, rules: &Path) -> anyhow::Result<Load> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--rules").arg(rules).args(["--load-only", kind.name()]);
        if let Kind::Libmodsecurity(library) = kind {
            command.arg("--libmodsecurity").arg(library);
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{} does not load {}", kind.name(), rules.display());
        serde_json::from_slice(&output.stdout).context("an answer that is not JSON")
    }
}

/// A file's name without its ending: what a ruleset is called in reports.
pub fn stem(rules: &Path) -> String {
    rules.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Resident memory as Linux tells it.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
