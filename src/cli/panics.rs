//! Panics, which the engine's guards catch, in the log.

use crate::governor::Report;

/// Has panics reported like everything else that goes wrong: by a thread of their own, and not more often than is of use.
pub fn report() {
    std::panic::set_hook(Box::new(|panic| {
        if let Some(left_out) = Report::InternalError.admit() {
            tracing::error!(left_out = left_out.count(), "{panic}");
        }
    }));
}
