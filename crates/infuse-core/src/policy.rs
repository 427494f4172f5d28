use std::time::Duration;

use crate::word::{MAX_FAILURES, MAX_SUCCESSES};

/// When a circuit opens, for how long, and what closes it again. Always valid.
///
/// ```
/// use std::time::Duration;
/// use infuse_core::Policy;
///
/// let policy = Policy::builder()
///     .max_failure(3)
///     .reset_timeout(Duration::from_secs(30))
///     .build()?;
/// assert_eq!(policy.success_threshold(), 1);
/// # Ok::<_, infuse_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    max_failure: u32,
    reset_timeout: Duration,
    success_threshold: u32,
    half_open_max_calls: u32,
    trial_lease: Option<Duration>,
    call_timeout: Option<Duration>,
    error_on_trip: bool,
}

/// The longest time that a [`Policy`] takes: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const DEFAULT_TRIAL_LEASE: Duration = Duration::from_secs(30);
const LEASE_MARGIN: Duration = Duration::from_secs(1);

impl Policy {
    /// A builder that starts from the defaults.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { policy: Policy::default() }
    }

    /// A builder that starts from this policy.
    pub fn to_builder(&self) -> PolicyBuilder {
        PolicyBuilder { policy: self.clone() }
    }

    /// How many failures, one after another, open the circuit. Default 5.
    pub fn max_failure(&self) -> u32 {
        self.max_failure
    }

    /// How long the circuit stays open before a trial call. Default 15 s.
    pub fn reset_timeout(&self) -> Duration {
        self.reset_timeout
    }

    /// How many successful trial calls, one after another, close the circuit. Default 1.
    pub fn success_threshold(&self) -> u32 {
        self.success_threshold
    }

    /// How many trial calls may be in flight while the circuit is half-open. Default 1.
    pub fn half_open_max_calls(&self) -> u32 {
        self.half_open_max_calls
    }

    /// Whether the caller of the call that opens the circuit is told so, instead of being given
    /// its own error. Default no.
    pub fn error_on_trip(&self) -> bool {
        self.error_on_trip
    }

    /// How long a trial call may take before its place goes to the next caller and its outcome
    /// no longer counts.
    ///
    /// For a call that has a timeout, the timeout and a second. For one without, what
    /// [`PolicyBuilder::trial_lease`] set, else 30 s, but no more than the larger of the reset
    /// timeout and the [usual timeout](PolicyBuilder::call_timeout) and a second, so that a trial
    /// that hangs delays the recovery by no more than that.
    pub fn lease(&self, timeout: Option<Duration>) -> Duration {
        match (timeout, self.trial_lease) {
            // Never less: a service of which every call may take so long could not recover.
            (Some(timeout), _) => timeout.saturating_add(LEASE_MARGIN),
            (None, Some(lease)) => lease,
            (None, None) => {
                let usual = self.call_timeout.unwrap_or_default().saturating_add(LEASE_MARGIN);
                DEFAULT_TRIAL_LEASE.min(self.reset_timeout.max(usual))
            }
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_failure: 5,
            reset_timeout: Duration::from_secs(15),
            success_threshold: 1,
            half_open_max_calls: 1,
            trial_lease: None,
            call_timeout: None,
            error_on_trip: false,
        }
    }
}

/// Builds a [`Policy`].
#[derive(Debug, Clone)]
#[must_use]
pub struct PolicyBuilder {
    policy: Policy,
}

impl PolicyBuilder {
    /// How many failures, one after another, open the circuit: 1 to 65,535. Default 5.
    pub fn max_failure(mut self, failures: u32) -> Self {
        self.policy.max_failure = failures;
        self
    }

    /// How long the circuit stays open before a trial call: more than 0, at most a year.
    /// Default 15 s.
    pub fn reset_timeout(mut self, timeout: Duration) -> Self {
        self.policy.reset_timeout = timeout;
        self
    }

    /// How many successful trial calls, one after another, close the circuit: 1 to 1,023.
    /// Default 1.
    pub fn success_threshold(mut self, successes: u32) -> Self {
        self.policy.success_threshold = successes;
        self
    }

    /// How many trial calls may be in flight while half-open: 1 to 1,023. Default 1.
    pub fn half_open_max_calls(mut self, calls: u32) -> Self {
        self.policy.half_open_max_calls = calls;
        self
    }

    /// How long a trial call without a timeout of its own may take: see [`Policy::lease`]. More
    /// than 0, at most a year.
    ///
    /// Set it where such calls may rightly take longer than the reset timeout.
    pub fn trial_lease(mut self, lease: Duration) -> Self {
        self.policy.trial_lease = Some(lease);
        self
    }

    /// The usual timeout of the calls that are guarded: it bounds how long a trial may hold its
    /// place. Default unknown. See [`Policy::lease`].
    pub fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.policy.call_timeout = timeout;
        self
    }

    /// Whether the caller of the call that opens the circuit gets
    /// [`CallError::Opened`](crate::CallError::Opened). Default no.
    pub fn error_on_trip(mut self, yes: bool) -> Self {
        self.policy.error_on_trip = yes;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the first value that is out of its range.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let policy = self.policy;
        number("max_failure", policy.max_failure, MAX_FAILURES)?;
        number("success_threshold", policy.success_threshold, MAX_SUCCESSES)?;
        number("half_open_max_calls", policy.half_open_max_calls, MAX_SUCCESSES)?;
        time("reset_timeout", policy.reset_timeout)?;
        time("trial_lease", policy.trial_lease.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        time("call_timeout", policy.call_timeout.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        Ok(policy)
    }
}

fn number(name: &'static str, value: u32, most: u32) -> Result<(), PolicyError> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(PolicyError::Number { name, value, most })
    }
}

fn time(name: &'static str, value: Duration) -> Result<(), PolicyError> {
    if value > Duration::ZERO && value <= LONGEST {
        Ok(())
    } else {
        Err(PolicyError::Time { name, value })
    }
}

/// A value that no [`Policy`] can have.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_out_of_range_is_named() {
        let error = Policy::builder().max_failure(0).build().unwrap_err();
        assert_eq!(error.to_string(), "max_failure is 0: use 1 to 65535");
        let error = Policy::builder().success_threshold(1_024).build().unwrap_err();
        assert_eq!(error.to_string(), "success_threshold is 1024: use 1 to 1023");
        let error = Policy::builder().half_open_max_calls(0).build().unwrap_err();
        assert_eq!(error.to_string(), "half_open_max_calls is 0: use 1 to 1023");
        let error = Policy::builder().reset_timeout(Duration::ZERO).build().unwrap_err();
        assert_eq!(error.to_string(), "reset_timeout is 0ns: use more than 0 and at most 365 days");
        assert!(Policy::builder().trial_lease(Duration::MAX).build().is_err());
    }

    #[test]
    fn a_lease_is_the_timeout_and_a_second_but_never_holds_the_circuit_for_long() {
        let policy =
            Policy::builder().reset_timeout(15 * S).call_timeout(Some(5 * S)).build().unwrap();
        assert_eq!(policy.lease(Some(5 * S)), 6 * S);
        assert_eq!(policy.lease(Some(60 * S)), 61 * S);
        assert_eq!(policy.lease(None), 15 * S);

        let quick = policy.to_builder().reset_timeout(S).build().unwrap();
        assert_eq!(quick.lease(None), 6 * S);

        let slow = policy.to_builder().trial_lease(120 * S).build().unwrap();
        assert_eq!(slow.lease(None), 120 * S);
    }
}
