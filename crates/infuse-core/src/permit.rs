use std::{fmt, ops::Deref};

use crate::{Breaker, Fault, FaultKind, Outcome, Rejected, Verdict, claim::Claim, word::Word};

/// The right to make one call, and the duty to say what came of it.
///
/// It belongs to the state in which it was given: when the circuit has changed since, the outcome
/// is dropped. So it is where the call was let through although it would have been rejected, in a
/// circuit that only [observes](crate::Mode::Observe), or in one that is
/// [disabled](crate::Mode::Disabled).
///
/// Dropping a permit is [`Outcome::Ignored`]: the caller went away; but
/// [`Outcome::Failure`] if it had waited [long enough](crate::Policy::abandoned_after).
///
/// ```
/// use infuse_core::{Breaker, Outcome};
///
/// let breaker = Breaker::new("database");
/// let permit = breaker.try_permit()?;
/// // … make the call …
/// permit.settle(Outcome::Success);
/// # Ok::<_, infuse_core::Rejected>(())
/// ```
#[must_use = "dropping a permit means that the call was not made"]
pub struct Permit<B: Deref<Target = Breaker>> {
    breaker: B,
    ticket: Word,
    claim: Claim,
    settled: bool,
    /// Set while the guarded call's own code runs: a drop in that time is a panic out of it.
    running: bool,
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(crate) fn new(breaker: B, ticket: Word) -> Self {
        Self::with_claim(breaker, ticket, Claim::NONE)
    }

    #[inline]
    pub(crate) fn with_claim(breaker: B, ticket: Word, claim: Claim) -> Self {
        Self { breaker, ticket, claim, settled: false, running: false }
    }

    /// The breaker that gave it.
    #[inline]
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// The same permit with another hold on the same breaker.
    ///
    /// # Panics
    ///
    /// When `owner` is another breaker.
    pub fn with_owner<C: Deref<Target = Breaker>>(mut self, owner: C) -> Permit<C> {
        assert!(std::ptr::eq(&*self.breaker, &*owner), "a permit belongs to its breaker");
        self.settled = true;
        Permit::with_claim(owner, self.ticket, self.claim)
    }

    /// Whether this is a trial call of a half-open circuit.
    pub fn is_trial(&self) -> bool {
        self.claim.as_trial().is_some()
    }

    /// The call begins only now. What the caller has waited for until here, a place in a queue of
    /// its own say, is no time of the service's: the call is [slow](crate::Policy::slow_call_duration)
    /// and [abandoned](crate::Policy::abandoned_after) by the time from now on. The lease of a trial
    /// goes on.
    pub fn begin_call(&mut self) {
        self.claim = self.breaker.begin_call(self.claim);
    }

    /// Says what came of the call.
    pub fn settle(mut self, verdict: impl Into<Verdict>) {
        self.conclude(verdict.into(), None);
    }

    /// [`settle`](Self::settle); what further calls are told, if this opened the circuit.
    #[inline]
    pub(crate) fn conclude(
        &mut self,
        verdict: Verdict,
        error: Option<&(dyn std::error::Error + 'static)>,
    ) -> Option<Rejected> {
        let Verdict { outcome, origin, retry_after, fault } = verdict;
        if outcome == Outcome::Success {
            self.succeed();
            return None;
        }
        // First, so that the circuit opens for that long if this opens it.
        if let Some(left) = retry_after {
            self.breaker.heed(self.claim, left);
        }
        if outcome == Outcome::Ignored {
            self.ignore();
            return None;
        }
        self.settled = true;
        let fault = fault.unwrap_or(Fault::new(FaultKind::Error));
        self.breaker.fail(self.ticket, self.claim, (origin, fault), error)
    }

    /// The service works.
    #[inline]
    pub fn success(mut self) {
        self.succeed();
    }

    /// The service does not work.
    pub fn failure(mut self) {
        self.conclude(Outcome::Failure.into(), None);
    }

    #[inline]
    pub(crate) fn succeed(&mut self) {
        self.settled = true;
        self.breaker.succeed(self.ticket, self.claim);
    }

    /// Gives back a trial's place.
    pub(crate) fn ignore(&mut self) {
        self.settled = true;
        self.breaker.ignore(self.ticket, self.claim);
    }

    /// What is needed to settle this permit elsewhere, by [`Permit::with_claim`]. In two registers,
    /// so that the caller's permit never has to stand in memory for it.
    #[inline]
    pub(crate) fn hand_over(&mut self) -> (Word, Claim) {
        self.settled = true;
        (self.ticket, self.claim)
    }

    /// Marks that the guarded call's own code runs, or no longer does.
    #[inline]
    pub(crate) fn set_running(&mut self, running: bool) {
        self.running = running;
    }
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    #[inline]
    fn drop(&mut self) {
        if !self.settled {
            self.breaker.drop_permit(self.ticket, self.claim, self.running);
        }
    }
}

impl<B: Deref<Target = Breaker>> fmt::Debug for Permit<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("breaker", &self.breaker.name())
            .field("trial", &self.is_trial())
            .finish()
    }
}
