use std::time::{Duration, SystemTime};

use crate::{Cause, Fault, Mode, Override, Ramp, State, WindowSnapshot};

/// A copy of a breaker to look at.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state. A circuit that is open past its time is `open` until a call comes to try.
    pub state: State,
    /// Failures, one after another, where something asks for them.
    pub fail_counter: u32,
    /// Successful trial calls, one after another.
    pub success_counter: u32,
    /// How often the state was changed or set in this process.
    pub epoch: u64,
    /// When the circuit opened; unset while it is closed.
    pub opened_at: Option<SystemTime>,
    /// How long until a call may be let through: zero if one may be now, unset while closed. By the
    /// state, whatever the mode.
    pub retry_after: Option<Duration>,
    /// Trial calls of this process that are in flight.
    pub trials: u32,
    /// Trial calls that failed since the circuit was last closed, and times that it opened while it
    /// recovered: what the open time grows by. Zero once it is closed and has recovered.
    pub failed_trials: u32,
    /// How many failures, one after another, open the circuit; unset if none do.
    pub max_failure: Option<u32>,
    /// The window and how far its rates are from opening the circuit; unset if the breaker keeps
    /// none.
    pub window: Option<WindowSnapshot>,
    /// The mode that holds.
    pub mode: Mode,
    /// What someone put above the mode that the settings say, if it has not ended.
    pub overridden: Option<Override>,
    /// Calls that would have been rejected, but for [`Mode::Observe`], since the breaker was built.
    pub would_have_rejected: u64,
    /// How far the circuit has recovered, while it lets only a share of the calls through.
    pub ramp: Option<Ramp>,
    /// What opened the circuit, until it is closed.
    pub tripped: Option<Tripped>,
}

/// What opened a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tripped {
    /// Why it first opened since it was last closed, or was opened by hand.
    pub cause: Cause,
    /// When that was, by the time of day.
    pub at: SystemTime,
    /// What went wrong last: with the call that opened it, or with the last trial that failed.
    pub fault: Option<Fault>,
}

impl Tripped {
    /// For whoever shares circuits: see [`Shared`](crate::Shared).
    pub const fn new(cause: Cause, at: SystemTime, fault: Option<Fault>) -> Self {
        Self { cause, at, fault }
    }
}
