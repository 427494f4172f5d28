use std::time::Duration;

use infuse_storage::{
    Policy, PolicyError,
    core::{Mode, Window},
};

use super::Exclusion;
use crate::listeners::METRICS;

/// How one circuit behaves.
///
/// Each of these can be set for all circuits, and for one of them in its own table; a list there
/// replaces the general one. See the [module docs](crate::settings) for what contradicts what.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// `BREAKER_MAX_FAILURE`: failures, one after another, that open the circuit; 1 to 65535, or
    /// none where a rate opens it, or a rule of the application. Default 5.
    pub max_failure: Option<u32>,
    /// `BREAKER_FAILURE_RATE`: the share of failures in the window that opens the circuit; more
    /// than 0, at most 1. Default none.
    pub failure_rate: Option<f64>,
    /// `BREAKER_SLOW_CALL_RATE`: the share of slow calls in the window that opens the circuit; more
    /// than 0, at most 1. Default none.
    pub slow_call_rate: Option<f64>,
    /// `BREAKER_SLOW_CALL_DURATION`: from how long on a call is slow. Default none is.
    pub slow_call_duration: Option<Duration>,
    /// `BREAKER_WINDOW` or `BREAKER_WINDOW_CALLS`: the calls that rates are taken over. Default the
    /// last 10 s.
    pub window: Window,
    /// `BREAKER_MINIMUM_CALLS`: calls in the window before a rate is judged; 1 to 1000000, at most
    /// the window. Default 20, or the window if it is smaller.
    pub minimum_calls: Option<u32>,
    /// `BREAKER_RESET_TIMEOUT`: how long the circuit is open before a trial call. Default 15 s.
    pub reset_timeout: Duration,
    /// `BREAKER_RESET_BACKOFF`: by which factor the open time grows with each failed trial; 1 to
    /// 1000. Default 1.
    pub reset_backoff: f64,
    /// `BREAKER_MAX_RESET_TIMEOUT`: what the open time grows to at most. Default 5 min, or the
    /// reset timeout if that is longer.
    pub max_reset_timeout: Option<Duration>,
    /// `BREAKER_RESET_JITTER`: up to which share the open time is cut at random; 0 to 1. Default 0.
    pub reset_jitter: f64,
    /// `BREAKER_MAX_RETRY_AFTER`: how long at most the service's own `Retry-After` keeps the circuit
    /// open; none if it is not heard. Default 5 min.
    pub max_retry_after: Option<Duration>,
    /// `BREAKER_SUCCESS_THRESHOLD`: successful trial calls, one after another, that close the
    /// circuit; 1 to 1023. Default 1.
    pub success_threshold: u32,
    /// `BREAKER_HALF_OPEN_MAX_CALLS`: trial calls in flight at most; 1 to 1023. Default 1.
    pub half_open_max_calls: u32,
    /// `BREAKER_RAMP`: how long a circuit that has recovered lets only a growing share of the calls
    /// through. Default none: all at once.
    pub ramp: Option<Duration>,
    /// `BREAKER_ABANDONED_AFTER`: from how long on a call that its caller drops is a failure.
    /// Default none is.
    pub abandoned_after: Option<Duration>,
    /// `BREAKER_SPLIT_LOCAL_ORIGIN`: whether failures of our own side of the wire weigh for this
    /// process alone. Default no.
    pub split_local_origin: bool,
    /// `TRIP_MIN_REPORTERS`: processes that must have seen failures before the circuit opens for
    /// all; 1 to 1000. Default 1.
    pub min_reporters: u32,
    /// `RETRY_AFTER_JITTER`: up to which share of the time left is added at random to the
    /// `Retry-After` that callers are given whom the circuit rejects; 0 to 1. Default 0.
    pub retry_after_jitter: f64,
    /// `BREAKER_MODE`: what the circuit does with what it knows. Default enabled.
    pub mode: Mode,
    /// `BREAKER_EXCLUDE_EXCEPTIONS`: failures that shall not count. Default none.
    pub exclude: Vec<Exclusion>,
    /// `BREAKER_LISTENERS`: listeners by name, [built-in](crate::listeners) ones among them. Default
    /// `metrics` with the feature of that name, else none.
    pub listeners: Vec<String>,
}

impl BreakerSettings {
    /// The policy that this asks for, of calls that usually have this timeout, in a circuit that has
    /// rules of the application's own or not.
    ///
    /// # Errors
    ///
    /// None for what was read from a `Config`: it was refused there, by the names of the settings.
    pub(crate) fn policy(
        &self,
        call_timeout: Option<Duration>,
        has_rules: bool,
    ) -> Result<Policy, PolicyError> {
        let mut policy = Policy::builder();
        policy = match self.max_failure {
            Some(failures) => policy.max_failure(failures),
            None if has_rules => policy.by_rules_alone(),
            None => policy.no_max_failure(),
        };
        if let Some(calls) = self.minimum_calls {
            policy = policy.minimum_calls(calls);
        }
        if let Some(most) = self.max_reset_timeout {
            policy = policy.max_reset_timeout(most);
        }
        policy
            .failure_rate(self.failure_rate)
            .slow_call_rate(self.slow_call_rate)
            .slow_call_duration(self.slow_call_duration)
            .window(self.window)
            .reset_timeout(self.reset_timeout)
            .reset_backoff(self.reset_backoff)
            .reset_jitter(self.reset_jitter)
            .max_retry_after(self.max_retry_after)
            .success_threshold(self.success_threshold)
            .half_open_max_calls(self.half_open_max_calls)
            .ramp(self.ramp)
            .abandoned_after(self.abandoned_after)
            .split_local_origin(self.split_local_origin)
            .min_reporters(self.min_reporters)
            .call_timeout(call_timeout)
            .build()
    }

    pub(super) fn has_rate(&self) -> bool {
        self.failure_rate.is_some() || self.slow_call_rate.is_some()
    }
}

fn default_listeners() -> Vec<String> {
    match cfg!(feature = "metrics") {
        true => vec![METRICS.to_owned()],
        false => Vec::new(),
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            max_failure: Some(5),
            failure_rate: None,
            slow_call_rate: None,
            slow_call_duration: None,
            window: Window::default(),
            minimum_calls: None,
            reset_timeout: Duration::from_secs(15),
            reset_backoff: 1.0,
            max_reset_timeout: None,
            reset_jitter: 0.0,
            max_retry_after: Some(Duration::from_secs(300)),
            success_threshold: 1,
            half_open_max_calls: 1,
            ramp: None,
            abandoned_after: None,
            split_local_origin: false,
            min_reporters: 1,
            retry_after_jitter: 0.0,
            mode: Mode::Enabled,
            exclude: Vec::new(),
            listeners: default_listeners(),
        }
    }
}
