//! What opens a closed circuit beside failures in a row: rates over a window, and rules of one's
//! own.

mod rule;
mod standing;

pub use rule::{Evidence, TripRule};
pub use standing::{Standing, WindowSnapshot};

// The thresholds order nothing and are the standard library's also under loom, which would explore
// every call with every threshold for nothing.
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::{
    Cause, Counts, Outcome, Policy,
    deadline::micros,
    window::{Call, Judgement, Moment, Shape, SlidingWindow},
};

/// The window of a breaker, and the numbers that it is judged by. A breaker that goes by failures
/// in a row alone has none.
pub(crate) struct Meter {
    pub(crate) window: SlidingWindow,
    rules: Box<[Arc<dyn TripRule>]>,
    /// As bits; 0 for none.
    failure_rate: AtomicU64,
    slow_call_rate: AtomicU64,
    minimum_calls: AtomicU32,
    /// In microseconds; `u64::MAX` for never.
    slow_from: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Meter {
    pub(crate) fn new(policy: &Policy, rules: Box<[Arc<dyn TripRule>]>) -> Self {
        let meter = Self {
            window: SlidingWindow::new(policy.window()),
            rules,
            failure_rate: AtomicU64::new(0),
            slow_call_rate: AtomicU64::new(0),
            minimum_calls: AtomicU32::new(0),
            slow_from: AtomicU64::new(NEVER),
        };
        meter.set_policy(policy);
        meter
    }

    /// Goes by another policy from now on. Calls may be judged by a mix of both meanwhile. For
    /// whoever holds the breaker's lock.
    pub(crate) fn set_policy(&self, policy: &Policy) {
        let bits = |rate: Option<f64>| rate.map_or(0, f64::to_bits);
        self.failure_rate.store(bits(policy.failure_rate()), Relaxed);
        self.slow_call_rate.store(bits(policy.slow_call_rate()), Relaxed);
        self.minimum_calls.store(policy.minimum_calls(), Relaxed);
        self.slow_from.store(policy.slow_call_duration().map_or(NEVER, micros), Relaxed);
        self.window.reshape(policy.window());
        self.window.look_again();
    }

    pub(crate) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether a call that took so many microseconds was slow.
    pub(crate) fn is_slow(&self, took: u64) -> bool {
        took >= self.slow_from.load(Relaxed)
    }

    /// Where the rates of failures and of slow calls stand.
    pub(crate) fn standings(&self, counts: Counts) -> (Option<Standing>, Option<Standing>) {
        let minimum = self.minimum_calls.load(Relaxed);
        let standing = |bits: &AtomicU64, part| match bits.load(Relaxed) {
            0 => None,
            bits => Some(Standing::new(part, counts.calls, minimum, f64::from_bits(bits))),
        };
        (standing(&self.failure_rate, counts.failures), standing(&self.slow_call_rate, counts.slow))
    }

    /// Whether the share of failures or of slow calls in these is one that opens the circuit, where
    /// they are half of those at least that it takes.
    pub(crate) fn is_reached_by_half(&self, counts: Counts) -> bool {
        let minimum = self.minimum_calls.load(Relaxed).div_ceil(2);
        let rates = [(&self.failure_rate, counts.failures), (&self.slow_call_rate, counts.slow)];
        rates.into_iter().any(|(bits, part)| {
            let threshold = f64::from_bits(bits.load(Relaxed));
            threshold > 0.0
                && part > 0
                && Standing::would_open(part, counts.calls, minimum, threshold)
        })
    }

    /// Counts a success that was not slow, if that takes neither the time nor a judgement; whether it
    /// did.
    #[inline]
    pub(crate) fn add_quietly(&self, shape: Shape, epoch: u64) -> bool {
        self.rules.is_empty() && self.window.add_quietly(shape, epoch)
    }

    /// Counts a call, and says why it opens the circuit, if it does. `evidence` is what is known
    /// of the call, yet without the window.
    #[inline]
    pub(crate) fn judge(
        &self,
        shape: Shape,
        at: Moment,
        evidence: Evidence,
        local: bool,
    ) -> Option<Cause> {
        let Evidence { outcome, slow, .. } = evidence;
        let call = Call { failed: outcome == Outcome::Failure, slow, local };
        let for_rates = self.rules.is_empty().then(|| self.minimum_calls.load(Relaxed));
        self.window.add(shape, at, call, for_rates, |counts| self.verdict(&evidence, counts))
    }

    #[inline(never)]
    fn verdict(&self, evidence: &Evidence, counts: Counts) -> Judgement<Cause> {
        let minimum = self.minimum_calls.load(Relaxed);
        let rates = [
            (&self.failure_rate, counts.failures, Cause::FailureRate),
            (&self.slow_call_rate, counts.slow, Cause::SlowCallRate),
        ];
        let mut room = u64::MAX;
        for (bits, part, cause) in rates {
            let threshold = f64::from_bits(bits.load(Relaxed));
            if threshold == 0.0 {
                continue;
            }
            if part > 0 && Standing::would_open(part, counts.calls, minimum, threshold) {
                return Judgement::Opens(cause);
            }
            room = room.min(Standing::room(part, counts.calls, threshold));
        }
        if self.a_rule_says_so(evidence, counts) {
            Judgement::Opens(Cause::Rule)
        } else {
            Judgement::Room(room)
        }
    }

    fn a_rule_says_so(&self, evidence: &Evidence, counts: Counts) -> bool {
        let evidence = Evidence { counts, ..*evidence };
        self.rules.iter().any(|rule| rule::trips(&**rule, &evidence))
    }
}
