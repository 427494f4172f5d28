use std::{sync::Arc, time::Duration};

use infuse_core::{Cause, State};

use super::{
    kept::Record,
    overriding::Overridden,
    provenance::{Opened, Why},
};
use crate::presents::Presents;

/// How what was presented compares with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Older,
    Equal,
}

/// What a verb did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that others need to know.
    Quiet,
    /// Something that is pushed to all.
    Pushed,
}

impl Effect {
    pub(super) fn and(self, other: Effect) -> Effect {
        if self == Effect::Pushed { self } else { other }
    }
}

impl Record {
    /// Compares, and mends a record that has lost writes.
    pub(super) fn compare(&mut self, now: Duration, by: &Presents<'_>) -> (Standing, Effect) {
        self.touched_at = now;
        if self.suspected.as_ref().is_some_and(|it| now.saturating_sub(it.at) >= it.lapse) {
            self.lapse();
        }
        if self.held_until <= now {
            self.held_until = Duration::ZERO;
        }
        let generation = by.presented.generation;
        if generation < self.generation {
            return (Standing::Older, Effect::Quiet);
        }
        if generation == self.generation {
            return (Standing::Equal, Effect::Quiet);
        }
        self.mend(now, by);
        (Standing::Equal, Effect::Pushed)
    }

    fn mend(&mut self, now: Duration, by: &Presents<'_>) {
        let presented = by.presented;
        let stored_left = match self.state {
            State::Open => self.open_until.saturating_sub(now),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let presented_left = match presented.state {
            State::Open => presented.time_left,
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let mut left = stored_left.max(presented_left);
        let state = if left > Duration::ZERO { State::Open } else { presented.state };
        if state == State::Open {
            left = left.max(self.held_until.saturating_sub(now));
        }
        let differs = state != presented.state || left != presented_left;
        let opened_at = if self.state == State::Closed { now } else { self.opened_at };
        let failed_trials = self.failed_trials(now);
        let opened = self.opened.clone();
        self.change(now, state, Why::new(Cause::Adopted, None));
        self.opened_at = opened_at;
        self.open_until = now.saturating_add(left);
        self.failed_trials = if state == State::Closed { 0 } else { failed_trials };
        if state != State::Closed {
            let known = by.provenance.map(|it| Arc::new(Opened::presented(now, it)));
            self.opened = known.or(opened).or_else(|| self.opened.take());
        }
        // Whoever presents a newer circuit knows what became of an override that is stored.
        self.overridden = Overridden::new(now, by.overridden);
        self.generation = presented.generation.saturating_add(u64::from(differs));
    }
}
