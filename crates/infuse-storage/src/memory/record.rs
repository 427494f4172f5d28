//! One circuit's record and what each verb does to it: pure functions of the storage's time.

use std::{collections::BTreeMap, time::Duration};

use infuse_core::{Cause, Outcome, State};

use crate::{
    Control, LeaseRequest, Look, Presented, ProcessId, Report, Seed, Settle, Token, Trip, View,
};

/// How long a record is kept after it was last touched.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A circuit, as the storage keeps it. Times are those of the storage's clock.
#[derive(Debug, Clone)]
pub(super) struct Record {
    generation: u64,
    state: State,
    cause: Cause,
    by: Option<ProcessId>,
    opened_at: Duration,
    open_until: Duration,
    changed_at: Duration,
    touched_at: Duration,
    successes: u32,
    leases: Vec<Lease>,
    /// How many leases may run, by the last who asked for one.
    max_calls: usize,
    shares: BTreeMap<ProcessId, u32>,
    first_failure: Option<Duration>,
    last_command: Option<Token>,
}

#[derive(Debug, Clone)]
struct Lease {
    token: Token,
    ends: Duration,
}

/// How what was presented compares with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Older,
    Equal,
}

/// What a verb did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that others need to know.
    Quiet,
    /// Something that is pushed to all.
    Pushed,
}

