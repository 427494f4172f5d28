use std::fmt;

use crate::{Counts, Window};

/// The window of a breaker, and how far its rates are from opening the circuit.
///
/// Its `Display` says it in words: `failures: 6 of 10 calls, not judged yet; slow calls: 40 % of
/// 50 %`. With the feature `serde` it serializes to the numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WindowSnapshot {
    /// Which calls it holds.
    pub window: Window,
    /// The calls of this process that it holds: none unless the circuit is closed.
    pub counts: Counts,
    /// The rate of failures, if the policy goes by it.
    pub failure_rate: Option<Standing>,
    /// The rate of slow calls, if the policy goes by it.
    pub slow_call_rate: Option<Standing>,
}

/// How far a rate is from opening the circuit.
///
/// With the feature `serde` it serializes to `{"calls": 6, "minimum": 10}` while it is not judged, then
/// to `{"rate": 0.4, "threshold": 0.5}`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(untagged))]
pub enum Standing {
    /// There are too few calls for a rate.
    NotJudged {
        /// The calls that there are.
        calls: u64,
        /// The calls that there must be.
        minimum: u32,
    },
    /// There is a rate.
    Judged {
        /// The rate: from 0 to 1.
        rate: f64,
        /// The rate that opens the circuit.
        threshold: f64,
    },
}

impl Standing {
    /// Where `part` of so many calls stands.
    pub(super) fn new(part: u64, calls: u64, minimum: u32, threshold: f64) -> Self {
        if calls < u64::from(minimum).max(1) {
            Standing::NotJudged { calls, minimum }
        } else {
            // Divided, and not multiplied: so 3 of 10 are exactly the 0.3 that was written.
            Standing::Judged { rate: part as f64 / calls as f64, threshold }
        }
    }

    /// Whether [`new`](Self::new) of the same would open the circuit, without a division where the
    /// answer is plain.
    #[inline]
    pub(super) fn would_open(part: u64, calls: u64, minimum: u32, threshold: f64) -> bool {
        // A little less than the threshold, for what multiplying loses.
        calls >= minimum.into()
            && part as f64 >= threshold * 0.999_999 * calls as f64
            && Self::new(part, calls, minimum, threshold).is_reached()
    }

    /// How many more of `part` there can be, with any number of calls beside them, before the rate
    /// may open the circuit. Rather too few.
    #[inline]
    pub(super) fn room(part: u64, calls: u64, threshold: f64) -> u64 {
        // A little less than the threshold, for what multiplying loses. It ends at 0 by itself.
        ((threshold * 0.999_999 * calls as f64) as u64).saturating_sub(part)
    }

    /// Whether this opens the circuit.
    pub fn is_reached(&self) -> bool {
        matches!(self, Standing::Judged { rate, threshold } if rate >= threshold)
    }

    /// The rate, from 0 to 1, if there are enough calls for one.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Standing::NotJudged { .. } => None,
            Standing::Judged { rate, .. } => Some(*rate),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::NotJudged { calls, minimum } => {
                write!(f, "{calls} of {minimum} calls, not judged yet")
            }
            Standing::Judged { rate, threshold } => {
                write!(f, "{} % of {} %", percent(*rate), percent(*threshold))
            }
        }
    }
}

/// With one digit behind the point, where there is something to show.
fn percent(rate: f64) -> f64 {
    (rate * 1000.0).round() / 10.0
}

impl fmt::Display for WindowSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failure_rate, self.slow_call_rate) {
            (Some(failures), Some(slow)) => write!(f, "failures: {failures}; slow calls: {slow}"),
            (Some(failures), None) => write!(f, "failures: {failures}"),
            (None, Some(slow)) => write!(f, "slow calls: {slow}"),
            (None, None) => {
                let Counts { calls, failures, slow } = self.counts;
                write!(f, "{calls} calls: {failures} failed, {slow} slow")
            }
        }
    }
}

#[cfg(test)]
mod tests;
