use std::time::Duration;

use infuse_storage::core::{self, Mode, Window};
use serde::Serialize;

use crate::seconds;

/// The policy that a circuit goes by.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Policy {
    max_failure: Option<u32>,
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    slow_call_duration: Option<f64>,
    window: Of,
    minimum_calls: u32,
    reset_timeout: f64,
    reset_backoff: f64,
    max_reset_timeout: f64,
    reset_jitter: f64,
    success_threshold: u32,
    half_open_max_calls: u32,
    ramp: Option<f64>,
    /// That of the settings, above which someone may have put another.
    mode: Mode,
}

/// Which calls rates are taken over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Of {
    /// So many.
    Calls(u32),
    /// Those of so many seconds.
    Time(f64),
}

/// Failures, one after another, that open a circuit; `None` if none do.
pub(super) fn max_failure(policy: &core::Policy) -> Option<u32> {
    // What no count reaches.
    Some(policy.max_failure()).filter(|most| *most != u32::MAX)
}

impl Policy {
    pub(in crate::admin) fn new(policy: &core::Policy, mode: Mode) -> Self {
        let optional = |time: Option<Duration>| time.map(seconds::rounded);
        Self {
            max_failure: max_failure(policy),
            failure_rate: policy.failure_rate(),
            slow_call_rate: policy.slow_call_rate(),
            slow_call_duration: optional(policy.slow_call_duration()),
            window: match policy.window() {
                Window::Calls(calls) => Of::Calls(calls),
                Window::Time(time) => Of::Time(seconds::rounded(time)),
            },
            minimum_calls: policy.minimum_calls(),
            reset_timeout: seconds::rounded(policy.reset_timeout()),
            reset_backoff: policy.reset_backoff(),
            max_reset_timeout: seconds::rounded(policy.max_reset_timeout()),
            reset_jitter: policy.reset_jitter(),
            success_threshold: policy.success_threshold(),
            half_open_max_calls: policy.half_open_max_calls(),
            ramp: optional(policy.ramp()),
            mode,
        }
    }
}
