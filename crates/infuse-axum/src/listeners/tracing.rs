use std::error::Error;

use infuse_storage::{Breaker, Interest, Listener, Rejected};
use tracing::debug;

/// Logs what becomes of each call. (Changes are logged without it.)
pub(super) struct TracingListener;

impl Listener for TracingListener {
    fn interest(&self) -> Interest {
        Interest::Everything
    }

    fn success(&self, breaker: &Breaker) {
        debug!(target: "infuse::call", circuit = breaker.name(), "a call succeeded");
    }

    fn failure(&self, breaker: &Breaker, error: Option<&(dyn Error + 'static)>) {
        let circuit = breaker.name();
        debug!(target: "infuse::call", circuit, error, "a call failed");
    }

    fn ignored(&self, breaker: &Breaker) {
        debug!(target: "infuse::call", circuit = breaker.name(), "a call counted as nothing");
    }

    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        let circuit = breaker.name();
        debug!(target: "infuse::call", circuit, reason = %rejected.reason(), "a call was rejected");
    }

    fn would_reject(&self, breaker: &Breaker, rejected: Rejected) {
        let circuit = breaker.name();
        debug!(
            target: "infuse::call",
            circuit,
            reason = %rejected.reason(),
            "a call would have been rejected",
        );
    }
}
