//! What the process logs, for all tests of this binary together.

use std::io::Write;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

static LINES: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Sink).finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody was faster");
    Mutex::default()
});

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to keep what is logged.
pub fn listen() {
    LazyLock::force(&LINES);
}

/// Waits for a line with all of `parts`.
pub fn logged(parts: &[&str]) -> String {
    logged_if(parts, || ())
}

/// The same, of something that is told so many times a second only, which other tests do as well: it is done again and again.
pub fn logged_if(parts: &[&str], again: impl Fn()) -> String {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let all = String::from_utf8_lossy(&LINES.lock().unwrap()).into_owned();
        if let Some(line) = all.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
            return line.to_owned();
        }
        assert!(Instant::now() < patience, "no line with {parts:?} in\n{all}");
        std::thread::sleep(Duration::from_millis(5));
        again();
    }
}
