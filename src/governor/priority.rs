//! Threads whose work can wait.

/// Gives this thread, and those that it starts, what the others leave, where the system can do so for each thread (Linux: `SCHED_IDLE`,
/// sched(7)) and the package was built with what asks for it (features `cli`, `tower`). Elsewhere its work goes on like any other.
///
/// A thread that wakes takes the processor from it at once. The lowest of the ordinary priorities (nice 19) would keep it for a
/// millisecond or more. Where all processors are busy such a thread still gets about three thousandths of one.
pub fn lowest_priority() {
    #[cfg(all(target_os = "linux", any(feature = "cli", feature = "tower")))]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // A system that refuses has the work go on like any other.
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    }
}

#[cfg(all(test, target_os = "linux", any(feature = "cli", feature = "tower")))]
mod tests {
    #[test]
    fn threads_inherit_it() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells it");
            // proc_pid_stat(5): the 41st field; the second ends with the last parenthesis.
            let fields = stat.rsplit_once(')').expect("a name").1;
            fields.split_whitespace().nth(38).map(str::to_owned)
        };
        assert_eq!(policy().as_deref(), Some("0"));
        let work = move || {
            super::lowest_priority();
            (policy(), std::thread::spawn(policy).join().expect("it ends"))
        };
        let idle = || Some("5".to_owned());
        assert_eq!(std::thread::spawn(work).join().expect("it ends"), (idle(), idle()));
    }
}
