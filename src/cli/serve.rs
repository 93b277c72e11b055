//! `fusewall serve`: the reverse proxy.

mod service;
mod signals;
mod watching;

use super::rules::RulesArgs;
use crate::governor::{Governor, QuarantineConfig, SystemEnv};
use crate::host::NameLookUps;
use crate::host::admin::Admin;
use crate::host::serve::{Config, ErrorLog, ServeMetrics, Server, behind, config, raise_descriptor_limit};
use crate::limits::Limits;
use crate::store::{DiskUploads, WatchedFiles};
use crate::waf::{Health, HistoryConfig, Verification, Waf, WafBuilder};
use anyhow::Context;
use service::ServiceManager;
use signals::Signals;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long the last lines of the log may take when the proxy ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

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

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected address:port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080")
}

/// Runs the command until SIGTERM or SIGINT. SIGHUP loads the rules anew, unless the command runs in a terminal, where it says that
/// the terminal has gone; SIGUSR1 opens the audit log anew.
///
/// # Errors
/// Rules that do not load, an address that is taken, a certificate that does not fit, an upstream that is no URL.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(args)? else { return Ok(ExitCode::from(1)) };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let log = ErrorLog::stderr();
    let messages = log.clone();
    let colours = std::io::stderr().is_terminal();
    // Whoever has set up logging before knows better.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(move || messages.writer())
        .try_init();

    super::panics::report();
    raise_descriptor_limit();
    let rules = rules_of(&config);
    let files = WatchedFiles::default();
    let builder = builder(&rules, &config);
    let waf = rules.load(if config.watch { builder.files(files.clone()) } else { builder })?;
    if let Health::Degraded { why, generation } = waf.health() {
        tracing::error!(generation = generation.number, origin = ?generation.origin, "degraded: {why}");
    }
    verify_behind(&waf);
    let watching = if config.watch { Some(watching::start(&waf, &rules, files)?) } else { None };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.threads > 0 {
        runtime.worker_threads(config.threads);
    }
    let runtime = runtime.enable_all().build().context("the runtime does not start")?;
    let _inside = runtime.enter();
    let signals = Signals::listen().context("signals cannot be listened to")?;
    let server = runtime.block_on(Server::bind(config.clone(), waf.clone(), log.clone()))?;
    let admin = admin(&config, &waf, &rules, server.metrics())?;
    let scheme = if config.tls.certificate.is_some() { "https" } else { "http" };
    let upstream = config.upstream.url.as_deref().unwrap_or("built-in echo page");
    for address in server.addresses() {
        eprintln!("fusewall: listening on {scheme}://{address}, upstream: {upstream}");
    }
    // In a terminal SIGHUP says that this has gone.
    let reloaded = (!colours).then(|| (waf.clone(), rules));
    let served = runtime.block_on(signals.serve(server, admin.as_ref(), reloaded, ServiceManager::from_environment()));
    drop(watching);
    // Whatever still holds the rules: an end in order is no crash.
    waf.settled();
    log.flush(LAST_WORDS);
    served.map(|()| ExitCode::SUCCESS)
}

/// The rules that a configuration names.
fn rules_of(config: &Config) -> RulesArgs {
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
    let config = read(path)?;
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

/// The admin API, if there is to be one.
fn admin(config: &Config, waf: &Waf, rules: &RulesArgs, metrics: ServeMetrics) -> anyhow::Result<Option<Admin>> {
    if !config.admin.is_on() {
        return Ok(None);
    }
    let builder = Admin::builder(config.admin.clone(), waf.clone()).source(rules.source());
    let admin = builder.when_promoted(verify_behind).also(move |text| metrics.expose(text)).start()?;
    if let Some(socket) = &config.admin.socket {
        eprintln!("fusewall: admin API on {}", socket.display());
    }
    if let Some(address) = admin.address() {
        eprintln!("fusewall: admin API on https://{address}");
    }
    Ok(Some(admin))
}

/// What the engine gets of the configuration.
fn builder(rules: &RulesArgs, config: &Config) -> WafBuilder {
    for opening in config.openings() {
        tracing::warn!("{opening}");
    }
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
    if config.governor.share.is_some() {
        builder = builder.tenant(Governor::new(&config.governor).tenant("serve", 1));
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
        Some(path) => match read(path)? {
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
    if !args.rules.rules.is_empty() {
        config.rules.clone_from(&args.rules.rules);
    }
    if args.rules.bundle_key.is_some() {
        config.bundle_key.clone_from(&args.rules.bundle_key);
    }
    if args.rules.cache.is_some() {
        config.cache.clone_from(&args.rules.cache);
    }
    if !args.rules.descriptors.is_empty() {
        config.descriptors.clone_from(&args.rules.descriptors);
    }
    config.allow_empty |= args.rules.allow_empty;
    config.watch |= args.watch;
    config.remote_rules.allow |= args.rules.allow_remote_rules;
    if args.rules.remote_rules_ca.is_some() {
        config.remote_rules.ca.clone_from(&args.rules.remote_rules_ca);
    }
    Ok(Some(config))
}

fn read(path: &Path) -> anyhow::Result<Option<Config>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    match config::parse(&path.display().to_string(), &text) {
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
