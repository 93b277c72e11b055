//! The configuration of `fusewall ext-proc`: what a reverse proxy is told about rules and inspection, and the keys of its own (`OWN`).

use crate::host::serve::config::keys::{Key, key, shared};
use crate::host::serve::config::reference::rows;
use crate::host::serve::config::values::{
    BYTES, COUNT, DURATION, PATH, address, duration, list, networks, path, positive, small, string,
};
use crate::host::serve::config::{self as site, ConfigError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use toml::de::DeValue;

/// Everything that `fusewall ext-proc` can be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What it shares with a reverse proxy; what is about upstreams does not count.
    pub site: site::Config,
    /// `socket`
    pub socket: Option<PathBuf>,
    /// `socket_mode`: permissions of the socket, 0o600 or 0o660.
    pub socket_mode: u32,
    /// `limits.message_bytes`
    pub message_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        let mut site =
            site::Config { listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 9002))], ..Default::default() };
        site.limits.connections = 100;
        site.limits.streams = 1_000;
        Config { site, socket: None, socket_mode: 0o600, message_bytes: 16 << 20 }
    }
}

/// Keys that are not those of a reverse proxy, or mean something else there.
const OWN: &[Key<Config>] = &[
    key!(
        "listen",
        "list of `address:port`",
        r#"["127.0.0.1:9002"]"#,
        "Where Envoy connects. Port 0 takes a free port. With a `socket` it may be empty. Whoever can connect decides what the rules see: keep others out.",
        |config, value| config.site.listen = list(value, address)?
    ),
    key!("socket", PATH, "", "A unix socket where Envoy connects (`pipe` in its cluster).", |config, value| config
        .socket =
        Some(path(value)?)),
    key!(
        "socket_mode",
        "`\"0600\"` or `\"0660\"`",
        r#""0600""#,
        "Permissions of the socket; the second lets the group of the process connect, too.",
        |config, value| config.socket_mode = mode(value)?
    ),
    key!(
        "trusted_proxies",
        "list of addresses or networks (CIDR)",
        "[]",
        "Addresses whose `X-Forwarded-For` is believed, if Envoy names one of them as `source.address`. The client is then the rightmost address in it that is not itself in this list. Not needed where Envoy itself is told (`xff_num_trusted_hops`).",
        |config, value| config.site.trusted_proxies = networks(value)?
    ),
    key!(
        "upgrades",
        "list of protocol names",
        r#"["websocket"]"#,
        "Values of `Upgrade` after which the bytes are no body. The handshake is inspected, the bytes are not.",
        |config, value| config.site.upstream.upgrades = list(value, string)?
    ),
    key!(
        "tls.certificate",
        PATH,
        "",
        "Certificate chain, PEM. With it and `tls.key` the addresses speak TLS 1.2 and 1.3; the socket does not.",
        |config, value| config.site.tls.certificate = Some(path(value)?)
    ),
    key!("tls.key", PATH, "", "Private key of the certificate, PEM (PKCS #8, PKCS #1 or SEC1).", |config, value| {
        config.site.tls.key = Some(path(value)?)
    }),
    key!(
        "limits.connections",
        COUNT,
        "100",
        "Connections of Envoy: one for each of its worker threads, and more above `limits.streams`. More wait in the kernel's queue.",
        |config, value| config.site.limits.connections = positive(value)?
    ),
    key!(
        "limits.streams",
        COUNT,
        "1000",
        "Streams on one connection at a time, each of them a request; Envoy opens another connection for more.",
        |config, value| config.site.limits.streams = small(value)?
    ),
    key!(
        "limits.message_bytes",
        BYTES,
        "16777216",
        "Bytes of one message; a stream with a longer one is ended. Not less than Envoy's buffer for bodies (`per_connection_buffer_limit_bytes`), which come in one message in the buffered modes.",
        |config, value| config.message_bytes = positive(value)?
    ),
    key!(
        "timeouts.head",
        DURATION,
        r#""10s""#,
        "For the TLS handshake; then the connection is closed.",
        |config, value| config.site.timeouts.head = duration(value)?
    ),
    key!(
        "timeouts.body",
        DURATION,
        r#""30s""#,
        "Between two pieces of a request body that is held; then 408.",
        |config, value| config.site.timeouts.body = duration(value)?
    ),
    key!(
        "timeouts.body_total",
        DURATION,
        r#""5m""#,
        "For a whole request body that is held; then 408.",
        |config, value| config.site.timeouts.body_total = duration(value)?
    ),
    key!(
        "timeouts.idle",
        DURATION,
        r#""60s""#,
        "Without a byte on a connection; then Envoy is asked whether it lives (HTTP/2 PING).",
        |config, value| config.site.timeouts.idle = duration(value)?
    ),
    key!(
        "timeouts.write",
        DURATION,
        r#""60s""#,
        "For Envoy to answer that; then the connection is closed.",
        |config, value| config.site.timeouts.write = duration(value)?
    ),
    key!(
        "timeouts.shutdown",
        DURATION,
        r#""30s""#,
        "For running streams to end after SIGTERM or SIGINT; then they are cut.",
        |config, value| config.site.timeouts.shutdown = duration(value)?
    ),
];

