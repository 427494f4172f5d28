use std::{ops::Deref, sync::Arc};

use super::Breaker;
use crate::{
    Mode, Permit, Rejected, State,
    claim::Claim,
    deadline::micros,
    decide::{self, Gate},
    totals::Event,
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
    /// [`Rejected`] while the circuit is open, half-open with enough trials in flight, or
    /// isolated; and for a share of the calls while it recovers.
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

    /// A permit of a closed circuit that lets every call through, whoever is to be told of it; else
    /// `None`, and [`admit`](Self::admit) is to be asked. For whoever had no
    /// [quiet one](Self::quiet_permit) and does without its being inlined.
    #[inline]
    pub fn passing_permit(&self) -> Option<Permit<&Self>> {
        let word = self.word();
        if word.passes() { Some(self.pass(word, self)) } else { None }
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
        // Before the gate, which reads the clock.
        if word.passes() {
            return Ok(self.pass_in_memory(word, self));
        }
        if word.is_plain()
            && let Gate::Reject(rejected) = self.gate(word)
        {
            return Err(self.tell_rejected(word, rejected));
        }
        self.let_through(word)
    }

    /// What is not a plain rejection. Apart, so that rejecting needs few registers.
    #[cold]
    fn let_through(&self, word: Word) -> Result<Permit<&Self>, Rejected> {
        match self.admit_fully(word, self) {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Rejected(rejected) => Err(rejected),
            Admission::TrialDue => self.begin_trial(self, None),
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
        if word.passes() {
            return Admission::Admitted(self.pass_in_memory(word, owner));
        }
        if word.is_plain()
            && let Gate::Reject(rejected) = self.gate(word)
        {
            return Admission::Rejected(self.tell_rejected(word, rejected));
        }
        self.admit_fully(word, owner)
    }

    /// What is neither an ordinary call nor a plain rejection. Apart, so that those need few
    /// registers.
    #[cold]
    fn admit_fully<B: Deref<Target = Breaker>>(&self, word: Word, owner: B) -> Admission<B> {
        let now = micros(self.time.now());
        let word = if word.is_fleeting() { self.look_again(word, now) } else { word };
        self.answer(word, self.gate_in_mode(word, now), owner)
    }

    /// What the state says. For a word that is plain, that is all.
    // Always: two cycles of a rejection.
    #[inline(always)]
    fn gate(&self, word: Word) -> Gate {
        decide::admit(word, self.deadline(), micros(self.time.now()))
    }

    /// What the state, the ramp and the mode say. What has ended by itself was put away.
    pub(super) fn gate_in_mode(&self, word: Word, now: u64) -> Gate {
        let gate = match decide::admit(word, self.deadline(), now) {
            Gate::Pass if word.counts() && !self.has_turn(word, now) => {
                Gate::Reject(Rejected::new(State::Closed, 0))
            }
            gate => gate,
        };
        let left = if word.mode() == Mode::Isolated { self.isolated_for(now) } else { 0 };
        decide::in_mode(word.mode(), gate, left)
    }

    /// Whether a call may pass in a closed circuit, which may be one that recovers.
    fn has_turn(&self, word: Word, now: u64) -> bool {
        let extras = if word.is_fleeting() { self.extras.get() } else { None };
        match extras.and_then(|extras| Some((extras, extras.ramp(now)?))) {
            Some((extras, (time, left))) => decide::has_turn(extras.next_turn(), left, time),
            None => true,
        }
    }

    pub(super) fn answer<B>(&self, word: Word, gate: Gate, owner: B) -> Admission<B>
    where
        B: Deref<Target = Breaker>,
    {
        match gate {
            Gate::Pass => Admission::Admitted(self.pass_in_memory(word, owner)),
            Gate::TrialDue => Admission::TrialDue,
            Gate::Reject(rejected) => Admission::Rejected(self.tell_rejected(word, rejected)),
            Gate::WouldReject(rejected) => {
                self.tell_would_reject(rejected);
                Admission::Admitted(Self::pass_uncounted(word, owner))
            }
            Gate::Bypass => Admission::Admitted(Self::pass_uncounted(word, owner)),
        }
    }

    /// Lets an ordinary call through.
    // Always: a permit that comes from a function that is not inlined has to stand in memory.
    #[inline(always)]
    pub(crate) fn pass<B: Deref<Target = Breaker>>(&self, word: Word, owner: B) -> Permit<B> {
        self.tell_before_call(word);
        Permit::with_claim(owner, word.ticket(), self.start())
    }

    /// [`pass`](Self::pass) for where the permit is to stand in memory anyway. Apart, so that
    /// rejecting, which stands beside it, needs few registers.
    #[inline(never)]
    fn pass_in_memory<B: Deref<Target = Breaker>>(&self, word: Word, owner: B) -> Permit<B> {
        self.pass(word, owner)
    }

    /// Lets a call through whose outcome counts as nothing. Nobody is told that it was.
    fn pass_uncounted<B: Deref<Target = Breaker>>(word: Word, owner: B) -> Permit<B> {
        Permit::with_claim(owner, word.ticket(), Claim::UNCOUNTED)
    }

    #[inline]
    pub(super) fn tell_before_call(&self, word: Word) {
        if word.is_watched() {
            self.listeners.tell(|listener| listener.before_call(self));
        }
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
        self.count(Event::Rejected);
        self.listeners.tell(|listener| listener.rejected(self, rejected));
    }

    #[cold]
    fn tell_would_reject(&self, rejected: Rejected) {
        self.count(Event::WouldHaveRejected);
        if let Some(extras) = self.extras.get() {
            extras.count_would_have_rejected();
        }
        self.listeners.tell(|listener| listener.would_reject(self, rejected));
    }
}

impl<B: Deref<Target = Breaker>> Admission<B> {
    /// The answer where no trial is to be begun.
    pub(super) fn now(self) -> Result<Permit<B>, Rejected> {
        match self {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Rejected(rejected) => Err(rejected),
            Admission::TrialDue => Err(Rejected::new(State::HalfOpen, 0)),
        }
    }
}
