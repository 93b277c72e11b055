//! What tenants have in common, and how one of them is made of it.

use super::queue::Queue;
use super::{Shared, Tenants};
use crate::files::Files;
use crate::governor::Governor;
use crate::limits::Limits;
use crate::plan::Ceilings;
use crate::store::{BundleKey, Capabilities, DiskFiles, LoadReport, Loading, Releases, RuleSource};
use crate::waf::{FallBack, Waf, WafBuilder};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Changes what a tenant's WAF is made of.
type Adjust = dyn Fn(&str, WafBuilder) -> WafBuilder + Send + Sync;

/// Says what tenants have in common.
pub struct TenantsBuilder {
    folder: PathBuf,
    loading: Loading,
    files: Arc<dyn Files + Send + Sync>,
    governor: Option<Arc<Governor>>,
    fall_back: Option<FallBack>,
    adjust: Option<Box<Adjust>>,
    queue: usize,
    workers: usize,
}

/// What every tenant is made of.
pub(super) struct Common {
    folder: PathBuf,
    loading: Loading,
    files: Arc<dyn Files + Send + Sync>,
    governor: Option<Arc<Governor>>,
    fall_back: Option<FallBack>,
    adjust: Option<Box<Adjust>>,
    pub(super) releases: Arc<Releases>,
}

impl TenantsBuilder {
    pub(super) fn new(folder: PathBuf) -> Self {
        TenantsBuilder {
            folder,
            loading: Loading::default(),
            files: Arc::new(DiskFiles),
            governor: None,
            fall_back: Some(FallBack::default()),
            adjust: None,
            queue: 1024,
            workers: 1,
        }
    }

    /// Rules that stand before those of each tenant, and may do everything: `SecRuleEngine On`, limits, logs, the Core Rule Set.
    /// Without any the engine is off, because rules of tenants cannot turn it on. They are read again with each load.
    #[must_use]
    pub fn base(mut self, source: RuleSource) -> Self {
        self.loading.base = Some(Arc::new(source));
        self
    }

    /// Limits other than the default ones, for each tenant by itself.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.loading.limits = Arc::new(limits);
        self
    }

    /// Refuses rules that may cost more than this.
    #[must_use]
    pub fn ceilings(mut self, ceilings: Ceilings) -> Self {
        self.loading.ceilings = Some(ceilings);
        self
    }

    /// Whose compiled bundles are trusted, as [`WafBuilder::bundle_key`] has it.
    #[must_use]
    pub fn bundle_key(mut self, key: BundleKey) -> Self {
        self.loading.bundle_key = Some(key);
        self
    }

    /// A folder that remembers what took long to compile, as [`WafBuilder::cache`] has it.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.loading.cache = Some(folder.into());
        self
    }

    /// How files are reached, those of the base and those of tenants; the file system by default.
    #[must_use]
    pub fn files(mut self, files: impl Files + Send + Sync + 'static) -> Self {
        self.files = Arc::new(files);
        self
    }

    /// Gives each tenant an equal part of a share of CPU.
    #[must_use]
    pub fn governor(mut self, governor: Arc<Governor>) -> Self {
        self.governor = Some(governor);
        self
    }

    /// When a fault brings a tenant's generation before back; `None`: never. On by default.
    #[must_use]
    pub fn fall_back_on_fault(mut self, config: Option<FallBack>) -> Self {
        self.fall_back = config;
        self
    }

    /// Changes what the WAF of a tenant is made of: where its collections are kept, who answers it, its weight. Called with each
    /// [`Tenants::add`].
    #[must_use]
    pub fn adjust(mut self, adjust: impl Fn(&str, WafBuilder) -> WafBuilder + Send + Sync + 'static) -> Self {
        self.adjust = Some(Box::new(adjust));
        self
    }

    /// How many reloads wait at most; 1,024 by default. There is one at most for each tenant.
    #[must_use]
    pub fn queue(mut self, reloads: usize) -> Self {
        self.queue = reloads;
        self
    }

    /// How many threads load what waits; 1 by default. On Linux they have the lowest priority.
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads.max(1);
        self
    }

    /// No tenants yet. Threads begin here: a process that forks does so before.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn build(self) -> io::Result<Tenants> {
        let releases = Arc::new(Releases::new());
        let common = Common {
            folder: self.folder,
            loading: Loading { releases: Some(releases.clone()), ..self.loading },
            files: self.files,
            governor: self.governor,
            fall_back: self.fall_back,
            adjust: self.adjust,
            releases,
        };
        let by_name = ArcSwap::from_pointee(HashMap::new());
        let shared = Shared { by_name, changing: Mutex::new(()), common, queue: Queue::new(self.queue) };
        // Whatever could be started ends when this is dropped.
        let mut tenants = Tenants { shared: Arc::new(shared), workers: Vec::with_capacity(self.workers) };
        for _ in 0..self.workers {
            let shared = tenants.shared.clone();
            let worker = std::thread::Builder::new().name("fusewall-load".into()).spawn(move || shared.work())?;
            tenants.workers.push(worker);
        }
        Ok(tenants)
    }
}

impl Common {
    /// The WAF of a tenant with these rules.
    ///
    /// # Errors
    /// The report, if there is an error in it.
    pub(super) fn waf(&self, name: &str, source: &RuleSource) -> Result<Waf, LoadReport> {
        let mut builder = Waf::builder().files(Shelf(self.files.clone()));
        builder.loading = self.loading.clone();
        builder.loading.capabilities = Capabilities::tenant(self.folder.join(name));
        builder.source = Some(source.clone());
        builder.name = Some(name.into());
        builder.fall_back = self.fall_back;
        builder.tenant = self.governor.as_ref().map(|governor| governor.tenant(name, 1));
        match &self.adjust {
            Some(adjust) => adjust(name, builder).build(),
            None => builder.build(),
        }
    }
}

/// Files that all tenants have in common.
struct Shelf(Arc<dyn Files + Send + Sync>);

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        self.0.beginning(path, most)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.0.length(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.glob(pattern)
    }

    fn remote(&self) -> Option<&dyn crate::files::RemoteRules> {
        self.0.remote()
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.0.canonical(path)
    }
}
