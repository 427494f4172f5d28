use std::{sync::Arc, time::Duration};

use super::{
    DEFAULT_TRIAL_LEASE, Policy, PolicyError, Window,
    error::{number, time},
    real::Real,
    terms::Terms,
};
use crate::word::{MAX_FAILURES, MAX_SUCCESSES};

/// Most processes that a policy can ask for.
const MOST_REPORTERS: u32 = 1_000;

/// Builds a [`Policy`].
#[derive(Debug, Clone)]
#[must_use]
pub struct PolicyBuilder {
    /// Those of the policy that it started from, until something is changed.
    pub(super) terms: Arc<Terms>,
}

impl PolicyBuilder {
    /// How many failures, one after another, open the circuit: 1 to 65,535. Default 5.
    pub fn max_failure(mut self, failures: u32) -> Self {
        let terms = self.terms();
        (terms.max_failure, terms.by_rules) = (Some(failures), false);
        self
    }

    /// Failures one after another do not open the circuit: only the rates that are set do, and the
    /// breaker's own [rules](crate::BreakerBuilder::trip_rule). They are then counted for such rules
    /// alone, so that a failure writes one thing less. [`max_failure`](Self::max_failure) switches
    /// them on again.
    pub fn no_max_failure(mut self) -> Self {
        self.terms().max_failure = None;
        self
    }

    /// [`no_max_failure`](Self::no_max_failure) where there need be no rate either: the breaker's own
    /// [rules](crate::BreakerBuilder::trip_rule) open the circuit, and a breaker without any never
    /// opens by itself. [`max_failure`](Self::max_failure) takes it back.
    ///
    /// ```
    /// use infuse_core::{Breaker, Evidence, Policy, State};
    /// # use std::io;
    ///
    /// let breaker = Breaker::builder("payments")
    ///     .policy(Policy::builder().by_rules_alone().build()?)
    ///     .trip_rule(|evidence: &Evidence| evidence.counts.failures >= 10)
    ///     .build();
    /// for _ in 0..9 {
    ///     let _ = breaker.call_sync(|| Err::<(), _>(io::Error::other("down")));
    /// }
    /// assert_eq!(breaker.state(), State::Closed);
    /// let _ = breaker.call_sync(|| Err::<(), _>(io::Error::other("down")));
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<_, infuse_core::PolicyError>(())
    /// ```
    pub fn by_rules_alone(mut self) -> Self {
        let terms = self.terms();
        (terms.max_failure, terms.by_rules) = (None, true);
        self
    }

    /// The share of failures in the [window](Self::window) that opens the circuit: more than 0, at
    /// most 1, or `None`. Default none.
    pub fn failure_rate(mut self, threshold: impl Into<Option<f64>>) -> Self {
        self.terms().rates.failure_rate = threshold.into().map(Real);
        self
    }

    /// The share of slow calls in the [window](Self::window) that opens the circuit: more than 0,
    /// at most 1, or `None`. Default none. It needs a
    /// [`slow_call_duration`](Self::slow_call_duration).
    ///
    /// A trial call that succeeds but is slow counts as one that failed: a circuit that opened
    /// because its service was slow would let everybody in again.
    pub fn slow_call_rate(mut self, threshold: impl Into<Option<f64>>) -> Self {
        self.terms().rates.slow_call_rate = threshold.into().map(Real);
        self
    }

    /// A call that takes so long or longer, from when it was let through to its outcome, is slow:
    /// more than 0, at most a year, or `None`. Default none is. A failure can be slow as well.
    pub fn slow_call_duration(mut self, duration: impl Into<Option<Duration>>) -> Self {
        self.terms().rates.slow_call_duration = duration.into();
        self
    }

    /// Which calls both rates are taken over. Default the last 10 seconds.
    pub fn window(mut self, window: Window) -> Self {
        self.terms().rates.window = window;
        self
    }

