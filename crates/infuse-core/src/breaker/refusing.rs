use std::ops::Deref;

#[cfg(doc)]
use super::Admission;
use super::Breaker;
use crate::{
    Mode, Permit, Rejected, State,
    deadline::micros,
    decide::{self, Gate},
    word::Word,
};

/// For whoever found a trial due and did not get the lease for it.
impl Breaker {
    /// What becomes of a call for which a trial was [due](Admission::TrialDue) and that got no
    /// lease. It is rejected, and the listeners are told; but in a circuit that only
    /// [observes](Mode::Observe) it passes with a permit that counts as nothing, and so it does in
    /// one that was [disabled](Mode::Disabled) meanwhile. `owner` is this breaker, for the permit
    /// to hold.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the reason that holds now.
    pub fn refuse<B>(&self, owner: B) -> Result<Permit<B>, Rejected>
    where
        B: Deref<Target = Breaker>,
    {
        let now = micros(self.time.now());
        let word = self.look_again(self.word(), now);
        let gate = Gate::Reject(self.want_of_a_lease(word, now));
        let gate = decide::in_mode(word.mode(), gate, self.isolated_for(now));
        self.answer(word, gate, owner).now()
    }

    /// Tells the listeners of a rejection that was decided outside, for want of a lease, and that
    /// holds in any mode. Where the call can still be made, [`refuse`](Self::refuse) is better: it
    /// heeds the mode.
    pub fn reject(&self) -> Rejected {
        let now = micros(self.time.now());
        let word = self.look_again(self.word(), now);
        let rejected = match word.mode() {
            Mode::Isolated => Rejected::isolated(self.isolated_for(now)),
            _ => self.want_of_a_lease(word, now),
        };
        self.tell_rejected(word, rejected)
    }

    fn want_of_a_lease(&self, word: Word, now: u64) -> Rejected {
        match word.state() {
            State::Open => Rejected::new(State::Open, self.until_due(now)),
            // One that closed while the lease was asked for was half-open for this call.
            State::HalfOpen | State::Closed => Rejected::new(State::HalfOpen, 0),
        }
    }
}
