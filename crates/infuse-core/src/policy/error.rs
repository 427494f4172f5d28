use std::time::Duration;

/// The longest time that a policy takes: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A value that no [`Policy`](crate::Policy) can have, or values that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A number is out of its range.
    #[error("{name} is {value}: use 1 to {most}")]
    Number {
        /// The value's name.
        name: &'static str,
        /// What was given.
        value: u32,
        /// The most that can be given.
        most: u32,
    },
    /// A time is zero or longer than a year.
    #[error("{name} is {value:?}: use more than 0 and at most 365 days")]
    Time {
        /// The value's name.
        name: &'static str,
        /// What was given.
        value: Duration,
    },
    /// A rate, a share or a factor is out of its range.
    #[error("{name} is {value}: use {allowed}")]
    Fraction {
        /// The value's name.
        name: &'static str,
        /// What was given.
        value: String,
        /// What can be given.
        allowed: &'static str,
    },
    /// A window over time is too short or too long.
    #[error("window is {value:?}: use 1 ms to 1 h, or a number of calls")]
    Window {
        /// What was given.
        value: Duration,
    },
    /// A rate over the last calls would never be judged.
    #[error(
        "minimum_calls is {minimum}, but the window holds only the last {calls} calls: lower \
         minimum_calls to {calls} or widen the window"
    )]
    MinimumAboveWindow {
        /// The calls that are asked for.
        minimum: u32,
        /// The calls that the window holds.
        calls: u32,
    },
    /// There is a rate of slow calls, but no call is slow.
    #[error("slow_call_rate is set without slow_call_duration: say from when on a call is slow")]
    SlowRateWithoutDuration,
    /// Calls are slow from some duration on, but no rate of them opens the circuit.
    #[error(
        "slow_call_duration is set without slow_call_rate: set the rate that opens, or neither"
    )]
    SlowDurationWithoutRate,
    /// Nothing would open the circuit.
    #[error(
        "max_failure is off and there is no rate: set max_failure, failure_rate or \
         slow_call_rate, or say by_rules_alone where the breaker has rules of its own"
    )]
    NeverOpens,
    /// The open time would be cut below where it starts.
    #[error(
        "max_reset_timeout is {most:?}, which is less than reset_timeout, {reset_timeout:?}: raise \
         the one or lower the other"
    )]
    MaxBelowResetTimeout {
        /// The longest open time.
        most: Duration,
        /// The first open time.
        reset_timeout: Duration,
    },
}

pub(super) fn number(name: &'static str, value: u32, most: u32) -> Result<(), PolicyError> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::Number { name, value, most })
    }
}

pub(super) fn time(name: &'static str, value: Duration) -> Result<(), PolicyError> {
    if value > Duration::ZERO && value <= LONGEST {
        Ok(())
    } else {
        Err(PolicyError::Time { name, value })
    }
}
