//! What a [`Waf`] is made of.

use super::booting::{Start, Started};
use super::collections::Keeping;
use super::falling_back::FallBack;
use super::recording::HistoryConfig;
use super::rollout::{Rollouts, Surroundings};
use super::switching::Switching;
use super::{Shared, Waf};
use crate::diag::{Diagnostic, Diagnostics};
use crate::engine::persist::Collections;
use crate::engine::upload::UploadSink;
use crate::engine::{Env, Policy, Resolver, RulePolicy};
use crate::files::{Files, RemoteRules, WithRemote};
use crate::governor::{Identities, QuarantineConfig, SystemEnv, Tenant};
use crate::http::Descriptors;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::plan::{Ceilings, Options};
use crate::program::Program;
use crate::rule::{Field, Supplies};
use crate::store::{BundleKey, Capabilities, DiskFiles, LoadReport, Loading, Releases, Remembered, RuleSource, Slot};
use crate::sync::{ArcSwapOption, Mutex};
use std::path::PathBuf;
use std::sync::Arc;

/// Says what a [`Waf`] is made of.
pub struct WafBuilder {
    pub(super) source: Option<RuleSource>,
    pub(super) loading: Loading,
    pub(super) files: Box<dyn Files + Send + Sync>,
    pub(super) remote: Option<Box<dyn RemoteRules>>,
    pub(super) env: Arc<dyn Env>,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) uploads: Option<Arc<dyn UploadSink>>,
    pub(super) descriptors: Option<Arc<Descriptors>>,
    pub(super) tenant: Option<Arc<Tenant>>,
    pub(super) name: Option<Arc<str>>,
    pub(super) fall_back: Option<FallBack>,
    pub(super) quarantine: Option<QuarantineConfig>,
    pub(super) policy: Policy,
    pub(super) rule_policy: RulePolicy,
    pub(super) collections: Keeping,
    pub(super) keep_generations: usize,
    pub(super) min_serial: Option<u64>,
    pub(super) history: Option<HistoryConfig>,
}

impl WafBuilder {
    pub(super) fn new() -> WafBuilder {
        WafBuilder {
            source: None,
            loading: Loading::default(),
            files: Box::new(DiskFiles),
            remote: None,
            env: Arc::new(SystemEnv::default()),
            resolver: None,
            uploads: None,
            descriptors: None,
            tenant: None,
            name: None,
            fall_back: None,
            quarantine: None,
            policy: Policy::Block,
            rule_policy: RulePolicy::Match,
            collections: Keeping::Memory,
            keep_generations: 1,
            min_serial: None,
            history: None,
        }
    }

    /// Rules from files or folders; may be called again for more. Without any rules the built-in ones are used.
    #[must_use]
    pub fn rules_path(mut self, path: impl Into<PathBuf>) -> Self {
        match &mut self.source {
            Some(RuleSource::Paths(paths)) => paths.push(path.into()),
            _ => self.source = Some(RuleSource::Paths(vec![path.into()])),
        }
        self
    }

