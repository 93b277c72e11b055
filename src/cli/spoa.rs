//! `fusewall spoa`: the agent for HAProxy.

use super::rules::RulesArgs;
use super::serve::{
    LAST_WORDS, Reloaded, Signals, address, load_one, read, rules_of, runtime, serve_until_signalled, start_logging,
    warn_of_openings,
};
use crate::governor::Governor;
use crate::host::scrape::Scrape;
use crate::host::serve::Watching;
use crate::host::spoa::{Agent, Config, config};
use crate::waf::Waf;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `spoa`.
#[derive(Debug, clap::Args)]
pub struct SpoaArgs {
    /// Configuration, TOML; docs/spoa-config.md lists its keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HAProxy finds the agent; may be repeated. Without it: 127.0.0.1:9000
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// Where monitoring finds /metrics; without it nowhere
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
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
    let log = start_logging();
    let runtime = runtime(&config.shared)?;
    let (applications, watching) = load(&config)?;
    let wafs: Vec<_> = applications.iter().map(|loaded| loaded.waf.clone()).collect();
    let settling = wafs.clone();
    let _inside = runtime.enter();
    let signals = Signals::listen().context("signals cannot be listened to")?;
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
        let audit = agent.audit_logs();
        let ending = || scrape.iter().for_each(Scrape::ending);
        serve_until_signalled(signals, audit, ending, applications, |down| agent.run(down)).await
    });
    drop(watching);
    // Whatever still holds the rules: an end in order is no crash.
    settling.iter().for_each(Waf::settled);
    log.flush(LAST_WORDS);
    served.map(|()| ExitCode::SUCCESS)
}

/// Loads the rules of all applications, and follows their files if that is asked for. They share the CPU that the configuration declares.
fn load(config: &Config) -> anyhow::Result<(Vec<Reloaded>, Vec<Watching>)> {
    let shared = &config.shared;
    warn_of_openings(shared);
    let governor = shared.governor.share.map(|_| Governor::new(&shared.governor));
    let (mut applications, mut followed) = (Vec::new(), Vec::new());
    for site in config.sites() {
        let (label, name) = match site.name.as_str() {
            "" => (String::new(), "spoa"),
            name => (format!("application {name}: "), name),
        };
        let tenant = governor.as_ref().map(|governor| governor.tenant(name, 1));
        let rules = RulesArgs { rules: site.rules, ..rules_of(shared) };
        let (waf, watching) = load_one(&label, &rules, shared, tenant)?;
        followed.extend(watching);
        applications.push(Reloaded { label, waf, rules });
    }
    Ok((applications, followed))
}

/// The file's configuration with the arguments over it; `None` if the file is wrong, which was printed.
fn configuration(args: &SpoaArgs) -> anyhow::Result<Option<Config>> {
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
    config.metrics = args.metrics.or(config.metrics);
    config.responses |= args.responses;
    config.shared.watch |= args.watch;
    args.rules.take_precedence(&mut config.shared);
    Ok(Some(config))
}
