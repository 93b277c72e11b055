//! `fusewall ext-proc`: the external processor of Envoy (`envoy.service.ext_proc.v3.ExternalProcessor`), over gRPC.
//!
//! Envoy sends the parts of an exchange as messages of one stream, and goes on as the answers say. `docs/envoy.md` is the page for
//! operators.
//!
//! | file | does |
//! |---|---|
//! | [`config`] | what it can be told, from TOML |
//! | `listener` | accepts connections, ends them |
//! | `service` | the gRPC services by their paths |
//! | `stream` | one stream: messages in, answers out, times |
//! | `session` | one exchange: which message runs which phase |
//! | `bodies` | the pieces of bodies, and what ends them |
//! | `flow` | what becomes of pieces |
//! | `head` | heads and attributes as the engine wants them |
//! | `answer` | answers as Envoy takes them |
//! | `counters` | what became of the streams, for monitoring |
//! | `messages` | the Protobuf messages |

mod answer;
mod bodies;
pub mod config;
mod counters;
mod flow;
mod head;
mod listener;
/// The Protobuf messages: for those who write a client.
pub mod messages;
mod service;
mod session;
mod stream;

pub use config::Config;
pub use counters::{Counter, Counters, Outcome};

use crate::host::admin::socket::Socket;
use crate::host::audit::AuditLog;
use crate::host::serve::ledger::Ledger;
use crate::host::serve::{ErrorLog, ServeError, tls};
use crate::waf::Waf;
use listener::Door;
use service::Services;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The end waits for the audit log as long as this.
const FLUSH: Duration = Duration::from_secs(5);

/// What all streams share.
struct Site {
    config: Config,
    ledger: Arc<Ledger>,
    counters: Arc<Counters>,
}

/// A processor that listens.
///
/// ```
/// use fusewall::Waf;
/// use fusewall::host::ext_proc::{Config, Server};
/// use fusewall::host::serve::ErrorLog;
///
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// let waf = Waf::builder().build().expect("the built-in rules load");
/// let mut config = Config::default();
/// config.site.listen = vec!["127.0.0.1:0".parse().unwrap()];
/// let server = Server::bind(config, waf, ErrorLog::stderr()).await.expect("it listens");
/// assert_ne!(server.addresses()[0].port(), 0);
/// server.run(async {}).await;
/// # });
/// ```
pub struct Server {
    doors: Vec<Door>,
    services: Services,
}

impl Server {
    /// Opens the listeners. Envoy waits until [`Server::run`].
    ///
    /// # Errors
    /// [`ServeError`]: an address or a path in use, a certificate that does not load.
    pub async fn bind(config: Config, waf: Waf, log: ErrorLog) -> Result<Self, ServeError> {
        let tls = tls::acceptor(&config.site.tls)?;
        let mut doors = Vec::with_capacity(config.site.listen.len() + 1);
        for &address in &config.site.listen {
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
            doors.push(Door::Tcp(listener, tls.clone()));
        }
        if let Some(path) = &config.socket {
            let socket = Socket::open(path, config.socket_mode).await;
            doors.push(Door::Unix(socket.map_err(|source| ServeError::Socket { path: path.clone(), source })?));
        }
        let (limits, audit) = (&config.site.inspection.limits, config.site.audit.clone());
        let ledger = Ledger::open(waf, limits, audit, log).map_err(ServeError::AuditLog)?;
        let site = Arc::new(Site { config, ledger, counters: Arc::default() });
        Ok(Server { doors, services: Services::new(site).await })
    }

    /// The addresses listened on, with the ports that were taken for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |door: &Door| match door {
            Door::Tcp(listener, _) => listener.local_addr().ok(),
            Door::Unix(_) => None,
        };
        self.doors.iter().filter_map(address).collect()
    }

    /// The audit log, if the rules name a place for one: to reopen it after rotation, and to read its counts.
    pub fn audit_log(&self) -> Option<AuditLog> {
        self.services.site.ledger.audit.clone()
    }

    /// What became of the streams.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.services.site.counters)
    }

    /// Serves until `shutdown` is ready; then is no more healthy, takes no new streams, lets those that run end within
    /// `timeouts.shutdown`, and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let audit = self.audit_log();
        listener::run(self.doors, self.services, shutdown).await;
        if let Some(audit) = audit {
            // What waits is written before the process may end.
            let _ = tokio::task::spawn_blocking(move || audit.flush(FLUSH)).await;
        }
    }
}
