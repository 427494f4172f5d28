//! A call that a circuit rejected, and when its caller is told to come back.

use std::{sync::Arc, time::Duration};

use infuse_storage::{Circuit, Policy, Rejected, core::Reason};

/// The least that a caller is told: 0 would ask for a retry at once.
const LEAST: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    pub(crate) rejected: Rejected,
    /// The circuit itself, to be asked what opened it.
    pub(crate) by: Option<Circuit>,
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
        let jitter = if jitter > 0.0 { jitter * circuit.fraction() } else { 0.0 };
        let rejection = Self::within(rejected, jitter, |reason| match reason {
            // For how long the service asked to be left alone, if it did.
            Reason::HalfOpen => circuit.retry_after().unwrap_or_default(),
            // Without an end that anybody knows: to ask as often as for an open circuit does no
            // harm, and finds out soon enough.
            Reason::Isolated => circuit.policy().reset_timeout(),
            _ => Duration::ZERO,
        });
        Self { by: Some(circuit.clone()), ..rejection }
    }

    /// By a circuit of which nothing else is known.
    pub(crate) fn of_a_stranger(rejected: Rejected) -> Self {
        Self::within(rejected, 0.0, |reason| match reason {
            Reason::Isolated => Policy::default().reset_timeout(),
            _ => Duration::ZERO,
        })
    }

    /// `later` is by which share of the time left, `unsaid` what that is where the rejection does not
    /// say it.
    fn within(rejected: Rejected, later: f64, unsaid: impl FnOnce(Reason) -> Duration) -> Self {
        let left = match rejected.retry_after() {
            Duration::ZERO => unsaid(rejected.reason()),
            left => left,
        };
        Self { rejected, by: None, below: None, left, come_back: come_back(left, later) }
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
