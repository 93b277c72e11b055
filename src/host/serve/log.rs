//! The error log: ModSecurity-style lines, written by a thread of their own so that a slow terminal or pipe holds up no request.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

/// Lines that may wait to be written.
const QUEUE: usize = 8192;

/// Where the error log goes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ErrorLog {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl ErrorLog {
    /// To the standard error stream.
    pub fn stderr() -> Self {
        Self::to(|line| {
            // There is nowhere left to report a closed standard error stream to.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        })
    }

    /// To a function, which a thread of the log calls once for each line. When it is slower than the traffic, lines are
    /// lost and counted; the number is a line of its own.
    pub fn to(mut write: impl FnMut(&str) + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel::<String>(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        std::thread::spawn(move || {
            for line in waiting {
                write(&line);
                let lost = counter.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write(&format!("{lost} log lines were lost: the log is slower than the traffic"));
                }
            }
        });
        ErrorLog { lines, lost }
    }

    /// Adds a line, without its end.
    pub(super) fn line(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(line) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
