//! Tells the operator when data that rules ask for is not there: so many lines a second, whatever the traffic.

use crate::engine;
use crate::governor::Report;

/// Logs what an exchange has missed.
pub(super) fn report(inner: &engine::Transaction) {
    for (what, why) in inner.missing() {
        let Some(left_out) = Report::Missing.admit() else { return };
        let (unique_id, left_out) = (inner.unique_id(), left_out.count());
        match why {
            Some(why) => tracing::warn!(unique_id, what, %why, left_out, "data that rules ask for is not there"),
            None => tracing::warn!(unique_id, what, left_out, "data that rules ask for is not there"),
        }
    }
}
