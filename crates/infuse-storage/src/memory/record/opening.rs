use std::time::Duration;

use infuse_core::{Ramp, State};

use super::{
    kept::Record,
    provenance::Why,
    standing::{Effect, Standing},
};
use crate::{Trip, presents::Presents};

/// How long a circuit recovers that has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ramping {
    pub(crate) time: Duration,
    pub(crate) until: Duration,
}

impl Ramping {
    pub(crate) const NONE: Ramping = Ramping { time: Duration::ZERO, until: Duration::ZERO };

    pub(super) fn new(now: Duration, time: Duration) -> Self {
        if time.is_zero() { Self::NONE } else { Self { time, until: now.saturating_add(time) } }
    }

    pub(crate) fn is_on(self, now: Duration) -> bool {
        now < self.until
    }

    pub(crate) fn left(self, now: Duration) -> Ramp {
        let left = self.until.saturating_sub(now);
        if left.is_zero() { Ramp::default() } else { Ramp { time: self.time, left } }
    }
}

impl Record {
    pub(crate) fn trip(&mut self, now: Duration, trip: &Trip) -> Effect {
        let (standing, effect) = self.compare(now, &Presents::from(trip));
        if standing == Standing::Older || self.state == State::Open {
            return effect;
        }
        if let Some(id) = trip.suspicion {
            let Some(raised) = self.standing_suspicion(id) else { return effect };
            if now.saturating_sub(raised) > trip.grace.saturating_mul(2) {
                self.renew(now);
                return Effect::Pushed;
            }
        } else if self.state == State::Closed && !self.is_seen_by_enough(now, trip) {
            return effect.and(self.count_trip(now, trip));
        }
        let why = Why { fault: trip.fault, ..Why::new(trip.cause, trip.process) };
        self.open(now, why, trip.open_time);
        self.thresholds = Some(trip.thresholds);
        Effect::Pushed
    }

    /// Opens for a time, or for as long as the service asked for.
    pub(super) fn open(&mut self, now: Duration, why: Why, time: Duration) {
        self.change(now, State::Open, why);
        self.open_until = now.saturating_add(time).max(self.held_until);
    }

    /// The service asked to be left alone for so long.
    pub(super) fn hold_off(&mut self, now: Duration, time: Duration) -> Effect {
        let until = now.saturating_add(time);
        if time.is_zero() || until <= self.held_until {
            return Effect::Quiet;
        }
        let trial_in = self.trial_in(now);
        self.held_until = until;
        let longer = match self.state {
            State::Closed => false,
            State::Open => until > self.open_until,
            State::HalfOpen => self.trial_in(now) > trial_in,
        };
        if self.state == State::Open {
            self.open_until = self.open_until.max(until);
        }
        if longer { Effect::Pushed } else { Effect::Quiet }
    }

    /// Trials that failed since the circuit was last closed for good.
    pub(crate) fn failed_trials(&self, now: Duration) -> u32 {
        let over = self.state == State::Closed && !self.ramp.is_on(now);
        if over { 0 } else { self.failed_trials }
    }
}