    /// How many calls there must be in the window before a rate is judged: 1 to the size of the
    /// window, or to 1,000,000 in one over time. Default 20, or the size of a window that is
    /// smaller.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.terms().rates.minimum_calls = Some(calls);
        self
    }

    /// How long the circuit stays open before a trial call: more than 0, at most a year.
    /// Default 15 s.
    pub fn reset_timeout(mut self, timeout: Duration) -> Self {
        self.terms().reset_timeout = timeout;
        self
    }

    /// By which factor the open time grows with each trial that failed since the circuit was last
    /// closed: 1 to 1000. Default 1: it does not grow. See [`Policy::open_time`].
    pub fn reset_backoff(mut self, factor: f64) -> Self {
        self.terms().growth.backoff = Real(factor);
        self
    }

    /// What the open time grows to at most: the reset timeout or more, at most a year. Default 5
    /// minutes, or the reset timeout if that is longer.
    pub fn max_reset_timeout(mut self, most: Duration) -> Self {
        self.terms().growth.most = Some(most);
        self
    }

    /// Up to which share the open time is cut, at random, once for each opening: 0 to 1. Default 0.
    /// It keeps circuits that opened together from all trying together.
    pub fn reset_jitter(mut self, share: f64) -> Self {
        self.terms().growth.jitter = Real(share);
        self
    }

    /// How long the service's own word ([`Breaker::hold_off`](crate::Breaker::hold_off)) can keep
    /// the circuit open: more than 0, at most a year, or `None` not to hear it. Default 5 minutes.
    pub fn max_retry_after(mut self, most: Option<Duration>) -> Self {
        self.terms().growth.max_retry_after = most;
        self
    }

    /// How many successful trial calls, one after another, close the circuit: 1 to 1,023.
    /// Default 1.
    pub fn success_threshold(mut self, successes: u32) -> Self {
        self.terms().success_threshold = successes;
        self
    }

    /// How many trial calls may be in flight while half-open: 1 to 1,023. Default 1.
    pub fn half_open_max_calls(mut self, calls: u32) -> Self {
        self.terms().half_open_max_calls = calls;
        self
    }

    /// How long a circuit that has closed, because trials succeeded, lets only a growing share of
    /// the calls through: more than 0, at most a year, or `None`. Default none.
    pub fn ramp(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.terms().ramp = time.into();
        self
    }

    /// From how long on a call that its caller drops counts as a failure: more than 0, at most a
    /// year, or `None`. Default none.
    ///
    /// Set it where callers have timeouts that are shorter than the calls': else a service that
    /// hangs is never found out, because each of its calls is dropped before it fails.
    pub fn abandoned_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.terms().abandoned_after = time.into();
        self
    }

    /// Whether failures of [our own side](crate::Origin::Local) of the wire weigh for this process
    /// alone. Default no.
    pub fn split_local_origin(mut self, yes: bool) -> Self {
        self.terms().split_local_origin = yes;
        self
    }

    /// How many processes must have seen failures before the circuit opens for all who share it: 1
    /// to 1,000. Default 1.
    pub fn min_reporters(mut self, processes: u32) -> Self {
        self.terms().min_reporters = processes;
        self
    }

    /// How long a trial call without a timeout of its own may take: see [`Policy::lease`]. More
    /// than 0, at most a year.
    ///
    /// Set it where such calls may rightly take longer than the reset timeout.
    pub fn trial_lease(mut self, lease: Duration) -> Self {
        self.terms().trial_lease = Some(lease);
        self
    }

    /// The usual timeout of the calls that are guarded: it bounds how long a trial may hold its
    /// place. Default unknown. See [`Policy::lease`].
    pub fn call_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.terms().call_timeout = timeout;
        self
    }

    /// Whether the caller of the call that opens the circuit gets
    /// [`CallError::Opened`](crate::CallError::Opened). Default no.
    pub fn error_on_trip(mut self, yes: bool) -> Self {
        self.terms().error_on_trip = yes;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the first value that is out of its range, or two that contradict each
    /// other, and says how to mend it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let policy = Policy(self.terms);
        let terms = &*policy.0;
        match terms.max_failure {
            Some(failures) => number("max_failure", failures, MAX_FAILURES)?,
            None if policy.has_rates() || terms.by_rules => {}
            None => return Err(PolicyError::NeverOpens),
        }
        number("success_threshold", terms.success_threshold, MAX_SUCCESSES)?;
        number("half_open_max_calls", terms.half_open_max_calls, MAX_SUCCESSES)?;
        time("reset_timeout", terms.reset_timeout)?;
        time("trial_lease", terms.trial_lease.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        time("call_timeout", terms.call_timeout.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        time("ramp", terms.ramp.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        time("abandoned_after", terms.abandoned_after.unwrap_or(DEFAULT_TRIAL_LEASE))?;
        number("min_reporters", terms.min_reporters, MOST_REPORTERS)?;
        terms.rates.check()?;
        terms.growth.check(terms.reset_timeout)?;
        // Those who say nothing new share what all others have who do not.
        let usual = Policy::default();
        Ok(if policy == usual { usual } else { policy })
    }

    fn terms(&mut self) -> &mut Terms {
        Arc::make_mut(&mut self.terms)
    }
}
