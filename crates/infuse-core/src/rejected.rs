use std::time::Duration;

use crate::State;

/// A call was rejected without touching the service, because the circuit is not closed.
///
/// It is `Copy` and names no circuit, so that rejecting costs next to nothing; whoever shows it
/// to a person adds the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is {state}: the call was rejected")]
pub struct Rejected {
    state: State,
    /// In microseconds; a [`Duration`] would have to be computed and carried at every rejection.
    left: u64,
}

impl Rejected {
    /// `left` is in microseconds.
    #[inline]
    pub(crate) const fn new(state: State, left: u64) -> Self {
        Self { state, left }
    }

    /// The state that the circuit was in: open or half-open.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How long until a call may be let through. Zero when that may be now, while a trial is
    /// under way.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.left)
    }
}
