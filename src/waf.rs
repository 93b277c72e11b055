//! What hosts and users hold: a [`Waf`], and a [`Transaction`] for each exchange.

mod booting;
mod builder;
mod collections;
mod counting;
mod deploying;
mod falling_back;
mod missing;
mod quarantine;
mod recording;
mod rollout;
mod switching;
mod tenants;
mod transaction;
mod verifying;

pub use builder::WafBuilder;
pub use counting::{Counts, Exceeded};
pub use deploying::{Health, NotPromoted, Staged};
pub use falling_back::FallBack;
pub use quarantine::RuleAccount;
pub use recording::HistoryConfig;
pub use rollout::{NoRollout, NotBegun, NotHeld, Probe, Recorded, RolloutConfig, RolloutStatus};
pub use switching::Switch;
pub use tenants::{NotAdded, NotQueued, QueueCounts, Reload, Reloaded, Tenants, TenantsBuilder};
pub use transaction::Transaction;
pub use verifying::Verification;

use crate::engine::upload::UploadSink;
use crate::engine::{Env, Policy};
use crate::files::Files;
use crate::governor::{Identities, Identity, Network, QuarantineConfig, Shed, Tenant, Ticket};
use crate::rule::Phase;
use crate::store::{LoadReport, Loading, Slot};
use crate::sync::{ArcSwapOption, Mutex};
use builder::can_store;
use collections::Kept;
use counting::Counting;
use quarantine::Watch;
use recording::Recording;
use rollout::{Beside, Rollouts, Surroundings};
use std::net::IpAddr;
use std::sync::Arc;
use switching::Switching;

/// A web application firewall: a ruleset in service and everything that evaluations share. Cheap to clone.
///
/// ```
/// use fusewall::Waf;
///
/// let waf = Waf::builder()
///     .rules_text("example.conf", r#"
///         SecRuleEngine On
///         SecRule ARGS "@contains <script" "id:1,phase:1,deny,t:lowercase,msg:'script'"
///     "#)
///     .build()
///     .expect("the rules load");
///
/// let mut exchange = waf.transaction();
/// exchange.process_request_line(b"GET", b"/?q=%3CSCRIPT%3E", b"HTTP/1.1");
/// exchange.add_request_header(b"Host", b"www.example");
/// let interruption = exchange.process_request_headers().expect("it is refused");
/// assert_eq!(interruption.status, 403);
/// ```
#[derive(Clone)]
pub struct Waf {
    shared: Arc<Shared>,
}

/// Locks are taken in this order: the decision of a rollout, `deploying`, `switching`, what is held, what the slot changes. Whoever has
/// the state of the rollouts may take `switching` and those behind it, and never waits for a decision or for `deploying`.
struct Shared {
    slot: Slot,
    loading: Loading,
    files: Box<dyn Files + Send + Sync>,
    env: Arc<dyn Env>,
    /// What every evaluation is given.
    surroundings: Surroundings,
    uploads: Option<Arc<dyn UploadSink>>,
    ids: Identities,
    tenant: Option<Arc<Tenant>>,
    /// What it is called where faults are told.
    name: Option<Arc<str>>,
    fall_back: Option<FallBack>,
    quarantine: Option<QuarantineConfig>,
    /// The breakers of the ruleset in service, if there are to be any.
    watch: Option<ArcSwapOption<Watch>>,
    policy: Policy,
    switching: Mutex<Switching>,
    /// Keeps the store of the persistent collections going.
    _kept: Kept,
    report: LoadReport,
    /// Held by whoever puts rules into service, but for rollbacks.
    deploying: Mutex<()>,
    recording: Option<Recording>,
    rollouts: Rollouts,
    counting: Arc<Counting>,
}

impl Waf {
    /// Starts to say what a WAF is made of.
    pub fn builder() -> WafBuilder {
        WafBuilder::new()
    }

