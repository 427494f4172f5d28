use std::{ops::Deref, sync::Arc};

use super::Breaker;
use crate::{
    Permit, Rejected, State,
    deadline::micros,
    decide::{self, Gate},
    word::Word,
};

/// What a breaker answers to a call that asks to pass.
#[derive(Debug)]
#[must_use]
pub enum Admission<B: Deref<Target = Breaker>> {
    /// The call may be made.
    Admitted(Permit<B>),
    /// It may not.
    Rejected(Rejected),
    /// The time for a trial call has come. Whoever gets a lease for one may make it: see
    /// [`Breaker::begin_trial`] and [`Breaker::begin_shared_trial`].
    TrialDue,
}

impl Breaker {
    /// Asks to pass, leaving it to the caller where the lease for a trial comes from.
    ///
    /// Most users want [`try_permit`](Self::try_permit) or [`call`](Self::call).
    #[inline]
    pub fn admit(&self) -> Admission<&Self> {
        let word = self.word();
        if word.is_quiet() {
            return Admission::Admitted(Permit::new(self, word.ticket()));
        }
        self.admit_slowly(word, self)
    }

    /// [`admit`](Self::admit) with a permit that owns its breaker.
    pub fn admit_owned(self: &Arc<Self>) -> Admission<Arc<Self>> {
        let word = self.word();
        if word.is_quiet() {
            return Admission::Admitted(Permit::new(Arc::clone(self), word.ticket()));
        }
        self.admit_slowly(word, Arc::clone(self))
    }

    /// Asks to pass. A trial call is granted here, by this breaker alone.
    ///
    /// # Errors
    ///
    /// [`Rejected`] while the circuit is open, or half-open with enough trials in flight.
    #[inline]
    pub fn try_permit(&self) -> Result<Permit<&Self>, Rejected> {
        match self.quick_permit() {
            Ok(permit) => Ok(permit),
            Err(word) => self.try_permit_slowly(word),
        }
    }

    /// A permit of a closed circuit that nobody watches; else `None`, and [`admit`](Self::admit)
    /// is to be asked. This is all that most calls need, and is inlined into them.
    #[inline]
    pub fn quiet_permit(&self) -> Option<Permit<&Self>> {
        self.quick_permit().ok()
    }

    /// A permit of a quiet closed circuit, else the word that was found.
    ///
    /// Guarded calls treat the two cases apart instead of taking a permit from either: one that
    /// comes from a function that is not inlined has to stand in memory, which makes a call ten
    /// times as dear.
    #[inline]
    pub(crate) fn quick_permit(&self) -> Result<Permit<&Self>, Word> {
        let word = self.word();
        if word.is_quiet() { Ok(Permit::new(self, word.ticket())) } else { Err(word) }
    }

    /// The rest of [`try_permit`](Self::try_permit). Not a part of it, so that it is inlined.
    #[inline(never)]
    pub(crate) fn try_permit_slowly(&self, word: Word) -> Result<Permit<&Self>, Rejected> {
        match self.gate(word) {
            Gate::Reject(rejected) => Err(self.tell_rejected(word, rejected)),
            gate => self.let_through(gate, word),
        }
    }

    /// What is not a rejection. Apart, so that rejecting needs few registers.
    #[cold]
    fn let_through(&self, gate: Gate, word: Word) -> Result<Permit<&Self>, Rejected> {
        match gate {
            Gate::Reject(rejected) => Err(rejected),
            Gate::TrialDue => self.begin_trial(self, None),
            Gate::Pass => Ok(self.pass(word, self)),
        }
    }

    /// [`try_permit`](Self::try_permit) with a permit that owns its breaker.
    ///
    /// # Errors
    ///
    /// As for [`try_permit`](Self::try_permit).
    pub fn try_permit_owned(self: &Arc<Self>) -> Result<Permit<Arc<Self>>, Rejected> {
        match self.admit_owned() {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Rejected(rejected) => Err(rejected),
            Admission::TrialDue => self.begin_trial(Arc::clone(self), None),
        }
    }

    #[inline(never)]
    fn admit_slowly<B: Deref<Target = Breaker>>(&self, word: Word, owner: B) -> Admission<B> {
        match self.gate(word) {
            Gate::Pass => Admission::Admitted(self.pass(word, owner)),
            Gate::Reject(rejected) => Admission::Rejected(self.tell_rejected(word, rejected)),
            Gate::TrialDue => Admission::TrialDue,
        }
    }

    #[inline]
    fn gate(&self, word: Word) -> Gate {
        decide::admit(word, self.deadline(), micros(self.time.now()))
    }

    fn pass<B: Deref<Target = Breaker>>(&self, word: Word, owner: B) -> Permit<B> {
        self.tell_before_call(word);
        Permit::new(owner, word.ticket())
    }

    pub(super) fn tell_before_call(&self, word: Word) {
        if word.is_watched() {
            self.listeners.tell(|listener| listener.before_call(self));
        }
    }

    /// Tells the listeners of a rejection that was decided outside, for want of a lease.
    pub fn reject(&self) -> Rejected {
        let word = self.word();
        let rejected = match word.state() {
            State::Open => Rejected::new(State::Open, self.until_due(micros(self.time.now()))),
            // One that closed while the lease was asked for was half-open for this call.
            State::HalfOpen | State::Closed => Rejected::new(State::HalfOpen, 0),
        };
        self.tell_rejected(word, rejected)
    }

    #[inline]
    pub(super) fn tell_rejected(&self, word: Word, rejected: Rejected) -> Rejected {
        if word.is_watched() {
            self.announce_rejected(rejected);
        }
        rejected
    }

    #[cold]
    fn announce_rejected(&self, rejected: Rejected) {
        self.listeners.tell(|listener| listener.rejected(self, rejected));
    }
}
