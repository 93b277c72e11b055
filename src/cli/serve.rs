//! `fusewall serve`: the reverse proxy.

mod service;
mod signals;
mod watching;

use super::rules::RulesArgs;
use crate::governor::{Exposition, Governor, QuarantineConfig, SystemEnv, Tenant};
use crate::host::NameLookUps;
use crate::host::admin::Admin;
use crate::host::audit::AuditLog;
use crate::host::serve::config::ConfigError;
use crate::host::serve::{Config, ErrorLog, Server, Watching, behind, config, raise_descriptor_limit};
use crate::limits::Limits;
use crate::store::{DiskUploads, WatchedFiles};
use crate::waf::{Health, HistoryConfig, Verification, Waf, WafBuilder};
use anyhow::Context;
use service::ServiceManager;
use signals::Down;
pub(super) use signals::{Reloaded, Signals};
use std::future::Future;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long the last lines of the log may take when the proxy ends.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Configuration, TOML; docs/config.md lists its keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; may be repeated. Without it: 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// The web server to protect. Without it a built-in page answers
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Put rules into service when their files change
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected address:port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080")
}

/// Runs the command until SIGTERM or SIGINT. SIGHUP loads the rules anew, unless the command runs in a terminal, where it says that
/// the terminal has gone; SIGUSR1 opens the audit log anew.
///
/// # Errors
/// Rules that do not load, an address that is taken, a certificate that does not fit, an upstream that is no URL.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(args)? else { return Ok(ExitCode::from(1)) };
    let log = start_logging();
    let rules = rules_of(&config);
    let (waf, watching) = load(&rules, &config)?;
    let runtime = runtime(&config)?;
    let _inside = runtime.enter();
    let signals = Signals::listen().context("signals cannot be listened to")?;
    let server = runtime.block_on(Server::bind(config.clone(), waf.clone(), log.clone()))?;
    let metrics = server.metrics();
    let admin = admin(&config, &waf, &rules, move |text| metrics.expose(text))?;
    let scheme = if config.tls.certificate.is_some() { "https" } else { "http" };
    let upstream = config.upstream.url.as_deref().unwrap_or("built-in echo page");
    for address in server.addresses() {
        eprintln!("fusewall: listening on {scheme}://{address}, upstream: {upstream}");
    }
    let ending = || admin.iter().for_each(Admin::ending);
    let served = serve_until_signalled(signals, server.audit_log(), ending, Reloaded::only(&waf, rules), |down| {
        server.run(down)
    });
    let served = runtime.block_on(served);
    drop(watching);
    // Whatever still holds the rules: an end in order is no crash.
    waf.settled();
    log.flush(LAST_WORDS);
    served.map(|()| ExitCode::SUCCESS)
}

/// Sets up what a process that stays needs: its log, and as many open files as it may have.
pub(super) fn start_logging() -> ErrorLog {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = ErrorLog::stderr();
    let messages = log.clone();
    // Whoever has set up logging before knows better.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(move || messages.writer())
        .try_init();
    super::panics::report();
    raise_descriptor_limit();
    log
}

/// Loads the rules, and follows their files if that is asked for.
pub(super) fn load(rules: &RulesArgs, config: &Config) -> anyhow::Result<(Waf, Option<Watching>)> {
    warn_of_openings(config);
    let tenant = config.governor.share.map(|_| Governor::new(&config.governor).tenant("serve", 1));
    load_one("", rules, config, tenant)
}

/// Loads the rules of one of several sites. The label stands before messages about them.
pub(super) fn load_one(
    label: &str,
    rules: &RulesArgs,
    config: &Config,
    tenant: Option<Arc<Tenant>>,
) -> anyhow::Result<(Waf, Option<Watching>)> {
    let files = WatchedFiles::default();
    let builder = builder(rules, config, tenant);
    let waf = rules.load(if config.watch { builder.files(files.clone()) } else { builder })?;
    if let Health::Degraded { why, generation } = waf.health() {
        tracing::error!(generation = generation.number, origin = ?generation.origin, "{label}degraded: {why}");
    }
    verify_behind(&waf);
    let watching = if config.watch { Some(watching::start(label, &waf, rules, files)?) } else { None };
    Ok((waf, watching))
}

/// Says what lets pass what nobody has inspected to its end.
pub(super) fn warn_of_openings(config: &Config) {
    for opening in config.openings() {
        tracing::warn!("{opening}");
    }
}

/// With as many threads as the configuration says.
pub(super) fn runtime(config: &Config) -> anyhow::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.threads > 0 {
        runtime.worker_threads(config.threads);
    }
    runtime.enable_all().build().context("the runtime does not start")
}

/// Serves until a signal ends it. Others load the rules anew, unless the process runs in a terminal, where SIGHUP says that this has
/// gone, and open the audit logs anew. `ending` is told of the end before it begins.
pub(super) async fn serve_until_signalled<S: Future<Output = ()>>(
    signals: Signals,
    audit: impl IntoIterator<Item = AuditLog>,
    ending: impl FnOnce(),
    reloaded: Vec<Reloaded>,
    serve: impl FnOnce(Down) -> S,
) -> anyhow::Result<()> {
    let reloaded = if std::io::stderr().is_terminal() { Vec::new() } else { reloaded };
    let audit = audit.into_iter().collect();
    signals.serve(serve, audit, ending, reloaded, ServiceManager::from_environment()).await
}

