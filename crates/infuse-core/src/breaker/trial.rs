use std::{ops::Deref, time::Duration};

use super::{Breaker, Cold};
use crate::{
    Cause, Outcome, Permit, Rejected, State, StateChange,
    deadline::micros,
    decide::{self, Gate, Step},
    sync::{MutexGuard, lock},
    word::Word,
};

/// A trial call in flight. Its place is free again when `ends` has passed.
pub(super) struct Trial {
    id: u64,
    /// In microseconds of the breaker's clock.
    ends: u64,
    /// The token of the lease, if the storage granted it.
    token: Option<u64>,
}

impl Cold {
    pub(super) fn drop_expired(&mut self, now: u64) {
        self.trials.retain(|trial| now < trial.ends);
    }

    /// When the next trial is due, as far as the trials in flight here say: when so many have
    /// ended that one more is allowed.
    pub(super) fn next_due(&self) -> u64 {
        self.next_due_of(self.policy.half_open_max_calls())
    }

    /// [`next_due`](Self::next_due) where at most so many are allowed.
    fn next_due_of(&self, most: u32) -> u64 {
        let Some(too_many) = self.trials.len().checked_sub(most as usize) else { return 0 };
        let mut ends: Vec<u64> = self.trials.iter().map(|trial| trial.ends).collect();
        ends.sort_unstable();
        ends.get(too_many).copied().unwrap_or(0)
    }
}

impl Breaker {
    /// Begins a trial call that this breaker grants by itself, if one is due and fewer than
    /// [`half_open_max_calls`](crate::Policy::half_open_max_calls) are in flight. `owner` is this
    /// breaker, for the permit to hold. `timeout` is the call's: see
    /// [`Policy::lease`](crate::Policy::lease).
    ///
    /// # Errors
    ///
    /// [`Rejected`] when another call was faster.
    pub fn begin_trial<B>(&self, owner: B, timeout: Option<Duration>) -> Result<Permit<B>, Rejected>
    where
        B: Deref<Target = Breaker>,
    {
        self.begin_trial_of(owner, timeout, None)
    }

    /// [`begin_trial`](Self::begin_trial) where no other trial may be in flight, whatever the
    /// policy allows.
    ///
    /// # Errors
    ///
    /// [`Rejected`] when another call was faster, or is still being made.
    pub fn begin_only_trial<B>(
        &self,
        owner: B,
        timeout: Option<Duration>,
    ) -> Result<Permit<B>, Rejected>
    where
        B: Deref<Target = Breaker>,
    {
        self.begin_trial_of(owner, timeout, Some(1))
    }

    fn begin_trial_of<B>(
        &self,
        owner: B,
        timeout: Option<Duration>,
        most: Option<u32>,
    ) -> Result<Permit<B>, Rejected>
    where
        B: Deref<Target = Breaker>,
    {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        cold.drop_expired(now);
        let word = self.word();
        match decide::admit(word, self.deadline(), now) {
            Gate::Pass => {
                // It closed meanwhile: an ordinary call.
                drop(cold);
                self.tell_before_call(word);
                return Ok(Permit::new(owner, word.ticket()));
            }
            Gate::Reject(rejected) => {
                drop(cold);
                return Err(self.tell_rejected(word, rejected));
            }
            Gate::TrialDue => {}
        }
        let most = most.unwrap_or(cold.policy.half_open_max_calls());
        // One that was due by the policy, and is not by `most`.
        let due = cold.next_due_of(most);
        if word.state() == State::HalfOpen && due > now {
            self.set_due(due);
            drop(cold);
            return Err(self.tell_rejected(word, Rejected::new(State::HalfOpen, 0)));
        }
        let ends = now.saturating_add(micros(cold.policy.lease(timeout)));
        Ok(self.grant(cold, owner, ends, None, most))
    }

    /// Begins a trial call under a lease that the storage granted, which ends after `lease`.
    /// `token` names it to the [`Replica`](crate::Replica), and `epoch` is that of the
    /// [`snapshot`](Self::snapshot) by which the lease was found to hold.
    ///
    /// A circuit that closed meanwhile gives an ordinary permit, for which the lease is not needed:
    /// [`Permit::is_trial`] tells. `None` if it changed in another way: the lease was for what it
    /// was before.
    pub fn begin_shared_trial<B>(
        &self,
        owner: B,
        token: u64,
        lease: Duration,
        epoch: u64,
    ) -> Option<Permit<B>>
    where
        B: Deref<Target = Breaker>,
    {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        cold.drop_expired(now);
        let word = self.word();
        if word.state() == State::Closed {
            drop(cold);
            self.tell_before_call(word);
            return Some(Permit::new(owner, word.ticket()));
        }
        // The lock is held: it cannot change between this and the grant.
        if word.epoch() != epoch {
            return None;
        }
        let most = cold.policy.half_open_max_calls();
        Some(self.grant(cold, owner, now.saturating_add(micros(lease)), Some(token), most))
    }

