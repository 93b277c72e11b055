//! Where a WAF keeps persistent collections: chosen when it is built, held as long as it lives.

use crate::diag::Diagnostics;
use crate::engine::persist::Collections;
use crate::limits::Limits;
use crate::rule::Settings;
use crate::store::MemoryCollections;
use std::sync::Arc;

/// What the builder was told.
pub(super) enum Keeping {
    /// Nothing: in memory.
    Memory,
    /// In a store of the host.
    Given(Arc<dyn Collections>),
    /// Where `SecDataDir` says.
    #[cfg(feature = "persist")]
    DataDir,
}

/// The store of a WAF, and what keeps it going.
pub(super) struct Kept {
    /// Ends, with the work it has begun, before the store does.
    #[cfg(feature = "persist")]
    _flushing: Option<crate::governor::Periodic>,
    store: Arc<dyn Collections>,
}

impl Kept {
    pub(super) fn store(&self) -> Arc<dyn Collections> {
        Arc::clone(&self.store)
    }

    fn plain(store: Arc<dyn Collections>) -> Kept {
        Kept {
            #[cfg(feature = "persist")]
            _flushing: None,
            store,
        }
    }
}

impl Keeping {
    /// Opens the store. `now` is seconds since 1970. `None`: it cannot be opened, which is among the findings.
    pub(super) fn open(self, settings: &Settings, limits: &Limits, now: u64, found: &mut Diagnostics) -> Option<Kept> {
        match self {
            Keeping::Given(store) => Some(Kept::plain(store)),
            #[cfg(feature = "persist")]
            Keeping::DataDir if settings.data_dir.is_some() => on_disk(settings, limits, now, found),
            _ => {
                // Without files nothing else of the rules matters here.
                let _ = (settings, now, found);
                Some(Kept::plain(Arc::new(MemoryCollections::new(limits))))
            }
        }
    }
}

#[cfg(feature = "persist")]
fn on_disk(settings: &Settings, limits: &Limits, now: u64, found: &mut Diagnostics) -> Option<Kept> {
    use crate::diag::Diagnostic;
    use crate::lang::seclang::codes;
    use crate::store::DiskCollections;
    let folder = std::path::Path::new(settings.data_dir.as_deref()?);
    let mut fail = |problem: String| {
        let message = format!("persistent collections cannot be kept: {problem}");
        let help = "correct the folder or its permissions; two processes cannot share one";
        found.push(Diagnostic::error(codes::DATA_DIR, None, message).help(help));
    };
    let (store, restored) = match DiskCollections::open(folder, limits, now) {
        Ok(opened) => opened,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            fail(format!("{error}{cause}"));
            return None;
        }
    };
    let store = Arc::new(store);
    let flushed = Arc::clone(&store);
    let work = move || {
        if let Err(error) = flushed.flush() {
            tracing::error!(%error, "persistent collections were not written");
        }
    };
    let flushing = match crate::governor::Periodic::start("fusewall-flush", limits.collection_flush_millis, work) {
        Ok(flushing) => flushing,
        Err(error) => {
            fail(error.to_string());
            return None;
        }
    };
    if let Some((path, problem)) = &restored.set_aside {
        let message =
            format!("the file of the persistent collections was damaged ({problem}): all counters start anew");
        let help = format!("the damaged file is now {}", path.display());
        found.push(Diagnostic::warning(codes::SET_ASIDE, None, message).help(help));
    }
    if restored.damaged > 0 {
        let message = format!(
            "{} records of persistent collections were damaged or larger than the limits, and are dropped",
            restored.damaged
        );
        found.push(Diagnostic::warning(codes::SET_ASIDE, None, message));
    }
    tracing::info!(
        path = %store.path().display(),
        records = restored.records,
        expired = restored.expired,
        displaced = restored.displaced,
        "persistent collections restored"
    );
    Some(Kept { _flushing: Some(flushing), store })
}
