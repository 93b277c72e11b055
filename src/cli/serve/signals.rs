//! What signals ask of a running proxy: to end, to load the rules anew, to open its log files anew.

use super::super::rules::{RulesArgs, print_findings};
use super::service::ServiceManager;
use super::verify_behind;
use crate::host::audit::AuditLog;
use crate::host::serve::behind;
use crate::waf::Waf;
use std::future::Future;
use std::pin::Pin;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready when the server is to take no more requests.
pub(in crate::cli) type Down = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Rules that SIGHUP loads anew.
pub(in crate::cli) struct Reloaded {
    /// What stands before messages about them: nothing, or whose they are.
    pub(in crate::cli) label: String,
    pub(in crate::cli) waf: Waf,
    pub(in crate::cli) rules: RulesArgs,
}

impl Reloaded {
    /// Those of a process that has no others.
    pub(in crate::cli) fn only(waf: &Waf, rules: RulesArgs) -> Vec<Self> {
        vec![Reloaded { label: String::new(), waf: waf.clone(), rules }]
    }
}

/// The signals that are listened to: from its making on, none of them ends the process by surprise.
pub(in crate::cli) struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
    rotated: [Signal; 2],
}

impl Signals {
    /// # Errors
    /// The system has no place for another handler.
    pub(in crate::cli) fn listen() -> std::io::Result<Signals> {
        let rotated = [signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?];
        let (term, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { term, interrupt, hangup: signal(SignalKind::hangup())?, rotated })
    }

    /// Serves until the first SIGTERM or SIGINT, and then until running requests have ended or a second one comes. SIGHUP loads the
    /// rules anew if there are some to load (in a terminal it says that this has gone), SIGHUP and SIGUSR1 open the audit logs anew.
    pub(super) async fn serve<S: Future<Output = ()>>(
        self,
        serve: impl FnOnce(Down) -> S,
        audit: Vec<AuditLog>,
        ending: impl FnOnce(),
        reloaded: Vec<Reloaded>,
        manager: ServiceManager,
    ) -> anyhow::Result<()> {
        let Signals { term, interrupt, hangup, rotated } = self;
        let reopening = rotated.map(|signal| tokio::spawn(reopen(signal, audit.clone())));
        let reload = !reloaded.is_empty();
        let living = tokio::spawn(manager.clone().live());
        manager.ready("serving");
        tokio::select! {
            () = until_ended(serve, ending, term, interrupt, &manager) => {}
            failed = reload_rules(hangup, reloaded, &manager), if reload => failed?,
        }
        reopening.iter().for_each(tokio::task::JoinHandle::abort);
        living.abort();
        Ok(())
    }
}

async fn until_ended<S: Future<Output = ()>>(
    serve: impl FnOnce(Down) -> S,
    ending: impl FnOnce(),
    mut term: Signal,
    mut interrupt: Signal,
    manager: &ServiceManager,
) {
    let (down, wait) = tokio::sync::oneshot::channel::<()>();
    let serving = serve(Box::pin(async {
        // A sender that is gone is as good as a signal.
        let _ = wait.await;
    }));
    let signalled = async {
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
        eprintln!("fusewall: ending; a second signal ends at once");
        manager.stopping();
        ending();
        drop(down);
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
    };
    tokio::select! {
        () = serving => {}
        () = signalled => {}
    }
}

/// Opens audit logs anew whenever the signal comes: what tools that rotate logs send.
async fn reopen(mut signal: Signal, audit: Vec<AuditLog>) {
    while signal.recv().await.is_some() {
        for audit in audit.clone() {
            // It waits for a place in the queue.
            let _ = tokio::task::spawn_blocking(move || audit.reopen()).await;
        }
    }
}

/// Puts the rules into service that the files hold now, on every SIGHUP. Rules with errors are printed and left aside.
async fn reload_rules(mut hangup: Signal, reloaded: Vec<Reloaded>, manager: &ServiceManager) -> anyhow::Result<()> {
    while hangup.recv().await.is_some() {
        manager.reloading();
        let mut status = String::from("serving");
        for Reloaded { label, waf, rules } in &reloaded {
            let (loading, source) = (waf.clone(), rules.source());
            let (done, loaded) = tokio::sync::oneshot::channel();
            // Whoever waits for an answer does not wait for the compiler.
            behind("fusewall-load", move || done.send(loading.replace(&source)).ok())?;
            match loaded.await? {
                Ok((generation, report)) => {
                    verify_behind(waf);
                    print_findings(&report.without_notes());
                    eprintln!("fusewall: {label}rules loaded anew, generation {generation}");
                    status += &format!(", {label}generation {generation}");
                }
                Err(report) => {
                    print_findings(&report.without_notes());
                    eprintln!("fusewall: {label}the rules do not load; those in service stay there");
                    status += &format!("; {label}the last reload has failed");
                }
            }
        }
        manager.ready(&status);
    }
    Ok(())
}