/// Reads a configuration. `file` is used in the errors only.
///
/// # Errors
/// Everything that is wrong with it: TOML syntax, unknown keys, values that do not fit.
///
/// ```
/// use fusewall::host::ext_proc::config::parse;
/// let errors = parse("ext-proc.toml", "[limits]\nstreems = 7\n").unwrap_err();
/// assert_eq!(errors[0].to_string(), "ext-proc.toml:2: unknown key `limits.streems`; did you mean `limits.streams`?");
/// ```
pub fn parse(file: &str, text: &str) -> Result<Config, Vec<ConfigError>> {
    let (mut config, mut site) = (Config::default(), Config::default().site);
    // Keys of both kinds are read into a configuration each; what the own ones have set counts.
    site::parse_beside(file, text, (&mut config, OWN), (&mut site, &shared()), |config| {
        if config.site.listen.is_empty() && config.socket.is_none() {
            return Some(("listen", "`listen`: expected at least one address:port, or a `socket`".to_owned()));
        }
        let tls = &config.site.tls;
        (tls.certificate.is_some() != tls.key.is_some())
            .then(|| ("tls", "`tls.certificate` and `tls.key` belong together: one of them is missing".to_owned()))
    })?;
    let own = config.site;
    config.site = site::Config {
        listen: own.listen,
        trusted_proxies: own.trusted_proxies,
        tls: own.tls,
        upstream: own.upstream,
        limits: own.limits,
        timeouts: own.timeouts,
        ..site
    };
    Ok(config)
}

/// The text of `docs/ext-proc-config.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of `fusewall ext-proc`\n\n\
         `fusewall ext-proc --config FILE` reads a TOML file. All keys are optional. An unknown key, a wrong type or a value out of\n\
         range is an error that names file, line and key; nothing starts. Options on the command line take precedence over the file.\n\
         [envoy.md](envoy.md) says how Envoy is configured.\n\n\
         SIGTERM and SIGINT let running streams end. SIGHUP, to a process without a terminal, loads the rules anew; if they have\n\
         errors, those in service stay there. Everything else in this file is read once, certificates included.\n\n\
         `[[routes]]`, `[admin]` and `[[admin.callers]]` are as in [config.md](config.md).\n\n\
         This page is generated from the table of keys (`src/host/ext_proc/config.rs`); a test keeps it equal. To write it anew:\n\
         `FUSEWALL_BLESS=1 cargo test --features ext-proc --test config_reference`.\n",
    );
    // Sections together: those at the top level first.
    let (own, shared) = (OWN.iter().map(Key::row), shared());
    let (top, sections): (Vec<_>, Vec<_>) =
        own.chain(shared.iter().map(Key::row)).partition(|row| !row.name.contains('.'));
    rows(&mut text, top.into_iter().chain(sections));
    text
}

fn mode(value: &DeValue<'_>) -> Result<u32, String> {
    match string(value)?.as_str() {
        "0600" => Ok(0o600),
        "0660" => Ok(0o660),
        other => Err(format!("expected \"0600\" or \"0660\", found {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn errors(text: &str) -> Vec<String> {
        parse("f.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_default_in_the_table_is_the_default() {
        for row in OWN.iter().map(Key::row).chain(shared().iter().map(Key::row)).filter(|row| !row.default.is_empty()) {
            let text = format!("{} = {}", row.name, row.default);
            assert_eq!(parse("f.toml", &text).as_ref(), Ok(&Config::default()), "{text}");
        }
    }

    #[test]
    fn own_and_shared_keys_arrive() {
        let text = "listen = []\nsocket = '/run/f.sock'\nsocket_mode = '0660'\nthreads = 3\n[limits]\nmessage_bytes = 7\n\
                    [budget]\nrule = 77\n[timeouts]\nbody = '2s'\n[[routes]]\npath = '/up'\nover_limit = 'pass'\n[admin]\nsocket = 'a'\n";
        let config = parse("f.toml", text).unwrap();
        assert_eq!((config.socket_mode, config.message_bytes, config.site.listen.len()), (0o660, 7, 0));
        assert_eq!((config.site.threads, config.site.budget.rule), (3, 77));
        assert_eq!(config.site.timeouts.body, Duration::from_secs(2));
        assert_eq!((config.site.routes.len(), config.site.admin.socket.is_some()), (1, true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("listn = []", "f.toml:1: unknown key `listn`; did you mean `listen`?"),
            ("[limits]\nfoo_bar_baz = 1", "f.toml:2: unknown key `limits.foo_bar_baz`"),
            (
                "[limits]\nconections = 1",
                "f.toml:2: unknown key `limits.conections`; did you mean `limits.connections`?",
            ),
            ("[budget]\nruel = 1", "f.toml:2: unknown key `budget.ruel`; did you mean `budget.rule`?"),
            ("upstream.url = 'http://a'", "f.toml:1: unknown key `upstream`"),
            ("limits.streams = 0", "f.toml:1: `limits.streams`: expected an integer from 1 on, found 0"),
            ("listen = []", "f.toml:1: `listen`: expected at least one address:port, or a `socket`"),
            ("tls.key = 'k'", "f.toml:1: `tls.certificate` and `tls.key` belong together: one of them is missing"),
            ("socket_mode = '0666'", "f.toml:1: `socket_mode`: expected \"0600\" or \"0660\", found \"0666\""),
        ] {
            assert_eq!(errors(text), [expected], "{text}");
        }
        assert_eq!(errors("a = 1\nlimits.streams = 0\nbudget.rule = 0").len(), 3, "all at once");
    }
}
