use std::time::Duration;

use super::{Breaker, Cold};
use crate::{State, claim::Claim, deadline::micros};

/// How long the circuit stays open.
impl Breaker {
    /// When a trial is due, if the circuit is opened by what a call said, after so many trials that
    /// failed.
    pub(super) fn due_if_opened(&self, cold: &Cold, now: u64, failed_trials: u32) -> u64 {
        let policy = &cold.policy;
        let random = if policy.reset_jitter() > 0.0 { self.time.fraction() } else { 0.0 };
        let open_time = micros(policy.open_time(failed_trials, random));
        now.saturating_add(open_time).max(cold.held_off_until)
    }

    /// The service asked to be left alone for so long, by a `Retry-After` say. See
    /// [`Verdict::retry_after`](crate::Verdict::retry_after).
    ///
    /// A circuit that is open or half-open lets no trial through before that time is over, and one
    /// that opens within that time stays open until then at least. It does not open a circuit, and
    /// shortens nothing. A circuit that closes, or is put into a state by hand, forgets it. No more
    /// than [`max_retry_after`](crate::Policy::max_retry_after) is granted.
    pub fn hold_off(&self, retry_after: Duration) {
        let now = micros(self.time.now());
        let mut cold = self.lock();
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
