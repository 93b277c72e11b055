//! CPU time of the calling thread: what a measurement counts on a machine that has other work to do.

use std::time::Duration;

/// CPU time that this thread has used so far, in user and system mode.
///
/// Where the system does not count it by thread, this is wall-clock time since the first call. Reading it costs about a microsecond.
#[cfg(unix)]
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time that this thread has used so far, in user and system mode.
#[cfg(not(unix))]
pub fn thread_cpu_time() -> Duration {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_and_sleep_does_not() {
        let start = thread_cpu_time();
        std::thread::sleep(Duration::from_millis(30));
        let slept = thread_cpu_time() - start;
        let mut sum = 0_u64;
        while thread_cpu_time() - start < slept + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        #[cfg(unix)]
        assert!(slept < Duration::from_millis(20), "{slept:?}");
    }
}
