//! `fusewall ext-proc`: Envoy's external processor.

use super::rules::RulesArgs;
use super::serve::{
    LAST_WORDS, Reloaded, Signals, address, admin, load, read, rules_of, runtime, serve_until_signalled, start_logging,
};
use crate::host::admin::Admin;
use crate::host::ext_proc::{Config, Server, config};
use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `ext-proc`.
#[derive(Debug, clap::Args)]
pub struct ExtProcArgs {
    /// Configuration, TOML; docs/ext-proc-config.md lists its keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Envoy connects; may be repeated. Without it: 127.0.0.1:9002
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// A unix socket where Envoy connects; without `--listen` it connects nowhere else
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Put rules into service when their files change
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Runs the command until SIGTERM or SIGINT. SIGHUP loads the rules anew, unless the command runs in a terminal.
///
/// # Errors
/// Rules that do not load, an address or a path that is taken, a certificate that does not fit.
pub fn run(args: &ExtProcArgs) -> anyhow::Result<ExitCode> {
    let Some(config) = configuration(args)? else { return Ok(ExitCode::from(1)) };
    let log = start_logging();
    let site = config.site.clone();
    let rules = rules_of(&site);
    let (waf, watching) = load(&rules, &site)?;
    let runtime = runtime(&site)?;
    let _inside = runtime.enter();
    let signals = Signals::listen().context("signals cannot be listened to")?;
    let socket = config.socket.clone();
    let server = runtime.block_on(Server::bind(config, waf.clone(), log.clone()))?;
    let (metrics, counters) = (server.metrics(), server.counters());
    let admin = admin(&site, &waf, &rules, move |text| {
        metrics.expose(text);
        counters.expose(text);
    })?;
    for address in server.addresses() {
        eprintln!("fusewall: listening for Envoy on {address}");
    }
    if let Some(socket) = socket {
        eprintln!("fusewall: listening for Envoy on {}", socket.display());
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

/// The file's configuration with the arguments over it; `None` if the file is wrong, which was printed.
fn configuration(args: &ExtProcArgs) -> anyhow::Result<Option<Config>> {
    let mut config = match &args.config {
        None => Config::default(),
        Some(path) => match read(path, config::parse)? {
            Some(config) => config,
            None => return Ok(None),
        },
    };
    if !args.listen.is_empty() || (args.socket.is_some() && args.config.is_none()) {
        config.site.listen.clone_from(&args.listen);
    }
    if args.socket.is_some() {
        config.socket.clone_from(&args.socket);
    }
    config.site.watch |= args.watch;
    args.rules.take_precedence(&mut config.site);
    Ok(Some(config))
}
