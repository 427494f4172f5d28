use std::{ops::Deref, time::Duration};

use super::{Breaker, Cold, Ramp, applying::Times, locked::Locked, outcome::Effect};
use crate::{
    Cause, Fault, FaultKind, Opened, Outcome, Permit, Rejected, State, StateChange, TrialOver,
    claim::Claim,
    deadline::micros,
    decide::{self, Gate, Step},
    totals::Event,
    word::Word,
};

/// How a trial ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    Success,
    Failure(Fault),
    Ignored,
    /// Its caller went away.
    Dropped,
}

/// A lease for a trial, in microseconds.
struct Lease {
    now: u64,
    lease: u64,
    token: Option<u64>,
}

impl Cold {
    /// Whether a call that is dropped after so many microseconds is a failure.
    pub(super) fn is_abandoned(&self, took: u64) -> bool {
        self.policy.abandoned_after().is_some_and(|after| took >= micros(after))
    }

    pub(super) fn drop_expired(&mut self, now: u64) {
        self.trials.drop_expired(now);
    }

    /// When the next trial is due, as far as the trials in flight here say: when so many have
    /// ended that one more is allowed, and the service does not ask to be left alone.
    pub(super) fn next_due(&self) -> u64 {
        self.next_due_of(self.policy.half_open_max_calls())
    }

    /// [`next_due`](Self::next_due) where at most so many are allowed.
    fn next_due_of(&self, most: u32) -> u64 {
        // Not before the service said so.
        let held_off = self.held_off_until;
        let Some(too_many) = self.trials.len().checked_sub(most as usize) else { return held_off };
        self.trials.ends().get(too_many).copied().unwrap_or(0).max(held_off)
    }
}

