use crate::{Fault, State};

/// A change of a circuit's state, after the fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why it changed.
    pub cause: Cause,
    /// Whether another process made the change.
    pub remote: bool,
    /// What went wrong with the call that opened the circuit, if one did and it is known.
    pub fault: Option<Fault>,
}

/// Why a circuit changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Cause {
    /// As many failures, one after another, as the policy allows.
    Failures,
    /// The rate of failures that the policy allows was reached.
    FailureRate,
    /// The rate of slow calls that the policy allows was reached.
    SlowCallRate,
    /// A [`TripRule`](crate::TripRule) said so.
    Rule,
    /// The open time was over and a call was let through to try.
    TrialStarted,
    /// A trial call failed, was slow where that opens the circuit, or was
    /// [abandoned](crate::Policy::abandoned_after).
    TrialFailed,
    /// Enough trial calls succeeded.
    TrialSucceeded,
    /// Someone asked for it.
    Manual,
    /// An application seeded its own circuit at its start.
    Seed,
    /// The storage was lost, and a state to take then is configured.
    Fallback,
    /// The process took over what the storage says, without being told why.
    Adopted,
}

impl Cause {
    /// A short name: `failures`, `failure-rate`, `slow-call-rate`, `rule`, `trial-started`,
    /// `trial-failed`, `trial-succeeded`, `manual`, `seed`, `fallback` or `adopted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Failures => "failures",
            Cause::FailureRate => "failure-rate",
            Cause::SlowCallRate => "slow-call-rate",
            Cause::Rule => "rule",
            Cause::TrialStarted => "trial-started",
            Cause::TrialFailed => "trial-failed",
            Cause::TrialSucceeded => "trial-succeeded",
            Cause::Manual => "manual",
            Cause::Seed => "seed",
            Cause::Fallback => "fallback",
            Cause::Adopted => "adopted",
        }
    }
}
