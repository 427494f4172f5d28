use std::{error::Error, time::Duration};

use super::{ABANDONED, Breaker, ERROR_ON_TRIP, METERED, RUN, SPLIT, applying::Times, trial::End};
use crate::{
    Cause, Fault, FaultKind, Opened, Origin, Outcome, Rejected, State, StateChange,
    claim::Claim,
    deadline::micros,
    decide::{self, Step},
    sync::Ordering,
    totals::Event,
    word::Word,
};

/// What an outcome did.
pub(super) struct Effect {
    /// As what it counted: not at all if it came from another epoch, too late, or into a mode that
    /// counts nothing.
    pub(super) counted: Option<Outcome>,
    /// The change that it made, and what further calls are told.
    pub(super) change: Option<(StateChange, Rejected)>,
}

impl Effect {
    pub(super) const NONE: Effect = Effect { counted: None, change: None };

    fn new(outcome: Outcome, counted: bool, change: Option<(StateChange, Rejected)>) -> Self {
        Self { counted: counted.then_some(outcome), change }
    }
}

impl Breaker {
    /// A success of a call that holds `ticket`: in a quiet closed circuit, a comparison.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Word, claim: Claim) {
        // Relaxed, also below: the stamp is a coarse age that orders nothing.
        let tick = self.ticks.load(Ordering::Relaxed);
        if self.stamp.load(Ordering::Relaxed) != tick {
            self.stamp.store(tick, Ordering::Relaxed);
        }
        if self.word() != ticket {
            self.succeed_slowly(ticket, claim);
        }
    }

    // Not cold: where there is a rate, it is the way of every call.
    #[inline(never)]
    fn succeed_slowly(&self, ticket: Word, claim: Claim) {
        // Only the totals need to know: the way of every call where they are kept, and the rest is
        // too long a way for it.
        if claim == Claim::NONE && self.word().is_watched_calm(ticket) && self.hears_nothing() {
            self.count(Event::Success);
            return;
        }
        self.succeed_otherwise(ticket, claim);
    }

    /// Whether no success is to be seen by anything but the totals.
    #[inline]
    fn hears_nothing(&self) -> bool {
        !self.has_limit(METERED) && !self.listeners.any_to_calls()
    }

    #[inline(never)]
    fn succeed_otherwise(&self, ticket: Word, claim: Claim) {
        let word = self.word_now();
        let epoch = ticket.epoch();
        let ordinary = claim.as_trial().is_none();
        if claim.is_uncounted() {
            return;
        }
        let counts = word.epoch() == epoch && word.counts();
        let verdict = if ordinary && counts {
            self.count_in_window(word, claim, Outcome::Success, false)
        } else {
            None
        };
        // Counted in the window, and nobody else needs to know.
        let unheard = ordinary && !self.listeners.any_to_calls();
        if verdict.is_none() && unheard && word.failures() == 0 {
            self.count(if counts { Event::Success } else { Event::Ignored });
            return;
        }
        self.succeed_fully(epoch, claim, verdict);
    }

    /// A success that does more than go into the window.
    #[cold]
    fn succeed_fully(&self, epoch: u64, claim: Claim, verdict: Option<Cause>) {
        let effect = match (claim.as_trial(), verdict) {
            (Some(trial), _) => self.settle_trial(epoch, trial, End::Success),
            (None, Some(cause)) => {
                let fault = self.fault_of_success(cause, claim);
                let change = self.trip(cause, fault, |word| decide::trip(word, epoch, None));
                Effect::new(Outcome::Success, change.is_some(), change)
            }
            (None, None) => self.count_success(epoch),
        };
        self.tell_effect(&effect, None);
    }

    fn count_success(&self, epoch: u64) -> Effect {
        loop {
            let word = self.word();
            match decide::success(word, epoch, u32::MAX) {
                Step::Count(next) if self.swap(word, next) => {
                    if let Some(replica) = &self.replica {
                        replica.counted(0, Origin::Service, None);
                    }
                    return Effect::new(Outcome::Success, true, None);
                }
                Step::Count(_) => {}
                Step::Nothing | Step::Change(_) => {
                    // Not if it came from another epoch, or into a mode that counts nothing.
                    let counted = word.epoch() == epoch && word.counts();
                    return Effect::new(Outcome::Success, counted, None);
                }
            }
        }
    }

    /// A failure of a call that holds `ticket`; what further calls are told, if it opened the
    /// circuit.
    #[cold]
    pub(crate) fn fail(
        &self,
        ticket: Word,
        claim: Claim,
        (origin, fault): (Origin, Fault),
        error: Option<&(dyn Error + 'static)>,
    ) -> Option<Rejected> {
        if claim.is_uncounted() {
            return None;
        }
        let local = origin == Origin::Local && self.has_limit(SPLIT);
        let effect = match claim.as_trial() {
            // A trial that never reached the service says nothing about it.
            Some(trial) => {
                let end = if local { End::Ignored } else { End::Failure(fault) };
                self.settle_trial(ticket.epoch(), trial, end)
            }
            None => self.count_failure(ticket.epoch(), claim, local, fault),
        };
        self.tell_effect(&effect, error);
        effect.change.map(|(_, rejected)| rejected)
    }

    fn count_failure(&self, epoch: u64, claim: Claim, local: bool, fault: Fault) -> Effect {
        let word = self.word_now();
        if word.epoch() != epoch || !word.counts() {
            return Effect::NONE;
        }
        self.last_fault.note(fault);
        let fault = Some(fault);
        let verdict = self.count_in_window(word, claim, Outcome::Failure, local);
        let step = |word| decide::failure(word, epoch, self.max_failure(), local);
        loop {
            let word = self.word();
            let change = match step(word) {
                Step::Nothing => return Effect::NONE,
                Step::Change(_) => self.trip(Cause::Failures, fault, |word| match step(word) {
                    Step::Change(next) => Some(next),
                    Step::Nothing | Step::Count(_) => None,
                }),
                Step::Count(next) => match verdict {
                    Some(cause) => {
                        self.trip(cause, fault, |word| decide::trip(word, epoch, Some(local)))
                    }
                    None if !self.has_limit(RUN) => {
                        return Effect::new(Outcome::Failure, true, None);
                    }
                    None if self.swap(word, next) => {
                        if let Some(replica) = &self.replica {
                            let origin = if local { Origin::Local } else { Origin::Service };
                            replica.counted(next.failures(), origin, fault);
                        }
                        return Effect::new(Outcome::Failure, true, None);
                    }
                    None => None,
                },
            };
            // None if something got in between, and the failure is to be counted anew.
            if change.is_some() {
                return Effect::new(Outcome::Failure, true, change);
            }
        }
    }

    /// Opens the circuit, if `next` finds that it is still to be opened.
    fn trip(
        &self,
        cause: Cause,
        fault: Option<Fault>,
        next: impl Fn(Word) -> Option<Word>,
    ) -> Option<(StateChange, Rejected)> {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        self.put_away(&mut cold, now);
        // One that opens while it recovers has not recovered.
        let recovers = self.ramp_at(now).is_some();
        let failed_trials = if recovers { cold.failed_trials.saturating_add(1) } else { 0 };
        let due = self.due_if_opened(&cold, now, failed_trials);
        let (from, to) = self.change(&mut cold, Times::due(now, due), next)?;
        cold.failed_trials = failed_trials;
        cold.blame_call(cause, fault);
        drop(cold);
        if let Some(replica) = &self.replica {
            let opened = Opened::new(cause, Duration::from_micros(due - now)).fault(fault);
            replica.tripped(Opened { local: self.is_local(cause, from, to), ..opened });
        }
        let (from, to) = (from.state(), to.state());
        let change = StateChange { from, to, cause, remote: false, fault };
        Some((change, Rejected::new(to, due - now)))
    }

    /// Whether failures of our own side had a part in a trip, without which it would not have been:
    /// a service that fails is found out by all, whatever fails here beside it.
    fn is_local(&self, cause: Cause, from: Word, to: Word) -> bool {
        match cause {
            Cause::FailureRate | Cause::SlowCallRate => self.is_rate_of_locals(from.epoch()),
            Cause::Rule => to.is_local() || self.has_local_in_window(from.epoch()),
            _ => to.is_local(),
        }
    }

    /// Tells the listeners what an outcome did. A circuit that closes does so before the success
    /// that closed it is told; one that opens, after.
    #[inline]
    fn tell_effect(&self, effect: &Effect, error: Option<&(dyn Error + 'static)>) {
        if effect.change.is_some() || self.listeners.any_to_calls() || self.keeps_totals() {
            self.tell_all(effect, error);
        }
    }

    #[cold]
    fn tell_all(&self, effect: &Effect, error: Option<&(dyn Error + 'static)>) {
        self.count(match effect.counted {
            Some(Outcome::Success) => Event::Success,
            Some(Outcome::Failure) => Event::Failure,
            Some(Outcome::Ignored) | None => Event::Ignored,
        });
        let change = effect.change.map(|(change, _)| change);
        let closes = change.is_some_and(|change| change.to == State::Closed);
        if let Some(change) = change.filter(|_| closes) {
            self.tell_change(change);
        }
        match effect.counted {
            Some(Outcome::Success) => self.listeners.tell(|listener| listener.success(self)),
            Some(Outcome::Failure) => {
                self.listeners.tell(|listener| listener.failure(self, error));
            }
            Some(Outcome::Ignored) | None => {
                self.listeners.tell(|listener| listener.ignored(self));
            }
        }
        if let Some(change) = change.filter(|_| !closes) {
            self.tell_change(change);
        }
    }

    fn max_failure(&self) -> u32 {
        // Relaxed: outcomes may be judged by either policy while it is replaced.
        (self.limits.load(Ordering::Relaxed) & u64::from(u32::MAX)) as u32
    }

    fn has_limit(&self, flag: u64) -> bool {
        self.limits.load(Ordering::Relaxed) & flag != 0
    }

    pub(crate) fn errors_on_trip(&self) -> bool {
        self.has_limit(ERROR_ON_TRIP)
    }

    /// A permit that was dropped; `running` if a panic did it that came out of the call.
    #[cold]
    pub(crate) fn drop_permit(&self, ticket: Word, claim: Claim, running: bool) {
        let failed = |kind| (Origin::Service, Fault::new(kind));
        if running {
            self.fail(ticket, claim, failed(FaultKind::Panic), None);
        } else if let Some(trial) = claim.as_trial() {
            let effect = self.settle_trial(ticket.epoch(), trial, End::Dropped);
            self.tell_effect(&effect, None);
        } else if self.is_abandoned(claim) {
            self.fail(ticket, claim, failed(FaultKind::Abandoned), None);
        } else {
            self.ignore(ticket, claim);
        }
    }

    /// Whether an ordinary call is a failure if it is dropped now.
    fn is_abandoned(&self, claim: Claim) -> bool {
        let Some(started) = claim.as_started().filter(|_| self.has_limit(ABANDONED)) else {
            return false;
        };
        let took = micros(self.time.now()).saturating_sub(started);
        self.lock().is_abandoned(took)
    }

    /// A call that said nothing: a trial's place needs to be given back, and that is all.
    pub(crate) fn ignore(&self, ticket: Word, claim: Claim) {
        let effect = match claim.as_trial() {
            Some(trial) => self.settle_trial(ticket.epoch(), trial, End::Ignored),
            None => Effect::NONE,
        };
        if !claim.is_uncounted() {
            self.tell_effect(&effect, None);
        }
    }
}