impl Breaker {
    /// Begins a trial call that this breaker grants by itself, if one is due and fewer than
    /// [`half_open_max_calls`](crate::Policy::half_open_max_calls) are in flight. `owner` is this
    /// breaker, for the permit to hold. `timeout` is the call's: see
    /// [`Policy::lease`](crate::Policy::lease).
    ///
    /// Where none is due any more, the permit is what the state and the [mode](crate::Mode) give:
    /// in a circuit that closed meanwhile an ordinary one, in one that only observes one that
    /// counts as nothing. [`Permit::is_trial`] tells.
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
        let mut cold = self.lock();
        cold.drop_expired(now);
        self.put_away(&mut cold, now);
        let word = self.word();
        let mut gate = self.gate_in_mode(word, now);
        let most = most.unwrap_or(cold.policy.half_open_max_calls());
        // One that was due by the policy, and is not by `most`.
        let due = cold.next_due_of(most);
        if gate == Gate::TrialDue && word.state() == State::HalfOpen && due > now {
            self.set_due(due);
            let rejected = Gate::Reject(Rejected::new(State::HalfOpen, 0));
            gate = decide::in_mode(word.mode(), rejected, 0);
        }
        if gate != Gate::TrialDue {
            // It closed meanwhile, say: an ordinary call.
            drop(cold);
            return self.answer(word, gate, owner).now();
        }
        let lease = micros(cold.policy.lease(timeout));
        Ok(self.grant(cold, owner, Lease { now, lease, token: None }, most))
    }

    /// Begins a trial call under a lease that the storage granted, which ends after `lease`.
    /// `token` names it to the [`Replica`](crate::Replica), and `epoch` is that of the
    /// [`snapshot`](Self::snapshot) by which the lease was found to hold.
    ///
    /// A circuit that closed meanwhile gives an ordinary permit, and one that was disabled one that
    /// counts as nothing; the lease is not needed for either: [`Permit::is_trial`] tells. `None` if
    /// it changed in another way: the lease was for what it was before.
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
        let mut cold = self.lock();
        cold.drop_expired(now);
        self.put_away(&mut cold, now);
        let word = self.word();
        if word.state() == State::Closed || !word.counts() {
            let gate = self.gate_in_mode(word, now);
            drop(cold);
            return match gate {
                // Whoever asks again is told.
                Gate::Reject(_) | Gate::TrialDue => None,
                gate => self.answer(word, gate, owner).now().ok(),
            };
        }
        // The lock is held: it cannot change between this and the grant.
        if word.epoch() != epoch {
            return None;
        }
        let most = cold.policy.half_open_max_calls();
        let lease = Lease { now, lease: micros(lease), token: Some(token) };
        Some(self.grant(cold, owner, lease, most))
    }

    fn grant<B: Deref<Target = Breaker>>(
        &self,
        mut cold: Locked<'_>,
        owner: B,
        lease: Lease,
        most: u32,
    ) -> Permit<B> {
        let changed = self.change(&mut cold, Times::due(lease.now, 0), |word| {
            (word.state() == State::Open).then(|| word.entering(State::HalfOpen))
        });
        let ends = lease.now.saturating_add(lease.lease);
        let id = cold.trials.begin(lease.now, ends, lease.token);
        self.set_due(cold.next_due_of(most));
        let word = self.word();
        drop(cold);
        if let Some((from, to)) = changed {
            let (from, to) = (from.state(), to.state());
            self.tell_change(StateChange {
                from,
                to,
                cause: Cause::TrialStarted,
                remote: false,
                fault: None,
            });
        }
        self.count(Event::Trial);
        self.tell_before_call(word);
        Permit::with_claim(owner, word.ticket(), Claim::trial(id))
    }

    /// A call that was let through begins only now: its claim from now on.
    #[cold]
    pub(crate) fn begin_call(&self, claim: Claim) -> Claim {
        let now = micros(self.time.now());
        if claim.as_started().is_some() {
            return Claim::started(now);
        }
        if let Some(trial) = claim.as_trial() {
            self.lock().trials.begin_call(trial, now);
        }
        claim
    }

    /// The storage said when to ask for a trial again: until then calls are rejected from memory.
    pub fn defer_trial(&self, left: Duration) {
        let now = micros(self.time.now());
        let _cold = self.lock();
        if self.word().state() != State::Closed {
            self.set_due(now.saturating_add(micros(left)));
        }
    }

    /// Counts a successful trial whose lease the storage granted but which it can no longer be
    /// told of, as if this breaker stood alone. Nothing, unless the circuit is half-open.
    pub fn count_trial_success(&self) {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        self.put_away(&mut cold, now);
        let word = self.word();
        if word.state() != State::HalfOpen {
            return;
        }
        let epoch = word.epoch();
        let change = self.apply_trial(&mut cold, (now, epoch), Outcome::Success, None);
        drop(cold);
        if let Some((change, _)) = change {
            self.tell_change(change);
        }
    }

    /// The end of trial `id`, admitted in `epoch`. One whose lease is over is dropped. A success
    /// that was slow is a failure where slow calls open the circuit.
    pub(super) fn settle_trial(&self, epoch: u64, id: u64, end: End) -> Effect {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        self.put_away(&mut cold, now);
        let word = self.word();
        if word.epoch() != epoch {
            return Effect::NONE;
        }
        let Some(trial) = cold.trials.end(id) else { return Effect::NONE };
        if now >= trial.ends {
            return Effect::NONE;
        }
        let took = now.saturating_sub(trial.started);
        let failed = |kind| (Outcome::Failure, Some(Fault::new(kind)));
        let (outcome, fault) = match end {
            // The state stays in a mode that counts nothing: the place is given back, and that is
            // all.
            _ if !word.counts() => (Outcome::Ignored, None),
            End::Success if self.is_slow(took) => failed(FaultKind::Slow),
            End::Success => (Outcome::Success, None),
            End::Failure(fault) => (Outcome::Failure, Some(fault)),
            End::Dropped if cold.is_abandoned(took) => failed(FaultKind::Abandoned),
            End::Ignored | End::Dropped => (Outcome::Ignored, None),
        };
        if let Some(fault) = fault {
            self.last_fault.note(fault);
        }
        let change = match (outcome, trial.token) {
            // The storage counts it, and may close; until it answers nobody else needs to try.
            (Outcome::Success, Some(_)) => None,
            (Outcome::Ignored, _) => {
                self.set_due(cold.next_due());
                None
            }
            _ => self.apply_trial(&mut cold, (now, epoch), outcome, fault),
        };
        drop(cold);
        let open_time = change.map_or(Duration::ZERO, |(_, rejected)| rejected.retry_after());
        match (&self.replica, trial.token) {
            (Some(replica), Some(token)) => {
                replica.trial_over(TrialOver::new(token, outcome, open_time).fault(fault));
            }
            (Some(replica), None) if outcome == Outcome::Failure => {
                replica.tripped(Opened::new(Cause::TrialFailed, open_time).fault(fault));
            }
            _ => {}
        }
        Effect { counted: Some(outcome), change }
    }

    fn apply_trial(
        &self,
        cold: &mut Cold,
        (now, epoch): (u64, u64),
        outcome: Outcome,
        fault: Option<Fault>,
    ) -> Option<(StateChange, Rejected)> {
        let threshold = cold.policy.success_threshold();
        let step = |word: Word| match outcome {
            Outcome::Success => decide::success(word, epoch, threshold),
            Outcome::Failure => decide::failure(word, epoch, 1, false),
            Outcome::Ignored => Step::Nothing,
        };
        let (cause, failed_trials) = match outcome {
            Outcome::Success => (Cause::TrialSucceeded, cold.failed_trials),
            _ => (Cause::TrialFailed, cold.failed_trials.saturating_add(1)),
        };
        let due = self.due_if_opened(cold, now, failed_trials);
        let ramp = cold.policy.ramp().map_or(Ramp::default(), |time| Ramp { time, left: time });
        let changed = self.change(cold, Times { due, now, ramp }, |word| match step(word) {
            Step::Change(next) => Some(next),
            Step::Nothing | Step::Count(_) => None,
        });
        if let Some((from, to)) = changed {
            if outcome == Outcome::Failure {
                cold.failed_trials = failed_trials;
                cold.blame_call(cause, fault);
            }
            let (from, to) = (from.state(), to.state());
            let change = StateChange { from, to, cause, remote: false, fault };
            return Some((change, Rejected::new(to, due - now)));
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
