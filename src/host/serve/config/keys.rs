//! The table of all keys: name, type, default, meaning, and how a value gets into the [`Config`].

use super::values::{
    AUDIT_FORMAT, BYTES, COUNT, DURATION, EXHAUSTED, FUEL, PATH, RULE_EXHAUSTED, STRING, UNREAD, addresses, audit_form,
    boolean, burst, duration, exhausted, fuel, header, list, name, networks, number, otlp, part, path, positive,
    prefix, rule_exhausted, small, string, threads, unread,
};
use super::{Config, Route};
use toml::de::DeValue;

/// One key.
pub(in crate::host) struct Key<T> {
    /// Dotted name.
    pub(in crate::host) name: &'static str,
    /// Type and unit, for people.
    pub(in crate::host) kind: &'static str,
    /// The default as TOML; empty if there is none.
    pub(in crate::host) default: &'static str,
    /// What it is for.
    pub(in crate::host) help: &'static str,
    /// Stores a value.
    pub(in crate::host) set: fn(&mut T, &DeValue<'_>) -> Result<(), String>,
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

macro_rules! key {
    ($name:literal, $kind:expr, $default:literal, $help:literal, |$target:ident, $value:ident| $set:expr) => {
        Key {
            name: $name,
            kind: $kind,
            default: $default,
            help: $help,
            set: |$target, $value| {
                $set;
                Ok(())
            },
        }
    };
}
pub(in crate::host) use key;

/// The keys of [`SITE`] that mean the same in other hosts: what is inspected, not what is listened on or where requests go.
#[cfg(any(feature = "ext-proc", feature = "spoa"))]
pub(in crate::host) fn shared() -> Vec<Key<Config>> {
    const OF_THE_PROXY: [&str; 4] = ["upstream.", "limits.", "timeouts.", "tls."];
    let own = |name: &str| {
        name == "listen" || name == "trusted_proxies" || OF_THE_PROXY.iter().any(|of| name.starts_with(of))
    };
    SITE.iter().filter(|key| !own(key.name)).copied().collect()
}

/// Keys of the file itself.
pub(super) const SITE: &[Key<Config>] = &[
    key!(
        "listen",
        "list of `address:port`",
        r#"["127.0.0.1:8080"]"#,
        "Where to listen, at least one. Port 0 takes a free port. `[::]:443` takes IPv4 as well, where the system does not say otherwise.",
        |config, value| config.listen = addresses(value)?
    ),
    key!(
        "rules",
        "list of paths",
        "[]",
        "Rule files (SecLang, with `Include`) or folders of them, in order, or one compiled bundle; relative to the working directory. Empty: the built-in ruleset.",
        |config, value| config.rules = list(value, path)?
    ),
    key!(
        "bundle_key",
        PATH,
        "",
        "Public key (minisign) of whoever signs compiled bundles; without it none is loaded. The same as `--bundle-key`.",
        |config, value| config.bundle_key = Some(path(value)?)
    ),
    key!(
        "cache",
        PATH,
        "",
        "A folder that remembers what took long to compile, for the next start. It must belong to the user of the process, and nobody else may write to it. The same as `--cache`.",
        |config, value| config.cache = Some(path(value)?)
    ),
    key!(
        "history",
        PATH,
        "",
        "A folder that keeps the last eight rulesets that were in service. If the configured rules do not load at a start, or three starts in a row with them have not lasted ten seconds, the latest of it that does is in service, and the log says so; without it such a start fails. It must belong to the user of the process, and nobody else may write to it. `docs/store.md` has the details.",
        |config, value| config.history = Some(path(value)?)
    ),
    key!(
        "min_serial",
        COUNT,
        "",
        "Bundles with a lower serial are refused, and rules without one: `minisign -S -t serial:7` signs it with the bundle. With a `history` it cannot be lowered again.",
        |config, value| config.min_serial = Some(number(value)? as u64)
    ),
    key!(
        "allow_empty",
        "boolean",
        "false",
        "Take rules without a single one, with which nothing would be inspected; otherwise they do not load. The same as `--allow-empty`.",
        |config, value| config.allow_empty = boolean(value)?
    ),
    key!(
        "watch",
        "boolean",
        "false",
        "Put rules into service when the files that they were read from change: included files, data files and new files that a pattern names, too. What does not load leaves the rules in service where they are. The same as `--watch`. See docs/store.md.",
        |config, value| config.watch = boolean(value)?
    ),
    key!(
        "trusted_proxies",
        "list of addresses or networks (CIDR)",
        "[]",
        "Peers whose `X-Forwarded-For` is believed. The client is then the rightmost address in it that is not itself in this list. From all other peers forwarding headers are replaced.",
        |config, value| config.trusted_proxies = networks(value)?
    ),
    key!(
        "descriptors",
        "list of paths",
        "[]",
        "What Protobuf messages look like: files that `protoc --descriptor_set_out --include_imports` writes. Fields of gRPC and Protobuf bodies then have their names (`ARGS:grpc.0.note`) instead of numbers. The same as `--descriptors`.",
        |config, value| config.descriptors = list(value, path)?
    ),
    key!(
        "environment",
        "list of names",
        "[]",
        "Environment variables of this process that rules see as `ENV:NAME`, as they are at the start. All others stay hidden: environments often hold secrets.",
        |config, value| config.environment = list(value, name)?
    ),
    key!(
        "block_lists",
        COUNT,
        "0",
        "Block lists that rules may ask with `@rbl`, through the system's resolver; 0: none, `@rbl` warns at load and never matches. No request waits for an answer: a name that is not known yet does not match, is noted in the log and is asked for in the background. Answers are kept for five minutes.",
        |config, value| config.block_lists = number(value)?
    ),
    key!("threads", COUNT, "0", "Worker threads, at most 1024; 0: one for each processor.", |config, value| config
        .threads =
        threads(value)?),
    key!(
        "tls.certificate",
        PATH,
        "",
        "Certificate chain, PEM. With it and `tls.key` all listeners speak TLS 1.2 and 1.3 and offer HTTP/2 and HTTP/1.1.",
        |config, value| config.tls.certificate = Some(path(value)?)
    ),
    key!("tls.key", PATH, "", "Private key of the certificate, PEM (PKCS #8, PKCS #1 or SEC1).", |config, value| {
        config.tls.key = Some(path(value)?)
    }),
    key!(
        "remote_rules.allow",
        "boolean",
        "false",
        "Fetch the rules that `SecRemoteRules` names, at the start and with every SIGHUP; otherwise the directive is an error. The same as `--allow-remote-rules`.",
        |config, value| config.remote_rules.allow = boolean(value)?
    ),
    key!(
        "remote_rules.ca",
        PATH,
        "",
        "Certificates that sign those of the servers of remote rules, PEM. Without it the Mozilla roots count.",
        |config, value| config.remote_rules.ca = Some(path(value)?)
    ),
    key!(
        "upstream.url",
        "URL: scheme `http` or `https`, host, optional port",
        "",
        "The web server to protect. Without it a built-in page answers that shows what was received.",
        |config, value| config.upstream.url = Some(string(value)?)
    ),
    key!(
        "upstream.http2",
        "boolean",
        "false",
        "Speak HTTP/2 to the upstream (needed for gRPC): by prior knowledge on `http`, by ALPN on `https`.",
        |config, value| config.upstream.http2 = boolean(value)?
    ),
    key!(
        "upstream.ca",
        PATH,
        "",
        "Certificates that sign the upstream's certificate, PEM. Without it the Mozilla roots count.",
        |config, value| config.upstream.ca = Some(path(value)?)
    ),
    key!(
        "upstream.preserve_host",
        "boolean",
        "true",
        "Send the client's `Host` to the upstream; if false, the host of `upstream.url`.",
        |config, value| config.upstream.preserve_host = boolean(value)?
    ),
    key!(
        "upstream.upgrades",
        "list of protocol names",
        r#"["websocket"]"#,
        "Values of `Upgrade` that are passed on. After the handshake, which is inspected, the bytes are not.",
        |config, value| config.upstream.upgrades =
            list(value, |value| string(value).map(|name| name.to_ascii_lowercase()))?
    ),
    key!(
        "limits.connections",
        COUNT,
        "10000",
        "Open client connections; more wait in the kernel's queue. Never more than half of what the limit of open files (`ulimit -n`) leaves, so that the upstream can be reached.",
        |config, value| config.limits.connections = positive(value)?
    ),
    key!(
        "limits.connections_per_client",
        COUNT,
        "1000",
        "Open connections from one IPv4 address or IPv6 /64 network; more are closed at once. Trusted proxies may have any number.",
        |config, value| config.limits.connections_per_client = positive(value)?
    ),
    key!("limits.streams", COUNT, "100", "Concurrent requests on one HTTP/2 connection.", |config, value| config
        .limits
        .streams =
        small(value)?),
    key!(
        "limits.head_bytes",
        BYTES,
        "65536",
        "Request line and header fields together; more: 431.",
        |config, value| config.limits.head_bytes = positive(value)?
    ),
    key!(
        "limits.request_line_bytes",
        BYTES,
        "32768",
        "The request line alone (HTTP/1); more: 414.",
        |config, value| config.limits.request_line_bytes = positive(value)?
    ),
    key!("limits.head_fields", COUNT, "200", "Header fields of a request; more: 431.", |config, value| config
        .limits
        .head_fields =
        positive(value)?),
    key!(
        "timeouts.head",
        DURATION,
        r#""10s""#,
        "From the first byte of a request to the end of its head, and for the TLS handshake; then 408.",
        |config, value| config.timeouts.head = duration(value)?
    ),
    key!("timeouts.body", DURATION, r#""30s""#, "Between two reads of a request body; then 408.", |config, value| {
        config.timeouts.body = duration(value)?
    }),
    key!(
        "timeouts.body_total",
        DURATION,
        r#""5m""#,
        "For a whole request body that is inspected; then 408.",
        |config, value| config.timeouts.body_total = duration(value)?
    ),
    key!(
        "timeouts.idle",
        DURATION,
        r#""60s""#,
        "For the next request on an open connection; then it is closed.",
        |config, value| config.timeouts.idle = duration(value)?
    ),
    key!(
        "timeouts.write",
        DURATION,
        r#""60s""#,
        "For a client to take bytes that wait for it; then the connection is cut.",
        |config, value| config.timeouts.write = duration(value)?
    ),
    key!(
        "timeouts.upstream_connect",
        DURATION,
        r#""5s""#,
        "For a connection to the upstream, TLS included; then 502.",
        |config, value| config.timeouts.upstream_connect = duration(value)?
    ),
    key!(
        "timeouts.upstream_response",
        DURATION,
        r#""60s""#,
        "For the head of the upstream's response; then 504.",
        |config, value| config.timeouts.upstream_response = duration(value)?
    ),
    key!(
        "timeouts.upstream_idle",
        DURATION,
        r#""5m""#,
        "Between two reads of the upstream's response body; then the connection is cut.",
        |config, value| config.timeouts.upstream_idle = duration(value)?
    ),
    key!(
        "timeouts.tunnel",
        DURATION,
        r#""10m""#,
        "Without a byte in either direction after an upgrade (a WebSocket); then the connection is cut.",
        |config, value| config.timeouts.tunnel = duration(value)?
    ),
    key!(
        "timeouts.shutdown",
        DURATION,
        r#""30s""#,
        "For running requests to end after SIGTERM or SIGINT; then they are cut.",
        |config, value| config.timeouts.shutdown = duration(value)?
    ),
    key!(
        "inspection.over_limit",
        UNREAD,
        r#""refuse""#,
        "A request body over `SecRequestBodyLimit`: 413, or inspect what fits and pass the rest uninspected (noted in the log).",
        |config, value| config.inspection.bodies.over_limit = unread(value)?
    ),
    key!(
        "inspection.coded",
        UNREAD,
        r#""refuse""#,
        "A request body with a `Content-Encoding` that cannot be decoded: 415, or inspect the coded bytes and pass it (noted in the log).",
        |config, value| config.inspection.bodies.coded = unread(value)?
    ),
    key!(
        "inspection.quantum",
        "integer, fuel",
        "100000",
        "Fuel that an inspection may use before it lets other requests run; 100,000 are about 0.15 ms.",
        |config, value| config.inspection.limits.quantum = positive(value)? as u64
    ),
    key!(
        "inspection.long_lane",
        COUNT,
        "0",
        "Long inspections that run at one time; 0: one less than there are processors, at least one.",
        |config, value| config.inspection.limits.long_lane = number(value)?
    ),
    key!(
        "inspection.held_bytes",
        BYTES,
        "1073741824",
        "Bytes of bodies held for inspection at one time, over all requests; above it 503.",
        |config, value| config.inspection.limits.held_bytes = positive(value)?
    ),
    key!(
        "inspection.exhausted",
        EXHAUSTED,
        r#""block""#,
        "A request that spends its budget: 503, or let it pass uninspected but for rules with the tag `fusewall/critical` (noted in the log; a warning at the start).",
        |config, value| config.inspection.bodies.exhausted = Some(exhausted(value)?)
    ),
    key!(
        "inspection.rule_exhausted",
        RULE_EXHAUSTED,
        r#""match""#,
        "A rule that spends its budget: it counts as a match where that only tightens, else 503; or 503 always; or leave it out; or leave it out and add to the anomaly score of CRS. The last two come with a warning at the start.",
        |config, value| config.inspection.bodies.rule_exhausted = Some(rule_exhausted(value)?)
    ),
    key!(
        "budget.base",
        FUEL,
        "5000000",
        "What a request may spend on inspection, whatever its size.",
        |config, value| config.budget.base = fuel(value)?
    ),
    key!(
        "budget.per_byte",
        FUEL,
        "1000",
        "What it may spend for each byte of request line, header fields and bodies, beside that.",
        |config, value| config.budget.per_byte = fuel(value)?
    ),
    key!("budget.cap", FUEL, "1000000000", "What it may spend at most.", |config, value| config.budget.cap =
        fuel(value)?),
    key!("budget.rule", FUEL, "200000000", "What one rule may spend in a request.", |config, value| config
        .budget
        .rule =
        fuel(value)?),
    key!(
        "governor.share",
        "number above 0, at most 1",
        "",
        "The part of all processors that rule evaluation may use. Above it requests are answered with 429 (the dearest clients) or 503, with `Retry-After`, and nothing of them is passed on; `docs/governor.md` says in which order. Without it nothing is ever shed.",
        |config, value| config.governor.share = Some(part(value)?)
    ),
    key!(
        "governor.burst_ms",
        "integer, milliseconds",
        "100",
        "How far evaluation may run ahead of its share, from 1 to 60000, in milliseconds of that share.",
        |config, value| config.governor.burst_millis = burst(value)?
    ),
    key!(
        "governor.quarantine",
        "boolean",
        "false",
        "Give each rule a circuit breaker: where nothing refuses (`SecRuleEngine DetectionOnly`) rules are left out that are dear for many clients, anywhere those that fail for many (they then count as a match); clients that make several rules fail get 429. `docs/governor.md` has the figures; rules tagged `fusewall/critical` are protected.",
        |config, value| config.quarantine = boolean(value)?
    ),
    key!(
        "audit.format",
        AUDIT_FORMAT,
        "",
        "The form of the records of the audit log; `ocsf` is an event of the Open Cybersecurity Schema Framework (HTTP Activity). Without it `SecAuditLogFormat` decides.",
        |config, value| config.audit_form = Some(audit_form(value)?)
    ),
    key!(
        "audit.record_bytes",
        BYTES,
        "262144",
        "Bytes of one record of the audit log, from 4096 on; what is longer is cut and says so.",
        |config, value| config.audit.record_bytes = positive(value)?
    ),
    key!(
        "audit.records_per_second",
        COUNT,
        "1000",
        "Records that are written in one second; the rest is dropped, and the log says how many.",
        |config, value| config.audit.records_per_second = small(value)?
    ),
    key!(
        "audit.queue_records",
        COUNT,
        "4096",
        "Records that may wait for the disk; when it is slower, the rest is dropped, and the log says how many.",
        |config, value| config.audit.queue_records = positive(value)?
    ),
    key!("audit.queue_bytes", BYTES, "67108864", "Bytes that they may hold together.", |config, value| config
        .audit
        .queue_bytes =
        positive(value)?),
    key!(
        "otlp.endpoint",
        "URL: scheme `http` or `https`",
        "",
        "An OpenTelemetry collector, such as `http://127.0.0.1:4318`: each refused request is sent to it as a log record (`POST` to `/v1/logs` below the URL, JSON). Needs a build with the feature `otlp`.",
        |config, value| config.otlp.endpoint = Some(otlp(string(value)?)?)
    ),
    key!(
        "otlp.headers",
        "list of `Name: value`",
        "[]",
        "Header fields that the collector wants, such as `Authorization: Bearer ...`.",
        |config, value| config.otlp.headers = otlp(list(value, header)?)?
    ),
    key!(
        "otlp.ca",
        PATH,
        "",
        "Certificates that sign the collector's certificate, PEM. Without it the Mozilla roots count.",
        |config, value| config.otlp.ca = Some(otlp(path(value)?)?)
    ),
    key!(
        "otlp.queue_records",
        COUNT,
        "4096",
        "Records that may wait for the collector; when it is slower or gone, the rest is dropped and counted.",
        |config, value| config.otlp.queue_records = otlp(positive(value)?)?
    ),
];

/// Keys of one `[[routes]]`.
pub(super) const ROUTE: &[Key<Route>] = &[
    key!(
        "path",
        STRING,
        "",
        "Required. Path prefix, at a segment's end: `/upload` covers `/upload` and `/upload/a`, not `/uploads`. Paths with escapes, dot or empty segments are never covered. The longest prefix wins.",
        |route, value| route.path = prefix(value)?
    ),
    key!("over_limit", UNREAD, "", "`inspection.over_limit` for these paths.", |route, value| route.over_limit =
        Some(unread(value)?)),
    key!("coded", UNREAD, "", "`inspection.coded` for these paths.", |route, value| route.coded = Some(unread(value)?)),
    key!("exhausted", EXHAUSTED, "", "`inspection.exhausted` for these paths.", |route, value| route.exhausted =
        Some(exhausted(value)?)),
    key!("rule_exhausted", RULE_EXHAUSTED, "", "`inspection.rule_exhausted` for these paths.", |route, value| route
        .rule_exhausted =
        Some(rule_exhausted(value)?)),
];
