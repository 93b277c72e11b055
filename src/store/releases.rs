//! The releases of a trust domain by content: what several have loaded is compiled once, and in memory once.

use super::loading::{LoadReport, Loading};
use super::release::{Compilation, ContentHash, Release};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

/// The rulesets that those who trust each other have in use, by content. Two loads of the same content at once compile once: the
/// second waits for the first. What nobody uses any more goes.
///
/// Who shares automata can tell from the time that a load takes whether others have the same rules, and evaluations use the same
/// pool of memory: so those share who belong together, and others have one of their own. The rules of the engine itself are
/// shared by all.
///
/// ```
/// use fusewall::{Waf, store::Releases};
/// use std::sync::Arc;
///
/// let domain = Arc::new(Releases::new());
/// let site = || Waf::builder().rules_text("r.conf", "SecRuleEngine On\nSecAction \"id:1,phase:1,pass\"").releases(domain.clone());
/// let (a, b) = (site().build().expect("it loads"), site().build().expect("it loads"));
/// assert!(Arc::ptr_eq(&a.loaded(), &b.loaded()));
/// assert_eq!((domain.counts().compiled, domain.counts().shared), (1, 1));
/// ```
#[derive(Debug, Default)]
pub struct Releases {
    known: Mutex<Known>,
    /// Something has been compiled, or could not be.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Key, Place>,
    counts: Counts,
}

/// What makes two loads one: the same content, and the same conditions under which it is taken.
type Key = (ContentHash, String);

#[derive(Debug)]
enum Place {
    /// Somebody compiles it.
    Begun,
    Ready(Weak<Compilation>),
}

/// What a registry has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Loads that have compiled rules, or taken them ready-made from a bundle or from the cache.
    pub compiled: u64,
    /// Loads that were given what another one had made.
    pub shared: u64,
    /// Contents in use now.
    pub in_use: usize,
}

/// The rules of the engine itself belong to everybody.
static PUBLIC: LazyLock<Arc<Releases>> = LazyLock::new(Arc::default);

impl Releases {
    /// Of a new trust domain.
    pub fn new() -> Releases {
        Releases::default()
    }

    /// The one that all trust domains have together, for what is public.
    pub(super) fn public() -> &'static Arc<Releases> {
        &PUBLIC
    }

    /// What has been loaded and shared so far.
    pub fn counts(&self) -> Counts {
        let known = self.known();
        let in_use = known.places.values().filter(|place| place.is_in_use()).count();
        Counts { in_use, ..known.counts }
    }

    /// What is made of this content: what somebody has made before, or else what `make` makes now. The findings are those of
    /// whoever has made it.
    pub(super) fn once(
        &self,
        content: ContentHash,
        loading: &Loading,
        make: impl FnOnce() -> Result<(Compilation, LoadReport), LoadReport>,
    ) -> Result<(Arc<Compilation>, LoadReport), LoadReport> {
        let key = (content, format!("{:?} {} {:?}", loading.ceilings, loading.allow_empty, loading.supplies));
        if let Some(found) = self.find_or_begin(&key) {
            return Ok(found);
        }
        let begun = Begun { releases: self, key: &key };
        let (compiled, report) = make()?;
        let findings = LoadReport { unverified: None, ..report.clone() };
        let compiled = Arc::new(compiled.with_findings(findings));
        let mut known = self.known();
        known.counts.compiled += 1;
        known.places.insert(key.clone(), Place::Ready(Arc::downgrade(&compiled)));
        drop(known);
        drop(begun);
        Ok((compiled, report))
    }

    /// What is known; without it the caller has begun to make it.
    fn find_or_begin(&self, key: &Key) -> Option<(Arc<Compilation>, LoadReport)> {
        let mut known = self.known();
        loop {
            let place = known.places.get(key).filter(|_| !cfg!(fusewall_without = "sharing"));
            let found = match place {
                Some(Place::Begun) => {
                    known = self.done.wait(known).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                Some(Place::Ready(compiled)) => compiled.upgrade(),
                None => None,
            };
            let found = found.and_then(|compiled| compiled.findings().cloned().map(|report| (compiled, report)));
            match found {
                Some(_) => known.counts.shared += 1,
                None => {
                    known.places.retain(|_, place| place.is_in_use());
                    known.places.insert(key.clone(), Place::Begun);
                }
            }
            return found;
        }
    }

    /// Nobody else is given this: something in it is wrong.
    pub(crate) fn forget(&self, release: &Release) {
        let wrong = |place: &Place| match place {
            Place::Ready(compiled) => std::ptr::eq(compiled.as_ptr(), Arc::as_ptr(release.compiled())),
            Place::Begun => false,
        };
        self.known().places.retain(|_, place| !wrong(place));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn is_in_use(&self) -> bool {
        match self {
            Place::Begun => true,
            Place::Ready(compiled) => compiled.strong_count() > 0,
        }
    }
}

/// Ends what was begun, however it ends: an error and a panic let the next one try.
struct Begun<'a> {
    releases: &'a Releases,
    key: &'a Key,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut known = self.releases.known();
        if let Some(Place::Begun) = known.places.get(self.key) {
            known.places.remove(self.key);
        }
        drop(known);
        self.releases.done.notify_all();
    }
}
