//! The error log: ModSecurity-style lines, written by a thread of their own so that a slow terminal or pipe holds up no request.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Lines that may wait to be written.
const QUEUE: usize = 8192;

/// What the log's thread is told.
#[derive(Debug)]
enum Entry {
    Line(String),
    /// Everything before this is written when the sender is dropped.
    Mark {
        _written: SyncSender<()>,
    },
}

/// Where the error log goes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ErrorLog {
    lines: SyncSender<Entry>,
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
        let (lines, waiting) = sync_channel::<Entry>(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        std::thread::spawn(move || {
            for entry in waiting {
                if let Entry::Line(line) = entry {
                    write(&line);
                }
                let lost = counter.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write(&format!("{lost} log lines were lost: the log is slower than the traffic"));
                }
            }
        });
        ErrorLog { lines, lost }
    }

    /// Adds a line, without its end.
    pub(in crate::host) fn line(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Entry::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, for at most `time`: the log's thread ends with the process, whatever still waits.
    /// Blocks.
    pub fn flush(&self, time: Duration) {
        /// Between two attempts to get into a queue that is full.
        const PAUSE: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + time;
        let (written, done) = sync_channel(0);
        let mut mark = Entry::Mark { _written: written };
        while let Err(TrySendError::Full(back)) = self.lines.try_send(mark) {
            if Instant::now() > deadline {
                return;
            }
            mark = back;
            std::thread::sleep(PAUSE);
        }
        // Nothing is ever sent: the other end goes when the mark is reached.
        let _ = done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    /// A writer whose writes are lines of this log: what else the process has to say must not block on a slow terminal either.
    pub fn writer(&self) -> impl Write + use<> {
        Lines(self.clone())
    }
}

struct Lines(ErrorLog);

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.line(String::from_utf8_lossy(text).trim_end_matches('\n').to_owned());
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_flush_waits_for_a_slow_log_and_no_longer_than_it_may() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&written);
        let log = ErrorLog::to(move |line| {
            std::thread::sleep(Duration::from_millis(10));
            lines.lock().unwrap().push(line.to_owned());
        });
        for number in 0..10 {
            log.line(number.to_string());
        }
        let _ = writeln!(log.writer(), "a message");
        log.flush(Duration::from_secs(20));
        assert_eq!(written.lock().unwrap().len(), 11);
        assert_eq!(written.lock().unwrap().last().unwrap(), "a message");

        let stuck = ErrorLog::to(|_| std::thread::sleep(Duration::from_secs(60)));
        for number in 0..2 * QUEUE {
            stuck.line(number.to_string());
        }
        let start = Instant::now();
        stuck.flush(Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
