use std::time::{Duration, SystemTime};

use crate::State;

/// A copy of a breaker to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state. A circuit that is open past its time is `open` until a call comes to try.
    pub state: State,
    /// Failures, one after another.
    pub fail_counter: u32,
    /// Successful trial calls, one after another.
    pub success_counter: u32,
    /// How often the state was changed or set in this process.
    pub epoch: u64,
    /// When the circuit opened; unset while it is closed.
    pub opened_at: Option<SystemTime>,
    /// How long until a call may be let through: zero if one may be now, unset while closed.
    pub retry_after: Option<Duration>,
    /// Trial calls of this process that are in flight.
    pub trials: u32,
}
