use std::time::Duration;

use infuse_core::{Cause, Outcome, State};

use super::{
    kept::Record,
    opening::Ramping,
    provenance::Why,
    standing::{Effect, Standing},
};
use crate::{LeaseRequest, ProcessId, Settle, Token, presents::Presents};

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) token: Token,
    pub(crate) ends: Duration,
}

impl Record {
    /// Whether the lease was granted.
    pub(crate) fn lease(&mut self, now: Duration, request: &LeaseRequest) -> (Effect, bool) {
        let (standing, mut effect) = self.compare(now, &Presents::from(request));
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
                let why = Why::new(Cause::TrialStarted, request.token.process);
                self.change(now, State::HalfOpen, why);
                effect = Effect::Pushed;
            }
            State::HalfOpen if self.trial_in(now) > Duration::ZERO => return (effect, false),
            State::HalfOpen => {}
        }
        self.leases.push(Lease { token: request.token, ends: now.saturating_add(request.lease) });
        (effect, true)
    }

    /// How long until a half-open circuit has a place for a trial, if nobody gives one back.
    pub(super) fn trial_in(&self, now: Duration) -> Duration {
        let held = self.held_until.saturating_sub(now);
        let running = || self.leases.iter().map(|lease| lease.ends).filter(|ends| now < *ends);
        if running().count() < self.max_calls {
            return held;
        }
        running().min().unwrap_or(now).saturating_sub(now).max(held)
    }

    pub(crate) fn settle(&mut self, now: Duration, settle: &Settle) -> Effect {
        let (standing, effect) = self.compare(now, &Presents::from(settle));
        self.leases.retain(|lease| now < lease.ends);
        if standing == Standing::Older {
            return effect;
        }
        let Some(at) = self.leases.iter().position(|lease| lease.token == settle.token) else {
            return effect;
        };
        self.leases.swap_remove(at);
        let process = settle.token.process;
        self.hold_off(now, settle.held_off);
        match settle.outcome {
            Outcome::Failure => {
                let why = Why { fault: settle.fault, ..Why::new(Cause::TrialFailed, process) };
                self.open(now, why, settle.open_time);
            }
            Outcome::Success => {
                self.successes = self.successes.saturating_add(1);
                if self.successes >= settle.success_threshold {
                    self.close(now, process, settle.ramp);
                }
            }
            Outcome::Ignored => {}
        }
        Effect::Pushed
    }

    /// Closes because trials succeeded. It may yet turn out that they were too few.
    fn close(&mut self, now: Duration, by: ProcessId, ramp: Duration) {
        let failed_trials = self.failed_trials;
        self.change(now, State::Closed, Why::new(Cause::TrialSucceeded, by));
        self.ramp = Ramping::new(now, ramp);
        self.failed_trials = failed_trials;
    }
}
