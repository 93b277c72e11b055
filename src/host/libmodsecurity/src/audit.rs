//! The audit logs that rules name, each opened once however many contexts name it.
//!
//! They are opened while the host configures itself, with the rights that it has then: the workers of nginx, which write, often may
//! not open them. Who reads its configuration again reopens them, so that logs can be rotated.

use fusewall::host::audit::{AuditLimits, AuditLog};
use fusewall::rule::{AuditEngine, AuditSettings};
use std::error::Error;
use std::sync::{Mutex, PoisonError};

static OPEN: Mutex<Vec<(AuditSettings, AuditLog)>> = Mutex::new(Vec::new());

/// The log that these settings describe; none if they name no place.
///
/// # Errors
/// It cannot be opened: why, for people.
pub fn open(settings: &AuditSettings) -> Result<Option<AuditLog>, String> {
    if settings.path.is_none() && settings.storage_dir.is_none() {
        if settings.engine != AuditEngine::Off {
            tracing::warn!("SecAuditEngine is on, but SecAuditLog names no file: no audit log is written");
        }
        return Ok(None);
    }
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, log)) = open.iter().find(|(known, _)| known == settings) {
        log.reopen();
        return Ok(Some(log.clone()));
    }
    let opened = AuditLog::open(settings, AuditLimits::default(), |line| tracing::error!("{line}"));
    let log = opened.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("Rules error. {error}{cause} (correct `SecAuditLog`, or the permissions).")
    })?;
    open.push((settings.clone(), log.clone()));
    Ok(Some(log))
}
