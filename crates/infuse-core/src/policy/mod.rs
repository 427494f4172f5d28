//! When a circuit opens, for how long, and what closes it again.

mod builder;
mod error;
mod open_time;
mod rates;
mod real;
mod terms;
#[cfg(test)]
mod tests;

pub use builder::PolicyBuilder;
pub use error::PolicyError;
pub use rates::Window;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use terms::Terms;

/// When a circuit opens, for how long, and what closes it again. Always valid.
///
/// ```
/// use std::time::Duration;
/// use infuse_core::{Policy, Window};
///
/// let policy = Policy::builder()
///     .max_failure(3)
///     .failure_rate(0.5)
///     .window(Window::Time(Duration::from_secs(30)))
///     .reset_timeout(Duration::from_secs(30))
///     .build()?;
/// assert_eq!(policy.success_threshold(), 1);
/// # Ok::<_, infuse_core::PolicyError>(())
/// ```
///
/// # What opens a circuit
///
/// Any of: failures one after another ([`max_failure`](Self::max_failure), on unless it is switched
/// off), the rate of failures, the rate of slow calls, and the
/// [rules](crate::BreakerBuilder::trip_rule) that a breaker was given. Both rates are off unless
/// they are set; they are taken over the same window, and judged after each call that counts once
/// there are [`minimum_calls`](Self::minimum_calls) in it. The window is emptied at every change
/// of state, and trial calls do not go into it.
///
/// # What it weighs
///
/// A policy is a handle: cloning it is cheap, and clones share what they say. Ten thousand circuits
/// that are given clones of one policy hold it once; so do all that are given the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Arc<Terms>);

/// What every policy is that nobody has set anything in: one for all.
static DEFAULT: LazyLock<Policy> = LazyLock::new(|| Policy(Arc::default()));

const DEFAULT_TRIAL_LEASE: Duration = Duration::from_secs(30);
const LEASE_MARGIN: Duration = Duration::from_secs(1);

impl Policy {
    /// A builder that starts from the defaults.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { terms: Policy::default().0 }
    }

    /// A builder that starts from this policy.
    pub fn to_builder(&self) -> PolicyBuilder {
        PolicyBuilder { terms: Arc::clone(&self.0) }
    }

    /// How many failures, one after another, open the circuit. Default 5. [`u32::MAX`], which no
    /// count reaches, when it is [off](PolicyBuilder::no_max_failure).
    pub fn max_failure(&self) -> u32 {
        self.0.max_failure.unwrap_or(u32::MAX)
    }

    /// The share of failures, more than 0 and at most 1, that opens the circuit. Default none.
    pub fn failure_rate(&self) -> Option<f64> {
        self.0.rates.failure_rate.map(|rate| rate.0)
    }

    /// The share of slow calls, more than 0 and at most 1, that opens the circuit. Default none.
    pub fn slow_call_rate(&self) -> Option<f64> {
        self.0.rates.slow_call_rate.map(|rate| rate.0)
    }

    /// How long a call has to take to be slow. Default none is.
    pub fn slow_call_duration(&self) -> Option<Duration> {
        self.0.rates.slow_call_duration
    }

    /// Which calls rates are taken over. Default the last 10 seconds.
    pub fn window(&self) -> Window {
        self.0.rates.window
    }

    /// How many calls there must be in the window before a rate is judged. Default 20, or the
    /// size of a window that is smaller.
    pub fn minimum_calls(&self) -> u32 {
        self.0.rates.minimum_calls()
    }

    pub(crate) fn has_max_failure(&self) -> bool {
        self.0.max_failure.is_some()
    }

    /// Whether there is a rate.
    pub(crate) fn has_rates(&self) -> bool {
        self.0.rates.any()
    }

    /// How long the circuit stays open before a trial call. Default 15 s. It may
    /// [grow](Self::open_time).
    pub fn reset_timeout(&self) -> Duration {
        self.0.reset_timeout
    }

    /// By which factor the open time grows with each failed trial. Default 1: it does not.
    pub fn reset_backoff(&self) -> f64 {
        self.0.growth.backoff.0
    }

    /// What the open time grows to at most. Default 5 minutes, or the reset timeout if that is
    /// longer.
    pub fn max_reset_timeout(&self) -> Duration {
        self.0.growth.most(self.0.reset_timeout)
    }

    /// Up to which share the open time is cut at random, 0 to 1. Default 0.
    pub fn reset_jitter(&self) -> f64 {
        self.0.growth.jitter.0
    }

    /// How long the service's own word ([`Breaker::hold_off`](crate::Breaker::hold_off)) can keep
    /// the circuit open; `None` if it is not heard. Default 5 minutes.
    pub fn max_retry_after(&self) -> Option<Duration> {
        self.0.growth.max_retry_after
    }

    /// How many successful trial calls, one after another, close the circuit. Default 1.
    pub fn success_threshold(&self) -> u32 {
        self.0.success_threshold
    }

    /// How many trial calls may be in flight while the circuit is half-open. Default 1.
    pub fn half_open_max_calls(&self) -> u32 {
        self.0.half_open_max_calls
    }

    /// Whether the caller of the call that opens the circuit is told so, instead of being given
    /// its own error. Default no.
    pub fn error_on_trip(&self) -> bool {
        self.0.error_on_trip
    }

    /// How long a circuit that has closed, because trials succeeded, lets only a growing share of
    /// the calls through. Default none: all pass at once.
    pub fn ramp(&self) -> Option<Duration> {
        self.0.ramp
    }

    /// From how long on a call that its caller drops counts as a failure. Default none: such a call
    /// is ignored, however long it took.
    pub fn abandoned_after(&self) -> Option<Duration> {
        self.0.abandoned_after
    }

    /// Whether failures of [our own side](crate::Origin::Local) of the wire weigh for this process
    /// alone. Default no: they are failures as any other.
    pub fn split_local_origin(&self) -> bool {
        self.0.split_local_origin
    }

    /// How many processes must have seen failures before the circuit opens for all who share it: 1
    /// to 1,000. Default 1. A process that would open it opens only itself until then.
    pub fn min_reporters(&self) -> u32 {
        self.0.min_reporters
    }

    /// How long a trial call may take before its place goes to the next caller and its outcome
    /// no longer counts.
    ///
    /// For a call that has a timeout, the timeout and a second. For one without, what
    /// [`PolicyBuilder::trial_lease`] set, else 30 s, but no more than the larger of the reset
    /// timeout and the [usual timeout](PolicyBuilder::call_timeout) and a second, so that a trial
    /// that hangs delays the recovery by no more than that.
    pub fn lease(&self, timeout: Option<Duration>) -> Duration {
        match (timeout, self.0.trial_lease) {
            // Never less: a service of which every call may take so long could not recover.
            (Some(timeout), _) => timeout.saturating_add(LEASE_MARGIN),
            (None, Some(lease)) => lease,
            (None, None) => {
                let usual = self.0.call_timeout.unwrap_or_default().saturating_add(LEASE_MARGIN);
                DEFAULT_TRIAL_LEASE.min(self.0.reset_timeout.max(usual))
            }
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        DEFAULT.clone()
    }
}
