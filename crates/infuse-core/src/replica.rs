use std::fmt;

use crate::{Breaker, Outcome, StateChange};

/// Whoever shares a breaker with other processes is told by this what happens here.
///
/// For the crate `infuse-storage`, and for those who share breakers by other means. It is called
/// after the fact, outside any lock, in the thread of the call; it must be quick and not panic.
pub trait Replica: fmt::Debug + Send + Sync + 'static {
    /// The run of failures of the closed circuit changed: it is so long now.
    fn counted(&self, failures: u32);

    /// This process opened the circuit by itself: by its own run of failures, or by a trial that
    /// it had granted itself.
    fn tripped(&self);

    /// The state changed, for whatever cause.
    fn changed(&self, breaker: &Breaker, change: StateChange);

    /// A trial call under a shared lease is over. A failure has already opened the circuit here;
    /// a success changes nothing here until [`Breaker::adopt`](crate::Breaker::adopt) or
    /// [`Breaker::count_trial_success`](crate::Breaker::count_trial_success).
    fn trial_over(&self, token: u64, outcome: Outcome);
}
