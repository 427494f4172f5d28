use std::{fmt, ops::Deref};

use crate::{Breaker, Outcome, word::Word};

/// The right to make one call, and the duty to say what came of it.
///
/// It belongs to the state in which it was given: when the circuit has changed since, the outcome
/// is dropped. Dropping a permit is [`Outcome::Ignored`]: the caller went away.
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
    /// The trial's number, 0 for an ordinary call.
    trial: u64,
    settled: bool,
    /// Set while the guarded call's own code runs: a drop in that time is a panic out of it.
    running: bool,
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(crate) fn new(breaker: B, ticket: Word) -> Self {
        Self { breaker, ticket, trial: 0, settled: false, running: false }
    }

    #[inline]
    pub(crate) fn new_trial(breaker: B, ticket: Word, trial: u64) -> Self {
        let mut permit = Self::new(breaker, ticket);
        permit.trial = trial;
        permit
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
        let mut permit = Permit::new(owner, self.ticket);
        permit.trial = self.trial;
        permit
    }

    /// Whether this is a trial call of a half-open circuit.
    pub fn is_trial(&self) -> bool {
        self.trial != 0
    }

    /// Says what came of the call.
    pub fn settle(self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.success(),
            Outcome::Failure => self.failure(),
            Outcome::Ignored => drop(self),
        }
    }

    /// The service works.
    #[inline]
    pub fn success(mut self) {
        self.succeed();
    }

    /// The service does not work.
    pub fn failure(mut self) {
        self.fail(None);
    }

    #[inline]
    pub(crate) fn succeed(&mut self) {
        self.settled = true;
        self.breaker.succeed(self.ticket, self.trial);
    }

    /// The service does not work; whether this opened the circuit.
    pub(crate) fn fail(&mut self, error: Option<&(dyn std::error::Error + 'static)>) -> bool {
        self.settled = true;
        self.breaker.fail(self.ticket, self.trial, error)
    }

    /// Gives back a trial's place.
    pub(crate) fn ignore(&mut self) {
        self.settled = true;
        self.breaker.ignore(self.ticket, self.trial);
    }

    /// What is needed to settle this permit elsewhere, by [`Permit::new_trial`]. In two registers,
    /// so that the caller's permit never has to stand in memory for it.
    #[inline]
    pub(crate) fn hand_over(&mut self) -> (Word, u64) {
        self.settled = true;
        (self.ticket, self.trial)
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
            self.breaker.drop_permit(self.ticket, self.trial, self.running);
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
