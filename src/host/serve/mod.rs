//! `fusewall serve`: a reverse proxy that blocks.
//!
//! | file | does |
//! |---|---|
//! | [`config`] | what it can be told, from TOML |
//! | `listener` | accepts connections, counts them, ends them |
//! | `descriptors` | how many connections the system allows |
//! | `tls` | certificates, for both sides |
//! | `http1` | HTTP/1 from clients: the strict front end, bodies, responses, tunnels |
//! | `http2` | HTTP/2 from clients, by hyper |
//! | `proxy` | one request from its head to its answer: the order of everything |
//! | `forward` | what goes upstream, and what comes back, of a head |
//! | `upstream` | connections to the protected server, or the echo page |
//! | `response` | a response body on its way to the client |
//! | `incident` | one exchange and its log lines |
//! | `ledger` | what all exchanges share: the engine and the logs |
//! | `behind` | work that takes nothing from the requests |
//! | `fetch` | rules that stand on other servers (`SecRemoteRules`) |
//! | `page` | what a client sees that is turned away |
//! | `watch` | rules that follow their files |

mod behind;
mod channel;
pub mod config;
mod connector;
pub(in crate::host) mod descriptors;
mod echo;
mod fetch;
pub(in crate::host) mod forward;
mod http1;
mod http2;
pub(in crate::host) mod incident;
pub(in crate::host) mod ledger;
mod listener;
mod log;
mod page;
mod proxy;
mod response;
pub(in crate::host) mod tls;
mod upstream;
mod watch;

pub use behind::behind;
pub use config::Config;
pub use descriptors::raise_descriptor_limit;
pub use fetch::HttpsRules;
pub use log::ErrorLog;
pub use watch::{Followed, WatchConfig, Watching};

use crate::host::audit::{AuditLog, AuditLogError};
use crate::waf::Waf;
use proxy::Proxy;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The end waits for the audit log as long as this.
const FLUSH: Duration = Duration::from_secs(5);

/// Why the proxy does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A unix socket cannot be made.
    #[error("cannot listen on the socket {}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate or key cannot be read or does not fit.
    #[error("{}: {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The place that the rules name for the audit log cannot be used.
    #[error(transparent)]
    AuditLog(AuditLogError),
    /// `upstream.url` is not a usable URL.
    #[error("upstream URL {url:?}: {problem}")]
    Upstream {
        /// As configured.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A reverse proxy that listens.
pub struct Server {
    listeners: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
    proxy: Arc<Proxy>,
}

impl Server {
    /// Opens the listeners. Requests wait until [`Server::run`].
    ///
    /// # Errors
    /// [`ServeError`]: an address in use, a certificate that does not load, an upstream URL that is none.
    pub async fn bind(config: Config, waf: Waf, log: ErrorLog) -> Result<Self, ServeError> {
        let tls = tls::acceptor(&config.tls)?;
        let mut listeners = Vec::with_capacity(config.listen.len());
        for &address in &config.listen {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|source| ServeError::Listen { address, source })?);
        }
        let proxy = Arc::new(Proxy::new(config, waf, log)?);
        Ok(Server { listeners, tls, proxy })
    }

    /// The addresses listened on, with the ports that were taken for port 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The audit log, if the rules name a place for one: to reopen it after rotation, and to read its counts.
    pub fn audit_log(&self) -> Option<AuditLog> {
        self.proxy.ledger.audit.clone()
    }

    /// Serves until `shutdown` is ready; then takes no new requests, lets those that run end within `timeouts.shutdown`, and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let audit = self.audit_log();
        listener::run(self.listeners, self.tls, self.proxy, shutdown).await;
        if let Some(audit) = audit {
            // What waits is written before the process may end.
            let _ = tokio::task::spawn_blocking(move || audit.flush(FLUSH)).await;
        }
    }
}
