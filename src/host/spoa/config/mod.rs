//! The configuration of `fusewall spoa`: plain data with defaults ([`Config`]), read from TOML by [`parse`].
//!
//! What concerns rules, inspection and logs is said with the keys of `fusewall serve`, one table for both; the keys of the agent itself
//! are in `keys`. `docs/spoa-config.md` is made from both tables.

mod keys;
mod parse;
mod reference;

pub use parse::parse;
pub use reference::reference;

use crate::host::exchange::Unread;
use crate::host::serve;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `fusewall spoa` can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `listen`
    pub listen: Vec<SocketAddr>,
    /// `default_application`
    pub default_application: Option<String>,
    /// `responses`
    pub responses: bool,
    /// `bodies`
    pub bodies: Bodies,
    /// `messages`
    pub messages: Messages,
    /// `variables`
    pub variables: Variables,
    /// `limits`
    pub limits: AgentLimits,
    /// `timeouts`
    pub timeouts: Timeouts,
    /// `metrics.listen`
    pub metrics: Option<SocketAddr>,
    /// `[[applications]]`
    pub applications: Vec<Application>,
    /// The keys that the agent shares with the proxy. What belongs to the proxy alone is not looked at.
    pub shared: serve::Config,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 9000))],
            default_application: None,
            responses: false,
            bodies: Bodies::default(),
            messages: Messages::default(),
            variables: Variables::default(),
            limits: AgentLimits::default(),
            timeouts: Timeouts::default(),
            metrics: None,
            applications: Vec::new(),
            shared: serve::Config::default(),
        }
    }
}

/// `[bodies]`: what becomes of request bodies that did not come whole, or of which that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bodies {
    /// `bodies.cut`: [`Unread::Refuse`] stands for a body error.
    pub cut: Unread,
    /// `bodies.unmeasured`
    pub unmeasured: Unread,
}

impl Default for Bodies {
    fn default() -> Self {
        Bodies { cut: Unread::Refuse, unmeasured: Unread::Pass }
    }
}

/// `[messages]`: how HAProxy's configuration calls its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// `messages.request`
    pub request: String,
    /// `messages.response`
    pub response: String,
}

impl Default for Messages {
    fn default() -> Self {
        Messages { request: "coraza-req".to_owned(), response: "coraza-res".to_owned() }
    }
}

/// `[variables]`: what HAProxy's configuration reads, without scope and prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// `variables.id`
    pub id: String,
    /// `variables.action`
    pub action: String,
    /// `variables.status`
    pub status: String,
    /// `variables.data`
    pub data: String,
    /// `variables.rule`
    pub rule: String,
    /// `variables.fail`
    pub fail: String,
    /// `variables.error`
    pub error: String,
}

impl Default for Variables {
    fn default() -> Self {
        let name = str::to_owned;
        Variables {
            id: name("id"),
            action: name("action"),
            status: name("status"),
            data: name("data"),
            rule: name("ruleid"),
            fail: name("fail"),
            error: name("error"),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentLimits {
    /// `limits.connections`
    pub connections: usize,
    /// `limits.pipelined`
    pub pipelined: usize,
    /// `limits.message_bytes`
    pub message_bytes: u32,
    /// `limits.transactions`
    pub transactions: usize,
}

impl Default for AgentLimits {
    fn default() -> Self {
        AgentLimits { connections: 1_000, pipelined: 100, message_bytes: 16 << 20, transactions: 10_000 }
    }
}

/// `[timeouts]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// `timeouts.hello`
    pub hello: Duration,
    /// `timeouts.frame`
    pub frame: Duration,
    /// `timeouts.idle`
    pub idle: Duration,
    /// `timeouts.transaction`
    pub transaction: Duration,
    /// `timeouts.shutdown`
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            hello: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            transaction: Duration::from_secs(60),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// `[[applications]]`: what differs for the requests that name one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Application {
    /// `applications.name`
    pub name: String,
    /// `applications.rules`
    pub rules: Option<Vec<PathBuf>>,
    /// `applications.responses`
    pub responses: Option<bool>,
    /// `applications.cut`
    pub cut: Option<Unread>,
    /// `applications.unmeasured`
    pub unmeasured: Option<Unread>,
}

/// An application with everything that holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its name; empty if it is the only one and takes all names.
    pub name: String,
    /// Its rules; none: the built-in ones.
    pub rules: Vec<PathBuf>,
    /// Whether its requests wait for their responses.
    pub responses: bool,
    /// What becomes of its request bodies.
    pub bodies: Bodies,
}

impl Config {
    /// The applications, at least one.
    pub fn sites(&self) -> Vec<Site> {
        if self.applications.is_empty() {
            return vec![self.site(&Application::default())];
        }
        self.applications.iter().map(|application| self.site(application)).collect()
    }

    fn site(&self, application: &Application) -> Site {
        Site {
            name: application.name.clone(),
            rules: application.rules.clone().unwrap_or_else(|| self.shared.rules.clone()),
            responses: application.responses.unwrap_or(self.responses),
            bodies: Bodies {
                cut: application.cut.unwrap_or(self.bodies.cut),
                unmeasured: application.unmeasured.unwrap_or(self.bodies.unmeasured),
            },
        }
    }
}
