//! The agent: its applications, who is asked for which message, and its connections.

use super::answers::{self, Variable};
use super::application::Application;
use super::config::Config;
use super::connection;
use super::counters::{self, OfAgent, Side};
use super::frames::{Message, Reader, Value};
use super::message::{Request, Response, Unusable};
use super::payload::Payload;
use super::verdict::Verdict;
use crate::governor::Report;
use crate::host::audit::AuditLog;
use crate::host::inspect::Inspector;
use crate::host::serve::descriptors::affordable;
use crate::host::serve::{ErrorLog, ServeError};
use crate::waf::Waf;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Pause after an accept that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often is looked for responses that do not come.
const SWEEP: Duration = Duration::from_secs(1);
/// The end waits for the audit logs as long as this.
const FLUSH: Duration = Duration::from_secs(5);
/// Bytes of an answer that are not the target of a redirect: names, ids, the head of the frame.
const BESIDE_LOCATION: usize = 192;

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The place that the rules of an application name for the audit log cannot be used, or what is named for a collector.
    #[error("application {application:?}")]
    Logs {
        /// Whose.
        application: String,
        /// Why.
        source: ServeError,
    },
    /// Something other than one ruleset for each application.
    #[error("{expected} applications are configured, {found} rulesets were given")]
    Rulesets {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

/// An agent that listens.
pub struct Agent {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) counters: OfAgent,
    /// Whose memory for bodies all use.
    pub(super) memory: Inspector,
    applications: Applications,
}

/// The applications by the names that messages call them.
pub(super) struct Applications {
    named: HashMap<Vec<u8>, Arc<Application>>,
    /// For all other names.
    other: Option<Arc<Application>>,
    /// In the order of the configuration.
    order: Vec<Arc<Application>>,
}

impl Agent {
    /// Opens the listeners, with one WAF for each of [`Config::sites`] in their order. Messages wait until [`Agent::run`].
    ///
    /// # Errors
    /// [`AgentError`]: an address in use, an audit log that cannot be opened.
    pub async fn bind(config: Config, wafs: Vec<Waf>, log: ErrorLog) -> Result<Self, AgentError> {
        let sites = config.sites();
        if sites.len() != wafs.len() {
            return Err(AgentError::Rulesets { expected: sites.len(), found: wafs.len() });
        }
        let mut memory: Option<Inspector> = None;
        let mut order = Vec::with_capacity(sites.len());
        for (site, waf) in sites.into_iter().zip(wafs) {
            let inspector = match &memory {
                Some(first) => first.beside(waf.clone()),
                None => memory.insert(Inspector::new(waf.clone(), &config.shared.inspection.limits)).clone(),
            };
            let name = site.name.clone();
            let application = Application::new(&config, site, waf, inspector, log.clone());
            let application = application.map_err(|source| AgentError::Logs { application: name, source })?;
            order.push(Arc::new(application));
        }
        let Some(memory) = memory else { return Err(AgentError::Rulesets { expected: 1, found: 0 }) };
        let mut listeners = Vec::with_capacity(config.listen.len());
        for &address in &config.listen {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|source| AgentError::Listen { address, source })?);
        }
        let applications = Applications::new(&config, order);
        Ok(Agent { listeners, shared: Arc::new(Shared { config, counters: OfAgent::default(), memory, applications }) })
    }

    /// The addresses listened on, with the ports that were taken for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The audit logs of the applications that have one: to reopen them after rotation, and to read their counts.
    pub fn audit_logs(&self) -> Vec<AuditLog> {
        self.shared.applications.all().filter_map(Application::audit_log).cloned().collect()
    }

    /// What monitoring reads, to be asked for again and again.
    pub fn metrics(&self) -> impl Fn() -> String + Send + Sync + 'static + use<> {
        let shared = self.shared.clone();
        move || counters::expose(&shared.counters, &shared.applications)
    }

    /// Serves until `shutdown` is ready; then takes no new messages, answers those that are inspected within `timeouts.shutdown`, and
    /// returns.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Agent { listeners, shared } = self;
        let (down, watching) = watch::channel(false);
        let wanted = shared.config.limits.connections.min(Semaphore::MAX_PERMITS);
        let places = affordable(wanted);
        if places < wanted {
            tracing::warn!("limits.connections is {wanted}; the limit of open files (ulimit -n) allows for {places}");
        }
        let places = Arc::new(Semaphore::new(places));
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(shared.clone(), listener, places.clone(), watching.clone()));
        }
        let sweeping = tokio::spawn(sweep(shared.clone()));
        shutdown.await;
        down.send_replace(true);
        let ended = async {
            while let Some(connections) = accepting.join_next().await {
                let Ok(mut connections) = connections else { continue };
                while connections.join_next().await.is_some() {}
            }
        };
        // The connections themselves wait as long as they may; one that is stuck in a write waits no longer, either.
        if tokio::time::timeout(shared.config.timeouts.shutdown, ended).await.is_err() {
            tracing::warn!("connections were cut: they did not end within timeouts.shutdown");
        }
        sweeping.abort();
        for application in shared.applications.all() {
            application.end().await;
            if let Some(audit) = application.audit_log().cloned() {
                // What waits is written before the process may end.
                let _ = tokio::task::spawn_blocking(move || audit.flush(FLUSH)).await;
            }
        }
    }
}

