//! Panics that somebody catches: hosts do, and a caller never learns. The hook that each panic goes through does.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// One at a time: whose panic it was is known then.
static TURN: Mutex<()> = Mutex::new(());

/// Does something in which nothing may panic, on any thread, whether it is caught or not.
pub fn none_in<T>(run: impl FnOnce() -> T) -> T {
    static COUNTED: Once = Once::new();
    COUNTED.call_once(|| {
        // A fuzzer's own hook ends the process with the first one.
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            COUNT.fetch_add(1, Ordering::SeqCst);
            before(about);
        }));
    });
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = COUNT.load(Ordering::SeqCst);
    let answer = run();
    assert_eq!(COUNT.load(Ordering::SeqCst), before, "a panic was caught; the line above says which");
    answer
}