    /// Rules from a text; `name` stands for it in diagnostics.
    #[must_use]
    pub fn rules_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.source = Some(RuleSource::Text { name: name.into(), text: text.into() });
        self
    }

    /// Rules from anywhere.
    #[must_use]
    pub fn rules(mut self, source: RuleSource) -> Self {
        self.source = Some(source);
        self
    }

    /// The rules that come with the engine.
    #[must_use]
    pub fn rules_builtin(mut self) -> Self {
        self.source = Some(RuleSource::Builtin);
        self
    }

    /// Limits other than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.loading.limits = Arc::new(limits);
        self
    }

    /// Whose compiled bundles are trusted: a path given to [`rules_path`](Self::rules_path) may then be one that is signed with this
    /// key. Call [`Waf::verify`] some time after the start.
    #[must_use]
    pub fn bundle_key(mut self, key: BundleKey) -> Self {
        self.loading.bundle_key = Some(key);
        self
    }

    /// A folder that remembers what took long to compile, for the next start. It must belong to the user of the process and be
    /// writable for nobody else, or it is not used, with a warning. Call [`Waf::verify`] some time after the start.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.loading.cache = Some(folder.into());
        self
    }

    /// Refuses rules that may cost more than this, now and at each [`Waf::replace`]: for whoever loads rules of others.
    #[must_use]
    pub fn ceilings(mut self, ceilings: Ceilings) -> Self {
        self.loading.ceilings = Some(ceilings);
        self
    }

    /// Takes a ruleset without a single rule, which is an error otherwise: usually something was lost on the way.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.loading.allow_empty = true;
        self
    }

    /// What the rule files may do: everything by default, little for [those of a tenant](Capabilities::tenant).
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.loading.capabilities = capabilities;
        self
    }

    /// Keeps the automata of the rules that were loaded last, packed (one or two megabytes for the Core Rule Set), and takes from there
    /// what is to be loaded: rules that differ a little take a fraction of the time. Several WAFs may have one such memory.
    #[must_use]
    pub fn remember_automata(mut self, remembered: Arc<Remembered>) -> Self {
        self.loading.remembered = Some(remembered);
        self
    }

    /// Shares equal rulesets with others of a trust domain: compiled once, and in memory once, here and at each
    /// [`Waf::replace`].
    #[must_use]
    pub fn releases(mut self, domain: Arc<Releases>) -> Self {
        self.loading.releases = Some(domain);
        self
    }

    /// Goes back to the generation before when one fails that has just been promoted: [`Waf::health`] says so then. Off by default.
    /// Needs a generation that is [kept](Self::keep_generations).
    #[must_use]
    pub fn fall_back_on_fault(mut self, config: FallBack) -> Self {
        self.fall_back = Some(config);
        self
    }

    /// What this host tells the engine. Rules that look at anything else are found whenever rules are loaded: warnings (W0916), or
    /// errors (E0917) if it is [strict](Supplies::strict). Without this: everything that `serve` supplies. A resolver, a place for
    /// uploads and environment variables count if they are there.
    ///
    /// ```
    /// use fusewall::{Waf, rule::{Field, Supplies}};
    /// let rules = "SecRuleEngine On\nSecRule RESPONSE_BODY \"@contains secret\" \"id:7,phase:4,deny\"";
    /// let supplies = Supplies::all().without(Field::ResponseBody);
    /// let waf = Waf::builder().rules_text("r.conf", rules).supplies(supplies.clone()).build().expect("it loads");
    /// assert!(waf.report().diagnostics.has("W0916"));
    /// assert!(Waf::builder().rules_text("r.conf", rules).supplies(supplies.strict()).build().is_err());
    /// ```
    #[must_use]
    pub fn supplies(mut self, supplies: Supplies) -> Self {
        self.loading.supplies = supplies;
        self
    }

    /// How many generations stay compiled for [`Waf::roll_back`]; 1 by default. Each takes the memory of a ruleset.
    #[must_use]
    pub fn keep_generations(mut self, generations: usize) -> Self {
        self.keep_generations = generations;
        self
    }

    /// Refuses bundles whose serial is lower, or that have none: what was signed once stays valid, and could be brought back by
    /// whoever has a copy. At a start the rules of the engine itself need none. [`Waf::pin_serial`] raises it later.
    #[must_use]
    pub fn min_serial(mut self, minimum: u64) -> Self {
        self.min_serial = Some(minimum);
        self
    }

    /// Records on disk what comes into service, so that a start at which the configured rules do not load goes on with the latest
    /// that did. `docs/store.md` says how a start chooses; [`Waf::health`] says what it has chosen.
    #[must_use]
    pub fn history(mut self, history: HistoryConfig) -> Self {
        self.history = Some(history);
        self
    }

    /// Switches of the planner, for comparisons.
    #[must_use]
    pub fn planner(mut self, options: Options) -> Self {
        self.loading.options = options;
        self
    }

    /// How rule and data files are reached; the file system by default.
    #[must_use]
    pub fn files(mut self, files: impl Files + Send + Sync + 'static) -> Self {
        self.files = Box::new(files);
        self
    }

    /// Obeys `SecRemoteRules`, which is refused otherwise: rules are fetched whenever they are loaded, for instance by
    /// `host::serve::HttpsRules` (feature `serve`).
    #[must_use]
    pub fn remote_rules(mut self, remote: impl RemoteRules + 'static) -> Self {
        self.remote = Some(Box::new(remote));
        self
    }

    /// The time that rules see; the system's clock by default.
    #[must_use]
    pub fn env(mut self, env: impl Env + 'static) -> Self {
        self.env = Arc::new(env);
        self
    }

    /// Who answers `@rbl`, for instance [`NameLookUps`](crate::host::NameLookUps). Rules may then ask up to 16 block lists, unless
    /// the limits say otherwise.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Where uploaded files are stored, for instance [`DiskUploads`](crate::store::DiskUploads): if `SecTmpSaveUploadedFiles` or
    /// `SecUploadKeepFiles` want it, or a rule looks at FILES_TMPNAMES. Without a sink they are inspected in memory alone, and
    /// such rules warn at load. A request may then store 128 MiB, unless the limits say otherwise.
    #[must_use]
    pub fn uploads(mut self, sink: impl UploadSink + 'static) -> Self {
        self.uploads = Some(Arc::new(sink));
        self
    }

    /// What the messages of Protobuf and gRPC bodies look like: their fields are then named by names, `grpc.0.note` instead of
    /// `grpc.0.2`.
    #[must_use]
    pub fn descriptors(mut self, descriptors: Descriptors) -> Self {
        self.descriptors = Some(Arc::new(descriptors));
        self
    }

    /// Whose requests these are, and with it the [`Governor`](crate::governor::Governor) that keeps the CPU of all its tenants
    /// within a share: [`Waf::admit`] asks it, every exchange is accounted. Without one nothing is counted and nothing shed.
    #[must_use]
    pub fn tenant(mut self, tenant: Arc<Tenant>) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Gives each rule a circuit breaker: of a ruleset in `DetectionOnly` those rules are left out that are dear for many clients,
    /// of any those that panic for many (then they count as a match); [`Waf::admit`] turns away clients that make several rules
    /// fail. Rules tagged `fusewall/critical` are protected. Off by default.
    #[must_use]
    pub fn quarantine(mut self, config: QuarantineConfig) -> Self {
        self.quarantine = Some(config);
        self
    }

    /// What happens when the budget of a request is spent; [`Policy::Block`] by default.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What happens when the budget of a rule is spent; [`RulePolicy::Match`] by default.
    #[must_use]
    pub fn rule_policy(mut self, policy: RulePolicy) -> Self {
        self.rule_policy = policy;
        self
    }

    /// Where persistent collections are kept. Without this: in memory, within the limits; they end with the last clone of the
    /// [`Waf`]. WAFs that are given the same store share their counters.
    #[must_use]
    pub fn collections(mut self, store: impl Collections + 'static) -> Self {
        self.collections = Keeping::Given(Arc::new(store));
        self
    }

    /// Obeys `SecDataDir`: persistent collections are kept in a file in that folder as well, and outlive the process. Rules
    /// without the directive, or that initialise no collection, leave them in memory. What has changed is written every
    /// [`Limits::collection_flush_millis`], by a thread that starts in [`build`](Self::build): a process that forks does so
    /// before. Rules that [`Waf::replace`] loads later use the same store.
    #[cfg(feature = "persist")]
    #[must_use]
    pub fn data_dir(mut self) -> Self {
        self.collections = Keeping::DataDir;
        self
    }

    /// Loads the rules.
    ///
    /// # Errors
    /// The report of everything that was found, if there is an error in it. With a [`history`](Self::history) something else is in
    /// service then.
    pub fn build(mut self) -> Result<Waf, LoadReport> {
        if self.resolver.is_some() && self.loading.limits.block_lists == 0 {
            Arc::make_mut(&mut self.loading.limits).block_lists = 16;
        }
        if self.uploads.is_some() && self.loading.limits.upload_bytes == 0 {
            Arc::make_mut(&mut self.loading.limits).upload_bytes = Limits::UPLOAD_BYTES;
        }
        self.loading.supplies = self.supplied();
        if let Some(remote) = self.remote.take() {
            self.files = Box::new(WithRemote { files: self.files, remote });
        }
        let at = self.env.epoch_micros();
        let start = Start {
            source: self.source.unwrap_or(RuleSource::Builtin),
            files: &*self.files,
            loading: &self.loading,
            uploads: self.uploads.as_deref(),
            collections: &self.collections,
            minimum: self.min_serial,
            at,
        };
        let started = match self.history.filter(|_| !cfg!(fusewall_without = "history")) {
            None => start.configured(),
            Some(history) => start.recorded(history),
        };
        let Started { first, degraded, kept, report, recording, minimum } = started?;
        let slot = Slot::new(first, self.keep_generations, degraded);
        minimum.map(|minimum| slot.pin_serial(minimum));
        let switching = Mutex::new(Switching::new(&slot.current()));
        let surroundings = Surroundings {
            env: self.env.clone(),
            resolver: self.resolver,
            descriptors: self.descriptors,
            collections: kept.store(),
            policy: self.policy,
            rule_policy: self.rule_policy,
        };
        let shared = Shared {
            slot,
            loading: self.loading,
            files: self.files,
            env: self.env,
            surroundings,
            uploads: self.uploads,
            ids: Identities::new(),
            name: self.name.or_else(|| self.tenant.as_ref().map(|tenant| tenant.name().into())),
            tenant: self.tenant,
            fall_back: self.fall_back,
            watch: self.quarantine.as_ref().map(|_| ArcSwapOption::empty()),
            quarantine: self.quarantine,
            policy: self.policy,
            switching,
            _kept: kept,
            report,
            deploying: Mutex::new(()),
            recording,
            rollouts: Rollouts::default(),
            counting: Arc::default(),
        };
        let waf = Waf { shared: Arc::new(shared) };
        waf.watch_over(&waf.shared.slot.current());
        if let Some(recording) = &waf.shared.recording {
            recording.wait_to_settle();
        }
        Ok(waf)
    }

    /// What the host says that it supplies, as far as it has brought it.
    fn supplied(&self) -> Supplies {
        let mut supplies = self.loading.supplies.clone();
        if self.resolver.is_none() {
            supplies = supplies.without(Field::BlockLists);
        }
        if self.uploads.is_none() {
            supplies = supplies.without(Field::StoredUploads);
        }
        if supplies.knows_environment() {
            return supplies;
        }
        supplies.environment(self.env.variables().iter().map(|variable| variable.name.clone()))
    }
}

/// Whether the uploaded files that rules want stored could be; if not, that is among the findings.
pub(super) fn can_store(sink: Option<&dyn UploadSink>, program: &Program, found: &mut Diagnostics) -> bool {
    let Some(sink) = sink.filter(|_| program.stores_uploads) else { return true };
    let Err(error) = sink.check(&program.ruleset.settings.uploads) else { return true };
    let message = format!("uploaded files cannot be stored: {error}");
    let help = "correct `SecUploadDir` or `SecTmpDir`, or the permissions of the folder";
    found.push(Diagnostic::error(codes::UPLOAD_DIR, None, message).help(help));
    false
}