/// Accepts until the agent goes down; answers the connections that are open then.
async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    places: Arc<Semaphore>,
    down: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let mut ending = down.clone();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            _ = ending.wait_for(|&down| down) => return connections,
            accepted = async {
                let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
                listener.accept().await.map(|(socket, _)| (place, socket))
            } => accepted,
        };
        let (place, socket) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without it answers may wait for an acknowledgement; with an odd socket that refuses it they merely do.
        let _ = socket.set_nodelay(true);
        shared.counters.connections.add(1);
        let (shared, down) = (shared.clone(), down.clone());
        connections.spawn(async move {
            connection::serve(shared, socket, down).await;
            drop(place);
        });
    }
}

/// Ends what waits for responses that do not come.
async fn sweep(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(SWEEP.min(shared.config.timeouts.transaction));
    loop {
        ticks.tick().await;
        for application in shared.applications.all() {
            application.sweep(Instant::now()).await;
        }
    }
}

/// A message that cannot be judged.
enum Trouble {
    Application(String),
    Arguments(Unusable),
}

impl Shared {
    /// Judges the messages of a payload; the answer to all of them.
    pub(super) async fn answer(&self, payload: &Payload, frame_size: u32) -> Vec<u8> {
        let mut verdicts = Vec::new();
        let mut reader = Reader::new(&payload.bytes);
        // It was read once before it came here.
        while let (false, Ok(message)) = (reader.is_empty(), reader.message()) {
            verdicts.extend(self.judge(&message, frame_size).await);
        }
        let names = &self.config.variables;
        let variables: Vec<Variable<'_>> = verdicts.iter().flat_map(|verdict| verdict.variables(names)).collect();
        answers::ack(payload.stream, payload.frame, &variables)
    }

    /// `None`: a message of somebody else.
    async fn judge(&self, message: &Message<'_>, frame_size: u32) -> Option<Verdict> {
        let side = match message.name {
            name if name == self.config.messages.request.as_bytes() => Side::Request,
            name if name == self.config.messages.response.as_bytes() => Side::Response,
            other => {
                self.counters.unknown_messages.add(1);
                let name = String::from_utf8_lossy(other);
                self.complain(|left_out| {
                    tracing::warn!(
                        ?name,
                        left_out,
                        "a message has a name that `messages` does not have; it is passed over"
                    );
                });
                return None;
            }
        };
        let start = Instant::now();
        let verdict = match self.judge_for(side, message, frame_size).await {
            Ok((verdict, application)) => {
                application.counters.message(side, start.elapsed());
                verdict
            }
            Err(trouble) => {
                self.tell(trouble);
                Verdict::Failed
            }
        };
        // Both messages of a transaction may be in one payload, each with an answer of its own.
        Some(verdict.within((frame_size as usize / 2).saturating_sub(BESIDE_LOCATION)))
    }

    async fn judge_for(
        &self,
        side: Side,
        message: &Message<'_>,
        frame_size: u32,
    ) -> Result<(Verdict, &Arc<Application>), Trouble> {
        let name = message.argument("app").and_then(Value::bytes).unwrap_or_default();
        let unknown = || Trouble::Application(String::from_utf8_lossy(name).into_owned());
        let application = self.applications.find(name).ok_or_else(unknown)?;
        let verdict = match side {
            Side::Request => application.request(Request::read(message).map_err(Trouble::Arguments)?, frame_size).await,
            Side::Response => application.response(Response::read(message).map_err(Trouble::Arguments)?).await,
        };
        Ok((verdict, application))
    }

    fn tell(&self, trouble: Trouble) {
        match trouble {
            Trouble::Application(name) => {
                self.counters.unknown_applications.add(1);
                self.complain(|left_out| {
                    tracing::error!(
                        ?name,
                        left_out,
                        "a message names an application that is not configured: HAProxy is told an error"
                    );
                });
            }
            Trouble::Arguments(problem) => {
                self.counters.bad_arguments.add(1);
                self.complain(|left_out| {
                    tracing::error!(%problem, left_out, "a message cannot be judged: HAProxy is told an error");
                });
            }
        }
    }

    /// Says what HAProxy, or its configuration, does wrong: so often a second.
    pub(super) fn complain(&self, say: impl FnOnce(u64)) {
        if let Some(left_out) = Report::Upstream.admit() {
            say(left_out.count());
        }
    }
}

impl Applications {
    fn new(config: &Config, order: Vec<Arc<Application>>) -> Self {
        let only = order.first().filter(|_| config.applications.is_empty()).cloned();
        let named: HashMap<_, _> = config
            .applications
            .iter()
            .zip(&order)
            .map(|(configured, application)| (configured.name.as_bytes().to_vec(), application.clone()))
            .collect();
        let default = config.default_application.as_ref();
        let other = only.or_else(|| default.and_then(|name| named.get(name.as_bytes()).cloned()));
        Applications { named, other, order }
    }

    fn find(&self, name: &[u8]) -> Option<&Arc<Application>> {
        self.named.get(name).or(self.other.as_ref())
    }

    /// All of them, each once.
    pub(super) fn all(&self) -> impl Iterator<Item = &Application> {
        self.order.iter().map(Arc::as_ref)
    }
}
