use super::{Breaker, Cold, METERED, TIMED};
use crate::{
    Cause, Counts, Outcome, Policy, State, WindowSnapshot,
    claim::Claim,
    deadline::micros,
    meter::{Evidence, Meter},
    sync::Ordering,
    window::{Moment, Shape},
    word::Word,
};

/// What a breaker counted since it was asked last: see [`Breaker::take_deltas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Deltas {
    /// The [epoch](crate::Snapshot::epoch) that the calls belong to.
    pub epoch: u64,
    /// The calls.
    pub counts: Counts,
}

/// For those who share rates with other processes: the counts go out in batches, so that no call has
/// to wait for it.
impl Breaker {
    /// The calls of this process that its window counted since this was asked last: those of the
    /// present closed circuit that are still in the window. Each call is handed out once. Nothing
    /// where no window is kept, or while the circuit is not closed. Failures of
    /// [our own side](crate::Origin::Local) are not handed out where the policy
    /// [tells them apart](crate::Policy::split_local_origin): they are no matter for others.
    ///
    /// Asking often is safe, and asking seldom loses only what the window has already forgotten. Of
    /// a window over the last calls, more than it holds are never handed out at once.
    pub fn take_deltas(&self) -> Deltas {
        let now = micros(self.time.now());
        let word = self.word();
        let epoch = word.epoch();
        match self.meter() {
            Some(meter) if word.state() == State::Closed => {
                Deltas { epoch, counts: meter.window.take(Moment { epoch, now }) }
            }
            _ => Deltas { epoch, counts: Counts::default() },
        }
    }

    /// Whether [`take_deltas`](Self::take_deltas) would hand out calls. Cheap to ask often: next to
    /// nothing where no window is kept, else a look at what is counted.
    pub fn has_deltas(&self) -> bool {
        let word = self.word();
        let Some(meter) = self.meter().filter(|_| word.state() == State::Closed) else {
            return false;
        };
        let now = micros(self.time.now());
        meter.window.has_more(Moment { epoch: word.epoch(), now })
    }
}

/// Within the breaker.
impl Breaker {
    /// The window and its numbers, while there is something to judge by.
    #[inline]
    fn meter(&self) -> Option<&Meter> {
        if self.is_metered() { self.meter.get().map(|meter| &**meter) } else { None }
    }

    pub(super) fn is_metered(&self) -> bool {
        // Relaxed, also below: calls may go by either policy while it is replaced.
        self.limits.load(Ordering::Relaxed) & METERED != 0
    }

    /// What the permit of an ordinary call holds.
    #[inline]
    pub(super) fn start(&self) -> Claim {
        if self.limits.load(Ordering::Relaxed) & TIMED == 0 {
            return Claim::NONE;
        }
        Claim::started(micros(self.time.now()))
    }

    /// Whether so many microseconds make a call slow.
    pub(super) fn is_slow(&self, took: u64) -> bool {
        self.meter().is_some_and(|meter| meter.is_slow(took))
    }

    /// Counts the outcome of an ordinary call in the window; why it opens the circuit, if it does.
    /// `word` was found to be of the call's epoch: should it have changed since, the call counts for
    /// nothing. One that is `local` is not handed out by [`take_deltas`](Self::take_deltas).
    #[inline]
    pub(super) fn count_in_window(
        &self,
        word: Word,
        claim: Claim,
        outcome: Outcome,
        local: bool,
    ) -> Option<Cause> {
        let meter = self.meter()?;
        let shape = meter.window.shape();
        if outcome == Outcome::Success
            && claim.as_started().is_none()
            && meter.add_quietly(shape, word.epoch())
        {
            return None;
        }
        self.count_fully(meter, (shape, word), claim, outcome, local)
    }

    // Apart, so that the quick way needs few registers.
    #[inline(never)]
    fn count_fully(
        &self,
        meter: &Meter,
        (shape, word): (Shape, Word),
        claim: Claim,
        outcome: Outcome,
        local: bool,
    ) -> Option<Cause> {
        let started = claim.as_started();
        let timed = started.is_some() || shape.over_time();
        let now = if timed { micros(self.time.now()) } else { 0 };
        let slow = started.is_some_and(|started| meter.is_slow(now.saturating_sub(started)));
        let fail_counter = if outcome == Outcome::Failure { word.failures() + 1 } else { 0 };
        let evidence = Evidence { outcome, slow, fail_counter, counts: Counts::NONE };
        meter.judge(shape, Moment { epoch: word.epoch(), now }, evidence, local)
    }

    /// Whether a call that was counted as `local` is in the window of this epoch, which may just be
    /// over: whether such calls had a part in it if the window opened the circuit.
    #[cold]
    pub(super) fn has_local_in_window(&self, epoch: u64) -> bool {
        let now = micros(self.time.now());
        self.meter().is_some_and(|meter| meter.window.has_local(Moment { epoch, now }))
    }

    /// Whether a rate of this epoch is reached only with calls that are counted as `local`, or half
    /// of its calls are such.
    #[cold]
    pub(super) fn is_rate_of_locals(&self, epoch: u64) -> bool {
        let at = Moment { epoch, now: micros(self.time.now()) };
        self.meter().is_some_and(|meter| {
            meter.window.has_local(at) && !meter.is_reached_by_half(meter.window.shared_counts(at))
        })
    }

    /// The meter, made to go by a policy, if there is something to judge by then. For whoever holds
    /// the lock.
    pub(super) fn prepare_meter(&self, policy: &Policy) -> Option<&Meter> {
        let has_rules = self.meter.get().is_some_and(|meter| meter.has_rules());
        if !policy.has_rates() && !has_rules {
            return None;
        }
        let meter = self.meter.get_or_init(|| Box::new(Meter::new(policy, Box::new([]))));
        meter.set_policy(policy);
        if !self.is_metered() {
            // What it counted before it was switched off is long past.
            meter.window.clear();
        }
        Some(meter)
    }

    /// For whoever holds the lock.
    pub(super) fn look_at_window(
        &self,
        cold: &Cold,
        word: Word,
        now: u64,
    ) -> Option<WindowSnapshot> {
        let meter = self.meter()?;
        let counts = match word.state() {
            State::Closed => meter.window.counts(Moment { epoch: word.epoch(), now }),
            State::Open | State::HalfOpen => Counts::default(),
        };
        let (failure_rate, slow_call_rate) = meter.standings(counts);
        Some(WindowSnapshot { window: cold.policy.window(), counts, failure_rate, slow_call_rate })
    }
}
