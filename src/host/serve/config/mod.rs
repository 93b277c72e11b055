//! The configuration of `fusewall serve`: plain data with defaults ([`Config`]), read from TOML by [`parse`].
//!
//! Every key is one line of the table in `keys`; the parser and `docs/config.md` are made from it.

mod admin;
pub(in crate::host) mod keys;
pub(in crate::host) mod parse;
pub(in crate::host) mod reference;
pub(in crate::host) mod values;

#[cfg(feature = "ext-proc")]
pub(in crate::host) use parse::parse_beside;
pub use parse::{ConfigError, parse};
pub use reference::reference;

use crate::engine::audit::WrittenForm;
use crate::engine::{Policy, RulePolicy};
use crate::governor::GovernorConfig;
use crate::host::admin::AdminConfig;
use crate::host::audit::AuditLimits;
use crate::host::exchange::{BodyPolicy, Unread};
use crate::host::inspect::InspectionLimits;
use crate::limits::Limits;
use crate::net::IpSet;
use http::{HeaderName, HeaderValue};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `fusewall serve` can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `listen`
    pub listen: Vec<SocketAddr>,
    /// `rules`
    pub rules: Vec<PathBuf>,
    /// `bundle_key`
    pub bundle_key: Option<PathBuf>,
    /// `cache`
    pub cache: Option<PathBuf>,
    /// `history`
    pub history: Option<PathBuf>,
    /// `min_serial`
    pub min_serial: Option<u64>,
    /// `allow_empty`
    pub allow_empty: bool,
    /// `watch`
    pub watch: bool,
    /// `descriptors`
    pub descriptors: Vec<PathBuf>,
    /// `environment`
    pub environment: Vec<String>,
    /// `block_lists`
    pub block_lists: usize,
    /// `remote_rules`
    pub remote_rules: RemoteRules,
    /// `trusted_proxies`
    pub trusted_proxies: IpSet,
    /// `threads`
    pub threads: usize,
    /// `tls`
    pub tls: Tls,
    /// `upstream`
    pub upstream: Upstream,
    /// `limits`
    pub limits: ServeLimits,
    /// `timeouts`
    pub timeouts: Timeouts,
    /// `inspection`
    pub inspection: Inspection,
    /// `budget`
    pub budget: Budget,
    /// `governor.share`, `governor.burst_ms`
    pub governor: GovernorConfig,
    /// `governor.quarantine`
    pub quarantine: bool,
    /// `audit`
    pub audit: AuditLimits,
    /// `audit.format`
    pub audit_form: Option<WrittenForm>,
    /// `[otlp]`
    pub otlp: OtlpConfig,
    /// `[[routes]]`
    pub routes: Vec<Route>,
    /// `[admin]`
    pub admin: AdminConfig,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            rules: Vec::new(),
            bundle_key: None,
            cache: None,
            history: None,
            min_serial: None,
            allow_empty: false,
            watch: false,
            descriptors: Vec::new(),
            environment: Vec::new(),
            block_lists: 0,
            remote_rules: RemoteRules::default(),
            trusted_proxies: IpSet::default(),
            threads: 0,
            tls: Tls::default(),
            upstream: Upstream::default(),
            limits: ServeLimits::default(),
            timeouts: Timeouts::default(),
            inspection: Inspection::default(),
            budget: Budget::default(),
            governor: GovernorConfig::default(),
            quarantine: false,
            audit: AuditLimits::default(),
            audit_form: None,
            otlp: OtlpConfig::default(),
            routes: Vec::new(),
            admin: AdminConfig::default(),
        }
    }
}

/// `[tls]`: the client side. Both paths or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// `tls.certificate`
    pub certificate: Option<PathBuf>,
    /// `tls.key`
    pub key: Option<PathBuf>,
}

/// `[remote_rules]`: rules on other servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteRules {
    /// `remote_rules.allow`
    pub allow: bool,
    /// `remote_rules.ca`
    pub ca: Option<PathBuf>,
}

/// `[upstream]`: where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `upstream.url`
    pub url: Option<String>,
    /// `upstream.http2`
    pub http2: bool,
    /// `upstream.ca`
    pub ca: Option<PathBuf>,
    /// `upstream.preserve_host`
    pub preserve_host: bool,
    /// `upstream.upgrades`
    pub upgrades: Vec<String>,
}

impl Default for Upstream {
    fn default() -> Self {
        Upstream { url: None, http2: false, ca: None, preserve_host: true, upgrades: vec!["websocket".to_owned()] }
    }
}

/// `[limits]`: what one client, or all of them, may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeLimits {
    /// `limits.connections`
    pub connections: usize,
    /// `limits.connections_per_client`
    pub connections_per_client: usize,
    /// `limits.streams`
    pub streams: u32,
    /// `limits.head_bytes`
    pub head_bytes: usize,
    /// `limits.request_line_bytes`
    pub request_line_bytes: usize,
    /// `limits.head_fields`
    pub head_fields: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        ServeLimits {
            connections: 10_000,
            connections_per_client: 1_000,
            streams: 100,
            head_bytes: 65_536,
            request_line_bytes: 32_768,
            head_fields: 200,
        }
    }
}

/// `[timeouts]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// `timeouts.head`
    pub head: Duration,
    /// `timeouts.body`
    pub body: Duration,
    /// `timeouts.body_total`
    pub body_total: Duration,
    /// `timeouts.idle`
    pub idle: Duration,
    /// `timeouts.write`
    pub write: Duration,
    /// `timeouts.upstream_connect`
    pub upstream_connect: Duration,
    /// `timeouts.upstream_response`
    pub upstream_response: Duration,
    /// `timeouts.upstream_idle`
    pub upstream_idle: Duration,
    /// `timeouts.tunnel`
    pub tunnel: Duration,
    /// `timeouts.shutdown`
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            body_total: Duration::from_secs(300),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(60),
            upstream_connect: Duration::from_secs(5),
            upstream_response: Duration::from_secs(60),
            upstream_idle: Duration::from_secs(300),
            tunnel: Duration::from_secs(600),
            shutdown: Duration::from_secs(30),
        }
    }
}

