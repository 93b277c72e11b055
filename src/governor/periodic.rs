//! Work that is done again and again beside the requests.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that does its work every so often, until this is dropped. Dropping waits for work under way.
#[derive(Debug)]
pub struct Periodic {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Periodic {
    /// Starts to do `work` with `millis` milliseconds between two times.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(name: &str, millis: u64, mut work: impl FnMut() + Send + 'static) -> io::Result<Periodic> {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = Arc::clone(&stopped);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let (flag, signal) = &*shared;
            loop {
                let held = flag.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = signal.wait_timeout_while(held, Duration::from_millis(millis), |stopped| !*stopped);
                let (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if *held {
                    return;
                }
                drop(held);
                work();
            }
        })?;
        Ok(Periodic { stopped, thread: Some(thread) })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        let (flag, signal) = &*self.stopped;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        signal.notify_all();
        if let Some(thread) = self.thread.take() {
            // Work that has panicked has ended as well.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn it_works_again_and_again_and_stops_when_dropped() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let periodic = Periodic::start("test", 1, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let periodic = periodic.expect("a thread");
        while count.load(Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        drop(periodic);
        let then = count.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(count.load(Ordering::Relaxed), then);
    }
}
