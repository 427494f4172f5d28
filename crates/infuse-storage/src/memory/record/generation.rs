use std::time::Duration;

use infuse_core::State;

use super::{kept::Record, opening::Ramping, provenance::Why};

impl Record {
    /// A new generation: what was counted is over, and so are leases.
    pub(super) fn begin_generation(&mut self, now: Duration) {
        self.generation = self.generation.saturating_add(1);
        self.leases.clear();
        self.shares.clear();
        self.first_failure = None;
        self.clears = 0;
        self.rest_until = now;
        self.suspected = None;
        self.metered = None;
    }

    /// A new generation in which the circuit has a state anew. That it opens for a time is left to
    /// whoever calls this.
    pub(crate) fn change(&mut self, now: Duration, to: State, why: Why) {
        self.failed_trials = match (to, self.state) {
            (State::Closed, _) => 0,
            (State::HalfOpen, _) => self.failed_trials(now),
            // A circuit that was on trial, or still recovering from one.
            (State::Open, State::Open | State::HalfOpen) => self.failed_trials.saturating_add(1),
            (State::Open, State::Closed) if self.ramp.is_on(now) => {
                self.failed_trials.saturating_add(1)
            }
            (State::Open, State::Closed) => 0,
        };
        self.ramp = Ramping::NONE;
        if to == State::Closed {
            self.held_until = Duration::ZERO;
        }
        self.begin_generation(now);
        if to == State::Open || (to == State::HalfOpen && self.state == State::Closed) {
            self.opened_at = now;
        }
        self.opened = self.opened_after(now, to, &why);
        self.state = to;
        self.cause = why.cause;
        self.by = why.by;
        self.note = why.note;
        self.changed_at = now;
        self.open_until = now;
        self.successes = 0;
    }
}
