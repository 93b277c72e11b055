//! The admin API of a running proxy: rulesets, kill switches, the mode of the engine, health and metrics, as JSON over HTTP/1.1.
//!
//! It answers on a thread and a runtime of its own, whatever the threads that inspect requests are doing, and never asks them.
//! `docs/admin.md` is the page for operators, `openapi.json` the description for machines.
//!
//! | file | does |
//! |---|---|
//! | `config` | what it can be told |
//! | `listener` | accepts connections; one request each |
//! | `socket` | the unix socket and its file |
//! | `tcp` | mutual TLS |
//! | `peers` | who is at the other end, and which roles they have |
//! | `service` | one request from its head to its answer: the order of all checks |
//! | `limits` | sizes and times |
//! | `routes` | the table: method, path, role, handler |
//! | `call`, `problem` | a request, an answer, an error (RFC 9457) |
//! | `desk` | what all requests share |
//! | `trail` | who has changed what, in the log |
//! | `handlers` | one file per subject |

mod call;
mod config;
mod desk;
mod handlers;
mod limits;
mod listener;
mod peers;
mod problem;
mod routes;
mod service;
pub(in crate::host) mod socket;
mod tcp;
mod trail;

pub use config::{AdminConfig, AdminTcp};
pub use peers::{Caller, Fingerprint, Match, Role, Roles};

use crate::governor::{Clock, Exposition, SystemClock};
use crate::store::RuleSource;
use crate::waf::Waf;
use desk::{Desk, Metrics, Promoted, Tally};
use listener::Doors;
use peers::Peers;
use socket::Socket;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

/// Threads for handlers that compile or wait for a disk: one may compile while others roll back.
const ASIDE: usize = 4;

/// The OpenAPI 3.1 document.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Method, path and role of every route.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, Role)> {
    routes::ROUTES.iter().map(|route| (route.method, route.path, route.role))
}

/// Why the admin API does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The unix socket cannot be made.
    #[error("cannot listen on the admin socket {}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for the admin API")]
    Listen {
        /// Which.
        address: SocketAddr,
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
    /// The configuration contradicts itself.
    #[error("{0}")]
    Config(String),
    /// The system has no thread to give.
    #[error("the admin API has no thread")]
    Thread(#[source] io::Error),
}

/// Says what the API is about.
pub struct AdminBuilder {
    config: AdminConfig,
    waf: Waf,
    source: RuleSource,
    clock: Arc<dyn Clock>,
    promoted: Promoted,
    metrics: Metrics,
}

impl AdminBuilder {
    /// The rules that the process was configured with, for `POST /v1/rulesets/reload`; the built-in ones by default.
    #[must_use]
    pub fn source(mut self, source: RuleSource) -> Self {
        self.source = source;
        self
    }

    /// By which clock modes and staged rulesets end; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Told after a promotion or a rollback through the API: the moment to call [`Waf::verify`], on a thread of its own.
    #[must_use]
    pub fn when_promoted(mut self, promoted: impl Fn(&Waf) + Send + Sync + 'static) -> Self {
        self.promoted = Box::new(promoted);
        self
    }

    /// Adds what the host itself counts to `/metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: impl Fn(&mut Exposition) + Send + Sync + 'static) -> Self {
        self.metrics = Box::new(metrics);
        self
    }

    /// Opens the doors and lets callers in.
    ///
    /// # Errors
    /// [`AdminError`]: a path or an address that is taken, certificates that do not fit, a configuration that lacks something.
    pub fn start(self) -> Result<Admin, AdminError> {
        if let Some(lacking) = self.config.lacks() {
            return Err(AdminError::Config(lacking));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(ASIDE).enable_all().build();
        let runtime = runtime.map_err(AdminError::Thread)?;
        let AdminBuilder { config, waf, source, clock, promoted, metrics } = self;
        let own = rustix::process::geteuid().as_raw();
        let peers = Arc::new(Peers::new(own, config.owner_roles, &config.callers));
        let (socket, tcp) = runtime.block_on(open(&config))?;
        let address = tcp.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        let desk = Arc::new(Desk {
            waf,
            config,
            source,
            clock,
            shelf: Mutex::default(),
            temporary: Mutex::default(),
            loads: Arc::new(Semaphore::new(1)),
            tally: Tally::default(),
            ending: AtomicBool::new(false),
            promoted,
            metrics,
        });
        let doors = Doors { socket, tcp, desk: desk.clone(), peers };
        let (ended, ending) = watch::channel(false);
        let thread = std::thread::Builder::new().name("fusewall-admin".to_owned());
        let thread = thread.spawn(move || serve(runtime, doors, ending)).map_err(AdminError::Thread)?;
        Ok(Admin { desk, ended, thread: Some(thread), address })
    }
}

fn serve(runtime: Runtime, doors: Doors, ending: watch::Receiver<bool>) {
    runtime.block_on(doors.serve(ending));
    // A ruleset that still compiles is of no use to anybody.
    runtime.shutdown_background();
}

type Opened = (Option<Socket>, Option<(TcpListener, tokio_rustls::TlsAcceptor)>);

async fn open(config: &AdminConfig) -> Result<Opened, AdminError> {
    let tls = tcp::acceptor(&config.tcp)?;
    let tcp = match config.tcp.listen.zip(tls) {
        None => None,
        Some((address, tls)) => {
            let listener = TcpListener::bind(address).await;
            Some((listener.map_err(|source| AdminError::Listen { address, source })?, tls))
        }
    };
    let socket = match &config.socket {
        None => None,
        Some(path) => {
            let opened = Socket::open(path, config.socket_mode).await;
            Some(opened.map_err(|source| AdminError::Socket { path: path.clone(), source })?)
        }
    };
    Ok((socket, tcp))
}

/// The running API. Dropping it ends it and removes its socket.
///
/// ```
/// use fusewall::Waf;
/// use fusewall::host::admin::{Admin, AdminConfig};
/// use std::io::{Read, Write};
///
/// let folder = tempfile::tempdir().unwrap();
/// let socket = folder.path().join("admin.sock");
/// let waf = Waf::builder().build().expect("the built-in rules load");
/// let config = AdminConfig { socket: Some(socket.clone()), ..AdminConfig::default() };
/// let admin = Admin::builder(config, waf).start().expect("it listens");
///
/// let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
/// stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer).unwrap();
/// assert!(answer.contains("\"ready\":true"), "{answer}");
/// ```
pub struct Admin {
    desk: Arc<Desk>,
    ended: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    address: Option<SocketAddr>,
}

impl Admin {
    /// Starts to say what the API is about.
    pub fn builder(config: AdminConfig, waf: Waf) -> AdminBuilder {
        let (source, clock) = (RuleSource::Builtin, Arc::new(SystemClock::new()));
        AdminBuilder { config, waf, source, clock, promoted: Box::new(|_| {}), metrics: Box::new(|_| {}) }
    }

    /// The address of the TCP listener, with the port that was taken for port 0.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The process is about to end: `/readyz` answers 503 from now on, everything else goes on.
    pub fn ending(&self) {
        self.desk.ending.store(true, Ordering::Relaxed);
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.ended.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // One that has panicked has ended as well.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("address", &self.address).finish_non_exhaustive()
    }
}
