use std::time::Duration;

use super::Exclusion;

/// How one circuit behaves.
///
/// Each of these can be set for all circuits, and for one of them in its own table; a list there
/// replaces the general one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// `BREAKER_MAX_FAILURE`: failures, one after another, that open the circuit; 1 to 65535.
    /// Default 5.
    pub max_failure: u32,
    /// `BREAKER_RESET_TIMEOUT`: how long the circuit is open before a trial call. Default 15 s.
    pub reset_timeout: Duration,
    /// `BREAKER_SUCCESS_THRESHOLD`: successful trial calls, one after another, that close the
    /// circuit; 1 to 1023. Default 1.
    pub success_threshold: u32,
    /// `BREAKER_HALF_OPEN_MAX_CALLS`: trial calls in flight at most; 1 to 1023. Default 1.
    pub half_open_max_calls: u32,
    /// `BREAKER_EXCLUDE_EXCEPTIONS`: failures that shall not count. Default none.
    pub exclude: Vec<Exclusion>,
    /// `BREAKER_LISTENERS`: listeners by name. Default none.
    pub listeners: Vec<String>,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            max_failure: 5,
            reset_timeout: Duration::from_secs(15),
            success_threshold: 1,
            half_open_max_calls: 1,
            exclude: Vec::new(),
            listeners: Vec::new(),
        }
    }
}
