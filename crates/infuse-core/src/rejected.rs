use std::{fmt, time::Duration};

use crate::State;

/// Why a circuit does not let a call through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Reason {
    /// It is open.
    Open,
    /// It is half-open, and enough trial calls are in flight.
    HalfOpen,
    /// It has closed a moment ago, and lets only a share of the calls through at first.
    Recovering,
    /// Someone has isolated it.
    Isolated,
}

impl Reason {
    /// The reason's name: `open`, `half-open`, `recovering` or `isolated`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Open => "open",
            Reason::HalfOpen => "half-open",
            Reason::Recovering => "recovering",
            Reason::Isolated => "isolated",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A call was rejected without touching the service.
///
/// It is `Copy` and names no circuit, so that rejecting costs next to nothing; whoever shows it
/// to a person adds the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit is {reason}: the call was rejected")]
pub struct Rejected {
    reason: Reason,
    /// In microseconds; a [`Duration`] would have to be computed and carried at every rejection.
    left: u64,
}

impl Rejected {
    /// `left` is in microseconds.
    #[inline]
    pub(crate) const fn new(state: State, left: u64) -> Self {
        let reason = match state {
            State::Open => Reason::Open,
            State::HalfOpen => Reason::HalfOpen,
            State::Closed => Reason::Recovering,
        };
        Self { reason, left }
    }

    /// Someone has isolated the circuit, for so many microseconds more; 0 if without end.
    pub(crate) const fn isolated(left: u64) -> Self {
        Self { reason: Reason::Isolated, left }
    }

    /// Why it was rejected.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The state that the circuit was in. One that is isolated counts as open here, one that
    /// recovers is closed.
    pub const fn state(&self) -> State {
        match self.reason {
            Reason::Open | Reason::Isolated => State::Open,
            Reason::HalfOpen => State::HalfOpen,
            Reason::Recovering => State::Closed,
        }
    }

    /// How long until a call may be let through. Zero when that may be now, while a trial is
    /// under way or the circuit recovers, and when nobody knows, as where a circuit was isolated
    /// without an end.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.left)
    }
}
