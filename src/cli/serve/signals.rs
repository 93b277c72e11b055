//! What signals ask of a running proxy: to end, to load the rules anew, to open its log files anew.

use super::super::rules::{RulesArgs, print_findings};
use super::service::ServiceManager;
use super::verify_behind;
use crate::host::admin::Admin;
use crate::host::audit::AuditLog;
use crate::host::serve::{Server, behind};
use crate::waf::Waf;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are listened to: from its making on, none of them ends the process by surprise.
pub(super) struct Signals {
    term: Signal,
    interrupt: Signal,
    hangup: Signal,
    rotated: [Signal; 2],
}

impl Signals {
    /// # Errors
    /// The system has no place for another handler.
    pub(super) fn listen() -> std::io::Result<Signals> {
        let rotated = [signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?];
        let (term, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { term, interrupt, hangup: signal(SignalKind::hangup())?, rotated })
    }

    /// Serves until the first SIGTERM or SIGINT, and then until running requests have ended or a second one comes. SIGHUP loads the
    /// rules anew if there are some to load (in a terminal it says that this has gone), SIGHUP and SIGUSR1 open the audit log anew.
    pub(super) async fn serve(
        self,
        server: Server,
        admin: Option<&Admin>,
        reloaded: Option<(Waf, RulesArgs)>,
        manager: ServiceManager,
    ) -> anyhow::Result<()> {
        let Signals { term, interrupt, hangup, rotated } = self;
        let reopening = rotated.map(|signal| tokio::spawn(reopen(signal, server.audit_log())));
        let reload = reloaded.is_some();
        let living = tokio::spawn(manager.clone().live());
        manager.ready("serving");
        tokio::select! {
            () = until_ended(server, admin, term, interrupt, &manager) => {}
            failed = reload_rules(hangup, reloaded, &manager), if reload => failed?,
        }
        reopening.iter().for_each(tokio::task::JoinHandle::abort);
        living.abort();
        Ok(())
    }
}

async fn until_ended(
    server: Server,
    admin: Option<&Admin>,
    mut term: Signal,
    mut interrupt: Signal,
    manager: &ServiceManager,
) {
    let (down, wait) = tokio::sync::oneshot::channel::<()>();
    let serving = server.run(async {
        // A sender that is gone is as good as a signal.
        let _ = wait.await;
    });
    let signalled = async {
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
        eprintln!("fusewall: ending; a second signal ends at once");
        manager.stopping();
        if let Some(admin) = admin {
            admin.ending();
        }
        drop(down);
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
    };
    tokio::select! {
        () = serving => {}
        () = signalled => {}
    }
}

/// Opens the audit log anew whenever the signal comes: what tools that rotate logs send.
async fn reopen(mut signal: Signal, audit: Option<AuditLog>) {
    while signal.recv().await.is_some() {
        if let Some(audit) = audit.clone() {
            // It waits for a place in the queue.
            let _ = tokio::task::spawn_blocking(move || audit.reopen()).await;
        }
    }
}

/// Puts the rules into service that the files hold now, on every SIGHUP. Rules with errors are printed and left aside.
async fn reload_rules(
    mut hangup: Signal,
    reloaded: Option<(Waf, RulesArgs)>,
    manager: &ServiceManager,
) -> anyhow::Result<()> {
    let Some((waf, rules)) = reloaded else { return Ok(()) };
    while hangup.recv().await.is_some() {
        manager.reloading();
        let (loading, source) = (waf.clone(), rules.source());
        let (done, loaded) = tokio::sync::oneshot::channel();
        // Whoever waits for an answer does not wait for the compiler.
        behind("fusewall-load", move || done.send(loading.replace(&source)).ok())?;
        match loaded.await? {
            Ok((generation, report)) => {
                verify_behind(&waf);
                print_findings(&report.without_notes());
                eprintln!("fusewall: rules loaded anew, generation {generation}");
                manager.ready(&format!("serving, generation {generation}"));
            }
            Err(report) => {
                print_findings(&report.without_notes());
                eprintln!("fusewall: the rules do not load; those in service stay there");
                manager.ready("serving; the last reload has failed");
            }
        }
    }
    Ok(())
}