impl Record {
    /// The record of a circuit that was never changed.
    pub(super) fn new(now: Duration) -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            cause: Cause::Adopted,
            by: None,
            opened_at: now,
            open_until: now,
            changed_at: now,
            touched_at: now,
            successes: 0,
            leases: Vec::new(),
            max_calls: 1,
            shares: BTreeMap::new(),
            first_failure: None,
            last_command: None,
        }
    }

    pub(super) fn is_expired(&self, now: Duration) -> bool {
        now.saturating_sub(self.touched_at) >= KEPT
    }

    /// Whether it says no more than no record would.
    pub(super) fn is_blank(&self) -> bool {
        self.generation == 0 && self.shares.is_empty()
    }

    pub(super) fn view(&self, now: Duration) -> View {
        View {
            generation: self.generation,
            state: self.state,
            time_left: match self.state {
                State::Closed => Duration::ZERO,
                State::Open => self.open_until.saturating_sub(now),
                State::HalfOpen => self.place_in(now),
            },
            open_for: match self.state {
                State::Closed => Duration::ZERO,
                State::Open | State::HalfOpen => now.saturating_sub(self.opened_at),
            },
            failures: self.shares.values().fold(0, |sum, share| sum.saturating_add(*share)),
            successes: self.successes,
            cause: self.cause,
            by: self.by,
        }
    }

    pub(super) fn look(&mut self, now: Duration, look: &Look) -> Effect {
        let (standing, effect) = self.compare(now, look.presented);
        if standing == Standing::Equal {
            self.drop_refuted(now, look.last_success);
        }
        effect
    }

    pub(super) fn report(&mut self, now: Duration, report: &Report) -> Effect {
        let (standing, effect) = self.compare(now, report.presented);
        if standing == Standing::Equal && self.state == State::Closed {
            self.drop_refuted(now, report.last_success);
            if report.failures == 0 {
                self.shares.remove(&report.process);
                if self.shares.is_empty() {
                    self.first_failure = None;
                }
            } else {
                self.shares.insert(report.process, report.failures);
                self.first_failure.get_or_insert(now);
            }
        }
        effect
    }

    pub(super) fn trip(&mut self, now: Duration, trip: &Trip) -> Effect {
        let (standing, effect) = self.compare(now, trip.presented);
        if standing == Standing::Older || self.state == State::Open {
            return effect;
        }
        self.change(now, State::Open, Cause::Failures, Some(trip.process));
        self.open_until = now.saturating_add(trip.open_time);
        Effect::Pushed
    }

    /// Whether the lease was granted.
    pub(super) fn lease(&mut self, now: Duration, request: &LeaseRequest) -> (Effect, bool) {
        let (standing, mut effect) = self.compare(now, request.presented);
        self.leases.retain(|lease| now < lease.ends);
        if self.leases.iter().any(|lease| lease.token == request.token) {
            return (effect, true);
        }
        if standing == Standing::Older {
            return (effect, false);
        }
        self.max_calls = request.max_calls.max(1) as usize;
        match self.state {
            State::Closed => return (effect, false),
            State::Open if now < self.open_until => return (effect, false),
            State::Open => {
                let process = Some(request.token.process);
                self.change(now, State::HalfOpen, Cause::TrialStarted, process);
                effect = Effect::Pushed;
            }
            State::HalfOpen if self.place_in(now) > Duration::ZERO => return (effect, false),
            State::HalfOpen => {}
        }
        self.leases.push(Lease { token: request.token, ends: now.saturating_add(request.lease) });
        (effect, true)
    }

    /// How long until there is a place for a trial, if nobody gives one back.
    fn place_in(&self, now: Duration) -> Duration {
        let running = || self.leases.iter().map(|lease| lease.ends).filter(|ends| now < *ends);
        if running().count() < self.max_calls {
            return Duration::ZERO;
        }
        running().min().unwrap_or(now).saturating_sub(now)
    }

    pub(super) fn settle(&mut self, now: Duration, settle: &Settle) -> Effect {
        let (standing, effect) = self.compare(now, settle.presented);
        self.leases.retain(|lease| now < lease.ends);
        if standing == Standing::Older {
            return effect;
        }
        let Some(at) = self.leases.iter().position(|lease| lease.token == settle.token) else {
            return effect;
        };
        self.leases.swap_remove(at);
        let process = Some(settle.token.process);
        match settle.outcome {
            Outcome::Failure => {
                self.change(now, State::Open, Cause::TrialFailed, process);
                self.open_until = now.saturating_add(settle.open_time);
            }
            Outcome::Success => {
                self.successes = self.successes.saturating_add(1);
                if self.successes >= settle.success_threshold {
                    self.change(now, State::Closed, Cause::TrialSucceeded, process);
                }
            }
            Outcome::Ignored => {}
        }
        Effect::Pushed
    }

    pub(super) fn control(&mut self, now: Duration, command: &Control) -> Effect {
        // Its standing does not matter: it applies in any case, and is pushed by that.
        self.compare(now, command.presented);
        self.put(now, command.token, command.state, command.open_time, Cause::Manual)
    }

    pub(super) fn seed(&mut self, now: Duration, seed: &Seed) -> Effect {
        let unchanged_for = now.saturating_sub(self.changed_at);
        let late = self.generation > 0 && seed.late_by.is_some_and(|age| unchanged_for <= age);
        let (_, effect) = self.compare(now, seed.presented);
        if late {
            return effect;
        }
        self.put(now, seed.token, seed.state, seed.open_time, Cause::Seed)
    }

    fn put(
        &mut self,
        now: Duration,
        token: Token,
        state: State,
        open_time: Duration,
        cause: Cause,
    ) -> Effect {
        if self.last_command == Some(token) {
            return Effect::Quiet;
        }
        self.change(now, state, cause, Some(token.process));
        if state == State::Open {
            self.open_until = now.saturating_add(open_time);
        }
        self.last_command = Some(token);
        Effect::Pushed
    }

    /// Compares, and mends a record that has lost writes.
    fn compare(&mut self, now: Duration, presented: Presented) -> (Standing, Effect) {
        self.touched_at = now;
        if presented.generation < self.generation {
            return (Standing::Older, Effect::Quiet);
        }
        if presented.generation == self.generation {
            return (Standing::Equal, Effect::Quiet);
        }
        let stored_left = match self.state {
            State::Open => self.open_until.saturating_sub(now),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let presented_left = match presented.state {
            State::Open => presented.time_left,
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let left = stored_left.max(presented_left);
        let state = if left > Duration::ZERO { State::Open } else { presented.state };
        let differs = state != presented.state || left != presented_left;
        let opened_at = if self.state == State::Closed { now } else { self.opened_at };
        self.change(now, state, Cause::Adopted, None);
        self.opened_at = opened_at;
        self.open_until = now.saturating_add(left);
        self.generation = presented.generation.saturating_add(u64::from(differs));
        (Standing::Equal, Effect::Pushed)
    }

    /// Drops counted failures if a call has succeeded since the first of them.
    fn drop_refuted(&mut self, now: Duration, last_success: Option<Duration>) {
        let (Some(age), Some(first)) = (last_success, self.first_failure) else { return };
        if age <= now.saturating_sub(first) {
            self.shares.clear();
            self.first_failure = None;
        }
    }

    fn change(&mut self, now: Duration, to: State, cause: Cause, by: Option<ProcessId>) {
        if to == State::Open || (to == State::HalfOpen && self.state == State::Closed) {
            self.opened_at = now;
        }
        self.generation = self.generation.saturating_add(1);
        self.state = to;
        self.cause = cause;
        self.by = by;
        self.changed_at = now;
        self.open_until = now;
        self.successes = 0;
        self.leases.clear();
        self.shares.clear();
        self.first_failure = None;
    }
}
