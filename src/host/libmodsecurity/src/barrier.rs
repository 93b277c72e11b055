//! No panic crosses into the host.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what an exported function does; a panic in it becomes `otherwise`. The panic itself has written its line to the standard
/// error by then, which nginx keeps as its error log.
pub fn guarded<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    // What the call had in its hands is either given up with it, or knows that it is broken (`Transaction::broken`).
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_becomes_the_error() {
        assert_eq!(super::guarded(-1, || 1), 1);
        assert_eq!(super::guarded(-1, || panic!("on purpose")), -1);
    }
}