/// The rules that a configuration names.
pub(super) fn rules_of(config: &Config) -> RulesArgs {
    RulesArgs {
        rules: config.rules.clone(),
        bundle_key: config.bundle_key.clone(),
        cache: config.cache.clone(),
        allow_empty: config.allow_empty,
        descriptors: config.descriptors.clone(),
        allow_remote_rules: config.remote_rules.allow,
        remote_rules_ca: config.remote_rules.ca.clone(),
    }
}

/// The rules and limits of a configuration file, for `check --config`; `None` if the file is wrong, which was printed.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn configured(path: &Path) -> anyhow::Result<Option<(RulesArgs, Limits)>> {
    let config = read(path, config::parse)?;
    Ok(config.map(|config| {
        for opening in config.openings() {
            eprintln!("warning: {opening}");
        }
        (rules_of(&config), limits(&config))
    }))
}

fn limits(config: &Config) -> Limits {
    let limits =
        Limits { audit_record_bytes: config.audit.record_bytes, block_lists: config.block_lists, ..Limits::default() };
    config.budget.within(limits)
}

/// The admin API, if there is to be one; `also` adds what the host itself counts.
pub(super) fn admin(
    config: &Config,
    waf: &Waf,
    rules: &RulesArgs,
    also: impl Fn(&mut Exposition) + Send + Sync + 'static,
) -> anyhow::Result<Option<Admin>> {
    if !config.admin.is_on() {
        return Ok(None);
    }
    let builder = Admin::builder(config.admin.clone(), waf.clone()).source(rules.source());
    let admin = builder.when_promoted(verify_behind).also(also).start()?;
    if let Some(socket) = &config.admin.socket {
        eprintln!("fusewall: admin API on {}", socket.display());
    }
    if let Some(address) = admin.address() {
        eprintln!("fusewall: admin API on https://{address}");
    }
    Ok(Some(admin))
}

/// What the engine gets of the configuration.
fn builder(rules: &RulesArgs, config: &Config, tenant: Option<Arc<Tenant>>) -> WafBuilder {
    let variables = config.environment.iter().filter_map(|name| {
        let Some(value) = std::env::var_os(name) else {
            tracing::warn!(
                name,
                "`environment` names a variable that the process does not have: rules find no ENV:{name}"
            );
            return None;
        };
        Some((name.as_bytes(), value.into_encoded_bytes()))
    });
    let builder =
        rules.builder().limits(limits(config)).data_dir().uploads(DiskUploads::new()).remember_automata(Arc::default());
    let mut builder = builder.env(SystemEnv::with_variables(variables));
    if let Some(tenant) = tenant {
        builder = builder.tenant(tenant);
    }
    if let Some(folder) = &config.history {
        builder = builder.history(HistoryConfig::new(folder));
    }
    if let Some(minimum) = config.min_serial {
        builder = builder.min_serial(minimum);
    }
    if config.quarantine {
        builder = builder.quarantine(QuarantineConfig::default());
    }
    if config.block_lists > 0 { builder.resolver(NameLookUps::system()) } else { builder }
}

/// The file's configuration with the arguments over it; `None` if the file is wrong, which was printed.
fn configuration(args: &ServeArgs) -> anyhow::Result<Option<Config>> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => match read(path, config::parse)? {
            Some(config) => config,
            None => return Ok(None),
        },
    };
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    if args.upstream.is_some() {
        config.upstream.url.clone_from(&args.upstream);
    }
    config.watch |= args.watch;
    args.rules.take_precedence(&mut config);
    Ok(Some(config))
}

impl RulesArgs {
    /// Puts what the command line says about rules over what the file says.
    pub(super) fn take_precedence(&self, config: &mut Config) {
        if !self.rules.is_empty() {
            config.rules.clone_from(&self.rules);
        }
        if self.bundle_key.is_some() {
            config.bundle_key.clone_from(&self.bundle_key);
        }
        if self.cache.is_some() {
            config.cache.clone_from(&self.cache);
        }
        if !self.descriptors.is_empty() {
            config.descriptors.clone_from(&self.descriptors);
        }
        config.allow_empty |= self.allow_empty;
        config.remote_rules.allow |= self.allow_remote_rules;
        if self.remote_rules_ca.is_some() {
            config.remote_rules.ca.clone_from(&self.remote_rules_ca);
        }
    }
}

/// Reads a configuration; `None` if it is wrong, which was printed.
pub(super) fn read<T>(path: &Path, parse: fn(&str, &str) -> Result<T, Vec<ConfigError>>) -> anyhow::Result<Option<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    match parse(&path.display().to_string(), &text) {
        Ok(config) => Ok(Some(config)),
        Err(errors) => {
            for error in errors {
                eprintln!("error: {error}");
            }
            Ok(None)
        }
    }
}

/// Compares automata that came from a bundle or from the cache with what compiling makes, on a thread of the lowest priority.
fn verify_behind(waf: &Waf) {
    let waf = waf.clone();
    let verify = move || match waf.verify() {
        Verification::Nothing => {}
        Verification::Same { patterns } => {
            tracing::info!(patterns, "the loaded automata are those that compiling the rules makes");
        }
        Verification::Different { from, patterns, replaced } => {
            let (from, first) = (from.display(), patterns.first().map(String::as_str).unwrap_or_default());
            let outcome = match replaced {
                Some(Ok(generation)) => format!("the rules were compiled, generation {generation} is in service"),
                Some(Err(report)) => format!("the rules do not load, the wrong automata stay in service: {report}"),
                None => "other rules are in service already".to_owned(),
            };
            let differing = patterns.len();
            tracing::error!(%from, differing, first, "loaded automata are not those of the rules: {outcome}");
        }
    };
    if let Err(problem) = behind("fusewall-verify", verify) {
        tracing::error!(%problem, "the loaded automata are not compared with the rules");
    }
}