/// `[inspection]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// `inspection.over_limit`, `inspection.coded`
    pub bodies: BodyPolicy,
    /// `inspection.quantum`, `inspection.long_lane`, `inspection.held_bytes`
    pub limits: InspectionLimits,
}

impl Default for Inspection {
    fn default() -> Self {
        let (exhausted, rule_exhausted) = (Some(Policy::Block), Some(RulePolicy::Match));
        let bodies = BodyPolicy { exhausted, rule_exhausted, ..BodyPolicy::default() };
        Inspection { bodies, limits: InspectionLimits::default() }
    }
}

/// `[budget]`: what inspection may cost, in fuel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// `budget.base`
    pub base: u64,
    /// `budget.per_byte`
    pub per_byte: u64,
    /// `budget.cap`
    pub cap: u64,
    /// `budget.rule`
    pub rule: u64,
}

impl Default for Budget {
    fn default() -> Self {
        let limits = Limits::default();
        Budget { base: limits.fuel_base, per_byte: limits.fuel_per_byte, cap: limits.fuel_cap, rule: limits.fuel_rule }
    }
}

impl Budget {
    /// The limits with this budget.
    pub fn within(&self, limits: Limits) -> Limits {
        let Budget { base, per_byte, cap, rule } = *self;
        Limits { fuel_base: base, fuel_per_byte: per_byte, fuel_cap: cap, fuel_rule: rule, ..limits }
    }
}

/// `[otlp]`: a collector for refused requests. Without the feature `otlp` there is none, and the keys are errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpConfig {
    /// `otlp.endpoint`
    pub endpoint: Option<String>,
    /// `otlp.headers`
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `otlp.ca`
    pub ca: Option<PathBuf>,
    /// `otlp.queue_records`
    pub queue_records: usize,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        OtlpConfig { endpoint: None, headers: Vec::new(), ca: None, queue_records: 4096 }
    }
}

/// `[[routes]]`: an exception for the paths below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// `routes.path`
    pub path: String,
    /// `routes.over_limit`
    pub over_limit: Option<Unread>,
    /// `routes.coded`
    pub coded: Option<Unread>,
    /// `routes.exhausted`
    pub exhausted: Option<Policy>,
    /// `routes.rule_exhausted`
    pub rule_exhausted: Option<RulePolicy>,
}

impl Config {
    /// What lets pass what nobody has inspected to its end, in words for whoever starts the server.
    pub fn openings(&self) -> Vec<String> {
        let site = ("", self.inspection.bodies.exhausted, self.inspection.bodies.rule_exhausted);
        let routes = self.routes.iter().map(|route| (route.path.as_str(), route.exhausted, route.rule_exhausted));
        let open = std::iter::once(site).chain(routes).flat_map(|(path, request, rule)| {
            let below = if path.is_empty() { String::new() } else { format!(" below `{path}`") };
            let request = (request == Some(Policy::Allow))
                .then(|| format!("requests{below} that spend their budget are let through: `exhausted = \"allow\"`"));
            let rule = matches!(rule, Some(RulePolicy::Skip | RulePolicy::Score(_)))
                .then(|| format!("rules{below} that spend their budget are left out: `rule_exhausted`"));
            request.into_iter().chain(rule)
        });
        open.collect()
    }

    /// The choices about bodies for a request target.
    ///
    /// A route loosens protection, so it only counts for a plain path: one with an escape, an empty or dot segment, a
    /// backslash or a path parameter may mean another path to the upstream and gets the site's own choices.
    pub fn body_policy(&self, target: &[u8]) -> BodyPolicy {
        let mut policy = self.inspection.bodies;
        let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
        if !plain(path) {
            return policy;
        }
        let below = |route: &&Route| {
            let prefix = route.path.trim_end_matches('/').as_bytes();
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        if let Some(route) = self.routes.iter().filter(below).max_by_key(|route| route.path.len()) {
            policy.over_limit = route.over_limit.unwrap_or(policy.over_limit);
            policy.coded = route.coded.unwrap_or(policy.coded);
            policy.exhausted = route.exhausted.or(policy.exhausted);
            policy.rule_exhausted = route.rule_exhausted.or(policy.rule_exhausted);
        }
        policy
    }
}

fn plain(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/") else { return false };
    let mut segments = rest.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let plain = segment.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        if !plain || segment == b"." || segment == b".." || (segment.is_empty() && !last) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_counts_for_plain_paths_below_it_only() {
        let route = Route { path: "/upload".into(), over_limit: Some(Unread::Pass), ..Route::default() };
        let config = Config { routes: vec![route], ..Config::default() };
        let over = |target: &str| config.body_policy(target.as_bytes()).over_limit;
        for target in ["/upload", "/upload/", "/upload/a?x=%2e", "/upload/a.b/c"] {
            assert_eq!(over(target), Unread::Pass, "{target}");
        }
        for target in [
            "/uploads",
            "/",
            "/upload/../admin",
            "/upload/%2e%2e/admin",
            "/upload//a",
            "/upload/;x",
            "/upload\\a",
            "upload",
            "http://h/upload",
            "/upload/..",
        ] {
            assert_eq!(over(target), Unread::Refuse, "{target}");
        }
    }
}
