use std::time::Duration;

use super::Breaker;
use crate::{Cause, State, StateChange, deadline::micros, sync::lock, word::Word};

/// What a storage says about a circuit, for [`Breaker::adopt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// The state.
    pub state: State,
    /// While open, how long it stays so; while half-open, how long until it is worth asking for a
    /// trial.
    pub left: Duration,
    /// How long ago the circuit opened; zero while closed.
    pub open_for: Duration,
    /// Successful trials, one after another.
    pub successes: u32,
    /// Whether this stands for a change that this breaker has not made itself: then it is a new
    /// epoch even if the state is the same, and counts nothing.
    pub renew: bool,
    /// Why the circuit is in that state.
    pub cause: Cause,
    /// Whether another process brought it there.
    pub remote: bool,
}

/// Manual control. Each of these is a new epoch: calls in flight change nothing any more.
impl Breaker {
    /// Opens the circuit, now and for the reset timeout. It ends by a trial, like any opening.
    pub fn open(&self) {
        self.put(State::Open, Cause::Manual);
    }

    /// Opens the circuit half: the next call is a trial.
    pub fn half_open(&self) {
        self.put(State::HalfOpen, Cause::Manual);
    }

    /// Closes the circuit and counts anew.
    pub fn close(&self) {
        self.put(State::Closed, Cause::Manual);
    }

    /// Closes the circuit and forgets everything that was counted.
    pub fn reset(&self) {
        self.put(State::Closed, Cause::Manual);
    }

    /// Puts the circuit into a state, for a cause.
    pub fn put(&self, state: State, cause: Cause) {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        let due = match state {
            State::Open => now.saturating_add(micros(cold.policy.reset_timeout())),
            State::Closed | State::HalfOpen => 0,
        };
        let changed = self.change(&mut cold, due, |word| Some(enter(word, state)));
        drop(cold);
        if let Some((from, to)) = changed {
            self.tell_change(StateChange { from, to, cause, remote: false });
        }
    }

    /// Takes over what a storage says, and tells the listeners.
    pub fn adopt(&self, shared: Shared) {
        if let Some(change) = self.adopt_quietly(shared) {
            self.announce(change);
        }
    }

    /// [`adopt`](Self::adopt) for a caller that holds a lock: the change that it returns is to be
    /// [announced](Self::announce) when the lock is released.
    #[must_use = "the listeners do not know of the change yet"]
    pub fn adopt_quietly(&self, shared: Shared) -> Option<StateChange> {
        let now = micros(self.time.now());
        let due = now.saturating_add(micros(shared.left));
        let mut cold = lock(&self.cold);
        let changed = self.change(&mut cold, due, |word| {
            (shared.renew || word.state() != shared.state).then(|| enter(word, shared.state))
        });
        if self.word().state() != State::Closed {
            if changed.is_none() {
                self.set_due(due);
            }
            cold.opened_at = self.time.wall().checked_sub(shared.open_for);
            self.set_successes(shared.successes);
        }
        let (from, to) = changed?;
        Some(StateChange { from, to, cause: shared.cause, remote: shared.remote })
    }

    /// Tells the listeners of a change that [`adopt_quietly`](Self::adopt_quietly) made.
    pub fn announce(&self, change: StateChange) {
        self.tell_change(change);
    }

    fn set_successes(&self, successes: u32) {
        loop {
            let word = self.word();
            if self.swap(word, word.with_successes(successes)) {
                return;
            }
        }
    }
}

fn enter(word: Word, state: State) -> Word {
    let next = word.entering(state);
    if state == State::Closed { next.with_failures(0) } else { next }
}
