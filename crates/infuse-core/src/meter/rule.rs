use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Counts, Outcome};

/// What is known when a call has ended: what a [`TripRule`] judges by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// What the call said: success or failure.
    pub outcome: Outcome,
    /// Whether it was slow, by [`slow_call_duration`](crate::PolicyBuilder::slow_call_duration).
    pub slow: bool,
    /// Failures, one after another, with this call.
    pub fail_counter: u32,
    /// The calls in the window, with this one.
    pub counts: Counts,
}

/// A rule of one's own for what opens a circuit, beside those of its [`Policy`](crate::Policy).
///
/// It is asked after each call of the closed circuit that counted and that no other rule opened the
/// circuit for, in the thread of the call. It should be a pure function of the evidence, and
/// quick; several threads may ask at once. A panic in it goes no further and stands for "no".
///
/// ```
/// use infuse_core::{Breaker, Evidence, State};
/// # use std::io;
///
/// let breaker = Breaker::builder("payments")
///     // Any ten failures in the window, however many calls there are beside them.
///     .trip_rule(|evidence: &Evidence| evidence.counts.failures >= 10)
///     .build();
/// for _ in 0..10 {
///     let _ = breaker.call_sync(|| Err::<(), _>(io::Error::other("down")));
///     let _ = breaker.call_sync(|| Ok::<_, io::Error>(()));
/// }
/// assert_eq!(breaker.state(), State::Open);
/// ```
pub trait TripRule: Send + Sync + 'static {
    /// Whether the circuit is to be opened.
    fn trips(&self, evidence: &Evidence) -> bool;
}

impl<F: Fn(&Evidence) -> bool + Send + Sync + 'static> TripRule for F {
    fn trips(&self, evidence: &Evidence) -> bool {
        self(evidence)
    }
}

/// Asks a rule that may panic.
pub(super) fn trips(rule: &dyn TripRule, evidence: &Evidence) -> bool {
    // What a rule broke is its own: nothing of ours is borrowed mutably here.
    catch_unwind(AssertUnwindSafe(|| rule.trips(evidence))).unwrap_or(false)
}