    /// Begins an exchange. It keeps the ruleset that is in service now, whatever is put into service later. It is let in whatever
    /// the [tenant's](WafBuilder::tenant) part allows, and accounted.
    pub fn transaction(&self) -> Transaction {
        self.transaction_with_id(&self.shared.ids.next_id())
    }

    /// Begins an exchange whose id the host has chosen.
    pub fn transaction_with_id(&self, unique_id: &str) -> Transaction {
        self.begin(unique_id, self.shared.tenant.as_ref().map(|tenant| tenant.account(None)))
    }

    /// Begins an exchange with a client if the [tenant's](WafBuilder::tenant) part of the CPU share allows it; without a tenant it
    /// always does. The unspecified address stands for a client that is not known.
    ///
    /// # Errors
    /// The request is shed: the host answers with the status and `Retry-After` that the error says, and passes nothing on.
    ///
    /// ```
    /// use fusewall::{Waf, governor::{Governor, GovernorConfig}};
    ///
    /// let governor = Governor::new(&GovernorConfig { share: Some(0.7), ..GovernorConfig::default() });
    /// let waf = Waf::builder()
    ///     .rules_text("example.conf", "SecRuleEngine On")
    ///     .allow_empty()
    ///     .tenant(governor.tenant("shop", 1))
    ///     .build()
    ///     .expect("the rules load");
    /// let exchange = waf.admit([192, 0, 2, 1].into()).expect("there is CPU to spare");
    /// drop(exchange);
    /// assert_eq!(governor.metrics().tenants[0].admitted, 1);
    /// ```
    pub fn admit(&self, client: IpAddr) -> Result<Transaction, Shed> {
        self.admit_with_id(None, client)
    }

    /// The same with an id that the host has chosen, if it has.
    ///
    /// # Errors
    /// As [`Waf::admit`].
    pub fn admit_with_id(&self, unique_id: Option<&str>, client: IpAddr) -> Result<Transaction, Shed> {
        let client = Some(client).filter(|client| !client.is_unspecified());
        let watch = self.shared.watch.as_ref().and_then(|watch| watch.load_full());
        if let (Some(watch), Some(client), Policy::Block) = (watch, client, self.shared.policy)
            && watch.is_bad_client(Network::from(client))
        {
            return Err(Shed::faults());
        }
        let ticket = self.shared.tenant.as_ref().map(|tenant| tenant.admit(client)).transpose()?;
        Ok(match unique_id {
            Some(id) => self.begin(id, ticket),
            None => self.begin(&self.shared.ids.next_id(), ticket),
        })
    }

    /// An id like those of exchanges, for a request that was shed before it became one.
    pub fn incident_id(&self) -> Identity {
        self.shared.ids.next_id()
    }

    /// Whose requests these are.
    pub fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.shared.tenant.as_ref()
    }

    fn begin(&self, unique_id: &str, ticket: Option<Ticket>) -> Transaction {
        let deployed = self.shared.slot.current();
        let shared = &self.shared;
        let mut inner = shared.surroundings.begin(&deployed, shared.env.clone(), unique_id);
        if let Some(uploads) = &shared.uploads {
            inner.set_uploads(uploads.clone());
        }
        let beside = shared.rollouts.trial.load();
        let beside = beside.as_ref().map(|trial| Box::new(Beside::new(trial.clone(), shared.env.epoch_micros())));
        let watch = self.watch(&deployed).map(|watch| (watch, Network::from(IpAddr::from([0; 4]))));
        Transaction {
            inner: Some(inner),
            deployed,
            failed: None,
            ticket,
            phase: Phase::RequestHeaders,
            watch,
            beside,
            owner: (shared.name.is_some() || shared.fall_back.is_some()).then(|| self.clone()),
            counting: shared.counting.clone(),
            nanos: 0,
        }
    }
}

impl std::fmt::Debug for Waf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waf").field("generation", &self.shared.slot.current().generation()).finish_non_exhaustive()
    }
}
