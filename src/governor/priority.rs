//! Threads whose work can wait.

/// Gives this thread, and those that it starts, the lowest priority, where the system has one for each thread (Linux) and the package
/// was built with what asks for it (features `cli`, `tower`). Elsewhere its work goes on like any other.
pub fn lowest_priority() {
    // On Linux it counts for the thread alone.
    #[cfg(all(target_os = "linux", any(feature = "cli", feature = "tower")))]
    let _ = rustix::process::setpriority_process(None, 19);
}
