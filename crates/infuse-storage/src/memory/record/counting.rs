use std::time::Duration;

use infuse_core::State;

use super::{
    kept::Record,
    standing::{Effect, Standing},
};
use crate::{ProcessId, Report, Trip, presents::Presents};

impl Record {
    pub(crate) fn failures(&self) -> u32 {
        self.shares.values().fold(0, |sum, share| sum.saturating_add(*share))
    }

    pub(crate) fn share(&self, process: ProcessId) -> u32 {
        self.shares.get(&process).copied().unwrap_or(0)
    }

    pub(crate) fn report(&mut self, now: Duration, report: &Report) -> Effect {
        let (standing, effect) = self.compare(now, &Presents::from(report));
        if standing == Standing::Older {
            return effect;
        }
        let effect = effect.and(self.hold_off(now, report.held_off));
        if self.state != State::Closed {
            return effect;
        }
        self.thresholds = Some(report.thresholds);
        // What it knows of clears is from before the success that it tells of.
        let up_to_date = report.clears >= self.clears;
        let effect = effect.and(self.drop_refuted(now, report.last_success));
        if now < self.rest_until {
            return effect;
        }
        // Of a run that may have begun before a clear, the newest failure counts.
        let failures = match up_to_date {
            true => report.failures,
            false => self.share(report.process).max(report.failures.min(1)),
        };
        self.set_share(now, report.process, failures);
        effect.and(self.suspect(now, report))
    }

    /// A process has opened itself, and too few others have seen failures.
    pub(super) fn count_trip(&mut self, now: Duration, trip: &Trip) -> Effect {
        self.thresholds = Some(trip.thresholds);
        self.note_trip(now, trip);
        if now < self.rest_until {
            return Effect::Quiet;
        }
        self.set_share(now, trip.process, trip.failures);
        self.end_suspicion_of_less()
    }

    fn set_share(&mut self, now: Duration, process: ProcessId, failures: u32) {
        if failures == 0 {
            self.shares.remove(&process);
            if self.shares.is_empty() {
                self.first_failure = None;
            }
        } else {
            self.shares.insert(process, failures);
            self.first_failure.get_or_insert(now);
        }
    }

    /// Drops counted failures if a call has succeeded since the first of them.
    pub(super) fn drop_refuted(&mut self, now: Duration, last_success: Option<Duration>) -> Effect {
        let (Some(age), Some(first)) = (last_success, self.first_failure) else {
            return Effect::Quiet;
        };
        if age > now.saturating_sub(first) {
            return Effect::Quiet;
        }
        let effect = if self.suspected.is_some() { Effect::Pushed } else { Effect::Quiet };
        self.drop_shares(now);
        effect
    }

    pub(super) fn drop_shares(&mut self, now: Duration) {
        self.shares.clear();
        self.first_failure = None;
        self.clears += 1;
        if let Some(suspected) = self.suspected.take() {
            self.rest_until = now.saturating_add(suspected.rest);
        }
    }
}
