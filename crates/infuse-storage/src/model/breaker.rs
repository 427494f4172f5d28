//! A process's breaker: what `infuse_core::Breaker` does, in one thread and in ticks.
//!
//! `infuse-core` holds the real one to its own model (`tests/model.rs`). Calls on a closed circuit
//! are atomic here, so a permit's epoch is not needed: a change drops the trials in flight, and
//! with them what was admitted before it.

use infuse_core::{Cause, Outcome, State};

use super::setting::Setting;

#[derive(Debug, Clone)]
pub(super) struct Breaker {
    pub(super) state: State,
    /// When a trial is due, unless closed.
    pub(super) due: u32,
    pub(super) failures: u32,
    pub(super) successes: u32,
    pub(super) trials: Vec<Trial>,
    /// Until when the service asked to be left alone.
    pub(super) held_until: u32,
    /// Until when it is isolated.
    pub(super) isolated_until: u32,
}

/// A trial call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) ends: u32,
    /// The number of its lease's token, if the storage granted it.
    pub(super) token: Option<u64>,
}

/// What the breaker tells its `Replica`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    Nothing,
    Counted(u32),
    Tripped(Cause),
    TrialOver(u64, Outcome),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Pass,
    Reject,
    TrialDue,
}

impl Breaker {
    pub(super) const NEW: Breaker = Breaker {
        state: State::Closed,
        due: 0,
        failures: 0,
        successes: 0,
        trials: Vec::new(),
        held_until: 0,
        isolated_until: 0,
    };

    /// `decide::admit`.
    pub(super) fn admit(&self, now: u32) -> Gate {
        match self.state {
            _ if now < self.isolated_until => Gate::Reject,
            State::Closed => Gate::Pass,
            State::Open | State::HalfOpen if now >= self.due => Gate::TrialDue,
            State::Open | State::HalfOpen => Gate::Reject,
        }
    }

    /// `Breaker::count_success` and `Breaker::count_failure`, of a closed circuit.
    pub(super) fn count(&mut self, success: bool, now: u32, setting: &Setting) -> Tell {
        if success {
            let counted = self.failures > 0;
            self.failures = 0;
            return if counted { Tell::Counted(0) } else { Tell::Nothing };
        }
        self.failures += 1;
        if self.failures < setting.max_failure {
            return Tell::Counted(self.failures);
        }
        self.change(State::Open, (now + setting.reset).max(self.held_until));
        Tell::Tripped(Cause::Failures)
    }

    /// `Breaker::hold_off`.
    pub(super) fn hold_off(&mut self, until: u32) {
        self.held_until = self.held_until.max(until);
        if self.state != State::Closed {
            self.due = self.due.max(until);
        }
    }

    /// `Breaker::change`.
    fn change(&mut self, state: State, due: u32) {
        self.state = state;
        self.due = due;
        self.successes = 0;
        self.trials.clear();
        if state == State::Closed {
            self.failures = 0;
            self.held_until = 0;
        }
    }

    /// `Breaker::put`.
    pub(super) fn put(&mut self, state: State, now: u32, setting: &Setting) {
        let due = if state == State::Open { now + setting.reset } else { 0 };
        self.held_until = 0;
        self.change(state, due);
    }

    /// `Breaker::adopt_quietly`.
    pub(super) fn adopt(&mut self, state: State, left: u32, successes: u32, renew: bool, now: u32) {
        let due = (now + left).max(self.held_until);
        if renew || self.state != state {
            self.change(state, due);
        } else {
            self.due = due;
        }
        if state != State::Closed {
            self.successes = successes;
        }
    }

    /// `Breaker::retry_after`, of an open circuit.
    pub(super) fn left(&self, now: u32) -> u32 {
        self.due.saturating_sub(now)
    }

    /// How many trials are in flight.
    pub(super) fn running(&self, now: u32) -> usize {
        self.trials.iter().filter(|trial| now < trial.ends).count()
    }

    /// `Breaker::begin_trial` and `begin_only_trial`; whether it begins.
    pub(super) fn begin_trial(&mut self, most: u32, now: u32, setting: &Setting) -> bool {
        self.trials.retain(|trial| now < trial.ends);
        if self.admit(now) != Gate::TrialDue {
            return false;
        }
        let due = self.next_due(most);
        if self.state == State::HalfOpen && due > now {
            self.due = due;
            return false;
        }
        self.grant(Trial { ends: now + setting.lease, token: None }, most);
        true
    }

    /// `Breaker::begin_shared_trial`, of a circuit that has not changed since.
    pub(super) fn begin_shared_trial(&mut self, token: u64, now: u32, setting: &Setting) {
        self.trials.retain(|trial| now < trial.ends);
        let trial = Trial { ends: now + setting.lease, token: Some(token) };
        self.grant(trial, setting.half_open_max_calls);
    }

    fn grant(&mut self, trial: Trial, most: u32) {
        if self.state == State::Open {
            self.change(State::HalfOpen, 0);
        }
        self.trials.push(trial);
        self.due = self.next_due(most);
    }

    fn next_due(&self, most: u32) -> u32 {
        let held = self.held_until;
        let Some(too_many) = self.trials.len().checked_sub(most as usize) else { return held };
        let mut ends: Vec<u32> = self.trials.iter().map(|trial| trial.ends).collect();
        ends.sort_unstable();
        ends[too_many].max(held)
    }

    /// `Breaker::defer_trial`.
    pub(super) fn defer_trial(&mut self, left: u32, now: u32) {
        if self.state != State::Closed {
            self.due = now + left;
        }
    }

    /// `Breaker::settle_trial`.
    pub(super) fn settle_trial(
        &mut self,
        at: usize,
        outcome: Outcome,
        now: u32,
        setting: &Setting,
    ) -> Tell {
        let trial = self.trials.swap_remove(at);
        if now >= trial.ends {
            return Tell::Nothing;
        }
        match (outcome, trial.token) {
            (Outcome::Success, Some(_)) => {}
            (Outcome::Ignored, _) => self.due = self.next_due(setting.half_open_max_calls),
            // `success_threshold` is 1.
            (Outcome::Success, None) => self.change(State::Closed, 0),
            (Outcome::Failure, _) => {
                self.failures += 1;
                self.change(State::Open, (now + setting.reset).max(self.held_until));
            }
        }
        match (trial.token, outcome) {
            (Some(token), _) => Tell::TrialOver(token, outcome),
            (None, Outcome::Failure) => Tell::Tripped(Cause::TrialFailed),
            (None, _) => Tell::Nothing,
        }
    }

    /// `Breaker::count_trial_success`; whether it closes.
    pub(super) fn count_trial_success(&mut self) -> bool {
        let closes = self.state == State::HalfOpen;
        if closes {
            self.change(State::Closed, 0);
        }
        closes
    }
}
