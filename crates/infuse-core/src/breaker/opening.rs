use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use super::{Breaker, Cold};
use crate::{State, claim::Claim, deadline::micros, sync::lock};

/// How long the circuit stays open.
impl Cold {
    /// When a trial is due, if the circuit is opened by what a call said, after so many trials that
    /// failed.
    pub(super) fn due_if_opened(&self, now: u64, failed_trials: u32) -> u64 {
        let random = if self.policy.reset_jitter() > 0.0 { random() } else { 0.0 };
        let open_time = micros(self.policy.open_time(failed_trials, random));
        now.saturating_add(open_time).max(self.held_off_until)
    }
}

impl Breaker {
    /// The service asked to be left alone for so long, by a `Retry-After` say. See
    /// [`Verdict::retry_after`](crate::Verdict::retry_after).
    ///
    /// A circuit that is open or half-open lets no trial through before that time is over, and one
    /// that opens within that time stays open until then at least. It does not open a circuit, and
    /// shortens nothing. A circuit that closes, or is put into a state by hand, forgets it. No more
    /// than [`max_retry_after`](crate::Policy::max_retry_after) is granted.
    pub fn hold_off(&self, retry_after: Duration) {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        let Some(most) = cold.policy.max_retry_after() else { return };
        let left = retry_after.min(most);
        let until = now.saturating_add(micros(left));
        if until <= cold.held_off_until.max(now) {
            return;
        }
        cold.held_off_until = until;
        if self.word().state() != State::Closed && self.deadline().at() < until {
            self.set_due(until);
        }
        drop(cold);
        if let Some(replica) = &self.replica {
            replica.held_off(left);
        }
    }

    /// [`hold_off`](Self::hold_off) by what a call heard, where such a call counts.
    #[cold]
    pub(crate) fn heed(&self, claim: Claim, retry_after: Duration) {
        if !claim.is_uncounted() && self.word_now().counts() {
            self.hold_off(retry_after);
        }
    }
}

/// From 0 to less than 1.
fn random() -> f64 {
    // The keys of a `RandomState` differ with each instance. A float holds 53 bits.
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_thrown_anew_each_time() {
        let thrown: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(thrown.iter().all(|value| (0.0..1.0).contains(value)));
        let mean = thrown.iter().sum::<f64>() / 1000.0;
        // A mean that far off would be five standard deviations from the middle.
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
