use std::time::Duration;

use super::{Breaker, Cold, applying::Times};
use crate::{Cause, State, StateChange, Tripped, deadline::micros, sync::lock, word::Word};

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
    /// Trials that failed since the circuit was last closed and had recovered, in all processes:
    /// what the next open time [grows](crate::Policy::open_time) by. Of no matter while closed,
    /// unless it recovers.
    pub failed_trials: u32,
    /// While closed: how long it recovers in all, and how much of that is left. Zero if it does
    /// not. It holds whatever ramp the policy has.
    pub ramp: Ramp,
    /// While not closed: what opened the circuit, if the storage knows. If it does not, what this
    /// breaker knows stays, and where that is nothing, or a new opening is told, it is made of
    /// `cause` and `open_for`.
    pub tripped: Option<Tripped>,
}

/// How far a circuit that has closed is from letting every call through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ramp {
    /// How long it recovers in all.
    pub time: Duration,
    /// How much of that is left.
    pub left: Duration,
}

/// Manual control. Each of these is a new epoch: calls in flight change nothing any more, and what
/// makes the open time longer is forgotten. No mode is changed by it, and it works in each.
impl Breaker {
    /// Opens the circuit, now and for the reset timeout. It ends by a trial, like any opening.
    pub fn open(&self) {
        self.put(State::Open, Cause::Manual);
    }

    /// Opens the circuit, now and for this time instead of the reset timeout.
    pub fn open_for(&self, open_time: Duration) {
        self.put_for(State::Open, Some(open_time), Cause::Manual);
    }

    /// Opens the circuit half: the next call is a trial.
    pub fn half_open(&self) {
        self.put(State::HalfOpen, Cause::Manual);
    }

    /// Closes the circuit and counts anew. All calls pass at once: there is no ramp.
    pub fn close(&self) {
        self.put(State::Closed, Cause::Manual);
    }

    /// Closes the circuit and forgets everything that was counted.
    pub fn reset(&self) {
        self.put(State::Closed, Cause::Manual);
    }

    /// Puts the circuit into a state, for a cause; open, for the reset timeout.
    pub fn put(&self, state: State, cause: Cause) {
        self.put_for(state, None, cause);
    }

    fn put_for(&self, state: State, open_time: Option<Duration>, cause: Cause) {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        let due = match state {
            State::Open => {
                let open_time = open_time.unwrap_or_else(|| cold.policy.reset_timeout());
                now.saturating_add(micros(open_time))
            }
            State::Closed | State::HalfOpen => 0,
        };
        // Whoever does it by hand knows better than the service, and than what was.
        cold.held_off_until = 0;
        let changed = self.change(&mut cold, Times::due(now, due), |word| Some(enter(word, state)));
        cold.failed_trials = 0;
        if let Some((from, to)) = changed {
            cold.blame_command(from.state(), to.state(), cause);
        }
        drop(cold);
        if let Some((from, to)) = changed {
            let (from, to) = (from.state(), to.state());
            self.tell_change(StateChange { from, to, cause, remote: false, fault: None });
        }
    }

    /// Takes over what a storage says, and tells the listeners.
    pub fn adopt(&self, shared: Shared) {
        let change = self.adopt_quietly(shared);
        self.tell_modes();
        if let Some(change) = change {
            self.tell_change(change);
        }
    }

    /// [`adopt`](Self::adopt) for a caller that holds a lock: the change that it returns is to be
    /// [announced](Self::announce) when the lock is released.
    #[must_use = "the listeners do not know of the change yet"]
    pub fn adopt_quietly(&self, shared: Shared) -> Option<StateChange> {
        let Shared { state, ramp, .. } = shared;
        let now = micros(self.time.now());
        // Not by `Self::lock`: nobody is told of an override that has ended, for the same reason.
        let mut cold = lock(&self.cold);
        self.put_away(&mut cold, now);
        let changes = shared.renew || self.word().state() != state;
        if changes && matches!(shared.cause, Cause::Manual | Cause::Seed) {
            cold.held_off_until = 0;
        }
        // What the service told us may not have reached the storage yet.
        let due = now.saturating_add(micros(shared.left)).max(cold.held_off_until);
        let changed = self.change(&mut cold, Times { due, now, ramp }, |word| {
            (shared.renew || word.state() != state).then(|| enter(word, state))
        });
        match (state, changed) {
            (State::Closed, None) => self.adopt_ramp(&mut cold, now, ramp),
            (State::Closed, Some(_)) => {}
            (State::Open | State::HalfOpen, changed) => {
                if changed.is_none() {
                    self.set_due(due);
                }
                cold.opened_at = self.time.wall().checked_sub(shared.open_for);
                self.set_successes(shared.successes);
                cold.blame_as_told(&shared, changed.is_some());
            }
        }
        let forgotten = state == State::Closed && self.ramp_at(now).is_none();
        cold.failed_trials = if forgotten { 0 } else { shared.failed_trials };
        let (from, to) = changed?;
        let (from, to) = (from.state(), to.state());
        let opened_by = shared.tripped.filter(|_| to == State::Open);
        let fault = opened_by.and_then(|tripped| tripped.fault);
        Some(StateChange { from, to, cause: shared.cause, remote: shared.remote, fault })
    }

    /// Has a closed circuit recover as the storage says. For whoever holds the lock.
    fn adopt_ramp(&self, cold: &mut Cold, now: u64, ramp: Ramp) {
        match (ramp.left > Duration::ZERO, self.ramp_at(now)) {
            (false, None) => return,
            (false, Some(_)) => self.end_ramp(cold),
            (true, known) => self.set_ramp(now, ramp, known.is_none()),
        }
        self.mark(cold, now);
    }

    /// Tells the listeners of a change that [`adopt_quietly`](Self::adopt_quietly) made.
    pub fn announce(&self, change: StateChange) {
        self.tell_modes();
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
    if state == State::Closed { next.without_failures() } else { next }
}
