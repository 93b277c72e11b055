//! `fusewall spoa`: the agent for HAProxy.

use super::rules::RulesArgs;
use super::serve::{self, LAST_WORDS, LoadedRules};
use crate::governor::Governor;
use crate::host::scrape::Scrape;
use crate::host::serve::raise_descriptor_limit;
use crate::host::spoa::{Agent, Config, config};
use anyhow::Context;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Arguments of `spoa`.
#[derive(Debug, clap::Args)]
pub struct SpoaArgs {
    /// Configuration, TOML; docs/spoa-config.md lists its keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HAProxy finds the agent; may be repeated. Without it: 127.0.0.1:9000
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = serve::address)]
    listen: Vec<SocketAddr>,
    /// Where monitoring finds /metrics; without it nowhere
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = serve::address)]
    metrics: Option<SocketAddr>,
    /// HAProxy sends response messages as well
    #[arg(long)]
    responses: bool,
    /// Put rules into service when their files change
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Runs the command until SIGTERM or SIGINT. SIGHUP loads the rules anew, unless the command runs in a terminal, where it says that
/// the terminal has gone.
///
/// # Errors
/// Rules that do not load, an address that is taken.
pub fn run(args: &SpoaArgs) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(args)? else { return Ok(ExitCode::from(1)) };
    let log = serve::start_log();
    serve::warn_of_openings(&config.shared);
    raise_descriptor_limit();
    let applications = load(&config)?;
    let watching = applications.iter().map(|loaded| loaded.watch(&config.shared));
    let watching = watching.collect::<anyhow::Result<Vec<_>>>()?;
    let runtime = serve::runtime(&config.shared)?;
    let wafs: Vec<_> = applications.iter().map(|loaded| loaded.waf.clone()).collect();
    let ending = wafs.clone();
    let served: anyhow::Result<()> = runtime.block_on(async {
        let metrics = config.metrics;
        let agent = Agent::bind(config, wafs, log.clone()).await?;
        for address in agent.addresses() {
            eprintln!("fusewall: listening for HAProxy on {address}");
        }
        let scrape = match metrics {
            None => None,
            Some(address) => {
                let started = Scrape::start(address, agent.metrics());
                let scrape = started.with_context(|| format!("cannot listen on {address} for metrics"))?;
                eprintln!("fusewall: metrics on http://{}/metrics", scrape.address());
                Some(scrape)
            }
        };
        tokio::select! {
            ended = until_signalled(agent, scrape.as_ref()) => ended,
            failed = reload_on_hangup(applications), if !std::io::stderr().is_terminal() => failed,
        }
    });
    drop(watching);
    // Whatever still holds the rules: an end in order is no crash.
    ending.iter().for_each(crate::waf::Waf::settled);
    log.flush(LAST_WORDS);
    served.map(|()| ExitCode::SUCCESS)
}

/// The rules of all applications. They share the CPU that the configuration declares.
fn load(config: &Config) -> anyhow::Result<Vec<LoadedRules>> {
    let shared = &config.shared;
    let governor = shared.governor.share.map(|_| Governor::new(&shared.governor));
    let sites = config.sites().into_iter().map(|site| {
        let label = if site.name.is_empty() { String::new() } else { format!("application {}: ", site.name) };
        let rules = RulesArgs { rules: site.rules, ..serve::rules_of(shared) };
        let name = if site.name.is_empty() { "spoa" } else { &site.name };
        let tenant = governor.as_ref().map(|governor| governor.tenant(name, 1));
        LoadedRules::load(&label, rules, shared, tenant).with_context(|| label)
    });
    sites.collect()
}

/// The file's configuration with the arguments over it; `None` if the file is wrong, which was printed.
fn configuration(args: &SpoaArgs) -> anyhow::Result<Option<Config>> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => match serve::read(path, config::parse)? {
            Some(config) => config,
            None => return Ok(None),
        },
    };
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    config.metrics = args.metrics.or(config.metrics);
    config.responses |= args.responses;
    serve::override_rules(&mut config.shared, &args.rules, args.watch);
    Ok(Some(config))
}

/// Loads the rules of each application anew on every SIGHUP.
async fn reload_on_hangup(applications: Vec<LoadedRules>) -> anyhow::Result<()> {
    let mut reloading = JoinSet::new();
    for loaded in applications {
        reloading.spawn(async move { serve::reload_on_hangup(&loaded).await });
    }
    match reloading.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

/// Serves until the first signal, and then until running inspections have ended or a second signal comes.
async fn until_signalled(agent: Agent, scrape: Option<&Scrape>) -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let reopening = serve::reopen_on_hangup(agent.audit_logs())?;
    let (down, wait) = tokio::sync::oneshot::channel::<()>();
    let serving = agent.run(async {
        // A sender that is gone is as good as a signal.
        let _ = wait.await;
    });
    let signalled = async {
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
        eprintln!("fusewall: ending; a second signal ends at once");
        if let Some(scrape) = scrape {
            scrape.ending();
        }
        drop(down);
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
    };
    tokio::select! {
        () = serving => {}
        () = signalled => {}
    }
    reopening.abort();
    Ok(())
}
