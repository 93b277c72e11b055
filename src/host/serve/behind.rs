//! Work that must not take anything from the requests.

use std::io;

/// Does some work on a thread of its own, which gets what the others leave: loading rules, comparing automata. Threads that it starts
/// inherit that. On Linux alone: elsewhere priorities are those of whole processes, and the thread is one like all others.
///
/// # Errors
/// The system has no thread to give.
pub fn behind<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // To be nicer than others needs no permission.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 19);
        work()
    })
}
