//! A call that a circuit rejected, and when its caller is told to come back.

use std::{sync::Arc, time::Duration};

use infuse_storage::{Circuit, Policy, Rejected, core::Reason};

use crate::random;

/// The least that a caller is told: 0 would ask for a retry at once.
const LEAST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    pub(crate) rejected: Rejected,
    /// The circuit that rejected, unless it is the service's own.
    pub(crate) below: Option<Arc<str>>,
    /// How long until the circuit may let a call through.
    pub(crate) left: Duration,
    /// When callers are told to come back, in whole seconds.
    pub(crate) come_back: u64,
}

impl Rejection {
    /// `jitter` is the share of the time left, 0 to 1, up to which callers come back later at
    /// random.
    pub(crate) fn new(circuit: &Circuit, rejected: Rejected, jitter: f64) -> Self {
        Self::within(rejected, jitter, || circuit.policy().reset_timeout())
    }

    /// By a circuit of which nothing else is known.
    pub(crate) fn of_a_stranger(rejected: Rejected) -> Self {
        Self::within(rejected, 0.0, || Policy::default().reset_timeout())
    }

    fn within(rejected: Rejected, jitter: f64, usual: impl FnOnce() -> Duration) -> Self {
        let left = match (rejected.reason(), rejected.retry_after()) {
            // Without an end that anybody knows: to ask as often as for an open circuit does no
            // harm, and finds out soon enough.
            (Reason::Isolated, Duration::ZERO) => usual(),
            (_, left) => left,
        };
        let random = if jitter > 0.0 { random::fraction() } else { 0.0 };
        Self { rejected, below: None, left, come_back: come_back(left, jitter * random) }
    }

    /// It is a circuit below the service's that rejected.
    pub(crate) fn below(mut self, circuit: &Circuit) -> Self {
        self.below = Some(circuit.name().into());
        self
    }
}

/// The seconds after which to come back: never before the time left is over, and later by a share
/// of it.
fn come_back(left: Duration, later: f64) -> u64 {
    let left = left.max(LEAST);
    let after = left.saturating_add(left.mul_f64(later.clamp(0.0, 1.0)));
    // Rounded up, so that who obeys does not come too early.
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn callers_come_back_when_the_time_is_over() {
        let millis = |millis| come_back(Duration::from_millis(millis), 0.0);
        assert_eq!([0, 1, 999, 1_000, 1_001, 2_700].map(millis), [1, 1, 1, 1, 2, 3]);
    }

    #[test]
    fn later_by_a_share_of_the_time_left() {
        let left = Duration::from_secs(100);
        assert_eq!(
            [0.0, 0.25, 0.999, 1.0].map(|later| come_back(left, later)),
            [100, 125, 200, 200]
        );
        // Also where nothing is left, as while a trial is under way.
        assert_eq!(come_back(Duration::ZERO, 0.5), 2);
    }

    proptest! {
        #[test]
        fn never_too_early_and_never_too_late(micros: u64, later in 0.0..=1.0_f64) {
            let left = Duration::from_micros(micros);
            let after = Duration::from_secs(come_back(left, later));
            prop_assert!(after >= left);
            prop_assert!(after <= 2 * left.max(LEAST) + LEAST);
        }
    }
}
