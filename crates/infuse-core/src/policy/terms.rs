use std::time::Duration;

use super::{open_time::Growth, rates::Rates};

/// What a policy says. Always valid within a [`Policy`](super::Policy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// `None` when it is off.
    pub(super) max_failure: Option<u32>,
    /// Whether it may be off without a rate.
    pub(super) by_rules: bool,
    pub(super) reset_timeout: Duration,
    pub(super) success_threshold: u32,
    pub(super) half_open_max_calls: u32,
    pub(super) trial_lease: Option<Duration>,
    pub(super) call_timeout: Option<Duration>,
    pub(super) error_on_trip: bool,
    pub(super) rates: Rates,
    pub(super) growth: Growth,
    pub(super) ramp: Option<Duration>,
    pub(super) abandoned_after: Option<Duration>,
    pub(super) split_local_origin: bool,
    pub(super) min_reporters: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_failure: Some(5),
            by_rules: false,
            reset_timeout: Duration::from_secs(15),
            success_threshold: 1,
            half_open_max_calls: 1,
            trial_lease: None,
            call_timeout: None,
            error_on_trip: false,
            rates: Rates::default(),
            growth: Growth::default(),
            ramp: None,
            abandoned_after: None,
            split_local_origin: false,
            min_reporters: 1,
        }
    }
}
