//! Where a WAF keeps persistent collections: chosen when it is built, held as long as it lives.

use crate::diag::Diagnostics;
use crate::engine::persist::Collections;
#[cfg(feature = "persist")]
use crate::limits::Limits;
use crate::program::Program;
#[cfg(feature = "persist")]
use crate::program::Step;
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
    /// Opens the store for that program. `now` is seconds since 1970. `None`: it cannot be opened, which is among the findings.
    pub(super) fn open(&self, program: &Program, now: u64, found: &mut Diagnostics) -> Option<Kept> {
        let in_memory = || Some(Kept::plain(Arc::new(MemoryCollections::new(&program.limits))));
        match self {
            Keeping::Given(store) => Some(Kept::plain(Arc::clone(store))),
            #[cfg(feature = "persist")]
            Keeping::DataDir => match folder_of(program) {
                Some(folder) => on_disk(folder, &program.limits, now, found),
                None => in_memory(),
            },
            Keeping::Memory => {
                // Only a file can have been damaged, or be old.
                let _ = (now, found);
                in_memory()
            }
        }
    }
}

/// The folder of `SecDataDir`, if a rule that can run opens a collection. Configurations name a folder by habit, often one that
/// several processes share; who keeps nothing needs none.
#[cfg(feature = "persist")]
fn folder_of(program: &Program) -> Option<&std::path::Path> {
    let folder = program.ruleset.settings.data_dir.as_deref()?;
    let mut actions = program.rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.actions);
    actions.any(|step| matches!(step, Step::InitCollection(..))).then_some(std::path::Path::new(folder))
}

#[cfg(feature = "persist")]
fn on_disk(folder: &std::path::Path, limits: &Limits, now: u64, found: &mut Diagnostics) -> Option<Kept> {
    use crate::diag::Diagnostic;
    use crate::lang::seclang::codes;
    use crate::store::DiskCollections;
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
    if restored.repaired {
        let message =
            "the file of the persistent collections was damaged and is repaired: the latest counts may be missing";
        found.push(Diagnostic::warning(codes::SET_ASIDE, None, message));
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
