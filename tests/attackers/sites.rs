//! Two sites behind proxies in one process: one is attacked, the other is its neighbour. They share a governor.

use fusewall::governor::{Governor, GovernorConfig, Level, QuarantineConfig, Tenant};
use fusewall::host::serve::{Config, ErrorLog, Server, config};
use fusewall::rule::EngineMode;
use fusewall::{Waf, WafBuilder};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Cores that rule evaluation may use, both sites together: little, so that the load needs little as well.
pub const SHARE: f64 = 0.2;
/// Of a share that small, a burst as large as that of an ordinary one: a machine that has other work to do delivers harmless requests
/// in bursts as well.
const BURST_MILLIS: u64 = 200;

/// What the error log of a site says of requests that were not decided by a rule alone.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Requests that have spent their budget, as far as the log takes them.
    pub exhausted: usize,
    /// Requests that made the engine fail.
    pub failed: usize,
    /// Lines about what passed without inspection.
    pub unseen: Vec<String>,
}

impl Log {
    fn take(&mut self, line: &str) {
        self.exhausted += usize::from(line.contains("The budget for the request is spent."));
        self.failed += usize::from(line.contains("The engine failed."));
        if line.contains("passed without inspection") {
            self.unseen.push(line.to_owned());
        }
    }
}

/// A site: a proxy that listens, in front of the built-in page.
pub struct Site {
    pub address: SocketAddr,
    pub waf: Waf,
    pub tenant: Arc<Tenant>,
    log: Arc<Mutex<Log>>,
}

/// What is off, or counts as unknown, at a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Switched {
    pub epoch: u64,
    /// Rules that are off, whoever did it.
    pub off: u32,
    /// Rules whose breakers are not closed.
    pub quarantined: usize,
    strongest: EngineMode,
}

impl Site {
    async fn start(builder: WafBuilder, tenant: Arc<Tenant>) -> Site {
        // So nervous that the rules which this load is made for would be off at once if their cost were a reason.
        let nervous = QuarantineConfig {
            dear_fuel: 5_000,
            dear_percent: 1,
            least_evaluations: 20,
            ..QuarantineConfig::default()
        };
        let builder = builder.tenant(Arc::clone(&tenant)).quarantine(nervous);
        let waf = builder.build().unwrap_or_else(|report| panic!("{report}"));
        let log = Arc::new(Mutex::new(Log::default()));
        let lines = Arc::clone(&log);
        let error_log = ErrorLog::to(move |line| lines.lock().expect("the log").take(line));
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let config = config::parse("", "trusted_proxies = ['127.0.0.1']").expect("a configuration");
        let server = Server::bind(Config { listen, ..config }, waf.clone(), error_log).await.expect("a port");
        let address = server.addresses()[0];
        tokio::spawn(server.run(std::future::pending()));
        Site { address, waf, tenant, log }
    }

    pub fn log(&self) -> Log {
        self.log.lock().expect("the log").clone()
    }

    /// Requests that were shed.
    pub fn shed(&self) -> u64 {
        let metrics = self.tenant.metrics();
        metrics.shed_clients + metrics.shed_tenants
    }

    /// What an admitted request has cost in the mean, in seconds of CPU, since the tenant had these counts.
    pub fn cost_since(&self, (admitted, nanos): (u64, u64)) -> f64 {
        let (admitted_now, nanos_now) = self.counts();
        (nanos_now - nanos) as f64 / 1e9 / (admitted_now - admitted).max(1) as f64
    }

    /// Admitted requests, and nanoseconds of CPU that they have cost.
    pub fn counts(&self) -> (u64, u64) {
        let metrics = self.tenant.metrics();
        (metrics.admitted, metrics.cpu_nanos)
    }

    pub fn switched(&self) -> Switched {
        let switches = self.waf.switches();
        Switched {
            epoch: switches.epoch(),
            off: switches.off().map(u64::count_ones).sum(),
            quarantined: self.waf.quarantined().len(),
            strongest: switches.strongest(),
        }
    }
}

/// Both sites, and the threads that serve them.
pub struct Sites {
    governor: Arc<Governor>,
    pub attacked: Site,
    pub neighbour: Site,
    _threads: Runtime,
}

impl Sites {
    /// Two sites with the same rules and equal parts of the share.
    pub fn start(rules: impl Fn() -> WafBuilder) -> Sites {
        let governor = Governor::new(&GovernorConfig { share: Some(SHARE), cores: 1, burst_millis: BURST_MILLIS });
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let threads = threads.expect("a runtime");
        let [attacked, neighbour] =
            ["attacked", "neighbour"].map(|name| threads.block_on(Site::start(rules(), governor.tenant(name, 1))));
        Sites { governor, attacked, neighbour, _threads: threads }
    }

    /// Waits until nothing is shed any more.
    pub async fn calm(&self) {
        let begun = Instant::now();
        while self.governor.level() != Level::Calm {
            assert!(begun.elapsed() < Duration::from_secs(8), "still {:?}", self.governor.level());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