    fn grant<B: Deref<Target = Breaker>>(
        &self,
        mut cold: MutexGuard<'_, Cold>,
        owner: B,
        ends: u64,
        token: Option<u64>,
        most: u32,
    ) -> Permit<B> {
        let changed = self.change(&mut cold, 0, |word| {
            (word.state() == State::Open).then(|| word.entering(State::HalfOpen))
        });
        cold.next_trial += 1;
        let id = cold.next_trial;
        cold.trials.push(Trial { id, ends, token });
        self.set_due(cold.next_due_of(most));
        let word = self.word();
        drop(cold);
        if let Some((from, to)) = changed {
            self.tell_change(StateChange { from, to, cause: Cause::TrialStarted, remote: false });
        }
        self.tell_before_call(word);
        Permit::new_trial(owner, word.ticket(), id)
    }

    /// The storage said when to ask for a trial again: until then calls are rejected from memory.
    pub fn defer_trial(&self, left: Duration) {
        let now = micros(self.time.now());
        let _cold = lock(&self.cold);
        if self.word().state() != State::Closed {
            self.set_due(now.saturating_add(micros(left)));
        }
    }

    /// Counts a successful trial whose lease the storage granted but which it can no longer be
    /// told of, as if this breaker stood alone. Nothing, unless the circuit is half-open.
    pub fn count_trial_success(&self) {
        let mut cold = lock(&self.cold);
        let word = self.word();
        if word.state() != State::HalfOpen {
            return;
        }
        let epoch = word.epoch();
        let change = self.apply_trial(&mut cold, epoch, Outcome::Success);
        drop(cold);
        if let Some(change) = change {
            self.tell_change(change);
        }
    }

    /// The outcome of trial `id`, admitted in `epoch`. One whose lease is over is dropped. Says
    /// whether it counted, and the change that it made.
    pub(super) fn settle_trial(
        &self,
        epoch: u64,
        id: u64,
        outcome: Outcome,
    ) -> (bool, Option<StateChange>) {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        if self.word().epoch() != epoch {
            return (false, None);
        }
        let Some(at) = cold.trials.iter().position(|trial| trial.id == id) else {
            return (false, None);
        };
        let trial = cold.trials.swap_remove(at);
        if now >= trial.ends {
            return (false, None);
        }
        let change = match (outcome, trial.token) {
            // The storage counts it, and may close; until it answers nobody else needs to try.
            (Outcome::Success, Some(_)) => None,
            (Outcome::Ignored, _) => {
                self.set_due(cold.next_due());
                None
            }
            _ => self.apply_trial(&mut cold, epoch, outcome),
        };
        drop(cold);
        match (&self.replica, trial.token) {
            (Some(replica), Some(token)) => replica.trial_over(token, outcome),
            (Some(replica), None) if outcome == Outcome::Failure => replica.tripped(),
            _ => {}
        }
        (true, change)
    }

    fn apply_trial(
        &self,
        cold: &mut MutexGuard<'_, Cold>,
        epoch: u64,
        outcome: Outcome,
    ) -> Option<StateChange> {
        let threshold = cold.policy.success_threshold();
        let step = |word: Word| match outcome {
            Outcome::Success => decide::success(word, epoch, threshold),
            Outcome::Failure => decide::failure(word, epoch, 1),
            Outcome::Ignored => Step::Nothing,
        };
        let cause = match outcome {
            Outcome::Success => Cause::TrialSucceeded,
            _ => Cause::TrialFailed,
        };
        let now = micros(self.time.now());
        let due = now.saturating_add(micros(cold.policy.reset_timeout()));
        let changed = self.change(cold, due, |word| match step(word) {
            Step::Change(next) => Some(next),
            Step::Nothing | Step::Count(_) => None,
        });
        if let Some((from, to)) = changed {
            return Some(StateChange { from, to, cause, remote: false });
        }
        loop {
            let word = self.word();
            let Step::Count(next) = step(word) else { break };
            if self.swap(word, next) {
                self.set_due(cold.next_due());
                break;
            }
        }
        None
    }
}
