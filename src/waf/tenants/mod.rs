//! Many tenants in one process: each with a [`Waf`] of its own, sharing what is equal and nothing else.
//!
//! | file | holds |
//! |---|---|
//! | `mod` | who there is, found without a lock |
//! | `building` | what they have in common |
//! | `queue` | reloads that wait: bounded, one for each tenant |
//! | `reload` | a reload, for whoever has asked for it |

mod building;
mod queue;
mod reload;

pub use building::TenantsBuilder;
pub use queue::{NotQueued, QueueCounts};
pub use reload::{Reload, Reloaded};

use super::Waf;
use crate::store::{Counts, LoadReport, RuleSource};
use arc_swap::ArcSwap;
use building::Common;
use queue::{Job, Queue};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Bytes of a tenant's name, at most: it names a folder.
const NAME_BYTES: usize = 64;

/// The tenants of one trust domain.
///
/// Each has a [`Waf`]: a ruleset in service, generations, switches and persistent collections of its own. Equal rulesets are in
/// memory once. Rules of tenants are confined to what concerns their own requests ([`Capabilities`](crate::store::Capabilities));
/// the [base](TenantsBuilder::base) before them, which is the host's, may do everything. `docs/tenants.md` has the rest.
///
/// ```
/// use fusewall::{Tenants, store::RuleSource};
///
/// let rule = |word: &str| RuleSource::Text {
///     name: "site.conf".into(),
///     text: format!("SecRule ARGS \"@contains {word}\" \"id:1,phase:1,deny\""),
/// };
/// let tenants = Tenants::builder("/srv/tenants")
///     .base(RuleSource::Text { name: "base.conf".into(), text: "SecRuleEngine On".into() })
///     .build()
///     .expect("there is a thread to spare");
/// tenants.add("shop", &rule("evil")).expect("it loads");
/// tenants.add("blog", &rule("evil")).expect("it loads");
///
/// let refused = |tenant: &str, target: &[u8]| {
///     let mut exchange = tenants.get(tenant).expect("it is there").transaction();
///     exchange.process_request_line(b"GET", target, b"HTTP/1.1");
///     exchange.process_request_headers().is_some()
/// };
/// assert!(refused("shop", b"/?q=evil") && refused("blog", b"/?q=evil"));
/// assert_eq!(tenants.releases().in_use, 1);
///
/// let reload = tenants.reload("shop", rule("worse")).expect("there is room in the queue");
/// assert!(reload.wait().is_in_service());
/// assert!(!refused("shop", b"/?q=evil") && refused("blog", b"/?q=evil"));
/// ```
pub struct Tenants {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    by_name: ArcSwap<HashMap<Arc<str>, Waf>>,
    /// Held by whoever adds or removes somebody.
    changing: Mutex<()>,
    common: Common,
    queue: Queue,
}

/// Why a tenant was not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdded {
    /// The name cannot be that of a folder.
    #[error("`{0}` is no name for a tenant: write up to 64 letters, digits, `-`, `_` and `.`, and no `.` in front")]
    Name(Box<str>),
    /// There is one of this name.
    #[error("there is a tenant `{0}` already: reload it, or remove it before")]
    Exists(Box<str>),
    /// Its rules do not load.
    #[error("{0}")]
    Rules(Box<LoadReport>),
}

impl Tenants {
    /// Starts to say what tenants have in common. The files of each lie in the folder of its name below `folder`.
    pub fn builder(folder: impl Into<std::path::PathBuf>) -> TenantsBuilder {
        TenantsBuilder::new(folder.into())
    }

    /// The WAF of a tenant. Takes no lock, and the same time however many tenants there are.
    pub fn get(&self, name: &str) -> Option<Waf> {
        self.shared.by_name.load().get(name).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shared.by_name.load().len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.shared.by_name.load().keys().cloned().collect();
        names.sort();
        names
    }

    /// Loads a tenant's rules on this thread, and adds it. Paths are as seen from the tenant's folder.
    ///
    /// # Errors
    /// The name, or rules that do not load.
    pub fn add(&self, name: &str, source: &RuleSource) -> Result<Waf, NotAdded> {
        if !is_name(name) {
            return Err(NotAdded::Name(name.into()));
        }
        if self.get(name).is_some() {
            return Err(NotAdded::Exists(name.into()));
        }
        let waf = self.shared.common.waf(name, source).map_err(|report| NotAdded::Rules(Box::new(report)))?;
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.shared.by_name.load_full();
        // Somebody may have been faster.
        if before.contains_key(name) {
            return Err(NotAdded::Exists(name.into()));
        }
        let mut after = HashMap::clone(&before);
        after.insert(name.into(), waf.clone());
        self.shared.by_name.store(Arc::new(after));
        Ok(waf)
    }

    /// Removes a tenant; answers whether there was one. Its requests under way end as they would; a reload that waits is told.
    pub fn remove(&self, name: &str) -> bool {
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = HashMap::clone(&self.shared.by_name.load_full());
        let removed = after.remove(name).is_some();
        self.shared.by_name.store(Arc::new(after));
        self.shared.queue.withdraw(name);
        removed
    }

    /// Has a tenant's rules loaded again, or others instead, by the threads that are there for it, and put into service. One that
    /// waits for the same tenant is superseded by this one; one that is being loaded comes into service before it.
    ///
    /// # Errors
    /// There is no such tenant, or no room in the queue.
    pub fn reload(&self, name: &str, source: RuleSource) -> Result<Reload, NotQueued> {
        let (known, waf) = match self.shared.by_name.load().get_key_value(name) {
            Some((known, waf)) => (known.clone(), waf.clone()),
            None => return Err(NotQueued::NoSuchTenant(name.into())),
        };
        self.shared.queue.push(known, waf, source)
    }

    /// What waits to be loaded, and what has come of the rest.
    pub fn queue(&self) -> QueueCounts {
        self.shared.queue.counts()
    }

    /// What was compiled and what was shared; how many different rulesets there are.
    pub fn releases(&self) -> Counts {
        self.shared.common.releases.counts()
    }
}

impl Shared {
    /// Loads what waits, until there are no tenants any more.
    fn work(&self) {
        crate::governor::lowest_priority();
        while let Some(Job { tenant, waf, source, reload }) = self.queue.next() {
            let loaded = catch_unwind(AssertUnwindSafe(|| waf.replace(&source)));
            let outcome = Reloaded::of(loaded);
            outcome.tell(&tenant);
            self.queue.done(&tenant);
            reload.end(outcome);
        }
    }
}

impl Drop for Tenants {
    fn drop(&mut self) {
        self.shared.queue.close();
        for worker in self.workers.drain(..) {
            // One that has panicked has ended as well.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Tenants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenants").field("tenants", &self.len()).field("queue", &self.queue()).finish_non_exhaustive()
    }
}

/// Whether something can be the name of a tenant, and of its folder.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES && !name.starts_with('.') && name.bytes().all(allowed)
}
