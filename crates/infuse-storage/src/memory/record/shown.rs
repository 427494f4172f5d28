use std::time::Duration;

use infuse_core::{Counts, State};

use super::{kept::Record, overriding::Overridden};
use crate::{Suspicion, SuspicionId, Thresholds, View};

impl Record {
    pub(crate) fn view(&self, now: Duration) -> View {
        View {
            generation: self.generation,
            state: self.state,
            time_left: match self.state {
                State::Closed => Duration::ZERO,
                State::Open => self.open_until.saturating_sub(now),
                State::HalfOpen => self.trial_in(now),
            },
            open_for: match self.state {
                State::Closed => Duration::ZERO,
                State::Open | State::HalfOpen => now.saturating_sub(self.opened_at),
            },
            failures: self.failures(),
            share: 0,
            clears: self.clears,
            rest: self.rest_until.saturating_sub(now),
            suspicion: self.suspected.as_ref().map(|suspected| {
                let first = self.first_failure.unwrap_or(now);
                let id = SuspicionId { generation: self.generation, raised_at: suspected.id };
                Suspicion::new(id, suspected.by, now.saturating_sub(first))
            }),
            thresholds: self.thresholds,
            successes: self.successes,
            cause: self.cause,
            by: self.by,
            note: self.note.clone(),
            provenance: self.provenance(now),
            failed_trials: self.failed_trials(now),
            ramp: self.ramp.left(now),
            overridden: self.overridden.as_ref().and_then(|it: &Overridden| it.left(now)),
            counts: Counts::NONE,
        }
    }

    /// The calls of all processes in the window of one who goes by these: for the answer to its
    /// look.
    pub(crate) fn counts(&self, now: Duration, thresholds: &Thresholds) -> Counts {
        match (&self.metered, &thresholds.rates) {
            (Some(metered), Some(rates)) => metered.counts(now, rates.window),
            _ => Counts::NONE,
        }
    }
}
