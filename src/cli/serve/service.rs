//! Tells the service manager how it goes: ready, loading, ending, and at times that it still lives. By the protocol of `sd_notify(3)`:
//! datagrams to the socket that `NOTIFY_SOCKET` names. Without one nobody is told.

use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

/// The service manager. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceManager {
    line: Option<Arc<(UnixDatagram, SocketAddr)>>,
    /// How often it wants to hear that the process lives.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// As the environment names it. What is wrong there is logged, and nobody is told anything.
    pub(super) fn from_environment() -> ServiceManager {
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
            return ServiceManager::default();
        };
        match open(&socket) {
            Ok(line) => ServiceManager { line: Some(Arc::new(line)), watchdog: watchdog() },
            Err(problem) => {
                tracing::warn!(%problem, ?socket, "NOTIFY_SOCKET cannot be used: the service manager is not told");
                ServiceManager::default()
            }
        }
    }

    /// Requests are taken.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The rules are loaded anew; [`ready`](Self::ready) ends it.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=loading rules"));
    }

    /// No request is taken any more.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending");
    }

    /// Tells twice in each interval of the watchdog that the process lives. To be run where requests are served: if these threads
    /// hang, it falls silent. Never returns; without a watchdog it does nothing.
    pub(super) async fn live(self) {
        let Some(interval) = self.watchdog else { return std::future::pending().await };
        let mut beats = tokio::time::interval(interval / 2);
        loop {
            beats.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, state: &str) {
        let Some(line) = &self.line else { return };
        let (socket, manager) = &**line;
        // A manager that is gone or does not read needs no answer, and requests do not wait for it.
        if let Err(problem) = socket.send_to_addr(state.as_bytes(), manager) {
            tracing::debug!(%problem, "the service manager is not told");
        }
    }
}

fn open(socket: &OsString) -> io::Result<(UnixDatagram, SocketAddr)> {
    let manager = match socket.as_bytes() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(socket)?,
        _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "expected a path, or @ and a name")),
    };
    let own = UnixDatagram::unbound()?;
    own.set_nonblocking(true)?;
    Ok((own, manager))
}

/// The interval of the watchdog, if there is one and it is meant for this process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let other = number("WATCHDOG_PID").is_some_and(|id| id != u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|micros| *micros >= 2 && !other).map(Duration::from_micros)
}
